//! Generation 5 by raw frames, against a node in this process: all that `docs/PROTOCOL.md` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../world/clock.rs"]
mod clock;
mod endings;
mod framing;
mod hello;
mod hostile;
mod logs;
mod moving;
#[allow(dead_code)]
#[path = "../world/node.rs"]
mod node;
mod page;
mod publishing;
mod random;
#[path = "../crowd/random.rs"]
mod randomness;
mod recovery;
mod store;
mod subscribing;
mod tracking;
#[allow(dead_code)]
#[path = "../websocket/world.rs"]
mod world;

use browser::Browser;
use cometql::pipe::Position;
use serde_json::{Value, json};
use world::{World, user};

/// A position as it stands in a frame.
fn at(position: Position) -> Value {
    json!([position.epoch, position.index])
}

/// One message further, or back.
fn moved(position: Position, by: i64) -> Position {
    Position { index: position.index.checked_add_signed(by).unwrap(), ..position }
}

/// A device of a user, and what it was told until it was up to date.
fn login(world: &World, number: u32, key: &str, position: Option<Value>) -> (Browser, Vec<Value>) {
    let mut browser = Browser::five(world.address);
    let mut hello = json!({"do": "hello", "user": number, "key": key});
    if let Some(position) = position {
        hello["position"] = position;
    }
    let welcome = browser.ask(&hello);
    assert_eq!((&welcome["is"], &welcome["user"]), (&json!("welcome"), &json!(number)));
    browser.say(&json!({"do": "ping", "id": 0}));
    let told = browser.hear_up_to_answer(0);
    (browser, told)
}

/// A world in which user 42 has the hash `h4sh`.
fn with_user(world: World) -> World {
    world.set_key(user(42), "h4sh");
    world
}

/// What is an error of this kind.
fn is_error(frame: &Value, id: impl Into<Value>, code: u16) -> bool {
    let has_text = frame["text"].as_str().is_some_and(|text| !text.is_empty());
    has_text && frame["is"] == "error" && frame["id"] == id.into() && frame["code"] == code
}

/// The texts of messages that are JSON texts, in their order.
fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["data"].as_str().unwrap_or_else(|| panic!("{message}"))).collect()
}
