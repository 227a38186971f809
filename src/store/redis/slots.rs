//! What the servers of a cluster say of their slots, read as what it comes from: a network.

use redis::Value;

use super::address::Place;
use super::call::SLOT_COUNT;

/// Which server has which slot, as one of them says.
#[derive(Clone)]
pub struct Slots {
    /// Those that have slots.
    pub places: Vec<Place>,
    /// Of each slot the place in that list, if anybody has it.
    pub owners: Vec<Option<u16>>,
}

impl Slots {
    /// Reads the answer to CLUSTER SLOTS (<https://redis.io/docs/latest/commands/cluster-slots/>): ranges, each with its
    /// first and last slot and then its servers, the primary first. A server that does not say where it is is where it
    /// was asked.
    pub fn read(answer: &Value, asked: &Place) -> Option<Slots> {
        let Value::Array(ranges) = answer else { return None };
        let mut slots = Slots { places: Vec::new(), owners: vec![None; usize::from(SLOT_COUNT)] };
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = range.as_slice() else {
                return None;
            };
            let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
            let owner = slots.place_of(primary, asked)?;
            slots.owners.get_mut(first..=last.max(first))?.fill(Some(owner));
        }
        Some(slots)
    }

    /// The number of a server in the list.
    fn place_of(&mut self, server: &[Value], asked: &Place) -> Option<u16> {
        let [host, Value::Int(port), ..] = server else { return None };
        let host = match host {
            Value::BulkString(host) => std::str::from_utf8(host).ok()?,
            Value::SimpleString(host) => host,
            Value::Nil => "",
            _ => return None,
        };
        let host = if host.is_empty() { asked.host()? } else { host };
        let place = asked.at(host, u16::try_from(*port).ok()?).ok()?;
        let known = self.places.iter().position(|known| known.is(&place));
        let number = known.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        u16::try_from(number).ok()
    }

    /// Whether both say the same.
    pub fn agree(&self, other: &Slots) -> bool {
        let place = |slots: &Slots, slot: usize| {
            slots.owners[slot].and_then(|owner| slots.places.get(usize::from(owner)).cloned())
        };
        (0..self.owners.len()).all(|slot| match (place(self, slot), place(other, slot)) {
            (Some(mine), Some(theirs)) => mine.is(&theirs),
            (None, None) => true,
            _ => false,
        })
    }
}

/// What most of those who were asked say.
pub fn most(said: &[Slots]) -> Option<&Slots> {
    let votes = |slots: &&Slots| said.iter().filter(|other| slots.agree(other)).count();
    // Of as many the first.
    said.iter().rev().max_by_key(votes)
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    fn asked() -> Place {
        let Ok(Address::Cluster(mut seeds)) = Address::parse("redis+cluster://asked:7000") else {
            panic!("an address")
        };
        seeds.remove(0)
    }

    fn server(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn range(first: i64, last: i64, servers: Vec<Value>) -> Value {
        Value::Array([vec![Value::Int(first), Value::Int(last)], servers].concat())
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn shown(slots: &Slots, slot: usize) -> Option<String> {
        slots.owners[slot].map(|owner| slots.places[usize::from(owner)].to_string())
    }

    #[test]
    fn each_slot_has_the_primary_of_its_range() {
        let answer = Value::Array(vec![
            range(0, 99, vec![server(text("a"), 1), server(text("replica"), 2)]),
            range(100, 100, vec![server(Value::Nil, 3)]),
            range(200, 16_383, vec![server(text("a"), 1)]),
        ]);
        let slots = Slots::read(&answer, &asked()).unwrap();
        assert_eq!(slots.places.len(), 2);
        let a = Some("redis://a:1/0".to_owned());
        assert_eq!([0, 99, 16_383].map(|slot| shown(&slots, slot)), [a.clone(), a.clone(), a]);
        assert_eq!(shown(&slots, 100).unwrap(), "redis://asked:3/0");
        assert_eq!(shown(&slots, 101), None);
    }

    #[test]
    fn what_most_say_counts_however_they_number_the_servers() {
        let said = |ranges: &[(i64, i64, &str)]| {
            let range = |(first, last, host): &(i64, i64, &str)| range(*first, *last, vec![server(text(host), 1)]);
            Slots::read(&Value::Array(ranges.iter().map(range).collect()), &asked()).unwrap()
        };
        let all = [
            said(&[(0, 9, "old"), (10, 16_383, "other")]),
            said(&[(10, 16_383, "other"), (0, 9, "new")]),
            said(&[(0, 9, "new"), (10, 16_383, "other")]),
        ];
        assert!(!all[0].agree(&all[1]) && all[1].agree(&all[2]));
        assert_eq!(shown(most(&all).unwrap(), 0).unwrap(), "redis://new:1/0");
        assert_eq!(shown(most(&all[..2]).unwrap(), 0).unwrap(), "redis://old:1/0");
        assert!(most(&[]).is_none());
    }

    #[test]
    fn what_is_no_map_is_none() {
        let cases = [
            Value::Int(1),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 1, vec![])]),
            Value::Array(vec![range(-1, 1, vec![server(text("a"), 1)])]),
            Value::Array(vec![range(0, 16_384, vec![server(text("a"), 1)])]),
            Value::Array(vec![range(0, i64::MAX, vec![server(text("a"), 1)])]),
            Value::Array(vec![range(5, 1, vec![server(text("a"), 70_000)])]),
            Value::Array(vec![range(0, 1, vec![server(Value::Int(1), 1)])]),
        ];
        for answer in cases {
            assert!(Slots::read(&answer, &asked()).is_none(), "{answer:?}");
        }
    }
}
