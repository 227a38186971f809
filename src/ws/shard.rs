//! The connections of one thread, without their sockets: bytes, mail and time go in; the outboxes fill, and slots
//! whose sockets are to be closed come out. The reactor drives it, and so does any test.

mod ending;
mod listing;
mod news;
mod shared_texts;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;

use self::shared_texts::SharedTexts;
use super::codec::{self, Assembly, CloseCode, Incoming};
use super::http::{self, Opening, Refusal, Request, Site};
use super::proxies::Peer;
use crate::clock::UnixMillis;
use crate::fault::{Fault, is_planted};
use crate::frame;
use crate::hub::{Hub, Missing, OutboxEvent, Outboxes};
use crate::node::{Answer, Ask, EarId, Present};
use crate::pipe::{ConnectionId, Pipe};
use crate::session::{Hello, Next, Session, Surroundings};
use crate::status::Status;
use crate::user::{About, Generation};

/// A connection that is being closed may take this long to read what waits for it, in milliseconds.
const CLOSING_MILLIS_MAX: u64 = 5_000;
/// One that was too slow may take this long to read why, in milliseconds: it is not in a hurry, and costs little.
const TOO_SLOW_MILLIS_MAX: u64 = 60_000;
/// Most of them at a time; of more the longest waiting is not waited for any longer.
const TOO_SLOW_MAX: usize = 1_024;

pub struct Shard {
    place: ShardPlace,
    config: super::Config,
    site: Arc<Site>,
    status: Arc<Status>,
    connections: Slab<Connection>,
    pub hub: Hub,
    pub outboxes: Outboxes,
    shared_texts: SharedTexts,
    serial: u32,
    ticks: u64,
    /// First requests that must arrive in time, in the order of their deadlines.
    requests_due: VecDeque<(UnixMillis, ConnectionId)>,
    closings_due: VecDeque<(UnixMillis, ConnectionId)>,
    /// The same for those that were too slow.
    too_slow_due: VecDeque<(UnixMillis, ConnectionId)>,
    /// What is to be asked for connections that went away while an answer was on its way to them: an answer to
    /// joining that overtook the leaving would leave somebody listening for ever.
    departures: HashMap<ConnectionId, Ask>,
    /// Slots that are free again; their sockets are to be closed.
    freed: Vec<u32>,
    /// Slots whose sockets say no more.
    over: Vec<u32>,
    is_draining: bool,
    /// When those are sent away who were asked to move.
    drained_at: Option<UnixMillis>,
    /// How many pipes are being read because something of them was missed.
    recovering: usize,
    /// What could not be read; it is tried again.
    unread: Vec<Missing>,
}

/// Where a shard stands in the cluster.
#[derive(Clone, Copy, Debug)]
pub struct ShardPlace {
    pub node: u32,
    pub shard: u8,
}

struct Connection {
    id: ConnectionId,
    /// Whose the socket is, then the browser's.
    address: IpAddr,
    state: State,
    /// What has arrived and cannot be read yet; empty most of the time.
    pending: Vec<u8>,
    heard_at: UnixMillis,
    is_closing: bool,
    /// It has asked for so much at once that the answers are to be sent first.
    is_crowded: bool,
}

// Nearly all connections are open: a box for each would only add to it.
#[allow(clippy::large_enum_variant)]
enum State {
    Request,
    Open(Session, Assembly),
    /// The session has left; what waits in the outbox may still be read.
    Left,
    /// All has been sent and said. What still arrives is read and dropped until the other side closes too: a socket
    /// closed with something unread resets the connection, and the last that was sent is lost with it.
    Over,
}

/// Runs an ask: at once, when the answer is ready, or later, when it comes as [`Shard::answered`].
pub type Asking<'a> = &'a mut dyn FnMut(Whose, Ask) -> Option<Answer>;

/// Whose an ask is, and who gets the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    Connection(ConnectionId),
    /// All who hear a pipe of which something was missed.
    Pipe(Missing),
}

impl Shard {
    pub fn new(place: ShardPlace, config: &super::Config, site: Arc<Site>, status: Arc<Status>) -> Shard {
        Shard {
            place,
            site,
            status,
            connections: Slab::new(),
            hub: Hub::default(),
            outboxes: Outboxes::new(config.outbox_bytes_max),
            config: config.clone(),
            shared_texts: SharedTexts::default(),
            serial: 0,
            ticks: 0,
            requests_due: VecDeque::new(),
            closings_due: VecDeque::new(),
            too_slow_due: VecDeque::new(),
            departures: HashMap::new(),
            freed: Vec::new(),
            over: Vec::new(),
            is_draining: false,
            drained_at: None,
            recovering: 0,
            unread: Vec::new(),
        }
    }

