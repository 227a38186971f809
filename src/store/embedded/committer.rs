//! The one thread that writes. It takes what has queued up, commits it together, and only then announces and
//! answers: an OK means that the message is on disk.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::disk::{Disk, Tables};
use super::head::Head;
use super::live::{Live, Numbered, Rooms};
use super::live_pipe::LivePipe;
use super::repeats::First;
use crate::clock::{Clock, UnixMillis};
use crate::pipe::{Delivery, MessageId, Pipe, Position, Retention};
use crate::store::{Adopted, Publish, Published, Record, Standing, StoreError};
use crate::user::TenantId;

/// Most pieces of work in one commit.
const GROUP_MAX: usize = 512;
/// With durability in memory, what was acknowledged is on disk after so long at the latest.
const SETTLE_AFTER_MAX: Duration = Duration::from_secs(1);
/// How long it waits for work before it looks whether memory can be let go.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// How often memory is let go, one stripe at a time, in milliseconds.
const LET_GO_MILLIS: u64 = 1_000;

pub struct Committer {
    pub disk: Arc<Disk>,
    pub live: Arc<Live>,
    pub clock: Arc<dyn Clock>,
    /// Most bytes of history one pipe keeps.
    pub history_bytes_max_per_pipe: u64,
    /// Whether messages are gone that were acknowledged.
    pub has_lost_ground: Cell<bool>,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub enum Work {
    Publish { batch: Vec<Publish>, rooms: Rooms, reply: Reply<Vec<Published>> },
    Erase { pipe: Pipe, indexes: Vec<u64>, reply: Reply<u64> },
    Take { pipe: Pipe, index: u64, reply: Reply<()> },
    SetRecord { tenant: TenantId, record: Record, value: Option<String>, reply: Reply<bool> },
    SetRetention { pipe: Pipe, retention: Retention, reply: Reply<()> },
    RemoveRetention { pipe: Pipe, reply: Reply<bool> },
    Adopt { pipe: Pipe, messages: Vec<Arc<Delivery>>, stands: Standing, reply: Reply<Adopted> },
    Close { reply: oneshot::Sender<()> },
}

/// What a piece of work came to, known before the commit and told after it.
enum Outcome {
    Numbered(Vec<Numbered>),
    Erased(u64),
    Done,
    /// Whether there was one before.
    Had(bool),
    /// Whether there was a setting, and behind which index the messages were deleted with it.
    Removed(bool, u64),
    /// Where the pipe stands behind what was adopted.
    Adopted(Position, Adopted),
}

/// The heads a group has touched, as they will be if the commit succeeds.
type Heads = HashMap<Pipe, Head>;

/// What a group will have changed if its commit succeeds.
#[derive(Default)]
struct Changes {
    heads: Heads,
    /// First publishes under chosen ids.
    firsts: HashMap<(Pipe, MessageId), First>,
}

impl Committer {
    /// Works until told to close, or until nobody can send any more.
    pub fn run(self, queue: &Receiver<Work>) {
        let (mut stripe, mut let_go_at) = (0, UnixMillis(0));
        // When what was acknowledged and is not on disk has to be.
        let mut settle_at: Option<Instant> = None;
        loop {
            let now = self.clock.now();
            if now.0.abs_diff(let_go_at.0) >= LET_GO_MILLIS {
                self.live.let_go(stripe, now);
                (stripe, let_go_at) = (stripe.wrapping_add(1), now);
            }
            let until = settle_at.map_or(QUIET_MAX, |at| at.saturating_duration_since(Instant::now()));
            let first = queue.recv_timeout(until);
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut closers = Vec::new();
            let mut group = Vec::new();
            for work in first.into_iter().chain(queue.try_iter().take(GROUP_MAX - 1)) {
                match work {
                    Work::Close { reply } => closers.push(reply),
                    other => group.push(other),
                }
            }
            if !group.is_empty() && self.disk.is_loose() {
                settle_at.get_or_insert_with(|| Instant::now() + SETTLE_AFTER_MAX);
            }
            self.commit(group);
            if settle_at.is_some_and(|at| at <= Instant::now()) {
                settle_at = self.settle();
            }
            if is_over || !closers.is_empty() {
                // Whoever closes may open the same file again as soon as it hears of it.
                self.disk.close(self.regain_ground().is_ok());
                for reply in closers {
                    let _ = reply.send(());
                }
                return;
            }
        }
    }

