//! Announcements that never came, on pipes where nothing follows that would show it: every pipe that is listened to is
//! compared with Redis, over and over.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::call::{Call, Slot};
use super::gate::Gate;
use super::registry::{PIPES_A_CALL, Registry};
use super::script::Script;
use super::together::ask_each;
use crate::pipe::Position;
use crate::store::StoreError;

/// Some pipes are compared each time,
const TICK: Duration = Duration::from_secs(1);
/// and after so many times all of them were.
const TICKS_A_ROUND: usize = 15;

/// Pipes of one slot, by their bases.
type Part = Vec<String>;

impl Registry {
    /// Finds for ever what was not heard. What has not come a second after Redis had it is told as lost.
    pub async fn keep_comparing(self: Arc<Registry>, gate: Arc<Gate>) {
        let mut doubts: Vec<(String, Position)> = Vec::new();
        let mut parts: VecDeque<Part> = VecDeque::new();
        for tick in (0..TICKS_A_ROUND).cycle() {
            if tick == 0 {
                parts = self.parts();
            }
            let share = parts.len().div_ceil(TICKS_A_ROUND - tick);
            let now: Vec<Part> = parts.drain(..share).collect();
            let newly = self.ahead(&now).await;
            tokio::time::sleep(TICK).await;
            doubts.extend(newly);
            // While the socket is not read it is us who do not hear.
            if !gate.is_full() {
                doubts.drain(..).for_each(|(base, head)| self.listened.missing(&base, head));
            }
        }
    }

    fn parts(&self) -> VecDeque<Part> {
        let mut by_slot: BTreeMap<Slot, Part> = BTreeMap::new();
        for base in self.listened.bases() {
            by_slot.entry(Slot::of(&base)).or_default().push(base);
        }
        by_slot.values().flat_map(|part| part.chunks(PIPES_A_CALL)).map(<[String]>::to_vec).collect()
    }

    /// The pipes that stand in Redis behind what was heard here, with where. A pipe on which this node is not counted
    /// as it should be is told anew. What cannot be asked now is asked in the next round.
    async fn ahead(&self, parts: &[Part]) -> Vec<(String, Position)> {
        let node = self.nodes.name();
        let call = |part: &Part| -> Call {
            let mut call = self.commands.scripts().on(Script::Heads, part);
            call.arg(&node);
            call
        };
        let answers = ask_each(&self.commands, parts.iter().map(call).collect()).await;
        let (mut ahead, mut forgotten) = (Vec::new(), HashSet::new());
        for (part, answer) in parts.iter().zip(answers) {
            let heads = answer.and_then(|answer| heads_of(part, answer)).unwrap_or_else(|error| {
                tracing::debug!("what was heard was not compared with some pipes: {error}");
                Vec::new()
            });
            for (base, head, version) in heads {
                if self.listened.is_told_again(base, version) {
                    forgotten.insert(base);
                }
                if self.listened.is_behind(base, head) {
                    ahead.push((base.to_owned(), head));
                }
            }
        }
        // What Redis has lost with the count.
        self.wills.tell_of(&forgotten);
        ahead
    }
}

/// Where each of some pipes stands, and which version of the count of this node it has.
fn heads_of(part: &Part, mut answer: Answer) -> Result<Vec<(&str, Position, u64)>, StoreError> {
    let mut head = |base| {
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        Ok((base, position, answer.number()?))
    };
    part.iter().map(|base| head(base.as_str())).collect()
}
