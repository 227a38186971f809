//! What a node does by itself as long as it runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Node;

/// So long after it has broken off, work is begun again, in milliseconds: what broke it may still be there.
const AGAIN_AFTER_MILLIS: u64 = 1_000;

impl Node {
    /// Answers the others, sees to what those left behind that are gone, and tells what could not be told at once. Each
    /// goes on whatever becomes of the others.
    pub async fn attend(self: &Arc<Node>) {
        let letters = || {
            let node = Arc::clone(self);
            async move { node.read_letters().await }
        };
        let left_behind = || {
            let node = Arc::clone(self);
            async move { node.see_to_what_is_left().await }
        };
        let untold = || {
            let node = Arc::clone(self);
            async move { node.tells_what_is_untold().await }
        };
        tokio::join!(
            keep_doing("letters of other nodes are not read", letters),
            keep_doing("nobody sees to what other nodes left behind", left_behind),
            keep_doing("nobody tells what could not be told at once", untold),
        );
    }
}

/// Work that has no end is begun again when it breaks off.
async fn keep_doing<F: Future<Output = ()> + Send + 'static>(otherwise: &str, begin: impl Fn() -> F) {
    loop {
        // Not a task by itself: it ends with whoever attends.
        let mut work = JoinSet::new();
        work.spawn(begin());
        if let Some(Err(error)) = work.join_next().await {
            tracing::error!("{otherwise} for {AGAIN_AFTER_MILLIS} ms: {error}");
        }
        sleep(Duration::from_millis(AGAIN_AFTER_MILLIS)).await;
    }
}
