//! A browser follows pipes, from where it has got or from now on: each is held, listened to, read as far as something
//! is missing, and joined.

use std::collections::VecDeque;

use bytes::Bytes;

use super::reading::CROWDED_BYTES;
use super::{Ending, Next, Session, Surroundings, Waits};
use crate::fault::{Fault, is_planted};
use crate::frame::{self, five};
use crate::history::Joined;
use crate::hub::SubscriptionId;
use crate::node::{Answer, Ask, Listening, Page, Recovered, Since, StoreError};
use crate::pipe::{Pipe, Position};
use crate::user::{Credentials, Generation, UserId};

/// Pipes that are followed one after the other.
pub(super) struct Following {
    /// The command that asked for it; a user's own log is asked for by nobody.
    id: Option<u64>,
    pipes: VecDeque<Wanted>,
}

/// A pipe that is wanted, and what has still to be read of it.
pub(super) struct Wanted {
    subscription: SubscriptionId,
    start: Start,
    step: Step,
    /// Whether the browser was told from where it has the pipe.
    is_told: bool,
    /// Whether something was lost since, of which it is still to be told.
    has_gap: bool,
}

/// From where somebody wants to have a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// What was missed since.
    pub behind: Option<Position>,
    /// Without a position, or when not everything behind it is there any more.
    pub otherwise: Otherwise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Otherwise {
    /// From now on.
    Now,
    /// So many of the newest messages, as history.
    Newest(usize),
    /// What no device of the user has taken.
    Untaken,
}

/// What comes next for a pipe.
#[derive(Clone, Copy)]
enum Step {
    Recover(Position),
    Read(Since),
    /// Everything up to here has been read.
    Join(Position),
}

impl Start {
    /// How to begin with a pipe that stands at `position`.
    fn step(self, position: Position) -> Step {
        match self.behind {
            Some(behind) if behind != position => Step::Recover(behind),
            Some(_) => Step::Join(position),
            None => self.otherwise.step(position),
        }
    }
}

impl Otherwise {
    fn step(self, position: Position) -> Step {
        match self {
            Otherwise::Now | Otherwise::Newest(0) => Step::Join(position),
            Otherwise::Newest(count) => Step::Read(Since::Newest(count)),
            Otherwise::Untaken => Step::Read(Since::Untaken),
        }
    }
}

impl Session {
    /// The user's log, from what this device has, or from what no device has taken.
    pub(super) fn follow_log(
        &mut self,
        user: UserId,
        credentials: &Credentials,
        behind: Option<Position>,
        around: &mut Surroundings<'_>,
    ) -> Next {
        let log = Pipe::Log(self.tenant, user);
        let subscription = around.hub.subscribe(self.id.slot, self.generation, &log);
        self.log = Some(subscription);
        let start = Start { behind, otherwise: Otherwise::Untaken };
        let mut next = self.follow(None, vec![(subscription, start)], Vec::new(), around);
        if let Some(Ask::Listen { login, .. }) = &mut next.ask {
            *login = Some(Box::new(credentials.clone()));
        }
        next
    }

    /// Pipes that have just been subscribed to, and pipes that are left. They are held before they are listened to,
    /// and listened to before they are read: in any other order a message could fall between.
    pub(super) fn follow(
        &mut self,
        id: Option<u64>,
        wanted: Vec<(SubscriptionId, Start)>,
        leave: Vec<Pipe>,
        around: &mut Surroundings<'_>,
    ) -> Next {
        let mut following = Following { id, pipes: VecDeque::with_capacity(wanted.len()) };
        // Together they have as much kept aside as may wait for one connection: what is more can be read.
        let bytes_max = around.outboxes.waiting_bytes_max() / wanted.len().max(1);
        for (subscription, start) in wanted {
            around.hub.hold(subscription, bytes_max);
            let step = Step::Join(Position { epoch: 0, index: 0 });
            following.pipes.push_back(Wanted { subscription, start, step, is_told: false, has_gap: false });
        }
        let take = following.pipes.iter().map(|wanted| around.hub.pipe(wanted.subscription).clone()).collect();
        let ask = Ask::Listen { visitor: self.visitor(), take, leave, login: None };
        self.wait(Waits::Following(Box::new(following)), ask)
    }

