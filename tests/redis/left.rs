//! What a node leaves behind that dies or stops, and who sees to it.

use cometql::store::CallId;

use super::*;

pub const CONNECTION: ConnectionId = ConnectionId { node: 1, shard: 2, slot: 3, serial: 4 };

pub fn will(text: &str) -> (Event, Message) {
    ("gone".parse().unwrap(), Message::new(text.to_owned(), usize::MAX).unwrap())
}

/// Asks until somebody's remains are there to be seen to.
pub async fn left_behind(node: &Node) -> Vec<LeftBehind> {
    loop {
        let left = node.store.left_behind().await.unwrap();
        if !left.is_empty() {
            return left;
        }
        tokio::task::yield_now().await;
    }
}

fn pipes(left: &[LeftBehind]) -> Vec<Pipe> {
    let mut pipes: Vec<Pipe> = left.iter().map(|left| left.pipe.clone()).collect();
    pipes.sort_unstable();
    pipes
}

#[test]
fn a_node_that_dies_counts_no_more_and_one_other_sees_to_what_it_left() {
    told(async {
        let server = Server::start();
        let dying = Node::on(&server, LONG_MILLIS).await;
        let living = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let (both, its, its_log) = (pipe("both"), pipe("its"), log(7));
        for pipe in [&both, &its, &its_log] {
            dying.listen(pipe).await;
        }
        living[0].listen(&both).await;
        for serial in 0..3 {
            let connection = ConnectionId { serial, ..CONNECTION };
            dying.store.set_will(&its, connection, Some(will(&serial.to_string()))).await.unwrap();
        }
        dying.store.set_will(&its, ConnectionId { serial: 1, ..CONNECTION }, None).await.unwrap();
        assert_eq!(living[0].publish(&both, "to two").await.unwrap().receivers, 2);
        // Its tasks end with it, and nobody tells Redis.
        drop(dying);
        for node in &living {
            until(1, async || node.store.listeners(&both).await.unwrap()).await;
            until(0, async || node.store.listeners(&its).await.unwrap()).await;
        }
        assert_eq!(living[0].publish(&both, "to one").await.unwrap().receivers, 1);
        assert_eq!(living[1].store.listened(TenantId(1), None, 9).await.unwrap().len(), 1);

        let left = left_behind(&living[0]).await;
        assert_eq!(pipes(&left), [both.clone(), its.clone(), its_log.clone()]);
        assert!(living[1].store.left_behind().await.unwrap().is_empty(), "one sees to it");
        let of_its = left.iter().find(|left| left.pipe == its).unwrap();
        let mut texts: Vec<&str> = of_its.wills.iter().map(|(_, _, text)| text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["0", "2"]);
        assert!(living[0].store.disappear(&its_log, CallId::new()).await.unwrap());
        for left in &left {
            living[0].store.settle(left).await.unwrap();
        }
        assert!(living[0].store.left_behind().await.unwrap().is_empty());
        assert_eq!(key(&server, "1:n:its:*"), "", "nothing is left");
        assert_eq!(key(&server, "pipes_of:*").matches("pipes_of").count(), 1, "of the living one");
        assert_eq!(living[0].store.listeners(&both).await.unwrap(), 1);
    });
}

#[test]
fn wills_have_the_same_ids_when_who_saw_to_them_dies_as_well() {
    told(async {
        let server = Server::start();
        let first = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("track_it");
        first.listen(&pipe).await;
        first.store.set_will(&pipe, CONNECTION, Some(will("left"))).await.unwrap();
        first.store.close().await;
        // Nobody was there: the next that starts sees to it.
        let second = Node::on(&server, LONG_MILLIS).await;
        let reader = Node::on(&server, LONG_MILLIS).await;
        assert_eq!(second.store.listeners(&pipe).await.unwrap(), 0);
        reader.listen(&pipe).await;
        let publish_wills = async |node: &Node, left: &[LeftBehind]| {
            let wills = left.iter().flat_map(|left| left.wills.clone());
            let wills = wills.map(|(id, event, message)| Publish {
                id,
                event,
                message,
                id_is_chosen: true,
                ..publish(&pipe, "")
            });
            node.store.publish(wills.collect()).await.unwrap()
        };
        let left = left_behind(&second).await;
        assert!(!publish_wills(&second, &left).await[0].is_repeat);
        // It dies before it has settled it.
        drop(second);
        let again = left_behind(&reader).await;
        assert_eq!(again[0].wills[0].0, left[0].wills[0].0);
        assert!(publish_wills(&reader, &again).await[0].is_repeat, "who listens hears it once");
        reader.store.settle(&again[0]).await.unwrap();
        assert_eq!(texts(&reader.ear.take()), ["left"]);
        assert_eq!(key(&server, "1:n:track_it:wills:*"), "");
    });
}

