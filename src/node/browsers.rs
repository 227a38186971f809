//! What browsers' sessions ask of the node.

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::{
    Census, EarId, Listening, Node, Page, PageMax, Present, Publish, Published, Record, Recovered, Seen, Since,
    StoreError,
};
use crate::pipe::{ConnectionId, Event, Message, MessageId, Pipe, PipeKind, PipeName, Position};
use crate::presence::Ticket;
use crate::user::{Credentials, TenantId, UserId, user_of_token};

/// What is read of a history at a time: a page is sent before the next is read.
const PAGE: PageMax = PageMax { messages: 1_000, bytes: 256 * 1_024 };
/// Most connections that are told of in one answer.
const USERS_MAX: usize = 10_000;

/// What a browser's session wants of the node. The answer may come later; it names the connection then.
#[derive(Clone)]
pub enum Ask {
    /// Is this who it says it is?
    Authorise(Credentials),
    /// The visitor takes these pipes and leaves those. Whoever takes a user's log is this user.
    Listen {
        visitor: Visitor,
        take: Vec<Pipe>,
        leave: Vec<Pipe>,
    },
    /// What was published to a pipe behind a position.
    Recover {
        pipe: Pipe,
        after: Position,
    },
    /// A page of what a pipe keeps.
    Read {
        pipe: Pipe,
        since: Since,
    },
    /// A device of the user has got everything up to this index of its log.
    Take {
        log: Pipe,
        index: u64,
    },
    Publish(Publish),
    Count(Pipe),
    Users(Pipe),
    Data(TenantId, UserId),
    Seen(TenantId, UserId),
}

/// One connection, as far as others are told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visitor {
    pub connection: ConnectionId,
    pub ear: EarId,
    pub tenant: TenantId,
    pub user: Option<UserId>,
    pub uuid: Box<str>,
}

#[derive(Clone, Debug)]
pub enum Answer {
    Authorised(Result<bool, StoreError>),
    /// To Listen: where each pipe that was taken stands.
    Listening(Result<Vec<Listening>, StoreError>),
    Recovered(Result<Recovered, StoreError>),
    /// To Take, which nobody waits for: an answer of its own, so that it is never taken for another.
    Taken(Result<(), StoreError>),
    /// To Read.
    Page(Result<Page, StoreError>),
    Published(Result<Published, StoreError>),
    Count(Result<u64, StoreError>),
    Users(Vec<Present>),
    Data(Result<Option<String>, StoreError>),
    Seen(Result<Seen, StoreError>),
}

impl Node {
    /// Does what a session asks.
    pub async fn run(self: &Arc<Node>, ask: Ask) -> Answer {
        match ask {
            Ask::Authorise(credentials) => Answer::Authorised(self.authorise(&credentials).await),
            Ask::Listen { visitor, take, leave } => Answer::Listening(self.listen(&visitor, &take, &leave).await),
            Ask::Recover { pipe, after } => Answer::Recovered(self.recover(&pipe, after).await),
            Ask::Read { pipe, since } => Answer::Page(self.store.history(&pipe, since, PAGE).await),
            Ask::Take { log, index } => Answer::Taken(self.store.take(&log, index).await),
            Ask::Publish(publish) => {
                let published = self.publish(vec![publish]).await;
                Answer::Published(published.and_then(|published| {
                    let nothing = || StoreError::Unavailable("the store has told nothing of the message".into());
                    published.into_iter().next().ok_or_else(nothing)
                }))
            }
            Ask::Count(pipe) => Answer::Count(self.store.listeners(&pipe).await),
            Ask::Users(pipe) => Answer::Users(self.users(&pipe).await),
            Ask::Data(tenant, user) => Answer::Data(self.store.record(tenant, &Record::Data(user)).await),
            Ask::Seen(tenant, user) => Answer::Seen(self.seen(tenant, user).await),
        }
    }

    async fn recover(&self, pipe: &Pipe, after: Position) -> Result<Recovered, StoreError> {
        let recovered = self.store.recover(pipe, after, PAGE).await?;
        if matches!(recovered, Recovered::Lost(_)) {
            self.status.gap_declared();
        }
        Ok(recovered)
    }

    /// A token that has not been revoked, or the hash that is stored. An empty hash lets nobody in.
    async fn authorise(&self, credentials: &Credentials) -> Result<bool, StoreError> {
        let Credentials { tenant, user, key } = credentials;
        let secret = self.token_secret_of(*tenant);
        if user_of_token(key, secret.as_bytes(), self.clock.now().seconds()) == Some(*user) {
            let revoked = Record::Revoked(key.as_str().into());
            return Ok(self.store.record(*tenant, &revoked).await?.is_none());
        }
        let hash = self.store.record(*tenant, &Record::Key(*user)).await?.unwrap_or_default();
        Ok(!hash.is_empty() && bool::from(hash.as_bytes().ct_eq(key.as_bytes())))
    }

    /// Leaves and takes every one of the pipes, whatever becomes of the others: who was told of an error leaves all
    /// that it asked for.
    async fn listen(
        self: &Arc<Node>,
        visitor: &Visitor,
        take: &[Pipe],
        leave: &[Pipe],
    ) -> Result<Vec<Listening>, StoreError> {
        for pipe in leave {
            self.leave(visitor, pipe).await;
        }
        let mut listening = Vec::with_capacity(take.len());
        for pipe in take {
            listening.push(self.take(visitor, pipe).await);
        }
        listening.into_iter().collect()
    }

