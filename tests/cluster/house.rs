//! Some nodes over one store, each with a way to it that can be cut, and their browsers and SQL clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mysql_async::prelude::Queryable;
use mysql_async::{Row, Value};
use rustix::process::Signal;
use tokio::task::block_in_place;

use super::doors::{Door, Doors};
use super::gaps::Provoked;
use super::judge::{self, Histories};
use super::listener::{Generation, Listener, Story, THE_END};
use super::load::{PIPES, Told};
use super::node::{Home, Node};
use super::proxy::Proxy;
use super::server::Redis;
use super::{connect, until};

/// How many messages each pipe keeps: more than is published while somebody is away for a moment.
const LENGTH: usize = 1_000;
/// Of each generation; they are dealt to the nodes in turn.
pub const FIVES: usize = 6;
const FOURS: usize = 3;
pub const PASSWORD: &str = "secret";

pub struct House {
    pub doors: Doors,
    /// Of each node, if it has one.
    pub ways: Vec<Proxy>,
    nodes: Vec<Option<Node>>,
    /// Of those that are not there now.
    homes: Vec<Option<Home>>,
    listeners: Vec<JoinHandle<Story>>,
    /// How many gaps they were told of.
    gaps: Arc<AtomicUsize>,
}

impl House {
    /// Three nodes, each behind a way of its own.
    pub async fn over(redis: &Redis) -> House {
        let house = House::that_forgets(redis).await;
        house.keep().await;
        house
    }

    /// The same, where pipes keep nothing but their recovery windows.
    pub async fn that_forgets(redis: &Redis) -> House {
        let mut ways = Vec::new();
        for _ in 0..3 {
            ways.push(Proxy::to(redis.socket()).await);
        }
        let stores: Vec<String> = ways.iter().map(Proxy::url).collect();
        House { ways, ..House::of(&stores, &[]) }
    }

    /// A node for each of these addresses of the store, with these flags besides.
    pub async fn at(stores: &[String], more: &[&str]) -> House {
        let house = House::of(stores, more);
        house.keep().await;
        house
    }

    fn of(stores: &[String], more: &[&str]) -> House {
        let mut house = House {
            doors: Doors::default(),
            ways: Vec::new(),
            nodes: Vec::new(),
            homes: Vec::new(),
            listeners: Vec::new(),
            gaps: Arc::default(),
        };
        for (number, store) in stores.iter().enumerate() {
            // Not every browser here answers pings.
            let flags =
                ["--log", "warn", "--memory", "--ping-seconds", "3600", "--password", PASSWORD, "--store", store];
            house.nodes.push(None);
            house.homes.push(Some(Home::new(&[&flags, more].concat())));
            house.start(number);
        }
        house
    }

    async fn keep(&self) {
        let rows = PIPES.map(|pipe| format!("('{pipe}', {LENGTH})")).join(", ");
        self.tell(0, &format!("INSERT INTO pipes_settings (name, length) VALUES {rows}")).await;
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, number: usize) -> &Node {
        self.nodes[number].as_ref().expect("it is there")
    }

    pub fn start(&mut self, number: usize) {
        let home = self.homes[number].take().expect("it is not there");
        let node = block_in_place(|| home.start());
        self.doors.set(number, Some(Door { sql: node.sql, browsers: node.browsers }));
        self.nodes[number] = Some(node);
    }

    /// Ends a node between two instructions.
    pub fn kill(&mut self, number: usize) {
        let node = self.nodes[number].take().expect("it is there");
        self.homes[number] = Some(block_in_place(|| node.kill()));
        self.doors.set(number, None);
    }

    /// Asks a node to end, and waits until it has.
    pub fn stop(&mut self, number: usize) {
        let node = self.nodes[number].take().expect("it is there");
        let (end, home) = block_in_place(|| node.stop(Signal::TERM));
        assert_eq!(end.status.code(), Some(0), "{}", end.stderr);
        assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
        self.homes[number] = Some(home);
        self.doors.set(number, None);
    }

