//! Nothing dies.

use serde_json::json;

use super::House;
use super::browser::Browser;
use super::load::Load;
use super::server::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_what_is_published_on_any_node() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    load.acknowledged(300).await;
    let told = load.end().await;
    assert!(told.iter().all(|told| told.index.is_some()), "nothing was in the way of an answer");
    house.end(&told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_says_the_same_of_all() {
    let redis = Redis::start();
    let house = House::over(&redis).await;
    house.tell(1, "INSERT INTO users_auth (id, hash) VALUES (61, 'key61')").await;
    let addresses = [0, 1, 2].map(|number| house.node(number).browsers);
    let _room = addresses.map(|address| Browser::follower(address, &["room"]));
    let mut user = Browser::five(addresses[2]);
    assert_eq!(user.ask(&json!({"do": "hello", "user": 61, "key": "key61"}))["user"], 61);
    user.follow(&json!({"pipe": "room"}));
    house.until_all_say("SELECT users FROM pipes WHERE name = 'room'", &[&["4"]]).await;
    house.until_all_say("SELECT name, users FROM pipes", &[&["room", "4"]]).await;
    let listed = "SELECT user_id FROM users_in_pipes WHERE name = 'room' ORDER BY user_id";
    house.until_all_say(listed, &[&["0"], &["0"], &["0"], &["61"]]).await;
    let nodes = "SELECT DISTINCT node FROM users_in_pipes WHERE name = 'room' ORDER BY node";
    house.until_all_say(nodes, &[&["1"], &["2"], &["3"]]).await;
    house.until_all_say("SELECT id, time FROM users_time", &[&["61", "0"]]).await;
    house.until_all_say("SHOW GLOBAL STATUS LIKE 'frontend_online'", &[&["frontend_online", "4"]]).await;
    house.tell(0, "INSERT INTO users_data (id, data) VALUES (61, 'known everywhere')").await;
    house.until_all_say("SELECT data FROM users_data WHERE id = 61", &[&["known everywhere"]]).await;
    house.end(&[]).await;
}
