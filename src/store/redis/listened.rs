//! What this node listens to: the connections behind each ear, whether Redis tells of the pipe, and the newest message
//! that was heard.

mod comparing;
mod dismissed;
mod subscriptions;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use self::dismissed::Dismissed;
use self::subscriptions::LetterBox;
use super::outdated::Outdated;
use super::server::ServerId;
use super::servers::Servers;
use crate::pipe::{Delivery, MessageId, Pipe, Position};
use crate::store::listeners::Listeners;
use crate::store::{Ear, EarId, News, Published, Room};

pub use self::subscriptions::Doubt;

pub struct Listened {
    table: Mutex<Table>,
    ears: Vec<Arc<Ear>>,
    /// Told of each pipe that is to be subscribed to, or no longer.
    servers: Arc<Servers>,
    pub outdated: Outdated,
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
    /// Where the pipe stood when Redis was last told of the listeners.
    registered: Option<Newest>,
    /// Where it stood when hearing began: what comes behind that is heard, or is lost. Whoever is registered later says
    /// nothing of that.
    began: Option<Newest>,
    /// The newest message that was heard since.
    newest: Option<Newest>,
    /// Publishers who wait until their messages have been heard here.
    publishing: Vec<(Position, oneshot::Sender<()>)>,
    /// Where Redis had it when the ears were told that something of it was not heard.
    told_lost: Option<Position>,
    dismissed: Dismissed,
    /// Whether the others were told that the user of this log is here; Redis may have forgotten it.
    is_marked: bool,
    /// Others were told that he has gone, though he is here.
    is_missed: bool,
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

impl Listened {
    pub fn new(ears: Vec<Arc<Ear>>, servers: Arc<Servers>) -> Listened {
        Listened { table: Mutex::default(), ears, servers, outdated: Outdated::default() }
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
        let mark = match (entry.is_marked, entry.is_missed) {
            (true, _) => Mark::Again,
            (false, true) => Mark::Tell,
            (false, false) => mark,
        };
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
                entry.registered = Some(newest.clone());
            }
            if entry.began.as_ref().is_none_or(|began| newest.is_before(began)) {
                entry.began = Some(newest);
            }
            if !is_latest {
                return;
            }
            entry.is_marked = count.connections > 0 && count.mark != Mark::Leave;
            entry.is_missed = false;
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
        self.table().pipes.values_mut().for_each(|entry| entry.is_missed |= std::mem::take(&mut entry.is_marked));
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

    /// Every ear may have lost something, and looks for itself from where the pipes stand now; but of those of which Redis
    /// could not be told.
    pub fn lost_all_but(&self, not_told: &HashSet<String>) {
        // Under the lock, so that it stands behind all that was heard before.
        let mut table = self.table();
        table.doubted.retain(|base| not_told.contains(base));
        for (_, entry) in table.pipes.iter_mut().filter(|(base, _)| !not_told.contains(*base)) {
            entry.lost();
            for ear in entry.listeners.ears().filter_map(|id| self.ear(id)).filter(|_| !not_told.is_empty()) {
                ear.push([News::Lost(entry.pipe.clone())], None);
            }
        }
        if not_told.is_empty() {
            self.ears.iter().for_each(|ear| ear.push([News::LostAll], None));
        }
    }

    /// The newest message that is known of every pipe that has had any, by base.
    pub fn newest(&self) -> Vec<(String, Newest)> {
        let table = self.table();
        let known = table.pipes.iter().flat_map(|(base, entry)| {
            // Both, when they are of two epochs: which of them is the later is not known here.
            let (heard, told) = match (&entry.newest, &entry.registered) {
                (Some(heard), Some(told)) if told.is_before(heard) || told.position == heard.position => {
                    (Some(heard), None)
                }
                (Some(heard), Some(told)) if heard.is_before(told) => (None, Some(told)),
                (heard, told) => (heard.as_ref(), told.as_ref()),
            };
            let known = heard.into_iter().chain(told).filter(|known| known.position.index > 0);
            known.map(|known| (base.clone(), known.clone()))
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
        let next = match (&entry.newest, &entry.began) {
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

    /// What a publisher waits for until its message has been heard here, if it will be. A repeat of another epoch than
    /// the pipe is in was heard before that began, or never will be.
    pub fn hearing(
        &self,
        base: &str,
        Published { position, is_repeat, .. }: Published,
    ) -> Option<oneshot::Receiver<()>> {
        let mut table = self.table();
        let entry = table.pipes.get_mut(base)?;
        let newest = entry.newest.as_ref().or(entry.began.as_ref())?.position;
        let is_heard = match newest.epoch == position.epoch {
            true => newest.index >= position.index,
            false => is_repeat,
        };
        if is_heard || entry.subscribed.is_none() || entry.listeners.count() == 0 {
            return None;
        }
        let (heard, hearing) = oneshot::channel();
        entry.publishing.push((position, heard));
        Some(hearing)
    }
}

impl Table {
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
            began: None,
            newest: None,
            publishing: Vec::new(),
            told_lost: None,
            dismissed: Dismissed::default(),
            is_marked: false,
            is_missed: false,
        }
    }

    /// Something may not have been heard. What comes next is behind where Redis had the pipe when it was told anew, unless
    /// more has been heard since.
    fn lost(&mut self) {
        self.doubt = None;
        let is_further = |newest: &Newest| self.registered.as_ref().is_none_or(|stood| stood.is_before(newest));
        self.newest = self.newest.take().filter(is_further);
        // The ears look for themselves what came before.
        self.began = self.registered.clone();
        // What was announced before the pipe was subscribed to again is never heard, and Redis had it when it was told.
        self.publishing.clear();
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