    /// Answers when to try again, if it failed.
    fn settle(&self) -> Option<Instant> {
        let error = self.regain_ground().and_then(|()| self.disk.settle()).err()?;
        self.has_lost_ground.set(true);
        tracing::error!("messages of the last second are not on disk: {error}");
        Some(Instant::now() + SETTLE_AFTER_MAX)
    }

    fn commit(&self, group: Vec<Work>) {
        if group.is_empty() {
            return;
        }
        let mut changes = Changes::default();
        // Settings are few, and what is live of them has no way back.
        let settles = group.iter().any(|work| matches!(work, Work::SetRetention { .. } | Work::RemoveRetention { .. }));
        let work = |tables: &mut Tables<'_>| self.apply_all(&group, &mut changes, tables);
        let written = self.regain_ground().and_then(|()| match settles {
            true => self.disk.write_and_settle(work),
            false => self.disk.write(work),
        });
        match written {
            Ok(outcomes) => {
                for (work, outcome) in group.into_iter().zip(outcomes) {
                    self.finish(work, outcome, &changes);
                }
            }
            Err(error) => {
                tracing::error!("nothing of {} pieces of work was stored: {error}", group.len());
                self.after_a_failure(changes.heads.keys());
                group.into_iter().for_each(|work| self.refuse(work, &error));
            }
        }
    }

    /// A commit that failed may have reached the disk, and an index is not used twice. Under durability in memory
    /// the engine has forgotten all that was not on disk.
    fn after_a_failure<'p>(&self, pipes: impl Iterator<Item = &'p Pipe>) {
        if self.disk.is_loose() {
            self.has_lost_ground.set(true);
            return;
        }
        for pipe in pipes {
            if let Ok(Some(head)) = self.disk.read(|disk| disk.head(pipe)) {
                self.live.skip_to(pipe, head.position, self.clock.now());
            }
        }
    }

    /// What was acknowledged and was not on disk is gone: every pipe begins a new epoch, first on disk.
    fn regain_ground(&self) -> Result<(), StoreError> {
        // Who reads may have met an error, too.
        if !self.disk.has_forgotten() && !self.has_lost_ground.get() {
            return Ok(());
        }
        self.has_lost_ground.set(true);
        self.disk.begin_new_epochs()?;
        self.live.begin_new_epochs();
        tracing::warn!("messages of the last second are gone: every pipe begins a new epoch");
        self.has_lost_ground.set(false);
        Ok(())
    }

    fn apply_all(
        &self,
        group: &[Work],
        changes: &mut Changes,
        tables: &mut Tables<'_>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let outcomes: Result<Vec<Outcome>, StoreError> =
            group.iter().map(|work| self.apply(work, changes, tables)).collect();
        for (pipe, head) in &changes.heads {
            if head.retention.keeps() {
                tables.set_head(pipe, head)?;
            } else {
                // What is not kept is numbered anew after a restart, in an epoch of its own.
                tables.remove_head(pipe)?;
            }
        }
        outcomes
    }

