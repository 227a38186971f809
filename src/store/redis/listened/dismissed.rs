//! What is known of the dismissals of a user.

/// When whoever had logged in as the user of a log was last sent away, as Redis counts it.
#[derive(Clone, Copy, Default)]
pub struct Dismissed {
    /// As of the registration or later: the ears know. `None` before there was a registration.
    known_at: Option<u64>,
    /// Heard before there was one.
    heard_at: u64,
}

impl Dismissed {
    /// It was so late when Redis was told of the listeners. Answers whether somebody must be told who came before.
    pub fn registered(&mut self, at: u64) -> bool {
        let before = self.known_at.unwrap_or(at);
        let newest = before.max(at).max(self.heard_at);
        self.known_at = Some(newest);
        // What was heard before the first registration was answered may have come behind it.
        newest > before
    }

    /// The same, when it is announced.
    pub fn heard(&mut self, at: u64) -> bool {
        self.heard_at = self.heard_at.max(at);
        let is_news = self.known_at.is_some_and(|known| at > known);
        if is_news {
            self.known_at = Some(at);
        }
        is_news
    }
}
