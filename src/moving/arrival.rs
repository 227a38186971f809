//! Messages that arrive in a pipe page by page, and what has become of them when the last page is there.

use std::sync::Arc;

use crate::pipe::{Delivery, Pipe};
use crate::store::{PageMax, Since, Standing, Store, StoreError};

pub const TRIMMED: &str = "there are more, or older ones, than the pipe keeps";
pub const OVERTAKEN: &str = "somebody has published to the pipe there, and nothing comes before that";

const ONE: PageMax = PageMax { messages: 1, bytes: 1 };

/// Counts what the store has said of each page, which a later page may trim.
pub struct Arrival<'s> {
    into: &'s dyn Store,
    pipe: &'s Pipe,
    /// Indexes of what the pipe has kept, as far as was said.
    kept: Vec<u64>,
    /// The same of what was there before.
    there: Vec<u64>,
    trimmed: u64,
    overtaken: u64,
}

/// What became of everything.
pub struct Arrived {
    /// The indexes of what came and is there.
    pub came: Vec<u64>,
    pub there: u64,
    pub trimmed: u64,
    pub overtaken: u64,
}

impl<'s> Arrival<'s> {
    pub fn new(into: &'s dyn Store, pipe: &'s Pipe) -> Arrival<'s> {
        Arrival { into, pipe, kept: Vec::new(), there: Vec::new(), trimmed: 0, overtaken: 0 }
    }

    /// The message with this index came before.
    pub fn was_there(&mut self, index: u64) {
        self.there.push(index);
    }

    /// One more page, behind the last.
    pub async fn put(&mut self, page: Vec<Arc<Delivery>>, stands: Standing) -> Result<(), StoreError> {
        let indexes: Vec<u64> = page.iter().map(|message| message.position.index).collect();
        let adopted = self.into.adopt(self.pipe, page, stands).await?;
        // What is trimmed is the oldest, and what was passed over was to stand before the newest that was there.
        let lost = indexes.len().saturating_sub(usize::try_from(adopted.kept).unwrap_or(usize::MAX));
        self.kept.extend_from_slice(&indexes[lost..]);
        self.trimmed += adopted.trimmed;
        self.overtaken += (lost as u64).saturating_sub(adopted.trimmed);
        Ok(())
    }

    pub async fn end(self) -> Result<Arrived, StoreError> {
        let Arrival { into, pipe, mut kept, mut there, mut trimmed, overtaken } = self;
        if !kept.is_empty() || !there.is_empty() {
            let oldest = into.history(pipe, Since::Beginning, ONE).await?;
            let oldest = oldest.messages.first().map_or(u64::MAX, |message| message.position.index);
            let count = kept.len() + there.len();
            kept.retain(|index| *index >= oldest);
            there.retain(|index| *index >= oldest);
            trimmed += (count - kept.len() - there.len()) as u64;
        }
        Ok(Arrived { came: kept, there: there.len() as u64, trimmed, overtaken })
    }
}
