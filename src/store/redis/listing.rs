//! What a tenant has, in the order of the names: each bucket is asked for its part.

use super::answer::{Answer, unexpected};
use super::call::Call;
use super::keys;
use super::merge::Merge;
use super::script::Script;
use super::together::ask_all;
use super::{Redis, StoreError};
use crate::store::{Record, Shelf};
use crate::user::TenantId;

/// A pipe, or a user, in a listing, with two numbers that depend on the listing.
pub struct Listed {
    pub name: Vec<u8>,
    pub numbers: (u64, u64),
}

impl Redis {
    /// The pipes of a listing (see [`keys::listing`]) behind the name `after`; empty is the beginning.
    pub async fn listing<T>(
        &self,
        (tenant, what): (TenantId, &str),
        after: &str,
        count_max: usize,
        read: impl Fn(Listed) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let keys = keys::listing(tenant, what);
        let gone = self.registry.nodes.gone();
        let ask = |key: &str, after: &[u8], count: usize| {
            let mut call = self.commands.scripts().on(Script::Listed, &[key]);
            call.arg(&*gone).arg(after).arg(count);
            call
        };
        let part = |mut answer: Answer, _| {
            let up_to = answer.bytes()?;
            let mut found = Vec::new();
            while !answer.is_empty() {
                let listed = Listed { name: answer.bytes()?, numbers: (answer.number()?, answer.number()?) };
                let name = listed.name.clone();
                found.push((name, read(listed).ok_or_else(|| unexpected("a name that can be listed"))?));
            }
            Ok((found, (!up_to.is_empty()).then_some(up_to)))
        };
        self.merged(&keys, after, count_max, ask, part).await
    }

    /// The records of a shelf behind the name `after`; empty is the beginning.
    pub async fn shelf(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: &str,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        let keys = keys::shelves(tenant, shelf);
        let ask = |key: &str, after: &[u8], count: usize| {
            let mut call = self.commands.scripts().on(Script::Records, &[key]);
            call.arg(after).arg(count);
            call
        };
        let part = |mut answer: Answer, count| {
            let mut found = Vec::new();
            while !answer.is_empty() {
                let (name, value) = (answer.bytes()?, answer.text()?);
                let record = keys::record_of(shelf, &name).ok_or_else(|| unexpected("the name of a record"))?;
                found.push((name, (record, value)));
            }
            let up_to = found.last().filter(|_| found.len() == count).map(|(name, _)| name.clone());
            Ok((found, up_to))
        };
        self.merged(&keys, after, count_max, ask, part).await
    }

    /// Asks for page after page of the parts that may still have something, all of them at once. A part is asked for at
    /// a key, behind a name, for so many.
    async fn merged<T>(
        &self,
        keys: &[String],
        after: &str,
        count_max: usize,
        ask: impl Fn(&str, &[u8], usize) -> Call,
        part: impl Fn(Answer, usize) -> Result<Part<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut merge = Merge::new(keys.len(), after.as_bytes(), count_max);
        let count = merge.page_count();
        loop {
            let wanted = merge.wanted();
            if wanted.is_empty() {
                return Ok(merge.done().collect());
            }
            let calls = wanted.iter().filter_map(|(number, after)| Some(ask(keys.get(*number)?, after, count)));
            let answers = ask_all(&self.commands, calls.collect()).await?;
            for ((number, _), answer) in wanted.into_iter().zip(answers) {
                let (found, up_to) = part(answer, count)?;
                merge.read(number, found, up_to);
            }
        }
    }
}

/// What was read of a part, by name, and where to go on, if there is more.
type Part<T> = (Vec<(Vec<u8>, T)>, Option<Vec<u8>>);
