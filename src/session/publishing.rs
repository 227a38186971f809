//! A browser publishes.

use super::{Next, Reply, Session, Surroundings, Waits};
use crate::node::{Ask, Publish};
use crate::pipe::{Event, Message, MessageId, Pipe, PipeKind, PipeName};

/// A message as a browser wants it published.
pub(super) struct Wish<'t> {
    pub name: PipeName,
    pub event: Event,
    pub text: &'t str,
    /// The sender does not want to be told by name.
    pub is_anonymous: bool,
    /// The id that the browser has chosen, so that it may say all this again.
    pub id: Option<MessageId>,
}

impl Session {
    /// Publishes, where browsers may; the sender is told how many have got it. `web_*` is open to all, also without
    /// a name; `webauth_*` to who is logged in, by name.
    pub(super) fn publish(&mut self, reply: &Reply, wish: Wish<'_>, around: &mut Surroundings<'_>) -> Next {
        let Wish { name, event, text, is_anonymous, id } = wish;
        let refusal = match name.kind() {
            PipeKind::Web => None,
            PipeKind::WebAuth if is_anonymous => Some("webauth_* pipes name their sender: it cannot be anonymous"),
            PipeKind::WebAuth if self.user.is_none() => Some("webauth_* pipes are for who is logged in"),
            PipeKind::WebAuth => None,
            _ => Some("A browser publishes to web_* and webauth_* pipes only"),
        };
        if let Some(text) = refusal {
            return self.refuse(reply, 403, text, around);
        }
        // A frame is no longer than the node allows, so its text is not either.
        let Ok(message) = Message::new(text.to_owned(), usize::MAX) else { return Next::NOTHING };
        let pipe = Pipe::Named(self.tenant, name.clone());
        let is_own = |subscription: &_| *around.hub.pipe(*subscription) == pipe;
        let publish = Publish {
            sender_listens: self.subscriptions.iter().any(is_own),
            pipe,
            id: id.unwrap_or_default(),
            id_is_chosen: id.is_some(),
            event,
            message,
            user: self.user.filter(|_| !is_anonymous),
            origin: Some(self.id),
        };
        let waits = match reply {
            Reply::Marked(_) => Waits::Report { name, text: text.into() },
            Reply::Id(command) => Waits::Published { command: *command, id: publish.id },
        };
        self.wait(waits, Ask::Publish(publish))
    }
}
