//! What a node needs of a store: one place where messages get their numbers, are kept and are announced.
//!
//! A method belongs here only if another node must see its effect. The same promises, told as tests, are in
//! `tests/store/` and run over every store.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::UnixMillis;
use crate::pipe::{ConnectionId, Delivery, Encoded, Event, Message, MessageId, Pipe, PipeName, Position, Retention};
use crate::user::{TenantId, UserId};

pub mod embedded;
mod listeners;
pub mod redis;

#[async_trait]
pub trait Store: Send + Sync {
    /// Numbers, keeps and announces every message of the batch, or none; in a Redis Cluster that is so for each slot, and
    /// an error says whether some were published. When it returns, what is kept is
    /// safe and every ear that listens has the news, or will be told that it lost some. Takes its place among other
    /// publishes at its first poll; while an ear that must hear is full, it waits there, before anything is numbered.
    ///
    /// A message with a chosen id that was published to the same pipe within the last [`REPEAT_MILLIS`] is not
    /// published again: it is answered as it was then.
    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError>;

    /// One more connection behind `ear` subscribes to `pipe`: what is published from now on will be heard
    /// there, once however many connections stand behind the ear. It counts even when this fails: whoever is told of
    /// an error still leaves by [`Store::unlisten`].
    async fn listen(&self, pipe: &Pipe, ear: EarId) -> Result<Listening, StoreError>;

    /// Takes back one [`Store::listen`]. Answers how many connections still listen, anywhere.
    async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError>;

    /// How many connections listen to `pipe`.
    async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError>;

    /// The named pipes of a tenant that somebody listens to, by name, after `after`, with their listeners.
    async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError>;

    /// What was published to `pipe` behind `after`: from the history, or from the recovery window that every pipe has
    /// that somebody listens to or has listened to in the last [`WINDOW_MILLIS_MAX`]. What was deleted is passed over;
    /// when something else is missing, [`Recovered::Lost`] says so.
    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError>;

    /// A page of what `pipe` keeps, oldest first.
    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError>;

    /// The named pipes of a tenant that keep messages, by name, after `after`.
    async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError>;

    /// The users of a tenant whose logs keep messages or are listened to, by number, behind `after`.
    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError>;

    /// Deletes messages from the history of `pipe` by index, and from its recovery window; the holes are no gaps.
    /// Answers how many the history had.
    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError>;

    /// What `pipe` keeps up to this index has been taken by its user: it stays, but [`Since::Untaken`] begins behind
    /// it. A mark never goes back.
    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError>;

    /// Sets how much `pipe` keeps. What is kept already is trimmed by the next publish.
    async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError>;

    /// Removes what [`Store::set_retention`] set, and deletes the history with it, which is no gap. Answers whether it
    /// was set.
    async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError>;

    /// What was set for `pipe`, if anything.
    async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError>;

    /// What was set for the named pipes of a tenant, by name, after `after`.
    async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError>;

    /// Whoever has logged in as the user of this log is to be sent away, on every node: each ear that listens to it hears
    /// [`News::Dismissed`], one that could not be told at once as soon as it can.
    async fn dismiss(&self, log: &Pipe) -> Result<(), StoreError>;

    /// Answers whether the user of this log was here, as far as others were told ([`Listening::has_appeared`]), and
    /// nobody listens to it any more. From now on he is away; of all nodes that ask at once, one is told so. It may have
    /// been done though this fails: the same `call` is then answered as it would have been.
    async fn disappear(&self, log: &Pipe, call: CallId) -> Result<bool, StoreError>;

    /// Logs whose users were said to have gone though they are on this node, which was taken for dead: each is told once,
    /// and from then on the others are to know that he is here.
    async fn appeared(&self) -> Vec<Pipe> {
        Vec::new()
    }