#[test]
fn a_user_who_has_left_and_is_still_elsewhere_leaves_nothing_to_the_node() {
    told(async {
        let server = Server::start();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        for node in &nodes {
            node.listen(&log(7)).await;
        }
        let noted = || server.ask(&["KEYS", "*pipes_of:*"]).matches("pipes_of").count();
        assert_eq!(noted(), 2);
        assert_eq!(nodes[0].store.unlisten(&log(7), EarId(0)).await, Ok(1));
        assert_eq!(noted(), 1, "the other sees to it when he goes");
        assert_eq!(nodes[1].store.unlisten(&log(7), EarId(0)).await, Ok(0));
        assert_eq!(noted(), 1, "which is not said yet");
        assert_eq!(nodes[1].store.disappear(&log(7), CallId::new()).await, Ok(true));
        assert_eq!(noted(), 0);
    });
}

#[test]
fn a_user_who_had_just_left_when_the_node_died_is_seen_to() {
    told(async {
        let server = Server::start();
        let (dying, living) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let log = log(7);
        dying.listen(&log).await;
        // It may come back in a moment, and meanwhile nobody is told.
        dying.store.unlisten(&log, EarId(0)).await.unwrap();
        dying.store.close().await;
        let left = left_behind(&living).await;
        assert_eq!(pipes(&left), std::slice::from_ref(&log));
        assert!(living.store.disappear(&log, CallId::new()).await.unwrap());
        living.store.settle(&left[0]).await.unwrap();
        assert!(!living.store.disappear(&log, CallId::new()).await.unwrap());
    });
}

#[test]
fn many_pipes_and_wills_are_seen_to_part_by_part_and_the_node_is_forgotten_in_the_end() {
    told(async {
        let server = Server::start();
        let (dying, living) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let tracked = pipe("track_many");
        for number in 0..250 {
            dying.listen(&pipe(&format!("pipe_{number}"))).await;
        }
        for serial in 0..450 {
            let connection = ConnectionId { serial, ..CONNECTION };
            dying.store.set_will(&tracked, connection, Some(will(&serial.to_string()))).await.unwrap();
        }
        dying.store.close().await;
        let (mut seen, mut wills) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        while seen.len() < 251 || wills.len() < 450 {
            let left = left_behind(&living).await;
            assert!(left.len() <= 100);
            for left in &left {
                seen.insert(left.pipe.clone());
                for (id, _, _) in &left.wills {
                    assert!(wills.insert(*id), "once");
                }
                living.store.settle(left).await.unwrap();
            }
        }
        assert!(living.store.left_behind().await.unwrap().is_empty());
        // Once more after two minutes, which are made to be over.
        let gone = server.ask(&["HGETALL", "cometql:{nodes}:gone"]);
        let lines: Vec<&str> = gone.lines().collect();
        let (name, said) = (lines[2], lines[4]);
        assert!(said.starts_with("1 ") && said.ends_with(" - 0"), "{said}");
        server.ask(&["HSET", "cometql:{nodes}:gone", name, "1 1 1 - 0"]);
        assert!(living.store.left_behind().await.unwrap().is_empty());
        assert_eq!(server.ask(&["EXISTS", "cometql:{nodes}:gone"]), ":0\r\n");
    });
}

#[test]
fn what_is_left_of_a_node_that_nobody_remembers_is_seen_to() {
    told(async {
        let server = Server::start();
        let (dying, living) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("orphaned");
        dying.listen(&pipe).await;
        drop(dying);
        // As when one server of a cluster has lost its memory.
        server.ask(&["DEL", "cometql:{nodes}:leases", "cometql:{nodes}:gone"]);
        let left = left_behind(&living).await;
        assert_eq!(pipes(&left), std::slice::from_ref(&pipe));
        living.store.settle(&left[0]).await.unwrap();
        assert_eq!(living.store.listeners(&pipe).await.unwrap(), 0);
        assert_eq!(key(&server, "nodes"), "");
    });
}