    /// Somebody has connected, perhaps over IPv4 to a socket for both kinds; answers the slot.
    pub fn opened(&mut self, address: IpAddr, now: UnixMillis) -> u32 {
        let entry = self.connections.vacant_entry();
        self.serial = self.serial.wrapping_add(1);
        let ShardPlace { node, shard } = self.place;
        let id = ConnectionId { node, shard, slot: entry.key() as u32, serial: self.serial };
        let (state, address) = (State::Request, address.to_canonical());
        let (pending, is_closing, is_crowded) = Default::default();
        entry.insert(Connection { id, address, state, pending, heard_at: now, is_closing, is_crowded });
        self.outboxes.open(id);
        let deadline = UnixMillis(now.0 + self.config.handshake_seconds_max * 1_000);
        self.requests_due.push_back((deadline, id));
        id.slot
    }

    /// Whether the socket of a slot may be read now.
    pub fn may_read(&self, slot: u32) -> bool {
        let may_read = |connection: &Connection| !connection.is_busy() || matches!(connection.state, State::Over);
        self.connections.get(slot as usize).is_some_and(may_read)
    }

    /// Bytes have arrived.
    pub fn bytes(&mut self, slot: u32, bytes: &mut [u8], now: UnixMillis, ask: Asking<'_>) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        connection.heard_at = now;
        if connection.is_closing {
            return;
        }
        if connection.pending.is_empty() {
            let used = self.read_all(slot, bytes, now, ask);
            self.keep_pending(slot, || bytes[used..].to_vec());
        } else {
            connection.pending.extend_from_slice(bytes);
            self.read_pending(slot, now, ask);
        }
    }

    fn read_pending(&mut self, slot: u32, now: UnixMillis, ask: Asking<'_>) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        let mut pending = std::mem::take(&mut connection.pending);
        let used = self.read_all(slot, &mut pending, now, ask);
        self.keep_pending(slot, || {
            pending.drain(..used);
            // A connection that waits owns no buffer.
            if pending.is_empty() { Vec::new() } else { pending }
        });
    }

    fn keep_pending(&mut self, slot: u32, pending: impl FnOnce() -> Vec<u8>) {
        if let Some(connection) = self.connections.get_mut(slot as usize)
            && !connection.is_closing
        {
            connection.pending = pending();
        }
    }

    /// Reads as much as can be read now; answers how much that was.
    fn read_all(&mut self, slot: u32, bytes: &mut [u8], now: UnixMillis, ask: Asking<'_>) -> usize {
        let (mut used, waited_bytes) = (0, self.outboxes.waiting_bytes(slot));
        while let Some(connection) = self.connections.get(slot as usize)
            && !connection.is_busy()
        {
            let read = match connection.state {
                State::Request => self.read_request(slot, &bytes[used..], now, ask),
                State::Open(..) => self.read_frame(slot, &mut bytes[used..], now, ask),
                State::Left | State::Over => break,
            };
            match read {
                0 => break,
                read => used += read,
            }
            let answer_bytes = self.outboxes.waiting_bytes(slot).saturating_sub(waited_bytes);
            if answer_bytes > self.outboxes.waiting_bytes_max() / 4 {
                self.answer_first(slot);
            }
        }
        used
    }

