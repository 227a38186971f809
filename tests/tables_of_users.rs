//! What statements on the tables about users do to users: who is sent away, what waits for whom, and that tenants are
//! kept apart. What they answer is told in `sql/`.
#![allow(clippy::unwrap_used, clippy::panic)]

// Nobody moves the clock here.
#[allow(dead_code)]
#[path = "world/clock.rs"]
mod clock;
#[path = "world/shard.rs"]
mod shard;
#[path = "world/tables.rs"]
mod world;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cometql::node::{Answer, Ask, EarId};
use cometql::pipe::{Pipe, PipeName};
use cometql::tables::{Caller, Reply, Value};
use cometql::user::{Credentials, TenantId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shard::{StillShard, connected, present};
use world::{World, code, rows, run, text, world, world_with};

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn number(number: i64) -> Value {
    Value::Integer(number)
}

/// A token of user 7, signed as those of a tenant whose secret is this.
fn token(secret: &str) -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let signed = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(r#"{"user_id":7,"exp":9999999999}"#));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn logs_in(world: &World, tenant: u32, key: &str) -> bool {
    let credentials = Credentials { tenant: TenantId(tenant), user: user(7), key: key.to_owned() };
    matches!(world.node.run(Ask::Authorise(credentials)).await, Answer::Authorised(Ok(true)))
}

async fn affected(caller: &mut Caller, statement: &str, parameters: &[Value]) -> u64 {
    match run(caller, statement, parameters).await {
        Ok(Reply::Done(done)) => done.affected,
        Ok(Reply::Rows(_)) => panic!("{statement} answers rows"),
        Err(error) => panic!("{statement}: {error:?}"),
    }
}

#[tokio::test]
async fn who_loses_the_hash_is_sent_away_and_who_gets_another_stays() {
    let world = world().await;
    for user in [2, 3, 7] {
        world.is_here(5, user).await;
    }
    let mut caller = world.caller("5", None).unwrap();
    for hash in ["first", "second"] {
        assert_eq!(affected(&mut caller, "INSERT INTO users_auth VALUES (7, ?)", &[text(hash)]).await, 1);
        assert!(logs_in(&world, 5, hash).await);
        assert!(!logs_in(&world, 0, hash).await, "another tenant's user 7");
    }
    assert!(!logs_in(&world, 5, "first").await);
    assert_eq!(affected(&mut caller, "UPDATE users_auth SET hash = 'third'", &[]).await, 1);
    assert_eq!(code(&mut caller, "INSERT INTO users_auth VALUES (8, 'good'), (7, '')", &[]).await, 12);
    assert_eq!(rows(&mut caller, "SELECT id FROM users_auth", &[]).await, [[number(7)]]);
    assert_eq!(world.sent_away(), []);

    assert_eq!(affected(&mut caller, "DELETE FROM users_auth WHERE id IN (7, 8)", &[]).await, 1);
    assert_eq!(world.sent_away(), [(5, 7)]);
    assert!(!logs_in(&world, 5, "third").await);
    assert_eq!(affected(&mut caller, "INSERT INTO users_auth VALUES (2, 'two'), (3, 'three')", &[]).await, 2);
    let mut root = world.caller("root", None).unwrap();
    assert_eq!(affected(&mut root, "INSERT INTO users_auth VALUES (4, 'four')", &[]).await, 1);
    assert_eq!(affected(&mut caller, "TRUNCATE users_auth", &[]).await, 0);
    assert_eq!(world.sent_away(), [(5, 2), (5, 3)]);
    assert_eq!(rows(&mut root, "SELECT hash FROM users_auth", &[]).await, [[text("four")]]);
}

#[tokio::test]
async fn a_revoked_token_logs_in_nobody_and_its_user_is_sent_away() {
    let world = world().await;
    world.is_here(5, 7).await;
    let mut caller = world.caller("5", None).unwrap();
    let (ours, theirs) = (token("secret5"), token("secret6"));
    let revoke = "INSERT INTO revoked_tokens (token) VALUES (?)";
    assert!(logs_in(&world, 5, &ours).await);
    assert_eq!(affected(&mut caller, "INSERT INTO users_auth VALUES (7, 'hash')", &[]).await, 1);
    assert_eq!(affected(&mut caller, revoke, &[text(&theirs)]).await, 1);
    assert_eq!(world.sent_away(), [], "it opened nothing here");
    assert!(logs_in(&world, 6, &theirs).await, "it is revoked for one tenant");

    assert_eq!(affected(&mut caller, revoke, &[text(&ours)]).await, 1);
    assert_eq!(world.sent_away(), [(5, 7)]);
    assert!(!logs_in(&world, 5, &ours).await);
    assert!(!logs_in(&world, 5, "hash").await, "the hash has gone, too");
    let longest = "t".repeat(4_096);
    assert_eq!(affected(&mut caller, revoke, &[text(&longest)]).await, 1);
    assert_eq!(code(&mut caller, revoke, &[text(&format!("{longest}t"))]).await, 11);
    let found = rows(&mut caller, "SELECT * FROM revoked_tokens WHERE token = ?", &[text(&longest)]).await;
    assert_eq!(found, [[text(&longest)]]);
    assert_eq!(rows(&mut caller, "SELECT COUNT(*) FROM revoked_tokens", &[]).await, [[number(3)]]);
    assert_eq!(affected(&mut caller, "DELETE FROM revoked_tokens WHERE token = ?", &[text(&ours)]).await, 1);
    assert!(logs_in(&world, 5, &ours).await);
}

#[tokio::test]
async fn a_private_message_reaches_one_user_of_one_tenant() {
    let world = world().await;
    for tenant in [TenantId::ROOT, TenantId(5)] {
        world.store.listen(&Pipe::Log(tenant, user(7)), EarId(0)).await.unwrap();
    }
    let mut caller = world.caller("5", None).unwrap();
    let send = "INSERT INTO users_messages (id, event, message) VALUES (?, 'e', ?), (8, 'e', 'to eight')";
    assert_eq!(affected(&mut caller, send, &[text("7"), text("🍵 \\'")]).await, 2);
    assert_eq!(world.heard(), [(5, "🍵 \\'".to_owned())]);
    assert_eq!(code(&mut caller, send, &[number(0), text("x")]).await, 12);
    assert_eq!(code(&mut caller, send, &[number(7), text(&"x".repeat(1_024 * 1_024 + 1))]).await, 11);
    assert_eq!(world.heard(), [], "all or none");
    let mut root = world.caller("root", None).unwrap();
    assert_eq!(rows(&mut root, "SELECT * FROM users_messages", &[]).await, [[]; 0]);
}

#[tokio::test]
async fn only_what_no_device_has_taken_is_shown_and_deleted() {
    let world = world().await;
    let mut caller = world.caller("5", None).unwrap();
    let send = "INSERT INTO users_messages (id, event, message) VALUES (7, 'e', ?)";
    for message in ["a", "b", "c", "d"] {
        assert_eq!(affected(&mut caller, send, &[text(message)]).await, 1);
    }
    assert_eq!(affected(&mut caller, "INSERT INTO users_messages VALUES (9, 0, 'e', 'nine')", &[]).await, 1);
    world.store.take(&Pipe::Log(TenantId(5), user(7)), 2).await.unwrap();
    let seven = [[number(7), number(0), text("c")], [number(7), number(1), text("d")]];
    let all = rows(&mut caller, "SELECT id, `index`, message FROM users_messages", &[]).await;
    assert_eq!(all[..2], seven);
    assert_eq!(all[2..], [[number(9), number(0), text("nine")]]);
    assert_eq!(affected(&mut caller, "DELETE FROM users_messages WHERE id = 7 AND message <> 'd'", &[]).await, 1);
    assert_eq!(affected(&mut caller, "DELETE FROM users_messages WHERE id > 0", &[]).await, 2);
    assert_eq!(rows(&mut caller, "SELECT * FROM users_messages WHERE id IN (7, 9)", &[]).await, [[]; 0]);
    // What was taken is still there for a device that comes back with a position.
    let page = cometql::node::PageMax { messages: 9, bytes: usize::MAX };
    let log = Pipe::Log(TenantId(5), user(7));
    let kept = world.node.history(&log, cometql::node::Since::Beginning, page).await.unwrap();
    let kept: Vec<&str> = kept.messages.iter().map(|delivery| delivery.message.as_str()).collect();
    assert_eq!(kept, ["a", "b"]);
}

#[tokio::test]
async fn a_long_text_about_a_user_is_kept_as_it_is() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    let set = "REPLACE INTO users_data (id, data) VALUES (?, ?)";
    let long = "🍵\\\"'\n".repeat(100_000);
    assert_eq!(affected(&mut caller, set, &[number(7), text(&long)]).await, 1);
    assert_eq!(rows(&mut caller, "SELECT data FROM users_data WHERE id = 7", &[]).await, [[text(&long)]]);
    let too_long = "x".repeat(1_024 * 1_024 + 1);
    assert_eq!(code(&mut caller, set, &[number(7), text(&too_long)]).await, 11);
    assert_eq!(affected(&mut caller, "DELETE FROM users_data WHERE id = 7", &[]).await, 1);
    assert_eq!(world.sent_away(), [], "nobody logs in by this");
}

