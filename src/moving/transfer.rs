//! From one store into another: everything that is kept, in pages, so that no more than these is in memory.

use std::sync::Arc;

use super::arrival::{Arrival, Arrived, OVERTAKEN, TRIMMED};
use super::at_once::at_once;
use super::names;
use super::report::{Fate, Report, What};
use crate::pipe::{Pipe, PipeName, Position, Retention};
use crate::store::{Page, PageMax, Record, Shelf, Since, Standing, Store, StoreError};
use crate::user::{TenantId, UserId};

/// Tenants, and names of pipes, that are read at a time.
const NAMES_A_PAGE: usize = 1_000;
/// Records that are read at a time; one may be as long as a message.
const RECORDS_A_PAGE: usize = 64;
/// Pipes that are moved at a time.
const PIPES_AT_ONCE: usize = 16;
/// What is read of one pipe at a time.
const PAGE: PageMax = PageMax { messages: 250, bytes: 1 << 20 };
const ONE: PageMax = PageMax { messages: 1, bytes: 1 };

pub const DIFFERS: &str = "something else is there already, and stays";
const OTHERS: &str = "the pipe has had other messages there; move into an empty store, or remove its settings first";
const KEEPS_NOTHING: &str = "the pipe keeps nothing there";

/// Where the pipes stand in the new store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Positions {
    /// In new epochs, behind what comes over: the old store may have gone on under the same numbers.
    New,
    /// Where they stood. The old store is never used again.
    Kept,
}

type Stores = (Arc<dyn Store>, Arc<dyn Store>);

/// Moves everything that `from` keeps into another store. What is there stays, so that a move that broke off may be
/// repeated.
pub async fn transfer(
    from: &Arc<dyn Store>,
    into: &Arc<dyn Store>,
    positions: Positions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let stores = (Arc::clone(from), Arc::clone(into));
    let mut after = None;
    loop {
        let tenants = from.tenants(after, NAMES_A_PAGE).await?;
        for tenant in &tenants {
            move_records(&stores, *tenant, report).await?;
            move_set_pipes(&stores, *tenant, positions, report).await?;
            move_other_pipes(&stores, *tenant, positions, report).await?;
            move_logs(&stores, *tenant, positions, report).await?;
        }
        after = match tenants.last() {
            Some(last) if tenants.len() == NAMES_A_PAGE => Some(*last),
            _ => return Ok(()),
        };
    }
}

/// Gives a record its value, unless it has one.
pub async fn put_record(
    into: &dyn Store,
    tenant: TenantId,
    record: &Record,
    value: String,
) -> Result<Fate, StoreError> {
    match into.record(tenant, record).await? {
        // Revoked is revoked, whenever it was.
        Some(there) if there == value || record.shelf() == Shelf::Revoked => Ok(Fate::There),
        Some(_) => Ok(Fate::Left(DIFFERS)),
        None => into.set_record(tenant, record, Some(value)).await.map(|_| Fate::Came),
    }
}

/// Says how much a pipe keeps, unless that was said.
pub async fn put_retention(into: &dyn Store, pipe: &Pipe, retention: Retention) -> Result<Fate, StoreError> {
    match into.retention(pipe).await? {
        Some(there) if there == retention => Ok(Fate::There),
        Some(_) => Ok(Fate::Left(DIFFERS)),
        None => into.set_retention(pipe, retention).await.map(|()| Fate::Came),
    }
}

