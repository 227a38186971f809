//! A Redis with replicas: what is acknowledged, they have.

use super::*;

#[test]
fn with_replicas_wanted_nothing_is_acknowledged_that_they_do_not_have() {
    told(async {
        let server = Server::with(&["--save", "", "--repl-diskless-sync-delay", "0"]);
        let port = server.take_replicas();
        let node = Node::configured(&Config { replicas_min: 1, ..config(6_000, &server) }).await.unwrap();
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

#[test]
fn who_waits_for_replicas_holds_nobody_up() {
    told(async {
        let server = Server::with(&["--save", "", "--repl-diskless-sync-delay", "0"]);
        let port = server.take_replicas();
        let node = Node::configured(&Config { replicas_min: 1, ..config(LONG_MILLIS, &server) }).await.unwrap();
        let replica = Server::replica_of(port);
        let pipe = pipe("waited_for");
        node.store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        until(true, async || node.publish(&pipe, "first").await.is_ok()).await;
        let before = node.history(&pipe).await.len();
        replica.freeze();
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..50 {
            let (store, publish) = (Arc::clone(&node.store), publish(&pipe, &number.to_string()));
            waiting.spawn(async move { store.publish(vec![publish]).await });
        }
        let others = async {
            // All of them are written, and none is where it must be.
            until(before + 50, async || node.history(&pipe).await.len()).await;
            for number in 0..50 {
                node.listen(&log(number + 1)).await;
                assert_eq!(node.store.listeners(&log(number + 1)).await.unwrap(), 1);
            }
        };
        tokio::select! {
            done = waiting.join_next() => panic!("the replica does not have it: {done:?}"),
            () = others => {}
        }
        replica.thaw();
        while let Some(published) = waiting.join_next().await {
            published.unwrap().unwrap();
        }
    });
}

#[test]
fn with_too_few_replicas_redis_refuses_what_writes_and_lets_everybody_read() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (pipe, other) = (pipe("few"), pipe("not_there"));
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        let first = node.publish(&pipe, "first").await.unwrap().position;
        node.publish(&pipe, "second").await.unwrap();
        server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        assert_eq!(node.history(&pipe).await, ["first", "second"]);
        assert_eq!(node.recovered(&pipe, first).await.unwrap(), ["second"]);
        assert_eq!(node.history(&other).await, [""; 0]);
        assert_eq!(node.recovered(&other, first).await, None);
        assert_eq!(node.store.listeners(&pipe).await.unwrap(), 0);
        assert_eq!(node.store.retention(&pipe).await.unwrap(), Some(Retention::of_length(10)));
        assert_eq!(node.store.records(TenantId(1), Shelf::Keys, None, 9).await.unwrap(), []);
        for refused in [
            node.publish(&pipe, "third").await.map(drop),
            node.store.listen(&pipe, EarId(0)).await.map(drop),
            node.store.set_retention(&pipe, Retention::of_length(5)).await,
        ] {
            let why = reason(refused.unwrap_err());
            assert!(why.contains("too few replicas (min-replicas-to-write)"), "{why}");
        }
        server.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        assert_eq!(node.publish(&pipe, "third").await.unwrap().position.index, 3);
    });
}
