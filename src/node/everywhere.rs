//! Lists of which each node has its part. They are read in pages: those of this node first, then those of the others,
//! which are asked by letter.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::clients::SeenClient;
use super::letters::envelope::Question;
use super::letters::{ANSWER_MILLIS_MAX, ASKED_AT_ONCE};
use super::{Census, Connected, Node, Peer, Present};
use crate::pipe::{Pipe, PipeName};
use crate::user::TenantId;

/// Most rows of a page,
const PAGE_ROWS: usize = 1_000;
/// and how many bytes of them go into a letter. One row does, however long.
const PAGE_BYTES: usize = 256 * 1_024;
/// Most pages that are asked of one node for one list: beyond that it is not believed.
const PAGES_MAX: usize = 10_000;
/// Most pipes of one list of subscribers.
pub const SUBSCRIBED_PIPES_MAX: usize = 256;

/// A list as each node has its part of it.
#[async_trait]
pub trait List: Send + Sync {
    type Row: Serialize + DeserializeOwned + Send + Sync;
    /// How far it has been read.
    type Since: Serialize + DeserializeOwned + Default + Copy + Send + Sync;

    /// This node's rows behind `since`: at most [`PAGE_ROWS`], and none only at the end.
    async fn page(&self, node: &Node, since: Self::Since) -> Page<Self::Row, Self::Since>;

    /// How far it has been read with this row.
    fn behind(&self, row: &Self::Row) -> Self::Since;

    fn question(&self, since: Self::Since) -> Question;
}

/// Some rows, and where the list goes on; `None` is its end.
#[derive(Serialize, Deserialize)]
pub struct Page<R, S> {
    rows: Vec<R>,
    next: Option<S>,
}

type PageOf<L> = Page<<L as List>::Row, <L as List>::Since>;

/// The other nodes, as far as they answer what one statement asks.
#[derive(Default)]
pub struct Others {
    peers: Vec<Peer>,
    missing: Vec<Missing>,
}

/// Why an answer is incomplete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// This node did not answer in time.
    One(Peer),
    /// The store did not say which others there are.
    All,
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::One(peer) => write!(out, "node {} did not answer within {ANSWER_MILLIS_MAX} ms", peer.0),
            Missing::All => {
                write!(out, "the store did not say within {ANSWER_MILLIS_MAX} ms which other nodes there are")
            }
        }
    }
}

impl Others {
    /// Who did not answer since this was last asked, and is not asked again.
    pub fn take_missing(&mut self) -> Vec<Missing> {
        std::mem::take(&mut self.missing)
    }

    pub(super) fn answering(&self) -> Vec<Peer> {
        self.peers.clone()
    }

    pub(super) fn is_missing(&mut self, peer: Peer) {
        self.peers.retain(|answering| *answering != peer);
        self.missing.push(Missing::One(peer));
    }
}

/// A list that is being read.
pub struct Everywhere<L: List> {
    node: Arc<Node>,
    list: L,
    /// From where this node's part is read.
    here: Option<L::Since>,
    /// Who has not been asked.
    unasked: VecDeque<Peer>,
    /// What others have answered and nobody has taken.
    pages: VecDeque<(Peer, PageOf<L>)>,
    /// Whose next page is to be asked for, and how many there were.
    next: Option<(Peer, L::Since)>,
    pages_of_next: usize,
}

impl<L: List> Everywhere<L> {
    pub fn new(node: &Arc<Node>, list: L, others: &Others) -> Everywhere<L> {
        Everywhere {
            node: Arc::clone(node),
            list,
            here: Some(L::Since::default()),
            unasked: others.peers.iter().copied().collect(),
            pages: VecDeque::new(),
            next: None,
            pages_of_next: 0,
        }
    }

    /// The next rows, and whose they are; `None` is the end.
    pub async fn next(&mut self, others: &mut Others) -> Option<(Peer, Vec<L::Row>)> {
        if let Some(since) = self.here.take() {
            let Page { rows, next } = self.list.page(&self.node, since).await;
            self.here = next;
            return Some((self.node.peer(), rows));
        }
        if let Some((peer, since)) = self.next.take() {
            self.ask(&[peer], since, others).await;
        }
        while self.pages.is_empty() && !self.unasked.is_empty() {
            self.pages_of_next = 0;
            let some: Vec<Peer> = self.unasked.drain(..self.unasked.len().min(ASKED_AT_ONCE)).collect();
            self.ask(&some, L::Since::default(), others).await;
        }
        let (peer, Page { rows, next }) = self.pages.pop_front()?;
        let may_go_on = !rows.is_empty() && self.pages_of_next < PAGES_MAX;
        match next {
            Some(next) if may_go_on => {
                self.next = Some((peer, next));
                self.pages_of_next += 1;
            }
            next => {
                self.pages_of_next = 0;
                if next.is_some() {
                    others.is_missing(peer);
                }
            }
        }
        Some((peer, rows))
    }

    /// Puts the answers in front of those that wait: a node is read to its end before the next.
    async fn ask(&mut self, peers: &[Peer], since: L::Since, others: &mut Others) {
        let question = self.list.question(since);
        let answers = self.node.ask_each::<PageOf<L>>(peers, &question).await;
        for (peer, page) in answers.into_iter().rev() {
            match page.filter(|page| page.rows.len() <= PAGE_ROWS) {
                Some(page) => self.pages.push_front((peer, page)),
                None => others.is_missing(peer),
            }
        }
    }
}

impl Node {
    /// The others that are there now.
    pub async fn others(&self) -> Others {
        let within = Duration::from_millis(ANSWER_MILLIS_MAX);
        match timeout(within, self.store.peers()).await {
            // The first is this node.
            Ok(Ok(peers)) => Others { peers: peers.into_iter().skip(1).collect(), missing: Vec::new() },
            Ok(Err(_)) | Err(_) => Others { peers: Vec::new(), missing: vec![Missing::All] },
        }
    }

