//! Publishing a batch: by one script, or in a Redis Cluster by one for each slot.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::time::timeout;

use super::answer::Answer;
use super::call::{Call, Slot};
use super::commands::{Again, is_unknown};
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
        for (base, published) in bases.iter().zip(&published) {
            self.until_heard(base, published.position).await;
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
        let again = if part.iter().all(|(_, publish)| publish.id_is_chosen) { Again::Yes } else { Again::No };
        let call = self.publishing(&part);
        let mut answer: Answer = self.commands.ask_replicated(&call, again, self.replicas_min).await?;
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
    async fn until_heard(&self, base: &str, position: Position) {
        let Some(mut hearing) = self.listened.hearing(base, position) else { return };
        // While an ear is full publishers wait for it. Otherwise a connection that has stopped bringing anything is
        // soon known to be broken, and then the ears are told.
        while timeout(self.commands.wait(), &mut hearing).await.is_err() && self.gate.is_held_up() {}
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
    let done = published.len();
    // What nobody knows is the worst.
    let worst = errors.iter().position(is_unknown).unwrap_or(0);
    if errors.is_empty() {
        return Ok(published.into_iter().flatten().collect());
    }
    match errors.swap_remove(worst) {
        StoreError::Unavailable(why) if done > 0 => Err(StoreError::Unavailable(format!(
            "{done} of {count} parts of this batch, which are on several servers of a Redis Cluster, are published, and \
             the others may not be: it may be tried again, and a message with an id of its own is not published twice \
             then ({why})"
        ))),
        error => Err(error),
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
