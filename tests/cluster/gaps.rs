//! Which gaps browsers of generation 5 were told of, and which of them a scenario has provoked.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::judge::Histories;
use super::listener::{Generation, Heard, Place, Story};
use super::load::PIPES;

/// The gaps that a scenario has provoked. Whatever else somebody is told of is one too many, and what he is not told of
/// of these one too few.
#[derive(Clone)]
pub struct Provoked {
    /// How many new epochs each pipe has begun, because a server took over that was behind what had been heard. Every
    /// browser is told of each, once.
    epochs: RangeInclusive<usize>,
    within: Option<Within>,
}

/// Gaps in an epoch that goes on.
#[derive(Clone)]
pub struct Within {
    pub pipes: &'static [&'static str],
    /// Who is told of them; nobody else is.
    pub browsers: Vec<usize>,
    /// How often each of them, of each of the pipes.
    pub count: usize,
    /// How many messages each gap has at least.
    pub messages_min: u64,
}

impl Provoked {
    pub fn nothing() -> Provoked {
        Provoked { epochs: 0..=0, within: None }
    }

    /// So many on each pipe, neither more nor fewer.
    pub fn epochs(count: usize) -> Provoked {
        Provoked { epochs: count..=count, within: None }
    }

    /// Servers died so many times, and whoever took over may have been behind what had been heard of a pipe, or not.
    pub fn epochs_up_to(count: usize) -> Provoked {
        Provoked { epochs: 0..=count, within: None }
    }

    pub fn within(within: Within) -> Provoked {
        Provoked { epochs: 0..=0, within: Some(within) }
    }

    /// Whether there may be any.
    pub fn is_anything(&self) -> bool {
        *self.epochs.end() > 0 || self.within.is_some()
    }

    fn within_of(&self, pipe: &str, browser: usize) -> (usize, u64) {
        let is_meant = |within: &&Within| within.pipes.contains(&pipe) && within.browsers.contains(&browser);
        self.within.as_ref().filter(is_meant).map_or((0, 0), |within| (within.count, within.messages_min))
    }
}

/// Answers how many gaps there were.
///
/// # Panics
/// Somebody was told of another gap than those provoked, or was not told of one of them; or a pipe began a new epoch though
/// it has everything that was heard of it.
pub fn count(stories: &[Story], provoked: &Provoked, histories: &Histories) -> usize {
    let fives: Vec<&Story> = stories.iter().filter(|story| story.generation == Generation::Five).collect();
    let mut count = 0;
    for pipe in PIPES {
        let mut epochs: Option<Vec<u64>> = None;
        for story in &fives {
            let heard = &story.pipes[pipe];
            let who = format!("browser {} on {pipe}", story.number);
            count += heard.iter().filter(|heard| matches!(heard, Heard::Gap { .. })).count();
            within(&who, heard, provoked.within_of(pipe, story.number));
            let lived = epochs_of(heard);
            let begun = lived.len() - 1;
            assert!(provoked.epochs.contains(&begun), "{who} was told of {begun} new epochs: {lived:?}");
            let of_others = epochs.get_or_insert_with(|| lived.clone());
            assert_eq!(*of_others, lived, "{who} has lived in other epochs than the others");
        }
        let epochs = epochs.unwrap_or_default();
        for epoch in epochs.iter().rev().skip(1) {
            let heard = places_in(*epoch, pipe, &fives);
            let kept = histories.get(pipe).expect("a pipe that keeps its messages");
            let is_gone = |(index, text): (&u64, &&str)| kept.get(index).is_none_or(|kept| kept != *text);
            assert!(
                heard.iter().any(is_gone),
                "{pipe} has all that was heard in epoch {epoch}, and begins another one"
            );
        }
    }
    count
}

/// The index at which the last gap of each pipe ends, of all that anybody was told of.
pub fn ends(stories: &[Story]) -> BTreeMap<&str, u64> {
    let mut ends = BTreeMap::new();
    for (pipe, heard) in stories.iter().flat_map(|story| &story.pipes) {
        for heard in heard {
            if let Heard::Gap { to, .. } = heard {
                let end = ends.entry(pipe.as_str()).or_insert(0);
                *end = to.1.max(*end);
            }
        }
    }
    ends
}

/// The gaps of one browser on one pipe that are in an epoch.
fn within(who: &str, heard: &[Heard], (expected, messages_min): (usize, u64)) {
    let gaps = heard.iter().filter_map(|heard| match heard {
        Heard::Gap { from, to } if from.0 == to.0 => Some((*from, *to)),
        _ => None,
    });
    let gaps: Vec<(Place, Place)> = gaps.collect();
    assert_eq!(gaps.len(), expected, "{who} was told of {gaps:?}");
    let is_long = |(from, to): &(Place, Place)| to.1 - from.1 >= messages_min;
    assert!(
        gaps.iter().all(is_long),
        "{who} was told of {gaps:?}, and less than {messages_min} messages cannot be lost"
    );
}

