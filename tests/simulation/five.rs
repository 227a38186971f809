//! A browser of generation 5: it knows what it has, says so when it comes back, and checks every frame.

use std::collections::{BTreeMap, VecDeque};

use cometql::pipe::{Pipe, PipeName, Position};
use cometql::user::{TenantId, UserId};
use serde_json::{Value, json};

use super::random::Random;
use super::socket::Socket;
use super::truth::{Truth, plain};

pub const TENANT: TenantId = TenantId(0);
/// What every user logs in with.
pub const KEY: &str = "key";

pub fn named(name: &str) -> Pipe {
    Pipe::Named(TENANT, PipeName::for_publish(name).expect("a name"))
}

#[derive(Default)]
pub struct Five {
    pub user: Option<UserId>,
    /// What it has of each pipe it wants, `msg` among them.
    pub has: BTreeMap<String, Has>,
    /// What has not been answered yet.
    said: VecDeque<(u64, Said)>,
    commands: u64,
    /// Messages it has published and that were not answered, or that it says again.
    pub wishes: Vec<Wish>,
    /// How often it was told that something is lost.
    pub gaps: usize,
    pub messages: usize,
}

#[derive(Clone, Copy, Default, Debug)]
pub struct Has {
    pub position: Option<Position>,
    /// Whether this connection is subscribed.
    pub is_live: bool,
}

#[derive(Clone)]
pub struct Wish {
    pub pipe: String,
    pub text: String,
    pub uuid: String,
}

enum Said {
    Subscribe { wanted: VecDeque<Wanted>, history: Vec<u64> },
    Unsubscribe(Vec<String>),
    Publish(Wish),
}

struct Wanted {
    pipe: String,
    position: Option<Position>,
    last: Option<usize>,
}

/// Whether the store has given up something of a pipe.
pub type Losses<'l> = &'l dyn Fn(&Pipe, Loss) -> bool;

/// Where the store has said that a pipe stands of which something is lost.
#[derive(Clone, Copy)]
pub enum Loss {
    UpTo(Position),
    /// Somewhere before: what is newest was read since.
    Before(Position),
}

fn position_of(json: &Value) -> Option<Position> {
    Some(Position { epoch: json["position"][0].as_u64()?, index: json["position"][1].as_u64()? })
}

fn shown(position: Position) -> Value {
    json!([position.epoch, position.index])
}

impl Five {
    pub fn new(user: Option<UserId>) -> Five {
        Five { user, ..Five::default() }
    }

    fn pipe(&self, name: &str) -> Pipe {
        match self.user {
            Some(user) if name == "msg" => Pipe::Log(TENANT, user),
            _ => named(name),
        }
    }

    /// Says who it is, and takes again what it had.
    pub fn greet(&mut self, socket: &mut Socket, random: &mut Random) {
        self.said.clear();
        for has in self.has.values_mut() {
            has.is_live = false;
        }
        self.has.retain(|_, has| has.position.is_some());
        let mut hello = json!({"do": "hello", "uuid": "a"});
        if let Some(user) = self.user {
            (hello["user"], hello["key"]) = (json!(user.number()), json!(KEY));
            // A device that has forgotten everything is a new one.
            if random.percent(10) {
                self.has.remove("msg");
            }
            if let Some(position) = self.has.get("msg").and_then(|has| has.position) {
                hello["position"] = shown(position);
            }
            self.has.entry("msg".to_owned()).or_default();
        }
        socket.say(&hello.to_string());
        let again: Vec<String> = self.has.keys().filter(|name| *name != "msg").cloned().collect();
        if !again.is_empty() {
            self.subscribe(&again, socket, random);
        }
    }

    pub fn subscribe(&mut self, names: &[String], socket: &mut Socket, random: &mut Random) {
        let mut wanted = VecDeque::new();
        for pipe in names {
            let has = self.has.entry(pipe.clone()).or_default().position;
            // Seldom it does not care for what it missed.
            let position = has.filter(|_| random.percent(92));
            let last = random.percent(20).then(|| random.below(5));
            wanted.push_back(Wanted { pipe: pipe.clone(), position, last });
        }
        let pipes: Vec<Value> = wanted
            .iter()
            .map(|wanted| {
                let mut json = json!({"pipe": wanted.pipe});
                if let Some(position) = wanted.position {
                    json["position"] = shown(position);
                }
                if let Some(last) = wanted.last {
                    json["last"] = json!(last);
                }
                json
            })
            .collect();
        self.command(
            json!({"do": "subscribe", "pipes": pipes}),
            Said::Subscribe { wanted, history: Vec::new() },
            socket,
        );
    }

