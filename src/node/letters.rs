//! Nodes ask each other by letter what only one of them knows: who is connected to it, and what it has counted. A letter
//! may be lost, and a node may be gone: who does not answer in time is missing from the answer, and that is said.

pub(super) mod envelope;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use self::envelope::{Content, Letter, Question};
use super::{End, Node, Others, Peer};
use crate::status::Status;
use crate::user::TenantId;

/// Who has not answered within this is missing, in milliseconds.
pub const ANSWER_MILLIS_MAX: u64 = 1_000;
/// Most questions of others that are worked on at a time,
const AT_WORK_MAX: usize = 64;
/// and that are here, those that wait for their turn among them. What is asked beyond that gets no answer.
const QUESTIONS_MAX: usize = 1_024;
/// So many nodes are asked at a time: each may answer with a page.
pub(super) const ASKED_AT_ONCE: usize = 16;

/// The letters of this node that wait for an answer, and room for those of others.
pub(super) struct Letters {
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Begins anywhere: an answer to a node that had this one's number before is none to this one.
    last_number: AtomicU64,
    room: Arc<Semaphore>,
    at_work: Semaphore,
}

struct Waiting {
    whom: Peer,
    answer: oneshot::Sender<Box<RawValue>>,
}

/// A question that waits. When this is dropped, it is not waited for any longer.
struct Asked<'l> {
    letters: &'l Letters,
    number: u64,
    answer: oneshot::Receiver<Box<RawValue>>,
}

impl Default for Letters {
    fn default() -> Letters {
        // Without random bytes two lives of one node cannot be told apart, and nothing worse.
        let last_number = AtomicU64::new(getrandom::u64().unwrap_or_default());
        let (room, at_work) = (Arc::new(Semaphore::new(QUESTIONS_MAX)), Semaphore::new(AT_WORK_MAX));
        Letters { waiting: Mutex::default(), last_number, room, at_work }
    }
}

impl Letters {
    fn wait(&self, whom: Peer) -> Asked<'_> {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (sender, answer) = oneshot::channel();
        self.waiting().insert(number, Waiting { whom, answer: sender });
        Asked { letters: self, number, answer }
    }

    /// An answer has come. One that nobody waits for changes nothing, nor one of a node that was not asked.
    fn answered(&self, from: Peer, number: u64, answer: Option<&RawValue>) {
        let mut waiting = self.waiting();
        if waiting.get(&number).is_none_or(|waiting| waiting.whom != from) {
            return;
        }
        // Without an answer in it, the question was not understood: the sender is dropped, and whoever asked is told.
        if let (Some(waiting), Some(answer)) = (waiting.remove(&number), answer) {
            let _ = waiting.answer.send(answer.to_owned());
        }
    }

    /// Room for one more question of others; there may be none, and that is counted.
    fn place(&self, status: &Status) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok();
        if place.is_none() {
            status.question_refused();
        }
        place
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.letters.waiting().remove(&self.number);
    }
}

impl Node {
    /// Asks each of these nodes the same; those that did not answer in time, or not so that it can be read, have `None`.
    pub(super) async fn ask_each<A: DeserializeOwned>(
        &self,
        peers: &[Peer],
        question: &Question,
    ) -> Vec<(Peer, Option<A>)> {
        let mut answers = Vec::with_capacity(peers.len());
        for some in peers.chunks(ASKED_AT_ONCE) {
            let deadline = Instant::now() + Duration::from_millis(ANSWER_MILLIS_MAX);
            let mut asked = Vec::with_capacity(some.len());
            for peer in some {
                let waits = self.letters.wait(*peer);
                let sent = self.send(*peer, envelope::question(self.peer(), waits.number, question));
                let was_there = timeout_at(deadline, sent).await.unwrap_or(false);
                asked.push((*peer, was_there.then_some(waits)));
            }
            for (peer, waits) in asked {
                let answer = match waits {
                    Some(mut waits) => timeout_at(deadline, &mut waits.answer).await.ok().and_then(Result::ok),
                    None => None,
                };
                if answer.is_none() {
                    self.status.letter_unanswered();
                }
                answers.push((peer, answer.and_then(|answer| serde_json::from_str(answer.get()).ok())));
            }
        }
        answers
    }

