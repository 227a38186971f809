//! What is live: where each pipe stands, who hears it, and the rule that gives its messages one order.
//!
//! A pipe that keeps nothing is numbered and announced on the spot, under its lock. A pipe that keeps is numbered
//! by the committer alone, after its messages are safe; while something of a pipe is with the committer, everything
//! of that pipe goes there, so that nothing overtakes.

mod announcing;
mod stripe;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use self::announcing::Announcing;
use self::stripe::{STRIPES, Stripe};
use super::committer::Work;
use super::disk::Disk;
use super::head::Head;
use super::live_pipe::{LivePipe, Sought};
use super::repeats::{First, Repeats};
use super::window::{NodeBytes, Windows};
use crate::clock::UnixMillis;
use crate::pipe::{Delivery, MessageId, Pipe, PipeName, Position, Retention};
use crate::store::{Ear, EarId, Listening, News, PageMax, Publish, Published, Room, StoreError};
use crate::user::{TenantId, UserId};

pub struct Live {
    stripes: Vec<Mutex<Stripe>>,
    ears: Vec<Arc<Ear>>,
    /// Where a pipe stands that keeps messages and has been forgotten here.
    disk: Arc<Disk>,
    /// Locked inside a stripe, never the other way round.
    repeats: Mutex<Repeats>,
    windows: Windows,
}

/// What became of a batch that was handed in.
pub enum Routed {
    Announced(Vec<Published>),
    /// The committer has it and will answer here.
    Queued(oneshot::Receiver<Result<Vec<Published>, StoreError>>),
}

/// A message that has its place, or had it before.
pub enum Numbered {
    /// With its receivers.
    First(Arc<Delivery>, u64),
    Repeat(Published),
}

/// Room in each ear that hears a batch.
pub type Rooms = Vec<(EarId, Room)>;

impl Live {
    pub fn new(ears: Vec<Arc<Ear>>, disk: Arc<Disk>, window_bytes_max: usize) -> Live {
        Live {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            ears,
            disk,
            repeats: Mutex::default(),
            windows: Windows { bytes: NodeBytes::default(), bytes_max: window_bytes_max },
        }
    }

    /// Where a pipe stands that is not known here. Pipes with a setting always are; what keeps messages without one
    /// (a user's log, a trusted pipe) may have been forgotten.
    fn recall(&self, pipe: &Pipe) -> Head {
        let retention = Retention::default_of(pipe);
        if !retention.keeps() {
            return Head::new(pipe);
        }
        self.disk.head_or_new(pipe, retention)
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
        stripe.pipes.get(pipe).map_or_else(Vec::new, |live| live.listeners().ears().collect())
    }

    /// Numbers and announces the batch, or hands all of it to the committer if any of its pipes keeps messages.
    pub fn publish(&self, batch: Vec<Publish>, rooms: Rooms, now: UnixMillis, committer: &Sender<Work>) -> Routed {
        let mut locked = self.lock(batch.iter().map(|publish| &publish.pipe));
        if batch.iter().any(|publish| locked.is_for_the_committer(&publish.pipe)) {
            for publish in &batch {
                locked.pipe(&publish.pipe, now).with_committer += 1;
            }
            let (reply, answer) = oneshot::channel();
            // Sent under the locks: the committer's order is the order in which the pipes were locked. When the
            // committer is gone the reply is dropped with the work, which the publisher sees.
            let _ = committer.send(Work::Publish { batch, rooms, reply });
            return Routed::Queued(answer);
        }
        let mut announcing = Announcing::of(batch.len());
        for publish in batch {
            self.announce(publish, &mut locked, &mut announcing, now);
        }
        Routed::Announced(announcing.end(&self.ears, rooms))
    }

    /// Numbers and announces a message that is not kept.
    fn announce(&self, publish: Publish, locked: &mut Locked<'_>, announcing: &mut Announcing, now: UnixMillis) {
        let chosen = publish.id_is_chosen.then(|| (publish.pipe.clone(), publish.id));
        if let Some(first) = chosen.as_ref().and_then(|(pipe, id)| self.first(pipe, *id, now)) {
            return announcing.add_repeat(first);
        }
        let published = if locked.is_forgotten_at_once(&publish.pipe) {
            announcing.add_unheard(Head::new(&publish.pipe).position.next())
        } else {
            let live = locked.pipe(&publish.pipe, now);
            let (position, receivers) = (live.head.position.next(), live.receivers(publish.sender_listens));
            announcing.add(live, &Arc::new(publish.numbered(position, now)), receivers, &self.windows)
        };
        if let Some((pipe, id)) = chosen {
            self.remember(First { pipe, id, published, at: now }, now);
        }
    }

