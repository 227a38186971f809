//! Whether everybody has heard what was acknowledged: once, in its order, or was told of a gap.

use std::collections::{BTreeMap, BTreeSet};

use super::gaps::{self, Provoked};
use super::listener::{Generation, Heard, Place, Story};
use super::load::{PIPES, Told, parse};

/// What was acknowledged on one pipe, by publisher.
type Acknowledged = BTreeMap<usize, BTreeSet<u64>>;

/// What the pipes that keep their messages have in the end: of each the texts by index.
pub type Histories = BTreeMap<&'static str, BTreeMap<u64, String>>;

/// Where a gap was provoked, browsers of generation 4, who are told of none, may lack something anywhere. Answers how many
/// gaps those of generation 5 were told of.
///
/// # Panics
/// A browser lacks something that was acknowledged and was not told of a gap there, or has something twice or in another
/// order, or another message than somebody else in the same place; or the gaps are not those that were provoked.
pub fn compare(told: &[Told], stories: &[Story], provoked: &Provoked, histories: &Histories) -> usize {
    let mut places = BTreeMap::new();
    for pipe in PIPES {
        let mut acknowledged = Acknowledged::new();
        for one in told.iter().filter(|told| told.pipe == pipe && told.index.is_some()) {
            acknowledged.entry(one.publisher).or_default().insert(one.number);
        }
        for story in stories {
            let who = format!("browser {} of generation {:?} on {pipe}", story.number, story.generation);
            let may_always_lack = provoked.is_anything() && story.generation == Generation::Four;
            walk(&who, &story.pipes[pipe], &acknowledged, may_always_lack);
        }
        let fives = stories.iter().filter(|story| story.generation == Generation::Five);
        for heard in fives.flat_map(|story| &story.pipes[pipe]) {
            if let Heard::Message { text, position: Some(position) } = heard {
                let owner = places.entry((pipe, *position)).or_insert(text);
                assert_eq!(*owner, text, "{pipe}, {position:?}: one place has two messages");
            }
        }
    }
    indexes_are_right(told, &places, &gaps::ends(stories));
    gaps::count(stories, provoked, histories)
}

/// # Panics
/// A pipe that keeps so many messages has not what was acknowledged, where it was.
pub fn all_is_kept(told: &[Told], histories: &Histories, length: usize) {
    for Told { pipe, publisher, number, index } in told {
        let is_kept = |kept: &&BTreeMap<u64, String>| kept.len() < length || kept.keys().next() <= index.as_ref();
        if let (Some(index), Some(kept)) = (index, histories.get(pipe).filter(is_kept)) {
            let text = kept.get(index).map(String::as_str);
            assert_eq!(text.and_then(parse), Some((*publisher, *number)), "at {index} of {pipe}");
        }
    }
}

/// One browser's way through one pipe.
fn walk(who: &str, heard: &[Heard], acknowledged: &Acknowledged, may_always_lack: bool) {
    // The newest of each publisher, and whether something may be missing behind it.
    let mut newest: BTreeMap<usize, (u64, bool)> =
        acknowledged.keys().map(|number| (*number, (0, may_always_lack))).collect();
    let lacks = |publisher: &usize, from: u64, to: u64| {
        let numbers = acknowledged.get(publisher);
        numbers.and_then(|numbers| numbers.range(from + 1..to.max(from + 1)).next().copied())
    };
    for heard in heard {
        let Heard::Message { text, .. } = heard else {
            newest.values_mut().for_each(|newest| newest.1 = true);
            continue;
        };
        let Some((publisher, number)) = parse(text) else { continue };
        let (last, may_lack) = newest.insert(publisher, (number, may_always_lack)).unwrap_or((0, false));
        // What had no answer when the store lost it is said again behind the gap.
        assert!(number > last || number == last && may_lack, "{who}: {text:?} behind {last}");
        let lacked = lacks(&publisher, last, number).filter(|_| !may_lack);
        assert_eq!(lacked, None, "{who} lacks what publisher {publisher} said between {last} and {number}");
    }
    for (publisher, (last, may_lack)) in newest {
        let lacked = lacks(&publisher, last, u64::MAX).filter(|_| !may_lack);
        assert_eq!(lacked, None, "{who} lacks the last that publisher {publisher} said");
    }
}

/// What publishers were told of the place of a message is where browsers have heard it. What was said again after it was
/// lost is in another place; and may be nowhere for those who pass over it with a gap.
fn indexes_are_right(told: &[Told], places: &BTreeMap<(&str, Place), &String>, passed_over: &BTreeMap<&str, u64>) {
    let mut heard: BTreeMap<(&str, (usize, u64)), Vec<u64>> = BTreeMap::new();
    for ((pipe, (_, index)), text) in places {
        if let Some(message) = parse(text) {
            heard.entry((*pipe, message)).or_default().push(*index);
        }
    }
    for Told { pipe, publisher, number, index } in told {
        if let (Some(index), Some(heard)) = (index, heard.get(&(*pipe, (*publisher, *number)))) {
            let is_passed_over = passed_over.get(pipe).is_some_and(|end| index <= end);
            assert!(
                heard.contains(index) || is_passed_over,
                "{pipe}: {publisher} was told {index} of {number}, and it is at {heard:?}"
            );
        }
    }
}

mod tests {
    use super::*;

    fn heard(texts: &[&str]) -> Vec<Heard> {
        let one = |text: &&str| match *text {
            "gap" => Heard::Gap { from: (1, 1), to: (1, 2) },
            text => Heard::Message { text: text.to_owned(), position: None },
        };
        texts.iter().map(one).collect()
    }

    #[test]
    fn it_sees_what_is_missing_twice_or_in_another_order() {
        let acknowledged = Acknowledged::from([(0, BTreeSet::from([1, 2, 4]))]);
        let right: [&[&str]; 4] = [
            &["0 says 1", "0 says 2", "0 says 4"],
            &["0 says 1", "0 says 2", "0 says 3", "0 says 4"],
            &["0 says 1", "gap", "0 says 4"],
            &["0 says 1", "gap", "0 says 1", "0 says 2", "gap"],
        ];
        let wrong: [&[&str]; 6] = [
            &["0 says 1", "0 says 2"],
            &["0 says 2", "0 says 4"],
            &["0 says 1", "0 says 4", "gap"],
            &["0 says 1", "0 says 2", "0 says 2", "0 says 4"],
            &["0 says 2", "0 says 1", "0 says 4"],
            &["0 says 1", "0 says 2", "0 says 4", "gap", "0 says 3"],
        ];
        right.iter().for_each(|texts| walk("it", &heard(texts), &acknowledged, false));
        for texts in wrong {
            let walked = std::panic::catch_unwind(|| walk("it", &heard(texts), &acknowledged, false));
            assert!(walked.is_err(), "{texts:?} are all right");
        }
    }
}
