//! The node and its store behind the shards. What shards ask is done when the simulation wants it, and what is
//! announced to their ears reaches them when, and if, it wants that.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;

use cometql::node::{self, Answer, Ask, News, Node, Record, Recovered, Since};
use cometql::pipe::{ConnectionId, Pipe, Position};
use cometql::status::Status;
use cometql::store::{Ear, Store, embedded};
use cometql::user::UserId;
use cometql::ws::shard::Whose;
use tokio::runtime::Runtime;

use super::clock::StillClock;
use super::five::{KEY, Loss, TENANT};
use super::plan::Plan;
use super::random::Random;
use super::truth::Truth;

pub const SHARDS: usize = 3;
const BEGINNING: u64 = 1_700_000_000_000;
/// Lines of the trace that are shown when something is wrong.
const TRACE_LINES: usize = 80;

pub struct House {
    pub random: Random,
    pub plan: Plan,
    pub clock: Arc<StillClock>,
    pub node: Arc<Node>,
    pub store: Arc<dyn Store>,
    pub status: Arc<Status>,
    runtime: Runtime,
    ears: Vec<Arc<Ear>>,
    /// What was announced, on its way to each shard.
    pub news: Vec<VecDeque<News>>,
    /// Shards that have lost something and were not told.
    pub is_unaware: Vec<bool>,
    /// Whether nothing reaches a shard for now.
    pub is_deaf: Vec<bool>,
    pub asks: Vec<Asked>,
    pub answers: Vec<(usize, Whose, Answer)>,
    pub truth: Truth,
    /// What the store has said to a shard is lost: behind one position, up to another.
    losses: HashMap<(usize, Pipe), Vec<(Position, Position)>>,
    pub losses_count: usize,
    /// What browsers of generation 4 have taken and left.
    pub doings: Vec<(ConnectionId, Doing)>,
    trace: VecDeque<String>,
    trace_lines_max: usize,
    /// What is wrong; the first of it.
    pub wrong: Option<String>,
}

pub struct Asked {
    pub shard: usize,
    pub whose: Whose,
    pub ask: Ask,
}

pub enum Doing {
    Listens(Vec<(Pipe, Position)>, Vec<Pipe>),
    ReadsLog(Pipe, Position),
}

impl House {
    pub fn new(seed: u64) -> House {
        let mut random = Random::seeded(seed);
        let plan = Plan::new(&mut random);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let clock = Arc::new(StillClock::at(BEGINNING));
        let ears: Vec<Arc<Ear>> = (0..SHARDS).map(|_| Ear::new(1 << 30, Box::new(|| {}))).collect();
        let config = embedded::Config {
            directory: None,
            durability: embedded::Durability::Disk,
            history_bytes_max_per_pipe: 64 * 1024 * 1024,
            recovery_bytes_max: 64 * 1024 * 1024,
        };
        let store = embedded::open(&config, ears.clone(), clock.clone()).expect("a store");
        let status = Arc::new(Status::new());
        // Nobody is ever said to have gone: that would be told by the machine's own time.
        let config = node::Config { presence_grace_seconds: 1_000_000, ..node::Config::with_password("pw") };
        let node = Node::new(store.clone(), clock.clone(), Vec::new(), config, Arc::clone(&status));
        let mut house = House {
            random,
            plan,
            clock,
            node,
            store,
            status,
            runtime,
            ears,
            news: (0..SHARDS).map(|_| VecDeque::new()).collect(),
            is_unaware: vec![false; SHARDS],
            is_deaf: vec![false; SHARDS],
            asks: Vec::new(),
            answers: Vec::new(),
            truth: Truth::at(BEGINNING),
            losses: HashMap::new(),
            losses_count: 0,
            doings: Vec::new(),
            trace: VecDeque::new(),
            // Of a seed that is looked at, all of it.
            trace_lines_max: if std::env::var("COMETQL_SEED").is_ok() { usize::MAX } else { TRACE_LINES },
            wrong: None,
        };
        for user in [1, 2] {
            let key = Record::Key(UserId::new(user).expect("a user"));
            let store = Arc::clone(&house.store);
            house.wait(async move { store.set_record(TENANT, &key, Some(KEY.into())).await }).expect("stored");
        }
        house
    }

