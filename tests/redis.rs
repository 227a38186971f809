//! The store in Redis while Redis comes and goes, hangs, forgets and is shared.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "world/browser.rs"]
mod browser;
#[path = "world/clock.rs"]
mod clock;
#[path = "world/node.rs"]
mod node;
#[path = "world/redis.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use browser::Browser;
use clock::StillClock;
use cometql::pipe::{Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::redis::{Address, Config, Redis, open};
use cometql::store::{Ear, EarId, News, PageMax, Publish, Published, Recovered, Since, Store, StoreError};
use cometql::user::TenantId;
use server::Redis as Server;

const ALL: PageMax = PageMax { messages: 10_000, bytes: usize::MAX };
/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long Redis may take to answer, where a test wants it to be late.
const SHORT_MILLIS: u64 = 500;
const LONG_MILLIS: u64 = 30_000;

/// A node, as far as its store goes.
struct Node {
    store: Arc<Redis>,
    ear: Arc<Ear>,
    /// Told when there are news.
    woken: Arc<tokio::sync::Notify>,
    clock: Arc<StillClock>,
}

impl Node {
    async fn on(server: &Server, wait_millis_max: u64) -> Node {
        Node::tried(server, wait_millis_max).await.unwrap()
    }

    async fn tried(server: &Server, wait_millis_max: u64) -> Result<Node, StoreError> {
        let woken = Arc::new(tokio::sync::Notify::new());
        let of_ear = Arc::clone(&woken);
        let ear = Ear::new(1024 * 1024, Box::new(move || of_ear.notify_one()));
        let clock = Arc::new(StillClock::at(1_700_000_000_000));
        let config = Config {
            address: Address::parse(&server.url()).unwrap(),
            wait_millis_max,
            history_bytes_max_per_pipe: 1024 * 1024,
        };
        let store = open(&config, vec![Arc::clone(&ear)], clock.clone()).await?;
        Ok(Node { store, ear, woken, clock })
    }

    async fn publish(&self, pipe: &Pipe, text: &str) -> Result<Published, StoreError> {
        Ok(self.store.publish(vec![publish(pipe, text)]).await?[0])
    }

    async fn listen(&self, pipe: &Pipe) -> Position {
        self.store.listen(pipe, EarId(0)).await.unwrap().position
    }

    /// The news up to and with the first that is wanted.
    async fn news_until(&self, is_wanted: impl Fn(&News) -> bool) -> Vec<News> {
        let mut news = Vec::new();
        while !news.iter().any(&is_wanted) {
            self.woken.notified().await;
            news.extend(self.ear.take());
        }
        news
    }

    /// The messages up to and with the one of this text.
    async fn heard_until(&self, text: &str) -> Vec<String> {
        let is_wanted = |news: &News| news.delivery().is_some_and(|delivery| delivery.message.as_str() == text);
        texts(&self.news_until(is_wanted).await)
    }

    async fn recovered(&self, pipe: &Pipe, after: Position) -> Option<Vec<String>> {
        match self.store.recover(pipe, after, ALL).await.unwrap() {
            Recovered::Page(page) => Some(page.messages.iter().map(|one| one.message.as_str().to_owned()).collect()),
            Recovered::Lost(_) => None,
        }
    }

    async fn history(&self, pipe: &Pipe) -> Vec<String> {
        let page = self.store.history(pipe, Since::Beginning, ALL).await.unwrap();
        page.messages.iter().map(|delivery| delivery.message.as_str().to_owned()).collect()
    }
}

fn texts(news: &[News]) -> Vec<String> {
    news.iter().filter_map(News::delivery).map(|delivery| delivery.message.as_str().to_owned()).collect()
}

fn pipe(name: &str) -> Pipe {
    Pipe::Named(TenantId(1), PipeName::for_publish(name).unwrap())
}

fn publish(pipe: &Pipe, text: &str) -> Publish {
    Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new(text.to_owned(), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    }
}

/// Runs a story, which must come to its end.
fn told(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, story).await }).unwrap();
}

