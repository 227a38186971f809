//! Whatever happens to a pipe in whatever order: recover never passes over a message that nobody deleted, and never
//! says that something is lost while all of it is still in the window or in the history.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cometql::clock::Clock;
use cometql::pipe::{Pipe, Position, Retention};
use cometql::store::{EarId, PageMax, Recovered, Since, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

use super::{ALL, World, over_every_store, over_own_stores, pipe};

const STEPS: usize = 250;
/// What a window may count for a message besides its text: its event, at least.
const PLACE_BYTES_MAX: usize = 100;

fn seeds() -> std::ops::Range<u64> {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") { 0..100 } else { 0..6 }
}

#[test]
fn recover_neither_passes_over_nor_gives_up_what_is_there() {
    for seed in seeds() {
        println!("seed {seed}");
        let promise = |world: World| async move {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let mut models = ["one", "other"].map(|name| Model::new(pipe(name)));
            for _ in 0..STEPS {
                let step = step(&mut random);
                let model = &mut models[random.below(2)];
                model.apply(&world, &step).await;
                for model in &mut models {
                    model.look(&world).await;
                    model.check(&world, &mut random, &step).await;
                }
            }
        };
        // The others wait for those that all share.
        if seed == 0 { over_every_store(promise) } else { over_own_stores(promise) }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }
}

#[derive(Debug)]
enum Step {
    Publish {
        bytes: usize,
    },
    /// By how far behind the newest they are.
    Erase(Vec<u64>),
    Listen(u8),
    Unlisten(u8),
    SetRetention(Retention),
    RemoveRetention,
    Forward(u64),
}

fn step(random: &mut Random) -> Step {
    match random.below(20) {
        0 => Step::Publish { bytes: WINDOW_BYTES_MAX / 2 + random.below(WINDOW_BYTES_MAX) },
        1..=9 => Step::Publish { bytes: 1 + random.below(4_000) },
        10 | 11 => Step::Erase((0..1 + random.below(3)).map(|_| random.below(6) as u64).collect()),
        12 | 13 => Step::Listen(random.below(2) as u8),
        14 => Step::Unlisten(random.below(2) as u8),
        15 | 16 => {
            let ttl_seconds = [None, Some(20), Some(90)][random.below(3)];
            Step::SetRetention(Retention { length: random.below(7) as u16, ttl_seconds })
        }
        17 => Step::RemoveRetention,
        _ => Step::Forward(random.below(25_000) as u64),
    }
}

/// What is known of a pipe by what was done to it.
struct Model {
    pipe: Pipe,
    newest: Position,
    /// The text of every message that nobody deleted.
    there: BTreeMap<u64, String>,
    /// The history as it was last seen, and the highest index that fell out of it or never was in it.
    history: BTreeSet<u64>,
    history_floor: u64,
    listeners: [usize; 2],
    left_at: Option<u64>,
    window: Option<ModelWindow>,
}

/// Index, time and bytes of what the window must have, and the index it begins behind.
struct ModelWindow {
    floor: u64,
    messages: VecDeque<(u64, u64, usize)>,
}

impl Model {
    fn new(pipe: Pipe) -> Model {
        let newest = Position { epoch: 0, index: 0 };
        let (there, history) = (BTreeMap::new(), BTreeSet::new());
        Model { pipe, newest, there, history, history_floor: 0, listeners: [0; 2], left_at: None, window: None }
    }

    async fn apply(&mut self, world: &World, step: &Step) {
        let (store, pipe) = (&world.store, self.pipe.clone());
        match step {
            Step::Publish { bytes } => {
                let text = format!("{} {}", self.newest.index + 1, "x".repeat(*bytes));
                self.expect_in_window(world, text.len());
                let position = world.publish(&pipe, &text).await.position;
                world.ears.iter().for_each(|ear| drop(ear.take()));
                assert_eq!(position.index, self.newest.index + 1);
                assert!(self.newest.epoch == 0 || self.newest.epoch == position.epoch);
                self.newest = position;
                self.there.insert(position.index, text);
                // Until it is seen in the history.
                self.history.insert(position.index);
            }
            Step::Erase(backs) => {
                let indexes: Vec<u64> = backs.iter().map(|back| self.newest.index.saturating_sub(*back)).collect();
                store.erase(&pipe, &indexes).await.unwrap();
                indexes.into_iter().for_each(|index| self.delete(index));
            }
            Step::Listen(ear) => {
                store.listen(&pipe, EarId(*ear)).await.unwrap();
                self.age(world.clock.now().0);
                self.listeners[usize::from(*ear)] += 1;
                self.left_at = None;
            }
            Step::Unlisten(ear) => {
                let listeners = &mut self.listeners[usize::from(*ear)];
                if *listeners > 0 {
                    *listeners -= 1;
                    store.unlisten(&pipe, EarId(*ear)).await.unwrap();
                    self.left_at = (self.listeners == [0; 2]).then(|| world.clock.now().0);
                }
            }
            Step::SetRetention(retention) => store.set_retention(&pipe, *retention).await.unwrap(),
            Step::RemoveRetention => {
                store.remove_retention(&pipe).await.unwrap();
                self.history.clone().into_iter().for_each(|index| self.delete(index));
            }
            Step::Forward(millis) => world.clock.forward(*millis),
        }
    }

    /// Nobody misses it, whether it was still somewhere or not.
    fn delete(&mut self, index: u64) {
        let in_window = self.window.iter_mut().flat_map(|window| &mut window.messages);
        in_window.filter(|message| message.0 == index).for_each(|message| message.2 = 0);
        self.history.remove(&index);
        self.there.remove(&index);
    }

    /// The next message, of so many bytes, goes into the window, if there is to be one.
    fn expect_in_window(&mut self, world: &World, bytes: usize) {
        let (index, now) = (self.newest.index + 1, world.clock.now().0);
        self.age(now);
        let is_heard = self.listeners != [0; 2] || self.left_at.is_some_and(|at| now < at + WINDOW_MILLIS_MAX);
        if is_heard {
            let new = || ModelWindow { floor: index - 1, messages: VecDeque::new() };
            let window = self.window.get_or_insert_with(new);
            window.messages.push_back((index, now, bytes + PLACE_BYTES_MAX));
            while window.messages.len() > WINDOW_MESSAGES_MAX
                || window.messages.iter().map(|message| message.2).sum::<usize>() > WINDOW_BYTES_MAX
            {
                window.floor = window.messages.pop_front().unwrap().0;
            }
        }
    }

    /// What a minute takes from the window.
    fn age(&mut self, now: u64) {
        if self.left_at.is_some_and(|at| now >= at + WINDOW_MILLIS_MAX) {
            self.window = None;
        }
        if let Some(window) = &mut self.window {
            while window.messages.front().is_some_and(|message| message.1 + WINDOW_MILLIS_MAX < now) {
                window.floor = window.messages.pop_front().unwrap().0;
            }
        }
    }

    /// Looks at the history: what is no longer there and was not deleted was trimmed.
    async fn look(&mut self, world: &World) {
        let page = world.store.history(&self.pipe, Since::Beginning, ALL).await.unwrap();
        let seen: BTreeSet<u64> = page.messages.iter().map(|delivery| delivery.position.index).collect();
        let trimmed = self.history.difference(&seen).max().copied().unwrap_or(0);
        self.history_floor = self.history_floor.max(trimmed);
        self.history = seen;
    }

    async fn check(&mut self, world: &World, random: &mut Random, step: &Step) {
        if self.newest.index == 0 {
            return;
        }
        self.age(world.clock.now().0);
        let oldest = self.newest.index.saturating_sub(12);
        for index in oldest..=self.newest.index {
            let after = Position { index, ..self.newest };
            let max = PageMax { messages: 1 + random.below(5), bytes: 1 + random.below(20_000) };
            let is_there = index >= self.history_floor
                || index == self.newest.index
                || self.window.as_ref().is_some_and(|window| index >= window.floor);
            let Some(texts) = world.recovered(&self.pipe, after, max).await else {
                assert!(!is_there, "after {step:?}: all behind {after:?} of {:?} is there", self.pipe);
                continue;
            };
            let expected: Vec<&String> = self.there.range(index + 1..).map(|(_, text)| text).collect();
            let same = texts.iter().eq(expected.iter().copied());
            assert!(same, "after {step:?}: {} behind {after:?} instead of {}", texts.len(), expected.len());
        }
        let ahead = Position { index: self.newest.index + 1, ..self.newest };
        let elsewhere = Position { epoch: self.newest.epoch ^ 1, ..self.newest };
        for nowhere in [ahead, elsewhere] {
            match world.store.recover(&self.pipe, nowhere, ALL).await.unwrap() {
                Recovered::Lost(present) => assert_eq!(present, self.newest),
                Recovered::Page(page) => panic!("behind {nowhere:?} there is {page:?}"),
            }
        }
    }
}
