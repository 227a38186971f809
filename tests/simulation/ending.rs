//! The end: nothing is lost any more, everybody reads, and then everybody must have everything.

use std::sync::Arc;

use cometql::node::News;

use super::house::SHARDS;
use super::world::{Browser, Kind, World};

/// Turns after which everything must have come to rest.
const TURNS_MAX: usize = 5_000;

impl World {
    pub fn end(&mut self) {
        self.house.note(|| "nothing is lost from here on".into());
        (self.house.plan.loss_percent, self.house.is_deaf) = (0, vec![false; SHARDS]);
        for number in 0..self.browsers.len() {
            if self.browsers[number].socket.is_none() && self.house.random.percent(70) {
                self.connect(number);
            }
            // It may not have said what it wants.
            if let Browser { socket: Some(socket), kind: Kind::Four(four) } = &mut self.browsers[number] {
                four.say_wants(socket);
            }
        }
        self.come_to_rest();
        for shard in 0..SHARDS {
            if std::mem::take(&mut self.house.is_unaware[shard]) {
                self.house.note(|| format!("shard {shard} is told that it may have lost anything"));
                let now = self.house.node.clock().now();
                self.step(shard, |shard, ask| shard.news(vec![News::LostAll], now, ask));
            }
        }
        self.come_to_rest();
        self.check_browsers();
        self.all_go();
    }

    /// Until nothing moves any more.
    fn come_to_rest(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.house.wrong.is_some() {
                return;
            }
            let mut has_moved = false;
            while !self.house.asks.is_empty() || !self.house.answers.is_empty() {
                has_moved = true;
                self.run_one();
                self.answer_one();
            }
            for shard in 0..SHARDS {
                has_moved |= !self.house.news[shard].is_empty();
                self.deliver(shard);
            }
            for number in 0..self.browsers.len() {
                has_moved |= self.carry_up(number, usize::MAX);
                has_moved |= self.carry_down(number, usize::MAX);
            }
            if !has_moved {
                return;
            }
        }
        self.house.check(Err("it does not come to rest".into()));
    }

    fn check_browsers(&mut self) {
        for (number, browser) in self.browsers.iter().enumerate() {
            let Some(socket) = &browser.socket else { continue };
            let (house, shard) = (&self.house, socket.shard);
            let done = match &browser.kind {
                Kind::Five(five) => five.check_end(&house.truth),
                Kind::Four(four) => four.check_end(&house.truth, &|pipe, message| house.is_lost(shard, pipe, message)),
            };
            self.house.check(done.map_err(|wrong| format!("at the end, browser {number}: {wrong}")));
        }
        let told: usize = self
            .browsers
            .iter()
            .map(|browser| match &browser.kind {
                Kind::Five(five) => five.gaps,
                Kind::Four(_) => 0,
            })
            .sum();
        if self.house.plan.is_gentle && (told > 0 || self.house.losses_count > 0) {
            let losses = self.house.losses_count;
            self.house.check(Err(format!("{told} gaps and {losses} losses, and nothing has provoked them")));
        }
    }

    /// When all have gone, nothing of them is left.
    fn all_go(&mut self) {
        for number in 0..self.browsers.len() {
            self.disconnect(number);
        }
        self.come_to_rest();
        for (number, shard) in self.shards.iter().enumerate() {
            if !shard.is_at_rest() {
                self.house.check(Err(format!("something is left in shard {number}")));
            }
        }
        let pipes: Vec<_> = self.house.truth.pipes().cloned().collect();
        for pipe in pipes {
            let (store, of) = (Arc::clone(&self.house.store), pipe.clone());
            let listeners = self.house.wait(async move { store.listeners(&of).await });
            if listeners != Ok(0) {
                self.house.check(Err(format!("{listeners:?} still listen to {pipe:?}")));
            }
        }
    }
}