/// Asks again and again until the answer is as wanted.
async fn until<T: PartialEq + std::fmt::Debug>(wanted: T, ask: impl AsyncFn() -> T) {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if answer == wanted {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{answer:?} instead of {wanted:?}");
        tokio::task::yield_now().await;
    }
}

fn is_lost_all(news: &News) -> bool {
    matches!(news, News::LostAll)
}

fn reason(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(reason) => reason,
        StoreError::Damaged(reason) => panic!("damaged: {reason}"),
    }
}

#[test]
fn what_one_node_publishes_the_other_hears_and_listeners_are_counted_over_both() {
    told(async {
        let server = Server::start();
        let (one, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("shared");
        one.listen(&pipe).await;
        one.listen(&pipe).await;
        assert_eq!(other.store.listen(&pipe, EarId(0)).await.unwrap().listeners, 3);
        for number in 0..100 {
            let published = one.publish(&pipe, &format!("one {number}")).await.unwrap();
            assert_eq!(published.receivers, 3);
            other.publish(&pipe, &format!("other {number}")).await.unwrap();
        }
        for node in [&one, &other] {
            let heard = node.heard_until("other 99").await;
            let expected: Vec<String> = (0..100).flat_map(|n| [format!("one {n}"), format!("other {n}")]).collect();
            assert_eq!(heard, expected);
            assert_eq!(node.store.listeners(&pipe).await.unwrap(), 3);
            assert_eq!(node.store.listened(TenantId(1), None, 9).await.unwrap().len(), 1);
        }
        one.store.close().await;
        assert_eq!(other.store.listeners(&pipe).await.unwrap(), 1, "who closes takes back at once what it has said");
        assert_eq!(other.publish(&pipe, "alone").await.unwrap().receivers, 1);
    });
}

#[test]
fn a_node_that_dies_counts_no_more_when_its_lease_is_over() {
    told(async {
        let server = Server::start();
        let (dying, living) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let (both, its) = (pipe("both"), pipe("its"));
        for pipe in [&both, &its] {
            dying.listen(pipe).await;
        }
        living.listen(&both).await;
        assert_eq!(living.publish(&both, "to two").await.unwrap().receivers, 2);
        // Its tasks end with it, and nobody tells Redis.
        drop(dying);
        until(1, async || living.store.listeners(&both).await.unwrap()).await;
        assert_eq!(living.publish(&both, "to one").await.unwrap().receivers, 1);
        assert_eq!(living.store.listeners(&its).await.unwrap(), 0);
        until(":1\r\n".to_owned(), async || server.ask(&["SCARD", "cometql:nodes"])).await;
        assert_eq!(server.ask(&["EXISTS", "cometql:{1:n:its}:listeners"]), ":0\r\n", "others have cleaned up");
    });
}

#[test]
fn a_lease_that_was_lost_is_taken_again_with_all_that_was_said() {
    told(async {
        let server = Server::start();
        let (one, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("leased");
        one.listen(&pipe).await;
        // As when a node was stopped for longer than it is believed to be there.
        let nodes = server.ask(&["KEYS", "cometql:lease:*"]);
        for key in nodes.lines().filter(|line| line.starts_with("cometql:")) {
            server.ask(&["DEL", key]);
        }
        server.ask(&["DEL", "cometql:{1:n:leased}:listeners"]);
        until(1, async || other.store.listeners(&pipe).await.unwrap()).await;
    });
}

#[test]
fn a_subscriber_whose_connection_is_killed_hears_that_it_lost_and_recovers_all() {
    told(async {
        let server = Server::start();
        let (one, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("killed");
        let mut after = one.listen(&pipe).await;
        for round in 0..5 {
            let publishing = async {
                for number in 0..20 {
                    other.publish(&pipe, &format!("{round} {number}")).await.unwrap();
                    if number == 10 {
                        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                    }
                }
            };
            let (_, news) = tokio::join!(publishing, one.news_until(is_lost_all));
            drop(news);
            let last = other.publish(&pipe, &format!("{round} last")).await.unwrap().position;
            let all: Vec<String> =
                (0..20).map(|number| format!("{round} {number}")).chain([format!("{round} last")]).collect();
            assert_eq!(one.recovered(&pipe, after).await.unwrap(), all);
            one.heard_until(&format!("{round} last")).await;
            assert_eq!(one.store.listeners(&pipe).await.unwrap(), 1);
            after = last;
        }
    });
}

#[test]
fn a_redis_that_keeps_goes_on_where_it_was_and_publishers_wait_for_it() {
    told(async {
        let mut server = Server::that_keeps();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (kept, live) = (pipe("kept"), pipe("live"));
        node.store.set_retention(&kept, Retention::of_length(10)).await.unwrap();
        for pipe in [&kept, &live] {
            node.listen(pipe).await;
        }
        let before = [node.publish(&kept, "k 1").await.unwrap(), node.publish(&live, "l 1").await.unwrap()];
        server.kill();
        let waiting = [&kept, &live].map(|pipe| {
            let (store, pipe) = (Arc::clone(&node.store), pipe.clone());
            tokio::spawn(async move {
                // What was on its way when Redis was killed may have been done or not; that is said, and it is tried
                // again.
                loop {
                    if let Ok(published) = store.publish(vec![publish(&pipe, "meanwhile")]).await {
                        return published[0];
                    }
                }
            })
        });
        server.start_again();
        for (waiting, before) in waiting.into_iter().zip(before) {
            let published = waiting.await.unwrap();
            assert_eq!(published.position, Position { index: 2, ..before.position });
        }
        node.news_until(is_lost_all).await;
        assert_eq!(node.recovered(&kept, before[0].position).await.unwrap(), ["meanwhile"]);
        assert_eq!(node.recovered(&live, before[1].position).await.unwrap(), ["meanwhile"]);
        assert_eq!(node.history(&kept).await, ["k 1", "meanwhile"]);
        assert_eq!(node.publish(&kept, "after").await.unwrap().receivers, 1);
        node.heard_until("after").await;
    });
}

#[test]
fn a_redis_that_forgets_begins_new_epochs() {
    told(async {
        let mut server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("forgotten");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        node.listen(&pipe).await;
        let before = node.publish(&pipe, "before").await.unwrap().position;
        node.heard_until("before").await;
        server.kill();
        server.start_again();
        node.news_until(is_lost_all).await;
        assert_eq!(node.recovered(&pipe, before).await, None);
        let after = node.publish(&pipe, "after").await.unwrap();
        assert_ne!(after.position.epoch, before.epoch);
        assert_eq!(after.receivers, 1);
        node.heard_until("after").await;
    });
}

#[test]
fn a_redis_with_an_older_state_uses_no_index_twice() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (behind, replaced) = (pipe("behind"), pipe("replaced"));
        let mut newest = Vec::new();
        for pipe in [&behind, &replaced] {
            node.listen(pipe).await;
            node.publish(pipe, "1").await.unwrap();
            newest.push(node.publish(pipe, "2").await.unwrap().position);
        }
        // A replica that was a message behind, and one to which somebody else has published in its place.
        server.ask(&["HSET", "cometql:{1:n:behind}", "index", "1"]);
        server.ask(&["HSET", "cometql:{1:n:replaced}", "id", "sixteen bytes 16"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        node.news_until(is_lost_all).await;
        for (pipe, newest) in [&behind, &replaced].into_iter().zip(newest) {
            assert_eq!(node.recovered(pipe, newest).await, None);
            let next = node.publish(pipe, "3").await.unwrap().position;
            assert_ne!(next.epoch, newest.epoch);
            assert_eq!(next.index, 3);
        }
    });
}

#[test]
fn a_redis_that_hangs_is_noticed_in_time_and_is_used_again() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, SHORT_MILLIS).await;
        let pipe = pipe("hanging");
        node.listen(&pipe).await;
        server.freeze();
        let why = reason(node.publish(&pipe, "lost or not").await.unwrap_err());
        assert!(why.contains("has not answered within 500 ms, so it may have been done or not"), "{why}");
        let why = loop {
            // Once the connection is known to be of no use, nothing is sent any more.
            let why = reason(node.publish(&pipe, "not sent").await.unwrap_err());
            if !why.contains("may have been done") {
                break why;
            }
        };
        assert!(why.contains("it may be tried again"), "{why}");
        server.thaw();
        node.news_until(is_lost_all).await;
        until(true, async || node.publish(&pipe, "after").await.is_ok()).await;
        node.heard_until("after").await;
    });
}

