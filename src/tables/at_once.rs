//! Many pieces of work for the store, begun in their order and waited for together: the store writes what has come
//! together in one go.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::node::StoreError;

/// Most pieces of work on their way at a time.
const WORKS_MAX: usize = 512;

/// Does all of `works` and shows `done` what came of each, in any order. The first failure ends it; what was begun by
/// then may be done or not.
pub(super) async fn at_once<T, W>(
    mut works: impl Iterator<Item = W> + Send,
    mut done: impl FnMut(T) + Send,
) -> Result<(), StoreError>
where
    W: Future<Output = Result<T, StoreError>> + Send,
{
    loop {
        let mut group: Vec<Pin<Box<W>>> = works.by_ref().take(WORKS_MAX).map(Box::pin).collect();
        if group.is_empty() {
            return Ok(());
        }
        poll_fn(|context| {
            let mut failure = None;
            group.retain_mut(|work| match work.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(outcome)) => {
                    done(outcome);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failure.get_or_insert(error);
                    false
                }
            });
            match failure {
                Some(error) => Poll::Ready(Err(error)),
                None if group.is_empty() => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
        .await?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn works_begin_in_order_and_a_failure_ends_them() {
        let begun = Mutex::new(Vec::new());
        let work = |number: usize| {
            let begun = &begun;
            async move {
                begun.lock().unwrap().push(number);
                tokio::task::yield_now().await;
                if number == 700 { Err(StoreError::Damaged("the seven hundredth".to_owned())) } else { Ok(number) }
            }
        };
        let mut sum = 0;
        assert_eq!(at_once((0..600).map(work), |number| sum += number).await, Ok(()));
        assert_eq!(sum, 599 * 600 / 2);
        assert_eq!(*begun.lock().unwrap(), (0..600).collect::<Vec<_>>());
        assert!(at_once((600..2_000).map(work), |_| {}).await.is_err());
        assert_eq!(begun.lock().unwrap().len(), 600 + 512);
    }
}
