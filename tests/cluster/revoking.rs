//! Who is sent away on one node is sent away on all.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{KeyInit, Mac};
use mysql_async::prelude::Queryable;
use serde_json::json;

use super::browser::Browser;
use super::house::PASSWORD;
use super::server::Redis;
use super::{House, connect, until};

/// A browser of each generation, logged in.
fn devices(address: SocketAddr, user: u32, key: &str) -> (Browser, Browser) {
    let target = format!("/ws/sesion={key}&myid={user}&devid=0&v=4.08&uuid=four{user}&api=js");
    let (mut four, _) = Browser::upgrade(address, &target);
    assert_eq!(four.frame().json()["authorized"], true);
    let mut five = Browser::five(address);
    assert_eq!(five.ask(&json!({"do": "hello", "user": user, "key": key}))["user"], user);
    assert_eq!(five.hear()["is"], "subscribed", "its log");
    (four, five)
}

fn token(user: u32) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"user_id\":{user},\"exp\":9000000000}}"));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{PASSWORD}0").as_bytes()).unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_deleted_and_a_token_that_is_revoked_send_away_on_every_node() {
    let redis = Redis::start();
    let house = House::over(&redis).await;
    house.tell(0, "INSERT INTO users_auth (id, hash) VALUES (51, 'key51'), (53, 'key53')").await;
    let token = token(52);
    let addresses = [0, 1, 2].map(|number| house.node(number).browsers);
    let deleted = addresses.map(|address| devices(address, 51, "key51"));
    let revoked = addresses.map(|address| devices(address, 52, &token));
    let mut staying = addresses.map(|address| devices(address, 53, "key53"));
    house.tell(1, "DELETE FROM users_auth WHERE id = 51").await;
    house.tell(2, &format!("INSERT INTO revoked_tokens (token) VALUES ('{token}')")).await;
    for (mut four, mut five) in deleted.into_iter().chain(revoked) {
        assert_eq!(five.closed().0, 4203);
        while let Some(frame) = four.frame_or_end() {
            assert_ne!(frame.first_byte, 0x81, "nothing more is said to it: {frame:?}");
        }
    }
    for address in addresses {
        for (user, key) in [(51, "key51"), (52, token.as_str())] {
            let mut refused = Browser::five(address);
            assert_eq!(refused.ask(&json!({"do": "hello", "user": user, "key": key}))["user"], json!(null));
        }
    }
    for (_, five) in &mut staying {
        assert_eq!(five.ask(&json!({"do": "ping", "id": 1})), json!({"is": "answer", "id": 1}));
    }
    house.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_and_browsers_are_listed_and_killed_from_any_node() {
    let redis = Redis::start();
    let house = House::over(&redis).await;
    for (number, at) in [(0, 1), (1, 2), (2, 0)] {
        let mut client = connect(house.node(number).sql).await.unwrap();
        let id: u64 = client.query_first("SELECT CONNECTION_ID()").await.unwrap().unwrap();
        let listed = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id}");
        house.until_all_say(&listed, &[&["1"]]).await;
        house.tell(at, &format!("KILL {id}")).await;
        client.query_drop("SELECT 1").await.expect_err("it was ended");
        house.until_all_say(&listed, &[&["0"]]).await;
    }
    let mut browser = Browser::follower(house.node(0).browsers, &["room"]);
    let select = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Browser'";
    let mine = async |number: usize| house.ask(number, select).await;
    until(&1, async || mine(2).await.len()).await;
    let id = mine(2).await[0][0].clone();
    house.tell(1, &format!("KILL {id}")).await;
    assert_eq!(browser.closed().0, 4102);
    house.end(&[]).await;
}