#[tokio::test]
async fn a_long_list_of_users_comes_page_by_page_and_in_order() {
    let world = world().await;
    let mut caller = world.caller("5", None).unwrap();
    let values: Vec<String> = (1..=2_500).rev().map(|id| format!("({id}, 'h{id}')")).collect();
    let statement = format!("INSERT INTO users_auth (id, hash) VALUES {}", values.join(","));
    assert_eq!(affected(&mut caller, &statement, &[]).await, 2_500);
    let all = rows(&mut caller, "SELECT id FROM users_auth", &[]).await;
    assert_eq!(all, (1..=2_500).map(|id| vec![number(id)]).collect::<Vec<_>>());
    // Who is online and who was before are one list.
    for id in (1..=2_500).step_by(2) {
        world.store.listen(&Pipe::Log(TenantId(5), user(id)), EarId(0)).await.unwrap();
    }
    for id in (1..=2_500).step_by(3) {
        let seen = cometql::node::Record::Seen(user(id));
        world.store.set_record(TenantId(5), &seen, Some("17".to_owned())).await.unwrap();
    }
    let times = rows(&mut caller, "SELECT id, time FROM users_time", &[]).await;
    let wanted = (1..=2_500).filter_map(|id| match (id % 2, id % 3) {
        (1, _) => Some(vec![number(id), number(0)]),
        (_, 1) => Some(vec![number(id), number(17)]),
        _ => None,
    });
    assert_eq!(times, wanted.collect::<Vec<_>>());
}