    async fn leave(self: &Arc<Node>, visitor: &Visitor, pipe: &Pipe) {
        let listeners = self.store.unlisten(pipe, visitor.ear).await;
        match (pipe, listeners) {
            (Pipe::Named(_, name), _) => self.track(visitor, name, "unsubscription").await,
            (Pipe::Log(_, user), Ok(0)) => self.went(visitor.tenant, *user),
            (Pipe::Log(_, user), Err(error)) => {
                tracing::warn!("it is not known whether user {} has gone: {error}", user.number());
                // The grace ends with a look at who is here.
                self.went(visitor.tenant, *user);
            }
            (Pipe::Log(..), Ok(_)) => {}
        }
    }

    async fn take(&self, visitor: &Visitor, pipe: &Pipe) -> Result<Listening, StoreError> {
        // The newcomer does not see its own event: it is the origin.
        if let Pipe::Named(_, name) = pipe {
            self.track(visitor, name, "subscription").await;
        }
        let listening = self.store.listen(pipe, visitor.ear).await?;
        if let Pipe::Log(tenant, user) = pipe {
            self.came(*tenant, *user, listening.has_appeared).await?;
        }
        Ok(listening)
    }

    /// `track_*` pipes tell who comes and goes. When that cannot be told, coming and going go on: a departure that
    /// stops halfway would leave somebody listening for ever.
    async fn track(&self, visitor: &Visitor, name: &PipeName, event: &str) {
        if name.kind() != PipeKind::Track {
            return;
        }
        let user = visitor.user.map_or(0, UserId::number);
        let uuid = serde_json::Value::from(&*visitor.uuid);
        let text = format!("{{\"user_id\":{user},\"uuid\":{uuid}}}");
        let pipe = Pipe::Named(visitor.tenant, name.clone());
        if let Err(error) = self.tell(pipe, event, text, Some(visitor.connection)).await {
            tracing::warn!("{name} was not told of a {event}: {error}");
        }
    }

    /// Publishes something the node itself has to say, if anybody listens: it is never kept, and a pipe for each user
    /// that comes would be.
    async fn tell(
        &self,
        pipe: Pipe,
        event: &str,
        text: String,
        origin: Option<ConnectionId>,
    ) -> Result<(), StoreError> {
        let (Ok(event), Ok(message)) = (event.parse::<Event>(), Message::new(text, usize::MAX)) else {
            return Ok(());
        };
        if self.store.listeners(&pipe).await? == 0 {
            return Ok(());
        }
        let id = MessageId::new();
        let publish =
            Publish { pipe, id, id_is_chosen: false, event, message, user: None, origin, sender_listens: false };
        self.store.publish(vec![publish]).await.map(drop)
    }

    async fn came(&self, tenant: TenantId, user: UserId, has_appeared: bool) -> Result<(), StoreError> {
        let _in_order = self.telling_of(user).lock().await;
        self.presence().came((tenant, user));
        if has_appeared {
            self.say_status(tenant, user, "online").await?;
        }
        Ok(())
    }

    /// The last connection of a user has gone; after the grace that is said, unless the user is back.
    fn went(self: &Arc<Node>, tenant: TenantId, user: UserId) {
        let ticket = self.presence().went((tenant, user));
        let node = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(node.config.presence_grace_seconds)).await;
            if let Err(error) = node.has_gone(tenant, user, ticket).await {
                tracing::warn!("nobody was told that user {} of tenant {tenant} has gone: {error}", user.number());
            }
        });
    }

    async fn has_gone(&self, tenant: TenantId, user: UserId, ticket: Ticket) -> Result<(), StoreError> {
        let _in_order = self.telling_of(user).lock().await;
        if !self.presence().is_over((tenant, user), ticket) || !self.store.disappear(&Pipe::Log(tenant, user)).await? {
            return Ok(());
        }
        // Whoever hears of it may ask at once since when.
        self.was_seen(tenant, user).await?;
        self.say_status(tenant, user, "offline").await
    }

    /// Held from finding out that a user has come or gone until it is told: two such events of one user are told in
    /// the order in which they were found out.
    fn telling_of(&self, user: UserId) -> &tokio::sync::Mutex<()> {
        &self.telling[user.number() as usize % self.telling.len()]
    }

    pub(super) async fn was_seen(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        let now = self.clock.now().seconds().to_string();
        self.store.set_record(tenant, &Record::Seen(user), Some(now)).await.map(drop)
    }

    async fn say_status(&self, tenant: TenantId, user: UserId, status: &str) -> Result<(), StoreError> {
        let Ok(name) = PipeName::for_publish(&format!("user_status_{}", user.number())) else { return Ok(()) };
        self.tell(Pipe::Named(tenant, name), status, status.to_owned(), None).await
    }

    async fn users(&self, pipe: &Pipe) -> Vec<Present> {
        let mut users = Vec::new();
        let mut census = Some(Census::default());
        while let Some(going_on) = census
            && users.len() < USERS_MAX
        {
            let (page, next) = self.present(pipe, going_on, USERS_MAX - users.len()).await;
            users.extend(page);
            census = next;
        }
        users
    }
}
