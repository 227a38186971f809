//! Some of the pipes, behind one lock, and which of them are remembered although nobody keeps or hears them.

use std::collections::HashMap;

use crate::clock::UnixMillis;
use crate::pipe::Pipe;
use crate::store::embedded::live_pipe::LivePipe;

/// Pipes are spread over so many locks.
pub const STRIPES: usize = 64;
/// Most pipes that nobody keeps or hears, over all stripes. There may be twice as many until it is noticed.
pub const IDLE_PIPES_MAX: usize = 100_000;
/// Fewer pipes in a stripe than this are not worth a look.
const SWEPT_FROM: usize = 16;

#[derive(Default)]
pub struct Stripe {
    /// Boxed: a table that has just grown is half empty, and there may be a pipe for every user.
    pub pipes: HashMap<Pipe, Box<LivePipe>>,
    /// Idle pipes are looked for when the stripe has grown to this.
    sweep_at: usize,
    /// Those that go, one for each that comes, because they are too many.
    going: Vec<Pipe>,
}

impl Stripe {
    /// Whether so many pipes are remembered that nobody keeps or hears, that one more of that kind is not. Then what is
    /// published to it costs the same however many there are.
    pub fn is_full(&self) -> bool {
        !self.going.is_empty()
    }

    /// One more pipe is about to come: one that nobody would miss goes, if they are too many. They are looked for only
    /// when the stripe has doubled or all that were found have gone.
    pub fn make_room(&mut self, now: UnixMillis) {
        if self.going.is_empty() && self.pipes.len() >= self.sweep_at.max(SWEPT_FROM) {
            self.sweep(now);
        }
        if let Some(pipe) = self.going.pop()
            && self.pipes.get(&pipe).is_some_and(|live| live.is_idle())
        {
            self.pipes.remove(&pipe);
        }
    }

    /// Lets go of windows that are too old and of pipes that have been quiet for long, and finds those that nobody would
    /// miss if they are too many.
    pub fn sweep(&mut self, now: UnixMillis) {
        self.pipes.retain(|_, live| {
            live.let_go(now);
            !live.is_forgotten(now)
        });
        let idle_max = IDLE_PIPES_MAX / STRIPES;
        let idle = self.pipes.values().filter(|live| live.is_idle()).count();
        self.going = if idle > idle_max { self.idle(now) } else { Vec::new() };
        self.sweep_at = self.pipes.len().max(2 * (self.pipes.len() - self.going.len()));
    }

    /// The pipes that nobody keeps or hears. Who was heard a moment ago goes last, if there are too many of that kind
    /// alone: a browser that comes back would see a new epoch.
    fn idle(&self, now: UnixMillis) -> Vec<Pipe> {
        let idle = self.pipes.iter().filter(|(_, live)| live.is_idle());
        let (mut going, mut unheard): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for (pipe, live) in idle {
            let found = if live.is_heard(now) { &mut going } else { &mut unheard };
            found.push(pipe.clone());
        }
        if going.len() <= IDLE_PIPES_MAX / STRIPES {
            going.clear();
        }
        going.append(&mut unheard);
        going
    }

    /// Gives memory back that is not used.
    pub fn shrink(&mut self) {
        if self.pipes.len() < self.pipes.capacity() / 4 {
            self.pipes.shrink_to_fit();
        }
    }
}
