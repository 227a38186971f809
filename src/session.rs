//! What one browser may do: a state machine without a socket. Frames and answers go in; frames for the outbox and
//! asks of the node come out. Nothing in here waits.

mod commands;
mod following;
mod publishing;
mod reading;
mod subscribing;
#[cfg(test)]
mod tests;

use crate::clock::UnixMillis;
use crate::frame::{self, ClientFrame, five};
use crate::hub::{Hub, Outboxes, SubscriptionId};
use crate::node::{Answer, Ask, EarId, StoreError, Visitor};
use crate::pipe::{ConnectionId, HISTORY_LENGTH_MAX, MessageId, Pipe, PipeKind, PipeName, Position};
use crate::user::{About, Credentials, Generation, TenantId, UserId};

use self::following::Following;
use self::publishing::Wish;
use self::reading::{Reading, Receipts};

pub struct Session {
    id: ConnectionId,
    ear: EarId,
    tenant: TenantId,
    generation: Generation,
    /// Whether it has said who it is; generation 4 does so when it connects.
    is_introduced: bool,
    /// Known once authorised.
    user: Option<UserId>,
    about: About,
    subscriptions: Vec<SubscriptionId>,
    /// The user's own log.
    log: Option<SubscriptionId>,
    waits_for: Option<Waits>,
    receipts: Receipts,
}

/// What a session waits for, and what it needs when that is there. Its socket is not read meanwhile.
enum Waits {
    Authorisation {
        credentials: Box<Credentials>,
        /// How far this device has its user's log.
        log: Option<Position>,
    },
    /// To have left what `unsubscribe` said.
    Leaving(u64),
    Following(Box<Following>),
    /// To be told what became of this text.
    Report {
        name: PipeName,
        text: Box<str>,
    },
    Published {
        command: u64,
        id: MessageId,
    },
    Count(Reply),
    Users(Reply),
    Data(UserId, Reply),
    Seen(UserId, Reply),
    Page(Reading),
    /// Its outbox is to be empty before the next page is read.
    Room(Reading),
    RoomToFollow(Box<Following>),
}

/// By what a browser knows which of its questions is answered.
enum Reply {
    /// A text of its own, in generation 4; often empty.
    Marked(Box<str>),
    /// The number of the command.
    Id(u64),
}

/// What a browser says of itself when it connects.
#[derive(Debug)]
pub struct Hello {
    pub tenant: TenantId,
    /// Generation 5 shows them later, in its first frame.
    pub credentials: Option<Credentials>,
    /// The generation of the client library: 4 is the original's.
    pub major_version: u32,
    pub about: About,
}

/// What a session works on: the hub and the outboxes of its shard, the time, and what is said of the node.
pub struct Surroundings<'s> {
    pub hub: &'s mut Hub,
    pub outboxes: &'s mut Outboxes,
    pub now: UnixMillis,
    pub terms: five::Terms,
}

/// What is to be done after a step.
#[derive(Default)]
pub struct Next {
    pub ask: Option<Ask>,
    /// The connection is to be closed, once what waits for it has been sent.
    pub ending: Option<Ending>,
}

/// Why a session ends its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The store cannot be asked: come back later.
    NoStore,
    /// It speaks a generation that is not spoken here.
    UnknownGeneration,
    /// It has not said, or not properly, who it is.
    NoHello,
    /// What it has logged in with was taken back meanwhile.
    Revoked,
}

impl Next {
    const NOTHING: Next = Next { ask: None, ending: None };

    fn ask(ask: Ask) -> Next {
        Next { ask: Some(ask), ending: None }
    }

    fn close(ending: Ending) -> Next {
        Next { ask: None, ending: Some(ending) }
    }
}

impl Session {
    /// A browser has connected. Who shows credentials is greeted when they have been looked at.
    pub fn open(id: ConnectionId, ear: EarId, hello: Hello, around: &mut Surroundings<'_>) -> (Session, Next) {
        let generation = if hello.major_version > 4 { Generation::Five } else { Generation::Four };
        let mut session = Session {
            id,
            ear,
            tenant: hello.tenant,
            generation,
            is_introduced: generation == Generation::Four,
            user: None,
            about: hello.about,
            subscriptions: Vec::new(),
            log: None,
            waits_for: None,
            receipts: Receipts::default(),
        };
        let next = match (hello.major_version, hello.credentials) {
            (0..4, _) => {
                let text = "This client library is too old: load CometServerApi.js 4.0 or newer";
                around.outboxes.push(id.slot, frame::refusal(418, text, around.now));
                Next::close(Ending::UnknownGeneration)
            }
            (4, Some(credentials)) => session.authorise(credentials, None),
            (4, None) => {
                around.outboxes.push(id.slot, frame::server_info(false, "", around.now));
                Next::NOTHING
            }
            (5, _) => Next::NOTHING,
            _ => Next::close(Ending::UnknownGeneration),
        };
        (session, next)
    }

