//! The first frame.

use serde_json::json;

use super::browser::Browser;
use super::world::{config, token, until, user, world};
use super::{login, with_user};

#[test]
fn a_stranger_is_told_what_it_may_count_on() {
    let world = world(config());
    for target in ["/ws/v=5", "/ws/v=5&devid=15", "/comet-server/ws/?v=5.0&devid=15"] {
        let (mut browser, _) = Browser::upgrade(world.address, target);
        let welcome = browser.ask(&json!({"do": "hello", "uuid": "5a1f", "and": {"keys": ["nobody", "knows"]}}));
        let server = format!("cometql {}", env!("CARGO_PKG_VERSION"));
        let expected = json!({
            "is": "welcome", "user": null, "server": server, "ping_seconds": 25, "message_bytes_max": 1_048_576,
            "subscriptions_max": 1_024,
        });
        assert_eq!(welcome, expected);
    }
}

#[test]
fn who_proves_who_it_is_is_welcome_by_name_and_hears_its_log() {
    let world = with_user(world(config()));
    for key in ["h4sh", &token(42)] {
        let (_browser, told) = login(&world, 42, key, None);
        let [subscribed] = &told[..] else { panic!("{told:?}") };
        let position = &subscribed["position"];
        assert!(position[0].is_u64() && position[1] == 0, "{position}");
        assert_eq!(*subscribed, json!({"is": "subscribed", "pipe": "msg", "position": position}));
    }
    until("both have gone", || world.devices(user(42)) == 0);
}

#[test]
fn a_wrong_key_is_no_error_and_makes_a_stranger() {
    let world = with_user(world(config()));
    for (number, key) in [(42, "wrong".to_owned()), (42, String::new()), (7, "h4sh".to_owned()), (7, token(42))] {
        let mut browser = Browser::five(world.address);
        let welcome = browser.ask(&json!({"do": "hello", "user": number, "key": key, "position": [1, 2]}));
        assert_eq!((&welcome["is"], &welcome["user"]), (&json!("welcome"), &json!(null)));
        let refusal = browser.ask(&json!({"do": "publish", "id": 1, "pipe": "webauth_room", "data": 1}));
        assert!(super::is_error(&refusal, 1, 403), "{refusal}");
    }
    assert_eq!(world.devices(user(42)), 0);
}

#[test]
fn what_is_no_hello_ends_the_connection() {
    let world = world(config());
    let long = json!({"do": "hello", "uuid": "u".repeat(65)}).to_string();
    let cases = [
        "",
        "hello",
        "{\"do\":\"ping\",\"id\":1}",
        "{\"do\":\"hello\",\"user\":42}",
        "{\"do\":\"hello\",\"key\":\"x\"}",
        "{\"do\":\"hello\",\"user\":0,\"key\":\"x\"}",
        "{\"do\":\"hello\",\"position\":[1]}",
        "subscription\nroom",
        &long,
    ];
    for said in cases {
        let mut browser = Browser::five(world.address);
        browser.send_text(said);
        assert_eq!(browser.closed().0, 4200, "{said}");
    }
    let mut browser = Browser::newcomer(world.address);
    browser.say(&json!({"do": "hello"}));
    assert_eq!(browser.closed().0, 4200, "a second one");
    let (mut browser, _) = Browser::upgrade(world.address, "/ws/v=5&devid=100000");
    assert_eq!(browser.closed().0, 4200, "no tenant");
}

#[test]
fn a_hello_must_come_in_time() {
    let world = world(config());
    let mut punctual = Browser::newcomer(world.address);
    let mut late = Browser::five(world.address);
    late.socket.set_nonblocking(true).unwrap();
    until("the late one hears something", || {
        // Its time begins when its shard has it.
        world.clock.forward(1_000);
        late.socket.peek(&mut [0]).is_ok()
    });
    late.socket.set_nonblocking(false).unwrap();
    assert_eq!(late.closed().0, 4200);
    assert_eq!(punctual.ask(&json!({"do": "ping", "id": 1})), json!({"is": "answer", "id": 1}));
}

#[test]
fn a_revoked_token_ends_its_user_and_is_no_key_any_longer() {
    let world = world(config());
    let token = token(42);
    let mut devices: Vec<Browser> = (0..5).map(|_| login(&world, 42, &token, None).0).collect();
    assert!(world.runtime.block_on(world.node.revoke(cometql::user::TenantId(0), &token)).unwrap());
    for device in &mut devices {
        assert_eq!(device.closed(), (4203, "the login was revoked".to_owned()));
    }
    let mut browser = Browser::five(world.address);
    assert_eq!(browser.ask(&json!({"do": "hello", "user": 42, "key": token}))["user"], json!(null));
}
