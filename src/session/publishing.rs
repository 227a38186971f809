//! A browser publishes.

use super::{Next, Session, Surroundings, Waits};
use crate::node::{Ask, Publish};
use crate::pipe::{Event, Message, MessageId, Pipe, PipeKind, PipeName};

impl Session {
    /// Publishes, where browsers may; the sender is told how many have got it. `web_*` is open to all, also without
    /// a name; `webauth_*` to who is logged in, by name.
    pub(super) fn publish(
        &mut self,
        name: PipeName,
        event: Event,
        text: &str,
        is_anonymous: bool,
        around: &mut Surroundings<'_>,
    ) -> Next {
        match name.kind() {
            PipeKind::Web => {}
            PipeKind::WebAuth if is_anonymous => {
                return self.refuse("webauth_* pipes name their sender: leave the @ away", around);
            }
            PipeKind::WebAuth if self.user.is_none() => {
                return self.refuse("webauth_* pipes are for who is logged in", around);
            }
            PipeKind::WebAuth => {}
            _ => return self.refuse("A browser publishes to web_* and webauth_* pipes only", around),
        }
        // A frame is no longer than the node allows, so its text is not either.
        let Ok(message) = Message::new(text.to_owned(), usize::MAX) else { return Next::NOTHING };
        let pipe = Pipe::Named(self.tenant, name.clone());
        let is_own = |subscription: &_| *around.hub.pipe(*subscription) == pipe;
        let publish = Publish {
            sender_listens: self.subscriptions.iter().any(is_own),
            pipe,
            id: MessageId::new(),
            id_is_chosen: false,
            event,
            message,
            user: self.user.filter(|_| !is_anonymous),
            origin: Some(self.id),
        };
        self.wait(Waits::Report { name, text: text.into() }, Ask::Publish(publish))
    }
}
