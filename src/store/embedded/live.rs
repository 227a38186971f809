//! What is live: where each pipe stands, who hears it, and the rule that gives its messages one order.
//!
//! A pipe that keeps nothing is numbered and announced on the spot, under its lock. A pipe that keeps is numbered
//! by the committer alone, after its messages are safe; while something of a pipe is with the committer, everything
//! of that pipe goes there, so that nothing overtakes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::committer::Work;
use super::disk::Disk;
use crate::clock::UnixMillis;
use crate::pipe::{Delivery, Pipe, PipeName, Position, Retention};
use crate::store::listeners::Listeners;
use crate::store::{Ear, EarId, Listening, News, Publish, Published, Room, StoreError};
use crate::user::{TenantId, UserId};

/// Pipes are spread over so many locks.
const STRIPES: usize = 64;
/// A pipe that nobody keeps or hears is forgotten when it has been quiet for so long, in milliseconds.
const IDLE_MILLIS_MAX: u64 = 600_000;
/// Most pipes that nobody keeps or hears, over all stripes; past it they are forgotten sooner.
const IDLE_PIPES_MAX: usize = 100_000;

pub struct Live {
    stripes: Vec<Mutex<Stripe>>,
    ears: Vec<Arc<Ear>>,
    /// Where a pipe stands that keeps messages and has been forgotten here.
    disk: Arc<Disk>,
}

#[derive(Default)]
struct Stripe {
    /// Boxed: a table that has just grown is half empty, and there may be a pipe for every user.
    pipes: HashMap<Pipe, Box<LivePipe>>,
    /// Idle pipes are looked for when the stripe has grown to this.
    sweep_at: usize,
}

pub struct LivePipe {
    pub head: Head,
    /// Whether `pipes_settings` says something about it.
    pub is_set: bool,
    listeners: Listeners,
    /// Pieces of work that the committer has of this pipe.
    with_committer: u32,
    used_at: UnixMillis,
}

/// Where a pipe stands and what it keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Of the newest message.
    pub position: Position,
    pub kept_count: u64,
    pub kept_bytes: u64,
    /// Up to this index the messages of a user's log have been taken.
    pub taken: u64,
    pub retention: Retention,
}

impl Head {
    /// A pipe nobody has published to, in an epoch of its own.
    pub fn new(pipe: &Pipe) -> Head {
        Head {
            position: Position { epoch: new_epoch(), index: 0 },
            kept_count: 0,
            kept_bytes: 0,
            taken: 0,
            retention: Retention::default_of(pipe),
        }
    }

    /// One message of so many bytes is no longer kept.
    pub fn forget(&mut self, bytes: u64) {
        self.kept_count = self.kept_count.saturating_sub(1);
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }
}

/// Random, and within what a JavaScript number holds exactly.
fn new_epoch() -> u64 {
    // A system that cannot give random bytes cannot have made a password either; the clock is good enough then.
    getrandom::u64().unwrap_or_else(|_| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| u64::from(since.subsec_nanos()) ^ (since.as_secs() << 20))
    }) >> 11
}

/// What became of a batch that was handed in.
pub enum Routed {
    Announced(Vec<Published>),
    /// The committer has it and will answer here.
    Queued(oneshot::Receiver<Result<Vec<Published>, StoreError>>),
}

/// Room in each ear that hears a batch.
pub type Rooms = Vec<(EarId, Room)>;

impl Live {
    pub fn new(ears: Vec<Arc<Ear>>, disk: Arc<Disk>) -> Live {
        Live { stripes: (0..STRIPES).map(|_| Mutex::default()).collect(), ears, disk }
    }

    /// Where a pipe stands that is not known here. Pipes with a setting always are; what keeps messages without one
    /// (a user's log, a trusted pipe) may have been forgotten.
    fn recall(&self, pipe: &Pipe) -> Head {
        let retention = Retention::default_of(pipe);
        if !retention.keeps() {
            return Head::new(pipe);
        }
        match self.disk.head(pipe) {
            Ok(head) => head.map_or_else(|| Head::new(pipe), |head| Head { retention, ..head }),
            Err(error) => {
                tracing::error!("{error}; the pipe begins a new epoch");
                Head::new(pipe)
            }
        }
    }

    /// Reserves room for the batch in every ear that hears it now.
    pub async fn reserve(&self, batch: &[Publish]) -> Rooms {
        let mut wanted: Vec<(EarId, usize)> = Vec::new();
        for publish in batch {
            let bytes = publish.weight_bytes();
            for ear in self.ears_of(&publish.pipe) {
                match wanted.iter_mut().find(|(wanting, _)| *wanting == ear) {
                    Some((_, sum)) => *sum += bytes,
                    None => wanted.push((ear, bytes)),
                }
            }
        }
        // Every publisher takes its rooms in the same order, so two of them never wait for each other.
        wanted.sort_by_key(|(ear, _)| ear.0);
        let mut rooms = Vec::with_capacity(wanted.len());
        for (id, bytes) in wanted {
            if let Some(ear) = self.ears.get(usize::from(id.0)) {
                rooms.push((id, ear.reserve(bytes).await));
            }
        }
        rooms
    }