    /// An answer to what [`Session::follow`] and its steps have asked.
    pub(super) fn followed(
        &mut self,
        mut following: Box<Following>,
        answer: Answer,
        around: &mut Surroundings<'_>,
    ) -> Next {
        let done = match answer {
            Answer::Listening(listening) => {
                listening.map(|listening| self.has_begun(&mut following, &listening, around))
            }
            Answer::Page(page) => page.map(|page| self.has_read(&mut following, &page, around)),
            Answer::Recovered(recovered) => {
                recovered.map(|recovered| self.has_recovered(&mut following, recovered, around))
            }
            Answer::Authorised(Ok(false)) => return Next::close(Ending::Revoked),
            _ => {
                self.waits_for = Some(Waits::Following(following));
                return Next::NOTHING;
            }
        };
        match done {
            Ok(()) => self.follow_on(following, around),
            // What is published could not be heard: better that the browser comes back than that it waits for ever.
            Err(error) => Self::sent_away(&error),
        }
    }

    pub(super) fn sent_away(error: &StoreError) -> Next {
        tracing::warn!("a browser is sent away: {error}");
        Next::close(Ending::NoStore)
    }

    /// The next step of the next pipe.
    pub(super) fn follow_on(&mut self, mut following: Box<Following>, around: &mut Surroundings<'_>) -> Next {
        while let Some(wanted) = following.pipes.front() {
            if around.outboxes.waiting_bytes(self.id.slot) > CROWDED_BYTES {
                around.outboxes.tell_when_empty(self.id.slot);
                self.waits_for = Some(Waits::RoomToFollow(following));
                return Next::NOTHING;
            }
            let pipe = || around.hub.pipe(wanted.subscription).clone();
            let ask = match wanted.step {
                Step::Recover(after) => Ask::Recover { pipe: pipe(), after },
                Step::Read(since) => Ask::Read { pipe: pipe(), since },
                Step::Join(up_to) => {
                    self.join(&mut following, up_to, around);
                    continue;
                }
            };
            return self.wait(Waits::Following(following), ask);
        }
        if let Some(id) = following.id {
            around.outboxes.push(self.id.slot, five::done(id));
        }
        Next::NOTHING
    }

    /// Everything up to `up_to` has been read: what went by meanwhile comes behind it.
    fn join(&mut self, following: &mut Following, up_to: Position, around: &mut Surroundings<'_>) {
        let id = following.id;
        let Some(wanted) = following.pipes.front_mut() else { return };
        let recovered = wanted.start.behind.map(|behind| behind == up_to);
        self.tell_start(id, wanted, up_to, recovered, around);
        match around.hub.join(wanted.subscription, up_to) {
            Joined::ReadOn => wanted.step = Step::Recover(up_to),
            Joined::Live(arrivals) => {
                following.pipes.pop_front();
                if !arrivals.is_empty() {
                    around.outboxes.push_page(self.id.slot, frame::of_run(&arrivals, self.generation));
                }
            }
        }
    }

    /// Tells from where the browser has the pipe: once, and again when something was lost since.
    fn tell_start(
        &self,
        id: Option<u64>,
        wanted: &mut Wanted,
        position: Position,
        recovered: Option<bool>,
        around: &mut Surroundings<'_>,
    ) {
        if self.generation == Generation::Five {
            let pipe = around.hub.pipe(wanted.subscription).shown_name();
            if !wanted.is_told {
                around.outboxes.push(self.id.slot, five::subscribed(id, pipe, Some(position), recovered));
            } else if wanted.has_gap {
                around.outboxes.push(self.id.slot, five::gap(pipe, position));
            }
        }
        (wanted.is_told, wanted.has_gap) = (true, false);
    }

