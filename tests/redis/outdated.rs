//! A Redis that has gone back and knows of listeners who have left since.

use cometql::store::CallId;

use super::*;
use crate::server::Cluster;

/// Who listened has left, and the others were told that the user has gone.
async fn leave(node: &Node, pipe: &Pipe, log: &Pipe) {
    assert_eq!(node.store.unlisten(pipe, EarId(0)).await.unwrap(), 0);
    assert_eq!(node.store.unlisten(log, EarId(0)).await.unwrap(), 0);
    assert!(node.store.disappear(log, CallId::new()).await.unwrap());
}

/// Redis knows in the end that nobody listens; that the user has gone is told once more, as Redis does not know it.
async fn is_taken_back(node: &Node, pipe: &Pipe, log: &Pipe) {
    for pipe in [pipe, log] {
        until(0, async || node.store.listeners(pipe).await.unwrap()).await;
    }
    let left =
        async || node.store.left_behind().await.unwrap().iter().map(|left| left.pipe.clone()).collect::<Vec<_>>();
    until(vec![log.clone()], left).await;
    assert_eq!(left().await, vec![log.clone()], "as long as nobody has seen to it");
    assert!(node.store.disappear(log, CallId::new()).await.unwrap());
    for one in node.store.left_behind().await.unwrap() {
        node.store.settle(&one).await.unwrap();
    }
    assert_eq!(left().await, []);
    assert!(node.store.listen(log, EarId(0)).await.unwrap().has_appeared, "and that he is back is told again");
}

#[test]
fn listeners_that_an_older_state_knows_of_are_taken_back() {
    told(async {
        let mut server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (staying, going, log) = (pipe("staying"), pipe("going"), log(7));
        for pipe in [&staying, &going, &log] {
            node.listen(pipe).await;
        }
        assert_eq!(server.ask(&["SAVE"]), "+OK\r\n");
        leave(&node, &going, &log).await;
        server.kill();
        server.start_again();
        is_taken_back(&node, &going, &log).await;
        assert_eq!(node.store.listeners(&staying).await.unwrap(), 1);
    });
}

#[test]
fn listeners_that_a_replica_knows_of_which_was_behind_are_taken_back() {
    told(async {
        let mut cluster = Cluster::start();
        let node = Node::at(&cluster.url()).await;
        let (going, log) = (pipe("going"), log(7));
        node.listen(&going).await;
        node.listen(&log).await;
        let bases = ["1:n:going", "1:l:7"].map(|name| {
            let found = cluster.servers.iter().map(|server| key(server, name)).find(|base| !base.is_empty());
            found.expect("it is in the cluster")
        });
        let mut victims = bases.map(|base| cluster.owner(&base)).to_vec();
        victims.dedup();
        for victim in &victims {
            until(true, async || cluster.servers[*victim].ask(&["WAIT", "1", "1000"]) == ":1\r\n").await;
            cluster.servers[victim + 3].freeze();
            cluster.servers[*victim].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
        }
        leave(&node, &going, &log).await;
        // One after the other: the majority of the primaries elects the heir.
        for victim in victims {
            cluster.servers[victim].kill();
            cluster.servers[victim + 3].thaw();
            until(true, async || cluster.servers[victim + 3].ask(&["ROLE"]).contains("master")).await;
        }
        is_taken_back(&node, &going, &log).await;
    });
}
