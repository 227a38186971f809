//! SQL clients that publish through any node until they are told to stop, and say what they were told.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::doors::Doors;
use super::{DEADLINE, connect};

/// What they publish to, in turn. Each keeps its messages for those who are away for a moment.
pub const PIPES: [&str; 3] = ["first", "second", "third"];
const PUBLISHERS: usize = 4;
/// More than anybody ever says.
pub const UNLIMITED: usize = 1 << 20;
/// A publisher tries to say something so often at most, so that nobody who is away misses more than the pipes keep.
const PACE: Duration = Duration::from_millis(20);

/// What came of one message.
#[derive(Clone, Debug)]
pub struct Told {
    pub pipe: &'static str,
    pub publisher: usize,
    /// Of all that this publisher says, on whichever pipe.
    pub number: u64,
    /// Of its position; without an answer nobody knows whether it was published.
    pub index: Option<u64>,
}

/// The clients of one scenario.
pub struct Load {
    stop: watch::Sender<bool>,
    acknowledged: watch::Receiver<u64>,
    /// How many messages more may be said.
    allowed: Arc<Semaphore>,
    clients: Vec<JoinHandle<Vec<Told>>>,
}

struct Client {
    number: usize,
    doors: Doors,
    /// Which node it is at, or the next one that is there.
    node: usize,
    connection: Option<Conn>,
    /// Every other client chooses its ids, and so can say again what had no answer.
    has_ids: bool,
    pace: Interval,
    acknowledged: watch::Sender<u64>,
    allowed: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Load {
    pub fn begin(doors: &Doors) -> Load {
        let load = Load::begin_slowly(doors);
        load.allow(UNLIMITED);
        load
    }

    /// Nothing is said but what is allowed.
    pub fn begin_slowly(doors: &Doors) -> Load {
        let allowed = Arc::new(Semaphore::new(0));
        let (stop, of_stop) = watch::channel(false);
        let (acknowledged, of_acknowledged) = watch::channel(0);
        let client = |number| Client {
            number,
            doors: doors.clone(),
            node: number,
            connection: None,
            has_ids: number % 2 == 0,
            pace: pace(),
            acknowledged: acknowledged.clone(),
            allowed: Arc::clone(&allowed),
            stop: of_stop.clone(),
        };
        let clients = (0..PUBLISHERS).map(|number| tokio::spawn(client(number).run())).collect();
        Load { stop, acknowledged: of_acknowledged, allowed, clients }
    }

    /// So many messages more may be said.
    pub fn allow(&self, count: usize) {
        self.allowed.add_permits(count);
    }

    /// Waits until so many messages more were acknowledged.
    pub async fn acknowledged(&mut self, count: u64) {
        let wanted = *self.acknowledged.borrow() + count;
        let waiting = timeout(DEADLINE, self.acknowledged.wait_for(|now| *now >= wanted));
        waiting.await.unwrap_or_else(|_| panic!("nobody publishes any more")).expect("they go on until they are told");
    }

    /// No more is published: what the clients were told.
    pub async fn end(self) -> Vec<Told> {
        self.stop.send_replace(true);
        self.allowed.close();
        let mut told = Vec::new();
        for client in self.clients {
            told.extend(timeout(DEADLINE, client).await.expect("the last answer comes").unwrap());
        }
        told
    }
}

/// What is said while the store is away: nothing was done, or nobody knows.
const WHILE_AWAY: [u16; 2] = [1205, 1180];

fn pace() -> Interval {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// The message of a publisher with this number.
pub fn text_of(publisher: usize, number: u64) -> String {
    format!("{publisher} says {number}")
}

/// Which message a text is, if it is one of these.
pub fn parse(text: &str) -> Option<(usize, u64)> {
    let (publisher, number) = text.split_once(" says ")?;
    Some((publisher.parse().ok()?, number.parse().ok()?))
}

impl Client {
    async fn run(mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while !*self.stop.borrow() {
            match self.allowed.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => break,
            }
            let number = 1 + told.len() as u64;
            let pipe = PIPES[number as usize % PIPES.len()];
            let index = self.publish(pipe, number).await;
            told.push(Told { pipe, publisher: self.number, number, index });
        }
        told
    }

    /// The index of the message, if that was acknowledged. Who has ids goes on until it was.
    async fn publish(&mut self, pipe: &str, number: u64) -> Option<u64> {
        let text = text_of(self.number, number);
        let uuid = if self.has_ids { format!("'{}'", Uuid::now_v7()) } else { "NULL".to_owned() };
        let statement =
            format!("INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('{pipe}', 'e', '{text}', {uuid})");
        let trying = async {
            loop {
                self.pace.tick().await;
                match self.send(&statement).await {
                    None if self.has_ids => {}
                    index => return index,
                }
            }
        };
        let index = timeout(DEADLINE, trying).await.unwrap_or_else(|_| panic!("{text:?} is never acknowledged"));
        if index.is_some() {
            self.acknowledged.send_modify(|count| *count += 1);
        }
        index
    }

    /// Sends it to a node that is there.
    async fn send(&mut self, statement: &str) -> Option<u64> {
        if self.connection.is_none() {
            let door = self.doors.at_or_behind(self.node)?;
            self.connection = connect(door.sql).await.ok();
        }
        let Some(connection) = &mut self.connection else {
            self.node += 1;
            return None;
        };
        let error = match connection.query_drop(statement).await {
            Ok(()) => return connection.last_insert_id(),
            Err(error) => error,
        };
        if let Error::Server(refusal) = &error {
            assert!(WHILE_AWAY.contains(&refusal.code), "{refusal}: {statement}");
        } else {
            self.connection = None;
            self.node += 1;
        }
        None
    }
}
