//! What this node listens to: the connections behind each ear, whether Redis tells of the pipe, and the newest message
//! that was heard.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::call::Slot;
use super::server::ServerId;
use super::servers::Servers;

use crate::pipe::{Delivery, MessageId, Pipe, Position};
use crate::store::listeners::Listeners;
use crate::store::{Ear, EarId, News, Room};

pub struct Listened {
    table: Mutex<Table>,
    ears: Vec<Arc<Ear>>,
    /// Told of each pipe that is to be subscribed to, or no longer.
    servers: Arc<Servers>,
}

#[derive(Default)]
struct Table {
    /// By base.
    pipes: HashMap<String, Entry>,
    /// Bases of whose listeners Redis has not been told the latest.
    untold: HashSet<String>,
    /// Bases of pipes that are in doubt, by which a server finds its own.
    doubted: HashSet<String>,
    /// Of the newest count or doubt.
    version: u64,
    letters: LetterBox,
}

/// The channel of this node's letters.
#[derive(Default)]
struct LetterBox {
    wanted: Option<String>,
    /// The server that tells of it.
    subscribed: Option<ServerId>,
}

impl LetterBox {
    fn is(&self, channel: &str) -> bool {
        self.wanted.as_deref() == Some(channel)
    }

    /// What must be asked about a channel that is no pipe's.
    fn change(&self, channel: &str, changes: &mut Changes) {
        match (self.is(channel), self.subscribed) {
            (true, None) => changes.subscribe.push(channel.to_owned()),
            (true, Some(_)) => {}
            (false, _) => changes.unsubscribe.push(channel.to_owned()),
        }
    }
}

struct Entry {
    pipe: Pipe,
    listeners: Listeners,
    /// The version of its latest count.
    counted: u64,
    /// The server that tells of the pipe, or will without being asked once more.
    subscribed: Option<ServerId>,
    /// Set when a subscription has ended unasked: then something may not have been heard. A higher one is a later doubt.
    doubt: Option<u64>,
    /// Who waits until it does.
    subscribing: Vec<oneshot::Sender<()>>,
    /// Where the pipe stood when Redis was last told of the listeners; what comes behind it is heard.
    registered: Option<Newest>,
    /// The newest message that was heard since.
    newest: Option<Newest>,
    /// Publishers who wait until their messages have been heard here.
    publishing: Vec<(Position, oneshot::Sender<()>)>,
    dismissed: Dismissed,
    /// Whether the others were told that the user of this log is here; Redis may have forgotten it.
    is_marked: bool,
}

/// When whoever had logged in as the user of a log was last sent away, as Redis counts it.
#[derive(Clone, Copy, Default)]
struct Dismissed {
    /// As of the registration or later: the ears know. `None` before there was a registration.
    known_at: Option<u64>,
    /// Heard before there was one.
    heard_at: u64,
}

/// The newest message of a pipe, as far as it is known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Newest {
    pub position: Position,
    /// Unknown when the pipe stood there before anything was published.
    pub id: Option<MessageId>,
}

/// How many connections of this node listen to a pipe; a higher version is a later count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub connections: u64,
    pub version: u64,
    pub mark: Mark,
}

/// What becomes of the mark of a log that its user is here, as far as others were told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// It is set, and who sets it tells the others.
    Tell,
    /// It is set again: Redis has forgotten it, and the others have not.
    Again,
    /// It stays as it is.
    Leave,
}

impl Mark {
    /// As the script takes it.
    pub fn name(self) -> &'static str {
        match self {
            Mark::Tell => "tell",
            Mark::Again => "again",
            Mark::Leave => "leave",
        }
    }
}

/// What Redis answered to a count.
pub struct Told {
    pub newest: Newest,
    /// When the user of a log was last dismissed; 0 for never.
    pub dismissed_at: u64,
}

/// A pipe of which something may not have been heard.
pub struct Doubt {
    pub base: String,
    pub pipe: Pipe,
    version: u64,
}

/// What to ask of Redis.
#[derive(Default)]
pub struct Changes {
    pub subscribe: Vec<String>,
    pub unsubscribe: Vec<String>,
}