    fn wait(&mut self, waits_for: Waits, ask: Ask) -> Next {
        self.waits_for = Some(waits_for);
        Next::ask(ask)
    }

    /// Whether the socket must not be read until an answer is there.
    pub fn is_waiting(&self) -> bool {
        self.waits_for.is_some()
    }

    /// Whether an answer of the node is on its way.
    pub fn is_asking(&self) -> bool {
        !matches!(self.waits_for, None | Some(Waits::Room(_) | Waits::RoomToFollow(_)))
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether it has said who it is, or that it is a stranger.
    pub fn is_introduced(&self) -> bool {
        self.is_introduced
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// How many pipes it has subscribed to.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    pub fn about(&self) -> &About {
        &self.about
    }

    fn visitor(&self) -> Visitor {
        Visitor {
            connection: self.id,
            ear: self.ear,
            tenant: self.tenant,
            user: self.user,
            uuid: self.about.uuid.clone(),
        }
    }

    /// A frame has arrived.
    pub fn received(&mut self, text: &str, around: &mut Surroundings<'_>) -> Next {
        match self.generation {
            Generation::Four => self.received_of_original(text, around),
            Generation::Five => self.commanded(text, around),
        }
    }

    fn received_of_original(&mut self, text: &str, around: &mut Surroundings<'_>) -> Next {
        let nothing = || Reply::Marked(Box::default());
        match ClientFrame::parse(text) {
            ClientFrame::Subscription { names, refused, unnamed } => {
                self.tell_refused(&refused, unnamed, around);
                self.replace_subscriptions(names, around)
            }
            ClientFrame::Publish { name, event, text, is_anonymous } => {
                self.publish(&nothing(), Wish { name, event, text, is_anonymous, id: None }, around)
            }
            ClientFrame::Log(name) => self.read_history(nothing(), name, usize::from(HISTORY_LENGTH_MAX), around),
            ClientFrame::Count { name, marker } => self.count(Reply::Marked(marker.into()), name, around),
            ClientFrame::Users { name, marker } if name.kind() == PipeKind::Track => {
                self.users(Reply::Marked(marker.into()), name)
            }
            ClientFrame::Users { .. } => self.refuse_user("track_pipe_users lists track_* pipes only", around),
            ClientFrame::Data { user: Some(user), marker } => {
                self.wait(Waits::Data(user, Reply::Marked(marker.into())), Ask::Data(self.tenant, user))
            }
            ClientFrame::Status(Some(user)) => self.wait(Waits::Seen(user, nothing()), Ask::Seen(self.tenant, user)),
            ClientFrame::Data { user: None, .. } | ClientFrame::Status(None) => {
                self.refuse_user("That is no user: a number from 1 to 2147483647", around)
            }
            ClientFrame::Ignored => Next::NOTHING,
            ClientFrame::Malformed(what) => self.refuse(&nothing(), 400, &what, around),
            ClientFrame::Unknown => self.refuse(
                &nothing(),
                400,
                "Unknown command. Known are subscription, web_pipe2, pipe_log, pipe_count, track_pipe_users, \
                 user_data, user_status",
                around,
            ),
        }
    }

    fn count(&mut self, reply: Reply, name: PipeName, around: &mut Surroundings<'_>) -> Next {
        match name.kind() {
            PipeKind::Web | PipeKind::Track => {
                self.wait(Waits::Count(reply), Ask::Count(Pipe::Named(self.tenant, name)))
            }
            _ => self.refuse(&reply, 403, "Browsers count who subscribes to web_* and track_* pipes only", around),
        }
    }

    fn users(&mut self, reply: Reply, name: PipeName) -> Next {
        self.wait(Waits::Users(reply), Ask::Users(Pipe::Named(self.tenant, name)))
    }

    fn refuse(&self, reply: &Reply, code: u16, text: &str, around: &mut Surroundings<'_>) -> Next {
        let frame = match reply {
            Reply::Marked(_) => frame::command_error(text, around.now),
            Reply::Id(id) => five::error(Some(*id), code, text, None),
        };
        around.outboxes.push(self.id.slot, frame);
        Next::NOTHING
    }

    fn refuse_user(&self, text: &str, around: &mut Surroundings<'_>) -> Next {
        around.outboxes.push(self.id.slot, frame::user_error(text, around.now));
        Next::NOTHING
    }

    /// An answer of the node. One that is not waited for changes nothing.
    pub fn answered(&mut self, answer: Answer, around: &mut Surroundings<'_>) -> Next {
        if let Answer::Taken(taken) = answer {
            return self.taken(taken);
        }
        match (self.waits_for.take(), answer) {
            (Some(Waits::Authorisation { credentials, log }), Answer::Authorised(authorised)) => match authorised {
                Ok(is_authorised) => self.authorised(&credentials, log, is_authorised, around),
                Err(error) => Self::sent_away(&error),
            },
            (Some(Waits::Following(following)), answer) => self.followed(following, answer, around),
            (Some(Waits::Page(reading)), Answer::Page(page)) => self.page(reading, page, around),
            (Some(Waits::Leaving(command)), Answer::Listening(_)) => {
                around.outboxes.push(self.id.slot, five::done(command));
                Next::NOTHING
            }
            (Some(waits_for), answer) => self.replied(waits_for, answer, around),
            (None, _) => Next::NOTHING,
        }
    }

    /// The answer to a question goes on to who asked.
    fn replied(&mut self, waits_for: Waits, answer: Answer, around: &mut Surroundings<'_>) -> Next {
        let now = around.now;
        let (reply, frame) = match (waits_for, answer) {
            (Waits::Report { name, text }, Answer::Published(published)) => {
                let report = published.map(|published| frame::delivery_report(&name, &text, published.receivers, now));
                (Reply::Marked(Box::default()), report)
            }
            (Waits::Published { command, id }, Answer::Published(published)) => {
                (Reply::Id(command), published.map(|published| five::published(command, &published, id)))
            }
            (Waits::Count(reply), Answer::Count(count)) => {
                let frame = count.map(|count| match &reply {
                    Reply::Marked(marker) => frame::count(count, marker, now),
                    Reply::Id(id) => five::count(*id, count),
                });
                (reply, frame)
            }
            (Waits::Users(reply), Answer::Users(users)) => match users {
                Ok(users) => {
                    let frame = match &reply {
                        Reply::Marked(marker) => frame::users(&users, marker, now),
                        Reply::Id(id) => five::users(*id, &users),
                    };
                    (reply, Ok(frame))
                }
                Err(busy) => return self.refuse(&reply, 503, &format!("Try again: {busy}"), around),
            },
            (Waits::Data(user, reply), Answer::Data(data)) => {
                let frame = data.map(Option::unwrap_or_default).map(|data| match &reply {
                    Reply::Marked(marker) => frame::user_data(user, &data, marker, now),
                    Reply::Id(id) => five::user_data(*id, &data),
                });
                (reply, frame)
            }
            (Waits::Seen(user, reply), Answer::Seen(seen)) => {
                let frame = seen.map(|seen| match &reply {
                    Reply::Marked(_) => frame::user_status(user, seen, now),
                    Reply::Id(id) => five::seen(*id, seen),
                });
                (reply, frame)
            }
            (waits_for, _) => {
                self.waits_for = Some(waits_for);
                return Next::NOTHING;
            }
        };
        match frame {
            Ok(frame) => {
                around.outboxes.push(self.id.slot, frame);
                Next::NOTHING
            }
            Err(error @ StoreError::Unknown(_)) => {
                let text = format!("It may have been published: try again with the same uuid, if it had one ({error})");
                self.refuse(&reply, 503, &text, around)
            }
            Err(error) => self.refuse(&reply, 503, &format!("Try again: {error}"), around),
        }
    }

    fn authorise(&mut self, credentials: Credentials, log: Option<Position>) -> Next {
        let waits = Waits::Authorisation { credentials: Box::new(credentials.clone()), log };
        self.wait(waits, Ask::Authorise(credentials))
    }

    fn authorised(
        &mut self,
        credentials: &Credentials,
        log: Option<Position>,
        is_authorised: bool,
        around: &mut Surroundings<'_>,
    ) -> Next {
        self.user = is_authorised.then_some(credentials.user);
        self.greet(&credentials.key, around);
        match self.user {
            Some(user) => self.follow_log(user, credentials, log, around),
            None => Next::NOTHING,
        }
    }

    /// Tells a browser as whom it is known here.
    fn greet(&mut self, key: &str, around: &mut Surroundings<'_>) {
        let greeting = match self.generation {
            Generation::Four => {
                let key = if self.user.is_some() { key } else { "" };
                frame::server_info(self.user.is_some(), key, around.now)
            }
            Generation::Five => five::welcome(self.user, around.terms),
        };
        around.outboxes.push(self.id.slot, greeting);
    }

    /// The connection is gone: it leaves everything.
    pub fn closed(&mut self, around: &mut Surroundings<'_>) -> Option<Ask> {
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        subscriptions.extend(self.log.take());
        self.departure(subscriptions, around.hub)
    }

    /// Leaves these subscriptions, here and at the node.
    pub fn departure(&self, subscriptions: Vec<SubscriptionId>, hub: &mut Hub) -> Option<Ask> {
        let leave: Vec<Pipe> = subscriptions.into_iter().map(|subscription| hub.unsubscribe(subscription)).collect();
        let ask = |leave| Ask::Listen { visitor: self.visitor(), take: Vec::new(), leave, login: None };
        (!leave.is_empty()).then(|| ask(leave))
    }
}