async fn move_records((from, into): &Stores, tenant: TenantId, report: &mut Report) -> Result<(), StoreError> {
    let shelves = [
        (Shelf::Keys, What::Keys),
        (Shelf::Data, What::Data),
        (Shelf::Seen, What::Seen),
        (Shelf::Revoked, What::Tokens),
    ];
    for (shelf, what) in shelves {
        let mut after = None;
        loop {
            let page = from.records(tenant, shelf, after.as_ref(), RECORDS_A_PAGE).await?;
            let is_last = page.len() < RECORDS_A_PAGE;
            after = page.last().map(|(record, _)| record.clone());
            let put = |(record, value): (Record, String)| {
                let into = Arc::clone(into);
                async move {
                    let fate = put_record(&*into, tenant, &record, value).await?;
                    Ok((record, fate))
                }
            };
            at_once(page, RECORDS_A_PAGE, put, |(record, fate)| {
                report.add(what, fate, || names::of_record(tenant, &record))
            })
            .await?;
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

/// Pipes that have a setting, and what they keep.
async fn move_set_pipes(
    stores: &Stores,
    tenant: TenantId,
    positions: Positions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after: Option<PipeName> = None;
    loop {
        let page = stores.0.retentions(tenant, after.as_ref(), NAMES_A_PAGE).await?;
        let is_last = page.len() < NAMES_A_PAGE;
        after = page.last().map(|(name, _)| name.clone());
        let put = |(name, retention): (PipeName, Retention)| {
            let (stores, pipe) = (stores.clone(), Pipe::Named(tenant, name));
            async move {
                let fate = put_retention(&*stores.1, &pipe, retention).await?;
                let moved = move_pipe(&stores, &pipe, positions).await?;
                Ok((pipe, fate, moved))
            }
        };
        at_once(page, PIPES_AT_ONCE, put, |(pipe, fate, moved)| {
            report.add(What::Settings, fate, || names::of_pipe(&pipe));
            moved.tell(What::Messages, &pipe, report);
        })
        .await?;
        if is_last {
            return Ok(());
        }
    }
}

/// Pipes that keep messages though nobody has set anything.
async fn move_other_pipes(
    stores: &Stores,
    tenant: TenantId,
    positions: Positions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after: Option<PipeName> = None;
    loop {
        let page = stores.0.kept(tenant, after.as_ref(), NAMES_A_PAGE).await?;
        let is_last = page.len() < NAMES_A_PAGE;
        after = page.last().cloned();
        let put = |name: PipeName| {
            let (stores, pipe) = (stores.clone(), Pipe::Named(tenant, name));
            async move {
                let moved = match stores.0.retention(&pipe).await? {
                    Some(_) => Moved::default(),
                    None => move_pipe(&stores, &pipe, positions).await?,
                };
                Ok((pipe, moved))
            }
        };
        at_once(page, PIPES_AT_ONCE, put, |(pipe, moved)| moved.tell(What::Messages, &pipe, report)).await?;
        if is_last {
            return Ok(());
        }
    }
}

async fn move_logs(
    stores: &Stores,
    tenant: TenantId,
    positions: Positions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after: Option<UserId> = None;
    loop {
        let page = stores.0.logs(tenant, after, NAMES_A_PAGE).await?;
        let is_last = page.len() < NAMES_A_PAGE;
        after = page.last().copied();
        let put = |user: UserId| {
            let (stores, log) = (stores.clone(), Pipe::Log(tenant, user));
            async move {
                let moved = move_pipe(&stores, &log, positions).await?;
                Ok((log, moved))
            }
        };
        at_once(page, PIPES_AT_ONCE, put, |(log, moved)| moved.tell(What::Private, &log, report)).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// What became of the messages of a pipe.
#[derive(Default)]
struct Moved {
    came: u64,
    there: u64,
    /// Why some were left out, and how many.
    left: Vec<(&'static str, u64)>,
}

impl Moved {
    /// Nothing came, because of this.
    fn none(why: &'static str, count: u64) -> Moved {
        Moved { left: vec![(why, count)], ..Moved::default() }
    }

    fn tell(&self, what: What, pipe: &Pipe, report: &mut Report) {
        report.came(what, self.came);
        report.there(what, self.there);
        for (why, count) in self.left.iter().filter(|(_, count)| *count > 0) {
            report.leave(what, why, *count, || names::of_pipe(pipe));
        }
    }
}

/// Moves what a pipe keeps, behind what a move before has brought.
async fn move_pipe((from, into): &Stores, pipe: &Pipe, positions: Positions) -> Result<Moved, StoreError> {
    let head = from.history(pipe, Since::Newest(0), ONE).await?.up_to;
    let retention = into.retention(pipe).await?.unwrap_or_else(|| Retention::default_of(pipe));
    if !retention.keeps() {
        return Ok(Moved::none(KEEPS_NOTHING, count_of(&**from, pipe).await?));
    }
    let there = into.history(pipe, Since::Newest(1), ONE).await?;
    let behind = match place(&**from, pipe, head, &there).await? {
        Place::Done => return Ok(Moved::default()),
        Place::Behind(index) => index,
        Place::AmongOthers => return Ok(Moved::none(OTHERS, count_of(&**from, pipe).await?)),
    };
    let epoch = match positions {
        Positions::Kept => head.epoch,
        Positions::New => there.up_to.epoch,
    };
    let taken = taken(&**from, pipe, head).await?;
    let (mut arrival, mut since, mut floor) = (Arrival::new(&**into, pipe), Since::Beginning, None);
    loop {
        let mut page = from.history(pipe, since, PAGE).await?;
        let is_last = !page.more;
        since = Since::After(page.up_to.index);
        let up_to = if is_last { head.index.max(page.up_to.index) } else { page.up_to.index };
        let known = floor_of(&page, floor, epoch, up_to);
        floor = Some(known);
        let new = page.messages.split_off(page.messages.partition_point(|message| message.position.index <= behind));
        page.messages.iter().for_each(|message| arrival.was_there(message.position.index));
        let stands = Standing { position: Position { epoch, index: up_to }, taken, floor: known };
        arrival.put(new, stands).await?;
        if is_last {
            break;
        }
    }
    let Arrived { came, there, trimmed, overtaken } = arrival.end().await?;
    Ok(Moved { came: came.len() as u64, there, left: vec![(TRIMMED, trimmed), (OVERTAKEN, overtaken)] })
}

/// Where what comes over goes on.
enum Place {
    /// Behind the message with this index, which came over before; 0 is the beginning.
    Behind(u64),
    /// There is nothing to bring over.
    Done,
    /// The pipe has had messages that are not from here.
    AmongOthers,
}

/// What stands where in a pipe that stands at `head` here and of which `there` has the newest message.
async fn place(from: &dyn Store, pipe: &Pipe, head: Position, there: &Page) -> Result<Place, StoreError> {
    let Some(newest) = there.messages.last() else {
        return Ok(match there.up_to {
            _ if head.index == 0 => Place::Done,
            Position { index: 0, .. } => Place::Behind(0),
            up_to if up_to == head => Place::Done,
            _ => Place::AmongOthers,
        });
    };
    let index = newest.position.index;
    let same = from.history(pipe, Since::After(index.saturating_sub(1)), ONE).await?;
    let same = same.messages.first().map(|same| (same.position.index, same.id));
    Ok(if same == Some((index, newest.id)) { Place::Behind(index) } else { Place::AmongOthers })
}

/// Up to which index the user has taken a log.
async fn taken(from: &dyn Store, pipe: &Pipe, head: Position) -> Result<u64, StoreError> {
    let Pipe::Log(..) = pipe else { return Ok(0) };
    let untaken = from.history(pipe, Since::Untaken, ONE).await?;
    Ok(untaken.messages.first().map_or(head.index, |first| first.position.index.saturating_sub(1)))
}

/// Up to where something may be missing that nobody has deleted: what is not there before the first message may have
/// been trimmed, and what is of another epoch than the pipe is not vouched for.
fn floor_of(page: &Page, before: Option<u64>, epoch: u64, up_to: u64) -> u64 {
    let first = page.messages.first().map_or(up_to, |first| first.position.index.saturating_sub(1));
    let others = page.messages.iter().rev().find(|message| message.position.epoch != epoch);
    before.unwrap_or(first).max(others.map_or(0, |message| message.position.index))
}

async fn count_of(store: &dyn Store, pipe: &Pipe) -> Result<u64, StoreError> {
    let (mut count, mut since) = (0, Since::Beginning);
    loop {
        let page = store.history(pipe, since, PAGE).await?;
        count += page.messages.len() as u64;
        since = Since::After(page.up_to.index);
        if !page.more {
            return Ok(count);
        }
    }
}