impl Listened {
    pub fn new(ears: Vec<Arc<Ear>>, servers: Arc<Servers>) -> Listened {
        Listened { table: Mutex::default(), ears, servers }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more connection. Answers what to wait for until Redis tells of the pipe, if it does not yet.
    pub fn listen(&self, base: &str, pipe: &Pipe, ear: EarId) -> Option<oneshot::Receiver<()>> {
        let mut table = self.table();
        let entry = table.pipes.entry(base.to_owned()).or_insert_with(|| Entry::new(pipe));
        // Who had gone may be away for the others by now.
        entry.is_marked &= entry.listeners.count() > 0;
        entry.listeners.add(ear);
        let waiting = entry.subscribed.is_none().then(|| {
            let (subscribed, waiting) = oneshot::channel();
            entry.subscribing.push(subscribed);
            waiting
        });
        table.untold.insert(base.to_owned());
        if waiting.is_some() {
            self.servers.change(base);
        }
        waiting
    }

    /// One connection less.
    pub fn unlisten(&self, base: &str, ear: EarId) {
        let mut table = self.table();
        let Some(entry) = table.pipes.get_mut(base) else { return };
        entry.listeners.remove(ear);
        let is_over = entry.listeners.count() == 0;
        table.untold.insert(base.to_owned());
        if is_over {
            self.servers.change(base);
        }
    }

    /// How many connections there are now, as a count that is later than all before.
    pub fn count(&self, base: &str, mark: Mark) -> Count {
        let mut table = self.table();
        table.version += 1;
        let version = table.version;
        let Some(entry) = table.pipes.get_mut(base) else { return Count { connections: 0, version, mark } };
        entry.counted = version;
        let mark = if entry.is_marked { Mark::Again } else { mark };
        Count { connections: entry.listeners.count(), version, mark }
    }

    /// Redis was told a count.
    pub fn told(&self, base: &str, count: Count, told: Told) {
        let mut table = self.table();
        if let Some(entry) = table.pipes.get_mut(base) {
            let Told { newest, dismissed_at } = told;
            let is_news = entry.dismissed.registered(dismissed_at);
            self.dismiss_if(is_news, entry);
            // A later count that never arrives must not pass for told.
            let is_latest = entry.counted == count.version && entry.listeners.count() == count.connections;
            // Answers overtake each other; a pipe in another epoch stands anew.
            if entry.registered.as_ref().is_none_or(|known| !newest.is_before(known)) {
                entry.registered = Some(newest);
            }
            if !is_latest {
                return;
            }
            entry.is_marked = count.connections > 0 && count.mark != Mark::Leave;
        }
        table.untold.remove(base);
        table.forget(base);
    }

    /// Bases of whose listeners Redis has not been told, with their pipes.
    pub fn untold(&self) -> Vec<(String, Option<Pipe>)> {
        let table = self.table();
        let pipe_of = |base: &String| table.pipes.get(base).map(|entry| entry.pipe.clone());
        table.untold.iter().map(|base| (base.clone(), pipe_of(base))).collect()
    }

    /// The others take the users who are here for gone.
    pub fn unmark_all(&self) {
        self.table().pipes.values_mut().for_each(|entry| entry.is_marked = false);
    }

    /// Redis may have forgotten what it was told.
    pub fn tell_all(&self) {
        let mut table = self.table();
        let table = &mut *table;
        for (base, entry) in &mut table.pipes {
            // Whoever is being told now may have known nothing of that.
            entry.counted = 0;
            table.untold.insert(base.clone());
        }
    }

    /// Letters to this node come by this channel from now on.
    pub fn open_letters(&self, channel: String) {
        let mut table = self.table();
        if !table.letters.is(&channel) {
            self.servers.change(&channel);
            table.letters.subscribed = None;
            let before = table.letters.wanted.replace(channel);
            before.iter().for_each(|channel| self.servers.change(channel));
        }
    }

    /// Whether it is one.
    pub fn is_letters(&self, channel: &str) -> bool {
        self.table().letters.is(channel)
    }

    /// What must be asked of a server, of what has changed there; from now on it counts as asked.
    pub fn changes(&self, server: ServerId, changed: Vec<String>) -> Changes {
        let mut table = self.table();
        let mut changes = Changes::default();
        for base in changed {
            if !table.pipes.contains_key(&base) {
                table.letters.change(&base, &mut changes);
            }
            let Some(entry) = table.pipes.get_mut(&base) else { continue };
            match (entry.listeners.count() > 0, entry.subscribed) {
                (true, None) if self.servers.is_owner(server, Slot::of(&base)) => changes.subscribe.push(base),
                (false, Some(by)) => {
                    // Whoever listens from here on asks once more, which goes out behind this.
                    entry.unsubscribe();
                    (entry.registered, entry.newest, entry.doubt) = (None, None, None);
                    entry.dismissed = Dismissed::default();
                    table.doubted.remove(&base);
                    table.forget(&base);
                    // Another server has ended it by itself, or will when it has no more to do with the slot.
                    if by == server {
                        changes.unsubscribe.push(base);
                    }
                }
                _ => table.forget(&base),
            }
        }
        changes
    }

    /// A server tells of these from now on.
    pub fn subscribed(&self, server: ServerId, bases: &[String]) {
        let mut table = self.table();
        for base in bases {
            if table.letters.is(base) && self.servers.is_owner(server, Slot::of(base)) {
                table.letters.subscribed = Some(server);
            }
            if let Some(entry) = table.pipes.get_mut(base)
                && self.servers.is_owner(server, Slot::of(base))
            {
                entry.subscribed = Some(server);
                // Who has stopped waiting has gone.
                for waiting in entry.subscribing.drain(..) {
                    let _ = waiting.send(());
                }
                if entry.listeners.count() == 0 {
                    self.servers.change(base);
                }
            }
        }
    }

    /// A server tells of these no more, though it was not asked to stop.
    pub fn unsubscribed(&self, server: ServerId, bases: &[String]) {
        let mut table = self.table();
        let table = &mut *table;
        for base in bases {
            if table.letters.is(base) && table.letters.subscribed == Some(server) {
                table.letters.subscribed = None;
                self.servers.change(base);
            }
            if table.pipes.get(base).is_some_and(|entry| entry.subscribed == Some(server)) {
                table.doubt(base);
                self.servers.change(base);
            }
        }
    }

    /// A server tells of nothing any more.
    pub fn all_unsubscribed(&self, server: ServerId) {
        self.resubscribe(|_, by| by == server);
    }

    /// Slots have gone from server to server: their pipes are subscribed to where they are now.
    pub fn moved(&self) {
        self.resubscribe(|base, by| !self.servers.is_owner(by, Slot::of(base)));
    }

    /// Has all pipes subscribed anew that are not, and those for which the server that told of them is none any more.
    fn resubscribe(&self, is_over: impl Fn(&str, ServerId) -> bool) {
        let mut table = self.table();
        let over: Vec<String> = table
            .pipes
            .iter()
            .filter(|(base, entry)| entry.subscribed.is_none_or(|by| is_over(base, by)))
            .map(|(base, _)| base.clone())
            .collect();
        for base in over {
            if table.pipes.get(&base).is_some_and(|entry| entry.subscribed.is_some()) {
                table.doubt(&base);
            }
            self.servers.change(&base);
        }
        if let LetterBox { wanted: Some(channel), subscribed } = &mut table.letters
            && subscribed.is_none_or(|by| is_over(channel, by))
        {
            *subscribed = None;
            self.servers.change(channel);
        }
    }

    /// Of what a server tells again there is something that may not have been heard before.
    pub fn is_doubted(&self, server: ServerId) -> bool {
        let table = self.table();
        table.doubted.iter().any(|base| table.pipes.get(base).is_some_and(|entry| entry.subscribed == Some(server)))
    }

    /// All of that.
    pub fn doubted(&self, server: ServerId) -> Vec<Doubt> {
        let table = self.table();
        let doubt = |base: &String| {
            let entry = table.pipes.get(base).filter(|entry| entry.subscribed == Some(server))?;
            Some(Doubt { base: base.clone(), pipe: entry.pipe.clone(), version: entry.doubt? })
        };
        table.doubted.iter().filter_map(doubt).collect()
    }

    /// Of these something may have been lost, and is looked for from where the pipes stand now.
    pub fn lost(&self, doubted: &[Doubt]) {
        let mut table = self.table();
        let table = &mut *table;
        for Doubt { base, pipe, version } in doubted {
            let Some(entry) = table.pipes.get_mut(base).filter(|entry| entry.doubt == Some(*version)) else { continue };
            entry.doubt = None;
            table.doubted.remove(base);
            if entry.registered.is_some() {
                entry.newest = None;
            }
            for ear in entry.listeners.ears().filter_map(|id| self.ears.get(usize::from(id.0))) {
                ear.push([News::Lost(pipe.clone())], None);
            }
        }
    }

    /// Every ear may have lost something, and looks for itself from where the pipes stand now.
    pub fn lost_all(&self) {
        // Under the lock, so that it stands behind all that was heard before.
        let mut table = self.table();
        table.doubted.clear();
        for entry in table.pipes.values_mut() {
            entry.doubt = None;
            if entry.registered.is_some() {
                entry.newest = None;
            }
        }
        self.ears.iter().for_each(|ear| ear.push([News::LostAll], None));
    }

    /// The newest message that is known of every pipe, by base.
    pub fn newest(&self) -> Vec<(String, Newest)> {
        let table = self.table();
        let known = table.pipes.iter().flat_map(|(base, entry)| {
            // Both, when they are of two epochs: which of them is the later is not known here.
            let both = entry.newest.iter().chain(&entry.registered);
            both.map(|newest| (base.clone(), newest.clone()))
        });
        known.collect()
    }

    /// The pipe of a base, and the ears that listen to it, in their order.
    pub fn ears_of(&self, base: &str) -> Option<(Pipe, Vec<EarId>)> {
        let table = self.table();
        let entry = table.pipes.get(base)?;
        let mut ears: Vec<EarId> = entry.listeners.ears().collect();
        ears.sort_unstable_by_key(|ear| ear.0);
        Some((entry.pipe.clone(), ears))
    }

    /// The ear of a number.
    pub fn ear(&self, id: EarId) -> Option<&Arc<Ear>> {
        self.ears.get(usize::from(id.0))
    }

    /// Puts a message into the ears that listen. Answers what was the newest before if Redis has gone back behind it.
    pub fn heard(&self, base: &str, delivery: &Arc<Delivery>, rooms: Vec<(EarId, Room)>) -> Option<Newest> {
        let mut table = self.table();
        let entry = table.pipes.get_mut(base)?;
        let (position, pipe) = (delivery.position, &delivery.pipe);
        let next = match (&entry.newest, &entry.registered) {
            (Some(newest), _) => Some(newest.follow(position, delivery.id)),
            // What was on its way when Redis was told of the listeners comes too early, and does no harm.
            (None, Some(stood)) if stood.position.epoch == position.epoch && stood.position.index >= position.index => {
                None
            }
            (None, stood) => stood.as_ref().map(|stood| stood.follow(position, delivery.id)),
        };
        if next == Some(Next::Known) {
            return None;
        }
        let mut rooms: HashMap<EarId, Room> = rooms.into_iter().collect();
        for id in entry.listeners.ears() {
            let Some(ear) = self.ears.get(usize::from(id.0)) else { continue };
            let lost = matches!(next, Some(Next::Gap | Next::Back)).then(|| News::Lost(pipe.clone()));
            ear.push(lost.into_iter().chain([News::Delivery(Arc::clone(delivery))]), rooms.remove(&id));
        }
        let before = if next == Some(Next::Back) { entry.newest.clone() } else { None };
        entry.newest = Some(Newest { position, id: Some(delivery.id) });
        let is_heard = |wanted: &Position| wanted.epoch != position.epoch || wanted.index <= position.index;
        // Dropping the sender is the answer.
        entry.publishing.retain(|(wanted, _)| !is_heard(wanted));
        before
    }

    /// Redis has announced that whoever had logged in as the user of a log is sent away.
    pub fn dismissed(&self, base: &str, at: u64) {
        let mut table = self.table();
        if let Some(entry) = table.pipes.get_mut(base) {
            let is_news = entry.dismissed.heard(at);
            self.dismiss_if(is_news, entry);
        }
    }

    fn dismiss_if(&self, is_news: bool, entry: &Entry) {
        let ears = entry.listeners.ears().filter(|_| is_news);
        for ear in ears.filter_map(|id| self.ear(id)) {
            ear.push([News::Dismissed(entry.pipe.clone())], None);
        }
    }

    /// What a publisher waits for until its message has been heard here, if it will be.
    pub fn hearing(&self, base: &str, position: Position) -> Option<oneshot::Receiver<()>> {
        let mut table = self.table();
        let entry = table.pipes.get_mut(base)?;
        let newest = entry.newest.as_ref().or(entry.registered.as_ref())?.position;
        let is_heard = newest.epoch == position.epoch && newest.index >= position.index;
        if is_heard || entry.subscribed.is_none() || entry.listeners.count() == 0 {
            return None;
        }
        let (heard, hearing) = oneshot::channel();
        entry.publishing.push((position, heard));
        Some(hearing)
    }
}

impl Table {
    /// The subscription of a pipe has ended unasked.
    fn doubt(&mut self, base: &str) {
        let Some(entry) = self.pipes.get_mut(base) else { return };
        self.version += 1;
        entry.unsubscribe();
        entry.doubt = Some(self.version);
        self.doubted.insert(base.to_owned());
    }

