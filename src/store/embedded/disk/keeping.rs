//! What a pipe keeps: a message is added behind the others, and what is too old or too much goes at the other end.
//!
//! What is trimmed is gone at once for whoever reads: [`Head::first`] says from where on the pipe keeps. Its records
//! leave the file some at a time, because each of them alone would have one more page of the file written anew.

use std::sync::Arc;

use redb::ReadableTable;

use super::Tables;
use crate::clock::UnixMillis;
use crate::pipe::{Delivery, MessageId, Pipe};
use crate::store::embedded::head::Head;
use crate::store::embedded::record;
use crate::store::{Adopted, StoreError};

/// What was trimmed leaves the file with every message whose index is a multiple of this,
const SWEEP_EVERY: u64 = 16;
/// and at once when it is more bytes than this.
const TRIMMED_BYTES_MAX: u64 = 4_096;

impl Tables<'_> {
    /// Adds a message and trims what the head's retention no longer keeps. The head is brought up to date but
    /// not written: a group writes each head once.
    pub fn append(
        &mut self,
        delivery: &Delivery,
        head: &mut Head,
        bytes_max: u64,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let (key, index) = (record::key_of(&delivery.pipe), delivery.position.index);
        let record = record::message_record(&key, delivery);
        self.history.insert((key.as_slice(), index), record.as_slice())?;
        head.kept_count += 1;
        head.kept_bytes += record.len() as u64;
        let bytes = head.kept_bytes;
        while head.kept_count > u64::from(head.retention.length) || head.kept_bytes > bytes_max {
            if !self.trim_oldest(&delivery.pipe, &key, head, None)? {
                break;
            }
        }
        self.trim_old(&delivery.pipe, &key, head, now)?;
        if index.is_multiple_of(SWEEP_EVERY) || bytes.saturating_sub(head.kept_bytes) > TRIMMED_BYTES_MAX {
            self.sweep(&key, head)?;
        }
        Ok(())
    }

    /// Trims what is too old for the head's retention.
    fn trim_old(&mut self, pipe: &Pipe, key: &[u8], head: &mut Head, now: UnixMillis) -> Result<(), StoreError> {
        if head.retention.ttl_seconds.is_some() {
            let oldest = head.retention.oldest_kept(now);
            while self.trim_oldest(pipe, key, head, Some(oldest))? {}
        }
        Ok(())
    }

    /// Trims the oldest message, if it is older than `before` says. Answers whether it did.
    fn trim_oldest(
        &mut self,
        pipe: &Pipe,
        key: &[u8],
        head: &mut Head,
        before: Option<UnixMillis>,
    ) -> Result<bool, StoreError> {
        let Some((index, bytes, sent_at)) = self.oldest(pipe, key, head.first, before.is_some())? else {
            return Ok(false);
        };
        if before.is_some_and(|before| sent_at >= before) {
            return Ok(false);
        }
        head.trim(index);
        head.first = index.saturating_add(1);
        head.forget(bytes);
        Ok(true)
    }

    /// Index, record length and, only when asked, time of the oldest message that is kept.
    fn oldest(
        &self,
        pipe: &Pipe,
        key: &[u8],
        first: u64,
        with_time: bool,
    ) -> Result<Option<(u64, u64, UnixMillis)>, StoreError> {
        let Some(entry) = self.history.range((key, first)..=(key, u64::MAX))?.next() else {
            return Ok(None);
        };
        let (place, record) = entry?;
        let index = place.value().1;
        let sent_at = match with_time.then(|| record::message_of(pipe, key, index, record.value())) {
            Some(Ok(delivery)) => delivery.sent_at,
            // It would stand in the way of everything behind it, and of whatever else is written with that.
            Some(Err(error)) => {
                tracing::error!("{error}; it counts as too old");
                UnixMillis::default()
            }
            None => UnixMillis::default(),
        };
        Ok(Some((index, record.value().len() as u64, sent_at)))
    }

    /// What was trimmed leaves the file.
    fn sweep(&mut self, key: &[u8], head: &Head) -> Result<(), StoreError> {
        Ok(self.history.retain_in((key, 0)..(key, head.first), |_, _| false)?)
    }

    /// Removes messages by index; answers how many there were. What was too old already counts as trimmed.
    pub fn erase(&mut self, pipe: &Pipe, indexes: &[u64], head: &mut Head, now: UnixMillis) -> Result<u64, StoreError> {
        let key = record::key_of(pipe);
        self.trim_old(pipe, &key, head, now)?;
        self.sweep(&key, head)?;
        let mut erased = 0;
        for index in indexes {
            let Some(bytes) = self.history.remove((key.as_slice(), *index))?.map(|record| record.value().len()) else {
                continue;
            };
            head.forget(bytes as u64);
            erased += 1;
        }
        Ok(erased)
    }

    /// What has become of messages that were to be adopted. Another one may stand in the place of one of them.
    pub fn adopted(&self, messages: &[Arc<Delivery>], head: &Head) -> Result<Adopted, StoreError> {
        let mut adopted = Adopted::default();
        for message in messages {
            let (key, index) = (record::key_of(&message.pipe), message.position.index);
            match self.id_at(&key, index, head)? {
                Some(id) if id == message.id => adopted.kept += 1,
                None if index <= head.floor => adopted.trimmed += 1,
                _ => {}
            }
        }
        Ok(adopted)
    }

    fn id_at(&self, key: &[u8], index: u64, head: &Head) -> Result<Option<MessageId>, StoreError> {
        if index < head.first {
            return Ok(None);
        }
        let entry = self.history.get((key, index))?;
        Ok(entry.and_then(|record| record::id_of(record.value())))
    }

    /// Removes the whole history of a pipe, which nobody asked for.
    pub fn trim_all(&mut self, pipe: &Pipe, head: &mut Head) -> Result<(), StoreError> {
        let key = record::key_of(pipe);
        if let Some(entry) = self.history.range((key.as_slice(), 0)..=(key.as_slice(), u64::MAX))?.next_back() {
            head.trim(entry?.0.value().1);
        }
        self.remove_all(&key, head)
    }

    /// Removes the whole history of a pipe. What was too old already counts as trimmed.
    pub fn erase_all(&mut self, pipe: &Pipe, head: &mut Head, now: UnixMillis) -> Result<(), StoreError> {
        let key = record::key_of(pipe);
        self.trim_old(pipe, &key, head, now)?;
        self.remove_all(&key, head)
    }

    fn remove_all(&mut self, key: &[u8], head: &mut Head) -> Result<(), StoreError> {
        self.history.retain_in((key, 0)..=(key, u64::MAX), |_, _| false)?;
        (head.kept_count, head.kept_bytes) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{Encoded, Message, MessageId, PipeName, Retention};
    use crate::store::embedded::disk::{Disk, HISTORY};
    use crate::store::{PageMax, Since};
    use crate::user::TenantId;

    const NOW: UnixMillis = UnixMillis(1);

    struct Kept {
        disk: Disk,
        pipe: Pipe,
        head: Head,
    }

    impl Kept {
        fn new() -> Kept {
            let pipe = Pipe::Named(TenantId(1), PipeName::for_publish("kept").unwrap());
            let head = Head { retention: Retention::of_length(3), ..Head::new(&pipe) };
            Kept { disk: Disk::in_memory().unwrap(), pipe, head }
        }

        fn append(&mut self, text: &str) {
            self.head.position.index += 1;
            let delivery = Delivery {
                pipe: self.pipe.clone(),
                position: self.head.position,
                id: MessageId::new(),
                event: "".parse().unwrap(),
                message: Message::new(text.into(), 100_000).unwrap(),
                user: None,
                origin: None,
                sent_at: NOW,
                encoded: Encoded::default(),
            };
            let head = &mut self.head;
            self.disk.write(|tables| tables.append(&delivery, head, u64::MAX, NOW)).unwrap();
        }

        /// What the file has, and what is read.
        fn indexes(&self) -> (Vec<u64>, Vec<u64>) {
            let table = self.disk.engine.reading().unwrap().open_table(HISTORY).unwrap();
            let there = table.iter().unwrap().map(|entry| entry.unwrap().0.value().1).collect();
            let max = PageMax { messages: 100, bytes: usize::MAX };
            let read = |since| {
                let page = self.disk.history(&self.pipe, since, max, UnixMillis(0), &self.head).unwrap();
                page.messages.iter().map(|one| one.position.index).collect::<Vec<u64>>()
            };
            assert_eq!(read(Since::Beginning), read(Since::Newest(50)));
            (there, read(Since::Beginning))
        }
    }

    #[test]
    fn what_is_trimmed_is_not_read_and_leaves_the_file_some_at_a_time() {
        let mut kept = Kept::new();
        (0..5).for_each(|_| kept.append("small"));
        assert_eq!(kept.indexes(), (vec![1, 2, 3, 4, 5], vec![3, 4, 5]));
        assert_eq!((kept.head.first, kept.head.floor, kept.head.kept_count), (3, 2, 3));
        (5..SWEEP_EVERY).for_each(|_| kept.append("small"));
        assert_eq!(kept.indexes(), (vec![14, 15, 16], vec![14, 15, 16]));
    }

    #[test]
    fn what_is_large_leaves_the_file_at_once() {
        let mut kept = Kept::new();
        kept.append(&"x".repeat(10_000));
        (0..3).for_each(|_| kept.append("small"));
        assert_eq!(kept.indexes(), (vec![2, 3, 4], vec![2, 3, 4]));
    }

    #[test]
    fn what_was_trimmed_cannot_be_erased() {
        let mut kept = Kept::new();
        (0..5).for_each(|_| kept.append("small"));
        let (disk, pipe, head) = (&kept.disk, &kept.pipe, &mut kept.head);
        let erased = disk.write(|tables| tables.erase(pipe, &[1, 2, 4, 5, 6], head, NOW)).unwrap();
        assert_eq!((erased, head.kept_count, head.floor), (2, 1, 2));
        assert_eq!(kept.indexes(), (vec![3], vec![3]));
    }
}
