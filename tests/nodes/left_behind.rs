//! A node dies: whoever was on it has gone, and that is said once, whoever says it.

use std::sync::atomic::Ordering;

use cometql::pipe::Pipe;

use super::world::{House, log, pipe, quiet, until, user, visitor};

const WATCHER: u32 = 1_000;

/// The first node hears who comes to and goes from `track_hall`, and whether users 1 to 9 are here.
async fn watched(houses: &[House]) -> Vec<Pipe> {
    let mut pipes: Vec<Pipe> = (1..10).map(|number| pipe(&format!("user_status_{number}"))).collect();
    pipes.push(pipe("track_hall"));
    houses[0].listen(&visitor(&houses[0], WATCHER, None), &pipes.iter().collect::<Vec<_>>(), &[]).await;
    pipes
}

/// Users 1 to 9 are on the second node and in `track_hall`.
async fn crowded(houses: &[House]) {
    for number in 1..10 {
        let who = visitor(&houses[1], number, Some(user(u64::from(number))));
        houses[1].listen(&who, &[&log(user(u64::from(number))), &pipe("track_hall")], &[]).await;
    }
    houses[0].heard();
}

fn count(heard: &[(String, String)], event: &str) -> usize {
    heard.iter().filter(|(of, _)| of == event).count()
}

/// What is heard until nothing is left to be seen to, and so many users are said to have gone: one node may have settled
/// what another is about to say.
async fn heard_until_settled(houses: &[House], heard: &mut Vec<(String, String)>, gone: usize) {
    until("all is settled and said", async || {
        heard.extend(houses[0].heard());
        houses[0].store.unsettled() == 0 && count(heard, "offline") >= gone
    })
    .await;
}

#[tokio::test]
async fn whoever_was_on_a_dead_node_has_gone_and_it_is_said_once() {
    let houses = quiet(3, 1).await;
    watched(&houses).await;
    crowded(&houses).await;
    // One of them is also elsewhere, and one has come over.
    let stays = visitor(&houses[2], 0, Some(user(1)));
    houses[2].listen(&stays, &[&log(user(1))], &[]).await;
    houses[1].dies().await;
    let comes_over = visitor(&houses[2], 1, Some(user(2)));
    houses[2].listen(&comes_over, &[&log(user(2))], &[]).await;
    let mut heard = Vec::new();
    heard_until_settled(&houses, &mut heard, 7).await;
    assert_eq!((count(&heard, "offline"), count(&heard, "online")), (7, 0), "{heard:?}");
    let mut gone: Vec<&str> =
        heard.iter().filter(|(event, _)| event == "unsubscription").map(|(_, text)| text.as_str()).collect();
    gone.sort_unstable();
    let expected: Vec<String> = (1..10).map(|user| format!("{{\"user_id\":{user},\"uuid\":\"u{user}\"}}")).collect();
    assert_eq!(gone, expected);
    // Later comes nothing more.
    houses[2].listen(&stays, &[], &[&log(user(1))]).await;
    assert_eq!(houses[0].heard_up_to("offline").await.len(), 1);
}

#[tokio::test]
async fn if_the_one_that_sees_to_it_dies_halfway_another_does_it_over_and_nothing_is_said_twice() {
    let houses = quiet(3, 0).await;
    watched(&houses).await;
    crowded(&houses).await;
    let mut heard = Vec::new();
    houses[0].store.fails_to_settle();
    houses[2].store.fails_to_settle();
    houses[1].dies().await;
    until("all is said", async || {
        heard.extend(houses[0].heard());
        // A failing node is told of the same five again and again.
        count(&heard, "offline") + count(&heard, "unsubscription") >= 4
    })
    .await;
    houses[2].dies().await;
    // Only this one is left.
    houses[0].store.settles_again();
    heard_until_settled(&houses, &mut heard, 9).await;
    assert_eq!((count(&heard, "offline"), count(&heard, "unsubscription")), (9, 9), "{heard:?}");
}

#[tokio::test]
async fn who_has_left_in_good_order_leaves_nothing_behind() {
    let houses = quiet(2, 0).await;
    watched(&houses).await;
    let who = visitor(&houses[1], 1, Some(user(1)));
    let (log, hall) = (log(user(1)), pipe("track_hall"));
    houses[1].listen(&who, &[&log, &hall], &[]).await;
    houses[1].listen(&who, &[], &[&hall]).await;
    let heard = houses[0].heard();
    assert_eq!((count(&heard, "subscription"), count(&heard, "unsubscription")), (1, 1));
    houses[1].dies().await;
    let heard = houses[0].heard_up_to("offline").await;
    assert_eq!(count(&heard, "unsubscription"), 0, "{heard:?}");
}

#[tokio::test]
async fn the_grace_of_a_second_dead_node_begins_with_its_own_death() {
    let houses = quiet(3, 1).await;
    watched(&houses).await;
    for (house, number) in [(&houses[1], 1), (&houses[2], 2)] {
        house
            .listen(&visitor(house, number, Some(user(u64::from(number)))), &[&log(user(u64::from(number)))], &[])
            .await;
    }
    houses[0].heard();
    // What the first leaves behind is never done with.
    houses[0].store.fails_to_settle();
    houses[2].store.fails_to_settle();
    houses[1].dies().await;
    houses[0].heard_up_to("offline").await;
    let before = houses[0].store.looks.load(Ordering::SeqCst);
    houses[2].dies().await;
    houses[0].heard_up_to("offline").await;
    let looks = houses[0].store.looks.load(Ordering::SeqCst) - before;
    assert!(looks > 1, "he was said to have gone as soon as the node was found dead");
}