    /// The numbers of the nodes that are there.
    pub fn living(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|number| self.nodes[*number].is_some())
    }

    /// What a node answers to a statement.
    pub async fn ask(&self, number: usize, statement: &str) -> Vec<Vec<String>> {
        self.tried(number, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    pub async fn tried(&self, number: usize, statement: &str) -> Result<Vec<Vec<String>>, mysql_async::Error> {
        let mut client = connect(self.node(number).sql).await?;
        let rows: Vec<Row> = client.query(statement).await?;
        let shown = |value: Value| match value {
            Value::Bytes(text) => String::from_utf8(text).expect("UTF-8"),
            other => other.as_sql(true),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(shown).collect()).collect())
    }

    /// A statement without rows.
    pub async fn tell(&self, number: usize, statement: &str) {
        assert_eq!(self.ask(number, statement).await, Vec::<Vec<String>>::new(), "{statement}");
    }

    /// Waits until every node that is there answers so.
    pub async fn until_all_say(&self, statement: &str, expected: &[&[&str]]) {
        for number in self.living() {
            until(expected, async || self.tried(number, statement).await.unwrap_or_default()).await;
        }
    }

    /// Browsers of both generations come, to each node some, and listen to every pipe of [`PIPES`].
    pub async fn fill(&mut self) {
        for number in 0..FIVES + FOURS {
            let generation = if number < FIVES { Generation::Five } else { Generation::Four };
            let node = number % self.nodes.len();
            self.listeners.push(Listener::attach(generation, number, &self.doors, node, &self.gaps));
        }
        self.until_full().await;
    }

    /// Waits until every node counts every browser that listens to [`PIPES`], once.
    pub async fn until_full(&self) {
        let users = self.listeners.len().to_string();
        let rows: Vec<[&str; 2]> = PIPES.iter().map(|pipe| [*pipe, &users]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).filter(|_| users != "0").collect();
        let names = PIPES.map(|pipe| format!("'{pipe}'")).join(", ");
        let heard = format!("SELECT name, users FROM pipes WHERE name IN ({names}) AND users > 0");
        self.until_all_say(&heard, &rows).await;
    }

    /// Waits until browsers of generation 5 were told of so many gaps, all of them together.
    pub async fn until_gaps(&self, count: usize) {
        until(&true, async || self.gaps.load(Ordering::Relaxed) >= count).await;
    }

    /// When everybody is there again: all that was acknowledged was heard and is kept, nobody was told of a gap, and every
    /// node ends in good order.
    pub async fn end(self, told: &[Told]) {
        self.end_with(told, Provoked::nothing()).await;
    }

    /// The same where gaps were provoked: those were told of, and no other.
    pub async fn end_with(self, told: &[Told], provoked: Provoked) {
        judge::all_is_kept(told, &self.histories().await, LENGTH);
        self.end_with_losses(told, provoked).await;
    }

    /// The same where Redis may have lost what was acknowledged.
    pub async fn end_with_losses(mut self, told: &[Told], provoked: Provoked) {
        self.until_full().await;
        let number = self.living().next().expect("a node that is there");
        for pipe in PIPES {
            self.publish(number, pipe, THE_END).await;
        }
        let ended = self.listeners.drain(..).map(|one| block_in_place(|| one.join()).expect("it has said why"));
        let stories: Vec<Story> = ended.collect();
        let gaps = judge::compare(told, &stories, &provoked, &self.histories().await);
        println!("browsers were told of {gaps} gaps");
        assert_eq!(self.gaps_declared().await > 0, gaps > 0, "as nodes count them");
        for number in self.living().collect::<Vec<_>>() {
            self.stop(number);
        }
    }

    /// What the pipes have that keep anything.
    async fn histories(&self) -> Histories {
        let mut histories = Histories::new();
        let number = self.living().next().expect("a node that is there");
        for row in self.ask(number, "SELECT name FROM pipes_settings").await {
            let pipe = PIPES.into_iter().find(|pipe| *pipe == row[0]).expect("one of these");
            let select = format!("SELECT position, message FROM pipes_messages WHERE name = '{pipe}'");
            let rows = match self.tried(number, &select).await {
                Ok(rows) => rows,
                // No node reads the whole of a pipe that has something of a newer version.
                Err(error) if error.to_string().contains("none of ours") => continue,
                Err(error) => panic!("{select}: {error}"),
            };
            let index = |position: &str| position.split('-').next_back().and_then(|index| index.parse().ok());
            let kept = rows.iter().map(|row| (index(&row[0]).expect("an index"), row[1].clone()));
            histories.insert(pipe, kept.collect());
        }
        histories
    }

    pub async fn publish(&self, number: usize, pipe: &str, text: &str) {
        self.tell(number, &insert(pipe, text)).await;
    }

    /// Gaps that the nodes which are there have declared since they started.
    async fn gaps_declared(&self) -> u64 {
        let mut gaps = 0;
        for number in self.living() {
            let rows = self.ask(number, "SHOW GLOBAL STATUS LIKE 'gaps_declared'").await;
            gaps += rows[0][1].parse::<u64>().expect("a number");
        }
        gaps
    }
}

pub fn insert(pipe: &str, text: &str) -> String {
    format!("INSERT INTO pipes_messages (name, event, message) VALUES ('{pipe}', 'e', '{text}')")
}
