//! Moving in from an original installation, and between stores. Runs instead of a node, and says of everything whether
//! it came over.

mod arrival;
mod at_once;
mod ini;
mod names;
mod new_file;
mod original;
mod report;
mod texts;
mod transfer;

pub use self::arrival::{Arrival, Arrived};
pub use self::ini::{Ini, IniError};
pub use self::new_file::NewFile;
pub use self::original::{Limits, Original, OriginalError};
pub use self::report::Report;
pub use self::transfer::{Positions, transfer};

use crate::store::{Store, StoreError};

/// Whether something is stored already.
pub async fn has_anything(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(!store.tenants(None, 1).await?.is_empty())
}
