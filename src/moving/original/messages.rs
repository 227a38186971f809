//! Histories of pipes and private messages that wait, pipe by pipe, oldest first. Of one pipe no more is in memory than
//! it will keep.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::rows::{Cells, name_of, tenant_of, user_of};
use super::{Limits, Original, OriginalError};
use crate::clock::{Clock, UnixMillis};
use crate::moving::arrival::{Arrival, Arrived, OVERTAKEN, TRIMMED};
use crate::moving::names;
use crate::moving::report::{Report, What};
use crate::moving::texts::{self, Writer};
use crate::pipe::{Delivery, Encoded, Event, Message, MessageId, Pipe, Position, Retention};
use crate::store::{PageMax, Since, Standing, Store, StoreError};
use crate::user::UserId;

/// What is adopted at a time.
const PAGE_MESSAGES: usize = 250;
const PAGE_BYTES: usize = 1 << 20;
const PAGE: PageMax = PageMax { messages: PAGE_MESSAGES, bytes: PAGE_BYTES };

const KEEPS_NOTHING: &str = "the pipe has no length in pipes_settings, so it keeps nothing";
const BAD_EVENT: &str = "the event is longer than 64 bytes or has other bytes than A-Za-z0-9_-";
const TOO_LONG: &str = "the text is longer than message_bytes_max";
const BAD_TIME: &str = "the time is no Unix time in seconds";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Histories of named pipes.
    Pipes,
    /// Private messages that no device has had.
    Logs,
}

impl Kind {
    fn what(self) -> What {
        match self {
            Kind::Pipes => What::Messages,
            Kind::Logs => What::Private,
        }
    }
}

/// Where the rows of one pipe go.
struct Arriving {
    /// As the rows have it: tenant, then name or user.
    of: (String, String),
    /// Or why nothing of it comes over.
    pipe: Result<Pipe, &'static str>,
    retention: Retention,
    /// Where the pipe stands.
    position: Position,
    /// What came over before, or was published since.
    known: HashSet<MessageId>,
    /// What will be adopted, and how it was changed.
    kept: VecDeque<(Delivery, Option<&'static str>)>,
    kept_bytes: usize,
    there: u64,
    trimmed: u64,
    refused_count: u64,
}

/// What rows are put with.
struct Aim<'a> {
    kind: Kind,
    into: &'a dyn Store,
    limits: Limits,
    now: UnixMillis,
}

impl Original {
    pub(super) async fn messages(
        &mut self,
        kind: Kind,
        into: &Arc<dyn Store>,
        limits: Limits,
        clock: &Arc<dyn Clock>,
        report: &mut Report,
    ) -> Result<(), OriginalError> {
        let aim = Aim { kind, into: &**into, limits, now: clock.now() };
        let select = self.select_messages(kind)?;
        let mut rows = self.connection.query_iter(select).await?;
        let mut arriving: Option<Arriving> = None;
        while let Some(row) = rows.next().await? {
            let mut cells = Cells::new(row);
            let of = (cells.text(), cells.text());
            let mut current = match arriving.take() {
                Some(same) if same.of == of => same,
                before => {
                    if let Some(before) = before {
                        before.finish(&aim, report).await?;
                    }
                    Arriving::begin(of, &aim).await?
                }
            };
            current.take(cells, &aim, report);
            arriving = Some(current);
        }
        if let Some(last) = arriving {
            last.finish(&aim, report).await?;
        }
        Ok(rows.drop_result().await?)
    }

    /// In the order in which they were sent. Times are whole seconds; the ids have the time within, in three parts of
    /// which the last counts most.
    fn select_messages(&self, kind: Kind) -> Result<String, OriginalError> {
        let (table, owner) = match kind {
            Kind::Pipes => ("pipe_messages", "pipe_name"),
            Kind::Logs => ("users_messages", "user_id"),
        };
        let mut columns = vec!["dev_id", owner, "id", "time", "event", "message"];
        if kind == Kind::Pipes {
            columns.push("user_id");
        }
        let select = self.select(table, &columns)?;
        let owner = match kind {
            // Names that differ in the case of their letters are other names.
            Kind::Pipes => "CAST(`pipe_name` AS BINARY)",
            Kind::Logs => "`user_id`",
        };
        Ok(format!(
            "{select} ORDER BY `dev_id`, {owner}, `time`, SUBSTRING(`id`, 15, 4), SUBSTRING(`id`, 10, 4), \
             SUBSTRING(`id`, 1, 8), `id`"
        ))
    }
}

impl Arriving {
    async fn begin(of: (String, String), aim: &Aim<'_>) -> Result<Arriving, StoreError> {
        let pipe = tenant_of(&of.0).and_then(|tenant| {
            Ok(match aim.kind {
                Kind::Pipes => Pipe::Named(tenant, name_of(&of.1)?),
                Kind::Logs => Pipe::Log(tenant, user_of(&of.1)?),
            })
        });
        let mut arriving = Arriving {
            of,
            pipe,
            retention: Retention::NOTHING,
            position: Position { epoch: 0, index: 0 },
            known: HashSet::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            there: 0,
            trimmed: 0,
            refused_count: 0,
        };
        let Ok(pipe) = &arriving.pipe else { return Ok(arriving) };
        let retention = aim.into.retention(pipe).await?;
        arriving.retention = retention.unwrap_or_else(|| Retention::default_of(pipe));
        if !arriving.retention.keeps() {
            arriving.pipe = Err(KEEPS_NOTHING);
            return Ok(arriving);
        }
        let mut since = Since::Beginning;
        loop {
            let page = aim.into.history(pipe, since, PAGE).await?;
            arriving.known.extend(page.messages.iter().map(|message| message.id));
            (arriving.position, since) = (page.up_to, Since::After(page.up_to.index));
            if !page.more {
                return Ok(arriving);
            }
        }
    }

