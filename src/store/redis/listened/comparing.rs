//! What was heard and told, compared with what Redis says.

use super::{Entry, Listened, Newest};
use crate::pipe::Position;
use crate::store::News;

impl Listened {
    /// The bases of the pipes that somebody listens to.
    pub fn bases(&self) -> Vec<String> {
        let table = self.table();
        let heard = table.pipes.iter().filter(|(_, entry)| entry.listeners.count() > 0);
        heard.map(|(base, _)| base.clone()).collect()
    }

    /// Whether somebody listens to a pipe.
    pub fn is_listened(&self, base: &str) -> bool {
        self.table().pipes.get(base).is_some_and(|entry| entry.listeners.count() > 0)
    }

    /// Whether something of a pipe has not been heard that Redis has, which has it at `head`, and nobody was told so.
    pub fn is_behind(&self, base: &str, head: Position) -> bool {
        self.table().pipes.get(base).is_some_and(|entry| entry.is_behind(head))
    }

    /// What was not heard of a pipe up to `head`, if anything, will not come any more.
    pub fn missing(&self, base: &str, head: Position) {
        let mut table = self.table();
        let Some(entry) = table.pipes.get_mut(base).filter(|entry| entry.is_behind(head)) else { return };
        entry.told_lost = Some(head);
        entry.publishing.retain(|(wanted, _)| wanted.epoch == head.epoch && wanted.index > head.index);
        for ear in entry.listeners.ears().filter_map(|id| self.ear(id)) {
            ear.push([News::Lost(entry.pipe.clone())], None);
        }
    }

    /// The version of the count that Redis has of a pipe; 0 if it has none. If it should be a later one, it is told once
    /// more; answers whether it is.
    pub fn is_told_again(&self, base: &str, version: u64) -> bool {
        let mut table = self.table();
        let is_late = |entry: &Entry| entry.listeners.count() > 0 && entry.counted > version;
        let is_late = table.pipes.get(base).is_some_and(is_late);
        if is_late {
            table.untold.insert(base.to_owned());
        }
        is_late
    }
}

impl Entry {
    fn is_behind(&self, head: Position) -> bool {
        // As long as it is not subscribed, it is going to be told that it lost all.
        let is_heard = self.subscribed.is_some() && self.listeners.count() > 0 && head.epoch != 0;
        let newest = self.newest.as_ref().or(self.began.as_ref()).filter(|_| is_heard);
        let is_behind =
            newest.is_some_and(|Newest { position, .. }| position.epoch != head.epoch || position.index < head.index);
        is_behind && self.told_lost != Some(head)
    }
}