#[test]
fn a_redis_without_memory_refuses_whole_batches_and_says_why() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (kept, full, live) = (pipe("kept"), pipe("full"), pipe("live"));
        for pipe in [&kept, &full] {
            node.store.set_retention(pipe, Retention::of_length(10)).await.unwrap();
        }
        node.publish(&full, "there").await.unwrap();
        // Less than it holds already.
        server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
        let why = reason(node.store.publish(vec![publish(&live, "x"), publish(&kept, "x")]).await.unwrap_err());
        assert!(why.contains("out of memory: raise its maxmemory"), "{why}");
        // Who comes, reads, leaves or deletes is not refused.
        assert_eq!(node.listen(&live).await.index, 0, "nothing of the batch was numbered");
        assert_eq!(node.history(&kept).await, [""; 0]);
        assert_eq!(node.history(&full).await, ["there"]);
        assert!(node.store.remove_retention(&full).await.unwrap());
        assert_eq!(node.store.unlisten(&live, EarId(0)).await.unwrap(), 0);
        server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(node.publish(&kept, "small").await.unwrap().position.index, 1);
    });
}

#[test]
fn a_chosen_id_is_published_once_however_often_the_connection_breaks() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("chosen");
        node.store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        let publishing = async {
            for number in 0..200 {
                let chosen = Publish { id_is_chosen: true, ..publish(&pipe, &number.to_string()) };
                node.store.publish(vec![chosen]).await.unwrap();
                if number % 20 == 10 {
                    server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
                }
            }
        };
        publishing.await;
        assert_eq!(node.history(&pipe).await, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn a_thousand_pipes_appear_and_vanish() {
    told(async {
        let server = Server::start();
        let node = Arc::new(Node::on(&server, LONG_MILLIS).await);
        let pipes: Vec<Pipe> = (0..1_000).map(|number| pipe(&format!("name_{number}"))).collect();
        for _ in 0..2 {
            let mut comings = tokio::task::JoinSet::new();
            for pipe in pipes.clone() {
                let node = Arc::clone(&node);
                comings.spawn(async move { node.store.listen(&pipe, EarId(0)).await.unwrap().listeners });
            }
            assert!(comings.join_all().await.iter().all(|listeners| *listeners == 1));
            assert_eq!(node.store.listened(TenantId(1), None, 2_000).await.unwrap().len(), 1_000);
            let batch = pipes.iter().map(|pipe| publish(pipe, "x")).collect();
            let published = node.store.publish(batch).await.unwrap();
            assert!(published.iter().all(|published| published.receivers == 1));
            assert_eq!(texts(&node.ear.take()).len(), 1_000);
            let mut goings = tokio::task::JoinSet::new();
            for pipe in pipes.clone() {
                let node = Arc::clone(&node);
                goings.spawn(async move { node.store.unlisten(&pipe, EarId(0)).await.unwrap() });
            }
            assert!(goings.join_all().await.iter().all(|listeners| *listeners == 0));
            assert_eq!(node.store.listened(TenantId(1), None, 2_000).await.unwrap(), []);
        }
        let idle = server.ask(&["PTTL", "cometql:{1:n:name_7}"]);
        let idle: i64 = idle.trim_start_matches(':').trim_end().parse().unwrap();
        assert!((1..=600_000).contains(&idle), "a pipe nobody keeps or hears goes by itself: {idle}");
        until("*0\r\n".to_owned(), async || server.ask(&["PUBSUB", "SHARDCHANNELS"])).await;
        let _ = node.clock;
    });
}

#[test]
fn scripts_that_somebody_made_redis_forget_are_taught_again() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        server.ask(&["SCRIPT", "FLUSH"]);
        assert_eq!(node.publish(&pipe("flushed"), "x").await.unwrap().position.index, 1);
    });
}

