//! What one browser may do: a state machine without a socket. Frames and answers go in; frames for the outbox and
//! asks of the node come out. Nothing in here waits.

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::frame::{self, ClientFrame};
use crate::hub::{Hub, Outboxes, SubscriptionId};
use crate::node::{Answer, Ask, EarId};
use crate::pipe::{ConnectionId, NameError, Pipe, PipeKind, PipeName};
use crate::user::{Credentials, TenantId, UserId};

pub struct Session {
    id: ConnectionId,
    ear: EarId,
    tenant: TenantId,
    /// Known once authorised.
    user: Option<UserId>,
    about: About,
    subscriptions: Vec<SubscriptionId>,
    waits_for: Option<Waits>,
    is_of_generation_five: bool,
}

/// What a session waits for, and what it needs when the answer is there. Its socket is not read meanwhile.
enum Waits {
    Authorisation(Box<Credentials>),
    Listening,
}

/// What is known of a browser. What many share is shared.
#[derive(Clone, Debug)]
pub struct About {
    /// The number the browser gave itself.
    pub uuid: Box<str>,
    pub address: IpAddr,
    pub user_agent: Arc<str>,
    pub origin: Arc<str>,
    pub language: Arc<str>,
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
            waits_for: None,
            is_of_generation_five: hello.major_version > 4,
        };
        if hello.major_version < MAJOR_VERSION_MIN {
            let text = "This client library is too old: load CometServerApi.js 4.0 or newer";
            around.outboxes.push(id.slot, frame::refusal(418, text, around.now));
            return (session, Next::CLOSE);
        }
        match hello.credentials {
            Some(credentials) => {
                session.waits_for = Some(Waits::Authorisation(Box::new(credentials.clone())));
                (session, Next::ask(Ask::Authorise(credentials)))
            }
            None => {
                around.outboxes.push(id.slot, frame::server_info(false, "", around.now));
                (session, Next::NOTHING)
            }
        }
    }

    /// Whether the socket must not be read until an answer is there.
    pub fn is_waiting(&self) -> bool {
        self.waits_for.is_some()
    }

    /// The original client comes back only when its close is not answered.
    pub fn answers_close(&self) -> bool {
        self.is_of_generation_five
    }

    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    pub fn about(&self) -> &About {
        &self.about
    }

    pub fn received(&mut self, text: &str, around: &mut Surroundings<'_>) -> Next {
        match ClientFrame::parse(text) {
            ClientFrame::Subscription { names, refused } => {
                for (name, error) in refused {
                    self.refuse_name(&name, error, around);
                }
                self.subscribe(names, around)
            }
            ClientFrame::Ignored => Next::NOTHING,
            ClientFrame::Unknown => {
                let text = "Unknown command. Known here: subscription";
                around.outboxes.push(self.id.slot, frame::command_error(text, around.now));
                Next::NOTHING
            }
        }
    }

    fn refuse_name(&self, name: &str, error: NameError, around: &mut Surroundings<'_>) {
        let reason = match error {
            NameError::TooLong => "longer than 64 bytes",
            NameError::TooShort => "shorter than 2 bytes",
            NameError::BadByte => "has other bytes than A-Za-z0-9_-",
        };
        let text = format!("Not subscribed to {name}: the name is {reason}");
        around.outboxes.push(self.id.slot, frame::subscription_error(400, &text, around.now));
    }

    /// From now on exactly these, as far as they are allowed. What stays is not touched.
    fn subscribe(&mut self, names: Vec<PipeName>, around: &mut Surroundings<'_>) -> Next {
        let allowed = self.allowed(names, around);
        let mut leave = Vec::new();
        self.subscriptions.retain(|subscription| {
            let stays = allowed.binary_search(around.hub.pipe(*subscription)).is_ok();
            if !stays {
                leave.push(around.hub.unsubscribe(*subscription));
            }
            stays
        });
        let had: std::collections::HashSet<Pipe> =
            self.subscriptions.iter().map(|subscription| around.hub.pipe(*subscription).clone()).collect();
        let take: Vec<Pipe> = allowed.into_iter().filter(|pipe| !had.contains(pipe)).collect();
        self.subscriptions.reserve_exact(take.len());
        for pipe in &take {
            self.subscriptions.push(around.hub.subscribe(self.id.slot, pipe));
        }
        if take.is_empty() && leave.is_empty() {
            return Next::NOTHING;
        }
        self.waits_for = Some(Waits::Listening);
        Next::ask(Ask::Listen { ear: self.ear, take, leave })
    }

    /// The pipes this browser may subscribe to, sorted as the names are; it is told of the others.
    fn allowed(&self, mut names: Vec<PipeName>, around: &mut Surroundings<'_>) -> Vec<Pipe> {
        names.retain(|name| {
            let is_allowed = name.kind() != PipeKind::Private || self.user.is_some();
            if !is_allowed {
                let text = format!("Not subscribed to {name}: private pipes need a login");
                around.outboxes.push(self.id.slot, frame::subscription_error(403, &text, around.now));
            }
            is_allowed
        });
        if names.len() > around.subscriptions_max {
            let text = format!(
                "Subscribed to {} of {} pipes: a connection has at most subscriptions_max = {}",
                around.subscriptions_max,
                names.len(),
                around.subscriptions_max
            );
            around.outboxes.push(self.id.slot, frame::subscription_error(429, &text, around.now));
            names.truncate(around.subscriptions_max);
        }
        names.into_iter().map(|name| Pipe::Named(self.tenant, name)).collect()
    }

    pub fn answered(&mut self, answer: &Answer, around: &mut Surroundings<'_>) -> Next {
        match (self.waits_for.take(), answer) {
            (Some(Waits::Authorisation(credentials)), Answer::Authorised(is_authorised)) => {
                let key = if *is_authorised { credentials.key.as_str() } else { "" };
                self.user = is_authorised.then_some(credentials.user);
                around.outboxes.push(self.id.slot, frame::server_info(*is_authorised, key, around.now));
                Next::NOTHING
            }
            (Some(Waits::Listening), Answer::Listening(Ok(()))) => Next::NOTHING,
            // The store cannot say what is published: better that the browser comes back than that it hears nothing.
            (Some(Waits::Listening), Answer::Listening(Err(error))) => {
                tracing::warn!("a browser is sent away: {error}");
                Next::CLOSE
            }
            (waits_for, _) => {
                self.waits_for = waits_for;
                Next::NOTHING
            }
        }
    }

    /// The connection is gone: it leaves everything.
    pub fn closed(&mut self, around: &mut Surroundings<'_>) -> Option<Ask> {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        departure(self.ear, subscriptions, around.hub)
    }
}

