//! A Redis with replicas: what is acknowledged, they have.

use super::*;

#[test]
fn with_replicas_wanted_nothing_is_acknowledged_that_they_do_not_have() {
    told(async {
        let server = Server::with(&["--save", "", "--repl-diskless-sync-delay", "0"]);
        let port = server.take_replicas();
        let node = Node::configured(&Config { replicas_min: 1, ..config(2_000, &server) }).await.unwrap();
        let pipe = pipe("replicated");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        let why = doubt(node.publish(&pipe, "alone").await.unwrap_err());
        assert!(why.contains("0 of 1 replicas (redis_replicas_min) have it"), "{why}");
        assert!(why.contains("may have been done"), "{why}");

        let replica = Server::replica_of(port);
        until(true, async || node.publish(&pipe, "early").await.is_ok()).await;
        node.publish(&pipe, "both").await.unwrap();
        let length = replica.ask(&["XLEN", &key(&server, "1:n:replicated:kept")]);
        assert_eq!(length, server.ask(&["XLEN", &key(&server, "1:n:replicated:kept")]), "the replica has all of it");
        assert_ne!(length.trim(), ":0");

        // One that lags behind is no copy: what was not acknowledged is said again and is one message.
        replica.freeze();
        let chosen = Publish { id_is_chosen: true, ..publish(&pipe, "once") };
        let why = doubt(node.store.publish(vec![chosen.clone()]).await.unwrap_err());
        assert!(why.contains("0 of 1 replicas"), "{why}");
        replica.thaw();
        until(true, async || node.store.publish(vec![chosen.clone()]).await.is_ok_and(|all| all[0].is_repeat)).await;
        let once = node.history(&pipe).await.iter().filter(|text| *text == "once").count();
        assert_eq!(once, 1);
    });
}
