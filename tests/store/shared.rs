//! Servers that take long to start, and so are started once for all promises, which use them one after the other.

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

/// An empty primary that Sentinels look after, for as long as this is held.
pub fn sentinels() -> MutexGuard<'static, Sentinels> {
    let sentinels = SENTINELS.0.lock().unwrap_or_else(PoisonError::into_inner);
    sentinels.servers[sentinels.primary()].ask(&["FLUSHALL"]);
    sentinels
}
