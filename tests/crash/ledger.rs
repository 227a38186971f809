//! What clients were told over all rounds, and whether a node has it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Far longer than it takes to write down what was taken.
const DEADLINE: Duration = Duration::from_secs(60);

/// Pipes that keep messages because of their setting,
pub const PIPES: [&str; 3] = ["first", "second", "third"];
/// and one that keeps them by its name.
pub const TRUSTED: &str = "trust_room";
/// How many messages each of them keeps, and a user's log.
pub const LENGTH: u64 = 1_000;

/// The users whose logs get messages.
pub const USERS: [usize; 2] = [101, 102];
/// So many of the statements that had an answer are said once more after a crash.
const REPEATED_MAX: usize = 20;

/// Where messages go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    Pipe(&'static str),
    /// Of the user with this number.
    Log(usize),
}

impl Place {
    /// The table, and the column that says where a message goes.
    pub fn table(self) -> (&'static str, &'static str) {
        match self {
            Place::Pipe(_) => ("pipes_messages", "name"),
            Place::Log(_) => ("users_messages", "id"),
        }
    }

    /// As SQL has it.
    pub fn key(self) -> String {
        match self {
            Place::Pipe(name) => format!("'{name}'"),
            Place::Log(user) => user.to_string(),
        }
    }
}

/// A value that one connection sets again and again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shelf {
    /// Which of [`Shelf::KINDS`].
    pub kind: usize,
    /// Which user or pipe.
    pub of: usize,
}

