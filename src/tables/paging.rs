//! Where a listing that is read page by page goes on.

/// How far a listing has been read, by the key of its last entry.
pub(super) struct Paging<K> {
    pub count_max: usize,
    after: Option<K>,
    ended: bool,
}

impl<K> Paging<K> {
    /// At the beginning; a page has at most `count_max` entries.
    pub fn new(count_max: usize) -> Paging<K> {
        Paging { count_max, after: None, ended: false }
    }

    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// The key behind which the next page begins.
    pub fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    /// This page has been read; one that is not full is the last.
    pub fn has_read<T>(&mut self, page: &[T], key: impl FnOnce(&T) -> K) {
        self.ended = page.len() < self.count_max;
        if let Some(last) = page.last() {
            self.after = Some(key(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_full_is_the_last() {
        let mut paging: Paging<u8> = Paging::new(2);
        assert_eq!((paging.after(), paging.is_over()), (None, false));
        paging.has_read(&[1, 2], |last| *last);
        assert_eq!((paging.after(), paging.is_over()), (Some(&2), false));
        paging.has_read(&[], |last| *last);
        assert_eq!((paging.after(), paging.is_over()), (Some(&2), true));
    }
}
