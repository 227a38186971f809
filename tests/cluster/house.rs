//! Some nodes over one store, each with a way to it that can be cut, and their browsers and SQL clients.

use std::thread::JoinHandle;

use mysql_async::prelude::Queryable;
use mysql_async::{Row, Value};
use rustix::process::Signal;
use tokio::task::block_in_place;

use super::doors::{Door, Doors};
use super::judge;
use super::listener::{Generation, Listener, Story, THE_END};
use super::load::{PIPES, Told};
use super::node::{Home, Node};
use super::proxy::Proxy;
use super::server::Redis;
use super::{connect, until};

/// How many messages each pipe keeps: more than is published while somebody is away for a moment.
const LENGTH: u64 = 1_000;
/// Of each generation; they are dealt to the nodes in turn.
const FIVES: usize = 6;
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
}

impl House {
    /// Three nodes, each behind a way of its own.
    pub async fn over(redis: &Redis) -> House {
        let mut ways = Vec::new();
        for _ in 0..3 {
            ways.push(Proxy::to(redis.socket()).await);
        }
        let stores: Vec<String> = ways.iter().map(Proxy::url).collect();
        House { ways, ..House::at(&stores, &[]).await }
    }

    /// A node for each of these addresses of the store, with these flags besides.
    pub async fn at(stores: &[String], more: &[&str]) -> House {
        let mut house = House {
            doors: Doors::default(),
            ways: Vec::new(),
            nodes: Vec::new(),
            homes: Vec::new(),
            listeners: Vec::new(),
        };
        for (number, store) in stores.iter().enumerate() {
            // Not every browser here answers pings.
            let flags =
                ["--log", "warn", "--memory", "--ping-seconds", "3600", "--password", PASSWORD, "--store", store];
            house.nodes.push(None);
            house.homes.push(Some(Home::new(&[&flags, more].concat())));
            house.start(number);
        }
        let rows = PIPES.map(|pipe| format!("('{pipe}', {LENGTH})")).join(", ");
        house.tell(0, &format!("INSERT INTO pipes_settings (name, length) VALUES {rows}")).await;
        house
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
            self.listeners.push(Listener::attach(generation, number, &self.doors, number % self.nodes.len()));
        }
        self.until_full().await;
    }

    /// Waits until every node counts every browser that listens to [`PIPES`], once.
    pub async fn until_full(&self) {
        let users = (FIVES + FOURS).to_string();
        let rows: Vec<[&str; 2]> = PIPES.iter().map(|pipe| [*pipe, &users]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
        let names = PIPES.map(|pipe| format!("'{pipe}'")).join(", ");
        self.until_all_say(&format!("SELECT name, users FROM pipes WHERE name IN ({names})"), &rows).await;
    }

    /// When everybody is there again: all that was acknowledged was heard, nobody was told of a gap, and every node ends
    /// in good order.
    pub async fn end(self, told: &[Told]) {
        assert_eq!(self.gaps_declared().await, 0, "none was provoked");
        assert_eq!(self.ended(told, false).await, 0, "none was provoked");
    }

    /// The same where a gap was provoked, and must have been declared.
    pub async fn end_with_gaps(self, told: &[Told]) {
        assert!(self.gaps_declared().await > 0);
        assert!(self.ended(told, true).await > 0);
    }

    /// The same where servers died that had been heard: there may be gaps, or none.
    pub async fn end_where_gaps_may_be(self, told: &[Told]) {
        let gaps = self.ended(told, true).await;
        println!("browsers were told of {gaps} gaps");
    }

    /// Answers how many gaps browsers were told of.
    async fn ended(mut self, told: &[Told], is_gap_provoked: bool) -> usize {
        self.until_full().await;
        let number = self.living().next().expect("a node that is there");
        for pipe in PIPES {
            self.publish(number, pipe, THE_END).await;
        }
        let ended = self.listeners.drain(..).map(|one| block_in_place(|| one.join()).expect("it has said why"));
        let stories: Vec<Story> = ended.collect();
        judge::compare(told, &stories, is_gap_provoked);
        for number in self.living().collect::<Vec<_>>() {
            self.stop(number);
        }
        stories.iter().map(Story::gaps).sum()
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
