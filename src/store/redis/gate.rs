//! Announcements on their way from the sockets to the ears: bounded over all servers together, because a full gate keeps
//! the sockets unread.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;
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
    /// Who waits to read a socket.
    readers: Vec<Waker>,
}

/// The way in for one connection.
pub struct Inlet {
    gate: Arc<Gate>,
    ended: Arc<Ended>,
}

/// Subscriptions that a server has ended.
#[derive(Default)]
pub struct Ended {
    channels: Mutex<Vec<String>>,
    pub told: Notify,
}

impl Ended {
    /// Those since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.channels.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, channel: &[u8]) {
        let Ok(channel) = std::str::from_utf8(channel) else { return };
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(channel.to_owned());
        self.told.notify_one();
    }
}

impl Inlet {
    pub fn new(gate: &Arc<Gate>, ended: &Arc<Ended>) -> Inlet {
        Inlet { gate: Arc::clone(gate), ended: Arc::clone(ended) }
    }

    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What Redis said unasked; what is neither an announcement nor the end of a subscription goes no further. Never
    /// waits.
    pub fn enter(&self, push: PushInfo) -> Result<(), ()> {
        if push.kind == PushKind::SUnsubscribe {
            if let Some(Value::BulkString(channel)) = push.data.first() {
                self.ended.add(channel);
            }
            return Ok(());
        }
        self.gate.enter(push)
    }
}

impl Gate {
    pub fn new() -> (Gate, UnboundedReceiver<Announcement>) {
        let (announcements, receiver) = unbounded_channel();
        (Gate { announcements, state: Mutex::default() }, receiver)
    }

    fn enter(&self, push: PushInfo) -> Result<(), ()> {
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
        let readers = {
            let mut state = self.state();
            state.unheard_bytes = state.unheard_bytes.saturating_sub(announcement.weight_bytes());
            if state.unheard_bytes > UNHEARD_BYTES_MAX { Vec::new() } else { std::mem::take(&mut state.readers) }
        };
        readers.into_iter().for_each(Waker::wake);
    }

    pub fn is_full(&self) -> bool {
        self.state().unheard_bytes > UNHEARD_BYTES_MAX
    }

    /// Whether something waits to be heard.
    pub fn is_held_up(&self) -> bool {
        self.state().unheard_bytes > 0
    }

    /// Whether a socket may be read.
    pub fn poll_open(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.unheard_bytes <= UNHEARD_BYTES_MAX {
            return Poll::Ready(());
        }
        // A connection has one task, so each is here once.
        state.readers.retain(|reader| !reader.will_wake(context.waker()));
        state.readers.push(context.waker().clone());
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
    fn a_subscription_that_a_server_has_ended_is_told_and_nobody_hears_it() {
        let (gate, mut receiver) = Gate::new();
        let ended = Arc::new(Ended::default());
        let inlet = Inlet::new(&Arc::new(gate), &ended);
        inlet.enter(PushInfo { kind: PushKind::SUnsubscribe, ..push(1) }).unwrap();
        inlet.enter(push(1)).unwrap();
        assert_eq!((ended.take(), ended.take()), (vec!["x".to_owned()], Vec::new()));
        assert!(receiver.try_recv().is_ok() && receiver.try_recv().is_err());
    }

    #[test]
    fn what_is_no_announcement_goes_no_further() {
        let (gate, mut receiver) = Gate::new();
        gate.enter(PushInfo { kind: PushKind::SSubscribe, ..push(1) }).unwrap();
        gate.enter(PushInfo { data: vec![Value::Int(1)], ..push(1) }).unwrap();
        assert!(receiver.try_recv().is_err());
    }
}
