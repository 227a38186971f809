//! A server of a Redis Cluster refuses a script that touches keys of two slots. This one has all slots, so it refuses
//! nothing else.

use cometql::store::{CallId, Record, Shelf};

use super::*;

#[test]
fn no_script_touches_more_than_one_slot() {
    told(async {
        // For a bus that nobody takes.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let server = Server::with(&["--save", "", "--cluster-enabled", "yes", "--cluster-port", &port]);
        server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        let ok = async || server.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        until(true, ok).await;
        let foreign = server.ask(&["EVAL", "#!lua\nreturn redis.call('GET', 'a')", "1", "b"]);
        assert!(foreign.starts_with('-'), "it would be let through: {foreign}");
        let (node, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let store = &node.store;
        for number in 0..20 {
            let (pipe, log) = (pipe(&format!("pipe_{number}")), log(number + 1));
            store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
            for pipe in [&pipe, &log] {
                let position = node.listen(pipe).await;
                other.listen(pipe).await;
                let chosen = Publish { id_is_chosen: true, ..publish(pipe, "x") };
                assert_eq!(store.publish(vec![chosen]).await.unwrap()[0].receivers, 2);
                assert_eq!(node.recovered(pipe, position).await.unwrap(), ["x"]);
                assert_eq!(node.history(pipe).await, ["x"]);
            }
            other.store.set_will(&pipe, left::CONNECTION, Some(left::will("gone"))).await.unwrap();
            store.take(&log, 1).await.unwrap();
            store.dismiss(&log).await.unwrap();
            assert!(!store.disappear(&log, CallId::new()).await.unwrap());
            assert_eq!(store.erase(&log, &[1]).await.unwrap(), 1);
            let record = Record::Key(UserId::new(number + 1).unwrap());
            store.set_record(TenantId(1), &record, Some("hash".into())).await.unwrap();
            assert_eq!(store.record(TenantId(1), &record).await.unwrap().as_deref(), Some("hash"));
        }
        assert_eq!(store.kept(TenantId(1), None, 50).await.unwrap().len(), 20);
        assert_eq!(store.listened(TenantId(1), None, 50).await.unwrap().len(), 20);
        assert_eq!(store.logs(TenantId(1), None, 50).await.unwrap().len(), 20);
        assert_eq!(store.retentions(TenantId(1), None, 50).await.unwrap().len(), 20);
        assert_eq!(store.records(TenantId(1), Shelf::Keys, None, 50).await.unwrap().len(), 20);
        assert!(other.store.post(Peer(1), b"letter".to_vec()).await.unwrap());
        assert_eq!(store.letter().await, b"letter");
        other.store.close().await;
        let left = left::left_behind(&node).await;
        assert_eq!(left.len(), 40);
        for left in &left {
            assert_eq!(left.wills.len(), usize::from(matches!(left.pipe, Pipe::Named(..))));
            store.settle(left).await.unwrap();
        }
        // Its connections break, and everything is compared and told once more.
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        node.news_until(is_lost_all).await;
        assert!(store.remove_retention(&pipe("pipe_3")).await.unwrap());
        until(1, async || store.listeners(&pipe("pipe_3")).await.unwrap()).await;
    });
}