    /// What is to be published to `pipe` for a connection of this node should the node die; `None`: nothing any more.
    async fn set_will(
        &self,
        _pipe: &Pipe,
        _connection: ConnectionId,
        _will: Option<(Event, Message)>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Some of what nodes listened to that are gone, and that nobody has seen to yet. The counts are without it already.
    /// While one node sees to it the others are told of nothing. Also users of this node who are gone, when the store has
    /// gone back and takes them to be here.
    async fn left_behind(&self) -> Result<Vec<LeftBehind>, StoreError> {
        Ok(Vec::new())
    }

    /// It was seen to.
    async fn settle(&self, _left: &LeftBehind) -> Result<(), StoreError> {
        Ok(())
    }

    /// The nodes that share what is stored, this one first.
    async fn peers(&self) -> Result<Vec<Peer>, StoreError> {
        Ok(vec![Peer::ALONE])
    }

    /// Hands a letter to another node; answers whether that was there to take it. It may be lost on its way.
    async fn post(&self, _to: Peer, _letter: Vec<u8>) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Waits for the next letter to this node, as long as it takes. For one reader.
    async fn letter(&self) -> Vec<u8> {
        std::future::pending().await
    }

    /// The value of a record.
    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError>;

    /// Gives a record a value, or removes it. Answers whether there was one.
    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError>;

    /// The records of one kind that a tenant has, in the order of their keys, behind `after`.
    async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError>;

    /// The tenants that have something stored, by number, behind `after`.
    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError>;

    /// Puts messages that another store has kept, oldest first, behind what `pipe` keeps, as they were, and has the
    /// pipe stand where `stands` says. Nothing is announced: who listens finds a hole before the next message. What
    /// the pipe does not keep is trimmed. A message that is not behind where the pipe stands is passed over, so that a
    /// call may be repeated. Answers what became of the messages, whichever call it was that brought them.
    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<Adopted, StoreError>;

    /// Waits until everything acknowledged is safe, and lets go of the files.
    async fn close(&self);
}

/// So long a message that is published a second time under a chosen id is known to be the same, in milliseconds.
pub const REPEAT_MILLIS: u64 = 300_000;
/// A recovery window holds at most so many messages of a pipe,
pub const WINDOW_MESSAGES_MAX: usize = 100;
/// so many bytes of them,
pub const WINDOW_BYTES_MAX: usize = 64 * 1_024;
/// for so many milliseconds.
pub const WINDOW_MILLIS_MAX: u64 = 60_000;

/// A message on its way into the store.
#[derive(Clone, Debug)]
pub struct Publish {
    pub pipe: Pipe,
    pub id: MessageId,
    /// Whether whoever publishes has chosen the id, so that it may publish once more when it has heard no answer.
    pub id_is_chosen: bool,
    pub event: Event,
    pub message: Message,
    /// Who sends; `None` for a backend.
    pub user: Option<UserId>,
    /// The browser connection that sends, if one does.
    pub origin: Option<ConnectionId>,
    /// Whether `origin` itself subscribes to the pipe: the sender does not count as a receiver.
    pub sender_listens: bool,
}

impl Publish {
    /// What it weighs in a queue, in bytes; the same as the [`Delivery`] it becomes.
    pub fn weight_bytes(&self) -> usize {
        self.message.bytes() + self.event.as_str().len() + DELIVERY_BYTES
    }

    /// The message in its place.
    pub fn numbered(self, position: Position, sent_at: UnixMillis) -> Delivery {
        let Publish { pipe, id, event, message, user, origin, id_is_chosen: _, sender_listens: _ } = self;
        Delivery { pipe, position, id, event, message, user, origin, sent_at, encoded: Encoded::default() }
    }
}

/// What a message in a queue takes besides its texts, in bytes.
const DELIVERY_BYTES: usize = 256;

/// Where a pipe stands that comes from another store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Of its newest message.
    pub position: Position,
    /// Up to this index a user has taken its log.
    pub taken: u64,
    /// Up to this index something may be missing that nobody has deleted.
    pub floor: u64,
}

/// What became of messages that were to be adopted. The rest was passed over: the pipe was beyond them already.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Adopted {
    /// So many of them the pipe keeps.
    pub kept: u64,
    /// So many it does not keep, because they are too old or too much for it.
    pub trimmed: u64,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Published {
    pub position: Position,
    /// Connections that were subscribed when the message was numbered, without the sender.
    pub receivers: u64,
    /// Whether it had been published before, under the same chosen id.
    pub is_repeat: bool,
}

/// What a listener is told when it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listening {
    /// Of the newest message.
    pub position: Position,
    /// Connections that listen to the pipe now, anywhere, this one among them.
    pub listeners: u64,
    /// Of a user's log: whether the user was away, as far as others were told ([`Store::disappear`]).
    pub has_appeared: bool,
}

/// A node, by the number that it has as long as it is there, and that no other node has meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer(pub u16);

impl Peer {
    /// The only node of its store.
    pub const ALONE: Peer = Peer(0);
}

/// What tells a call from all others, so that it may be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallId(pub u64);

impl CallId {
    /// Another one than all before.
    pub fn new() -> CallId {
        // A system that has given random bytes at the start gives them now.
        CallId(getrandom::u64().unwrap_or(1 << 63) >> 11)
    }
}

impl Default for CallId {
    fn default() -> CallId {
        CallId::new()
    }
}

/// What a node that is gone had to do with one pipe.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    pub pipe: Pipe,
    /// The name of the node that is gone.
    pub node: Box<str>,
    /// What it wanted to have published, under ids that are the same whoever sees to it.
    pub wills: Vec<(MessageId, Event, Message)>,
    /// What the store knows it by.
    pub key: Box<str>,
}

/// What a tenant has one value of.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Record {
    /// The hash a user logs in with.
    Key(UserId),
    /// Text about a user that browsers may read.
    Data(UserId),
    /// When a user was last seen, in Unix seconds.
    Seen(UserId),
    /// A token that no longer logs in; the value is when it was revoked, in Unix seconds.
    Revoked(Box<str>),
}

/// The kinds of [`Record`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shelf {
    Keys,
    Data,
    Seen,
    Revoked,
}