    fn ears_of(&self, pipe: &Pipe) -> Vec<EarId> {
        let stripe = self.stripe(stripe_of(pipe));
        stripe.pipes.get(pipe).map_or_else(Vec::new, |live| live.listeners.ears().collect())
    }

    /// Numbers and announces the batch, or hands all of it to the committer if any of its pipes keeps messages.
    pub fn publish(&self, batch: Vec<Publish>, rooms: Rooms, now: UnixMillis, committer: &Sender<Work>) -> Routed {
        let mut locked = self.lock(batch.iter().map(|publish| &publish.pipe));
        let must_queue = batch.iter().any(|publish| {
            let pipe = locked.pipe(&publish.pipe, now);
            pipe.head.retention.keeps() || pipe.with_committer > 0
        });
        if must_queue {
            for publish in &batch {
                locked.pipe(&publish.pipe, now).with_committer += 1;
            }
            let (reply, answer) = oneshot::channel();
            // Sent under the locks: the committer's order is the order in which the pipes were locked. When the
            // committer is gone the reply is dropped with the work, which the publisher sees.
            let _ = committer.send(Work::Publish { batch, rooms, reply });
            return Routed::Queued(answer);
        }
        let deliveries = batch
            .into_iter()
            .map(|publish| {
                let head = &mut locked.pipe(&publish.pipe, now).head;
                head.position.index += 1;
                (publish.sender_listens, Arc::new(publish.numbered(head.position, now)))
            })
            .collect();
        Routed::Announced(locked.announce(deliveries, rooms))
    }

    /// Hands the committer something else to do with a pipe, in order with what is published to it.
    pub fn queue(&self, pipe: &Pipe, now: UnixMillis, committer: &Sender<Work>, work: Work) {
        let mut locked = self.lock([pipe].into_iter());
        locked.pipe(pipe, now).with_committer += 1;
        let _ = committer.send(work);
    }

    /// Locks the stripes of all these pipes, always in the same order.
    pub fn lock<'p>(&self, pipes: impl Iterator<Item = &'p Pipe>) -> Locked<'_> {
        let mut numbers: Vec<usize> = pipes.map(stripe_of).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let stripes = numbers.into_iter().map(|number| (number, self.stripe(number))).collect();
        Locked { live: self, stripes }
    }

    fn stripe(&self, number: usize) -> MutexGuard<'_, Stripe> {
        self.stripes[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn listen(&self, pipe: &Pipe, ear: EarId, now: UnixMillis) -> Listening {
        let mut locked = self.lock([pipe].into_iter());
        let live = locked.pipe(pipe, now);
        live.listeners.add(ear);
        Listening { position: live.head.position, listeners: live.listeners.count() }
    }

    pub fn unlisten(&self, pipe: &Pipe, ear: EarId, now: UnixMillis) -> u64 {
        let mut locked = self.lock([pipe].into_iter());
        let live = locked.pipe(pipe, now);
        live.listeners.remove(ear);
        live.listeners.count()
    }

    /// Where a pipe stands.
    pub fn head(&self, pipe: &Pipe, now: UnixMillis) -> Head {
        self.lock([pipe].into_iter()).pipe(pipe, now).head
    }

    pub fn listeners(&self, pipe: &Pipe) -> u64 {
        self.stripe(stripe_of(pipe)).pipes.get(pipe).map_or(0, |live| live.listeners.count())
    }

    /// The named pipes of a tenant that somebody listens to.
    pub fn listened(&self, tenant: TenantId, after: Option<&PipeName>, count_max: usize) -> Vec<(PipeName, u64)> {
        let mut found = self.each_heard(|pipe, listeners| match pipe {
            Pipe::Named(of, name) if *of == tenant && after.is_none_or(|after| name > after) => {
                Some((name.clone(), listeners))
            }
            _ => None,
        });
        found.sort_unstable();
        found.truncate(count_max);
        found
    }

    /// The users of a tenant whose logs somebody listens to, in no order.
    pub fn logs(&self, tenant: TenantId, after: Option<UserId>) -> Vec<UserId> {
        self.each_heard(|pipe, _| match pipe {
            Pipe::Log(of, user) if *of == tenant && Some(*user) > after => Some(*user),
            _ => None,
        })
    }

    fn each_heard<T>(&self, wanted: impl Fn(&Pipe, u64) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for number in 0..STRIPES {
            let stripe = self.stripe(number);
            found.extend(stripe.pipes.iter().filter_map(|(pipe, live)| match live.listeners.count() {
                0 => None,
                listeners => wanted(pipe, listeners),
            }));
        }
        found
    }
}

/// The pipes whose stripes are locked, and those only.
pub struct Locked<'l> {
    live: &'l Live,
    stripes: Vec<(usize, MutexGuard<'l, Stripe>)>,
}