/// Leaves these subscriptions, here and at the node.
pub fn departure(ear: EarId, subscriptions: Vec<SubscriptionId>, hub: &mut Hub) -> Option<Ask> {
    let leave: Vec<Pipe> = subscriptions.into_iter().map(|subscription| hub.unsubscribe(subscription)).collect();
    (!leave.is_empty()).then_some(Ask::Listen { ear, take: Vec::new(), leave })
}

#[cfg(test)]
mod tests {
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
        session.answered(&Answer::Authorised(true), &mut world.around());
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
        session.answered(&Answer::Listening(Ok(())), &mut world.around());
        let next = session.received("subscription\ncc\nbb", &mut world.around());
        assert_eq!(asked(next), (names(&["cc"]), names(&["aa"])));
        session.answered(&Answer::Listening(Ok(())), &mut world.around());
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
        assert!(sent.contains("private pipes need a login") && sent.contains("shorter than 2 bytes"), "{sent}");
        session.answered(&Answer::Listening(Ok(())), &mut world.around());
        let next = session.received("subscription\naa\nbb\ncc\ndd\nee", &mut world.around());
        assert_eq!(asked(next), (names(&["bb", "cc"]), names(&[])));
        assert!(world.sent().contains("subscriptions_max = 3"));
    }

    #[test]
    fn a_user_may_have_private_pipes() {
        let mut world = World::new();
        let (mut session, _) = world.open(Some(credentials()), 4);
        session.answered(&Answer::Authorised(true), &mut world.around());
        let next = session.received("subscription\nprivate_x", &mut world.around());
        assert_eq!(asked(next).0, names(&["private_x"]));
    }

    #[test]
    fn a_browser_whose_pipes_cannot_be_heard_is_sent_back() {
        let mut world = World::new();
        let (mut session, _) = world.open(None, 4);
        session.received("subscription\naa", &mut world.around());
        let failed = Answer::Listening(Err(crate::node::StoreError::Unavailable("x".into())));
        assert!(session.answered(&failed, &mut world.around()).close);
    }
}
