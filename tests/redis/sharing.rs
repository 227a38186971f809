//! Many nodes over one Redis.

use super::*;
use crate::browser::Browser;

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
        // As soon as the other has heard of it, which it does once a second.
        until(1, async || other.store.listeners(&pipe).await.unwrap()).await;
        assert_eq!(other.publish(&pipe, "alone").await.unwrap().receivers, 1);
    });
}

#[test]
fn a_full_ear_holds_up_its_own_node_and_loses_nothing() {
    told(async {
        let server = Server::start();
        let (slow, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("slow");
        slow.listen(&pipe).await;
        let filling = "x".repeat(64 * 1024);
        for number in 0..64 {
            // The ear holds a quarter of it.
            other.publish(&pipe, &format!("{number} {filling}")).await.unwrap();
        }
        let mut waiting = Box::pin(slow.publish(&pipe, "its own"));
        tokio::select! {
            _ = &mut waiting => panic!("nobody has emptied the ear"),
            () = until("$2\r\n65\r\n".to_owned(), async || server.ask(&["HGET", &key(&server, "1:n:slow"), "index"])) => {}
        }
        assert_eq!(other.publish(&pipe, "last").await.unwrap().position.index, 66);
        let (heard, own) = tokio::join!(slow.heard_until("last"), waiting);
        assert_eq!(own.unwrap().position.index, 65);
        let numbers = heard.iter().map(|text| text.split(' ').next().unwrap().to_owned());
        let expected = (0..64).map(|number| number.to_string()).chain(["its".to_owned(), "last".to_owned()]);
        assert!(numbers.eq(expected));
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
        let idle = server.ask(&["PTTL", &key(&server, "1:n:name_7")]);
        let idle: i64 = idle.trim_start_matches(':').trim_end().parse().unwrap();
        assert!((1..=600_000).contains(&idle), "a pipe nobody keeps or hears goes by itself: {idle}");
        let pipes = async || server.ask(&["PUBSUB", "SHARDCHANNELS"]).matches(":n:").count();
        until(0, pipes).await;
        let _ = node.clock;
    });
}

#[test]
fn pipes_that_two_nodes_take_and_leave_all_at_once_are_counted_right_and_nothing_is_left_of_them() {
    told(async {
        let server = Server::start();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let pipes: Vec<Pipe> = (0..200).map(|number| pipe(&format!("name_{number}"))).collect();
        let listeners = async || {
            let listened = nodes[0].store.listened(TenantId(1), None, 1_000).await.unwrap();
            listened.into_iter().map(|(_, listeners)| listeners).collect::<Vec<u64>>()
        };
        // Of three that come to each pipe at each node two go again, while the others are still coming.
        let mut steps = tokio::task::JoinSet::new();
        for (pipe, number) in pipes.iter().flat_map(|pipe| (0..3).map(move |number| (pipe.clone(), number))) {
            for node in &nodes {
                let (store, pipe) = (Arc::clone(&node.store), pipe.clone());
                steps.spawn(async move {
                    assert!(store.listen(&pipe, EarId(0)).await.unwrap().listeners >= 1);
                    if number > 0 {
                        store.unlisten(&pipe, EarId(0)).await.unwrap();
                    }
                });
            }
        }
        assert_eq!(steps.join_all().await.len(), 1_200);
        assert_eq!(listeners().await, vec![2; 200]);
        let published = nodes[0].store.publish(pipes.iter().map(|pipe| publish(pipe, "x")).collect()).await.unwrap();
        assert!(published.iter().all(|published| published.receivers == 2));
        for (node, left) in nodes.iter().zip([1, 0]) {
            let mut steps = tokio::task::JoinSet::new();
            for pipe in pipes.clone() {
                let store = Arc::clone(&node.store);
                steps.spawn(async move { store.unlisten(&pipe, EarId(0)).await.unwrap() });
            }
            assert_eq!(steps.join_all().await, vec![left; 200]);
        }
        // To be seen to should a node die, listed (before a look at the listing would tidy it), subscribed to, or there
        // for ever.
        let left = |pattern: &str| server.ask(&["KEYS", pattern]).matches("cometql:").count();
        assert_eq!(["*pipes_of:*", "cometql:{*}:nodes", "*:heard"].map(left), [0, 0, 0]);
        assert_eq!(listeners().await, Vec::<u64>::new());
        until(0, async || server.ask(&["PUBSUB", "SHARDCHANNELS"]).matches(":n:").count()).await;
        let lasting = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*:n:*')) do \
                       if redis.call('PTTL', key) < 0 then n = n + 1 end end return n";
        assert_eq!(server.ask(&["EVAL", lasting, "0"]), ":0\r\n");
    });
}

#[test]
fn whoever_could_not_be_told_of_while_redis_hung_is_told_of_afterwards() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, SHORT_MILLIS).await;
        let pipes: Vec<Pipe> = (0..300).map(|number| pipe(&format!("name_{number}"))).collect();
        // Subscribed to before, so that they wait for nothing but to be told.
        for pipe in &pipes {
            node.listen(pipe).await;
        }
        server.freeze();
        let mut comings = tokio::task::JoinSet::new();
        for pipe in pipes {
            let store = Arc::clone(&node.store);
            comings.spawn(async move { store.listen(&pipe, EarId(0)).await });
        }
        // Those of the first calls and those that wait behind them.
        for came in comings.join_all().await {
            let why = reason(came.unwrap_err());
            assert!(why.contains("may be tried again"), "{why}");
        }
        server.thaw();
        let listeners = async || {
            let listened = node.store.listened(TenantId(1), None, 1_000).await.unwrap_or_default();
            listened.into_iter().map(|(_, listeners)| listeners).collect::<Vec<u64>>()
        };
        until(vec![2; 300], listeners).await;
    });
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

#[test]
fn browsers_stay_while_redis_is_away_and_publishers_are_told() {
    let mut server = Server::start();
    let url = server.url();
    let wait = ["--redis-wait-millis-max", "500"];
    let flags = [&["--log", "warn", "--memory", "--password", "secret", "--store", &url], &wait[..]].concat();
    let node = node::Home::new(&flags).start();
    let mut browser = Browser::subscriber(node.browsers, &["news"]);
    server.kill();
    let why = tried_mysql(&node, "INSERT INTO pipes_messages (name, event, message) VALUES ('news', 'e', 'away')");
    let why = why.unwrap_err();
    assert!(why.contains("Redis at redis+unix:") && why.contains("may be tried again"), "{why}");
    server.start_again();
    let began = Instant::now();
    while mysql(&node, "SELECT users FROM pipes WHERE name = 'news'").trim() != "1" {
        assert!(began.elapsed() < DEADLINE, "nobody listens any more");
    }
    mysql(&node, "INSERT INTO pipes_messages (name, event, message) VALUES ('news', 'e', 'back')");
    assert!(browser.frame().json().to_string().contains("back"));
}

/// What the stock client prints for a statement.
fn mysql(node: &node::Node, statement: &str) -> String {
    tried_mysql(node, statement).unwrap()
}

/// The same, or what it complains of.
fn tried_mysql(node: &node::Node, statement: &str) -> Result<String, String> {
    let output = std::process::Command::new("mysql")
        .args(["--protocol=tcp", "-h", "127.0.0.1", "-u", "root", "-psecret", "-N", "--skip-ssl", "-P"])
        .arg(node.sql.port().to_string())
        .args(["-e", statement])
        .output()
        .expect("tests/run installs it");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}
