//! A Redis Cluster whose servers die and hand on their slots.

use super::losing::Follower;
use super::*;
use crate::server::Cluster;

/// The slot of a pipe, as its base is known to a server of the cluster.
fn slot_of(cluster: &Cluster, name: &str) -> u16 {
    let base = base_of(cluster, name);
    let answer = cluster.running().ask(&["CLUSTER", "KEYSLOT", &base]);
    answer.trim_start_matches(':').trim_end().parse().unwrap()
}

fn base_of(cluster: &Cluster, name: &str) -> String {
    let running = cluster.servers.iter().filter(|server| server.is_running());
    let bases = running.map(|server| key(server, &format!("1:n:{name}")));
    bases.into_iter().find(|base| !base.is_empty()).expect("the pipe is in the cluster")
}

/// Publishes until it is done; what nobody knows whether it was done has its id.
async fn publish_at_last(node: &Node, pipe: &Pipe, text: &str) -> Published {
    let chosen = Publish { id_is_chosen: true, ..publish(pipe, text) };
    loop {
        if let Ok(published) = node.store.publish(vec![chosen.clone()]).await {
            return published[0];
        }
    }
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn when_a_primary_dies_its_pipes_go_on_at_its_replica_and_the_others_never_stop() {
    told(async {
        let mut cluster = Cluster::start();
        let nodes = [Node::at(&cluster.url()).await, Node::at(&cluster.url()).await];
        // Some of them are everywhere.
        let pipes: Vec<Pipe> = (0..12).map(|number| pipe(&format!("name_{number}"))).collect();
        for pipe in &pipes {
            nodes[0].store.set_retention(pipe, Retention::of_length(100)).await.unwrap();
            nodes[1].listen(pipe).await;
        }
        for number in 0..3 {
            for pipe in &pipes {
                publish_at_last(&nodes[0], pipe, &number.to_string()).await;
            }
        }
        let victim = cluster.owner(&base_of(&cluster, "name_0"));
        let alive =
            (0..12).find(|number| cluster.owner(&base_of(&cluster, &format!("name_{number}"))) != victim).unwrap();
        for primary in 0..3 {
            until(true, async || cluster.servers[primary].ask(&["WAIT", "1", "1000"]) == ":1\r\n").await;
        }
        cluster.until_whole();
        cluster.servers[victim].kill();
        // Nobody has taken over yet, and this one does not wait for it.
        assert_eq!(nodes[0].publish(&pipes[alive], "3").await.unwrap().position.index, 4);
        for pipe in pipes.iter().enumerate().filter(|(number, _)| *number != alive).map(|(_, pipe)| pipe) {
            let published = publish_at_last(&nodes[0], pipe, "3").await;
            assert_eq!(published.position.index, 4);
        }
        for pipe in &pipes {
            assert_eq!(nodes[1].history(pipe).await, numbers(4));
            until(1, async || nodes[0].store.listeners(pipe).await.unwrap()).await;
        }
        for pipe in &pipes {
            let start = Position { index: 0, ..nodes[0].publish(pipe, "4").await.unwrap().position };
            assert_eq!(nodes[1].recovered(pipe, start).await.unwrap(), numbers(5));
        }
    });
}

#[test]
fn a_replica_that_was_behind_and_takes_over_begins_new_epochs_of_its_pipes() {
    told(async {
        let mut cluster = Cluster::start();
        let node = Node::at(&cluster.url()).await;
        let pipe = pipe("behind");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        node.listen(&pipe).await;
        node.publish(&pipe, "both have it").await.unwrap();
        let victim = cluster.owner(&base_of(&cluster, "behind"));
        let heir = victim + 3;
        let has_it = async || !key(&cluster.servers[heir], "1:n:behind").is_empty();
        until(true, has_it).await;
        cluster.servers[heir].freeze();
        cluster.servers[victim].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
        let newest = node.publish(&pipe, "only the old one has it").await.unwrap().position;
        node.heard_until("only the old one has it").await;
        cluster.servers[victim].kill();
        cluster.servers[heir].thaw();
        node.news_until(|news| matches!(news, News::Lost(lost) if *lost == pipe)).await;
        assert_eq!(node.recovered(&pipe, newest).await, None, "what is gone is said to be gone");
        let after = publish_at_last(&node, &pipe, "after").await;
        assert_ne!(after.position.epoch, newest.epoch);
        assert_eq!(node.history(&pipe).await, ["both have it", "after"]);
        node.heard_until("after").await;
        until(1, async || node.store.listeners(&pipe).await.unwrap()).await;
    });
}

#[test]
fn while_a_slot_goes_from_server_to_server_publishers_wait_and_everybody_hears_everything() {
    told(async {
        const EACH: usize = 100;
        let cluster = Cluster::start();
        let nodes = [Node::at(&cluster.url()).await, Node::at(&cluster.url()).await];
        let pipe = pipe("wandering");
        nodes[0].store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        let mut followers = Vec::new();
        for node in &nodes {
            let position = node.listen(&pipe).await;
            followers.push(Follower { node, pipe: pipe.clone(), position, texts: Vec::new() });
        }
        let [first, second] = followers.as_mut_slice() else { panic!("two") };
        let slot = slot_of(&cluster, "wandering");
        // The moves are made between the messages of one publisher, while the other one goes on.
        let moving = async {
            for round in 0..4 {
                let from = cluster.owner_of_slot(slot);
                let to = (from + 1) % 3;
                nodes[0].publish(&pipe, &format!("{round} before")).await.unwrap();
                cluster.open_slot(slot, from, to);
                let text = format!("{round} on the way");
                let mut waiting = Box::pin(nodes[0].publish(&pipe, &text));
                let polled = std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context)));
                assert!(polled.await.is_pending());
                while cluster.move_key(slot, from, to) {
                    tokio::task::yield_now().await;
                }
                cluster.close_slot(slot, from, to);
                waiting.await.unwrap();
            }
        };
        let publishing = async {
            for number in 0..EACH {
                // Without an id of its own: nothing that is refused has been done.
                nodes[1].publish(&pipe, &number.to_string()).await.unwrap();
            }
        };
        let count = EACH + 8;
        tokio::join!(moving, publishing, first.follow_to(count), second.follow_to(count));
        assert_eq!(followers[0].texts, followers[1].texts);
        let others: Vec<String> =
            followers[0].texts.iter().filter(|text| text.parse::<usize>().is_ok()).cloned().collect();
        assert_eq!(others, numbers(EACH));
        assert_eq!(nodes[0].history(&pipe).await, followers[0].texts);
        until(2, async || nodes[0].store.listeners(&pipe).await.unwrap()).await;
        assert_eq!(nodes[0].publish(&pipe, "last").await.unwrap().receivers, 2);
    });
}