    /// One more row of this pipe: id, time, event, message, sender.
    fn take(&mut self, mut cells: Cells, aim: &Aim<'_>, report: &mut Report) {
        let Ok(pipe) = self.pipe.clone() else {
            self.refused_count += 1;
            return;
        };
        let id = cells.text();
        match read(pipe, &id, cells, aim.limits) {
            Ok((delivery, changed)) => self.keep(delivery, changed, aim),
            Err(why) => report.leave(aim.kind.what(), why, 1, || format!("message {id} of {}", self.name(aim))),
        }
    }

    fn keep(&mut self, delivery: Delivery, changed: Option<&'static str>, aim: &Aim<'_>) {
        if self.known.contains(&delivery.id) {
            // What is older came over with it, and was trimmed since or is there.
            self.trimmed += self.kept.len() as u64;
            (self.there, self.kept_bytes) = (self.there + 1, 0);
            self.kept.clear();
            return;
        }
        if delivery.sent_at < self.retention.oldest_kept(aim.now) {
            self.trimmed += 1;
            return;
        }
        self.kept_bytes += delivery.message.bytes();
        self.kept.push_back((delivery, changed));
        while self.kept.len() > usize::from(self.retention.length)
            || self.kept_bytes > aim.limits.history_bytes_max_per_pipe
        {
            let Some((oldest, _)) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.message.bytes();
            self.trimmed += 1;
        }
    }

    async fn finish(mut self, aim: &Aim<'_>, report: &mut Report) -> Result<(), StoreError> {
        let what = aim.kind.what();
        let pipe = match self.pipe.clone() {
            Ok(pipe) => pipe,
            Err(why) => {
                report.leave(what, why, self.refused_count, || self.with_count(self.refused_count, aim));
                return Ok(());
            }
        };
        report.there(what, self.there);
        let (mut arrival, mut changes) = (Arrival::new(aim.into, &pipe), Vec::new());
        while !self.kept.is_empty() {
            let (mut page, mut bytes) = (Vec::new(), 0);
            while page.len() < PAGE_MESSAGES
                && bytes < PAGE_BYTES
                && let Some((mut delivery, changed)) = self.kept.pop_front()
            {
                self.position.index += 1;
                delivery.position = self.position;
                bytes += delivery.message.bytes();
                changes.extend(changed.map(|how| (self.position.index, how)));
                page.push(Arc::new(delivery));
            }
            let stands = Standing { position: self.position, taken: 0, floor: 0 };
            arrival.put(page, stands).await?;
        }
        let Arrived { came, trimmed, overtaken, .. } = arrival.end().await?;
        report.came(what, came.len() as u64);
        let changed = changes.into_iter().filter(|(index, _)| came.binary_search(index).is_ok());
        changed.for_each(|(_, how)| report.change(what, how));
        for (why, count) in [(TRIMMED, self.trimmed + trimmed), (OVERTAKEN, overtaken)] {
            if count > 0 {
                report.leave(what, why, count, || self.with_count(count, aim));
            }
        }
        Ok(())
    }

    fn name(&self, aim: &Aim<'_>) -> String {
        let (tenant, owner) = &self.of;
        match aim.kind {
            Kind::Pipes => names::pipe(tenant, owner),
            Kind::Logs => names::user(tenant, owner),
        }
    }

    fn with_count(&self, count: u64, aim: &Aim<'_>) -> String {
        format!("{}: {count}", self.name(aim))
    }
}

/// A message without its place, and how it was changed.
fn read(
    pipe: Pipe,
    id: &str,
    mut cells: Cells,
    limits: Limits,
) -> Result<(Delivery, Option<&'static str>), &'static str> {
    let seconds = cells.text().parse::<u64>().ok().filter(|seconds| *seconds < 1 << 40).ok_or(BAD_TIME)?;
    let event = cells.text().parse::<Event>().map_err(|_| BAD_EVENT)?;
    let text = cells.bytes();
    let user: Option<UserId> = user_of(&cells.text()).ok();
    let writer = if user.is_some() { Writer::Browser } else { Writer::Program };
    let read = texts::read(text, writer)?;
    let message = Message::new(read.text, limits.message_bytes_max).map_err(|_| TOO_LONG)?;
    let delivery = Delivery {
        pipe,
        position: Position { epoch: 0, index: 0 },
        id: id_of(id),
        event,
        message,
        user,
        origin: None,
        sent_at: UnixMillis(seconds * 1_000),
        encoded: Encoded::default(),
    };
    Ok((delivery, read.changed))
}

/// The id that the original gave, so that a message that comes twice is known; made from it when it is no UUID.
fn id_of(text: &str) -> MessageId {
    let made = || {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
        Builder::from_custom_bytes(bytes).into_uuid()
    };
    MessageId(Uuid::parse_str(text).unwrap_or_else(|_| made()))
}