    /// A pipe that nobody listens to and that Redis knows of is none.
    fn forget(&mut self, base: &str) {
        let is_over = |entry: &Entry| entry.listeners.count() == 0 && entry.subscribed.is_none();
        if !self.untold.contains(base) && self.pipes.get(base).is_some_and(is_over) {
            self.pipes.remove(base);
            self.doubted.remove(base);
        }
    }
}

impl Entry {
    fn new(pipe: &Pipe) -> Entry {
        Entry {
            pipe: pipe.clone(),
            listeners: Listeners::Nobody,
            counted: 0,
            subscribed: None,
            doubt: None,
            subscribing: Vec::new(),
            registered: None,
            newest: None,
            publishing: Vec::new(),
            dismissed: Dismissed::default(),
            is_marked: false,
        }
    }

    /// Publishers do not wait for what may never be heard.
    fn unsubscribe(&mut self) {
        self.subscribed = None;
        self.publishing.clear();
    }
}

impl Dismissed {
    /// It was so late when Redis was told of the listeners. Answers whether somebody must be told who came before.
    fn registered(&mut self, at: u64) -> bool {
        let before = self.known_at.unwrap_or(at);
        let newest = before.max(at).max(self.heard_at);
        self.known_at = Some(newest);
        // What was heard before the first registration was answered may have come behind it.
        newest > before
    }

    /// The same, when it is announced.
    fn heard(&mut self, at: u64) -> bool {
        self.heard_at = self.heard_at.max(at);
        let is_news = self.known_at.is_some_and(|known| at > known);
        if is_news {
            self.known_at = Some(at);
        }
        is_news
    }
}

/// How a message stands to the newest before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Behind it.
    Behind,
    /// It is that message.
    Known,
    /// Something is missing between, or another epoch has begun.
    Gap,
    /// Redis has used an index twice.
    Back,
}

impl Newest {
    fn is_before(&self, other: &Newest) -> bool {
        self.position.epoch == other.position.epoch && self.position.index < other.position.index
    }

    fn follow(&self, position: Position, id: MessageId) -> Next {
        let Position { epoch, index } = self.position;
        match position.index.checked_sub(index) {
            _ if position.epoch != epoch => Next::Gap,
            Some(1) => Next::Behind,
            Some(0) if self.id.is_none_or(|known| known == id) => Next::Known,
            Some(0) | None => Next::Back,
            Some(_) => Next::Gap,
        }
    }
}

#[cfg(test)]
mod tests;
