//! A batch on its way into windows and ears.

use std::collections::HashMap;
use std::sync::Arc;

use super::Rooms;
use crate::pipe::{Delivery, Position};
use crate::store::embedded::live_pipe::LivePipe;
use crate::store::embedded::window::Windows;
use crate::store::{Ear, EarId, News, Published, Room};

/// What a batch came to so far. Whoever holds it holds the locks of its pipes.
pub struct Announcing {
    published: Vec<Published>,
    /// For each ear that hears some of it, in order.
    news: Vec<(EarId, Vec<News>)>,
}

impl Announcing {
    /// Of so many messages.
    pub fn of(count: usize) -> Announcing {
        Announcing { published: Vec::with_capacity(count), news: Vec::new() }
    }

    /// One that was published before.
    pub fn add_repeat(&mut self, first: Published) {
        self.published.push(first);
    }

    /// One that nobody hears, to a pipe that is not remembered.
    pub fn add_unheard(&mut self, position: Position) -> Published {
        self.add_published(position, 0)
    }

    /// The next message of a pipe: the pipe stands behind it from now on.
    pub fn add(
        &mut self,
        live: &mut LivePipe,
        delivery: &Arc<Delivery>,
        receivers: u64,
        windows: &Windows,
    ) -> Published {
        live.stand_behind(delivery, windows);
        for ear in live.listeners().ears() {
            let news = News::Delivery(Arc::clone(delivery));
            match self.news.iter_mut().find(|(id, _)| *id == ear) {
                Some((_, of_ear)) => of_ear.push(news),
                None => self.news.push((ear, vec![news])),
            }
        }
        self.add_published(delivery.position, receivers)
    }

    fn add_published(&mut self, position: Position, receivers: u64) -> Published {
        let published = Published { position, receivers, is_repeat: false };
        self.published.push(published);
        published
    }

    /// Has the ears hear all of it, in the rooms that were reserved for it.
    pub fn end(self, ears: &[Arc<Ear>], rooms: Rooms) -> Vec<Published> {
        let mut rooms: HashMap<EarId, Room> = rooms.into_iter().collect();
        for (id, news) in self.news {
            if let Some(ear) = ears.get(usize::from(id.0)) {
                ear.push(news, rooms.remove(&id));
            }
        }
        self.published
    }
}