impl Locked<'_> {
    /// The pipe, made when it is not there. Its stripe must be among the locked.
    pub fn pipe(&mut self, pipe: &Pipe, now: UnixMillis) -> &mut LivePipe {
        let number = stripe_of(pipe);
        let place = self.stripes.iter().position(|(of, _)| *of == number).unwrap_or(0);
        debug_assert_eq!(self.stripes[place].0, number, "the stripe of {pipe:?} is not locked");
        let stripe = &mut self.stripes[place].1;
        if !stripe.pipes.contains_key(pipe) {
            stripe.sweep(now);
        }
        let recall = || Box::new(LivePipe::new(self.live.recall(pipe), now));
        let live = stripe.pipes.entry(pipe.clone()).or_insert_with(recall);
        live.used_at = now;
        live
    }

    /// The committer is done with one piece of work of this pipe, and this is where the pipe stands now.
    pub fn move_head(&mut self, pipe: &Pipe, heads: &HashMap<Pipe, Head>, now: UnixMillis) {
        if let Some(head) = heads.get(pipe) {
            self.pipe(pipe, now).head = *head;
        }
        self.returned(pipe, now);
    }

    /// The committer is done with one piece of work of this pipe, which came to nothing.
    pub fn returned(&mut self, pipe: &Pipe, now: UnixMillis) {
        let live = self.pipe(pipe, now);
        live.with_committer = live.with_committer.saturating_sub(1);
    }

    /// Puts numbered messages into every ear that hears them, in order. Beside each stands whether its sender
    /// listens, who does not count as a receiver.
    pub fn announce(&mut self, deliveries: Vec<(bool, Arc<Delivery>)>, rooms: Rooms) -> Vec<Published> {
        let mut news: Vec<Vec<News>> = vec![Vec::new(); self.live.ears.len()];
        let mut published = Vec::with_capacity(deliveries.len());
        for (sender_listens, delivery) in deliveries {
            let live = self.pipe(&delivery.pipe, delivery.sent_at);
            let receivers = live.listeners.count().saturating_sub(u64::from(sender_listens));
            published.push(Published { position: delivery.position, receivers, is_repeat: false });
            for ear in live.listeners.ears() {
                if let Some(news) = news.get_mut(usize::from(ear.0)) {
                    news.push(News::Delivery(Arc::clone(&delivery)));
                }
            }
        }
        let mut rooms: HashMap<EarId, Room> = rooms.into_iter().collect();
        for (id, (ear, news)) in (0..).map(EarId).zip(self.live.ears.iter().zip(news)) {
            if !news.is_empty() {
                ear.push(news, rooms.remove(&id));
            }
        }
        published
    }
}

impl Stripe {
    /// Forgets pipes that nobody keeps or hears. Looked for only when the stripe has doubled since the last time,
    /// so that a name costs the same however many there are.
    fn sweep(&mut self, now: UnixMillis) {
        if self.pipes.len() < self.sweep_at.max(16) {
            return;
        }
        let quiet_since = UnixMillis(now.0.saturating_sub(IDLE_MILLIS_MAX));
        self.pipes.retain(|_, live| !live.is_idle() || live.used_at > quiet_since);
        if self.pipes.values().filter(|live| live.is_idle()).count() > IDLE_PIPES_MAX / STRIPES {
            self.pipes.retain(|_, live| !live.is_idle());
        }
        self.sweep_at = self.pipes.len() * 2;
    }
}

impl LivePipe {
    fn new(head: Head, now: UnixMillis) -> LivePipe {
        LivePipe { head, is_set: false, listeners: Listeners::Nobody, with_committer: 0, used_at: now }
    }

    /// Nobody would miss it: what it keeps without a setting, the disk knows.
    fn is_idle(&self) -> bool {
        self.listeners.count() == 0 && self.with_committer == 0 && !self.is_set
    }
}

fn stripe_of(pipe: &Pipe) -> usize {
    let mut hasher = DefaultHasher::new();
    pipe.hash(&mut hasher);
    // The remainder is below STRIPES, so it fits.
    (hasher.finish() % STRIPES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(name: &str) -> Pipe {
        Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap())
    }

    #[test]
    fn a_million_names_used_once_leave_little_behind() {
        let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()));
        for number in 0..1_000_000 {
            let pipe = pipe(&format!("once_{number}"));
            live.lock([&pipe].into_iter()).pipe(&pipe, UnixMillis(number / 100));
        }
        let remembered: usize = (0..STRIPES).map(|number| live.stripe(number).pipes.len()).sum();
        assert!(remembered <= IDLE_PIPES_MAX * 2, "{remembered} pipes are remembered");
    }

    #[test]
    fn a_pipe_that_is_heard_is_not_forgotten() {
        let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()));
        let heard = pipe("heard");
        let first = live.listen(&heard, EarId(0), UnixMillis(0));
        for number in 0..100_000 {
            let pipe = pipe(&format!("once_{number}"));
            live.lock([&pipe].into_iter()).pipe(&pipe, UnixMillis(10_000_000));
        }
        assert_eq!(live.listeners(&heard), 1);
        let second = live.listen(&heard, EarId(0), UnixMillis(0));
        assert_eq!((second.position, second.listeners), (first.position, 2));
        assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 1);
        assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 0);
        assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 0, "one too many changes nothing");
    }
}
