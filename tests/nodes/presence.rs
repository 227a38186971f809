//! Who is here, on whichever node.

use cometql::node::{Record, Visitor};
use cometql::pipe::Pipe;
use cometql::user::{TenantId, UserId};

use super::neighbours::{Doing, Fault};
use super::world::{DEADLINE, House, log, pipe, quiet, until, user, visitor};

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

#[tokio::test]
async fn that_a_user_has_gone_is_said_though_the_store_was_away_when_his_grace_ended() {
    // Also when it had done what it was asked, and only its answer was lost.
    for fault in [Fault::Refused, Fault::Unanswered] {
        let houses = quiet(1, 0).await;
        watched(&houses, &[user(42)]).await;
        let device = visitor(&houses[0], 0, Some(user(42)));
        comes(&houses[0], &device).await;
        houses[0].store.goes_wrong(Doing::Disappear, [fault; 2]);
        goes(&houses[0], &device).await;
        assert_eq!(words(houses[0].heard_up_to("offline").await), ["online", "offline"], "{fault:?}");
        comes(&houses[0], &device).await;
        assert_eq!(words(houses[0].heard()), ["online"], "{fault:?}");
    }
}

#[tokio::test]
async fn that_a_user_has_gone_is_said_though_it_cannot_be_written_down_or_said_at_once() {
    let houses = quiet(1, 0).await;
    watched(&houses, &[user(42)]).await;
    let device = visitor(&houses[0], 0, Some(user(42)));
    for doing in [Doing::SetRecord, Doing::Publish] {
        comes(&houses[0], &device).await;
        houses[0].store.goes_wrong(doing, [Fault::Refused]);
        goes(&houses[0], &device).await;
        assert_eq!(words(houses[0].heard_up_to("offline").await), ["online", "offline"], "{doing:?}");
    }
}

#[tokio::test]
async fn that_a_user_is_here_is_said_though_it_could_not_be_said_when_he_came() {
    let houses = quiet(1, 2).await;
    watched(&houses, &[user(42)]).await;
    let device = visitor(&houses[0], 0, Some(user(42)));
    houses[0].store.goes_wrong(Doing::Publish, [Fault::Refused; 2]);
    comes(&houses[0], &device).await;
    assert_eq!(words(houses[0].heard_up_to("online").await), ["online"]);
}

#[tokio::test]
async fn a_user_who_went_before_it_could_be_said_that_he_was_here_has_gone() {
    let houses = quiet(1, 0).await;
    watched(&houses, &[user(42)]).await;
    let device = visitor(&houses[0], 0, Some(user(42)));
    houses[0].store.goes_wrong(Doing::Publish, [Fault::Refused]);
    comes(&houses[0], &device).await;
    goes(&houses[0], &device).await;
    houses[0].heard_up_to("offline").await;
    comes(&houses[0], &device).await;
    assert_eq!(words(houses[0].heard()), ["online"]);
}

#[tokio::test]
async fn a_stop_tells_of_many_at_a_time_and_writes_once_when_each_was_seen() {
    let houses = quiet(1, 60).await;
    let devices = (1..=40).map(|number| visitor(&houses[0], number, Some(user(u64::from(number)))));
    for device in devices {
        comes(&houses[0], &device).await;
        goes(&houses[0], &device).await;
    }
    houses[0].store.writes_only_so_many_at_a_time(40);
    tokio::time::timeout(DEADLINE, houses[0].node.close()).await.expect("they are told of together");
    assert_eq!(houses[0].store.written(), 40);
}

#[tokio::test]
async fn a_stop_ends_though_the_store_does_not_answer() {
    let houses = quiet(1, 1).await;
    let device = visitor(&houses[0], 0, Some(user(42)));
    comes(&houses[0], &device).await;
    houses[0].store.goes_wrong(Doing::Disappear, [Fault::Hangs]);
    goes(&houses[0], &device).await;
    tokio::time::timeout(DEADLINE, houses[0].node.close()).await.expect("it stops");
}