    /// Asks all the others the same; who does not answer is missing.
    pub(super) async fn ask_others<A: DeserializeOwned>(&self, others: &mut Others, question: &Question) -> Vec<A> {
        let asked = self.ask_each(&others.answering(), question).await;
        let answers = asked.into_iter().filter_map(|(peer, answer)| {
            if answer.is_none() {
                others.is_missing(peer);
            }
            answer
        });
        answers.collect()
    }

    /// Reads this node's letters as they come. No letter waits for the work of another.
    pub(super) async fn read_letters(self: &Arc<Node>) {
        loop {
            let letter = self.store.letter().await;
            match Letter::read(&letter) {
                Some(Letter { from, number, content: Content::Answer(answer) }) => {
                    self.letters.answered(from, number, answer);
                }
                Some(Letter { from, number, content: Content::Question(question) }) => {
                    self.questioned(from, number, question);
                }
                None => tracing::debug!("a letter of another node cannot be read"),
            }
        }
    }

    fn questioned(self: &Arc<Node>, from: Peer, number: u64, question: &RawValue) {
        let Some(place) = self.letters.place(&self.status) else {
            tracing::debug!("node {} asks while {QUESTIONS_MAX} questions are here, and gets no answer", from.0);
            return;
        };
        let question: Option<Question> = serde_json::from_str(question.get()).ok();
        let node = Arc::clone(self);
        tokio::spawn(async move {
            // Whoever asked does not wait any longer.
            let within = Duration::from_millis(ANSWER_MILLIS_MAX);
            let _ = timeout(within, node.reply(from, number, question)).await;
            drop(place);
        });
    }

    async fn reply(&self, to: Peer, number: u64, question: Option<Question>) {
        let _turn = self.letters.at_work.acquire().await;
        let answer = match question {
            Some(question) => self.answer_to(question).await,
            None => None,
        };
        self.send(to, envelope::answer(self.peer(), number, answer.as_deref())).await;
    }

    async fn answer_to(&self, question: Question) -> Option<Box<RawValue>> {
        match question {
            Question::Subscribers(list, since) => written(&self.answer_page(&list, since).await),
            Question::Clients(list, since) => written(&self.answer_page(&list, since).await),
            Question::Browsers(list, since) => written(&self.answer_page(&list, since).await),
            Question::Counts { tenant } => written(&self.counts_here(TenantId(tenant))),
            Question::End { tenant, number, statement_only } => {
                let end = if statement_only { End::Statement } else { End::Connection };
                written(&self.end_here(TenantId(tenant), number, end).await)
            }
        }
    }

    /// Answers whether the letter was taken.
    async fn send(&self, to: Peer, letter: serde_json::Result<Vec<u8>>) -> bool {
        let Ok(letter) = letter else { return false };
        self.store.post(to, letter).await.unwrap_or_else(|error| {
            tracing::debug!("a letter to node {} was not sent: {error}", to.0);
            false
        })
    }
}

fn written(answer: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(answer).inspect_err(|error| tracing::error!("an answer cannot be written: {error}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_while_too_many_questions_are_here_is_counted_and_has_no_place() {
        let (letters, status) = (Letters::default(), Status::new());
        let mut places: Vec<_> = (0..QUESTIONS_MAX).map(|_| letters.place(&status).unwrap()).collect();
        assert_eq!(status.questions_refused(), 0);
        assert!((0..3).all(|_| letters.place(&status).is_none()));
        assert_eq!(status.questions_refused(), 3);
        places.pop();
        assert!(letters.place(&status).is_some());
        assert_eq!(status.questions_refused(), 3);
    }
}
