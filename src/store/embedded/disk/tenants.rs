//! Which tenants there are. Every key begins with its tenant, so each costs one look, however much it has.

use redb::ReadOnlyTable;

use super::{Disk, HEADS, RECORDS, SETTINGS};
use crate::store::StoreError;
use crate::user::TenantId;

impl Disk {
    /// The tenants that have anything, by number, behind `after`.
    pub fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        let moment = self.engine.reading()?;
        let tables = [moment.open_table(SETTINGS)?, moment.open_table(HEADS)?, moment.open_table(RECORDS)?];
        let mut tenants = Vec::new();
        let mut next = after.map_or(0, |after| after.0.saturating_add(1));
        while tenants.len() < count_max {
            let mut first = None;
            for table in &tables {
                let found = first_from(table, next)?;
                first = first.into_iter().chain(found).min();
            }
            let Some(tenant) = first else { break };
            tenants.push(tenant);
            next = tenant.0.saturating_add(1);
        }
        Ok(tenants)
    }
}

/// The first tenant of a table whose number is not below this.
fn first_from(
    table: &ReadOnlyTable<&'static [u8], &'static [u8]>,
    number: u32,
) -> Result<Option<TenantId>, StoreError> {
    let Some(entry) = table.range(number.to_be_bytes().as_slice()..)?.next() else { return Ok(None) };
    let (key, _) = entry?;
    let tenant = key.value().split_first_chunk().map(|(tenant, _)| TenantId(u32::from_be_bytes(*tenant)));
    tenant.map(Some).ok_or_else(|| StoreError::Damaged(format!("{:02x?} is no key", key.value())))
}