    /// Does something to the end, and takes what was announced by it.
    pub fn wait<T>(&mut self, doing: impl Future<Output = T>) -> T {
        let done = self.runtime.block_on(doing);
        for shard in 0..SHARDS {
            for news in self.ears[shard].take() {
                self.announce(shard, news);
            }
        }
        done
    }

    /// News set out, or are lost.
    fn announce(&mut self, shard: usize, news: News) {
        let News::Delivery(delivery) = &news else { return self.news[shard].push_back(news) };
        if self.is_deaf[shard] || self.random.percent(self.plan.loss_percent) {
            let told = match self.random.below(6) {
                0 => Some(News::LostAll),
                1 | 2 => Some(News::Lost(delivery.pipe.clone())),
                _ => None,
            };
            let (pipe, position) = (delivery.pipe.shown_name(), delivery.position);
            self.note(|| format!("shard {shard} does not hear {pipe} {}, and is told {told:?}", position.index));
            match told {
                Some(told) => self.news[shard].push_back(told),
                None => self.is_unaware[shard] = true,
            }
        } else {
            let twice = self.random.percent(2).then(|| news.clone());
            self.news[shard].push_back(news);
            self.news[shard].extend(twice);
        }
    }

    /// A shard asks: now and then the answer is ready.
    pub fn asked(&mut self, shard: usize, whose: Whose, ask: Ask) -> Option<Answer> {
        if self.random.percent(self.plan.in_place_percent) {
            return Some(self.run(shard, &whose, ask));
        }
        self.asks.push(Asked { shard, whose, ask });
        None
    }

    pub fn run(&mut self, shard: usize, whose: &Whose, ask: Ask) -> Answer {
        let node = Arc::clone(&self.node);
        let asked = ask.clone();
        let answer = self.wait(async move { node.run(ask).await });
        self.note(|| format!("shard {shard} {} {} → {}", who(whose), what(&asked), outcome(&answer)));
        let done = self.done(shard, whose, &asked, &answer);
        self.check(done);
        answer
    }

    /// Writes down what was done.
    fn done(&mut self, shard: usize, whose: &Whose, ask: &Ask, answer: &Answer) -> Result<(), String> {
        match (ask, answer) {
            (Ask::Listen { visitor, take, leave, .. }, Answer::Listening(Ok(listening))) => {
                leave.iter().for_each(|pipe| self.truth.unlistened(pipe));
                let taken: Vec<_> = take.iter().cloned().zip(listening.iter().map(|is| is.position)).collect();
                self.doings.push((visitor.connection, Doing::Listens(taken, leave.clone())));
                take.iter().zip(listening).try_for_each(|(pipe, listening)| self.truth.listened(pipe, listening))
            }
            (Ask::Publish(publish), Answer::Published(Ok(published))) => self.truth.published(publish, published),
            (Ask::Recover { pipe, after }, Answer::Recovered(Ok(Recovered::Lost(now)))) => {
                self.losses.entry((shard, pipe.clone())).or_default().push((*after, *now));
                self.losses_count += 1;
                self.truth.may_lose(pipe, *after)
            }
            (Ask::Read { pipe, since: Since::Untaken }, Answer::Page(Ok(page))) => {
                let Whose::Connection(id) = whose else { return Ok(()) };
                let since = Position { index: self.truth.taken(pipe), ..page.up_to };
                self.doings.push((*id, Doing::ReadsLog(pipe.clone(), since)));
                Ok(())
            }
            (Ask::Take { log, index }, Answer::Taken(Ok(()))) => {
                let told = self.truth.told(log);
                told.taken = told.taken.max(*index);
                Ok(())
            }
            (Ask::Recover { .. }, Answer::Recovered(Ok(_)))
            | (Ask::Read { .. }, Answer::Page(Ok(_)))
            | (Ask::Authorise(_), Answer::Authorised(Ok(true))) => Ok(()),
            _ => Err(format!("the node has answered {}", outcome(answer))),
        }
    }

