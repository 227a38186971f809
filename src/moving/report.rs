//! What came over and what did not: of everything how many, and of what was left out the first by name.

use std::collections::BTreeMap;
use std::fmt;

/// Of what was left out for one reason, so many are named.
const NAMED_MAX: usize = 20;

/// What is counted, in the order in which it is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    Settings,
    Keys,
    Data,
    Seen,
    Tokens,
    Messages,
    Private,
    Other,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Settings => "settings of pipes",
            What::Keys => "keys of users",
            What::Data => "data of users",
            What::Seen => "when users were last seen",
            What::Tokens => "revoked tokens",
            What::Messages => "messages of pipes",
            What::Private => "private messages",
            What::Other => "what has no counterpart",
        }
    }
}

/// What became of one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Came,
    /// The same was there already.
    There,
    /// Why it was left out.
    Left(&'static str),
}

#[derive(Default, Debug)]
pub struct Report(BTreeMap<What, Count>);

#[derive(Default, Debug)]
struct Count {
    came: u64,
    there: u64,
    left: BTreeMap<&'static str, Left>,
    /// What was changed on the way.
    changed: BTreeMap<&'static str, u64>,
}

#[derive(Default, Debug)]
struct Left {
    count: u64,
    names: Vec<String>,
}

impl Report {
    /// One more; `name` is asked for only when it is told.
    pub fn add(&mut self, what: What, fate: Fate, name: impl FnOnce() -> String) {
        match fate {
            Fate::Came => self.0.entry(what).or_default().came += 1,
            Fate::There => self.0.entry(what).or_default().there += 1,
            Fate::Left(why) => self.leave(what, why, 1, name),
        }
    }

    /// So many came over.
    pub fn came(&mut self, what: What, count: u64) {
        self.0.entry(what).or_default().came += count;
    }

    /// So many were there already.
    pub fn there(&mut self, what: What, count: u64) {
        self.0.entry(what).or_default().there += count;
    }

    /// So many were left out, under one name.
    pub fn leave(&mut self, what: What, why: &'static str, count: u64, name: impl FnOnce() -> String) {
        let left = self.0.entry(what).or_default().left.entry(why).or_default();
        left.count += count;
        if left.names.len() < NAMED_MAX {
            left.names.push(name());
        }
    }

    /// One came over and is not as it was.
    pub fn change(&mut self, what: What, how: &'static str) {
        *self.0.entry(what).or_default().changed.entry(how).or_default() += 1;
    }

    /// How much was left out.
    pub fn left(&self) -> u64 {
        self.0.values().flat_map(|count| count.left.values()).map(|left| left.count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, Count { came, there, left, changed }) in &self.0 {
            write!(out, "{}: {came} came over", what.name())?;
            if *there > 0 {
                write!(out, ", {there} were there already")?;
            }
            let sum: u64 = left.values().map(|left| left.count).sum();
            if sum > 0 {
                write!(out, ", {sum} were left out")?;
            }
            writeln!(out)?;
            for (how, count) in changed {
                writeln!(out, "  {count}: {how}")?;
            }
            for (why, Left { count, names }) in left {
                writeln!(out, "  left out, {count}: {why}")?;
                for name in names {
                    writeln!(out, "    {name}")?;
                }
                if names.len() == NAMED_MAX && *count > NAMED_MAX as u64 {
                    writeln!(out, "    …")?;
                }
            }
        }
        if self.0.is_empty() {
            writeln!(out, "there was nothing to bring over")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_and_the_first_of_what_was_left_out_are_named() {
        let mut report = Report::default();
        assert_eq!(report.to_string(), "there was nothing to bring over\n");
        for number in 0..25 {
            report.add(What::Keys, Fate::Left("it is empty"), || format!("user {number}"));
        }
        report.add(What::Keys, Fate::There, || unreachable!());
        report.came(What::Settings, 3);
        report.change(What::Settings, "was too long");
        report.leave(What::Messages, "the pipe keeps nothing", 70, || "pipe room".into());
        let text = report.to_string();
        assert!(
            text.starts_with("settings of pipes: 3 came over\n  1: was too long\nkeys of users: 0 came over"),
            "{text}"
        );
        assert!(
            text.contains(", 1 were there already, 25 were left out\n  left out, 25: it is empty\n    user 0\n"),
            "{text}"
        );
        assert!(text.contains("    user 19\n    …\n") && !text.contains("user 20"), "{text}");
        assert!(text.ends_with("  left out, 70: the pipe keeps nothing\n    pipe room\n"), "{text}");
        assert_eq!(report.left(), 95);
    }
}
