//! Coming and going as others are told of it: `user_status_N` says whether a user is here, `track_*` pipes who subscribes
//! to them.

use std::sync::Arc;
use std::time::Duration;

use super::{Node, Publish, Record, StoreError, Visitor};
use crate::pipe::{ConnectionId, Event, Message, MessageId, Pipe, PipeKind, PipeName};
use crate::presence::Ticket;
use crate::user::{TenantId, UserId};

/// Something the node itself has to say.
pub(super) struct Word {
    pub pipe: Pipe,
    pub event: Event,
    pub message: Message,
    /// Chosen by others, who may say the same.
    pub id: Option<MessageId>,
    pub origin: Option<ConnectionId>,
}

impl Node {
    /// Somebody subscribes to a pipe. What is to be said should this node die is written down before anything can be
    /// seen of it.
    pub(super) async fn track_arrival(&self, visitor: &Visitor, pipe: &Pipe, name: &PipeName) {
        if name.kind() == PipeKind::Track {
            self.set_will(visitor, pipe, of_track(visitor, "unsubscription")).await;
            self.track(visitor, pipe, "subscription").await;
        }
    }

    /// Somebody has left a pipe.
    pub(super) async fn track_departure(&self, visitor: &Visitor, pipe: &Pipe, name: &PipeName) {
        if name.kind() == PipeKind::Track {
            self.track(visitor, pipe, "unsubscription").await;
            self.set_will(visitor, pipe, None).await;
        }
    }

    async fn set_will(&self, visitor: &Visitor, pipe: &Pipe, will: Option<(Event, Message)>) {
        if let Err(error) = self.store.set_will(pipe, visitor.connection, will).await {
            tracing::warn!("{} will not be told who was here should this node die: {error}", pipe.shown_name());
        }
    }

    /// When it cannot be told who comes and goes, coming and going go on: a departure that stops halfway would leave
    /// somebody listening for ever.
    async fn track(&self, visitor: &Visitor, pipe: &Pipe, event: &str) {
        let Some((event, message)) = of_track(visitor, event) else { return };
        let word = Word { pipe: pipe.clone(), event, message, id: None, origin: Some(visitor.connection) };
        if let Err(error) = self.tell(word).await {
            tracing::warn!("{} was not told who came or went: {error}", pipe.shown_name());
        }
    }

    /// Publishes something the node itself has to say, if anybody listens: it is never kept, and a pipe for each user
    /// that comes would be.
    pub(super) async fn tell(&self, word: Word) -> Result<(), StoreError> {
        let Word { pipe, event, message, id, origin } = word;
        if self.store.listeners(&pipe).await? == 0 {
            return Ok(());
        }
        let (id_is_chosen, id) = (id.is_some(), id.unwrap_or_default());
        let publish = Publish { pipe, id, id_is_chosen, event, message, user: None, origin, sender_listens: false };
        self.store.publish(vec![publish]).await.map(drop)
    }

    /// A connection of a user is about to listen to his log: whoever waits for the end of his grace waits in vain.
    pub(super) fn comes(&self, tenant: TenantId, user: UserId) {
        self.presence().came((tenant, user));
    }

    /// He was away, as far as others were told.
    pub(super) async fn has_appeared(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        let _in_order = self.telling_of(user).lock().await;
        self.say_status(tenant, user, "online").await
    }

    /// A connection of a user has gone. If it was the last of all nodes that is said after the grace, unless he is back.
    pub(super) fn left(self: &Arc<Node>, tenant: TenantId, user: UserId, listeners: Result<u64, StoreError>) {
        self.presence().left((tenant, user));
        match listeners {
            Ok(0) => self.went(tenant, user),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("it is not known whether user {} has gone: {error}", user.number());
                // The grace ends with a look at who is here.
                self.went(tenant, user);
            }
        }
    }

    fn went(self: &Arc<Node>, tenant: TenantId, user: UserId) {
        let ticket = self.presence().went((tenant, user));
        let node = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(node.grace()).await;
            if let Err(error) = node.grace_is_over(tenant, user, ticket).await {
                tracing::warn!("nobody was told that user {} of tenant {tenant} has gone: {error}", user.number());
            }
        });
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs(self.config.presence_grace_seconds)
    }

    async fn grace_is_over(&self, tenant: TenantId, user: UserId, ticket: Ticket) -> Result<(), StoreError> {
        let _in_order = self.telling_of(user).lock().await;
        if self.presence().is_over((tenant, user), ticket) { self.disappears(tenant, user).await } else { Ok(()) }
    }

    /// The grace of a user is over that another node could not wait for.
    pub(super) async fn has_gone(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        let _in_order = self.telling_of(user).lock().await;
        self.disappears(tenant, user).await
    }

    /// Says that a user has gone, if he has, and nobody else says it.
    async fn disappears(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        let log = Pipe::Log(tenant, user);
        if !self.store.disappear(&log).await? {
            return Ok(());
        }
        // Whoever hears of it may ask at once since when.
        self.was_seen(tenant, user).await?;
        self.say_status(tenant, user, "offline").await?;
        // He may have appeared on another node before this one had said so: the last word must be the right one.
        if self.store.listeners(&log).await? > 0 {
            self.say_status(tenant, user, "online").await?;
        }
        Ok(())
    }

    /// Held from finding out that a user has come or gone until it is told: two such events of one user are told in
    /// the order in which they were found out.
    fn telling_of(&self, user: UserId) -> &tokio::sync::Mutex<()> {
        &self.telling[user.number() as usize % self.telling.len()]
    }

    async fn was_seen(&self, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
        let now = self.clock.now().seconds().to_string();
        self.store.set_record(tenant, &Record::Seen(user), Some(now)).await.map(drop)
    }

    async fn say_status(&self, tenant: TenantId, user: UserId, status: &str) -> Result<(), StoreError> {
        let Ok(name) = PipeName::for_publish(&format!("user_status_{}", user.number())) else { return Ok(()) };
        let Some((event, message)) = event_with(status, status.to_owned()) else { return Ok(()) };
        self.tell(Word { pipe: Pipe::Named(tenant, name), event, message, id: None, origin: None }).await
    }

    /// The node stops: whoever was here was last seen now. Other nodes go on, and there a user may be back within the
    /// grace.
    pub(super) async fn says_farewell(&self) {
        let has_others = self.store.peers().await.is_ok_and(|peers| peers.len() > 1);
        if has_others && self.presence().is_anybody_leaving() {
            tokio::time::sleep(self.grace()).await;
        }
        // Whose grace is over is told of under these, and in their order.
        for telling in &self.telling {
            drop(telling.lock().await);
        }
        let here = self.presence().take_all();
        for (tenant, user) in here {
            let seen = self.was_seen(tenant, user).await;
            if let Err(error) = seen.and(self.has_gone(tenant, user).await) {
                tracing::warn!("it was not written down when users were last seen: {error}");
                break;
            }
        }
    }
}

fn of_track(visitor: &Visitor, event: &str) -> Option<(Event, Message)> {
    let user = visitor.user.map_or(0, UserId::number);
    let uuid = serde_json::Value::from(&*visitor.uuid);
    event_with(event, format!("{{\"user_id\":{user},\"uuid\":{uuid}}}"))
}

fn event_with(event: &str, text: String) -> Option<(Event, Message)> {
    Some((event.parse().ok()?, Message::new(text, usize::MAX).ok()?))
}
