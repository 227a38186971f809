//! What happens next: one of many things, by chance.

use std::sync::Arc;

use cometql::node::Publish;
use cometql::pipe::{Event, Message, MessageId, Pipe, Retention};
use cometql::user::UserId;
use uuid::Uuid;

use super::five::{Five, TENANT, Wish, named};
use super::house::{SHARDS, shortened, who};
use super::random::Random;
use super::truth::plain;
use super::world::{Browser, Kind, World};

/// The pipes that browsers subscribe to. Some keep messages from the beginning.
const NAMES: [&str; 6] = ["room", "hall", "kept", "web_chat", "web_kept", "trust_me"];
/// Names that nobody subscribes to.
const CROWD: usize = 1_500;

impl World {
    /// What is set before anybody comes.
    pub fn begin(&mut self) {
        for name in ["kept", "web_kept"] {
            self.retain(&named(name), Some(Retention { length: 20, ttl_seconds: None }));
        }
    }

    pub fn do_something(&mut self) {
        let reading = self.house.plan.reading;
        let shard = self.house.random.below(SHARDS);
        let browser = self.house.random.below(self.browsers.len());
        match self.house.random.below(100) {
            0..=11 => self.deliver(shard),
            12..=21 => self.run_one(),
            22..=33 => self.answer_one(),
            34..=48 => self.publish_some(),
            49..=59 => {
                let bytes_max = self.house.random.pick(&[30, 300, 100_000, 100_000]);
                for turn in 0..3 {
                    self.carry_up((browser + turn) % self.browsers.len(), bytes_max);
                }
            }
            60..=81 => {
                if self.house.random.below(12) < reading {
                    let bytes_max = self.house.random.pick(&[50, 1_000, 100_000, 100_000]);
                    for turn in 0..3 {
                        self.carry_down((browser + turn) % self.browsers.len(), bytes_max);
                    }
                }
            }
            82..=93 => self.act(browser),
            94 => self.erase_some(),
            95 => self.set_some(),
            96 => self.turn_deaf(shard),
            _ => self.pass_time(shard),
        }
    }

    /// Some of what is on its way arrives.
    pub fn deliver(&mut self, shard: usize) {
        let count = 1 + self.house.random.below(5);
        let queue = &mut self.house.news[shard];
        let portion: Vec<_> = queue.drain(..count.min(queue.len())).collect();
        if !portion.is_empty() {
            let indexes: Vec<String> = portion
                .iter()
                .map(|news| match news.delivery() {
                    Some(delivery) => format!("{} {}", delivery.pipe.shown_name(), delivery.position.index),
                    None => "loss".into(),
                })
                .collect();
            self.house.note(|| format!("shard {shard} hears {}", indexes.join(", ")));
            let now = self.house.node.clock().now();
            self.step(shard, |shard, ask| shard.news(portion, now, ask));
        }
    }

    /// Something that was asked is done; its answer sets out.
    pub fn run_one(&mut self) {
        if !self.house.asks.is_empty() {
            let at = self.house.random.below(self.house.asks.len());
            let asked = self.house.asks.swap_remove(at);
            let answer = self.house.run(asked.shard, &asked.whose, asked.ask);
            self.tell_fours();
            self.house.answers.push((asked.shard, asked.whose, answer));
        }
    }

    pub fn answer_one(&mut self) {
        if !self.house.answers.is_empty() {
            let at = self.house.random.below(self.house.answers.len());
            let (shard, whose, answer) = self.house.answers.swap_remove(at);
            let now = self.now();
            self.house.note(|| format!("shard {shard} has an answer {}", who(&whose)));
            self.step(shard, |shard, ask| shard.answered(whose, answer, now, ask));
        }
    }

    fn text(&mut self) -> String {
        self.texts += 1;
        let lengths = if self.house.plan.is_gentle { [0, 10, 200, 500] } else { [0, 100, 3_000, 30_000] };
        let length = if self.house.random.percent(70) { 0 } else { self.house.random.pick(&lengths) };
        format!("m{}{}", self.texts, "~".repeat(length))
    }

    fn any_pipe(&mut self) -> Pipe {
        match self.house.random.below(8) {
            user @ 0..=1 => Pipe::Log(TENANT, UserId::new(1 + user as u64).expect("a user")),
            _ => named(self.house.random.pick(&NAMES)),
        }
    }

    fn publish_some(&mut self) {
        let count = if self.house.random.percent(80) { 1 } else { 2 + self.house.random.below(4) };
        let mut batch = Vec::new();
        for _ in 0..count {
            let (pipe, text, id) = (self.any_pipe(), self.text(), MessageId(uuid_of(&mut self.house.random)));
            batch.push(publish(pipe, id, text));
        }
        // A backend that heard no answer says it once more, at once or later.
        if self.house.random.percent(15) {
            batch.iter_mut().for_each(|publish| publish.id_is_chosen = true);
            self.publish(&batch);
        }
        self.publish(&batch);
    }

    fn publish(&mut self, batch: &[Publish]) {
        let (node, of) = (Arc::clone(&self.house.node), batch.to_vec());
        let done = self.house.wait(async move { node.publish(of).await });
        match done {
            Ok(published) => {
                for (publish, published) in batch.iter().zip(published) {
                    let (pipe, text) = (publish.pipe.shown_name(), shortened(publish.message.as_str()));
                    self.house.note(|| format!("{text} is {pipe} {}", published.position.index));
                    let done = self.house.truth.published(publish, &published);
                    self.house.check(done);
                }
            }
            Err(error) => self.house.check(Err(format!("it was not published: {error}"))),
        }
    }

