//! A primary that Sentinels look after, and that another server takes the place of.

use super::losing::Follower;
use super::*;
use crate::server::Sentinels;

/// Publishes until it is done; what nobody knows whether it was done has its id.
async fn publish_at_last(node: &Node, pipe: &Pipe, text: &str) -> Published {
    let chosen = Publish { id_is_chosen: true, ..publish(pipe, text) };
    loop {
        if let Ok(published) = node.store.publish(vec![chosen.clone()]).await {
            return published[0];
        }
    }
}

#[test]
fn when_the_primary_dies_publishers_wait_for_another_and_nobody_misses_anything() {
    told(async {
        let mut all = Sentinels::start();
        let config = Config { replicas_min: 1, ..config_of(5_000, &all.url()) };
        let nodes = [Node::configured(&config).await.unwrap(), Node::configured(&config).await.unwrap()];
        let pipe = pipe("watched");
        nodes[0].store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        let mut followers = Vec::new();
        for node in &nodes {
            let position = node.listen(&pipe).await;
            followers.push(Follower { node, pipe: pipe.clone(), position, texts: Vec::new() });
        }
        let [first, second] = followers.as_mut_slice() else { panic!("two") };
        let publishing = async {
            for number in 0..60 {
                publish_at_last(&nodes[number % 2], &pipe, &number.to_string()).await;
                if number == 20 {
                    let primary = all.primary();
                    all.servers[primary].kill();
                    until(true, async || all.have_left(primary)).await;
                    // It comes back with nothing and as a replica, of which each message wants one.
                    all.servers[primary].start_again();
                }
            }
        };
        tokio::join!(publishing, first.follow_to(60), second.follow_to(60));
        let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        assert_eq!(followers[0].texts, expected);
        assert_eq!(followers[1].texts, expected);
        assert_eq!(nodes[0].history(&pipe).await, expected);
        until(2, async || nodes[0].store.listeners(&pipe).await.unwrap()).await;
    });
}

#[test]
fn a_replica_that_was_behind_and_becomes_the_primary_begins_new_epochs() {
    told(async {
        let mut all = Sentinels::start();
        let node = Node::at(&all.url()).await;
        let (behind, level) = (pipe("behind"), pipe("level"));
        let mut newest = Vec::new();
        for pipe in [&behind, &level] {
            node.store.set_retention(pipe, Retention::of_length(10)).await.unwrap();
            node.listen(pipe).await;
            newest.push(node.publish(pipe, "both have it").await.unwrap().position);
        }
        // One at a time, the primary has a new connection to the replica that is frozen, and so none.
        let (primary, replica) = (&all.servers[0], &all.servers[1]);
        until(true, async || primary.ask(&["WAIT", "1", "1000"]) == ":1\r\n" && is_level(primary, replica)).await;
        replica.freeze();
        primary.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
        newest[0] = node.publish(&behind, "only the old one has it").await.unwrap().position;
        assert_eq!(newest[0].index, 2);
        node.heard_until("only the old one has it").await;
        all.servers[0].kill();
        all.servers[1].thaw();
        node.news_until(is_lost_all).await;
        assert_eq!(node.recovered(&behind, newest[0]).await, None, "what is gone is said to be gone");
        assert_eq!(node.recovered(&level, newest[1]).await.unwrap(), [""; 0]);
        let after = [node.publish(&behind, "b").await.unwrap(), node.publish(&level, "l").await.unwrap()];
        assert_ne!(after[0].position.epoch, newest[0].epoch);
        assert_eq!(after[1].position, Position { index: 2, ..newest[1] });
        assert_eq!(node.history(&behind).await, ["both have it", "b"]);
        node.heard_until("l").await;
    });
}

fn is_level(primary: &Server, replica: &Server) -> bool {
    let length = |server: &Server| server.ask(&["DBSIZE"]);
    length(primary) == length(replica)
}

#[test]
fn a_primary_that_was_replaced_while_it_lives_keeps_no_writes() {
    told(async {
        let all = Sentinels::start();
        let node = Node::at(&all.url()).await;
        let pipe = pipe("handed_over");
        node.store.set_retention(&pipe, Retention::of_length(100)).await.unwrap();
        node.listen(&pipe).await;
        let old = all.primary();
        let mut count = 0;
        all.begin_to_fail_over();
        while all.primary() == old || count < 20 {
            count += 1;
            publish_at_last(&node, &pipe, &count.to_string()).await;
        }
        // It has learned by then, or learns now, that it is a replica.
        all.until_whole();
        let last = publish_at_last(&node, &pipe, "last").await;
        let length = all.servers[all.primary()].ask(&["HGET", &key_of(&all, "handed_over"), "index"]);
        assert!(length.contains(&last.position.index.to_string()), "{length}");
        assert_eq!(node.history(&pipe).await.last().unwrap(), "last");
    });
}

/// The key of a pipe, whatever slot it is in.
fn key_of(all: &Sentinels, name: &str) -> String {
    let keys = all.servers[all.primary()].ask(&["KEYS", &format!("cometql:*:n:{name}*")]);
    let is_its = |line: &&str| line.trim_end_matches('}').ends_with(&format!(":n:{name}"));
    keys.lines().find(is_its).expect("the pipe").to_owned()
}

#[test]
fn sentinels_that_do_not_know_the_primary_or_are_not_there_are_named_at_the_start() {
    told(async {
        let all = Sentinels::start();
        let url = all.url().replace("/main", "/other");
        let why = Node::configured(&config_of(LONG_MILLIS, &url)).await.err().map(reason).unwrap();
        assert!(why.contains("it looks after nothing that is called other"), "{why}");
        let url = "redis+sentinel://127.0.0.1:1/main";
        let why = Node::configured(&config_of(LONG_MILLIS, url)).await.err().map(reason).unwrap();
        assert!(why.contains("the Sentinel at redis://127.0.0.1:1/0: Connection refused"), "{why}");
    });
}