    /// Nothing more is read before what was asked for has been answered: whoever asks much at once is slowed down,
    /// not too slow.
    fn answer_first(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot as usize)
            && !connection.is_busy()
        {
            connection.is_crowded = true;
            self.outboxes.tell_when_empty(slot);
        }
    }

    fn read_request(&mut self, slot: u32, bytes: &[u8], now: UnixMillis, ask: Asking<'_>) -> usize {
        let Some(connection) = self.connections.get(slot as usize) else { return 0 };
        let peer = Peer { address: connection.address, trusted_proxies: &self.config.trusted_proxies };
        match http::read(bytes, self.config.request_bytes_max, peer, &self.site) {
            Request::Incomplete => 0,
            Request::Answer(answer) => {
                self.outboxes.push(slot, answer);
                self.close(slot, now);
                bytes.len()
            }
            Request::WebSocket { request_bytes, response, opening } => {
                self.outboxes.push(slot, response);
                match opening {
                    Ok(opening) => self.open_session(slot, opening, now, ask),
                    Err(refusal) => self.refuse(slot, &refusal, now),
                }
                request_bytes
            }
        }
    }

    /// Says why a WebSocket is refused, in the words of its generation.
    fn refuse(&mut self, slot: u32, refusal: &Refusal, now: UnixMillis) {
        let frame = match refusal.close_code {
            Some(code) => codec::close(code),
            None => frame::refusal(refusal.code, refusal.text, now),
        };
        self.outboxes.push(slot, frame);
        self.close(slot, now);
    }

    fn open_session(&mut self, slot: u32, opening: Opening, now: UnixMillis, ask: Asking<'_>) {
        let about = About {
            uuid: opening.uuid.into(),
            address: opening.address,
            user_agent: self.shared_texts.share(&opening.user_agent),
            origin: self.shared_texts.share(&opening.origin),
            language: self.shared_texts.share(&opening.language),
        };
        let Opening { tenant, credentials, major_version, .. } = opening;
        let hello = Hello { tenant, credentials, major_version, about };
        let ear = EarId(self.place.shard);
        let Some((connection, mut around)) = self.parts(slot, now) else { return };
        connection.address = opening.address;
        let (session, next) = Session::open(connection.id, ear, hello, &mut around);
        connection.state = State::Open(session, Assembly::default());
        self.status.browser_came(tenant);
        self.go_on(slot, next, now, ask);
    }

    fn read_frame(&mut self, slot: u32, bytes: &mut [u8], now: UnixMillis, ask: Asking<'_>) -> usize {
        let message_bytes_max = self.config.message_bytes_max;
        let Some((connection, mut around)) = self.parts(slot, now) else { return 0 };
        let State::Open(session, assembly) = &mut connection.state else { return 0 };
        let (length, next) = match codec::read(bytes, assembly, message_bytes_max) {
            Ok(None) => return 0,
            Ok(Some((length, incoming))) => match incoming {
                None => return length,
                Some(Incoming::Pong(payload)) => {
                    let next = Next { ask: session.ponged(payload), ending: None };
                    (length, next)
                }
                Some(Incoming::Ping(payload)) => {
                    let pong = codec::pong(payload);
                    around.outboxes.push(slot, pong);
                    return length;
                }
                Some(Incoming::Close(code)) => {
                    if session.generation() == Generation::Five {
                        around.outboxes.push(slot, codec::close_answer(code));
                    }
                    self.close(slot, now);
                    return length;
                }
                Some(Incoming::Text(text)) => {
                    let next = session.received(text, &mut around);
                    assembly.clear();
                    (length, next)
                }
            },
            Err(code) => {
                self.close_with(slot, code, now);
                return bytes.len();
            }
        };
        self.go_on(slot, next, now, ask);
        length
    }

    /// Does what a session wants next, and what it wants after that.
    fn go_on(&mut self, slot: u32, mut next: Next, now: UnixMillis, ask: Asking<'_>) {
        while let Some(wanted) = next.ask.take() {
            let Some(connection) = self.connections.get(slot as usize) else { return };
            let Some(answer) = ask(Whose::Connection(connection.id), wanted) else { return };
            let Some((connection, mut around)) = self.parts(slot, now) else { return };
            let State::Open(session, _) = &mut connection.state else { return };
            next = session.answered(answer, &mut around);
            self.catch_up(ask);
        }
        if let Some(ending) = next.ending {
            self.end(slot, ending, now);
        }
    }

    /// An answer that was not ready when it was asked for. One that comes too late for its connection is dropped.
    pub fn answered(&mut self, whose: Whose, answer: Answer, now: UnixMillis, ask: Asking<'_>) {
        match whose {
            Whose::Connection(id) => self.connection_answered(id, answer, now, ask),
            Whose::Pipe(missing) => {
                self.recovering = self.recovering.saturating_sub(1);
                self.recovered(missing, answer, ask);
                self.catch_up(ask);
            }
        }
    }

    fn connection_answered(&mut self, id: ConnectionId, answer: Answer, now: UnixMillis, ask: Asking<'_>) {
        // Nothing waits for what was taken, and a departure waits for something else.
        if !matches!(answer, Answer::Taken(_))
            && let Some(departure) = self.departures.remove(&id)
        {
            ask(Whose::Connection(id), departure);
        }
        let is_there = self.connections.get(id.slot as usize).is_some_and(|connection| connection.id == id);
        if !is_there && !is_planted(Fault::LateAnswerReachesNextTenant) {
            return;
        }
        let Some((connection, mut around)) = self.parts(id.slot, now) else { return };
        let State::Open(session, _) = &mut connection.state else { return };
        let next = session.answered(answer, &mut around);
        self.catch_up(ask);
        self.go_on(id.slot, next, now, ask);
        self.read_pending(id.slot, now, ask);
    }

    /// Closes every connection of the user whose log it is: the original client, to which nothing is said, comes back
    /// as a stranger.
    fn dismiss(&mut self, log: &Pipe, now: UnixMillis) {
        for slot in self.hub.subscribers(log) {
            self.close_with(slot, CloseCode::Revoked, now);
        }
    }

    /// Who subscribes to a pipe, by slot, behind the slot `after`.
    pub fn census(&self, pipe: &Pipe, after: Option<u32>, count_max: usize) -> Vec<Present> {
        let mut slots = self.hub.subscribers(pipe);
        slots.retain(|slot| after.is_none_or(|after| *slot > after));
        slots.sort_unstable();
        slots.truncate(count_max);
        let present = |slot: u32| match &self.connections.get(slot as usize)?.state {
            State::Open(session, _) => Some(Present { slot, user: session.user(), about: session.about().clone() }),
            State::Request | State::Left | State::Over => None,
        };
        slots.into_iter().filter_map(present).collect()
    }

    /// Once a second: who is late is closed, and a share of the connections is pinged.
    pub fn tick(&mut self, now: UnixMillis, ask: Asking<'_>) {
        self.ticks += 1;
        self.end_draining(now);
        self.try_again(ask);
        while let Some((_, id)) = self.requests_due.pop_front_if(|(deadline, _)| *deadline <= now) {
            let Some(connection) = self.connections.get(id.slot as usize).filter(|connection| connection.id == id)
            else {
                continue;
            };
            match &connection.state {
                State::Request => self.gone(id.slot, ask),
                State::Open(session, _) if !session.is_introduced() => {
                    self.close_with(id.slot, CloseCode::NoHello, now);
                }
                _ => {}
            }
        }
        while let Some((_, id)) = self.closings_due.pop_front_if(|(deadline, _)| *deadline <= now) {
            self.closing_is_due(id, ask);
        }
        while let Some((_, id)) = self.too_slow_due.pop_front_if(|(deadline, _)| *deadline <= now) {
            self.closing_is_due(id, ask);
        }
        let ping_seconds = self.config.ping_seconds.max(1);
        let silent_since = UnixMillis(now.0.saturating_sub(2 * ping_seconds * 1_000));
        let share = (self.ticks % ping_seconds) as usize;
        for slot in (share..self.connections.capacity()).step_by(ping_seconds as usize) {
            let Some(connection) = self.connections.get(slot) else { continue };
            // Of who has left nothing is expected: there is a deadline.
            if connection.heard_at < silent_since && !matches!(connection.state, State::Left) {
                self.gone(slot as u32, ask);
            } else if matches!(connection.state, State::Open(..)) && !connection.is_closing {
                self.outboxes.push(slot as u32, codec::ping());
            }
        }
    }

    /// Something has come to pass with the outbox of a connection.
    pub fn outbox_event(&mut self, slot: u32, event: OutboxEvent, now: UnixMillis, ask: Asking<'_>) {
        match event {
            OutboxEvent::Ended => self.over(slot, ask),
            OutboxEvent::TooSlow => self.too_slow(slot, now, ask),
            OutboxEvent::Emptied => {
                let Some(connection) = self.connections.get_mut(slot as usize) else { return };
                connection.is_crowded = false;
                // Whoever takes what he is sent is there, though nothing was read from him meanwhile.
                connection.heard_at = now;
                let Some((connection, mut around)) = self.parts(slot, now) else { return };
                let State::Open(session, _) = &mut connection.state else { return };
                let next = session.emptied(&mut around);
                self.go_on(slot, next, now, ask);
                self.read_pending(slot, now, ask);
            }
        }
    }

    /// The slots whose sockets are to be closed.
    pub fn take_freed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.freed)
    }

    /// The slots whose sockets say no more: their other sides are to be told.
    pub fn take_over(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.over)
    }

    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Whether nobody is here, and nothing of who was is still to be done.
    pub fn is_at_rest(&self) -> bool {
        self.is_empty() && self.hub.is_empty() && self.departures.is_empty() && self.recovering == 0
    }

    fn parts(&mut self, slot: u32, now: UnixMillis) -> Option<(&mut Connection, Surroundings<'_>)> {
        let terms = self.terms();
        let connection = self.connections.get_mut(slot as usize)?;
        Some((connection, Surroundings { hub: &mut self.hub, outboxes: &mut self.outboxes, now, terms }))
    }

    fn surroundings(&mut self, now: UnixMillis) -> Surroundings<'_> {
        let terms = self.terms();
        Surroundings { hub: &mut self.hub, outboxes: &mut self.outboxes, now, terms }
    }

    fn terms(&self) -> frame::five::Terms {
        let super::Config { ping_seconds, message_bytes_max, subscriptions_max, .. } = self.config;
        frame::five::Terms { ping_seconds, message_bytes_max, subscriptions_max }
    }
}

impl Connection {
    /// Whether nothing more may be read for now.
    fn is_busy(&self) -> bool {
        self.is_closing || self.is_crowded || matches!(&self.state, State::Open(session, _) if session.is_waiting())
    }
}
