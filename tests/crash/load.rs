//! SQL clients that publish, delete and set things until the node is gone, and say what they were told.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::connect;
use super::ledger::{PIPES, Place, Shelf, TRUSTED, Told, USERS};
use super::node::Node;
use super::random::Random;

const CONNECTIONS: usize = 6;

/// The clients of one round.
pub struct Load {
    steps: UnboundedReceiver<()>,
    clients: Vec<JoinHandle<Vec<Told>>>,
}

impl Load {
    pub async fn begin(node: &Node, round: usize, random: &mut Random) -> Load {
        let (sender, steps) = unbounded_channel();
        let mut clients = Vec::new();
        for number in 0..CONNECTIONS {
            let client = Client {
                connection: connect(node).await,
                name: format!("round {round}, connection {number}"),
                number,
                random: random.split(),
                steps: sender.clone(),
                statements: 0,
                told: Vec::new(),
            };
            clients.push(tokio::spawn(client.run()));
        }
        Load { steps, clients }
    }

    /// Waits until so many statements were sent or answered.
    pub async fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.steps.recv().await.expect("the clients go on until the node is gone");
        }
    }

    /// The node is gone: what the clients were told.
    pub async fn end(self) -> Vec<Told> {
        let mut told = Vec::new();
        for client in self.clients {
            told.extend(client.await.unwrap());
        }
        told
    }
}

struct Client {
    connection: Conn,
    name: String,
    number: usize,
    random: Random,
    steps: UnboundedSender<()>,
    statements: usize,
    told: Vec<Told>,
}

impl Client {
    async fn run(mut self) -> Vec<Told> {
        loop {
            self.statements += 1;
            let told = match self.random.below(10) {
                0 => self.delete().await,
                1 => self.set().await,
                2 | 3 => self.publish(3).await,
                _ => self.publish(1).await,
            };
            let is_over = !told.is_sure();
            self.told.push(told);
            if is_over {
                return self.told;
            }
        }
    }

    /// Sends a statement; false when the node was gone before it answered.
    async fn send(&mut self, statement: &str) -> bool {
        // Nobody counts any more once the node is killed.
        let _ = self.steps.send(());
        match self.connection.query_drop(statement).await {
            Ok(()) => {
                let _ = self.steps.send(());
                true
            }
            Err(error) => {
                assert!(!matches!(error, mysql_async::Error::Server(_)), "refused: {error}: {statement}");
                false
            }
        }
    }

    fn place(&mut self) -> Place {
        match self.random.below(PIPES.len() + 1 + USERS.len()) {
            pipe if pipe < PIPES.len() => Place::Pipe(PIPES[pipe]),
            pipe if pipe == PIPES.len() => Place::Pipe(TRUSTED),
            user => Place::Log(USERS[user - PIPES.len() - 1]),
        }
    }

    async fn publish(&mut self, rows: usize) -> Told {
        let (place, statement) = (self.place(), self.statements);
        let texts: Vec<String> =
            (0..rows).map(|row| format!("{}, statement {statement}, row {row}", self.name)).collect();
        let key = place.key();
        // What a user has taken cannot be seen any more, so nobody could tell whether an unanswered one was done.
        let repeats = matches!(place, Place::Log(_)) || self.random.below(2) == 0;
        let id = || if repeats { format!("'{}'", uuid::Uuid::now_v7()) } else { "NULL".to_owned() };
        let values: Vec<String> = texts.iter().map(|text| format!("({key}, 'e', '{text}', {})", id())).collect();
        let (table, column) = place.table();
        let sent = format!("INSERT INTO {table} ({column}, event, message, uuid) VALUES {}", values.join(", "));
        let index = if self.send(&sent).await { self.connection.last_insert_id() } else { None };
        Told::Published { place, texts, index, repeatable: repeats.then_some(sent) }
    }

    /// Deletes one of its own messages, or else publishes.
    async fn delete(&mut self) -> Told {
        let number = self.random.below(self.told.len().max(1));
        let Some(Told::Published { place, texts, .. }) = self.told.get(number) else {
            return self.publish(1).await;
        };
        let (place, text) = (*place, texts[0].clone());
        let (table, column) = place.table();
        let sent = format!("DELETE FROM {table} WHERE {column} = {} AND message = '{text}'", place.key());
        let is_sure = self.send(&sent).await;
        Told::Deleted { place, text, is_sure }
    }

    /// Sets or removes a value that only this connection sets.
    async fn set(&mut self) -> Told {
        let shelf = Shelf { kind: self.random.below(Shelf::KINDS.len()), of: self.number + 1 };
        let value = (self.random.below(4) > 0).then(|| (1 + self.statements % 900).to_string());
        let is_sure = self.send(&shelf.statement(value.as_deref())).await;
        Told::Set { shelf, value, is_sure }
    }
}