    pub fn unsubscribe(&mut self, name: &str, socket: &mut Socket) {
        let names = vec![name.to_owned()];
        self.command(json!({"do": "unsubscribe", "pipes": names}), Said::Unsubscribe(names), socket);
    }

    pub fn publish(&mut self, wish: Wish, socket: &mut Socket) {
        let json = json!({"do": "publish", "pipe": wish.pipe, "event": "e", "data": wish.text, "uuid": wish.uuid});
        self.command(json, Said::Publish(wish), socket);
    }

    /// Says that it has read its log.
    pub fn take(&self, socket: &mut Socket) {
        if let Some(Has { position: Some(position), is_live: true }) = self.has.get("msg") {
            socket.say(&json!({"do": "taken", "position": shown(*position)}).to_string());
        }
    }

    fn command(&mut self, mut json: Value, said: Said, socket: &mut Socket) {
        self.commands += 1;
        json["id"] = json!(self.commands);
        socket.say(&json.to_string());
        self.said.push_back((self.commands, said));
    }

    /// A frame has come.
    pub fn frame(&mut self, json: &Value, truth: &Truth, losses: Losses<'_>) -> Result<(), String> {
        let done = match json["is"].as_str().unwrap_or_default() {
            "welcome" => self.welcome(json),
            "message" => self.message(json, truth),
            "gap" => self.gap(json, losses),
            "subscribed" => self.subscribed(json, truth, losses),
            "history" => self.history(json, truth),
            "answer" => self.answer(json),
            other => Err(format!("nobody asked for {other}")),
        };
        done.map_err(|wrong| format!("{wrong}, as it was told {json}"))
    }

    fn welcome(&self, json: &Value) -> Result<(), String> {
        let user = json["user"].as_u64();
        (user == self.user.map(|user| u64::from(user.number())))
            .then_some(())
            .ok_or_else(|| "it is somebody else".into())
    }

    fn message(&mut self, json: &Value, truth: &Truth) -> Result<(), String> {
        let name = json["pipe"].as_str().unwrap_or_default();
        let (pipe, position) = (self.pipe(name), position_of(json).ok_or("it has no position")?);
        let has = self.has.get_mut(name).filter(|has| has.is_live).ok_or("it is not subscribed")?;
        let before = has.position.ok_or("it knows of no position")?;
        if before.epoch != position.epoch {
            return Err(format!("there is no gap behind {before:?}"));
        }
        if position.index <= before.index {
            return Err(format!("it has that, being at {before:?}"));
        }
        if let Some(missing) = truth.first_between(&pipe, position.epoch, (before.index, position.index), None) {
            return Err(format!("it lacks {missing}, being at {before:?}"));
        }
        let text = plain(json["data"].as_str().unwrap_or_default());
        if truth.text(&pipe, position) != Some(text) {
            return Err(format!("that should be {:?}", truth.text(&pipe, position)));
        }
        has.position = Some(position);
        self.messages += 1;
        Ok(())
    }

    fn gap(&mut self, json: &Value, losses: Losses<'_>) -> Result<(), String> {
        let name = json["pipe"].as_str().unwrap_or_default();
        let (pipe, position) = (self.pipe(name), position_of(json).ok_or("it has no position")?);
        let has = self.has.get_mut(name).filter(|has| has.is_live).ok_or("it is not subscribed")?;
        let before = has.position.ok_or("it knows of no position")?;
        if before.epoch == position.epoch && position.index <= before.index {
            return Err(format!("nothing of that is missing, being at {before:?}"));
        }
        if !losses(&pipe, Loss::UpTo(position)) {
            return Err("the store has lost nothing there".into());
        }
        has.position = Some(position);
        self.gaps += 1;
        Ok(())
    }

