//! Who comes to and goes from `track_*` pipes.

use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::world::{config, world};
use super::{login, with_user};

fn event(browser: &mut Browser) -> (Value, Value) {
    let message = browser.hear();
    assert_eq!((&message["is"], &message["pipe"]), (&json!("message"), &json!("track_hall")), "{message}");
    (message["event"].clone(), message["data"].clone())
}

#[test]
fn who_is_there_is_told_who_comes_and_goes() {
    let world = with_user(world(config()));
    let mut watcher = Browser::follower(world.address, &["track_hall"]);
    let mut newcomer = Browser::five(world.address);
    newcomer.ask(&json!({"do": "hello", "uuid": "it's me"}));
    assert_eq!(newcomer.follow(&json!({"pipe": "track_hall"})).len(), 1, "it does not see itself come");
    let stranger = json!({"user_id": 0, "uuid": "it's me"});
    assert_eq!(event(&mut watcher), (json!("subscription"), stranger.clone()));
    let (mut member, _) = login(&world, 42, "h4sh", None);
    member.follow(&json!({"pipe": "track_hall"}));
    let of_member = json!({"user_id": 42, "uuid": ""});
    for browser in [&mut watcher, &mut newcomer] {
        assert_eq!(event(browser), (json!("subscription"), of_member.clone()));
    }
    member.ask(&json!({"do": "unsubscribe", "id": 1, "pipes": ["track_hall"]}));
    for browser in [&mut watcher, &mut newcomer] {
        assert_eq!(event(browser), (json!("unsubscription"), of_member.clone()));
    }
    newcomer.send_raw(&masked(0x88, b""));
    assert_eq!(event(&mut watcher), (json!("unsubscription"), stranger));
}
