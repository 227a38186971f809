//! Which server tells of which pipe, and what may not have been heard when that has changed.

use super::super::call::Slot;
use super::super::server::ServerId;
use super::{Dismissed, Entry, Listened, Table};
use crate::pipe::Pipe;
use crate::store::News;

/// The channel of this node's letters.
#[derive(Default)]
pub struct LetterBox {
    wanted: Option<String>,
    /// The server that tells of it.
    subscribed: Option<ServerId>,
}

impl LetterBox {
    fn is(&self, channel: &str) -> bool {
        self.wanted.as_deref() == Some(channel)
    }

    /// What must be asked about a channel that is no pipe's.
    fn change(&self, channel: &str, changes: &mut Changes) {
        match (self.is(channel), self.subscribed) {
            (true, None) => changes.subscribe.push(channel.to_owned()),
            (true, Some(_)) => {}
            (false, _) => changes.unsubscribe.push(channel.to_owned()),
        }
    }
}

/// A pipe of which something may not have been heard.
pub struct Doubt {
    pub base: String,
    pub pipe: Pipe,
    version: u64,
}

/// What to ask of Redis.
#[derive(Default)]
pub struct Changes {
    pub subscribe: Vec<String>,
    pub unsubscribe: Vec<String>,
}

impl Listened {
    /// Letters to this node come by this channel from now on.
    pub fn open_letters(&self, channel: String) {
        let mut table = self.table();
        if !table.letters.is(&channel) {
            self.servers.change(&channel);
            table.letters.subscribed = None;
            let before = table.letters.wanted.replace(channel);
            before.iter().for_each(|channel| self.servers.change(channel));
        }
    }

    /// Whether it is one.
    pub fn is_letters(&self, channel: &str) -> bool {
        self.table().letters.is(channel)
    }

    /// What must be asked of a server, of what has changed there; from now on it counts as asked.
    pub fn changes(&self, server: ServerId, changed: Vec<String>) -> Changes {
        let mut table = self.table();
        let mut changes = Changes::default();
        for base in changed {
            if !table.pipes.contains_key(&base) {
                table.letters.change(&base, &mut changes);
            }
            let Some(entry) = table.pipes.get_mut(&base) else { continue };
            match (entry.listeners.count() > 0, entry.subscribed) {
                (true, None) if self.servers.is_owner(server, Slot::of(&base)) => changes.subscribe.push(base),
                (false, Some(by)) => {
                    // Whoever listens from here on asks once more, which goes out behind this.
                    entry.unsubscribe();
                    (entry.registered, entry.began, entry.newest, entry.doubt) = (None, None, None, None);
                    entry.dismissed = Dismissed::default();
                    table.doubted.remove(&base);
                    table.forget(&base);
                    // Another server has ended it by itself, or will when it has no more to do with the slot.
                    if by == server {
                        changes.unsubscribe.push(base);
                    }
                }
                _ => table.forget(&base),
            }
        }
        changes
    }

    /// A server tells of these from now on.
    pub fn subscribed(&self, server: ServerId, bases: &[String]) {
        let mut table = self.table();
        for base in bases {
            if table.letters.is(base) && self.servers.is_owner(server, Slot::of(base)) {
                table.letters.subscribed = Some(server);
            }
            if let Some(entry) = table.pipes.get_mut(base)
                && self.servers.is_owner(server, Slot::of(base))
            {
                entry.subscribed = Some(server);
                // Who has stopped waiting has gone.
                for waiting in entry.subscribing.drain(..) {
                    let _ = waiting.send(());
                }
                if entry.listeners.count() == 0 {
                    self.servers.change(base);
                }
            }
        }
    }

    /// A server tells of these no more, though it was not asked to stop.
    pub fn unsubscribed(&self, server: ServerId, bases: &[String]) {
        let mut table = self.table();
        let table = &mut *table;
        for base in bases {
            if table.letters.is(base) && table.letters.subscribed == Some(server) {
                table.letters.subscribed = None;
                self.servers.change(base);
            }
            if table.pipes.get(base).is_some_and(|entry| entry.subscribed == Some(server)) {
                table.doubt(base);
                self.servers.change(base);
            }
        }
    }

    /// A server tells of nothing any more.
    pub fn all_unsubscribed(&self, server: ServerId) {
        self.resubscribe(|_, by| by == server);
    }

    /// Slots have gone from server to server: their pipes are subscribed to where they are now.
    pub fn moved(&self) {
        self.resubscribe(|base, by| !self.servers.is_owner(by, Slot::of(base)));
        self.outdated.suspected.notify_one();
    }

    /// Has all pipes subscribed anew that are not, and those for which the server that told of them is none any more.
    fn resubscribe(&self, is_over: impl Fn(&str, ServerId) -> bool) {
        let mut table = self.table();
        let over: Vec<String> = table
            .pipes
            .iter()
            .filter(|(base, entry)| entry.subscribed.is_none_or(|by| is_over(base, by)))
            .map(|(base, _)| base.clone())
            .collect();
        for base in over {
            if table.pipes.get(&base).is_some_and(|entry| entry.subscribed.is_some()) {
                table.doubt(&base);
            }
            self.servers.change(&base);
        }
        if let LetterBox { wanted: Some(channel), subscribed } = &mut table.letters
            && subscribed.is_none_or(|by| is_over(channel, by))
        {
            *subscribed = None;
            self.servers.change(channel);
        }
    }

    /// Of what a server tells again there is something that may not have been heard before.
    pub fn is_doubted(&self, server: ServerId) -> bool {
        let table = self.table();
        table.doubted.iter().any(|base| table.pipes.get(base).is_some_and(|entry| entry.subscribed == Some(server)))
    }

    /// All of that.
    pub fn doubted(&self, server: ServerId) -> Vec<Doubt> {
        let table = self.table();
        let doubt = |base: &String| {
            let entry = table.pipes.get(base).filter(|entry| entry.subscribed == Some(server))?;
            Some(Doubt { base: base.clone(), pipe: entry.pipe.clone(), version: entry.doubt? })
        };
        table.doubted.iter().filter_map(doubt).collect()
    }

    /// Of these something may have been lost, and is looked for from where the pipes stand now.
    pub fn lost_of(&self, doubted: &[Doubt]) {
        let mut table = self.table();
        let table = &mut *table;
        for Doubt { base, pipe, version } in doubted {
            let Some(entry) = table.pipes.get_mut(base).filter(|entry| entry.doubt == Some(*version)) else { continue };
            entry.lost();
            table.doubted.remove(base);
            for ear in entry.listeners.ears().filter_map(|id| self.ears.get(usize::from(id.0))) {
                ear.push([News::Lost(pipe.clone())], None);
            }
        }
    }
}

impl Table {
    /// The subscription of a pipe has ended unasked.
    fn doubt(&mut self, base: &str) {
        let Some(entry) = self.pipes.get_mut(base) else { return };
        self.version += 1;
        entry.unsubscribe();
        entry.doubt = Some(self.version);
        self.doubted.insert(base.to_owned());
    }
}

impl Entry {
    /// Publishers do not wait for what may never be heard.
    fn unsubscribe(&mut self) {
        self.subscribed = None;
        self.publishing.clear();
    }
}
