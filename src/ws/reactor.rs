//! The only file with mio. One turn: wait, read what has arrived, take the mail, tick, write what is waiting.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll as Polled, Waker as TaskWaker};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::oneshot;

use super::shard::{Shard, Whose};
use crate::node::{self, Answer, Ask, ConnectedPage, Ear, News, Node, Present};
use crate::pipe::Pipe;
use crate::user::TenantId;

/// The token of the waker; no slot has it.
const MAIL: Token = Token(usize::MAX);
/// One buffer for all connections of the shard.
const READ_BYTES: usize = 64 * 1024;
/// A connection is read so often in a turn, then the others have theirs.
const READS_A_TURN_MAX: usize = 4;
/// Frames handed to one write.
const SLICES_A_WRITE: usize = 64;
/// What a message takes besides its text, in bytes.
const MESSAGE_BYTES: usize = 256;
/// So many sockets are written to before news are looked for again.
const WRITES_BETWEEN_NEWS: usize = 64;
const TICK: Duration = Duration::from_secs(1);

/// What comes to a shard from outside its thread, besides news.
pub enum Mail {
    Accepted(std::net::TcpStream),
    /// One more than may speak WebSocket.
    AcceptedBeyond(std::net::TcpStream),
    Answer(Whose, Answer),
    Census {
        pipe: Pipe,
        after: Option<u32>,
        count_max: usize,
        reply: oneshot::Sender<Vec<Present>>,
    },
    Connected {
        tenant: TenantId,
        after: Option<u32>,
        reply: oneshot::Sender<ConnectedPage>,
    },
    Disconnect {
        tenant: TenantId,
        number: u64,
        reply: oneshot::Sender<bool>,
    },
    Stop,
}

/// Where mail for a shard is put.
pub struct Mailbox {
    mail: Mutex<Vec<Mail>>,
    waker: Arc<Waker>,
}

impl Mailbox {
    pub fn post(&self, mail: Mail) {
        let was_empty = {
            let mut queue = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push(mail);
            queue.len() == 1
        };
        if was_empty && let Err(error) = self.waker.wake() {
            tracing::error!("a shard cannot be woken: {error}");
        }
    }

    fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl node::Shard for Mailbox {
    fn census(&self, pipe: Pipe, after: Option<u32>, count_max: usize, reply: oneshot::Sender<Vec<Present>>) {
        self.post(Mail::Census { pipe, after, count_max, reply });
    }

    fn connected(&self, tenant: TenantId, after: Option<u32>, reply: oneshot::Sender<ConnectedPage>) {
        self.post(Mail::Connected { tenant, after, reply });
    }

    fn disconnect(&self, tenant: TenantId, number: u64, reply: oneshot::Sender<bool>) {
        self.post(Mail::Disconnect { tenant, number, reply });
    }
}

/// A shard's poll and its two letter boxes, made before there is a node to serve.
pub struct Post {
    poll: Poll,
    pub mailbox: Arc<Mailbox>,
    pub ear: Arc<Ear>,
}

impl Post {
    pub fn new(ear_bytes_max: usize) -> io::Result<Post> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), MAIL)?);
        let of_ear = Arc::clone(&waker);
        let wake = move || {
            if let Err(error) = of_ear.wake() {
                tracing::error!("a shard cannot be woken: {error}");
            }
        };
        let ear = Ear::new(ear_bytes_max, Box::new(wake));
        Ok(Post { poll, mailbox: Arc::new(Mailbox { mail: Mutex::default(), waker }), ear })
    }
}

pub struct Reactor {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    ear: Arc<Ear>,
    asker: Asker,
    shard: Shard,
    /// By slot.
    sockets: Vec<Option<TcpStream>>,
    buffer: Box<[u8]>,
    /// Slots whose sockets may have more to read than was read.
    unread: Vec<u32>,
    /// Slots whose other sides have said that they send no more. That is told once, perhaps together with data, and
    /// seen only by reading to the end.
    ending: HashSet<u32>,
    /// News that have been taken and not delivered.
    news: VecDeque<News>,
    /// So many bytes of news may still be delivered in this turn. A burst goes out in portions, each written before
    /// the next: who reads as fast as he can must not be too slow because much was published at once.
    news_bytes: usize,
    is_stopping: bool,
}

/// Runs asks: polled once in place, and on the runtime only when that is not enough.
struct Asker {
    node: Arc<Node>,
    runtime: tokio::runtime::Handle,
    mailbox: Arc<Mailbox>,
}

