//! What browsers' sessions ask of the node.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::at_once::at_once;
use super::{
    EarId, Listening, Node, Page, PageMax, Present, Publish, Published, Record, Recovered, Seen, Since, StoreError,
};
use crate::pipe::{ConnectionId, Pipe, Position};
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
    /// The visitor takes these pipes and leaves those. Whoever takes a user's log is this user, and shows once more
    /// with what it has logged in: that may have been revoked before anybody could be told who listens to the log. Then
    /// the answer is that it is not authorised.
    Listen {
        visitor: Visitor,
        take: Vec<Pipe>,
        leave: Vec<Pipe>,
        login: Option<Box<Credentials>>,
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
    /// Of the nodes that answered in time.
    Users(Vec<Present>),
    Data(Result<Option<String>, StoreError>),
    Seen(Result<Seen, StoreError>),
}

impl Node {
    /// Does what a session asks.
    pub async fn run(self: &Arc<Node>, ask: Ask) -> Answer {
        match ask {
            Ask::Authorise(credentials) => Answer::Authorised(self.authorise(&credentials).await),
            Ask::Listen { visitor, take, leave, login } => {
                let listening = self.listen(&visitor, &take, &leave).await;
                match login {
                    Some(login) if listening.is_ok() => self.still_authorised(&login, listening).await,
                    _ => Answer::Listening(listening),
                }
            }
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

    /// From now on a login that is revoked is sent away; what was revoked until now is seen here.
    async fn still_authorised(&self, login: &Credentials, listening: Result<Vec<Listening>, StoreError>) -> Answer {
        match self.authorise(login).await {
            Ok(true) => Answer::Listening(listening),
            Ok(false) => Answer::Authorised(Ok(false)),
            Err(error) => Answer::Listening(Err(error)),
        }
    }

    /// Leaves and takes every one of the pipes, whatever becomes of the others: who was told of an error leaves all
    /// that it asked for.
    async fn listen(
        self: &Arc<Node>,
        visitor: &Visitor,
        take: &[Pipe],
        leave: &[Pipe],
    ) -> Result<Vec<Listening>, StoreError> {
        at_once(leave.iter().map(|pipe| self.leave(visitor, pipe))).await;
        let listening = at_once(take.iter().map(|pipe| self.take(visitor, pipe))).await;
        listening.into_iter().collect()
    }

    async fn leave(self: &Arc<Node>, visitor: &Visitor, pipe: &Pipe) {
        let listeners = self.store.unlisten(pipe, visitor.ear).await;
        match pipe {
            Pipe::Named(_, name) => self.track_departure(visitor, pipe, name).await,
            Pipe::Log(tenant, user) => self.left(*tenant, *user, listeners),
        }
    }

    async fn take(&self, visitor: &Visitor, pipe: &Pipe) -> Result<Listening, StoreError> {
        match pipe {
            // The newcomer does not see its own event: it is the origin.
            Pipe::Named(_, name) => self.track_arrival(visitor, pipe, name).await,
            Pipe::Log(tenant, user) => self.comes(*tenant, *user),
        }
        let listening = self.store.listen(pipe, visitor.ear).await?;
        if let (Pipe::Log(tenant, user), true) = (pipe, listening.has_appeared) {
            self.has_appeared(*tenant, *user).await?;
        }
        Ok(listening)
    }

    /// Those of all nodes, as far as they answer.
    async fn users(self: &Arc<Node>, pipe: &Pipe) -> Vec<Present> {
        let _turn = self.asking.acquire().await;
        let mut others = self.others().await;
        let mut subscribers = self.subscribers(pipe.tenant(), std::slice::from_ref(pipe), &others);
        let mut users = Vec::new();
        while users.len() < USERS_MAX
            && let Some((_, page)) = subscribers.next(&mut others).await
        {
            users.extend(page.into_iter().map(|subscriber| subscriber.present));
        }
        users.truncate(USERS_MAX);
        for missing in others.take_missing() {
            tracing::info!("it is not known of all who is in {}: {missing}", pipe.shown_name());
        }
        users
    }
}
