//! What moving between stores needs: which tenants there are, and taking over what another store has kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::call::{Call, Slot};
use super::commands::Again;
use super::script::Script;
use super::{Redis, begin, keys, record};
use crate::pipe::{Delivery, Pipe};
use crate::store::{Adopted, Standing, StoreError};
use crate::user::TenantId;

/// Keys that one call looks at.
const KEYS_A_CALL: usize = 5_000;

impl Redis {
    /// The tenants that have something stored. Every key is looked at, on each server that has any of ours.
    pub async fn all_tenants(&self) -> Result<BTreeSet<TenantId>, StoreError> {
        let mut tenants = BTreeSet::new();
        let mut asked = Vec::new();
        for key in keys::listing(TenantId::ROOT, "kept") {
            let owner = self.commands.servers().until_owned(Slot::of(&key)).await;
            let owner = owner.ok_or_else(|| StoreError::Unavailable("the store is closing".into()))?;
            if !asked.contains(&owner.id) {
                asked.push(owner.id);
                self.scan(&key, &mut tenants).await?;
            }
        }
        Ok(tenants)
    }

    /// Looks at every key of the server that has this one.
    async fn scan(&self, of_server: &str, tenants: &mut BTreeSet<TenantId>) -> Result<(), StoreError> {
        let mut cursor = b"0".to_vec();
        loop {
            let mut call = Call::with(redis::cmd("SCAN"), of_server);
            call.arg(&cursor).arg("COUNT").arg(KEYS_A_CALL);
            let mut answer = self.commands.ask(&call, Again::Yes).await?;
            cursor = answer.bytes()?;
            let mut found = answer.list()?;
            while !found.is_empty() {
                tenants.extend(keys::tenant_of(&found.bytes()?));
            }
            if cursor == b"0" {
                return Ok(());
            }
        }
    }

    pub async fn take_over(
        &self,
        pipe: &Pipe,
        messages: &[Arc<Delivery>],
        stands: Standing,
    ) -> Result<Adopted, StoreError> {
        let Standing { position, taken, floor } = stands;
        let mut call = self.commands.scripts().on(Script::Adopt, &[keys::base_of(pipe)]);
        call.arg(&*self.registry.nodes.gone());
        call.arg(self.now()).arg((self.history_bytes_max_per_pipe as u64).min(1 << 53));
        begin(&mut call, pipe);
        call.arg(position.epoch).arg(position.index).arg(taken).arg(floor);
        for message in messages {
            call.arg(record::record_of(message));
        }
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        Ok(Adopted { kept: answer.number()?, trimmed: answer.number()? })
    }
}
