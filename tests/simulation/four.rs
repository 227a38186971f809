//! A browser of generation 4: it knows no positions, so it is known here what it is subscribed to and since when.

use std::collections::{BTreeMap, BTreeSet};

use cometql::pipe::{ConnectionId, Pipe, Position};
use cometql::user::UserId;
use serde_json::Value;

use super::five::{KEY, TENANT, named};
use super::random::Random;
use super::socket::Socket;
use super::truth::{Truth, plain};

#[derive(Default)]
pub struct Four {
    pub user: Option<UserId>,
    pub wants: BTreeSet<String>,
    /// What this connection has had of each pipe.
    heard: BTreeMap<Pipe, Heard>,
    pub id: Option<ConnectionId>,
}

#[derive(Default, Debug)]
struct Heard {
    /// Behind this it must have everything; before it is known, whatever comes.
    since: Option<Position>,
    last: Option<Position>,
    is_on: bool,
}

/// Whether a message of a pipe was given up for this shard.
pub type Excused<'l> = &'l dyn Fn(&Pipe, Position) -> bool;

impl Four {
    pub fn new(user: Option<UserId>) -> Four {
        Four { user, ..Four::default() }
    }

    pub fn target(&self) -> String {
        let (key, user) = self.user.map_or(("", 0), |user| (KEY, user.number()));
        format!("/ws/sesion={key}&myid={user}&devid=0&v=4.08&uuid=b&api=js")
    }

    pub fn greet(&mut self, socket: &mut Socket, random: &mut Random) {
        self.heard.clear();
        if random.percent(80) {
            self.say_wants(socket);
        }
    }

    pub fn say_wants(&self, socket: &mut Socket) {
        let names: Vec<&str> = self.wants.iter().map(String::as_str).collect();
        socket.say(&format!("subscription\n{}", names.join("\n")));
    }

    /// The node has taken and left pipes for it.
    pub fn listens(&mut self, taken: &[(Pipe, Position)], left: &[Pipe]) {
        for pipe in left {
            self.heard.entry(pipe.clone()).or_default().is_on = false;
        }
        for (pipe, position) in taken {
            // Of its log it gets what was not taken, which is found out when it is read.
            if matches!(pipe, Pipe::Named(..)) {
                let heard = self.heard.entry(pipe.clone()).or_default();
                (heard.since, heard.is_on) = (Some(*position), true);
            }
        }
    }

    /// What was not taken of its log has been read.
    pub fn reads_log(&mut self, pipe: &Pipe, since: Position) {
        let heard = self.heard.entry(pipe.clone()).or_default();
        (heard.since, heard.is_on) = (Some(since), true);
    }

    pub fn frame(&mut self, json: &Value, truth: &Truth, excused: Excused<'_>) -> Result<(), String> {
        let name = json["pipe"].as_str().unwrap_or_default();
        if name == "sys" || name.starts_with("_answer") {
            return match json["event"] == "error" {
                true => Err(format!("it was refused: {json}")),
                false => Ok(()),
            };
        }
        let pipe = match self.user {
            Some(user) if name == "msg" => Pipe::Log(TENANT, user),
            _ => named(name),
        };
        let text = plain(json["data"].as_str().unwrap_or_default());
        let second = json["message_send_time"].as_u64().unwrap_or_default();
        let place = truth.place_of(text, &pipe, second);
        let position = place.ok_or_else(|| format!("nobody said that: {json}"))?;
        if truth.is_from(&pipe, position, self.id) {
            return Err(format!("its own came back: {json}"));
        }
        let heard = self.heard.entry(pipe.clone()).or_default();
        let last = heard.last.filter(|last| last.epoch == position.epoch);
        if last.is_some_and(|last| last.index >= position.index) {
            return Err(format!("it has had {last:?}: {json} at {position:?}"));
        }
        let done = heard.lacks_nothing(&pipe, position.epoch, position.index, self.id, truth, excused);
        heard.last = Some(position);
        done.map_err(|wrong| format!("{wrong}, as it was told {json} at {position:?}"))
    }

    /// At the end it has everything that came while it was subscribed.
    pub fn check_end(&self, truth: &Truth, excused: Excused<'_>) -> Result<(), String> {
        for (pipe, heard) in self.heard.iter().filter(|(_, heard)| heard.is_on) {
            if let Some(newest) = truth.newest(pipe) {
                heard.lacks_nothing(pipe, newest.epoch, newest.index + 1, self.id, truth, excused)?;
            }
        }
        let is_on = |name: &String| self.heard.get(&named(name)).is_some_and(|heard| heard.is_on);
        match self.wants.iter().find(|name| !is_on(name)) {
            Some(name) => Err(format!("{name} was never subscribed")),
            None => Ok(()),
        }
    }
}

impl Heard {
    /// Between the last message and another before which all must be there.
    fn lacks_nothing(
        &self,
        pipe: &Pipe,
        epoch: u64,
        before: u64,
        own: Option<ConnectionId>,
        truth: &Truth,
        excused: Excused<'_>,
    ) -> Result<(), String> {
        let index = |position: Option<Position>| position.filter(|position| position.epoch == epoch).map(|is| is.index);
        let Some(since) = index(self.since) else { return Ok(()) };
        let mut behind = index(self.last).unwrap_or(0).max(since);
        while let Some(missing) = truth.first_between(pipe, epoch, (behind, before), own) {
            if !excused(pipe, Position { epoch, index: missing }) {
                return Err(format!("it lacks {missing} of {pipe:?}: {self:?}"));
            }
            behind = missing;
        }
        Ok(())
    }
}