    fn apply(&self, work: &Work, changes: &mut Changes, tables: &mut Tables<'_>) -> Result<Outcome, StoreError> {
        let heads = &mut changes.heads;
        match work {
            Work::Publish { batch, .. } => self.number(batch, changes, tables).map(Outcome::Numbered),
            Work::Erase { pipe, indexes, .. } => {
                tables.erase(pipe, indexes, self.head(heads, pipe), self.clock.now()).map(Outcome::Erased)
            }
            Work::Take { pipe, index, .. } => {
                let head = self.head(heads, pipe);
                head.taken = head.taken.max(*index).min(head.position.index);
                Ok(Outcome::Done)
            }
            Work::SetRecord { tenant, record, value, .. } => {
                tables.set_record(*tenant, record, value.as_deref()).map(Outcome::Had)
            }
            Work::SetRetention { pipe, retention, .. } => {
                tables.set_retention(pipe, *retention)?;
                let head = self.head(heads, pipe);
                head.retention = *retention;
                if !retention.keeps() {
                    // Nobody asked to delete these: what is not kept any more is trimmed.
                    tables.trim_all(pipe, head)?;
                }
                Ok(Outcome::Done)
            }
            Work::RemoveRetention { pipe, .. } => {
                let was_set = tables.remove_retention(pipe)?;
                let head = self.head(heads, pipe);
                tables.erase_all(pipe, head, self.clock.now())?;
                head.retention = Retention::default_of(pipe);
                Ok(Outcome::Removed(was_set, head.floor))
            }
            Work::Adopt { pipe, messages, stands, .. } => {
                let head = self.head(heads, pipe);
                let adopted = self.adopt(messages, *stands, head, tables)?;
                Ok(Outcome::Adopted(head.position, adopted))
            }
            // Taken out of the group before it came here.
            Work::Close { .. } => Err(StoreError::Unavailable("the store is closing".into())),
        }
    }

    /// Appends what is behind the head, and moves it to where the pipe stood elsewhere.
    fn adopt(
        &self,
        messages: &[Arc<Delivery>],
        stands: Standing,
        head: &mut Head,
        tables: &mut Tables<'_>,
    ) -> Result<Adopted, StoreError> {
        if stands.position.index < head.position.index {
            return tables.adopted(messages, head);
        }
        let known = head.position.index;
        for message in messages.iter().filter(|message| message.position.index > known) {
            if head.retention.keeps() {
                tables.append(message, head, self.history_bytes_max_per_pipe, self.clock.now())?;
            } else {
                head.trim(message.position.index);
            }
        }
        // The floor of another store does not say what was trimmed here.
        let adopted = tables.adopted(messages, head)?;
        head.position = stands.position;
        head.trim(stands.floor);
        head.taken = head.taken.max(stands.taken).min(head.position.index);
        Ok(adopted)
    }

    fn number(
        &self,
        batch: &[Publish],
        changes: &mut Changes,
        tables: &mut Tables<'_>,
    ) -> Result<Vec<Numbered>, StoreError> {
        let now = self.clock.now();
        batch.iter().map(|publish| self.number_one(publish, changes, tables, now)).collect()
    }

    fn number_one(
        &self,
        publish: &Publish,
        changes: &mut Changes,
        tables: &mut Tables<'_>,
        now: UnixMillis,
    ) -> Result<Numbered, StoreError> {
        let chosen = publish.id_is_chosen.then(|| (publish.pipe.clone(), publish.id));
        if let Some((pipe, id)) = &chosen
            && let Some(first) = self.first(pipe, *id, changes, now)
        {
            return Ok(Numbered::Repeat(first));
        }
        let head = self.head(&mut changes.heads, &publish.pipe);
        head.position.index += 1;
        let (position, keeps) = (head.position, head.retention.keeps());
        let delivery = publish.clone().numbered(position, now);
        if keeps {
            tables.append(&delivery, head, self.history_bytes_max_per_pipe, now)?;
        } else {
            head.trim(position.index);
        }
        let receivers = self.live.receivers(&publish.pipe, publish.sender_listens);
        if let Some((pipe, id)) = chosen {
            let published = Published { position, receivers, is_repeat: false };
            let first = First { pipe: pipe.clone(), id, published, at: now };
            if keeps {
                tables.remember(&first, now)?;
            }
            changes.firsts.insert((pipe, id), first);
        }
        Ok(Numbered::First(Arc::new(delivery), receivers))
    }

    /// What a message was answered that was published before, perhaps in this very group.
    fn first(&self, pipe: &Pipe, id: MessageId, changes: &Changes, now: UnixMillis) -> Option<Published> {
        let in_group = || changes.firsts.get(&(pipe.clone(), id));
        self.live
            .first(pipe, id, now)
            .or_else(|| in_group().map(|first| Published { is_repeat: true, ..first.published }))
    }

