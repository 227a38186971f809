//! One listing of what is dealt to many buckets, each of which has its part in order.

use std::collections::BTreeMap;

/// A page is of no more than this share and its like.
const PAGE_SHARE_MAX: usize = 100;

/// What has been read of the parts so far.
pub struct Merge<T> {
    /// How far each part has been read; `None` is its end.
    parts: Vec<Option<Vec<u8>>>,
    /// By name, of all parts.
    found: BTreeMap<Vec<u8>, T>,
    count_max: usize,
}

impl<T> Merge<T> {
    /// A listing of at most so many names, from behind `after` on, in so many parts.
    pub fn new(part_count: usize, after: &[u8], count_max: usize) -> Merge<T> {
        Merge { parts: vec![Some(after.to_vec()); part_count], found: BTreeMap::new(), count_max }
    }

    /// How many names to read of each part at a time: few more than its share.
    pub fn page_count(&self) -> usize {
        4 + 2 * self.count_max.div_ceil(self.parts.len().max(1)).min(PAGE_SHARE_MAX)
    }

    /// Which parts must be read on, and from behind what: all that may have a name before the last that is wanted. None
    /// when the listing is complete.
    pub fn wanted(&self) -> Vec<(usize, Vec<u8>)> {
        let Some(last) = self.count_max.checked_sub(1) else { return Vec::new() };
        let last = if self.found.len() > last { self.found.keys().nth(last) } else { None };
        let parts = self.parts.iter().enumerate();
        let wanted = parts.filter_map(|(number, part)| {
            let up_to = part.as_ref()?;
            last.is_none_or(|last| up_to < last).then(|| (number, up_to.clone()))
        });
        wanted.collect()
    }

    /// Something was read of a part, behind what was read before; `up_to` is where to go on, if there is more.
    pub fn read(&mut self, number: usize, found: impl IntoIterator<Item = (Vec<u8>, T)>, up_to: Option<Vec<u8>>) {
        self.found.extend(found);
        if let Some(part) = self.parts.get_mut(number) {
            // Who does not get on has come to its end.
            *part = up_to.filter(|up_to| part.as_ref().is_some_and(|before| up_to > before));
        }
    }

    pub fn done(self) -> impl Iterator<Item = T> {
        self.found.into_values().take(self.count_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads what is wanted of the parts, which are in order; answers also how many pages were read.
    fn merged(parts: &[Vec<u8>], after: &[u8], count_max: usize) -> (Vec<u8>, usize) {
        let mut merge = Merge::new(parts.len(), after, count_max);
        let mut pages = 0;
        loop {
            let wanted = merge.wanted();
            if wanted.is_empty() {
                return (merge.done().collect(), pages);
            }
            for (number, after) in wanted {
                let rest: Vec<u8> =
                    parts[number].iter().filter(|name| **name > *after.first().unwrap_or(&0)).copied().collect();
                let page: Vec<u8> = rest.iter().take(merge.page_count()).copied().collect();
                let up_to = (page.len() < rest.len()).then(|| page[page.len() - 1..].to_vec());
                // A name that is gone when it is looked at is passed over.
                merge.read(number, page.iter().filter(|name| **name != 77).map(|name| (vec![*name], *name)), up_to);
                pages += 1;
            }
        }
    }

    #[test]
    fn names_come_in_order_and_none_is_left_out_however_they_are_dealt() {
        let dealt = |deal: &dyn Fn(u8) -> usize| {
            let mut parts = vec![Vec::new(); 7];
            (1..=200).for_each(|name| parts[deal(name)].push(name));
            parts
        };
        for parts in [dealt(&|name| usize::from(name) % 7), dealt(&|_| 3), dealt(&|name| usize::from(name) / 40)] {
            for (after, count_max) in [(0, 10), (0, 1), (60, 100), (150, 500), (0, 200), (5, 0)] {
                let after = if after == 0 { Vec::new() } else { vec![after] };
                let from = after.first().unwrap_or(&0) + 1;
                let expected = (from..=200).filter(|name| *name != 77).take(count_max);
                assert!(merged(&parts, &after, count_max).0.into_iter().eq(expected), "{after:?} {count_max}");
            }
        }
    }

    #[test]
    fn a_short_listing_is_read_in_one_round_and_of_a_long_one_not_everything() {
        let parts: Vec<Vec<u8>> = (0..7).map(|part| (1..=200).filter(|name| name % 7 == part).collect()).collect();
        assert_eq!(merged(&parts, &[], 14).1, 7);
        assert_eq!(merged(&[vec![1], vec![], vec![2]], &[], 500), (vec![1, 2], 3));
    }
}
