//! Many steps at a time, because a store answers many in the time of one.

use std::future::Future;

use tokio::task::JoinSet;

use crate::store::StoreError;

/// Begins `work` for each, at most `count_max` at a time, and hands over what they come to, in no order.
pub async fn at_once<I, T, F>(
    items: impl IntoIterator<Item = I>,
    count_max: usize,
    work: impl Fn(I) -> F,
    mut take: impl FnMut(T),
) -> Result<(), StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send + 'static,
    T: Send + 'static,
{
    let mut working = JoinSet::new();
    let mut items = items.into_iter();
    loop {
        while working.len() < count_max
            && let Some(item) = items.next()
        {
            working.spawn(work(item));
        }
        match working.join_next().await {
            Some(Ok(outcome)) => take(outcome?),
            Some(Err(broken)) => return Err(StoreError::Unavailable(broken.to_string())),
            None => return Ok(()),
        }
    }
}
