//! Which nodes there are, what they tell each other, and what becomes of one that was away.

use cometql::store::CallId;

use super::*;
use crate::left::{CONNECTION, will};

/// What Redis knows of nodes that are gone, or of those that are there.
fn names(server: &Server, key: &str) -> Vec<String> {
    let answer = server.ask(&["HKEYS", &format!("cometql:{{nodes}}:{key}")]);
    answer.lines().filter(|line| line.len() == 16).map(str::to_owned).collect()
}

#[test]
fn nodes_have_the_smallest_numbers_and_know_each_other() {
    told(async {
        let server = Server::start();
        let one = Node::on(&server, LONG_MILLIS).await;
        assert_eq!(one.store.peers().await.unwrap(), [Peer(1)]);
        let two = Node::on(&server, LONG_MILLIS).await;
        let three = Node::on(&server, LONG_MILLIS).await;
        let mut peers = two.store.peers().await.unwrap();
        assert_eq!(peers[0], Peer(2));
        peers.sort_unstable();
        assert_eq!(peers, [Peer(1), Peer(2), Peer(3)]);
        one.store.close().await;
        assert_eq!(three.store.peers().await.unwrap(), [Peer(3), Peer(2)]);
        let four = Node::on(&server, LONG_MILLIS).await;
        assert_eq!(four.store.peers().await.unwrap()[0], Peer(4), "what the first sent may be on its way");
    });
}

#[test]
fn letters_reach_the_node_of_a_number_as_they_were_sent() {
    told(async {
        let server = Server::start();
        let (one, two) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let letter = |number: u8| vec![0, 0xff, number, b'\r', b'\n'];
        until(true, async || one.store.post(Peer(2), letter(0)).await.unwrap()).await;
        for number in 1..100 {
            assert!(one.store.post(Peer(2), letter(number)).await.unwrap());
        }
        assert!(!one.store.post(Peer(3), letter(0)).await.unwrap(), "nobody is there");
        for number in 0..100 {
            assert_eq!(two.store.letter().await, letter(number));
        }
        until(true, async || two.store.post(Peer(2), b"to itself".to_vec()).await.unwrap()).await;
        assert_eq!(two.store.letter().await, b"to itself");
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        until(true, async || one.store.post(Peer(2), letter(1)).await.unwrap()).await;
        assert_eq!(two.store.letter().await, letter(1), "by the next connection, too");
    });
}

