//! Announcements that never came, on pipes where nothing follows that would show it: every pipe that is listened to is
//! compared with Redis, over and over.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, Slot};
use super::gate::Gate;
use super::registry::{PIPES_A_CALL, Registry};
use super::script::Script;
use super::together::ask_all;
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
            let newly = self.ahead(&now).await.unwrap_or_else(|error| {
                tracing::debug!("nothing was compared with what was heard: {error}");
                Vec::new()
            });
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
    /// as it should be is told anew.
    async fn ahead(&self, parts: &[Part]) -> Result<Vec<(String, Position)>, StoreError> {
        let node = self.nodes.name();
        let call = |part: &Part| -> Call {
            let mut call = self.commands.scripts().on(Script::Heads, part);
            call.arg(&node);
            call
        };
        let answers = ask_all(&self.commands, parts.iter().map(call).collect()).await?;
        let (mut ahead, mut forgotten) = (Vec::new(), HashSet::new());
        for (part, mut answer) in parts.iter().zip(answers) {
            for base in part {
                let head = Position { epoch: answer.number()?, index: answer.number()? };
                if self.listened.is_told_again(base, answer.number()?) {
                    forgotten.insert(base.as_str());
                }
                if self.listened.is_behind(base, head) {
                    ahead.push((base.clone(), head));
                }
            }
        }
        // What Redis has lost with the count.
        self.wills.tell_of(&forgotten);
        Ok(ahead)
    }
}
