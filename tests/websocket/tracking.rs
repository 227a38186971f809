//! `track_*` pipes: who comes and goes.

use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::world::{config, until, user, world};

fn connect(world: &super::world::World, uuid: &str) -> Browser {
    let target = format!("/ws/sesion=&myid=0&devid=0&v=4.08&uuid={uuid}&api=js");
    let (mut browser, _) = Browser::upgrade(world.address, &target);
    browser.frame();
    browser
}

fn event(browser: &mut Browser) -> (String, Value) {
    let event = browser.frame().json();
    assert!(event.get("user_id").is_none() && event.get("marker").is_none(), "{event}");
    (event["event"].as_str().unwrap().to_owned(), event["data"].clone())
}

#[test]
fn a_watcher_sees_who_comes_and_goes_and_the_newcomer_not_itself() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    let mut watcher = connect(&world, "watcher");
    watcher.subscribe(&["track_hall"]);
    let mut newcomer = connect(&world, "newcomer");
    newcomer.subscribe(&["track_hall"]);
    let of_newcomer = json!({"user_id": 0, "uuid": "newcomer"});
    assert_eq!(event(&mut watcher), ("subscription".to_owned(), of_newcomer.clone()));
    let mut member = world.login(42, "h4sh");
    member.subscribe(&["track_hall"]);
    let of_member = json!({"user_id": 42, "uuid": "u42"});
    for browser in [&mut watcher, &mut newcomer] {
        assert_eq!(event(browser), ("subscription".to_owned(), of_member.clone()));
    }
    // What stays is not told again, whatever is added, dropped or given twice.
    for list in [vec!["track_hall", "other"], vec!["other", "track_hall", "track_hall"], vec!["track_hall"]] {
        member.subscribe(&list);
    }
    // Leaving is told, too: by a new list, by a close frame, by a crash.
    member.subscribe(&["other"]);
    for browser in [&mut watcher, &mut newcomer] {
        assert_eq!(event(browser), ("unsubscription".to_owned(), of_member.clone()));
    }
    newcomer.send_raw(&masked(0x88, b""));
    assert_eq!(newcomer.frame_or_end(), None, "it has seen nothing of itself");
    assert_eq!(event(&mut watcher), ("unsubscription".to_owned(), of_newcomer));
    let mut crashing = connect(&world, "crashing");
    crashing.subscribe(&["track_hall"]);
    drop(crashing);
    let of_crashing = json!({"user_id": 0, "uuid": "crashing"});
    assert_eq!(event(&mut watcher), ("subscription".to_owned(), of_crashing.clone()));
    assert_eq!(event(&mut watcher), ("unsubscription".to_owned(), of_crashing));
}

#[test]
fn coming_at_once_is_told_to_everybody_who_was_there() {
    let world = world(config());
    let mut watchers: Vec<Browser> = (0..4).map(|_| connect(&world, "watcher")).collect();
    watchers.iter_mut().for_each(|watcher| watcher.subscribe(&["track_hall"]));
    let mut others: Vec<Browser> = (0..20).map(|number| connect(&world, &format!("n{number}"))).collect();
    for other in &mut others {
        other.send_text("subscription\ntrack_hall");
    }
    until("all are there", || world.listeners("track_hall") == 24);
    drop(others);
    until("they are gone", || world.listeners("track_hall") == 4);
    let mut first = watchers.swap_remove(0);
    let mut there = std::collections::BTreeMap::<String, i32>::new();
    // It hears of three watchers and of twenty others, who all go again.
    for _ in 0..3 + 40 {
        let (what, who) = event(&mut first);
        *there.entry(who["uuid"].as_str().unwrap().to_owned()).or_default() +=
            if what == "subscription" { 1 } else { -1 };
    }
    assert_eq!(there.remove("watcher"), Some(3));
    assert!(there.len() == 20 && there.values().all(|count| *count == 0), "{there:?}");
}

#[test]
fn track_pipe_users_lists_everybody_over_all_shards_the_asking_one_too() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    let mut asking = world.login(42, "h4sh");
    asking.subscribe(&["track_hall"]);
    let mut others: Vec<Browser> = (0..9).map(|number| connect(&world, &format!("a'b{number}"))).collect();
    others.iter_mut().for_each(|other| other.subscribe(&["track_hall", "web_room"]));
    until("all events have come", || world.listeners("track_hall") == 10);
    (0..9).for_each(|_| assert_eq!(event(&mut asking).0, "subscription"));
    asking.send_text("track_pipe_users\ntrack_hall\n48");
    let answer = asking.frame().json();
    assert_eq!(
        (&answer["pipe"], &answer["marker"], &answer["event"]),
        (&json!("_answer"), &json!("48"), &json!("answer"))
    );
    let mut users: Vec<String> = answer["data"].as_array().unwrap().iter().map(Value::to_string).collect();
    users.sort();
    let mut expected: Vec<String> =
        (0..9).map(|number| json!({"user_id": 0, "uuid": format!("a'b{number}")}).to_string()).collect();
    expected.push(json!({"user_id": 42, "uuid": "u42"}).to_string());
    expected.sort();
    assert_eq!(users, expected);
    asking.send_text("track_pipe_users\ntrack_nobody\n49");
    assert_eq!(asking.frame().json()["data"], json!([]));
}

#[test]
fn a_census_tells_what_is_known_of_each_browser() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    let mut browsers: Vec<Browser> = (0..7).map(|_| world.login(42, "h4sh")).collect();
    browsers.iter_mut().for_each(|browser| browser.subscribe(&["room"]));
    let mut present = Vec::new();
    let mut census = Some(cometql::node::Census::default());
    // In pages of two, over both shards.
    while let Some(going_on) = census {
        let (page, next) = world.runtime.block_on(world.node.present(&world.pipe("room"), going_on, 2));
        present.extend(page);
        census = next;
    }
    assert_eq!(present.len(), 7);
    for one in present {
        assert_eq!((one.user, &*one.about.uuid), (Some(user(42)), "u42"));
        assert_eq!((&*one.about.user_agent, &*one.about.language), ("Raw/1.0", "en"));
        assert_eq!((&*one.about.origin, one.about.address.is_loopback()), ("http://node.example", true));
    }
}