    /// While the committer has work of a pipe nobody else moves its head, so a copy taken here stays true.
    fn head<'h>(&self, heads: &'h mut Heads, pipe: &Pipe) -> &'h mut Head {
        heads
            .entry(pipe.clone())
            .or_insert_with(|| self.live.lock([pipe].into_iter()).pipe(pipe, self.clock.now()).head)
    }

    /// The group is safe: live heads move, ears hear, callers are answered. Whoever asked may be gone by now,
    /// which changes nothing, so a reply that cannot be sent is dropped.
    fn finish(&self, work: Work, outcome: Outcome, changes: &Changes) {
        let heads = &changes.heads;
        match (work, outcome) {
            (Work::Publish { batch, rooms, reply }, Outcome::Numbered(numbered)) => {
                let mut locked = self.live.lock(batch.iter().map(|publish| &publish.pipe));
                let now = self.clock.now();
                for (publish, numbered) in batch.iter().zip(&numbered) {
                    locked.move_head(&publish.pipe, heads, now);
                    if publish.id_is_chosen
                        && matches!(numbered, Numbered::First(..))
                        && let Some(first) = changes.firsts.get(&(publish.pipe.clone(), publish.id))
                    {
                        self.live.remember(first.clone(), now);
                    }
                }
                let published = locked.announce(numbered, rooms);
                drop(locked);
                let _ = reply.send(Ok(published));
            }
            (Work::Erase { pipe, indexes, reply }, Outcome::Erased(count)) => {
                self.moved(&pipe, heads, |live| live.erase(&indexes));
                let _ = reply.send(Ok(count));
            }
            (Work::Take { pipe, reply, .. }, Outcome::Done) => {
                self.moved(&pipe, heads, |_| {});
                let _ = reply.send(Ok(()));
            }
            (Work::SetRecord { reply, .. }, Outcome::Had(had)) => {
                let _ = reply.send(Ok(had));
            }
            (Work::SetRetention { pipe, reply, .. }, Outcome::Done) => {
                self.moved(&pipe, heads, |live| live.is_set = true);
                let _ = reply.send(Ok(()));
            }
            (Work::RemoveRetention { pipe, reply }, Outcome::Removed(was_set, floor)) => {
                self.moved(&pipe, heads, |live| {
                    live.is_set = false;
                    live.erase_behind(floor);
                });
                let _ = reply.send(Ok(was_set));
            }
            (Work::Adopt { pipe, reply, .. }, Outcome::Adopted(position, adopted)) => {
                self.moved(&pipe, heads, |live| live.stand_at(position));
                let _ = reply.send(Ok(adopted));
            }
            (work, _) => self.refuse(work, &StoreError::Unavailable("an outcome of another kind".into())),
        }
    }

    fn moved(&self, pipe: &Pipe, heads: &Heads, change: impl FnOnce(&mut LivePipe)) {
        let now = self.clock.now();
        let mut locked = self.live.lock([pipe].into_iter());
        locked.move_head(pipe, heads, now);
        change(locked.pipe(pipe, now));
    }

    /// Nothing was stored: heads stay where they were, and whoever asked may ask again.
    fn refuse(&self, work: Work, error: &StoreError) {
        let now = self.clock.now();
        let returned = |pipe: &Pipe| self.live.lock([pipe].into_iter()).returned(pipe, now);
        match work {
            Work::Publish { batch, reply, .. } => {
                batch.iter().for_each(|publish| returned(&publish.pipe));
                let _ = reply.send(Err(error.clone()));
            }
            Work::Erase { pipe, reply, .. } => {
                returned(&pipe);
                let _ = reply.send(Err(error.clone()));
            }
            Work::Take { pipe, reply, .. } | Work::SetRetention { pipe, reply, .. } => {
                returned(&pipe);
                let _ = reply.send(Err(error.clone()));
            }
            Work::Adopt { pipe, reply, .. } => {
                returned(&pipe);
                let _ = reply.send(Err(error.clone()));
            }
            Work::SetRecord { reply, .. } => {
                let _ = reply.send(Err(error.clone()));
            }
            Work::RemoveRetention { pipe, reply } => {
                returned(&pipe);
                let _ = reply.send(Err(error.clone()));
            }
            Work::Close { reply } => drop(reply),
        }
    }
}
