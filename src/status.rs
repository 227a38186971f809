//! Counters of the node. SHOW STATUS reads them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::user::TenantId;

pub const SERVER_VERSION: &str = concat!("8.0.36-cometql-", env!("CARGO_PKG_VERSION"));

pub struct Status {
    started: Instant,
    browsers_connected: AtomicI64,
    /// Of each tenant that has any.
    browsers_of_tenants: Mutex<HashMap<TenantId, u64>>,
    browser_sockets: AtomicI64,
    sql_clients_connected: AtomicI64,
    browsers_too_slow: AtomicU64,
    gaps_declared: AtomicU64,
    messages_published: AtomicU64,
    frames_delivered: AtomicU64,
    statements: AtomicU64,
    letters_unanswered: AtomicU64,
    questions_refused: AtomicU64,
}

impl Status {
    pub fn new() -> Status {
        Status {
            started: Instant::now(),
            browsers_connected: AtomicI64::new(0),
            browsers_of_tenants: Mutex::default(),
            browser_sockets: AtomicI64::new(0),
            sql_clients_connected: AtomicI64::new(0),
            browsers_too_slow: AtomicU64::new(0),
            gaps_declared: AtomicU64::new(0),
            messages_published: AtomicU64::new(0),
            frames_delivered: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            letters_unanswered: AtomicU64::new(0),
            questions_refused: AtomicU64::new(0),
        }
    }

    pub fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    pub fn browser_came(&self, tenant: TenantId) {
        self.browsers_connected.fetch_add(1, Ordering::Relaxed);
        *self.of_tenants().entry(tenant).or_default() += 1;
    }

    pub fn browser_went(&self, tenant: TenantId) {
        self.browsers_connected.fetch_sub(1, Ordering::Relaxed);
        let mut of_tenants = self.of_tenants();
        if let Some(count) = of_tenants.get_mut(&tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                of_tenants.remove(&tenant);
            }
        }
    }

    /// `by` is 1 for a connection that was accepted and -1 for one that was closed, whatever was said on it.
    pub fn browser_sockets_changed(&self, by: i64) {
        self.browser_sockets.fetch_add(by, Ordering::Relaxed);
    }

    /// A browser was sent away because more waited for it than may.
    pub fn browser_too_slow(&self) {
        self.browsers_too_slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Not everything that was missed could be had any more, by a browser that came back or by a shard.
    pub fn gap_declared(&self) {
        self.gaps_declared.fetch_add(1, Ordering::Relaxed);
    }

    pub fn sql_clients_changed(&self, by: i64) {
        self.sql_clients_connected.fetch_add(by, Ordering::Relaxed);
    }

    pub fn published(&self, messages: usize) {
        self.messages_published.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub fn delivered(&self, frames: usize) {
        self.frames_delivered.fetch_add(frames as u64, Ordering::Relaxed);
    }

    pub fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Another node was asked and has not answered in time.
    pub fn letter_unanswered(&self) {
        self.letters_unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// Another node has asked while too many questions were here.
    pub fn question_refused(&self) {
        self.questions_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn browsers_connected(&self) -> u64 {
        u64::try_from(self.browsers_connected.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub fn browsers_of(&self, tenant: TenantId) -> u64 {
        self.of_tenants().get(&tenant).copied().unwrap_or(0)
    }

    fn of_tenants(&self) -> MutexGuard<'_, HashMap<TenantId, u64>> {
        self.browsers_of_tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections of browsers, those among them that have not asked for a WebSocket.
    pub fn browser_sockets(&self) -> u64 {
        u64::try_from(self.browser_sockets.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub fn browsers_too_slow(&self) -> u64 {
        self.browsers_too_slow.load(Ordering::Relaxed)
    }

    pub fn gaps_declared(&self) -> u64 {
        self.gaps_declared.load(Ordering::Relaxed)
    }

    pub fn sql_clients_connected(&self) -> u64 {
        u64::try_from(self.sql_clients_connected.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub fn messages_published(&self) -> u64 {
        self.messages_published.load(Ordering::Relaxed)
    }

    pub fn frames_delivered(&self) -> u64 {
        self.frames_delivered.load(Ordering::Relaxed)
    }

    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub fn letters_unanswered(&self) -> u64 {
        self.letters_unanswered.load(Ordering::Relaxed)
    }

    pub fn questions_refused(&self) -> u64 {
        self.questions_refused.load(Ordering::Relaxed)
    }
}

impl Default for Status {
    fn default() -> Self {
        Status::new()
    }
}