    /// What was answered when a message was first published under this chosen id.
    pub fn first(&self, pipe: &Pipe, id: MessageId, now: UnixMillis) -> Option<Published> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).first(pipe, id, now)
    }

    pub fn remember(&self, first: First, now: UnixMillis) {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).remember(first, now);
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
        self.lock([pipe].into_iter()).pipe(pipe, now).listen(pipe, ear, now)
    }

    pub fn unlisten(&self, pipe: &Pipe, ear: EarId, now: UnixMillis) -> u64 {
        self.lock([pipe].into_iter()).pipe(pipe, now).unlisten(ear, now)
    }

    /// Tells every ear that listens to a log that its user goes.
    pub fn dismiss(&self, log: &Pipe) {
        let stripe = self.stripe(stripe_of(log));
        let ears = stripe.pipes.get(log).into_iter().flat_map(|live| live.listeners().ears());
        for ear in ears.filter_map(|id| self.ears.get(usize::from(id.0))) {
            ear.push([News::Dismissed(log.clone())], None);
        }
    }

    /// Answers whether the user of a log was here until now, as far as others were told.
    pub fn disappear(&self, log: &Pipe) -> bool {
        self.stripe(stripe_of(log)).pipes.get_mut(log).is_some_and(|live| live.disappear())
    }

    /// What was published behind `after`, as far as memory can tell.
    pub fn recover(&self, pipe: &Pipe, after: Position, max: PageMax, now: UnixMillis) -> Sought {
        self.lock([pipe].into_iter()).pipe(pipe, now).recover(after, max, now)
    }

    /// Lets go of the windows in one stripe that are too old, of pipes that are forgotten, and of ids. Nobody can see
    /// it, because whoever looks at a window or a pipe does the same first: it only returns memory.
    pub fn let_go(&self, stripe: usize, now: UnixMillis) {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).forget(now);
        let mut stripe = self.stripe(stripe % STRIPES);
        stripe.sweep(now);
        stripe.shrink();
    }

    /// Where a pipe stands.
    pub fn head(&self, pipe: &Pipe, now: UnixMillis) -> Head {
        self.lock([pipe].into_iter()).pipe(pipe, now).head
    }

    /// The disk has what was numbered up to here, although nobody was told so.
    pub fn skip_to(&self, pipe: &Pipe, position: Position, now: UnixMillis) {
        self.lock([pipe].into_iter()).pipe(pipe, now).skip_to(position);
    }

    /// The disk has forgotten something, and has begun new epochs: what is live follows.
    pub fn begin_new_epochs(&self) {
        for number in 0..STRIPES {
            for (pipe, live) in &mut self.stripe(number).pipes {
                live.begin_new_epoch(self.disk.head_or_new(pipe, live.head.retention));
            }
        }
    }

    /// Connections that listen to a pipe, without the sender.
    pub fn receivers(&self, pipe: &Pipe, sender_listens: bool) -> u64 {
        self.stripe(stripe_of(pipe)).pipes.get(pipe).map_or(0, |live| live.receivers(sender_listens))
    }

    pub fn listeners(&self, pipe: &Pipe) -> u64 {
        self.stripe(stripe_of(pipe)).pipes.get(pipe).map_or(0, |live| live.listeners().count())
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
            found.extend(stripe.pipes.iter().filter_map(|(pipe, live)| match live.listeners().count() {
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
        let recalling = self.live;
        let stripe = self.stripe(pipe);
        if !stripe.pipes.contains_key(pipe) {
            stripe.make_room(now);
        }
        let anew = || LivePipe::new(recalling.recall(pipe), now);
        let live = stripe.pipes.entry(pipe.clone()).or_insert_with(|| Box::new(anew()));
        live.let_go(now);
        if live.is_forgotten(now) {
            // Whether or not its memory has been returned already, nobody can tell.
            **live = anew();
        }
        live.used_at = now;
        live
    }

    /// Whether what is published to a pipe must be kept, or come behind something that must.
    fn is_for_the_committer(&mut self, pipe: &Pipe) -> bool {
        match self.stripe(pipe).pipes.get(pipe) {
            Some(live) => live.head.retention.keeps() || live.with_committer > 0,
            None => Retention::default_of(pipe).keeps(),
        }
    }

    /// Whether a pipe that nobody keeps is not known here, so that nobody hears it, and there are too many of those.
    fn is_forgotten_at_once(&mut self, pipe: &Pipe) -> bool {
        let stripe = self.stripe(pipe);
        stripe.is_full() && !stripe.pipes.contains_key(pipe)
    }

    fn stripe(&mut self, pipe: &Pipe) -> &mut Stripe {
        let number = stripe_of(pipe);
        let place = self.stripes.iter().position(|(of, _)| *of == number).unwrap_or(0);
        debug_assert_eq!(self.stripes[place].0, number, "the stripe of {pipe:?} is not locked");
        &mut self.stripes[place].1
    }

    /// The committer is done with one piece of work of this pipe, and this is what the pipe keeps now. The position
    /// moves when it is announced: of one group, later messages may still have that before them.
    pub fn move_head(&mut self, pipe: &Pipe, heads: &HashMap<Pipe, Head>, now: UnixMillis) {
        if let Some(head) = heads.get(pipe) {
            let live = self.pipe(pipe, now);
            live.head = Head { position: live.head.position, ..*head };
        }
        self.returned(pipe, now);
    }

    /// The committer is done with one piece of work of this pipe, which came to nothing.
    pub fn returned(&mut self, pipe: &Pipe, now: UnixMillis) {
        let live = self.pipe(pipe, now);
        live.with_committer = live.with_committer.saturating_sub(1);
    }

    /// Puts numbered messages into the windows of their pipes and into every ear that hears them, in order.
    pub fn announce(&mut self, numbered: Vec<Numbered>, rooms: Rooms) -> Vec<Published> {
        let mut announcing = Announcing::of(numbered.len());
        for numbered in numbered {
            match numbered {
                Numbered::First(delivery, receivers) => {
                    let windows = &self.live.windows;
                    let live = self.pipe(&delivery.pipe, delivery.sent_at);
                    announcing.add(live, &delivery, receivers, windows);
                }
                Numbered::Repeat(first) => announcing.add_repeat(first),
            }
        }
        announcing.end(&self.live.ears, rooms)
    }
}

fn stripe_of(pipe: &Pipe) -> usize {
    let mut hasher = DefaultHasher::new();
    pipe.hash(&mut hasher);
    // The remainder is below STRIPES, so it fits.
    (hasher.finish() % STRIPES as u64) as usize
}

#[cfg(test)]
mod tests;