#[test]
fn a_redis_that_is_not_there_or_wants_a_password_is_named_at_the_start() {
    told(async {
        let server = Server::with(&["--save", "", "--requirepass", "secret"]);
        let why = Node::tried(&server, LONG_MILLIS).await.err().map(reason).unwrap();
        assert!(why.contains("redis.sock") && why.contains("NOAUTH"), "{why}");
        let url = format!("{}?pass=secret", server.url());
        let config = Config { address: Address::parse(&url).unwrap(), ..config(LONG_MILLIS, &server) };
        assert!(!format!("{config:?}").contains("secret"));
        open(&config, Vec::new(), Arc::new(StillClock::at(1))).await.unwrap();
        let mut gone = Server::start();
        gone.kill();
        let why = Node::tried(&gone, LONG_MILLIS).await.err().map(reason).unwrap();
        assert!(why.contains("cannot be used"), "{why}");
    });
}

fn config(wait_millis_max: u64, server: &Server) -> Config {
    Config { address: Address::parse(&server.url()).unwrap(), wait_millis_max, history_bytes_max_per_pipe: 1024 * 1024 }
}

#[test]
fn two_nodes_on_one_redis_publish_by_mysql_on_one_and_hear_on_the_other() {
    let server = Server::start();
    let url = server.url();
    let flags = ["--log", "warn", "--memory", "--password", "secret", "--store", &url];
    let [one, other] = [(), ()].map(|()| node::Home::new(&flags).start());
    assert!(one.first_lines[3].contains("in Redis at "), "{:?}", one.first_lines);
    let mut browsers = [&one, &other].map(|node| Browser::subscriber(node.browsers, &["web_chat"]));
    let insert = |node: &node::Node, text: &str| {
        let statement = format!("INSERT INTO pipes_messages (name, event, message) VALUES ('web_chat', 'e', '{text}')");
        mysql(node, &statement)
    };
    for (node, text) in [(&one, "from one"), (&other, "from the other")] {
        insert(node, text);
        for browser in &mut browsers {
            assert!(browser.frame().json().to_string().contains(text));
        }
    }
    for node in [&one, &other] {
        let count = mysql(node, "SELECT users FROM pipes WHERE name = 'web_chat'");
        assert_eq!(count.trim(), "2");
    }
    // A browser's own message does not come back to it, wherever another connection has the same place in its node.
    let [mut first, mut second] = browsers;
    first.send_text("web_pipe2\n@web_chat\ne\n*\n\"from a browser\"");
    assert!(second.frame().json().to_string().contains("from a browser"));
    assert_eq!(first.frame().json()["event"], "answer", "the report of its own message");
    insert(&one, "the next");
    let next = first.frame().json().to_string();
    assert!(next.contains("the next"), "{next}");
    assert!(second.frame().json().to_string().contains("the next"));
}

/// What the stock client prints for a statement.
fn mysql(node: &node::Node, statement: &str) -> String {
    let output = std::process::Command::new("mysql")
        .args(["--protocol=tcp", "-h", "127.0.0.1", "-u", "root", "-psecret", "-N", "--skip-ssl", "-P"])
        .arg(node.sql.port().to_string())
        .args(["-e", statement])
        .output()
        .expect("tests/run installs it");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
