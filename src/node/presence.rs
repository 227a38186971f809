//! Coming and going as others are told of it: `user_status_N` says whether a user is here, `track_*` pipes who subscribes
//! to them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::together::do_each;
use super::untold::{StatusWord, Untold};
use super::{CallId, Node, Publish, Record, StoreError, Visitor};
use crate::pipe::{ConnectionId, Event, Message, MessageId, Pipe, PipeKind, PipeName};
use crate::presence::{Ticket, Who};
use crate::user::{TenantId, UserId};

/// So long the farewell of a node that stops may take besides the grace, in milliseconds.
const FAREWELL_MILLIS_MAX: u64 = 5_000;

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

    /// He was away, as far as others were told. The store says that once: what cannot be told now is told later.
    pub(super) async fn has_appeared(&self, tenant: TenantId, user: UserId) {
        let _in_order = self.telling_of(user).lock().await;
        if let Err(error) = self.speaks((tenant, user), StatusWord::Online).await {
            tracing::warn!("it is told later that user {} of tenant {tenant} is here: {error}", user.number());
        }
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
            node.grace_is_over((tenant, user), ticket).await;
        });
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs(self.config.presence_grace_seconds)
    }

    async fn grace_is_over(&self, who: Who, ticket: Ticket) {
        let _in_order = self.telling_of(who.1).lock().await;
        if self.presence().is_over(who, ticket)
            && let Err(error) = self.departs(who).await
        {
            tracing::warn!("it is told later whether user {} of tenant {} has gone: {error}", who.1.number(), who.0);
        }
    }

    /// The grace of a user is over that another node could not wait for. Answers whether he has gone, and this node was
    /// the one to tell.
    pub(super) async fn has_gone(&self, who: Who) -> Result<bool, StoreError> {
        let _in_order = self.telling_of(who.1).lock().await;
        self.departs(who).await
    }

    /// Says that a user has gone, if he has, and nobody else says it. What cannot be told now is told later.
    async fn departs(&self, who: Who) -> Result<bool, StoreError> {
        let Untold { departure, word } = self.untold.of(who).unwrap_or_default();
        let call = departure.unwrap_or_else(CallId::new);
        match self.store.disappear(&Pipe::Log(who.0, who.1), call).await {
            Ok(true) => {
                // Whoever hears of it may ask at once since when; a disk that is full keeps nobody from hearing of it.
                if let Err(error) = self.was_seen(who).await {
                    tracing::warn!("it was not written down when user {} was last seen: {error}", who.1.number());
                }
                self.speaks(who, StatusWord::Offline).await.map(|()| true)
            }
            Ok(false) => {
                self.untold.is_not_leaving(who);
                match word {
                    Some(StatusWord::Offline) => self.speaks(who, StatusWord::Offline).await.map(|()| false),
                    Some(StatusWord::Online) | None => Ok(false),
                }
            }
            Err(error) => {
                self.keeps(who, Untold { departure: Some(call), word });
                Err(error)
            }
        }
    }

    /// Tries again what could not be told.
    pub(super) async fn tells_once_more(&self, who: Who) {
        let _in_order = self.telling_of(who.1).lock().await;
        if let Err(error) = self.tries_again(who).await {
            tracing::debug!("it is still not told whether user {} is here: {error}", who.1.number());
        }
    }

    async fn tries_again(&self, who: Who) -> Result<(), StoreError> {
        let is_known = self.presence().knows(who);
        match self.untold.of(who) {
            None => Ok(()),
            // It is asked when his grace is over.
            Some(Untold { departure: Some(_), .. }) if is_known => Ok(()),
            Some(Untold { departure: Some(_), .. }) => self.departs(who).await.map(drop),
            Some(Untold { departure: None, word }) => {
                let is_here = self.store.listeners(&Pipe::Log(who.0, who.1)).await? > 0;
                match word {
                    // Also when it was said already that he has gone: the last word must be the right one.
                    Some(_) if is_here => self.speaks(who, StatusWord::Online).await,
                    Some(StatusWord::Offline) => self.speaks(who, StatusWord::Offline).await,
                    Some(StatusWord::Online) if is_known => Ok(()),
                    // Whoever saw him go has told that.
                    Some(StatusWord::Online) | None => {
                        self.untold.is_told(who);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Says it, or keeps it to be said later.
    async fn speaks(&self, who: Who, word: StatusWord) -> Result<(), StoreError> {
        let said = match word {
            StatusWord::Online => self.say_status(who, "online").await,
            StatusWord::Offline => self.say_offline(who).await,
        };
        match &said {
            Ok(()) => self.untold.is_told(who),
            Err(_) => self.keeps(who, Untold { departure: None, word: Some(word) }),
        }
        said
    }

    async fn say_offline(&self, who: Who) -> Result<(), StoreError> {
        self.say_status(who, "offline").await?;
        // He may have appeared on another node before this one had said so: the last word must be the right one.
        if self.store.listeners(&Pipe::Log(who.0, who.1)).await? > 0 {
            self.say_status(who, "online").await?;
        }
        Ok(())
    }

    fn keeps(&self, who: Who, untold: Untold) {
        if !self.untold.keep(who, untold) {
            let (user, tenant) = (who.1.number(), who.0);
            tracing::error!("nobody will be told whether user {user} of tenant {tenant} is here: too much is untold");
        }
    }

    /// Held from finding out that a user has come or gone until it is told: two such events of one user are told in
    /// the order in which they were found out.
    fn telling_of(&self, user: UserId) -> &tokio::sync::Mutex<()> {
        &self.telling[user.number() as usize % self.telling.len()]
    }

    async fn was_seen(&self, (tenant, user): Who) -> Result<(), StoreError> {
        let now = self.clock.now().seconds().to_string();
        self.store.set_record(tenant, &Record::Seen(user), Some(now)).await.map(drop)
    }

    async fn say_status(&self, (tenant, user): Who, status: &str) -> Result<(), StoreError> {
        let Ok(name) = PipeName::for_publish(&format!("user_status_{}", user.number())) else { return Ok(()) };
        let Some((event, message)) = event_with(status, status.to_owned()) else { return Ok(()) };
        self.tell(Word { pipe: Pipe::Named(tenant, name), event, message, id: None, origin: None }).await
    }

    /// The node stops: whoever was here was last seen now. Other nodes go on, and there a user may be back within the
    /// grace.
    pub(super) async fn says_farewell(self: &Arc<Node>) {
        let within = self.grace() + Duration::from_millis(FAREWELL_MILLIS_MAX);
        if timeout(within, self.takes_leave()).await.is_err() {
            tracing::warn!("the node stops before it was told of all users whether they have gone");
        }
    }

    async fn takes_leave(self: &Arc<Node>) {
        let has_others = self.store.peers().await.is_ok_and(|peers| peers.len() > 1);
        if has_others && self.presence().is_anybody_leaving() {
            tokio::time::sleep(self.grace()).await;
        }
        // From now on no grace is over: who waits for his turn to be told of is among these.
        let here = self.presence().take_all();
        // Whose grace was over is told of under these.
        for telling in &self.telling {
            drop(telling.lock().await);
        }
        let count = here.len();
        let was_here = |who| {
            let node = Arc::clone(self);
            async move { node.was_here(who).await.is_ok() }
        };
        let noted = do_each(here, was_here).await;
        if noted < count {
            tracing::warn!("of {} users it was not written down when they were last seen", count - noted);
        }
        self.tells_untold_once().await;
    }

    /// If he has gone that is written down as it is told; if not, this node has seen him last as far as it knows.
    async fn was_here(&self, who: Who) -> Result<(), StoreError> {
        if self.has_gone(who).await? { Ok(()) } else { self.was_seen(who).await }
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