#[test]
fn a_user_is_dismissed_on_every_node_and_one_that_did_not_hear_it_finds_out() {
    told(async {
        let server = Server::start();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let (log, other) = (log(7), log(8));
        for node in &nodes {
            node.listen(&log).await;
            node.listen(&other).await;
        }
        nodes[0].store.dismiss(&log).await.unwrap();
        for node in &nodes {
            let news = node.news_until(is_dismissed).await;
            assert!(matches!(news.as_slice(), [News::Dismissed(pipe)] if *pipe == log), "{news:?}");
        }
        // As if it was announced while nobody heard.
        server.ask(&["HINCRBY", &key(&server, "1:l:8"), "dismissed_at", "1"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        for node in &nodes {
            let news = node.news_until(is_dismissed).await;
            assert!(news.iter().all(|news| match news {
                News::Dismissed(pipe) => *pipe == other,
                news => is_lost_all(news),
            }));
        }
    });
}

#[test]
fn of_all_nodes_one_is_told_that_a_user_came_and_one_that_it_went() {
    told(async {
        let server = Server::start();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let stores = [&nodes[0].store, &nodes[1].store];
        for user in 1..50 {
            let log = log(user);
            let (one, two) = tokio::join!(stores[0].listen(&log, EarId(0)), stores[1].listen(&log, EarId(0)));
            assert_eq!([one, two].iter().filter(|listening| listening.as_ref().unwrap().has_appeared).count(), 1);
            stores[0].unlisten(&log, EarId(0)).await.unwrap();
            assert!(!stores[0].disappear(&log, CallId::new()).await.unwrap(), "the user is here on the other node");
            stores[1].unlisten(&log, EarId(0)).await.unwrap();
            let (one, two) =
                tokio::join!(stores[0].disappear(&log, CallId::new()), stores[1].disappear(&log, CallId::new()));
            assert!(one.unwrap() ^ two.unwrap());
        }
    });
}

#[test]
fn a_user_who_is_here_does_not_appear_because_redis_has_forgotten() {
    told(async {
        let mut server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let log = log(7);
        assert!(node.store.listen(&log, EarId(0)).await.unwrap().has_appeared);
        server.kill();
        server.start_again();
        assert!(!node.store.listen(&log, EarId(0)).await.unwrap().has_appeared, "the others have not forgotten");
        for _ in 0..2 {
            node.store.unlisten(&log, EarId(0)).await.unwrap();
        }
        let call = CallId::new();
        for _ in 0..2 {
            assert!(node.store.disappear(&log, call).await.unwrap(), "the same call is answered the same");
        }
        assert!(!node.store.disappear(&log, CallId::new()).await.unwrap(), "one is told");
        assert!(node.store.listen(&log, EarId(0)).await.unwrap().has_appeared);
        assert!(!node.store.disappear(&log, call).await.unwrap(), "he is back");
    });
}

#[test]
fn a_node_that_was_taken_for_dead_comes_back_as_another_with_all_that_was_said() {
    told(async {
        let server = Server::start();
        let (one, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("leased");
        one.listen(&pipe).await;
        one.store.set_will(&pipe, CONNECTION, Some(will("gone"))).await.unwrap();
        let leases = names(&server, "leases");
        let dead = leases.iter().find(|name| !key(&server, &format!("1:n:leased:wills:{name}")).is_empty()).unwrap();
        // As when it was cut off for so long.
        server.ask(&["HDEL", "cometql:{nodes}:leases", dead]);
        server.ask(&["HSET", "cometql:{nodes}:gone", dead, "1 1 0 - 0"]);
        until(true, async || !names(&server, "leases").is_empty() && names(&server, "leases").len() == 2).await;
        until(1, async || other.store.listeners(&pipe).await.unwrap()).await;
        assert_eq!(one.store.peers().await.unwrap()[0], Peer(1), "the number stays");
        until(String::new(), async || key(&server, &format!("pipes_of:{dead}"))).await;
        let will = |name: &str| key(&server, &format!("1:n:leased:wills:{name}"));
        until(true, async || names(&server, "leases").iter().any(|name| !will(name).is_empty())).await;
        assert_eq!(will(dead), "");
        assert_eq!(other.store.left_behind().await.unwrap().len(), 0);
    });
}

#[test]
fn who_was_said_to_have_gone_from_a_node_that_lives_appears_again() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        assert!(node.store.listen(&log(7), EarId(0)).await.unwrap().has_appeared);
        let name = names(&server, "leases").remove(0);
        // As when it was cut off for so long, and another has said that the user has gone.
        server.ask(&["HDEL", &key(&server, "1:l:7"), "present"]);
        server.ask(&["HDEL", "cometql:{nodes}:leases", &name]);
        server.ask(&["HSET", "cometql:{nodes}:gone", &name, "1 1 0 - 0"]);
        until(vec![log(7)], async || node.store.appeared().await).await;
        until(true, async || names(&server, "leases").len() == 1 && names(&server, "leases") != [name.clone()]).await;
        assert_eq!(node.store.appeared().await, [], "once");
        assert!(!node.store.listen(&log(7), EarId(0)).await.unwrap().has_appeared);
    });
}