    /// All pipes are listened to.
    fn has_begun(&self, following: &mut Following, listening: &[Listening], around: &mut Surroundings<'_>) {
        let id = following.id;
        for (wanted, Listening { position, .. }) in following.pipes.iter_mut().zip(listening) {
            let all_goes_by = around.hub.listening(wanted.subscription, *position);
            wanted.step = wanted.start.step(*position);
            if let (false, Step::Join(from)) = (all_goes_by, wanted.step) {
                self.tell_start(id, wanted, from, wanted.start.behind.map(|_| true), around);
                wanted.step = Step::Recover(from);
            }
        }
    }

    fn has_recovered(&mut self, following: &mut Following, recovered: Recovered, around: &mut Surroundings<'_>) {
        let id = following.id;
        let Some(wanted) = following.pipes.front_mut() else { return };
        match recovered {
            Recovered::Page(page) => {
                let Step::Recover(after) = wanted.step else { return };
                if is_planted(Fault::ReadBeforeHold) {
                    around.hub.hold(wanted.subscription, around.outboxes.waiting_bytes_max());
                }
                wanted.step = if page.more { Step::Recover(page.up_to) } else { Step::Join(page.up_to) };
                self.tell_start(id, wanted, after, Some(true), around);
                self.push_missed(&page, around);
            }
            Recovered::Lost(now) if wanted.is_told => {
                wanted.has_gap = true;
                wanted.step = match (wanted.start.otherwise, wanted.step) {
                    // What is still kept behind it is still to be delivered.
                    (Otherwise::Untaken, Step::Recover(after)) => Step::Read(Since::After(after.index)),
                    _ => Step::Join(now),
                };
            }
            Recovered::Lost(now) => wanted.step = wanted.start.otherwise.step(now),
        }
    }

    /// A page of history, or of what has not been taken.
    fn has_read(&mut self, following: &mut Following, page: &Page, around: &mut Surroundings<'_>) {
        let id = following.id;
        let Some(wanted) = following.pipes.front_mut() else { return };
        if wanted.start.otherwise == Otherwise::Untaken {
            // What is of an epoch that is over is read and not recovered: nothing of it is vouched for.
            let is_over = page.messages.last().is_some_and(|last| last.position.epoch != page.up_to.epoch);
            wanted.step = match page.more {
                true if is_over => Step::Read(Since::After(page.up_to.index)),
                true => Step::Recover(page.up_to),
                false => Step::Join(page.up_to),
            };
            // Nothing that is not taken stands between here and the first of these.
            let recovered = wanted.start.behind.map(|_| false);
            self.tell_start(id, wanted, page.starts_behind(), recovered, around);
            return self.push_missed(page, around);
        }
        wanted.step = if page.more { Step::Read(Since::After(page.up_to.index)) } else { Step::Join(page.up_to) };
        let pipe = around.hub.pipe(wanted.subscription).shown_name();
        let history = five::history(id, pipe, &page.messages, page.more);
        around.outboxes.push_page(self.id.slot, history);
    }

    /// Messages that were missed. A private one that has waited for its user says so to the original's library.
    fn push_missed(&self, page: &Page, around: &mut Surroundings<'_>) {
        let Some(last) = page.messages.last() else { return };
        let frames = match (self.generation, &last.pipe) {
            (Generation::Five, _) | (_, Pipe::Named(..)) => frame::of_run(&page.messages, self.generation),
            (Generation::Four, Pipe::Log(..)) => {
                let mut frames: Vec<Bytes> = page.messages.iter().map(|delivery| frame::of_queued(delivery)).collect();
                frames.push(frame::receipt_request(last.position.index));
                Bytes::from(frames.concat())
            }
        };
        around.outboxes.push_page(self.id.slot, frames);
    }
}