    /// Whether the store has told this shard that something is lost, up to where the pipe stood, or stood a while ago.
    pub fn has_lost(&self, shard: usize, pipe: &Pipe, loss: Loss) -> bool {
        let losses = self.losses.get(&(shard, pipe.clone()));
        losses.is_some_and(|losses| {
            losses.iter().any(|(_, up_to)| match loss {
                Loss::UpTo(position) => *up_to == position,
                Loss::Before(position) => up_to.epoch == position.epoch && up_to.index <= position.index,
            })
        })
    }

    /// Whether this message is one that the store has given up.
    pub fn is_lost(&self, shard: usize, pipe: &Pipe, message: Position) -> bool {
        let losses = self.losses.get(&(shard, pipe.clone()));
        losses.is_some_and(|losses| {
            losses.iter().any(|(after, up_to)| {
                let is_behind = after.epoch != up_to.epoch || message.index > after.index;
                message.epoch == up_to.epoch && message.index <= up_to.index && is_behind
            })
        })
    }

    pub fn forward(&mut self, millis: u64) {
        self.clock.forward(millis);
        self.truth.now += millis;
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.trace.push_back(line());
        }
        if self.trace.len() > self.trace_lines_max {
            self.trace.pop_front();
        }
    }

    pub fn check(&mut self, done: Result<(), String>) {
        if let (Err(wrong), None) = (done, &self.wrong) {
            self.wrong = Some(wrong);
        }
    }

    pub fn trace(&self) -> String {
        self.trace.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

pub fn who(whose: &Whose) -> String {
    match whose {
        Whose::Connection(id) => format!("for {}.{}", id.slot, id.serial),
        Whose::Pipe(missing) => format!("missing behind {}", missing.behind.index),
    }
}

pub fn what(ask: &Ask) -> String {
    let names = |pipes: &[Pipe]| pipes.iter().map(Pipe::shown_name).collect::<Vec<_>>().join(",");
    match ask {
        Ask::Authorise(_) => "authorise".into(),
        Ask::Listen { take, leave, .. } => format!("listen +{} -{}", names(take), names(leave)),
        Ask::Recover { pipe, after } => format!("recover {} behind {}", pipe.shown_name(), after.index),
        Ask::Read { pipe, since } => format!("read {} {since:?}", pipe.shown_name()),
        Ask::Take { index, .. } => format!("take {index}"),
        Ask::Publish(publish) => {
            format!("publish {} {}", publish.pipe.shown_name(), shortened(publish.message.as_str()))
        }
        _ => "something else".into(),
    }
}

pub fn outcome(answer: &Answer) -> String {
    match answer {
        Answer::Listening(Ok(listening)) => {
            format!("{:?}", listening.iter().map(|listening| listening.position.index).collect::<Vec<_>>())
        }
        Answer::Recovered(Ok(Recovered::Page(page))) | Answer::Page(Ok(page)) => {
            let indexes: Vec<u64> = page.messages.iter().map(|delivery| delivery.position.index).collect();
            format!("{indexes:?} up to {}, more {}", page.up_to.index, page.more)
        }
        Answer::Recovered(Ok(Recovered::Lost(now))) => format!("lost up to {}", now.index),
        Answer::Published(Ok(published)) => format!("{}, repeat {}", published.position.index, published.is_repeat),
        other => format!("{other:?}"),
    }
}

pub fn shortened(text: &str) -> &str {
    &text[..text.len().min(12)]
}

/// What matters of a frame.
pub fn shortened_frame(json: &serde_json::Value) -> String {
    let text = |key: &str| json[key].as_str().map_or(String::new(), |text| format!(" {}", shortened(text)));
    let position = json["position"][1].as_u64().map_or(String::new(), |index| format!(" {index}"));
    let recovered = json["recovered"].as_bool().map_or(String::new(), |recovered| format!(" recovered {recovered}"));
    format!("{}{}{position}{recovered}{}", text("is"), text("pipe"), text("data"))
}