impl Shelf {
    /// Table, column of the key, column of the value.
    pub const KINDS: [(&'static str, &'static str, &'static str); 3] =
        [("users_auth", "id", "hash"), ("users_data", "id", "data"), ("pipes_settings", "name", "length")];

    fn key(self) -> String {
        if self.kind == 2 { format!("'set_{}'", self.of) } else { self.of.to_string() }
    }

    /// Gives it a value, or removes it.
    pub fn statement(self, value: Option<&str>) -> String {
        let ((table, key, column), own) = (Shelf::KINDS[self.kind], self.key());
        match value {
            Some(value) => format!("INSERT INTO {table} ({key}, {column}) VALUES ({own}, '{value}')"),
            None => format!("DELETE FROM {table} WHERE {key} = {own}"),
        }
    }

    async fn read(self, client: &mut Conn) -> Option<String> {
        let ((table, key, column), own) = (Shelf::KINDS[self.kind], self.key());
        client.query_first(format!("SELECT {column} FROM {table} WHERE {key} = {own}")).await.unwrap()
    }
}

/// What came of one statement. Without an answer it may have been done or not.
pub enum Told {
    /// The index of the first message, if there was an answer.
    Published {
        place: Place,
        texts: Vec<String>,
        index: Option<u64>,
        /// The statement, if its ids were chosen.
        repeatable: Option<String>,
    },
    Deleted {
        place: Place,
        text: String,
        is_sure: bool,
    },
    Set {
        shelf: Shelf,
        value: Option<String>,
        is_sure: bool,
    },
}

impl Told {
    pub fn is_sure(&self) -> bool {
        match self {
            Told::Published { index, .. } => index.is_some(),
            Told::Deleted { is_sure, .. } | Told::Set { is_sure, .. } => *is_sure,
        }
    }
}

#[derive(Default)]
pub struct Ledger {
    places: BTreeMap<Place, History>,
    /// What each may be: one value, or two as long as nobody has looked.
    values: BTreeMap<Shelf, Vec<Option<String>>>,
    /// What can be said once more after this round.
    repeatable: Vec<Repeatable>,
    acknowledged: usize,
    repeated: usize,
}

/// A statement whose ids were chosen, and what came of it.
struct Repeatable {
    place: Place,
    texts: Vec<String>,
    index: Option<u64>,
    statement: String,
}

/// What is known of one pipe.
#[derive(Default)]
struct History {
    epoch: Option<u64>,
    messages: HashMap<String, State>,
    /// Who has each index that was ever told or seen: nobody else may ever have it.
    owners: HashMap<u64, String>,
    /// What somebody has wanted deleted.
    deleted: HashSet<String>,
    /// Texts of statements without an answer, since the last look.
    unanswered: Vec<Vec<String>>,
    /// A user may have taken what is up to this index.
    may_be_taken: u64,
    /// It has been seen that it took what is up to this one.
    taken: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Kept(u64),
    Unanswered,
    /// There or not: its DELETE had no answer.
    PerhapsDeleted(u64),
    /// It must never be seen again.
    Gone,
}

impl Ledger {
    /// Every message of a place that was acknowledged or has been seen: its index, its text, and whether somebody
    /// wanted it deleted.
    pub fn owners(&self, place: Place) -> impl Iterator<Item = (u64, &str, bool)> {
        let histories = self.places.get(&place).into_iter();
        histories.flat_map(|history| {
            history.owners.iter().map(|(index, text)| (*index, text.as_str(), history.deleted.contains(text)))
        })
    }

    pub fn take(&mut self, told: Told) {
        match told {
            Told::Published { place, texts, index, repeatable } => {
                if let Some(statement) = repeatable {
                    self.repeatable.push(Repeatable { place, texts: texts.clone(), index, statement });
                }
                self.acknowledged += if index.is_some() { texts.len() } else { 0 };
                self.places.entry(place).or_default().published(texts, index);
            }
            Told::Deleted { place, text, is_sure } => {
                self.places.entry(place).or_default().deleted(text, is_sure);
            }
            Told::Set { shelf, value, is_sure } => {
                let may_be = self.values.entry(shelf).or_insert_with(|| vec![None]);
                if is_sure {
                    may_be.clear();
                }
                may_be.push(value);
            }
        }
    }

    /// A user has said that it has taken its messages up to here, and was not answered.
    pub fn may_be_taken(&mut self, place: Place, index: u64) {
        self.places.entry(place).or_default().may_be_taken = index;
    }

    /// Waits until the node shows that a user has taken its messages up to here: from now on it must never forget that.
    pub async fn until_taken(&mut self, client: &mut Conn, place: Place, index: u64) {
        let began = Instant::now();
        while shown(client, place).await.first().is_some_and(|(position, _)| index_of(position) <= index) {
            assert!(began.elapsed() < DEADLINE, "{place:?} is never taken up to {index}");
        }
        self.may_be_taken(place, index);
        self.places.entry(place).or_default().taken = index;
    }

    /// Says once more what had no answer, and the last of what had one.
    ///
    /// # Panics
    /// It is answered otherwise than at first.
    pub async fn repeat(&mut self, client: &mut Conn) {
        let is_unanswered = |repeatable: &Repeatable| repeatable.index.is_none();
        let (unanswered, mut answered): (Vec<_>, Vec<_>) = self.repeatable.drain(..).partition(is_unanswered);
        let before = answered.len().saturating_sub(REPEATED_MAX);
        for Repeatable { place, texts, index, statement } in answered.drain(before..).chain(unanswered) {
            client.query_drop(&statement).await.unwrap();
            let again = client.last_insert_id().expect("an index");
            self.repeated += texts.len();
            match index {
                Some(index) => assert_eq!(again, index, "{statement}"),
                None => self.places.entry(place).or_default().answered(&texts, again),
            }
        }
    }

    /// # Panics
    /// The node has something else than its clients were told.
    pub async fn compare(&mut self, client: &mut Conn) {
        for (place, history) in &mut self.places {
            let kept = shown(client, *place).await;
            println!("{place:?}: {} messages", kept.len());
            history.compare(*place, &kept);
        }
        for (shelf, may_be) in &mut self.values {
            let value = shelf.read(client).await;
            assert!(may_be.contains(&value), "{shelf:?} is {value:?}, and not one of {may_be:?}");
            *may_be = vec![value];
        }
    }
}

impl History {
    fn published(&mut self, texts: Vec<String>, index: Option<u64>) {
        for (text, number) in texts.iter().zip(0..) {
            let state = match index {
                Some(first) => {
                    self.own(first + number, text);
                    State::Kept(first + number)
                }
                None => State::Unanswered,
            };
            assert_eq!(self.messages.insert(text.clone(), state), None, "the test sends each text once");
        }
        if index.is_none() {
            self.unanswered.push(texts);
        }
    }

    /// What had no answer has one now.
    fn answered(&mut self, texts: &[String], first: u64) {
        self.unanswered.retain(|unanswered| unanswered != texts);
        for (text, number) in texts.iter().zip(0..) {
            self.own(first + number, text);
            let before = self.messages.insert(text.clone(), State::Kept(first + number));
            assert_eq!(before, Some(State::Unanswered), "whoever had no answer says nothing more: {text}");
        }
    }

    fn deleted(&mut self, text: String, is_sure: bool) {
        let state = match self.messages.get(&text) {
            Some(State::Kept(index)) if !is_sure => State::PerhapsDeleted(*index),
            _ => State::Gone,
        };
        self.deleted.insert(text.clone());
        self.messages.insert(text, state);
    }

    /// An index has one message for ever.
    fn own(&mut self, index: u64, text: &str) {
        let owner = self.owners.entry(index).or_insert_with(|| text.to_owned());
        assert_eq!(owner, text, "index {index} was used twice");
    }

    fn compare(&mut self, place: Place, kept: &[(String, String)]) {
        let mut last = 0;
        let mut found = HashMap::new();
        for (position, text) in kept {
            let (epoch, index) = position.split_once('-').expect("epoch and index");
            let (epoch, index): (u64, u64) = (epoch.parse().unwrap(), index.parse().unwrap());
            assert_eq!(*self.epoch.get_or_insert(epoch), epoch, "{place:?} has another epoch");
            assert!(index > last, "{place:?}: {index} stands behind {last}");
            last = index;
            self.own(index, text);
            found.insert(text.as_str(), index);
            match self.messages.get(text) {
                None | Some(State::Gone) => {
                    panic!("{place:?}: {text:?} must not be there: {:?}", self.messages.get(text))
                }
                Some(State::Kept(told) | State::PerhapsDeleted(told)) => assert_eq!(*told, index, "{place:?}: {text}"),
                Some(State::Unanswered) => {}
            }
        }
        for texts in self.unanswered.drain(..) {
            let there = texts.iter().filter(|text| found.contains_key(text.as_str())).count();
            assert!(there == 0 || there == texts.len(), "{place:?}: a part of a statement: {texts:?}");
        }
        History::assert_in_order(place, kept);
        let shown_from = kept.first().map_or(u64::MAX, |(position, _)| index_of(position));
        assert!(shown_from > self.taken, "{place:?}: {shown_from} was taken, as all up to {}", self.taken);
        let newest = self.owners.keys().max().copied().unwrap_or(0);
        for (text, state) in &mut self.messages {
            *state = match (found.get(text.as_str()), *state) {
                (Some(index), _) => State::Kept(*index),
                // Newer ones have pushed it out.
                (None, State::Kept(index)) if index + LENGTH <= newest => State::Gone,
                // Nothing is taken that stands behind what is not, and it never comes back.
                (None, State::Kept(index)) if index <= self.may_be_taken && index < shown_from => State::Gone,
                (None, State::Kept(index)) => panic!("{place:?}: {index} is lost: {text}"),
                (None, _) => State::Gone,
            };
        }
    }

    /// What one connection has said one after the other stands in this order.
    fn assert_in_order(place: Place, kept: &[(String, String)]) {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (_, text) in kept {
            let (connection, rest) = text.split_once(", statement ").expect("who said it");
            let statement = rest.split_once(',').expect("which statement").0.parse().unwrap();
            let before = last.insert(connection, statement);
            assert!(before.is_none_or(|before| before <= statement), "{place:?}: {text} stands behind {before:?}");
        }
    }
}

impl Display for Ledger {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let taken: Vec<u64> =
            self.places.values().map(|history| history.may_be_taken).filter(|index| *index > 0).collect();
        write!(
            out,
            "{} messages were acknowledged, {} said once more after a crash; users took theirs up to {taken:?}",
            self.acknowledged, self.repeated
        )
    }
}

/// Position and text of what a node shows of a place: of a user's messages those that were not taken.
async fn shown(client: &mut Conn, place: Place) -> Vec<(String, String)> {
    let ((table, column), key) = (place.table(), place.key());
    client.query(format!("SELECT position, message FROM {table} WHERE {column} = {key}")).await.unwrap()
}

/// The index of a position as SQL shows it.
fn index_of(position: &str) -> u64 {
    position.split_once('-').expect("epoch and index").1.parse().unwrap()
}
