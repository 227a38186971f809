//! A browser of generation 5 commands: `docs/PROTOCOL.md`.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;

use super::following::{Otherwise, Start};
use super::publishing::Wish;
use super::{Ending, Next, Reply, Session, Surroundings, Waits};
use crate::frame::five::{self, Command, Misunderstood, Spoken, Wanted};
use crate::node::Ask;
use crate::pipe::{Pipe, PipeKind, PipeName, Position};
use crate::user::{Credentials, UserId};

impl Session {
    pub(super) fn commanded(&mut self, text: &str, around: &mut Surroundings<'_>) -> Next {
        match Spoken::parse(text, around.terms.subscriptions_max) {
            Ok(Spoken { command: Command::Hello { uuid, user, position }, .. }) if !self.is_introduced => {
                self.hello(&uuid, user, position, around)
            }
            Ok(Spoken { command: Command::Hello { .. }, .. }) => Next::close(Ending::NoHello),
            _ if !self.is_introduced => Next::close(Ending::NoHello),
            Ok(Spoken { id, command }) => self.command(id.unwrap_or_default(), command, around),
            Err(Misunderstood { id, mistake }) => {
                around.outboxes.push(self.id.slot, five::error(id, mistake.code, &mistake.text, None));
                Next::NOTHING
            }
        }
    }

    fn hello(
        &mut self,
        uuid: &str,
        user: Option<(UserId, Cow<'_, str>)>,
        log: Option<Position>,
        around: &mut Surroundings<'_>,
    ) -> Next {
        self.is_introduced = true;
        self.about.uuid = uuid.into();
        match user {
            Some((user, key)) => self.authorise(Credentials { tenant: self.tenant, user, key: key.into_owned() }, log),
            None => {
                self.greet("", around);
                Next::NOTHING
            }
        }
    }

    fn command(&mut self, id: u64, command: Command<'_>, around: &mut Surroundings<'_>) -> Next {
        let reply = Reply::Id(id);
        match command {
            Command::Subscribe(wanted) => self.subscribe(id, wanted, around),
            Command::Unsubscribe(names) => self.unsubscribe(id, &names, around),
            Command::Publish { name, event, text, uuid, is_anonymous } => {
                self.publish(&reply, Wish { name, event, text, is_anonymous, id: uuid }, around)
            }
            Command::History { name, last } => self.read_history(reply, name, last, around),
            Command::Count(name) => self.count(reply, name, around),
            Command::Users(name) if name.kind() == PipeKind::Track => self.users(reply, name),
            Command::Users(_) => self.refuse(&reply, 403, "Browsers list the users of track_* pipes only", around),
            Command::UserData(user) => self.wait(Waits::Data(user, reply), Ask::Data(self.tenant, user)),
            Command::Seen(user) => self.wait(Waits::Seen(user, reply), Ask::Seen(self.tenant, user)),
            Command::Taken(position) => self.has_taken(position, around),
            Command::Ping => {
                around.outboxes.push(self.id.slot, five::done(id));
                Next::NOTHING
            }
            // Said a second time, which was seen before it came here.
            Command::Hello { .. } => Next::close(Ending::NoHello),
        }
    }

    /// Adds pipes to those that are subscribed. Each that cannot be, or is already, is told first; the others stand.
    fn subscribe(&mut self, id: u64, wanted: Vec<Wanted>, around: &mut Surroundings<'_>) -> Next {
        let subscriptions = self.subscriptions.iter().map(|subscription| around.hub.pipe(*subscription).clone());
        let mut has: HashSet<Pipe> = subscriptions.collect();
        let (mut taken, mut told) = (Vec::new(), Vec::new());
        for Wanted { given, name, position, last } in wanted {
            let refusal = match &name {
                Err(error) => Some((400, format!("Not subscribed to a pipe that {error}"))),
                Ok(name) if !self.may_read(name) => Some((403, "Private pipes need a login".to_owned())),
                Ok(_) => None,
            };
            let (None, Ok(name)) = (&refusal, name) else {
                let (code, text) = refusal.unwrap_or_default();
                told.push(five::error(Some(id), code, &text, Some(&given)));
                continue;
            };
            let pipe = Pipe::Named(self.tenant, name);
            if has.contains(&pipe) {
                told.push(five::subscribed(Some(id), &given, None, None));
                continue;
            }
            if self.subscriptions.len() >= around.terms.subscriptions_max {
                let most = around.terms.subscriptions_max;
                let text = format!("A connection has at most subscriptions_max = {most}");
                told.push(five::error(Some(id), 429, &text, Some(&given)));
                continue;
            }
            let subscription = around.hub.subscribe(self.id.slot, self.generation, &pipe);
            self.subscriptions.push(subscription);
            has.insert(pipe);
            let otherwise = last.map_or(Otherwise::Now, Otherwise::Newest);
            taken.push((subscription, Start { behind: position, otherwise }));
        }
        if !told.is_empty() {
            // However many a list has, they are one answer, and no slowness.
            around.outboxes.push_page(self.id.slot, Bytes::from(told.concat()));
        }
        if taken.is_empty() {
            around.outboxes.push(self.id.slot, five::done(id));
            return Next::NOTHING;
        }
        self.follow(Some(id), taken, Vec::new(), around)
    }

    fn unsubscribe(&mut self, id: u64, names: &[PipeName], around: &mut Surroundings<'_>) -> Next {
        let names: HashSet<&PipeName> = names.iter().collect();
        let mut left = Vec::new();
        self.subscriptions.retain(|subscription| {
            let is_named = match around.hub.pipe(*subscription) {
                Pipe::Named(_, name) => names.contains(name),
                Pipe::Log(..) => false,
            };
            if is_named {
                left.push(*subscription);
            }
            !is_named
        });
        match self.departure(left, around.hub) {
            Some(ask) => self.wait(Waits::Leaving(id), ask),
            None => {
                around.outboxes.push(self.id.slot, five::done(id));
                Next::NOTHING
            }
        }
    }
}