    fn act(&mut self, number: usize) {
        let Browser { socket, kind } = &mut self.browsers[number];
        let random = &mut self.house.random;
        let Some(socket) = socket else {
            return if random.percent(60) {
                self.connect(number)
            };
        };
        match random.below(24) {
            0..=2 => return self.disconnect(number),
            3 => return socket.close(),
            _ => {}
        }
        match kind {
            Kind::Four(four) if random.percent(50) => {
                let name = random.pick(&NAMES).to_owned();
                if !four.wants.remove(&name) {
                    four.wants.insert(name);
                }
                four.say_wants(socket);
            }
            Kind::Four(_) => {
                let name = random.pick(&["web_chat", "web_kept"]);
                let text = self.text();
                if let Some(socket) = &mut self.browsers[number].socket {
                    socket.say(&format!("web_pipe2\n{name}\ne\n*\n{text}"));
                }
            }
            Kind::Five(_) => self.act_five(number),
        }
    }

    fn act_five(&mut self, number: usize) {
        let text = self.text();
        let random = &mut self.house.random;
        let Browser { socket: Some(socket), kind: Kind::Five(five) } = &mut self.browsers[number] else { return };
        match random.below(10) {
            0..=4 => {
                let count = 1 + random.below(3);
                let mut names: Vec<String> = (0..count).map(|_| random.pick(&NAMES).to_owned()).collect();
                names.sort_unstable();
                names.dedup();
                five.subscribe(&names, socket, random);
            }
            5 => five.unsubscribe(random.pick(&NAMES), socket),
            6 => five.take(socket),
            _ => say(five, &text, random, socket),
        }
    }

    fn erase_some(&mut self) {
        let pipe = self.any_pipe();
        let newest = self.house.truth.newest(&pipe).map_or(0, |newest| newest.index);
        let indexes: Vec<u64> = (0..1 + self.house.random.below(3))
            .map(|_| newest.saturating_sub(self.house.random.below(6) as u64))
            .collect();
        self.house.note(|| format!("{} loses {indexes:?} by hand", pipe.shown_name()));
        let (store, of, erased) = (Arc::clone(&self.house.store), pipe.clone(), indexes.clone());
        let done = self.house.wait(async move { store.erase(&of, &erased).await });
        self.house.check(done.map(drop).map_err(|error| error.to_string()));
        self.house.truth.erased(&pipe, &indexes);
    }

    fn set_some(&mut self) {
        if self.house.plan.is_gentle {
            return;
        }
        let pipe = named(self.house.random.pick(&NAMES));
        let length = self.house.random.pick(&[0, 1, 5, 300]);
        let ttl_seconds = self.house.random.pick(&[None, None, Some(1), Some(40)]);
        let retention = self.house.random.percent(70).then_some(Retention { length, ttl_seconds });
        self.retain(&pipe, retention);
    }

    fn retain(&mut self, pipe: &Pipe, retention: Option<Retention>) {
        self.house.note(|| format!("{} keeps {retention:?}", pipe.shown_name()));
        let (store, of) = (Arc::clone(&self.house.store), pipe.clone());
        let done = self.house.wait(async move {
            match retention {
                Some(retention) => store.set_retention(&of, retention).await,
                None => store.remove_retention(&of).await.map(drop),
            }
        });
        self.house.check(done.map_err(|error| error.to_string()));
        self.house.truth.retained(pipe, retention);
    }

    fn turn_deaf(&mut self, shard: usize) {
        if self.house.plan.loss_percent > 0 {
            self.house.is_deaf[shard] ^= true;
        }
    }

    fn pass_time(&mut self, shard: usize) {
        let is_long = !self.house.plan.is_gentle && self.house.random.percent(12);
        let millis = if is_long { self.house.random.pick(&[2_000, 30_000, 61_000, 301_000]) } else { 20 };
        let millis = millis + self.house.random.below(40) as u64;
        self.house.forward(millis);
        if self.house.plan.has_crowd && !self.house.plan.is_gentle && self.house.random.percent(20) {
            self.crowd();
            self.house.forward(601_000);
            self.crowd();
        }
        let now = self.now();
        if self.house.random.percent(30) {
            self.step(shard, |shard, ask| shard.tick(now, ask));
        }
    }

    fn crowd(&mut self) {
        self.texts += CROWD;
        let names = (0..CROWD).map(|name| named(&format!("once_{}_{name}", self.texts)));
        let batch = names.map(|pipe| publish(pipe, MessageId(Uuid::nil()), "m".into())).collect();
        let node = Arc::clone(&self.house.node);
        self.house.note(|| "a crowd of names".into());
        let done = self.house.wait(async move { node.publish(batch).await });
        self.house.check(done.map(drop).map_err(|error| error.to_string()));
    }
}

/// A browser publishes something new, or says once more what it has said.
fn say(five: &mut Five, text: &str, random: &mut Random, socket: &mut super::socket::Socket) {
    if !five.wishes.is_empty() && random.percent(50) {
        let wish = random.pick(&five.wishes);
        return five.publish(wish, socket);
    }
    let pipe = random.pick(&["web_chat", "web_kept"]).to_owned();
    let wish = Wish { pipe, text: plain(text).to_owned(), uuid: uuid_of(random).to_string() };
    five.wishes.push(wish.clone());
    five.publish(wish, socket);
}

fn uuid_of(random: &mut Random) -> Uuid {
    Uuid::from_u128((random.below(usize::MAX) as u128) << 64 | random.below(usize::MAX) as u128 | 1)
}

fn publish(pipe: Pipe, id: MessageId, text: String) -> Publish {
    Publish {
        pipe,
        id,
        id_is_chosen: false,
        event: "e".parse::<Event>().expect("an event"),
        message: Message::new(text, usize::MAX).expect("a message"),
        user: None,
        origin: None,
        sender_listens: false,
    }
}