    fn subscribed(&mut self, json: &Value, truth: &Truth, losses: Losses<'_>) -> Result<(), String> {
        let name = json["pipe"].as_str().unwrap_or_default().to_owned();
        let (pipe, position) = (self.pipe(&name), position_of(json));
        let mut history = Vec::new();
        let (wanted, last) = match self.said.front_mut() {
            _ if name == "msg" => (self.has.get("msg").and_then(|has| has.position), None),
            Some((id, Said::Subscribe { wanted, history: read })) if json["id"].as_u64() == Some(*id) => {
                // What it had already is told before what has to be read.
                let at = wanted.iter().position(|wanted| wanted.pipe == name).ok_or("it has not asked for that")?;
                let wanted = wanted.remove(at).ok_or("it has not asked for that")?;
                history = std::mem::take(read);
                (wanted.position, wanted.last)
            }
            _ => return Err("it has not asked for that".into()),
        };
        let has = self.has.entry(name.clone()).or_default();
        let Some(position) = position else {
            return has.is_live.then_some(()).ok_or_else(|| "it was not subscribed".into());
        };
        match (wanted, json["recovered"].as_bool()) {
            (None, None) => {}
            (Some(wanted), Some(true)) if wanted == position => {}
            (Some(_), Some(false)) if losses(&pipe, Loss::Before(position)) => self.gaps += 1,
            (wanted, recovered) => return Err(format!("it wanted {wanted:?}, and recovered is {recovered:?}")),
        }
        (has.position, has.is_live) = (Some(position), true);
        if json["recovered"].as_bool() != Some(true) {
            Self::check_start(&pipe, position, (last, &history), truth)?;
        }
        Ok(())
    }

    /// Whoever begins without a position has the newest before it, if it wanted them; and of a log what was not taken
    /// stands behind it.
    fn check_start(
        pipe: &Pipe,
        position: Position,
        (last, history): (Option<usize>, &[u64]),
        truth: &Truth,
    ) -> Result<(), String> {
        if let Pipe::Log(..) = pipe {
            let taken = truth.taken(pipe);
            let skipped = truth.first_between(pipe, position.epoch, (taken, position.index + 1), None);
            return skipped.map_or(Ok(()), |index| Err(format!("nobody has taken {index}")));
        }
        if history.len() > last.unwrap_or(0) {
            return Err(format!("of the last {last:?} it got {history:?}"));
        }
        let ends = history.iter().copied().chain([position.index + 1]);
        for (behind, before) in history.iter().copied().zip(ends.skip(1)) {
            if let Some(missing) = truth.first_between(pipe, position.epoch, (behind, before), None)
                && truth.is_kept(pipe, missing)
            {
                return Err(format!("the history lacks {missing}"));
            }
        }
        Ok(())
    }

    fn history(&mut self, json: &Value, truth: &Truth) -> Result<(), String> {
        let pipe = self.pipe(json["pipe"].as_str().unwrap_or_default());
        let Some((_, Said::Subscribe { history, .. })) = self.said.front_mut() else {
            return Err("it has not asked for that".into());
        };
        for message in json["messages"].as_array().into_iter().flatten() {
            let position = position_of(message).ok_or("it has no position")?;
            let text = plain(message["data"].as_str().unwrap_or_default());
            if truth.text(&pipe, position) != Some(text) || history.last().is_some_and(|last| *last >= position.index) {
                return Err(format!("that is not history behind {history:?}"));
            }
            history.push(position.index);
        }
        Ok(())
    }

    fn answer(&mut self, json: &Value) -> Result<(), String> {
        let (id, said) = self.said.pop_front().ok_or("it has asked nothing")?;
        if json["id"].as_u64() != Some(id) {
            return Err(format!("{id} was to be answered"));
        }
        match said {
            Said::Subscribe { wanted, .. } if !wanted.is_empty() => Err("some are not subscribed".into()),
            Said::Subscribe { .. } => Ok(()),
            Said::Unsubscribe(names) => {
                self.has.retain(|name, _| !names.contains(name));
                Ok(())
            }
            Said::Publish(wish) => {
                self.wishes.retain(|waiting| waiting.uuid != wish.uuid);
                (json["uuid"] == wish.uuid).then_some(()).ok_or_else(|| "that is another uuid".into())
            }
        }
    }

    /// At the end it has everything.
    pub fn check_end(&self, truth: &Truth) -> Result<(), String> {
        if let Some((id, _)) = self.said.front() {
            return Err(format!("{id} was never answered"));
        }
        for (name, has) in &self.has {
            let pipe = self.pipe(name);
            let (Some(position), Some(newest)) = (has.position, truth.newest(&pipe)) else {
                return Err(format!("{name} was never subscribed"));
            };
            let lacks = position.epoch != newest.epoch
                || truth.first_between(&pipe, newest.epoch, (position.index, newest.index + 1), None).is_some();
            if !has.is_live || lacks {
                return Err(format!("of {name} it has {has:?} and not {newest:?}"));
            }
        }
        Ok(())
    }
}
