//! What one browser may do: a state machine without a socket. Frames and answers go in; frames for the outbox and
//! asks of the node come out. Nothing in here waits.

mod publishing;
mod reading;
mod subscribing;

use crate::clock::UnixMillis;
use crate::frame::{self, ClientFrame};
use crate::hub::{Hub, Outboxes, SubscriptionId};
use crate::node::{Answer, Ask, EarId, Visitor};
use crate::pipe::{ConnectionId, Pipe, PipeKind, PipeName};
use crate::user::{About, Credentials, TenantId, UserId};

use self::reading::{Reading, Receipts};

pub struct Session {
    id: ConnectionId,
    ear: EarId,
    tenant: TenantId,
    /// Known once authorised.
    user: Option<UserId>,
    about: About,
    subscriptions: Vec<SubscriptionId>,
    /// The user's own log.
    log: Option<SubscriptionId>,
    waits_for: Option<Waits>,
    receipts: Receipts,
    is_of_generation_five: bool,
}

/// What a session waits for, and what it needs when that is there. Its socket is not read meanwhile.
enum Waits {
    Authorisation(Box<Credentials>),
    Listening,
    /// To be told what became of this text.
    Report {
        name: PipeName,
        text: Box<str>,
    },
    Count {
        marker: Box<str>,
    },
    Users {
        marker: Box<str>,
    },
    Data {
        user: UserId,
        marker: Box<str>,
    },
    Seen(UserId),
    Page(Reading),
    /// Its outbox is to be empty before the next page is read.
    Room(Reading),
}

/// What a browser says of itself when it connects.
#[derive(Debug)]
pub struct Hello {
    pub tenant: TenantId,
    pub credentials: Option<Credentials>,
    /// The generation of the client library: 4 is the original's.
    pub major_version: u32,
    pub about: About,
}

/// The oldest client library that is understood.
const MAJOR_VERSION_MIN: u32 = 4;

/// What a session works on: the hub and the outboxes of its shard, and the time.
pub struct Surroundings<'s> {
    pub hub: &'s mut Hub,
    pub outboxes: &'s mut Outboxes,
    pub now: UnixMillis,
    /// Most subscriptions of one connection.
    pub subscriptions_max: usize,
}

/// What is to be done after a step.
#[derive(Default)]
pub struct Next {
    pub ask: Option<Ask>,
    /// The connection is to be closed, once what waits for it has been sent.
    pub close: bool,
}

impl Next {
    const NOTHING: Next = Next { ask: None, close: false };
    const CLOSE: Next = Next { ask: None, close: true };

    fn ask(ask: Ask) -> Next {
        Next { ask: Some(ask), close: false }
    }
}

impl Session {
    /// A browser has connected. Who shows credentials is greeted when they have been looked at.
    pub fn open(id: ConnectionId, ear: EarId, hello: Hello, around: &mut Surroundings<'_>) -> (Session, Next) {
        let mut session = Session {
            id,
            ear,
            tenant: hello.tenant,
            user: None,
            about: hello.about,
            subscriptions: Vec::new(),
            log: None,
            waits_for: None,
            receipts: Receipts::default(),
            is_of_generation_five: hello.major_version > 4,
        };
        if hello.major_version < MAJOR_VERSION_MIN {
            let text = "This client library is too old: load CometServerApi.js 4.0 or newer";
            around.outboxes.push(id.slot, frame::refusal(418, text, around.now));
            return (session, Next::CLOSE);
        }
        match hello.credentials {
            Some(credentials) => {
                let next =
                    session.wait(Waits::Authorisation(Box::new(credentials.clone())), Ask::Authorise(credentials));
                (session, next)
            }
            None => {
                around.outboxes.push(id.slot, frame::server_info(false, "", around.now));
                (session, Next::NOTHING)
            }
        }
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
        !matches!(self.waits_for, None | Some(Waits::Room(_)))
    }

