//! How a connection ends, and what it leaves behind: nothing.

use super::{Asking, CLOSING_MILLIS_MAX, Shard, State, TOO_SLOW_MAX, TOO_SLOW_MILLIS_MAX, Whose};
use crate::clock::UnixMillis;
use crate::fault::{Fault, is_planted};
use crate::frame;
use crate::node::Ask;
use crate::pipe::ConnectionId;
use crate::session::Ending;
use crate::user::Generation;
use crate::ws::codec::{self, CloseCode};

impl Shard {
    /// Closes with a reason, which only a client that can do something with a close frame is told.
    pub(super) fn close_with(&mut self, slot: u32, code: CloseCode, now: UnixMillis) {
        let Some(connection) = self.connections.get(slot as usize) else { return };
        if let State::Open(session, _) = &connection.state
            && session.generation() == Generation::Five
        {
            self.outboxes.push(slot, codec::close(code));
        }
        self.close(slot, now);
    }

    /// More waits for a connection than may: its session leaves. The last word goes behind the frame that is being
    /// sent, if the client understands it, and waits a good while to be read.
    pub(super) fn too_slow(&mut self, slot: u32, now: UnixMillis, ask: Asking<'_>) {
        let Some(connection) = self.connections.get(slot as usize) else { return };
        tracing::debug!("{} is too slow and is sent away", connection.address);
        self.status.browser_too_slow();
        match &connection.state {
            State::Open(session, _) if session.generation() == Generation::Five && !connection.is_closing => {
                self.outboxes.end_with(slot, codec::close(CloseCode::TooSlow));
                self.left(slot, now, ask);
            }
            _ => self.gone(slot, ask),
        }
    }

    /// The session leaves at once, and what is still to be read is waited for.
    fn left(&mut self, slot: u32, now: UnixMillis, ask: Asking<'_>) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        (connection.is_closing, connection.pending) = (true, Vec::new());
        let (id, state) = (connection.id, std::mem::replace(&mut connection.state, State::Left));
        self.too_slow_due.push_back((UnixMillis(now.0 + TOO_SLOW_MILLIS_MAX), id));
        self.leave(id, state, ask);
        if self.too_slow_due.len() > TOO_SLOW_MAX
            && let Some((_, longest)) = self.too_slow_due.pop_front()
        {
            self.closing_is_due(longest, ask);
        }
    }

    /// A connection has had its time to read what waited for it.
    pub(super) fn closing_is_due(&mut self, id: ConnectionId, ask: Asking<'_>) {
        if self.connections.get(id.slot as usize).is_some_and(|connection| connection.id == id) {
            self.gone(id.slot, ask);
        }
    }

    /// A session has had enough.
    pub(super) fn end(&mut self, slot: u32, ending: Ending, now: UnixMillis) {
        let code = match ending {
            Ending::NoStore => CloseCode::NoStore,
            Ending::UnknownGeneration => CloseCode::UnknownGeneration,
            Ending::NoHello => CloseCode::NoHello,
            Ending::Revoked => CloseCode::Revoked,
        };
        self.close_with(slot, code, now);
    }

    /// Nothing more is read; the connection ends when its outbox is empty.
    pub(super) fn close(&mut self, slot: u32, now: UnixMillis) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        connection.is_closing = true;
        connection.pending = Vec::new();
        self.closings_due.push_back((UnixMillis(now.0 + CLOSING_MILLIS_MAX), connection.id));
        self.outboxes.end(slot);
    }

    /// All that was to be said has been sent: the session leaves, and the socket waits for the other side to close.
    pub(super) fn over(&mut self, slot: u32, ask: Asking<'_>) {
        // A node that stops does not wait for others.
        if self.is_draining {
            return self.gone(slot, ask);
        }
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        if matches!(connection.state, State::Over) {
            return;
        }
        let (id, state) = (connection.id, std::mem::replace(&mut connection.state, State::Over));
        self.over.push(slot);
        self.leave(id, state, ask);
    }

    /// The connection is no more.
    pub fn gone(&mut self, slot: u32, ask: Asking<'_>) {
        let Some(connection) = self.connections.try_remove(slot as usize) else { return };
        self.outboxes.close(slot);
        self.freed.push(slot);
        self.status.browser_sockets_changed(-1);
        self.leave(connection.id, connection.state, ask);
    }

    fn leave(&mut self, id: ConnectionId, state: State, ask: Asking<'_>) {
        if let State::Open(mut session, _) = state {
            self.status.browser_went(session.tenant());
            let is_asking = session.is_asking();
            let mut around = self.surroundings(UnixMillis::default());
            let departure = session.closed(&mut around);
            self.depart(id, departure, is_asking, ask);
        }
    }

    /// A bug has ended a step of this connection halfway: its session cannot be trusted to leave.
    pub fn broken(&mut self, slot: u32, ask: Asking<'_>) {
        let Some(connection) = self.connections.try_remove(slot as usize) else { return };
        self.outboxes.close(slot);
        self.freed.push(slot);
        self.status.browser_sockets_changed(-1);
        if let State::Open(session, _) = &connection.state {
            self.status.browser_went(session.tenant());
            let subscriptions = self.hub.subscriptions_of(slot);
            let departure = session.departure(subscriptions, &mut self.hub);
            self.depart(connection.id, departure, session.is_asking(), ask);
        }
    }

    fn depart(&mut self, id: ConnectionId, departure: Option<Ask>, is_asking: bool, ask: Asking<'_>) {
        match departure {
            Some(departure) if is_asking && !is_planted(Fault::DepartureOvertakes) => {
                self.departures.insert(id, departure);
            }
            Some(departure) => {
                ask(Whose::Connection(id), departure);
            }
            None => {}
        }
    }

    /// The node stops. Who understands it is asked to move, and has a while; the others are told, as far as they
    /// understand that, or not.
    pub fn drain(&mut self, now: UnixMillis) {
        self.is_draining = true;
        let within_seconds = self.config.drain_seconds_max;
        self.drained_at = Some(UnixMillis(now.0 + within_seconds * 1_000));
        let slots: Vec<u32> = self.connections.iter().map(|(slot, _)| slot as u32).collect();
        for slot in slots {
            match self.connections.get(slot as usize).map(|connection| &connection.state) {
                Some(State::Open(session, _)) if session.generation() == Generation::Five && within_seconds > 0 => {
                    self.outboxes.push(slot, frame::five::move_away(within_seconds));
                }
                _ => self.close_with(slot, CloseCode::Moving, now),
            }
        }
    }

    /// Whoever was asked to move and has not is sent away.
    pub(super) fn end_draining(&mut self, now: UnixMillis) {
        if self.drained_at.take_if(|deadline| *deadline <= now).is_some() {
            let slots: Vec<u32> = self.connections.iter().map(|(slot, _)| slot as u32).collect();
            slots.into_iter().for_each(|slot| self.close_with(slot, CloseCode::Moving, now));
        }
    }
}
