//! An independent client library as the judge of what the server sends.

use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Bytes, Error, WebSocket};

use super::world::{World, config, world};
use super::{HELLO, TARGET};

type Client = WebSocket<MaybeTlsStream<std::net::TcpStream>>;

fn connect(world: &World) -> Client {
    let (mut client, response) = tungstenite::connect(format!("ws://{}{TARGET}", world.address)).unwrap();
    assert_eq!(response.status(), 101);
    client.send(Message::text(HELLO)).unwrap();
    assert_eq!(heard(&mut client)["is"], "welcome");
    client
}

fn heard(client: &mut Client) -> Value {
    serde_json::from_str(&client.read().unwrap().into_text().unwrap()).unwrap()
}

#[test]
fn it_reads_texts_of_every_length() {
    let world = world(config());
    let mut client = connect(&world);
    client.send(Message::text(r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room"}]}"#)).unwrap();
    assert_eq!((&heard(&mut client)["is"], &heard(&mut client)["is"]), (&"subscribed".into(), &"answer".into()));
    for length in (0..260).chain([65_300, 65_400, 65_535, 65_536, 70_000, 1_000_000]) {
        let text = "é".repeat(length / 2);
        world.publish("room", &text);
        assert_eq!(heard(&mut client)["data"], text);
    }
}

#[test]
fn it_is_answered_when_it_pings_and_publishes() {
    let world = world(config());
    let mut client = connect(&world);
    for length in 0..=125 {
        let payload = Bytes::from(vec![length; usize::from(length)]);
        client.send(Message::Ping(payload.clone())).unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(payload));
    }
    for length in [0, 100, 70_000, 1_000_000] {
        let publish = json!({"do": "publish", "id": length, "pipe": "web_room", "data": "x".repeat(length)});
        client.send(Message::text(publish.to_string())).unwrap();
        let answer = heard(&mut client);
        assert_eq!((&answer["is"], &answer["id"]), (&"answer".into(), &length.into()));
    }
}

#[test]
fn it_closes_cleanly_with_every_code() {
    let world = world(config());
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999] {
        let mut client = connect(&world);
        let code = CloseCode::from(code);
        client.close(Some(CloseFrame { code, reason: "done".into() })).unwrap();
        match client.read().unwrap() {
            Message::Close(Some(answer)) => assert_eq!((answer.code, answer.reason.as_str()), (code, "")),
            other => panic!("{other:?}"),
        }
        assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    }
    let mut client = connect(&world);
    client.close(None).unwrap();
    assert!(matches!(client.read().unwrap(), Message::Close(None)));
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
}

#[test]
fn it_is_told_why_the_server_closes() {
    let world = world(config());
    let mut client = connect(&world);
    client.send(Message::binary(vec![1])).unwrap();
    match client.read().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Unsupported),
        other => panic!("{other:?}"),
    }
    let mut client = connect(&world);
    world.stop.send(true).unwrap();
    match client.read().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::from(4000)),
        other => panic!("{other:?}"),
    }
}
