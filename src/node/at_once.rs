//! Many steps of one command, begun in their order and waited for together: a store answers many in the time of one.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Most steps on their way at a time.
const STEPS_MAX: usize = 64;

/// Does all of these. What they come to is in their order.
pub(super) async fn at_once<S: Future>(mut steps: impl Iterator<Item = S>) -> Vec<S::Output> {
    let mut outcomes = Vec::new();
    loop {
        let mut group: Vec<Pin<Box<S>>> = steps.by_ref().take(STEPS_MAX).map(Box::pin).collect();
        if group.is_empty() {
            return outcomes;
        }
        let mut done: Vec<Option<S::Output>> = group.iter().map(|_| None).collect();
        poll_fn(|context| {
            for (step, outcome) in group.iter_mut().zip(&mut done).filter(|(_, outcome)| outcome.is_none()) {
                if let Poll::Ready(ready) = step.as_mut().poll(context) {
                    *outcome = Some(ready);
                }
            }
            if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        outcomes.extend(done.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn steps_go_together_but_not_too_many_and_their_outcomes_are_in_order() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let step = |number: usize| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(running.get().max(most.get()));
                // The later ones are done first.
                for _ in number % STEPS_MAX..STEPS_MAX {
                    tokio::task::yield_now().await;
                }
                running.set(running.get() - 1);
                number
            }
        };
        assert_eq!(at_once((0..200).map(step)).await, (0..200).collect::<Vec<_>>());
        assert_eq!(most.get(), STEPS_MAX);
        assert!(at_once((0..0).map(step)).await.is_empty());
    }
}