#[test]
fn nobody_is_taken_for_dead_because_redis_was_away() {
    told(async {
        let mut server = Server::that_keeps();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let pipe = pipe("away");
        for node in &nodes {
            node.listen(&pipe).await;
        }
        let before = names(&server, "leases");
        server.kill();
        // Every lease is over when it comes back: as long as that takes by the clock that Redis goes by.
        let ended = Instant::now() + Duration::from_secs(7);
        until(true, async || Instant::now() > ended).await;
        server.start_again();
        for node in &nodes {
            until(2, async || node.store.listeners(&pipe).await.unwrap()).await;
        }
        // Longer than a lease, in which the nodes renew theirs one after the other.
        let ended = Instant::now() + Duration::from_secs(8);
        until(true, async || {
            assert_eq!(names(&server, "gone"), [""; 0]);
            Instant::now() > ended
        })
        .await;
        let (mut before, mut after) = (before, names(&server, "leases"));
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(before, after);
    });
}

#[test]
fn what_cannot_be_taken_back_of_a_former_name_keeps_nobody_from_being_told() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        node.listen(&pipe("told")).await;
        let name = names(&server, "leases").remove(0);
        // As if the server of a cluster that has it could not be asked.
        server.ask(&["SET", &key(&server, &format!("pipes_of:{name}")), "no set"]);
        server.ask(&["HDEL", "cometql:{nodes}:leases", &name]);
        server.ask(&["HSET", "cometql:{nodes}:gone", &name, "1 1 0 - 0"]);
        until(true, async || names(&server, "leases").first().is_some_and(|now| *now != name)).await;
        let now = names(&server, "leases").remove(0);
        let listeners = key(&server, "1:n:told:listeners");
        until(true, async || server.ask(&["HKEYS", &listeners]).contains(&now)).await;
    });
}

fn refused_scripts(server: &Server) -> u64 {
    let info = server.ask(&["INFO", "commandstats"]);
    let scripts = info.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    let refused = scripts.split(',').find_map(|part| part.strip_prefix("rejected_calls=")).unwrap();
    refused.trim().parse().unwrap()
}

#[test]
fn who_was_said_to_have_gone_appears_again_although_everybody_has_forgotten_the_node() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        assert!(node.store.listen(&log(7), EarId(0)).await.unwrap().has_appeared);
        let name = names(&server, "leases").remove(0);
        // It is cut off from everything that it tells, and was gone for so long that nobody knows of it.
        server.ask(&["ACL", "SETUSER", "default", "-evalsha"]);
        // A lease that was on its way has been answered when so much that came later was refused.
        until(true, async || refused_scripts(&server) >= 10).await;
        server.ask(&["HDEL", &key(&server, "1:l:7"), "present"]);
        server.ask(&["HDEL", "cometql:{nodes}:leases", &name]);
        node.clock.forward(130_000);
        server.ask(&["ACL", "SETUSER", "default", "+evalsha"]);
        until(vec![log(7)], async || node.store.appeared().await).await;
        assert_eq!(names(&server, "leases"), [name], "nobody had another name for it");
        assert!(!node.store.listen(&log(7), EarId(0)).await.unwrap().has_appeared);
        assert_eq!(node.store.appeared().await, [], "once");
    });
}

#[test]
fn a_node_that_was_taken_for_dead_has_one_other_name_however_many_ask_for_its_lease() {
    told(async {
        let mut server = Server::that_keeps();
        let node = Node::on(&server, LONG_MILLIS).await;
        assert_eq!(node.store.peers().await.unwrap(), [Peer(1)]);
        let name = names(&server, "leases").remove(0);
        server.ask(&["ACL", "SETUSER", "default", "-evalsha"]);
        server.ask(&["HDEL", "cometql:{nodes}:leases", &name]);
        server.ask(&["HSET", "cometql:{nodes}:gone", &name, "1 1 0 - 0"]);
        server.kill();
        // All of them ask by the name that it has until then.
        let ask = || node.store.peers();
        let asked = async { tokio::join!(ask(), ask(), ask(), ask(), async { server.start_again() }) };
        let (first, second, third, fourth, ()) = asked.await;
        for peers in [first, second, third, fourth] {
            assert_eq!(peers.unwrap(), [Peer(1)], "the number stays");
        }
        let leases = names(&server, "leases");
        assert!(leases.len() == 1 && leases != [name], "{leases:?}");
    });
}