impl Asker {
    fn ask(&self, whose: Whose, ask: Ask) -> Option<Answer> {
        let node = Arc::clone(&self.node);
        let mut answer = Box::pin(async move { node.run(ask).await });
        match answer.as_mut().poll(&mut Context::from_waker(TaskWaker::noop())) {
            Polled::Ready(answer) => Some(answer),
            Polled::Pending => {
                let mailbox = Arc::clone(&self.mailbox);
                self.runtime.spawn(async move { mailbox.post(Mail::Answer(whose, answer.await)) });
                None
            }
        }
    }
}

impl Reactor {
    pub fn new(post: Post, shard: Shard, node: Arc<Node>, runtime: tokio::runtime::Handle) -> Reactor {
        let Post { poll, mailbox, ear } = post;
        let asker = Asker { node, runtime, mailbox: Arc::clone(&mailbox) };
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        let (sockets, unread, ending, news) = Default::default();
        let (news_bytes, is_stopping) = (0, false);
        Reactor { poll, mailbox, ear, asker, shard, sockets, buffer, unread, ending, news, news_bytes, is_stopping }
    }

    /// Turns until told to stop and everybody has gone.
    pub fn run(mut self) -> io::Result<()> {
        let runtime = self.asker.runtime.clone();
        let _entered = runtime.enter();
        let mut events = Events::with_capacity(1024);
        let mut next_tick = Instant::now() + TICK;
        while !(self.is_stopping && self.shard.is_empty()) {
            let is_idle = self.unread.is_empty() && self.news.is_empty() && self.shard.outboxes.dirty_count() == 0;
            let patience = if is_idle { next_tick.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error);
            }
            self.read_unread();
            for event in &events {
                self.event(event);
            }
            self.mail();
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                let now = self.asker.node.clock().now();
                let asker = &self.asker;
                self.shard.tick(now, &mut |whose, ask| asker.ask(whose, ask));
            }
            self.write_all();
        }
        Ok(())
    }

    fn event(&mut self, event: &mio::event::Event) {
        if event.token() == MAIL {
            return;
        }
        let slot = event.token().0 as u32;
        if event.is_writable() {
            self.shard.outboxes.mark(slot);
        }
        if event.is_read_closed() {
            self.ending.insert(slot);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(slot);
        }
    }

    fn read_unread(&mut self) {
        for slot in std::mem::take(&mut self.unread) {
            self.read(slot);
        }
    }

    /// Reads until there is nothing more, or the others' turn has come.
    fn read(&mut self, slot: u32) {
        for _ in 0..READS_A_TURN_MAX {
            if !self.shard.may_read(slot) {
                // Its answer will have it read again.
                return;
            }
            let Some(Some(socket)) = self.sockets.get_mut(slot as usize) else { return };
            match socket.read(&mut self.buffer) {
                Ok(0) => return self.step(slot, |shard, ask| shard.gone(slot, ask)),
                Ok(length) => {
                    let mut buffer = std::mem::take(&mut self.buffer);
                    let now = self.asker.node.clock().now();
                    self.step(slot, |shard, ask| shard.bytes(slot, &mut buffer[..length], now, ask));
                    self.buffer = buffer;
                    // What arrives after a short read is told as a new event.
                    if length < READ_BYTES && self.shard.may_read(slot) && !self.ending.contains(&slot) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.step(slot, |shard, ask| shard.gone(slot, ask)),
            }
        }
        self.unread.push(slot);
    }

    /// One step of one connection. A bug in it ends this connection and no other.
    fn step(&mut self, slot: u32, step: impl FnOnce(&mut Shard, super::shard::Asking<'_>)) {
        let (shard, asker) = (&mut self.shard, &self.asker);
        let mut ask = |whose, ask| asker.ask(whose, ask);
        if catch_unwind(AssertUnwindSafe(|| step(shard, &mut ask))).is_err() {
            tracing::error!("a connection was ended by a bug in the server; please report what is printed above");
            shard.broken(slot, &mut ask);
        }
    }

    fn mail(&mut self) {
        for mail in self.mailbox.take() {
            match mail {
                Mail::Accepted(socket) => {
                    self.accept(socket);
                }
                Mail::AcceptedBeyond(socket) => {
                    if let Some(slot) = self.accept(socket) {
                        self.shard.is_beyond(slot);
                    }
                }
                Mail::Answer(whose, answer) => self.answer(whose, answer),
                // Whoever asked may be gone.
                Mail::Census { pipe, after, count_max, reply } => {
                    let _ = reply.send(self.shard.census(&pipe, after, count_max));
                }
                Mail::Connected { tenant, after, reply } => {
                    let _ = reply.send(self.shard.connected(tenant, after));
                }
                Mail::Disconnect { tenant, number, reply } => {
                    let now = self.asker.node.clock().now();
                    let _ = reply.send(self.shard.disconnect(tenant, number, now));
                }
                Mail::Stop => {
                    self.is_stopping = true;
                    self.shard.drain(self.asker.node.clock().now());
                }
            }
        }
        self.news_bytes = (self.shard.outboxes.waiting_bytes_max() / 2).max(1);
        self.news();
    }

    fn answer(&mut self, whose: Whose, answer: Answer) {
        let now = self.asker.node.clock().now();
        match &whose {
            Whose::Connection(id) => {
                let slot = id.slot;
                self.step(slot, |shard, ask| shard.answered(whose, answer, now, ask));
                self.unread.push(slot);
            }
            Whose::Pipe(_) => {
                let asker = &self.asker;
                self.shard.answered(whose, answer, now, &mut |whose, ask| asker.ask(whose, ask));
            }
        }
    }

    /// Delivers a portion. Afterwards the ear is empty and will wake this thread, or there is a next portion here.
    fn news(&mut self) {
        if self.news.is_empty() {
            self.news = self.ear.take().into();
        }
        let mut portion = Vec::new();
        while self.news_bytes > 0
            && let Some(news) = self.news.pop_front()
        {
            let text_bytes = news.delivery().map_or(0, |delivery| delivery.message.bytes());
            self.news_bytes = self.news_bytes.saturating_sub(text_bytes + MESSAGE_BYTES);
            portion.push(news);
        }
        if !portion.is_empty() {
            let asker = &self.asker;
            let now = asker.node.clock().now();
            self.shard.news(portion, now, &mut |whose, ask| asker.ask(whose, ask));
        }
        if self.news.is_empty() {
            self.news = self.ear.take().into();
        }
    }

    /// Answers the slot, unless the connection is no more.
    fn accept(&mut self, socket: std::net::TcpStream) -> Option<u32> {
        let Ok(peer) = socket.peer_addr() else {
            self.asker.node.status().browser_sockets_changed(-1);
            return None;
        };
        // A slot that is free again may be the one that is taken now.
        self.close_freed();
        let mut socket = TcpStream::from_std(socket);
        let slot = self.shard.opened(peer.ip(), self.asker.node.clock().now());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut socket, Token(slot as usize), interest) {
            tracing::warn!("a connection cannot be watched: {error}");
            self.step(slot, |shard, ask| shard.gone(slot, ask));
            return None;
        }
        let place = slot as usize;
        if self.sockets.len() <= place {
            self.sockets.resize_with(place + 1, || None);
        }
        self.sockets[place] = Some(socket);
        Some(slot)
    }

    /// Tells the other sides that no more will come; what they still send is read and dropped.
    fn end_over(&mut self) {
        for slot in self.shard.take_over() {
            if let Some(Some(socket)) = self.sockets.get_mut(slot as usize) {
                // One that is gone already is seen at the next read.
                let _ = socket.shutdown(std::net::Shutdown::Write);
            }
            self.unread.push(slot);
        }
    }

    /// Dropping a socket also takes it out of the poll.
    fn close_freed(&mut self) {
        for slot in self.shard.take_freed() {
            self.ending.remove(&slot);
            if let Some(socket) = self.sockets.get_mut(slot as usize) {
                *socket = None;
            }
        }
    }

    /// Writes what waits for each socket that was dirty when the turn came to writing. News that arrive meanwhile
    /// are taken along: the sockets behind get them in the same write, those before in the next turn. Without this
    /// half of what is in flight waits for the other half.
    fn write_all(&mut self) {
        for written in 1..=self.shard.outboxes.dirty_count() {
            let Some(slot) = self.shard.outboxes.next_dirty() else { break };
            self.write(slot);
            if written % WRITES_BETWEEN_NEWS == 0 {
                self.news();
            }
        }
        self.end_over();
        self.close_freed();
    }

    fn write(&mut self, slot: u32) {
        let Some(Some(socket)) = self.sockets.get_mut(slot as usize) else { return };
        let outboxes = &mut self.shard.outboxes;
        while !outboxes.is_empty(slot) {
            let written = match outboxes.only(slot) {
                Some(frame) => socket.write(frame),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES_A_WRITE];
                    let count = outboxes.front(slot, &mut slices);
                    socket.write_vectored(&slices[..count])
                }
            };
            match written {
                Ok(bytes) => outboxes.taken(slot, bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.step(slot, |shard, ask| shard.gone(slot, ask)),
            }
        }
        if let Some(event) = outboxes.event(slot) {
            let now = self.asker.node.clock().now();
            self.step(slot, |shard, ask| shard.outbox_event(slot, event, now, ask));
            self.unread.push(slot);
        }
    }
}
