//! Letters from other nodes that nobody has read yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// At most so many letters wait,
const LETTERS_MAX: usize = 1_024;
/// of so many bytes together.
const LETTERS_BYTES_MAX: usize = 8 * 1_024 * 1_024;

#[derive(Default)]
pub struct Letters {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    letters: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Letters {
    /// Lays a letter behind the others; drops it if there are too many.
    pub fn put(&self, letter: Vec<u8>) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.letters.len() >= LETTERS_MAX || waiting.bytes + letter.len() > LETTERS_BYTES_MAX {
                tracing::debug!("a letter of {} bytes is dropped: too many wait", letter.len());
                return;
            }
            waiting.bytes += letter.len();
            waiting.letters.push_back(letter);
        }
        self.arrived.notify_one();
    }

    /// Waits for the next; for one reader.
    pub async fn next(&self) -> Vec<u8> {
        loop {
            if let Some(letter) = self.take() {
                return letter;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let letter = waiting.letters.pop_front()?;
        waiting.bytes -= letter.len();
        Some(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_in_their_order_and_too_many_are_dropped() {
        let letters = Letters::default();
        (0..LETTERS_MAX + 5).for_each(|number| letters.put(number.to_string().into_bytes()));
        let read: Vec<Vec<u8>> = std::iter::from_fn(|| letters.take()).collect();
        assert!(read.into_iter().eq((0..LETTERS_MAX).map(|number| number.to_string().into_bytes())));
        letters.put(vec![0; LETTERS_BYTES_MAX]);
        letters.put(vec![1]);
        assert_eq!(letters.take().map(|letter| letter.len()), Some(LETTERS_BYTES_MAX));
        assert_eq!(letters.take(), None);
    }
}
