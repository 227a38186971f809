//! Users' own logs: what has not been taken, and what this device has missed.

use cometql::node::{PageMax, Since};
use cometql::pipe::{Pipe, Position};
use cometql::user::TenantId;
use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::world::{World, config, until, user, world};
use super::{at, login, moved, texts, with_user};

/// So many private messages for user 42, by number.
fn tell(world: &World, numbers: std::ops::Range<u32>) -> Position {
    numbers.map(|number| world.tell(user(42), &format!("\"{number}\"")).position).last().unwrap()
}

/// The texts behind the `subscribed` of a log, which says where they begin.
fn missed(told: &[Value], recovered: Option<bool>) -> (Value, Vec<&str>) {
    let [subscribed, messages @ ..] = told else { panic!("{told:?}") };
    assert_eq!((&subscribed["is"], &subscribed["pipe"]), (&json!("subscribed"), &json!("msg")), "{told:?}");
    assert_eq!(subscribed.get("recovered").and_then(Value::as_bool), recovered, "{subscribed}");
    assert!(subscribed.get("id").is_none());
    for (message, behind) in messages.iter().zip(1..) {
        assert_eq!((&message["is"], &message["pipe"]), (&json!("message"), &json!("msg")));
        let index = subscribed["position"][1].as_u64().unwrap() + behind;
        assert_eq!(message["position"], json!([subscribed["position"][0], index]));
    }
    (subscribed["position"].clone(), texts(messages))
}

/// Waits until it is written down that user 42 has taken everything up to here: there is no answer that says so.
fn until_taken(world: &World, position: Position) {
    let log = Pipe::Log(TenantId::ROOT, user(42));
    let max = PageMax { messages: 1, bytes: 1 };
    until("it is taken", || {
        let page = world.runtime.block_on(world.node.history(&log, Since::Untaken, max)).unwrap();
        page.messages.first().is_none_or(|first| first.position.index > position.index)
    });
}

#[test]
fn what_was_taken_does_not_come_to_a_new_device_and_what_was_not_does() {
    let world = with_user(world(config()));
    let last = tell(&world, 0..5);
    let (mut device, told) = login(&world, 42, "h4sh", None);
    assert_eq!(missed(&told, None).1, ["0", "1", "2", "3", "4"]);
    device.say(&json!({"do": "taken", "position": at(moved(last, -2))}));
    // Said again, less, of another epoch, or more than there is: none of it changes anything.
    for position in [at(moved(last, -2)), at(moved(last, -4)), json!([1, u64::MAX]), at(moved(last, 9))] {
        device.say(&json!({"do": "taken", "position": position}));
    }
    assert_eq!(device.ask(&json!({"do": "ping", "id": 1})), json!({"is": "answer", "id": 1}), "taken has no answer");
    until_taken(&world, moved(last, -2));
    let (_, told) = login(&world, 42, "h4sh", None);
    assert_eq!(missed(&told, None), (at(moved(last, -2)), vec!["3", "4"]));
    device.say(&json!({"do": "taken", "position": at(last)}));
    until_taken(&world, last);
    let (_, told) = login(&world, 42, "h4sh", None);
    assert_eq!(missed(&told, None), (at(last), vec![]));
}

#[test]
fn a_device_with_a_position_gets_what_it_missed_whatever_others_have_taken() {
    let world = with_user(world(config()));
    let last = tell(&world, 0..5);
    let (mut device, _) = login(&world, 42, "h4sh", None);
    device.say(&json!({"do": "taken", "position": at(last)}));
    until_taken(&world, last);
    for behind in 0..=5 {
        let since = moved(last, -behind);
        let (_other, told) = login(&world, 42, "h4sh", Some(at(since)));
        let (position, texts) = missed(&told, Some(true));
        assert_eq!((position, texts.len() as i64), (at(since), behind));
    }
    for unknown in [json!([7, 3]), at(moved(last, 1)), json!([last.epoch, u64::MAX])] {
        let (_, told) = login(&world, 42, "h4sh", Some(unknown));
        assert_eq!(missed(&told, Some(false)), (at(last), vec![]), "all has been taken");
    }
    tell(&world, 5..7);
    let (_, told) = login(&world, 42, "h4sh", Some(json!([7, 3])));
    assert_eq!(missed(&told, Some(false)), (at(last), vec!["5", "6"]), "what has not");
}

