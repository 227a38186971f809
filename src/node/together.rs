//! Work of one kind, some of it at a time.

use tokio::task::JoinSet;

/// So much of it is done at a time.
const AT_ONCE: usize = 64;

/// Does the work for all of these; answers for how many it succeeded. When this is dropped, what is begun is given up.
pub(super) async fn do_each<T, F>(these: Vec<T>, work: impl Fn(T) -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let (mut these, mut at_work, mut succeeded) = (these.into_iter(), JoinSet::new(), 0);
    loop {
        while at_work.len() < AT_ONCE
            && let Some(next) = these.next()
        {
            at_work.spawn(work(next));
        }
        match at_work.join_next().await {
            None => return succeeded,
            Some(Ok(has_succeeded)) => succeeded += usize::from(has_succeeded),
            Some(Err(error)) => tracing::error!("something is left undone: {error}"),
        }
    }
}
