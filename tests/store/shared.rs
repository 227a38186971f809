//! Servers that take long to start, and so are started once for all promises, which use them one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::redis::{Cluster, Sentinels, Undertaker};

/// Several servers, and what ends them when the tests are over.
struct Shared<S>(Mutex<S>, #[allow(dead_code)] Undertaker);

static CLUSTER: LazyLock<Shared<Cluster>> = LazyLock::new(|| {
    let cluster = Cluster::start();
    let undertaker = Undertaker::of(&cluster.servers);
    Shared(Mutex::new(cluster), undertaker)
});

static SENTINELS: LazyLock<Shared<Sentinels>> = LazyLock::new(|| {
    let sentinels = Sentinels::start();
    let undertaker = Undertaker::of(sentinels.servers.iter().chain(&sentinels.sentinels));
    Shared(Mutex::new(sentinels), undertaker)
});

/// An empty cluster, for as long as this is held.
pub fn cluster() -> MutexGuard<'static, Cluster> {
    let cluster = CLUSTER.0.lock().unwrap_or_else(PoisonError::into_inner);
    cluster.flush();
    cluster
}

/// So many promises are kept by one primary; those that follow by the one that takes its place.
const FAILS_OVER_AFTER: usize = 20;
/// How many were begun.
static PROMISES: AtomicUsize = AtomicUsize::new(0);

/// An empty primary that Sentinels look after, for as long as this is held.
pub fn sentinels() -> MutexGuard<'static, Sentinels> {
    let sentinels = SENTINELS.0.lock().unwrap_or_else(PoisonError::into_inner);
    if PROMISES.fetch_add(1, Ordering::Relaxed) % FAILS_OVER_AFTER == FAILS_OVER_AFTER - 1 {
        sentinels.fail_over();
    }
    sentinels.servers[sentinels.primary()].ask(&["FLUSHALL"]);
    sentinels
}