#[test]
fn both_devices_of_a_user_hear_what_is_said_to_it() {
    let world = with_user(world(config()));
    let (mut one, _) = login(&world, 42, "h4sh", None);
    let (mut other, _) = login(&world, 42, "h4sh", None);
    for number in 0..10 {
        let published = world.tell(user(42), &format!("\"{number}\""));
        assert_eq!(published.receivers, 2);
        for device in [&mut one, &mut other] {
            let message = device.hear();
            assert_eq!((&message["pipe"], &message["position"]), (&json!("msg"), &at(published.position)));
        }
    }
    let mut stranger = Browser::newcomer(world.address);
    stranger.follow(&json!({"pipe": "msg"}));
    world.tell(user(42), "1");
    world.publish("msg", "\"a pipe of that name is another\"");
    assert_eq!(stranger.hear()["data"], "a pipe of that name is another");
}

#[test]
fn a_pong_takes_nothing() {
    let world = with_user(world(config()));
    let last = tell(&world, 0..3);
    let (mut device, _) = login(&world, 42, "h4sh", None);
    device.send_raw(&masked(0x8A, &last.index.to_be_bytes()));
    device.ask(&json!({"do": "ping", "id": 1}));
    let (_, told) = login(&world, 42, "h4sh", None);
    assert_eq!(missed(&told, None).1, ["0", "1", "2"]);
}

#[test]
fn a_long_log_comes_in_pages_without_slowness() {
    let world = with_user(world(config()));
    let text = |number| format!("\"{number}{}\"", "x".repeat(10_000));
    let positions: Vec<_> = (0..300).map(|number| world.tell(user(42), &text(number)).position).collect();
    for (since, from) in [(None, 0), (Some(at(positions[9])), 10)] {
        let recovered = since.as_ref().map(|_| true);
        let (_, told) = login(&world, 42, "h4sh", since);
        let (_, texts) = missed(&told, recovered);
        let expected: Vec<String> = (from..300).map(|number| text(number).trim_matches('"').to_owned()).collect();
        assert_eq!(texts, expected);
    }
    assert_eq!(world.status.browsers_too_slow(), 0);
}

/// A device that reads its log slowly, while so much is said to the user that what it has not read is trimmed.
#[test]
fn of_a_log_that_is_trimmed_while_it_is_read_the_rest_comes_behind_a_gap() {
    let world = with_user(world(config()));
    let tell_each = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            world.tell(user(42), &format!("\"{number}{}\"", "x".repeat(10_000)));
        }
    };
    tell_each(0..900);
    let mut device = Browser::five(world.address);
    device.ask(&json!({"do": "hello", "user": 42, "key": "h4sh"}));
    // It reads nothing more until all of this has been said; more is on the way to it than fits in between.
    let last = 2_699;
    tell_each(900..last + 1);
    let (mut numbers, mut gaps) = (Vec::new(), 0);
    while numbers.last() != Some(&last) {
        let told = device.hear();
        gaps += usize::from(told["is"] == "gap");
        if told["is"] == "message" {
            let text = told["data"].as_str().unwrap();
            numbers.push(text.trim_end_matches('x').parse::<u32>().unwrap());
        }
    }
    assert_eq!(gaps, 1);
    let (before, after) = numbers.split_at(numbers.windows(2).position(|two| two[1] != two[0] + 1).unwrap() + 1);
    assert_eq!(before, (0..before.len() as u32).collect::<Vec<_>>());
    assert_eq!(after, (last + 1 - after.len() as u32..=last).collect::<Vec<_>>());
    assert!(after.len() >= 1_000, "all that is still kept: {}", after.len());
}
