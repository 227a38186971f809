//! Announcements on their way from the socket to the ears: bounded, because a full gate keeps the socket unread.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Past so many bytes that have not been heard the socket is not read.
const UNHEARD_BYTES_MAX: usize = 1024 * 1024;
/// What an announcement takes besides its bytes.
const ANNOUNCEMENT_BYTES: usize = 256;

/// A message as it was announced.
pub struct Announcement {
    /// The base of its pipe.
    pub channel: Vec<u8>,
    pub record: Vec<u8>,
}

impl Announcement {
    fn weight_bytes(&self) -> usize {
        self.channel.len() + self.record.len() + ANNOUNCEMENT_BYTES
    }
}

pub struct Gate {
    announcements: UnboundedSender<Announcement>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unheard_bytes: usize,
    /// Who waits to read the socket.
    reader: Option<Waker>,
}

impl Gate {
    pub fn new() -> (Gate, UnboundedReceiver<Announcement>) {
        let (announcements, receiver) = unbounded_channel();
        (Gate { announcements, state: Mutex::default() }, receiver)
    }

    /// What Redis said unasked; what is no announcement goes no further. Never waits.
    pub fn enter(&self, push: PushInfo) -> Result<(), ()> {
        if push.kind != PushKind::SMessage {
            return Ok(());
        }
        let Ok([Value::BulkString(channel), Value::BulkString(record)]) = <[Value; 2]>::try_from(push.data) else {
            return Ok(());
        };
        let announcement = Announcement { channel, record };
        self.state().unheard_bytes += announcement.weight_bytes();
        self.announcements.send(announcement).map_err(drop)
    }

    /// It has been heard, and its room is free.
    pub fn leave(&self, announcement: &Announcement) {
        let reader = {
            let mut state = self.state();
            state.unheard_bytes = state.unheard_bytes.saturating_sub(announcement.weight_bytes());
            if state.unheard_bytes > UNHEARD_BYTES_MAX { None } else { state.reader.take() }
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub fn is_full(&self) -> bool {
        self.state().unheard_bytes > UNHEARD_BYTES_MAX
    }

    /// Whether something waits to be heard.
    pub fn is_held_up(&self) -> bool {
        self.state().unheard_bytes > 0
    }

    /// Whether the socket may be read.
    pub fn poll_open(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.unheard_bytes <= UNHEARD_BYTES_MAX {
            return Poll::Ready(());
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(bytes: usize) -> PushInfo {
        let text = |bytes| Value::BulkString(vec![b'x'; bytes]);
        PushInfo { kind: PushKind::SMessage, data: vec![text(1), text(bytes)] }
    }

    #[test]
    fn a_full_gate_keeps_the_socket_unread_until_something_has_been_heard() {
        let (gate, mut receiver) = Gate::new();
        let mut context = Context::from_waker(Waker::noop());
        gate.enter(push(UNHEARD_BYTES_MAX / 2)).unwrap();
        assert!(gate.poll_open(&mut context).is_ready());
        gate.enter(push(UNHEARD_BYTES_MAX / 2)).unwrap();
        assert!(gate.poll_open(&mut context).is_pending() && gate.is_full());
        gate.leave(&receiver.try_recv().unwrap());
        assert!(gate.poll_open(&mut context).is_ready() && !gate.is_full());
    }

    #[test]
    fn what_is_no_announcement_goes_no_further() {
        let (gate, mut receiver) = Gate::new();
        gate.enter(PushInfo { kind: PushKind::SSubscribe, ..push(1) }).unwrap();
        gate.enter(PushInfo { data: vec![Value::Int(1)], ..push(1) }).unwrap();
        assert!(receiver.try_recv().is_err());
    }
}
