//! What is written down about users: keys, data, revoked tokens, and when they were last seen.

use super::{Node, Record, Shelf, StoreError};
use crate::pipe::Pipe;
use crate::user::{TenantId, UserId, user_of_token};

/// Whether a user is here, as `users_time` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    Now,
    /// Went away at this Unix time, in seconds.
    At(u64),
    Never,
}

impl Node {
    pub async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        self.store.record(tenant, record).await
    }

    /// The records of one kind that a tenant has, in the order of their keys, behind `after`.
    pub async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        self.store.records(tenant, shelf, after, count_max).await
    }

    /// Gives a record a value. Who is connected stays so: a new hash decides about the next login.
    pub async fn set_record(&self, tenant: TenantId, record: &Record, value: String) -> Result<bool, StoreError> {
        self.store.set_record(tenant, record, Some(value)).await
    }

    /// Removes a record; answers whether there was one. Who loses his key is sent away from every device.
    pub async fn remove_record(&self, tenant: TenantId, record: &Record) -> Result<bool, StoreError> {
        let was_there = self.store.set_record(tenant, record, None).await?;
        if let Record::Key(user) = record {
            self.store.dismiss(&Pipe::Log(tenant, *user)).await?;
        }
        Ok(was_there)
    }

    /// From now on the token logs in nobody. If it would have, its user's key goes too, and every device of his.
    /// Answers whether it was new.
    pub async fn revoke(&self, tenant: TenantId, token: &str) -> Result<bool, StoreError> {
        let now = self.clock.now().seconds();
        let record = Record::Revoked(token.into());
        let was_revoked = self.store.set_record(tenant, &record, Some(now.to_string())).await?;
        if let Some(user) = user_of_token(token, self.token_secret_of(tenant).as_bytes(), now) {
            self.remove_record(tenant, &Record::Key(user)).await?;
        }
        Ok(!was_revoked)
    }

    /// When a user was last seen.
    pub async fn seen(&self, tenant: TenantId, user: UserId) -> Result<Seen, StoreError> {
        if self.store.listeners(&Pipe::Log(tenant, user)).await? > 0 {
            return Ok(Seen::Now);
        }
        let seen = self.store.record(tenant, &Record::Seen(user)).await?;
        Ok(seen.and_then(|seconds| seconds.parse().ok()).map_or(Seen::Never, Seen::At))
    }
}