#[tokio::test]
async fn everybody_in_a_crowded_pipe_is_listed_once() {
    let chat = |tenant| Pipe::Named(TenantId(tenant), PipeName::for_publish("chat").unwrap());
    let mut here: Vec<_> = (0..2_100).map(|slot| (chat(5), present(slot, Some(user(u64::from(slot) + 1))))).collect();
    here.push((chat(0), present(3, None)));
    let world = world_with(StillShard::with(here)).await;
    let mut caller = world.caller("5", None).unwrap();
    let named = rows(&mut caller, "SELECT user_id FROM users_in_pipes WHERE name = 'chat'", &[]).await;
    assert_eq!(named, (1..=2_100).map(|id| vec![number(id)]).collect::<Vec<_>>());
    assert_eq!(rows(&mut caller, "SELECT user_id FROM users_in_pipes", &[]).await, named);
}

#[tokio::test]
async fn of_a_crowd_of_browsers_the_first_ten_thousand_of_the_own_tenant_are_in_the_processlist() {
    // Every other one is somebody else's.
    let crowd = (0..20_050).map(|slot| connected(slot, TenantId(5 + slot % 2), None)).collect();
    let shard = StillShard { connected: crowd, ..StillShard::default() };
    let world = world_with(shard).await;
    let mut caller = world.caller("5", None).unwrap();
    let processes = rows(&mut caller, "SHOW PROCESSLIST", &[]).await;
    assert_eq!((processes.len(), &processes[0][4], &processes[0][5]), (10_001, &text("Sleep"), &number(0)));
    assert!(processes[1..].iter().all(|row| row[3] == text("db_5") && row[4] == text("Browser")));
    let last = &processes[10_000];
    assert_eq!((&last[0], &last[6]), (&Value::Unsigned((1 << 32) + 19_999), &text("19998 pipes")));
    let view = rows(&mut caller, "SELECT * FROM information_schema.PROCESSLIST", &[]).await;
    assert_eq!(view, processes);
    for (number, code_of_kill) in [((1_u64 << 32) + 1, 0), ((1 << 32) + 2, 1094), ((2 << 32) + 1, 1094)] {
        assert_eq!(code(&mut caller, &format!("KILL {number}"), &[]).await, code_of_kill, "{number}");
    }
}
