//! Publishing a batch: by one script, or in a Redis Cluster by one for each slot.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::call::{Call, Slot};
use super::commands::Again;
use super::script::Script;
use super::{Redis, begin, keys, record};
use crate::pipe::{Pipe, Position};
use crate::store::{Publish, Published, StoreError};

impl Redis {
    /// Publishes each part of a batch, or nothing of that part. All parts are on their way at once.
    pub async fn publish_in_parts(&self, batch: &[Publish]) -> Result<Vec<Published>, StoreError> {
        let bases: Vec<String> = batch.iter().map(|publish| keys::base_of(&publish.pipe)).collect();
        let mut parts: BTreeMap<Option<Slot>, Vec<usize>> = BTreeMap::new();
        for (number, base) in bases.iter().enumerate() {
            let slot = self.servers.are_many().then(|| Slot::of(base));
            parts.entry(slot).or_default().push(number);
        }
        let parts: Vec<Vec<usize>> = parts.into_values().collect();
        let answers = all(parts.iter().map(|part| self.publish_part(batch, &bases, part)).collect()).await;
        let mut published: Vec<Option<Published>> = vec![None; batch.len()];
        for (number, one) in parts.iter().flatten().zip(in_one(answers)?) {
            published[*number] = Some(one);
        }
        // Each message is in one part, and each part has answered as many as it has.
        let published: Vec<Published> = published.into_iter().flatten().collect();
        // One limit of time for all of them.
        let mut deadline = Instant::now() + self.commands.wait();
        for (base, published) in bases.iter().zip(&published) {
            self.until_heard(base, *published, &mut deadline).await;
        }
        Ok(published)
    }

    async fn publish_part(
        &self,
        batch: &[Publish],
        bases: &[String],
        part: &[usize],
    ) -> Result<Vec<Published>, StoreError> {
        let part: Vec<(&str, &Publish)> =
            part.iter().map(|number| (bases[*number].as_str(), &batch[*number])).collect();
        // What is known to be a repeat may be sent twice.
        let again = if part.iter().all(|(_, publish)| publish.id_is_chosen) { Again::Known } else { Again::No };
        let call = self.publishing(&part);
        let mut answer: Answer = self.commands.ask_replicated(&call, again).await?;
        let mut published = Vec::with_capacity(part.len());
        for _ in &part {
            let position = Position { epoch: answer.number()?, index: answer.number()? };
            published.push(Published { position, receivers: answer.number()?, is_repeat: answer.truth()? });
        }
        Ok(published)
    }

    /// The call that publishes a part of a batch: all of it or nothing, if its pipes are in one slot or there is one
    /// server. Each message comes with the base of its pipe.
    fn publishing(&self, part: &[(&str, &Publish)]) -> Call {
        let mut pipes: Vec<(&str, &Pipe)> = Vec::new();
        let mut numbers = Vec::with_capacity(part.len());
        let mut known = std::collections::HashMap::new();
        for (base, publish) in part {
            let number = *known.entry(*base).or_insert_with(|| {
                pipes.push((base, &publish.pipe));
                pipes.len()
            });
            numbers.push(number);
        }
        let bases: Vec<&str> = pipes.iter().map(|(base, _)| *base).collect();
        let mut call = self.commands.scripts().on(Script::Publish, &bases);
        call.arg(&*self.registry.nodes.gone()).arg(self.now()).arg(self.history_bytes_max_per_pipe);
        pipes.iter().for_each(|(_, pipe)| begin(&mut call, pipe));
        for ((_, publish), number) in part.iter().zip(numbers) {
            call.arg(number).arg(u8::from(publish.id_is_chosen)).arg(u8::from(publish.sender_listens));
            call.arg(record::body_of(publish));
        }
        call
    }

    /// Waits until what was published has been heard here, as far as it will be.
    async fn until_heard(&self, base: &str, published: Published, deadline: &mut Instant) {
        let Some(mut hearing) = self.listened.hearing(base, published) else { return };
        // While an ear is full publishers wait for it. Otherwise a connection that has stopped bringing anything is
        // soon known to be broken, and then the ears are told.
        while timeout_at(*deadline, &mut hearing).await.is_err() && self.gate.is_held_up() {
            *deadline = Instant::now() + self.commands.wait();
        }
    }
}

/// What all parts answered, one behind the other, or what became of the batch.
fn in_one(answers: Vec<Result<Vec<Published>, StoreError>>) -> Result<Vec<Published>, StoreError> {
    let count = answers.len();
    let (mut published, mut errors) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(part) => published.push(part),
            Err(error) => errors.push(error),
        }
    }
    // What nobody knows is the worst, and what can be tried again the least.
    let worst = errors.into_iter().max_by_key(|error| match error {
        StoreError::Unavailable(_) => 0,
        StoreError::Damaged(_) => 1,
        StoreError::Unknown(_) => 2,
    });
    let done = published.len();
    let partly = |why: String| {
        format!(
            "{done} of {count} parts of this batch, which are in several slots of a Redis Cluster, are published, and \
             the others may not be ({why})"
        )
    };
    match worst {
        None => Ok(published.into_iter().flatten().collect()),
        Some(error) if done == 0 => Err(error),
        Some(StoreError::Damaged(why)) => Err(StoreError::Damaged(partly(why))),
        Some(StoreError::Unavailable(why) | StoreError::Unknown(why)) => Err(StoreError::Unknown(partly(why))),
    }
}

/// Does all of these at once, in their order.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(done) = future.as_mut().poll(context) {
                *output = Some(done);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_which_a_part_is_published_is_not_one_of_which_nothing_is() {
        let away = || Err(StoreError::Unavailable("away".into()));
        let broke = || Err(StoreError::Unknown("broke".into()));
        let damaged = || Err(StoreError::Damaged("rotten".into()));
        let done = || Ok(Vec::new());
        assert_eq!(in_one(vec![done(), done()]), Ok(Vec::new()));
        assert_eq!(in_one(vec![away(), away()]), away());
        assert_eq!(in_one(vec![away(), broke(), damaged()]), broke());
        let said = |of| format!("{:?}", in_one(of));
        for (of, begins) in [
            (vec![done(), away()], "Err(Unknown(\"1 of 2 parts"),
            (vec![done(), broke(), damaged()], "Err(Unknown(\"1 of 3 parts"),
            (vec![away(), damaged(), done()], "Err(Damaged(\"1 of 3 parts"),
        ] {
            let said = said(of);
            assert!(said.starts_with(begins), "{said}");
        }
    }
}
