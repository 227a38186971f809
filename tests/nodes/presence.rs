//! Who is here, on whichever node.

use cometql::node::{Record, Visitor};
use cometql::pipe::Pipe;
use cometql::user::{TenantId, UserId};

use super::world::{House, log, pipe, quiet, until, user, visitor};

const WATCHER: u32 = 1_000;

/// The first node has a connection that hears whether these users are here.
async fn watched(houses: &[House], users: &[UserId]) {
    let pipes: Vec<Pipe> = users.iter().map(|user| pipe(&format!("user_status_{}", user.number()))).collect();
    houses[0].listen(&visitor(&houses[0], WATCHER, None), &pipes.iter().collect::<Vec<_>>(), &[]).await;
}

async fn comes(house: &House, device: &Visitor) {
    house.listen(device, &[&log(device.user.unwrap())], &[]).await;
}

async fn goes(house: &House, device: &Visitor) {
    house.listen(device, &[], &[&log(device.user.unwrap())]).await;
}

fn words(heard: Vec<(String, String)>) -> Vec<String> {
    heard.into_iter().map(|(event, _)| event).collect()
}

#[tokio::test]
async fn a_user_comes_with_his_first_connection_and_goes_with_his_last_wherever_they_are() {
    let houses = quiet(3, 0).await;
    watched(&houses, &[user(42)]).await;
    let devices: Vec<Visitor> =
        houses.iter().flat_map(|house| [0, 1].map(|slot| visitor(house, slot, Some(user(42))))).collect();
    for _ in 0..3 {
        for (place, device) in devices.iter().enumerate() {
            comes(&houses[place / 2], device).await;
        }
        assert_eq!(words(houses[0].heard()), ["online"]);
        for (place, device) in devices.iter().enumerate() {
            assert_eq!(words(houses[0].heard()), [""; 0], "before {place}");
            goes(&houses[place / 2], device).await;
        }
        assert_eq!(words(houses[0].heard_up_to("offline").await), ["offline"]);
    }
    let seen = houses[0].node.record(TenantId::ROOT, &Record::Seen(user(42))).await.unwrap();
    assert_eq!(seen.as_deref(), Some("1700000000"));
}

#[tokio::test]
async fn who_moves_to_another_node_within_the_grace_was_never_away() {
    let houses = quiet(2, 1).await;
    watched(&houses, &[user(42), user(7)]).await;
    let (here, there) = (visitor(&houses[0], 0, Some(user(42))), visitor(&houses[1], 0, Some(user(42))));
    comes(&houses[0], &here).await;
    goes(&houses[0], &here).await;
    comes(&houses[1], &there).await;
    // When it is said that somebody has gone who went later, it would have been said of this one, too.
    let other = visitor(&houses[0], 1, Some(user(7)));
    comes(&houses[0], &other).await;
    goes(&houses[0], &other).await;
    assert_eq!(words(houses[0].heard_up_to("offline").await), ["online", "online", "offline"]);
    goes(&houses[1], &there).await;
    assert_eq!(words(houses[0].heard_up_to("offline").await), ["offline"]);
}

#[tokio::test]
async fn a_node_that_stops_waits_for_the_grace_and_says_who_has_gone() {
    let houses = quiet(2, 1).await;
    watched(&houses, &[user(42), user(7)]).await;
    let moves = visitor(&houses[1], 0, Some(user(42)));
    let leaves = visitor(&houses[1], 1, Some(user(7)));
    for device in [&moves, &leaves] {
        comes(&houses[1], device).await;
        goes(&houses[1], device).await;
    }
    comes(&houses[0], &visitor(&houses[0], 0, Some(user(42)))).await;
    assert_eq!(words(houses[0].heard()), ["online", "online"]);
    houses[1].node.close().await;
    assert_eq!(words(houses[0].heard()), ["offline"]);
}

#[tokio::test]
async fn users_who_come_and_go_crosswise_are_told_of_alternately() {
    let houses = quiet(2, 0).await;
    watched(&houses, &[user(42)]).await;
    let busy = async |house: &House, slot: u32| {
        let device = visitor(house, slot, Some(user(42)));
        for _ in 0..50 {
            comes(house, &device).await;
            tokio::task::yield_now().await;
            goes(house, &device).await;
        }
    };
    tokio::join!(busy(&houses[0], 0), busy(&houses[1], 0), busy(&houses[0], 1), busy(&houses[1], 1));
    let mut heard = Vec::new();
    until("the last word is that he has gone", async || {
        heard.extend(words(houses[0].heard()));
        heard.last().is_some_and(|word| word == "offline")
    })
    .await;
    comes(&houses[1], &visitor(&houses[1], 9, Some(user(42)))).await;
    heard.extend(words(houses[0].heard_up_to("online").await));
    assert_eq!(heard.last().map(String::as_str), Some("online"), "{heard:?}");
}