impl Record {
    pub fn shelf(&self) -> Shelf {
        match self {
            Record::Key(_) => Shelf::Keys,
            Record::Data(_) => Shelf::Data,
            Record::Seen(_) => Shelf::Seen,
            Record::Revoked(_) => Shelf::Revoked,
        }
    }
}

/// Where a page of history begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    Beginning,
    /// Behind this index.
    After(u64),
    /// So far from the end that this many messages remain.
    Newest(usize),
    /// Behind what has been taken.
    Untaken,
}

/// How much one page may hold. While there is more, a page has one message at least, however large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageMax {
    pub messages: usize,
    pub bytes: usize,
}

#[derive(Clone, Debug)]
pub struct Page {
    /// Oldest first.
    pub messages: Vec<Arc<Delivery>>,
    /// What was published up to here is among these or the pages before, or it is not kept. The epoch is the pipe's,
    /// also when the messages are of one before.
    pub up_to: Position,
    /// Whether the pipe keeps more behind `up_to`.
    pub more: bool,
}

impl Page {
    /// The place before the first of its messages: nothing that is kept stands between there and the first.
    pub fn starts_behind(&self) -> Position {
        let first = self.messages.first();
        first.map_or(self.up_to, |first| Position { index: first.position.index.saturating_sub(1), ..self.up_to })
    }
}

/// What could be had of what was missed.
#[derive(Clone, Debug)]
pub enum Recovered {
    /// All of it, up to the page's end.
    Page(Page),
    /// Some of it is gone. The pipe stands here now.
    Lost(Position),
}

#[derive(Clone, Debug)]
pub enum News {
    /// The next message of a pipe.
    Delivery(Arc<Delivery>),
    /// Something of what was published to this pipe may not have been heard: [`Store::recover`] has it.
    Lost(Pipe),
    /// The same for every pipe the ear listens to.
    LostAll,
    /// Whoever has logged in as the user of this log goes.
    Dismissed(Pipe),
}

impl News {
    /// The message, if this is one.
    pub fn delivery(&self) -> Option<&Arc<Delivery>> {
        match self {
            News::Delivery(delivery) => Some(delivery),
            News::Lost(_) | News::LostAll | News::Dismissed(_) => None,
        }
    }
}

/// Which ear: the place of a shard among those the store was opened with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EarId(pub u8);

/// Where a store puts news for one shard. Bounded in bytes: whoever publishes reserves room first and waits
/// when there is none, so that nothing is dropped and the shard never blocks.
pub struct Ear {
    /// One permit a byte.
    room: Arc<Semaphore>,
    room_bytes_max: usize,
    heard: Mutex<Heard>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Heard {
    news: Vec<News>,
    /// What the news hold of the ear's room.
    room_bytes: usize,
}

/// Room in an ear; given back when dropped unused.
pub struct Room(Option<OwnedSemaphorePermit>);

impl Ear {
    /// `wake` is called when news arrive at an ear that had none.
    pub fn new(room_bytes_max: usize, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Ear> {
        let room_bytes_max = room_bytes_max.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Arc::new(Ear { room: Arc::new(Semaphore::new(room_bytes_max)), room_bytes_max, heard: Mutex::default(), wake })
    }

    /// Takes `bytes` of room, waiting in line for it. More than the whole ear takes the whole ear.
    pub async fn reserve(&self, bytes: usize) -> Room {
        let bytes = u32::try_from(bytes.min(self.room_bytes_max)).unwrap_or(u32::MAX);
        // The semaphore is never closed; were it to be, the news would go out unbounded rather than be lost.
        Room(Arc::clone(&self.room).acquire_many_owned(bytes).await.ok())
    }

    /// Puts news. Order is the order of calls. Without a room (the ear began to listen after rooms were
    /// reserved) the bound is overstepped by this one batch.
    pub fn push(&self, news: impl IntoIterator<Item = News>, room: Option<Room>) {
        let was_empty = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let was_empty = heard.news.is_empty();
            heard.news.extend(news);
            if let Some(permit) = room.and_then(|room| room.0) {
                heard.room_bytes += permit.num_permits();
                permit.forget();
            }
            was_empty
        };
        if was_empty {
            (self.wake)();
        }
    }

    /// All the news there is, oldest first; their room is free again.
    pub fn take(&self) -> Vec<News> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.room.add_permits(heard.room_bytes);
        heard.news
    }
}

/// Why a store could not do as asked, sorted by remedy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// Nothing was done, or nothing that the same call would not do just the same once more; it may succeed later. Says
    /// what is the matter.
    Unavailable(String),
    /// It may have been done, or not, or a part of it: what is done once more may be done twice. Messages with ids that
    /// were chosen may be published once more all the same. Says what is the matter.
    Unknown(String),
    /// What is stored cannot be read. Says what and where.
    Damaged(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(what) => write!(out, "the store is not available: {what}"),
            StoreError::Unknown(what) => write!(out, "it is not known whether it was done: {what}"),
            StoreError::Damaged(what) => write!(out, "the store is damaged: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