#[test]
fn a_batch_over_the_whole_cluster_is_published_and_what_failed_in_part_is_repeated() {
    told(async {
        let cluster = Cluster::start();
        let config = config_of(2_000, &cluster.url());
        let node = Node::configured(&config).await.unwrap();
        let pipes: Vec<Pipe> = (0..30).map(|number| pipe(&format!("name_{number}"))).collect();
        for pipe in &pipes {
            node.store.set_retention(pipe, Retention::of_length(100)).await.unwrap();
        }
        let batch: Vec<Publish> =
            pipes.iter().map(|pipe| Publish { id_is_chosen: true, ..publish(pipe, "once") }).collect();
        let victim = cluster.owner(&base_of(&cluster, "name_0"));
        // Its replica cannot take over, either: this third is away.
        cluster.servers[victim + 3].freeze();
        cluster.servers[victim].freeze();
        let why = doubt(node.store.publish(batch.clone()).await.unwrap_err());
        assert!(why.contains("parts of this batch") && why.contains("are published"), "{why}");
        cluster.servers[victim].thaw();
        cluster.servers[victim + 3].thaw();
        cluster.until_whole();
        let published = loop {
            if let Ok(published) = node.store.publish(batch.clone()).await {
                break published;
            }
        };
        assert!(published.iter().any(|one| one.is_repeat), "what was done is not done again");
        assert!(published.iter().all(|one| one.position.index == 1));
        for pipe in &pipes {
            assert_eq!(node.history(pipe).await, ["once"]);
        }
    });
}

#[test]
fn a_server_without_a_cluster_and_a_cluster_without_slots_are_named_at_the_start() {
    told(async {
        let server = Server::start();
        let port = server.take_replicas();
        let url = format!("redis+cluster://127.0.0.1:{port}");
        let why = Node::configured(&config_of(LONG_MILLIS, &url)).await.err().map(reason).unwrap();
        assert!(why.contains("cluster support disabled"), "{why}");
        let cluster = Cluster::start();
        let url = format!("redis://127.0.0.1:{}", cluster.ports[1]);
        let why = Node::configured(&config_of(LONG_MILLIS, &url)).await.err().map(reason).unwrap();
        assert!(why.contains("write redis+cluster://"), "{why}");
    });
}
