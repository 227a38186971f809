//! A client comes back and gets exactly what it missed, or is told that it missed something.

use cometql::pipe::Position;
use serde_json::{Value, json};

use super::browser::Browser;
use super::world::{World, config, world};
use super::{at, moved, texts};

/// Publishes so many, by number; answers the last position.
fn publish(world: &World, pipe: &str, numbers: std::ops::Range<usize>) -> Position {
    let numbers: Vec<String> = numbers.map(|number| format!("\"{number}\"")).collect();
    let published = world.publish_all(numbers.iter().map(|number| (pipe, number.as_str())).collect());
    published.last().unwrap().position
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn subscribed(pipe: &str, position: Position, recovered: bool) -> Value {
    json!({"is": "subscribed", "id": 1, "pipe": pipe, "position": at(position), "recovered": recovered})
}

#[test]
fn what_was_missed_comes_first_and_then_what_is_live() {
    let world = world(config());
    world.keep("kept", 1_000);
    for pipe in ["kept", "unkept"] {
        let mut browser = Browser::follower(world.address, &[pipe]);
        let last = publish(&world, pipe, 0..10);
        let heard: Vec<Value> = (0..10).map(|_| browser.hear()).collect();
        assert_eq!(
            (texts(&heard), &heard[9]["position"]),
            (numbers(0..10).iter().map(String::as_str).collect(), &at(last))
        );
        // In mid-stream: what was on its way when it broke was not heard.
        publish(&world, pipe, 10..15);
        drop(browser);
        publish(&world, pipe, 15..30);
        let mut browser = Browser::newcomer(world.address);
        let told = browser.follow(&json!({"pipe": pipe, "position": at(last)}));
        assert_eq!(told[0], subscribed(pipe, last, true));
        assert_eq!(texts(&told[1..]), numbers(10..30));
        let positions: Vec<Value> = (1..=20).map(|by| at(moved(last, by))).collect();
        assert_eq!(told[1..].iter().map(|told| told["position"].clone()).collect::<Vec<_>>(), positions);
        let live = publish(&world, pipe, 30..31);
        let message = browser.hear();
        assert_eq!((&message["data"], &message["position"]), (&json!("30"), &at(live)));
        // Nothing was missed.
        let mut other = Browser::newcomer(world.address);
        assert_eq!(
            other.follow(&json!({"pipe": pipe, "position": at(live), "last": 5})),
            [subscribed(pipe, live, true)]
        );
    }
    assert_eq!(world.status.gaps_declared(), 0);
}

#[test]
fn who_missed_too_much_is_told_where_the_pipe_stands() {
    let world = world(config());
    world.keep("kept", 10);
    let mut browser = Browser::follower(world.address, &["kept", "unkept"]);
    for pipe in ["kept", "unkept"] {
        let begin = publish(&world, pipe, 0..1);
        let last = publish(&world, pipe, 1..200);
        let lost = subscribed(pipe, last, false);
        for unknown in
            [begin, moved(last, 1), Position { epoch: last.epoch + 1, ..last }, Position { epoch: 0, index: 0 }]
        {
            let mut other = Browser::newcomer(world.address);
            assert_eq!(other.follow(&json!({"pipe": pipe, "position": at(unknown)})), [lost.clone()], "{unknown:?}");
        }
        let mut other = Browser::newcomer(world.address);
        let told = other.follow(&json!({"pipe": pipe, "position": at(begin), "last": 3}));
        let [history, now] = &told[..] else { panic!("{told:?}") };
        let kept = if pipe == "kept" { numbers(197..200) } else { vec![] };
        assert_eq!(
            (texts(history["messages"].as_array().unwrap()), now),
            (kept.iter().map(String::as_str).collect(), &lost)
        );
        publish(&world, pipe, 200..201);
        assert_eq!(other.hear()["data"], "200");
    }
    let heard: Vec<Value> = (0..402).map(|_| browser.hear()).collect();
    assert!(heard.iter().all(|heard| heard["is"] == "message"), "who was there all the time has everything");
}

#[test]
fn what_a_backend_has_deleted_leaves_holes_and_no_gap() {
    let world = world(config());
    world.keep("room", 100);
    let _listens = Browser::follower(world.address, &["room"]);
    let last = publish(&world, "room", 0..6);
    world.runtime.block_on(world.node.erase(&world.pipe("room"), &[3, 4, 6])).unwrap();
    let mut browser = Browser::newcomer(world.address);
    let told = browser.follow(&json!({"pipe": "room", "position": at(moved(last, -6))}));
    assert_eq!(told[0], subscribed("room", moved(last, -6), true));
    assert_eq!(texts(&told[1..]), ["0", "1", "4"]);
    assert_eq!(publish(&world, "room", 6..7), moved(last, 1));
    assert_eq!(browser.hear()["position"], at(moved(last, 1)));
}

#[test]
fn a_minute_later_only_what_is_kept_is_there() {
    let world = world(config());
    world.keep("kept", 100);
    let _listens = Browser::follower(world.address, &["kept", "unkept"]);
    for pipe in ["kept", "unkept"] {
        let last = publish(&world, pipe, 0..5);
        let since = moved(last, -3);
        let told = |recovered| {
            let told = Browser::newcomer(world.address).follow(&json!({"pipe": pipe, "position": at(since)}));
            assert_eq!(told[0]["recovered"], recovered, "{pipe}");
            told.len() - 1
        };
        assert_eq!(told(true), 3);
        world.clock.forward(60_000);
        assert_eq!(told(true), 3, "sixty seconds are not too long");
        world.clock.forward(1);
        assert_eq!(told(pipe == "kept"), if pipe == "kept" { 3 } else { 0 });
    }
}

#[test]
fn many_pipes_are_recovered_by_one_command_while_they_go_on() {
    let world = world(config());
    let pipes: Vec<String> = (0..200).map(|number| format!("pipe_{number}")).collect();
    let names: Vec<&str> = pipes.iter().map(String::as_str).collect();
    let _listens = Browser::follower(world.address, &names);
    let round = |number: usize| {
        let text = format!("\"{number}\"");
        world.publish_all(names.iter().map(|name| (*name, text.as_str())).collect())
    };
    let since: Vec<Position> = round(0).iter().map(|published| published.position).collect();
    (1..5).for_each(|number| assert_eq!(round(number).len(), 200));
    let wanted: Vec<Value> =
        names.iter().zip(&since).map(|(name, since)| json!({"pipe": name, "position": at(*since)})).collect();
    let mut browser = Browser::newcomer(world.address);
    std::thread::scope(|scope| {
        scope.spawn(|| (5..25).for_each(|number| assert_eq!(round(number).len(), 200)));
        browser.say(&json!({"do": "subscribe", "id": 1, "pipes": wanted}));
        let mut next = vec![None; 200];
        while next.iter().any(|next| *next != Some(25)) {
            let heard = browser.hear();
            if heard["is"] == "answer" {
                continue;
            }
            let number: usize = heard["pipe"].as_str().unwrap()[5..].parse().unwrap();
            if heard["is"] == "subscribed" {
                assert_eq!((heard["recovered"].as_bool(), next[number]), (Some(true), None));
                next[number] = Some(1);
            } else {
                let of = next[number].expect("subscribed first");
                assert_eq!((&heard["is"], heard["data"].as_str()), (&json!("message"), Some(of.to_string().as_str())));
                next[number] = Some(of + 1);
            }
        }
    });
    assert_eq!(world.status.gaps_declared(), 0);
}
