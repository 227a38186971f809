//! What is true: every message that was published, where it stands, and which of them may be gone by now.

use std::collections::{BTreeMap, HashMap, VecDeque};

use cometql::node::{Listening, Publish, Published};
use cometql::pipe::{ConnectionId, MessageId, Pipe, Position, Retention};
use cometql::store::{REPEAT_MILLIS, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

/// A pipe that nobody keeps or hears may be forgotten when it has been quiet for so long, in milliseconds.
const QUIET_MILLIS: u64 = 600_000;

#[derive(Default)]
pub struct Truth {
    pub now: u64,
    pipes: BTreeMap<Pipe, Told>,
    /// First publishes under chosen ids, and when that was.
    chosen: HashMap<(Pipe, MessageId), (Position, u64)>,
    /// Where each text stands: more than once if it was repeated when nobody knew it any more.
    texts: HashMap<String, Vec<(Pipe, Position)>>,
}

/// What is known of a pipe.
pub struct Told {
    /// By epoch, the first with index 1.
    messages: HashMap<u64, Vec<Message>>,
    newest: Option<Position>,
    retention: Retention,
    is_set: bool,
    listeners: usize,
    heard_until: u64,
    used_at: u64,
    /// It may have been forgotten before something was done that does not tell where it stands.
    may_be_new: bool,
    /// Of what stands up to here no window can tell for certain.
    window_floor: u64,
    /// What the history holds for certain, and up to where it has certainly been trimmed at most.
    kept: VecDeque<u64>,
    history_floor: u64,
    /// All that was ever put into the history.
    ever_kept: Vec<u64>,
    /// Up to here a device has taken the user's log.
    pub taken: u64,
}

struct Message {
    text: String,
    bytes: usize,
    sent_at: u64,
    /// It was deleted, so nobody has to get it.
    is_deleted: bool,
    origin: Option<ConnectionId>,
}

/// As it is shown: what is JSON has lost its quotes.
pub fn plain(text: &str) -> &str {
    text.trim_matches('"')
}

impl Truth {
    pub fn at(now: u64) -> Truth {
        Truth { now, ..Truth::default() }
    }

    pub fn told(&mut self, pipe: &Pipe) -> &mut Told {
        self.pipes.entry(pipe.clone()).or_insert_with(|| Told::new(Retention::default_of(pipe)))
    }

    pub fn pipes(&self) -> impl Iterator<Item = &Pipe> {
        self.pipes.keys()
    }

    /// The newest position, if anything is known of the pipe.
    pub fn newest(&self, pipe: &Pipe) -> Option<Position> {
        self.pipes.get(pipe)?.newest
    }

    /// Where a text stands in a pipe that was sent in this second. It may have been said again, but not before its id
    /// was forgotten.
    pub fn place_of(&self, text: &str, of: &Pipe, second: u64) -> Option<Position> {
        let mut places =
            self.texts.get(plain(text))?.iter().filter(|(pipe, _)| pipe == of).map(|(_, position)| *position);
        places.find(|place| self.message(of, *place).is_some_and(|message| message.sent_at / 1_000 == second))
    }

    fn message(&self, pipe: &Pipe, position: Position) -> Option<&Message> {
        self.pipes.get(pipe)?.messages.get(&position.epoch)?.get(usize::try_from(position.index.checked_sub(1)?).ok()?)
    }

    pub fn text(&self, pipe: &Pipe, position: Position) -> Option<&str> {
        self.message(pipe, position).map(|message| &*message.text)
    }

    pub fn taken(&self, pipe: &Pipe) -> u64 {
        self.pipes.get(pipe).map_or(0, |told| told.taken)
    }

    /// Whether a connection has sent it itself.
    pub fn is_from(&self, pipe: &Pipe, position: Position, id: Option<ConnectionId>) -> bool {
        id.is_some() && self.message(pipe, position).is_some_and(|message| message.origin == id)
    }

    /// Whether the history may have it.
    pub fn is_kept(&self, pipe: &Pipe, index: u64) -> bool {
        self.pipes.get(pipe).is_some_and(|told| told.kept.contains(&index) && !told.is_too_old(index, self.now))
    }

    /// The first message behind one index and before another that was not deleted, and is nobody's own.
    pub fn first_between(
        &self,
        pipe: &Pipe,
        epoch: u64,
        (behind, before): (u64, u64),
        own: Option<ConnectionId>,
    ) -> Option<u64> {
        (behind + 1..before).find(|index| {
            let message = self.message(pipe, Position { epoch, index: *index });
            message.is_some_and(|message| !message.is_deleted && (own.is_none() || message.origin != own))
        })
    }

    pub fn listened(&mut self, pipe: &Pipe, listening: &Listening) -> Result<(), String> {
        let now = self.now;
        let told = self.told(pipe);
        told.stands_at(listening.position, now).map_err(|wrong| format!("{pipe:?}: {wrong}"))?;
        told.listeners += 1;
        match told.listeners as u64 == listening.listeners {
            true => Ok(()),
            false => Err(format!("{pipe:?} has {} listeners, and says {}", told.listeners, listening.listeners)),
        }
    }

    pub fn unlistened(&mut self, pipe: &Pipe) {
        let now = self.now;
        let told = self.told(pipe);
        told.look(now);
        told.listeners = told.listeners.saturating_sub(1);
        if told.listeners == 0 {
            told.heard_until = now + WINDOW_MILLIS_MAX;
        }
    }

    pub fn published(&mut self, publish: &Publish, published: &Published) -> Result<(), String> {
        let now = self.now;
        let (pipe, id) = (publish.pipe.clone(), publish.id);
        let text = plain(publish.message.as_str()).to_owned();
        if publish.id_is_chosen {
            let first = self.chosen.get(&(pipe.clone(), id)).filter(|(_, at)| now <= at + REPEAT_MILLIS);
            if published.is_repeat != first.is_some() {
                return Err(format!("{text} is a repeat: {}, and was answered {published:?}", first.is_some()));
            }
            if let Some((position, _)) = first {
                let is_same = *position == published.position;
                return is_same.then_some(()).ok_or_else(|| format!("{text} was at {position:?}, not {published:?}"));
            }
            self.chosen.insert((pipe.clone(), id), (published.position, now));
        }
        self.texts.entry(text.clone()).or_default().push((pipe.clone(), published.position));
        let bytes = publish.message.bytes() + publish.event.as_str().len();
        let message = Message { text, bytes, sent_at: now, is_deleted: false, origin: publish.origin };
        self.told(&pipe).publish(message, published.position, now).map_err(|wrong| format!("{pipe:?}: {wrong}"))
    }

    pub fn erased(&mut self, pipe: &Pipe, indexes: &[u64]) {
        let now = self.now;
        let told = self.told(pipe);
        told.is_used(now);
        // What was too old by then was gone already, and not by hand.
        told.trim(now);
        for index in indexes {
            told.delete(*index);
        }
    }

    /// What is to be kept from now on; `None` takes back what was set, and the history with it.
    pub fn retained(&mut self, pipe: &Pipe, retention: Option<Retention>) {
        let now = self.now;
        let told = self.told(pipe);
        told.is_used(now);
        told.trim(now);
        told.is_set = retention.is_some();
        told.retention = retention.unwrap_or_else(|| Retention::default_of(pipe));
        match retention {
            Some(_) => told.trim(now),
            None => {
                told.kept.clear();
                // When just the history is trimmed is the store's affair: of what may be in it, all may be deleted.
                std::mem::take(&mut told.ever_kept).into_iter().for_each(|index| told.delete(index));
            }
        }
    }

    /// The store has said that something behind `after` is gone. Is there a reason?
    pub fn may_lose(&mut self, pipe: &Pipe, after: Position) -> Result<(), String> {
        let now = self.now;
        let told = self.told(pipe);
        match told.may_lose(after, now) {
            true => Ok(()),
            false => Err(format!("all behind {after:?} of {pipe:?} is there, and it was called lost")),
        }
    }
}

impl Told {
    fn new(retention: Retention) -> Told {
        Told {
            messages: HashMap::new(),
            newest: None,
            retention,
            is_set: false,
            listeners: 0,
            heard_until: 0,
            used_at: 0,
            may_be_new: false,
            window_floor: 0,
            kept: VecDeque::new(),
            ever_kept: Vec::new(),
            history_floor: 0,
            taken: 0,
        }
    }

    /// The store says where the pipe stands.
    fn stands_at(&mut self, position: Position, now: u64) -> Result<(), String> {
        let may_be_new = self.is_used(now) || self.newest.is_none_or(|newest| newest.index == 0);
        self.may_be_new = false;
        match self.newest {
            Some(newest) if newest == position => Ok(()),
            Some(newest) if newest.epoch == position.epoch => Err(format!("{newest:?} became {position:?}")),
            Some(newest) if !may_be_new => Err(format!("{newest:?} became {position:?} though it was not forgotten")),
            _ if position.index > 0 => Err(format!("began at {position:?}")),
            _ => {
                self.newest = Some(position);
                (self.window_floor, self.history_floor) = (0, 0);
                self.kept.clear();
                self.ever_kept.clear();
                Ok(())
            }
        }
    }

    /// Something is done with the pipe. Answers whether it may have been forgotten until then.
    fn is_used(&mut self, now: u64) -> bool {
        self.look(now);
        let is_kept = self.is_set || (self.retention.keeps() && self.newest.is_some_and(|newest| newest.index > 0));
        self.may_be_new |= self.listeners == 0 && !is_kept && self.used_at + QUIET_MILLIS <= now;
        self.used_at = now;
        self.may_be_new
    }

    /// A pipe that nobody has heard for a while has no window.
    fn look(&mut self, now: u64) {
        if self.listeners == 0 && now >= self.heard_until {
            self.window_floor = self.newest.map_or(0, |newest| newest.index);
        }
    }

    fn publish(&mut self, message: Message, position: Position, now: u64) -> Result<(), String> {
        let before = Position { index: position.index.saturating_sub(1), ..position };
        self.stands_at(before, now)?;
        self.newest = Some(position);
        self.messages.entry(position.epoch).or_default().push(message);
        self.look(now);
        if self.retention.keeps() {
            self.kept.push_back(position.index);
            self.ever_kept.push(position.index);
            self.trim(now);
        } else {
            self.history_floor = position.index;
        }
        Ok(())
    }

    fn sent_at(&self, index: u64) -> u64 {
        self.between(index - 1, index).next().map_or(0, |message| message.sent_at)
    }

    /// The messages of the present epoch behind one index, up to another.
    fn between(&self, behind: u64, up_to: u64) -> impl Iterator<Item = &Message> {
        let all = self.newest.and_then(|newest| self.messages.get(&newest.epoch)).map_or(&[][..], Vec::as_slice);
        all.iter().take(up_to as usize).skip(behind as usize)
    }

    fn trim(&mut self, now: u64) {
        while let Some(oldest) = self.kept.front().copied() {
            if !self.is_too_old(oldest, now) && self.kept.len() <= usize::from(self.retention.length) {
                break;
            }
            self.kept.pop_front();
            self.history_floor = oldest;
        }
    }

    fn is_too_old(&self, index: u64, now: u64) -> bool {
        let ttl = self.retention.ttl_seconds.filter(|_| self.retention.keeps());
        ttl.is_some_and(|ttl| self.sent_at(index) + 1_000 * u64::from(ttl) < now)
    }

    fn delete(&mut self, index: u64) {
        let Some(newest) = self.newest else { return };
        let of_epoch = self.messages.get_mut(&newest.epoch);
        if let Some(message) = of_epoch.and_then(|messages| messages.get_mut((index as usize).checked_sub(1)?)) {
            message.is_deleted = true;
        }
    }

    fn may_lose(&mut self, after: Position, now: u64) -> bool {
        self.look(now);
        let Some(newest) = self.newest.filter(|newest| newest.epoch == after.epoch && newest.index >= after.index)
        else {
            return true;
        };
        if self.may_be_new {
            return true;
        }
        let missed: Vec<&Message> = self.between(after.index, newest.index).collect();
        let Some(oldest) = missed.first() else { return false };
        let is_in_window = after.index >= self.window_floor
            && missed.len() <= WINDOW_MESSAGES_MAX
            && missed.iter().map(|message| message.bytes).sum::<usize>() <= WINDOW_BYTES_MAX
            && oldest.sent_at + WINDOW_MILLIS_MAX >= now;
        let is_in_history = after.index >= self.history_floor && !self.is_too_old(after.index + 1, now);
        !is_in_window && !is_in_history
    }
}
