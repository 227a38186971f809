//! A Redis that hangs, refuses, or is not what we need.

use super::*;
use crate::server::Sentinels;

#[test]
fn a_redis_that_hangs_is_noticed_in_time_and_is_used_again() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, SHORT_MILLIS).await;
        let pipe = pipe("hanging");
        node.listen(&pipe).await;
        server.freeze();
        let why = doubt(node.publish(&pipe, "lost or not").await.unwrap_err());
        assert!(why.contains("has not answered within 500 ms, so it may have been done or not"), "{why}");
        let why = loop {
            // Once the connection is known to be of no use, nothing is sent any more.
            if let StoreError::Unavailable(why) = node.publish(&pipe, "not sent").await.unwrap_err() {
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
fn a_chosen_id_that_was_sent_and_not_answered_may_have_been_published() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, SHORT_MILLIS).await;
        let pipe = pipe("chosen");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        server.freeze();
        let chosen = Publish { id_is_chosen: true, ..publish(&pipe, "once") };
        let why = doubt(node.store.publish(vec![chosen.clone()]).await.unwrap_err());
        assert!(why.contains("it may have been done or not"), "{why}");
        server.thaw();
        until(true, async || node.store.publish(vec![chosen.clone()]).await.is_ok()).await;
        assert_eq!(node.history(&pipe).await, ["once"]);
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

#[test]
fn tls_asks_redis_who_it_is() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let server = Server::with_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
    let flags = ["--log", "warn", "--memory", "--store", &server.tls_url()];
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger = node::Home::new(&flags);
    let trusted = stranger.path().join("trusted.pem");
    std::fs::write(&trusted, other.cert.pem()).unwrap();
    let stranger = stranger.with_variable("SSL_CERT_FILE", &trusted.display().to_string());
    let end = stranger.run(&flags);
    assert!(end.stderr.contains("invalid peer certificate"), "{}", end.stderr);
    let node = node::Home::new(&flags).with_variable("SSL_CERT_FILE", &server.certificate()).start();
    assert!(node.first_lines[3].contains("in Redis at rediss://localhost:"), "{:?}", node.first_lines);
}

#[test]
fn publishers_wait_while_a_server_is_a_replica_or_loads_its_data() {
    told(async {
        let server = Server::with(&["--save", "", "--enable-debug-command", "yes", "--key-load-delay", "10000"]);
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("waiting");
        node.store.set_retention(&pipe, Retention::of_length(500)).await.unwrap();
        for number in 0..100 {
            node.publish(&pipe, &number.to_string()).await.unwrap();
        }
        assert!(server.ask(&["REPLICAOF", "127.0.0.1", "1"]).starts_with("+OK"));
        let mut waiting = Box::pin(node.publish(&pipe, "as a replica"));
        tokio::select! {
            done = &mut waiting => panic!("a replica takes no writes: {done:?}"),
            () = until(true, async || !is_connected(&server)) => {}
        }
        assert!(server.ask(&["REPLICAOF", "NO", "ONE"]).starts_with("+OK"));
        let before = waiting.await.unwrap().position;
        // It reads back what it has, which takes ten milliseconds a key.
        let reload = std::thread::spawn({
            let socket = server.socket();
            move || {
                drop(std::os::unix::net::UnixStream::connect(socket).map(|mut redis| {
                    std::io::Write::write_all(&mut redis, b"DEBUG RELOAD\r\n").unwrap();
                    std::io::Read::read(&mut redis, &mut [0; 64]).unwrap();
                }))
            }
        });
        let after = node.publish(&pipe, "while it loads or behind that").await.unwrap().position;
        assert_eq!(after, Position { index: before.index + 1, ..before });
        reload.join().unwrap();
    });
}

/// Whether a node is connected, and not only whoever asks.
fn is_connected(server: &Server) -> bool {
    server.ask(&["CLIENT", "LIST", "TYPE", "normal"]).contains("cmd=evalsha")
}

#[test]
fn a_redis_that_cannot_save_refuses_and_says_so_until_it_can() {
    told(async {
        let server = Server::with(&["--save", "3600 1", "--dbfilename", "taken"]);
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("unsaved");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        node.publish(&pipe, "1").await.unwrap();
        // A directory in the place of the file, which not even root can write over.
        let taken = server.socket().with_file_name("taken");
        std::fs::create_dir_all(taken.join("inside")).unwrap();
        server.ask(&["BGSAVE"]);
        until(true, async || server.ask(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err")).await;
        let why = reason(node.publish(&pipe, "refused").await.unwrap_err());
        assert!(why.contains("cannot save to its disk") && why.contains("nothing was done"), "{why}");
        std::fs::remove_dir_all(&taken).unwrap();
        server.ask(&["BGSAVE"]);
        until(true, async || server.ask(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:ok")).await;
        assert_eq!(node.publish(&pipe, "2").await.unwrap().position.index, 2);
        assert_eq!(node.history(&pipe).await, ["1", "2"]);
    });
}

/// The rights that docs/REDIS.md says a user needs.
fn needed_rights() -> Vec<&'static str> {
    let line = include_str!("../../docs/REDIS.md").lines().find(|line| line.contains("with restricted rights needs"));
    line.and_then(|line| line.split('`').nth(1)).expect("they stand there").split(' ').collect()
}

/// Lets a user in who has these rights and no others.
fn let_in(server: &Server, rights: &[&str]) {
    let user = ["ACL", "SETUSER", "cometql", "reset", "on", ">secret"];
    assert_eq!(server.ask(&[&user[..], rights].concat()), "+OK\r\n");
}

async fn must_do_everything(node: &Node) {
    let pipe = pipe("restricted");
    node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
    node.listen(&pipe).await;
    node.publish(&pipe, "heard").await.unwrap();
    node.heard_until("heard").await;
    assert_eq!(node.history(&pipe).await, ["heard"]);
    assert_eq!(node.store.tenants(None, 9).await.unwrap(), [TenantId(1)]);
}

#[test]
fn a_user_with_the_rights_of_the_documentation_does_everything_also_behind_sentinels() {
    told(async {
        let rights = needed_rights();
        let server = Server::start();
        let_in(&server, &rights);
        must_do_everything(&Node::at(&format!("{}?user=cometql&pass=secret", server.url())).await).await;
        let all = Sentinels::start();
        all.servers.iter().for_each(|server| let_in(server, &rights));
        must_do_everything(&Node::at(&all.url().replace("://", "://cometql:secret@")).await).await;
    });
}

#[test]
fn a_user_who_may_not_ask_for_the_version_is_told_so_at_the_start() {
    told(async {
        let server = Server::start();
        let rights: Vec<&str> = needed_rights().into_iter().filter(|right| *right != "+info").collect();
        let_in(&server, &rights);
        let config = config_of(LONG_MILLIS, &format!("{}?user=cometql&pass=secret", server.url()));
        let why = Node::configured(&config).await.err().map(reason).unwrap();
        assert!(why.contains("may not do that") && why.contains("info"), "{why}");
    });
}