    /// The original client comes back only when its close is not answered.
    pub fn answers_close(&self) -> bool {
        self.is_of_generation_five
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

    pub fn received(&mut self, text: &str, around: &mut Surroundings<'_>) -> Next {
        match ClientFrame::parse(text) {
            ClientFrame::Subscription { names, refused, unnamed } => {
                self.tell_refused(&refused, unnamed, around);
                self.replace_subscriptions(names, around)
            }
            ClientFrame::Publish { name, event, text, is_anonymous } => {
                self.publish(name, event, text, is_anonymous, around)
            }
            ClientFrame::Log(name) => self.read_history(name, around),
            ClientFrame::Count { name, marker } => match name.kind() {
                PipeKind::Web | PipeKind::Track => {
                    let pipe = Pipe::Named(self.tenant, name);
                    self.wait(Waits::Count { marker: marker.into() }, Ask::Count(pipe))
                }
                _ => self.refuse("pipe_count counts web_* and track_* pipes only", around),
            },
            ClientFrame::Users { name, marker } if name.kind() == PipeKind::Track => {
                let pipe = Pipe::Named(self.tenant, name);
                self.wait(Waits::Users { marker: marker.into() }, Ask::Users(pipe))
            }
            ClientFrame::Users { .. } => self.refuse_user("track_pipe_users lists track_* pipes only", around),
            ClientFrame::Data { user: Some(user), marker } => {
                self.wait(Waits::Data { user, marker: marker.into() }, Ask::Data(self.tenant, user))
            }
            ClientFrame::Status(Some(user)) => self.wait(Waits::Seen(user), Ask::Seen(self.tenant, user)),
            ClientFrame::Data { user: None, .. } | ClientFrame::Status(None) => {
                self.refuse_user("That is no user: a number from 1 to 2147483647", around)
            }
            ClientFrame::Ignored => Next::NOTHING,
            ClientFrame::Malformed(what) => self.refuse(&what, around),
            ClientFrame::Unknown => self.refuse(
                "Unknown command. Known are subscription, web_pipe2, pipe_log, pipe_count, track_pipe_users, \
                 user_data, user_status",
                around,
            ),
        }
    }

    fn refuse(&self, text: &str, around: &mut Surroundings<'_>) -> Next {
        around.outboxes.push(self.id.slot, frame::command_error(text, around.now));
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
        let (slot, now) = (self.id.slot, around.now);
        let reply = match (self.waits_for.take(), answer) {
            (Some(Waits::Authorisation(credentials)), Answer::Authorised(Ok(is_authorised))) => {
                return self.authorised(&credentials, is_authorised, around);
            }
            (Some(Waits::Listening), Answer::Done(Ok(()))) => return Next::NOTHING,
            // What is published could not be heard: better that the browser comes back than that it waits for ever.
            (Some(Waits::Authorisation(_)), Answer::Authorised(Err(error)))
            | (Some(Waits::Listening), Answer::Done(Err(error))) => {
                tracing::warn!("a browser is sent away: {error}");
                return Next::CLOSE;
            }
            (Some(Waits::Page(reading)), Answer::Page(page)) => return self.page(reading, page, around),
            (Some(Waits::Report { name, text }), Answer::Published(published)) => {
                published.map(|published| frame::delivery_report(&name, &text, published.receivers, now))
            }
            (Some(Waits::Count { marker }), Answer::Count(count)) => {
                count.map(|count| frame::count(count, &marker, now))
            }
            (Some(Waits::Users { marker }), Answer::Users(users)) => Ok(frame::users(&users, &marker, now)),
            (Some(Waits::Data { user, marker }), Answer::Data(data)) => {
                data.map(|data| frame::user_data(user, &data.unwrap_or_default(), &marker, now))
            }
            (Some(Waits::Seen(user)), Answer::Seen(seen)) => seen.map(|seen| frame::user_status(user, seen, now)),
            (waits_for, _) => {
                self.waits_for = waits_for;
                return Next::NOTHING;
            }
        };
        let reply = reply.unwrap_or_else(|error| frame::command_error(&format!("Try again: {error}"), now));
        around.outboxes.push(slot, reply);
        Next::NOTHING
    }

    fn authorised(&mut self, credentials: &Credentials, is_authorised: bool, around: &mut Surroundings<'_>) -> Next {
        let key = if is_authorised { credentials.key.as_str() } else { "" };
        around.outboxes.push(self.id.slot, frame::server_info(is_authorised, key, around.now));
        if !is_authorised {
            return Next::NOTHING;
        }
        self.user = Some(credentials.user);
        self.join_log(credentials.user, around)
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
        (!leave.is_empty()).then(|| Ask::Listen { visitor: self.visitor(), take: Vec::new(), leave })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::*;

    struct World {
        hub: Hub,
        outboxes: Outboxes,
    }

    impl World {
        fn new() -> World {
            World { hub: Hub::default(), outboxes: Outboxes::new(1_000_000) }
        }

        fn around(&mut self) -> Surroundings<'_> {
            Surroundings {
                hub: &mut self.hub,
                outboxes: &mut self.outboxes,
                now: UnixMillis(1_700_000_000_000),
                subscriptions_max: 3,
            }
        }

        fn open(&mut self, credentials: Option<Credentials>, major_version: u32) -> (Session, Next) {
            let id = ConnectionId { node: 0, shard: 0, slot: 0, serial: 1 };
            self.outboxes.open(id);
            let nothing: Arc<str> = Arc::from("");
            let about = About {
                uuid: "u".into(),
                address: IpAddr::from([127, 0, 0, 1]),
                user_agent: Arc::clone(&nothing),
                origin: Arc::clone(&nothing),
                language: nothing,
            };
            let hello = Hello { tenant: TenantId(1), credentials, major_version, about };
            Session::open(id, EarId(0), hello, &mut self.around())
        }

        /// The frames in the outbox of slot 0, without their headers.
        fn sent(&mut self) -> String {
            let mut sent = String::new();
            while !self.outboxes.is_empty(0) {
                let mut slices = [std::io::IoSlice::new(&[])];
                self.outboxes.front(0, &mut slices);
                let frame = slices[0].to_vec();
                sent.push_str(&String::from_utf8_lossy(&frame[if frame[1] == 126 { 4 } else { 2 }..]));
                let bytes = frame.len();
                self.outboxes.taken(0, bytes);
            }
            sent
        }
    }

    fn credentials() -> Credentials {
        Credentials { tenant: TenantId(1), user: UserId::new(42).unwrap(), key: "key".into() }
    }

    fn no_messages() -> crate::node::Page {
        crate::node::Page { messages: Vec::new(), up_to: crate::pipe::Position { epoch: 1, index: 0 }, more: false }
    }

    fn asked(next: Next) -> (Vec<String>, Vec<String>) {
        let Some(Ask::Listen { take, leave, .. }) = next.ask else { return Default::default() };
        let names = |pipes: Vec<Pipe>| pipes.iter().map(|pipe| pipe.shown_name().to_owned()).collect();
        (names(take), names(leave))
    }

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_stranger_is_greeted_at_once_and_a_user_when_it_is_known() {
        let mut world = World::new();
        let (session, next) = world.open(None, 4);
        assert!(next.ask.is_none() && !next.close && !session.is_waiting());
        assert!(world.sent().contains("\"authorized\":false"));

        let (mut session, next) = world.open(Some(credentials()), 4);
        assert!(matches!(next.ask, Some(Ask::Authorise(_))));
        assert!(session.is_waiting());
        assert_eq!(world.sent(), "");
        let next = session.answered(Answer::Authorised(Ok(true)), &mut world.around());
        assert!(matches!(next.ask, Some(Ask::Join { .. })));
        session.answered(Answer::Page(Ok(no_messages())), &mut world.around());
        assert!(!session.is_waiting());
        assert!(world.sent().starts_with("{\"authorized\":true,\"data\":\"key\""));
        assert_eq!(session.user().map(UserId::number), Some(42));
    }

    #[test]
    fn a_library_that_is_too_old_is_told_and_sent_away() {
        let mut world = World::new();
        let (_, next) = world.open(None, 3);
        assert!(next.close);
        assert!(world.sent().contains("\"error\":418"));
    }

    #[test]
    fn a_new_list_replaces_the_old_and_asks_only_for_the_difference() {
        let mut world = World::new();
        let (mut session, _) = world.open(None, 4);
        let next = session.received("subscription\nbb\naa", &mut world.around());
        assert_eq!(asked(next), (names(&["aa", "bb"]), names(&[])));
        session.answered(Answer::Done(Ok(())), &mut world.around());
        let next = session.received("subscription\ncc\nbb", &mut world.around());
        assert_eq!(asked(next), (names(&["cc"]), names(&["aa"])));
        session.answered(Answer::Done(Ok(())), &mut world.around());
        assert!(session.received("subscription\nbb\ncc", &mut world.around()).ask.is_none());
        let departure = session.closed(&mut world.around());
        assert_eq!(asked(Next { ask: departure, close: false }).1, names(&["bb", "cc"]));
        assert!(session.closed(&mut world.around()).is_none());
    }

    #[test]
    fn what_is_not_allowed_is_skipped_and_said_and_the_rest_stands() {
        let mut world = World::new();
        let (mut session, _) = world.open(None, 4);
        world.sent();
        let next = session.received("subscription\nprivate_x\nx\naa", &mut world.around());
        assert_eq!(asked(next), (names(&["aa"]), names(&[])));
        let sent = world.sent();
        assert!(sent.contains("private pipes need a login") && sent.contains("a name that is too short"), "{sent}");
        session.answered(Answer::Done(Ok(())), &mut world.around());
        let next = session.received("subscription\naa\nbb\ncc\ndd\nee", &mut world.around());
        assert_eq!(asked(next), (names(&["bb", "cc"]), names(&[])));
        assert!(world.sent().contains("subscriptions_max = 3"));
    }

    #[test]
    fn a_user_may_have_private_pipes() {
        let mut world = World::new();
        let (mut session, _) = world.open(Some(credentials()), 4);
        session.answered(Answer::Authorised(Ok(true)), &mut world.around());
        session.answered(Answer::Page(Ok(no_messages())), &mut world.around());
        let next = session.received("subscription\nprivate_x", &mut world.around());
        assert_eq!(asked(next).0, names(&["private_x"]));
    }

    #[test]
    fn a_browser_whose_pipes_cannot_be_heard_is_sent_back() {
        let mut world = World::new();
        let (mut session, _) = world.open(None, 4);
        session.received("subscription\naa", &mut world.around());
        let failed = Answer::Done(Err(crate::node::StoreError::Unavailable("x".into())));
        assert!(session.answered(failed, &mut world.around()).close);
    }
}
