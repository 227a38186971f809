//! The recovery window: the last messages of a pipe that is heard, in memory, for browsers that are away for a
//! moment. No listing shows it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clock::UnixMillis;
use crate::fault::{Fault, is_planted};
use crate::pipe::{Delivery, Position};
use crate::store::{Page, PageMax, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

/// What a window takes before it holds anything, in bytes.
const WINDOW_BYTES: usize = 128;
/// What a message takes besides its text and the frame that was made of it, in bytes.
const PLACE_BYTES: usize = 512;

/// What the windows of a node take together, in bytes.
pub type NodeBytes = Arc<AtomicUsize>;

/// All windows of a node.
pub struct Windows {
    /// What they take.
    pub bytes: NodeBytes,
    /// Most of that.
    pub bytes_max: usize,
}

impl Windows {
    pub fn are_too_large(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }
}

pub struct Window {
    /// Every message behind this index is here, but for what was deleted.
    floor: u64,
    places: VecDeque<Place>,
    /// Of the messages that are here.
    text_bytes: usize,
    /// What this window has added to the node's sum.
    weight_bytes: usize,
    node_bytes: NodeBytes,
}

struct Place {
    index: u64,
    sent_at: UnixMillis,
    /// `None` when it was deleted: the hole goes when the message would have gone.
    delivery: Option<Arc<Delivery>>,
}

impl Place {
    fn text_bytes(&self) -> usize {
        self.delivery.as_deref().map_or(0, text_bytes)
    }
}

fn text_bytes(delivery: &Delivery) -> usize {
    delivery.message.bytes() + delivery.event.as_str().len()
}

impl Window {
    /// A window that begins behind `floor`.
    pub fn new(floor: u64, node_bytes: &NodeBytes) -> Window {
        let node_bytes = Arc::clone(node_bytes);
        Window { floor, places: VecDeque::new(), text_bytes: 0, weight_bytes: 0, node_bytes }
    }

    /// Adds the next message and lets the oldest go until the bounds are kept.
    pub fn push(&mut self, delivery: &Arc<Delivery>) {
        self.text_bytes += text_bytes(delivery);
        self.places.push_back(Place {
            index: delivery.position.index,
            sent_at: delivery.sent_at,
            delivery: Some(Arc::clone(delivery)),
        });
        while self.places.len() > WINDOW_MESSAGES_MAX || self.text_bytes > WINDOW_BYTES_MAX {
            self.let_go_oldest();
        }
        self.expire(delivery.sent_at);
    }

    /// Lets go of what is too old.
    pub fn expire(&mut self, now: UnixMillis) {
        while self.places.front().is_some_and(|oldest| oldest.sent_at.0.saturating_add(WINDOW_MILLIS_MAX) < now.0) {
            self.let_go_oldest();
        }
        self.weigh();
    }

    fn let_go_oldest(&mut self) {
        if let Some(oldest) = self.places.pop_front() {
            self.floor = oldest.index;
            self.text_bytes -= oldest.text_bytes();
        }
    }

    /// These were deleted.
    pub fn erase(&mut self, indexes: &[u64]) {
        for index in indexes {
            if let Ok(place) = self.places.binary_search_by_key(index, |place| place.index) {
                self.empty(place);
            }
        }
        self.weigh();
    }

    /// All behind this index were deleted.
    pub fn erase_behind(&mut self, index: u64) {
        for place in self.places.partition_point(|place| place.index <= index)..self.places.len() {
            self.empty(place);
        }
        self.weigh();
    }

    fn empty(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            self.text_bytes -= place.text_bytes();
            place.delivery = None;
        }
    }

    /// Tells the node what this window takes now.
    fn weigh(&mut self) {
        let weight_bytes = WINDOW_BYTES + self.places.len() * PLACE_BYTES + 2 * self.text_bytes;
        self.node_bytes.fetch_add(weight_bytes, Ordering::Relaxed);
        self.node_bytes.fetch_sub(self.weight_bytes, Ordering::Relaxed);
        self.weight_bytes = weight_bytes;
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether all that was published behind this index is here, but for what was deleted.
    pub fn reaches(&self, after: u64) -> bool {
        after >= self.floor || is_planted(Fault::WindowReachesTooFar) && after + 1 >= self.floor
    }

    /// What is here behind `after`, for a pipe that stands at `newest`.
    pub fn page(&self, after: u64, max: PageMax, newest: Position) -> Page {
        let mut page = Page { messages: Vec::new(), up_to: newest, more: false };
        let mut bytes = 0;
        let behind = self.places.partition_point(|place| place.index <= after);
        for delivery in self.places.range(behind..).filter_map(|place| place.delivery.as_ref()) {
            let one = text_bytes(delivery);
            if let Some(last) = page.messages.last()
                && (page.messages.len() >= max.messages || bytes + one > max.bytes)
            {
                page.up_to = last.position;
                page.more = true;
                break;
            }
            bytes += one;
            page.messages.push(Arc::clone(delivery));
        }
        page
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.node_bytes.fetch_sub(self.weight_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{Encoded, Message, MessageId, Pipe, PipeName};
    use crate::user::TenantId;

    const ALL: PageMax = PageMax { messages: 1_000, bytes: usize::MAX };

    fn delivery(index: u64, text_bytes: usize, sent_at: u64) -> Arc<Delivery> {
        Arc::new(Delivery {
            pipe: Pipe::Named(TenantId(0), PipeName::for_publish("window").unwrap()),
            position: Position { epoch: 1, index },
            id: MessageId::new(),
            event: "".parse().unwrap(),
            message: Message::new("x".repeat(text_bytes), usize::MAX).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(sent_at),
            encoded: Encoded::default(),
        })
    }

    fn filled(indexes: std::ops::RangeInclusive<u64>, text_bytes: usize) -> Window {
        let mut window = Window::new(indexes.start() - 1, &NodeBytes::default());
        indexes.for_each(|index| window.push(&delivery(index, text_bytes, index)));
        window
    }

    fn indexes(window: &Window, after: u64) -> Vec<u64> {
        let page = window.page(after, ALL, Position { epoch: 1, index: 1_000 });
        page.messages.iter().map(|delivery| delivery.position.index).collect()
    }

    #[test]
    fn it_holds_so_many_messages_so_many_bytes_and_so_long() {
        let window = filled(11..=120, 1);
        assert!(window.reaches(20) && !window.reaches(19));
        assert_eq!(indexes(&window, 118), [119, 120]);
        let mut window = filled(1..=5, WINDOW_BYTES_MAX / 3);
        assert!(window.reaches(2) && !window.reaches(1));
        window.push(&delivery(6, WINDOW_BYTES_MAX + 1, 6));
        assert!(window.is_empty() && window.reaches(6) && !window.reaches(5), "too large for any window");
        let mut window = filled(1..=5, 1);
        window.expire(UnixMillis(WINDOW_MILLIS_MAX + 3));
        assert!(window.reaches(2) && !window.reaches(1));
        window.push(&delivery(6, 1, WINDOW_MILLIS_MAX + 5));
        assert_eq!(indexes(&window, 4), [5, 6]);
        assert!(!window.reaches(3));
    }

    #[test]
    fn what_was_deleted_is_no_gap_and_goes_when_the_message_would_have_gone() {
        let mut window = filled(1..=5, 10);
        window.erase(&[2, 2, 9, 5]);
        assert_eq!(indexes(&window, 0), [1, 3, 4]);
        window.erase_behind(3);
        assert_eq!(indexes(&window, 0), [1, 3]);
        window.expire(UnixMillis(WINDOW_MILLIS_MAX + 5));
        assert!(window.reaches(4) && !window.reaches(3) && !window.is_empty());
    }

    #[test]
    fn pages_are_never_empty_while_there_is_more() {
        let window = filled(1..=5, 10);
        let newest = Position { epoch: 1, index: 5 };
        for (messages, bytes, count) in [(2, 1_000, 2), (1_000, 25, 2), (0, 1_000, 1), (1_000, 0, 1), (3, 1_000, 3)] {
            let page = window.page(1, PageMax { messages, bytes }, newest);
            assert_eq!((page.messages.len(), page.more, page.up_to.index), (count, true, 1 + count as u64));
        }
        let page = window.page(1, PageMax { messages: 4, bytes: 40 }, newest);
        assert_eq!((page.messages.len(), page.more, page.up_to), (4, false, newest));
    }

    #[test]
    fn the_node_knows_what_all_windows_take_and_gets_it_back() {
        let node_bytes = NodeBytes::default();
        let mut one = Window::new(0, &node_bytes);
        let mut other = Window::new(0, &node_bytes);
        one.push(&delivery(1, 1_000, 1));
        let of_one = node_bytes.load(Ordering::Relaxed);
        assert!(of_one >= 2_000);
        other.push(&delivery(1, 1_000, 1));
        assert_eq!(node_bytes.load(Ordering::Relaxed), 2 * of_one);
        other.erase(&[1]);
        assert!(node_bytes.load(Ordering::Relaxed) <= 2 * of_one - 2_000);
        drop(other);
        assert_eq!(node_bytes.load(Ordering::Relaxed), of_one);
        one.expire(UnixMillis(WINDOW_MILLIS_MAX + 2));
        assert_eq!(node_bytes.load(Ordering::Relaxed), WINDOW_BYTES);
        drop(one);
        assert_eq!(node_bytes.load(Ordering::Relaxed), 0);
    }
}