/// The epochs that a browser has lived in: where it began, and of which others it was told.
fn epochs_of(heard: &[Heard]) -> Vec<u64> {
    let mut epochs = Vec::new();
    for heard in heard {
        let (from, to) = match heard {
            Heard::Message { position: Some((epoch, _)), .. } => (*epoch, *epoch),
            Heard::Gap { from, to } => (from.0, to.0),
            Heard::Message { position: None, .. } | Heard::Away => continue,
        };
        if epochs.is_empty() {
            epochs.push(from);
        }
        if epochs.last() != Some(&to) {
            epochs.push(to);
        }
    }
    epochs
}

/// What was heard in an epoch, by index.
fn places_in<'s>(epoch: u64, pipe: &str, stories: &[&'s Story]) -> BTreeMap<u64, &'s str> {
    let heard = stories.iter().flat_map(|story| &story.pipes[pipe]);
    let place = |heard: &'s Heard| match heard {
        Heard::Message { text, position: Some((at, index)) } if *at == epoch => Some((*index, text.as_str())),
        _ => None,
    };
    heard.filter_map(place).collect()
}

mod tests {
    use super::*;

    fn story(number: usize, of_first: Vec<Heard>) -> Story {
        let mut pipes: BTreeMap<String, Vec<Heard>> = PIPES.map(|pipe| (pipe.to_owned(), vec![message(1, 1)])).into();
        pipes.insert(PIPES[0].to_owned(), of_first);
        Story { generation: Generation::Five, number, pipes }
    }

    fn message(epoch: u64, index: u64) -> Heard {
        Heard::Message { text: format!("{index} of {epoch}"), position: Some((epoch, index)) }
    }

    fn gap(from: Place, to: Place) -> Heard {
        Heard::Gap { from, to }
    }

    fn kept(texts: &[(u64, &str)]) -> Histories {
        let of_first = texts.iter().map(|(index, text)| (*index, (*text).to_owned())).collect();
        Histories::from([(PIPES[0], of_first)])
    }

    fn is_right(stories: &[Story], provoked: &Provoked, kept: &Histories) -> bool {
        std::panic::catch_unwind(|| count(stories, provoked, kept)).is_ok()
    }

    #[test]
    fn a_new_epoch_is_told_to_everybody_once_and_only_where_something_is_lost() {
        let told = || vec![message(1, 1), gap((1, 1), (2, 1)), message(2, 2)];
        let silent = || vec![message(1, 1), message(2, 2)];
        let twice = || vec![message(1, 1), gap((1, 1), (3, 1)), gap((3, 1), (2, 1)), message(2, 2)];
        let (lost, here) = (kept(&[(2, "2 of 2")]), kept(&[(1, "1 of 1"), (2, "2 of 2")]));
        let one = Provoked::epochs_up_to(1);
        assert!(is_right(&[story(0, told()), story(1, told())], &one, &lost));
        assert!(!is_right(&[story(0, told()), story(1, told())], &Provoked::nothing(), &lost), "not provoked");
        assert!(!is_right(&[story(0, told()), story(1, told())], &one, &here), "nothing is lost");
        assert!(
            !is_right(&[story(0, told()), story(1, twice())], &Provoked::epochs_up_to(2), &lost),
            "one of them twice"
        );
        assert!(!is_right(&[story(0, told()), story(1, vec![message(1, 1)])], &one, &lost), "one of them not at all");
        assert!(!is_right(&[story(0, silent())], &Provoked::nothing(), &lost));
        assert!(!is_right(&[story(0, told())], &Provoked::epochs(1), &lost), "the other pipes have none");
    }

    #[test]
    fn a_gap_in_an_epoch_is_told_to_those_who_were_away_for_too_long() {
        let told = || vec![message(1, 1), gap((1, 1), (1, 102)), message(1, 103)];
        let provoked = |browsers: &[usize], count, messages_min| {
            let browsers = browsers.to_vec();
            Provoked::within(Within { pipes: &PIPES[..1], browsers, count, messages_min })
        };
        let stories = [story(0, told()), story(1, vec![message(1, 1)])];
        assert!(is_right(&stories, &provoked(&[0], 1, 101), &Histories::new()));
        assert!(!is_right(&stories, &provoked(&[0], 1, 102), &Histories::new()), "less was missed than that");
        assert!(!is_right(&stories, &provoked(&[0], 2, 101), &Histories::new()), "once too few");
        assert!(!is_right(&stories, &provoked(&[0, 1], 1, 101), &Histories::new()), "one of them not at all");
        assert!(!is_right(&stories, &provoked(&[1], 1, 101), &Histories::new()), "another one");
        assert!(!is_right(&stories, &Provoked::nothing(), &Histories::new()));
    }
}