    /// A page for a letter.
    pub(super) async fn answer_page<L: List>(&self, list: &L, since: L::Since) -> PageOf<L> {
        let mut page = list.page(self, since).await;
        let mut bytes = 0;
        let fits = |row: &&L::Row| {
            bytes += serde_json::to_vec(row).map_or(0, |row| row.len());
            bytes <= PAGE_BYTES
        };
        let fitting = page.rows.iter().take_while(fits).count().max(1);
        if fitting < page.rows.len() {
            page.rows.truncate(fitting);
            page.next = page.rows.last().map(|last| list.behind(last));
        }
        page
    }
}

/// Who subscribes to some pipes of a tenant.
#[derive(Clone, Serialize, Deserialize)]
pub struct SubscribersOf {
    tenant: u32,
    /// At most [`SUBSCRIBED_PIPES_MAX`].
    pipes: Vec<Box<str>>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct SubscribersSince {
    pipe: usize,
    census: Census,
}

/// One connection that subscribes to a pipe.
#[derive(Serialize, Deserialize)]
pub struct Subscriber {
    /// Which of the pipes that were asked for.
    pub pipe: usize,
    shard: usize,
    pub present: Present,
}

impl SubscribersOf {
    pub fn new(tenant: TenantId, pipes: &[Pipe]) -> SubscribersOf {
        let pipes = pipes.iter().take(SUBSCRIBED_PIPES_MAX).map(|pipe| pipe.shown_name().into());
        SubscribersOf { tenant: tenant.0, pipes: pipes.collect() }
    }
}

#[async_trait]
impl List for SubscribersOf {
    type Row = Subscriber;
    type Since = SubscribersSince;

    async fn page(&self, node: &Node, since: SubscribersSince) -> Page<Subscriber, SubscribersSince> {
        let mut rows: Vec<Subscriber> = Vec::new();
        let SubscribersSince { mut pipe, mut census } = since;
        while let Some(name) = self.pipes.get(pipe).filter(|_| pipe < SUBSCRIBED_PIPES_MAX) {
            if rows.len() >= PAGE_ROWS {
                return Page { rows, next: Some(SubscribersSince { pipe, census }) };
            }
            let Ok(name) = PipeName::for_subscription(name) else {
                (pipe, census) = (pipe + 1, Census::default());
                continue;
            };
            let of = Pipe::Named(TenantId(self.tenant), name);
            let (present, next) = node.present(&of, census, PAGE_ROWS - rows.len()).await;
            rows.extend(present.into_iter().map(|present| Subscriber { pipe, shard: census.shard, present }));
            (pipe, census) = next.map_or((pipe + 1, Census::default()), |next| (pipe, next));
        }
        Page { rows, next: None }
    }

    fn behind(&self, row: &Subscriber) -> SubscribersSince {
        SubscribersSince { pipe: row.pipe, census: Census { shard: row.shard, after: Some(row.present.slot) } }
    }

    fn question(&self, since: SubscribersSince) -> Question {
        Question::Subscribers(self.clone(), since)
    }
}

/// The SQL clients that a login of a tenant may see, by number.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClientsOf {
    tenant: u32,
}

impl ClientsOf {
    pub fn new(login: TenantId) -> ClientsOf {
        ClientsOf { tenant: login.0 }
    }
}

#[async_trait]
impl List for ClientsOf {
    type Row = SeenClient;
    type Since = Option<u32>;

    async fn page(&self, node: &Node, after: Option<u32>) -> Page<SeenClient, Option<u32>> {
        let rows = node.clients().seen_by(TenantId(self.tenant), after, PAGE_ROWS);
        let next = (rows.len() >= PAGE_ROWS).then(|| rows.last().map(|last| last.id));
        Page { rows, next }
    }

    fn behind(&self, row: &SeenClient) -> Option<u32> {
        Some(row.id)
    }

    fn question(&self, after: Option<u32>) -> Question {
        Question::Clients(self.clone(), after)
    }
}

/// The connections of browsers that a login of a tenant may see.
#[derive(Clone, Serialize, Deserialize)]
pub struct BrowsersOf {
    tenant: u32,
}

impl BrowsersOf {
    pub fn new(login: TenantId) -> BrowsersOf {
        BrowsersOf { tenant: login.0 }
    }
}

/// Which shard, and behind which of its slots.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct BrowsersSince {
    shard: usize,
    after: Option<u32>,
}

#[async_trait]
impl List for BrowsersOf {
    type Row = Connected;
    type Since = BrowsersSince;

    async fn page(&self, node: &Node, since: BrowsersSince) -> Page<Connected, BrowsersSince> {
        let BrowsersSince { mut shard, mut after } = since;
        while let Some((mut rows, next_after)) = node.connected(TenantId(self.tenant), shard, after).await {
            let is_cut = rows.len() > PAGE_ROWS;
            rows.truncate(PAGE_ROWS);
            (shard, after) = match (is_cut, next_after) {
                (true, _) => (shard, rows.last().map(|last| last.id.slot)),
                (false, Some(next_after)) => (shard, Some(next_after)),
                (false, None) => (shard + 1, None),
            };
            if !rows.is_empty() {
                let next = (shard < node.shards.len()).then_some(BrowsersSince { shard, after });
                return Page { rows, next };
            }
        }
        Page { rows: Vec::new(), next: None }
    }

    fn behind(&self, row: &Connected) -> BrowsersSince {
        BrowsersSince { shard: usize::from(row.id.shard), after: Some(row.id.slot) }
    }

    fn question(&self, since: BrowsersSince) -> Question {
        Question::Browsers(self.clone(), since)
    }
}
