//! News from the store: what is next goes out, and what was missed is read before the pipe goes on.

use std::sync::Arc;

use super::{Asking, Shard, Whose};
use crate::clock::UnixMillis;
use crate::fault::{Fault, is_planted};
use crate::frame;
use crate::hub::{Missing, Run};
use crate::node::{Answer, Ask, News, Recovered, Since};
use crate::pipe::{Delivery, Pipe, Position};

/// Most bytes of messages that are joined into one piece for all subscribers.
const RUN_BYTES_MAX: usize = 256 * 1024;
/// Most pipes that are read at the same time because something of them was missed.
const RECOVERING_MAX: usize = 256;

impl Shard {
    /// News for the pipes that are heard here. What came together for one pipe goes out together.
    pub fn news(&mut self, news: Vec<News>, now: UnixMillis, ask: Asking<'_>) {
        let mut deliveries = Vec::with_capacity(news.len());
        for news in news {
            match news {
                News::Delivery(delivery) => deliveries.push(delivery),
                News::Lost(pipe) => {
                    self.arrive(&std::mem::take(&mut deliveries));
                    self.hub.doubt(&pipe);
                }
                News::LostAll => {
                    self.arrive(&std::mem::take(&mut deliveries));
                    self.hub.doubt_all();
                }
                News::Dismissed(log) => self.dismiss(&log, now),
            }
        }
        self.arrive(&deliveries);
        self.catch_up(ask);
    }

    /// Messages arrive that were announced, in runs of one pipe.
    fn arrive(&mut self, deliveries: &[Arc<Delivery>]) {
        let bytes_max = self.outboxes.waiting_bytes_max();
        let mut delivered = 0;
        for run in runs(deliveries) {
            if let [first, ..] = run {
                let next = self.hub.arrive(&first.pipe, run, bytes_max);
                delivered += self.deliver(&next);
            }
        }
        self.status.delivered(delivered);
    }

    fn deliver(&mut self, run: &[Arc<Delivery>]) -> usize {
        let [first, ..] = run else { return 0 };
        let run_of = Run { pipe: &first.pipe, deliveries: run, encode: frame::of_run };
        self.hub.deliver(&run_of, &mut self.outboxes) * run.len()
    }

    /// What was kept aside arrives once more, and what was missed is asked for.
    pub(super) fn catch_up(&mut self, ask: Asking<'_>) {
        loop {
            let again = self.hub.take_again();
            if !again.is_empty() {
                self.arrive(&again);
                continue;
            }
            if self.recovering >= RECOVERING_MAX {
                return;
            }
            let Some(missing) = self.hub.next_missing() else { return };
            if !self.hub.still_misses(&missing) {
                continue;
            }
            let wanted = Ask::Recover { pipe: missing.pipe.clone(), after: missing.behind };
            match ask(Whose::Pipe(missing.clone()), wanted) {
                Some(answer) => self.recovered(missing, answer, ask),
                None => self.recovering += 1,
            }
        }
    }

    /// What was missed is there, or is gone.
    pub(super) fn recovered(&mut self, missing: Missing, answer: Answer, ask: Asking<'_>) {
        if !self.hub.still_misses(&missing) {
            return;
        }
        match answer {
            Answer::Recovered(Ok(Recovered::Page(page))) => {
                let delivered: usize = runs(&page.messages).map(|run| self.deliver(run)).sum();
                self.status.delivered(delivered);
                self.hub.has_read(&missing.pipe, page.up_to, page.more);
            }
            // Not all of it is there, but what is kept of a log is still to be delivered.
            Answer::Recovered(Ok(Recovered::Lost(_))) if matches!(missing.pipe, Pipe::Log(..)) => {
                let wanted = Ask::Read { pipe: missing.pipe.clone(), since: Since::After(missing.behind.index) };
                match ask(Whose::Pipe(missing.clone()), wanted) {
                    Some(answer) => self.recovered(missing, answer, ask),
                    None => self.recovering += 1,
                }
            }
            Answer::Page(Ok(page)) => {
                self.tell_gap(&missing.pipe, page.starts_behind());
                let delivered: usize = runs(&page.messages).map(|run| self.deliver(run)).sum();
                self.status.delivered(delivered);
                self.hub.has_read(&missing.pipe, page.up_to, page.more);
            }
            Answer::Recovered(Ok(Recovered::Lost(position))) => {
                self.tell_gap(&missing.pipe, position);
                self.hub.has_read(&missing.pipe, position, false);
            }
            Answer::Recovered(Err(error)) | Answer::Page(Err(error)) => {
                tracing::warn!("what was missed of {} cannot be read yet: {error}", missing.pipe.shown_name());
                self.unread.push(missing);
            }
            // Nobody answers so to what was asked.
            _ => self.unread.push(missing),
        }
    }

    /// What is missing up to `position` is gone.
    fn tell_gap(&mut self, pipe: &Pipe, position: Position) {
        let gap = frame::five::gap(pipe.shown_name(), position);
        if !is_planted(Fault::GapUnsaid) {
            self.hub.gap(pipe, position, &gap, &mut self.outboxes);
        }
    }

    /// What could not be read is asked for once more.
    pub(super) fn try_again(&mut self, ask: Asking<'_>) {
        for missing in std::mem::take(&mut self.unread) {
            self.hub.misses_still(missing);
        }
        self.catch_up(ask);
    }
}

/// Messages of one pipe that stand together, none of the runs too long for one piece.
fn runs(deliveries: &[Arc<Delivery>]) -> impl Iterator<Item = &[Arc<Delivery>]> {
    let mut rest = deliveries;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut bytes = 0;
        let together = rest.iter().take_while(|delivery| {
            bytes += delivery.message.bytes();
            delivery.pipe == first.pipe && bytes <= RUN_BYTES_MAX
        });
        let (run, behind) = rest.split_at(together.count().max(1));
        rest = behind;
        Some(run)
    })
}
