//! An independent client library as the judge of what the server sends.

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Bytes, Error, WebSocket};

use super::TARGET;
use super::world::{World, config, world};

type Client = WebSocket<MaybeTlsStream<std::net::TcpStream>>;

fn connect(world: &World) -> Client {
    let (mut client, response) = tungstenite::connect(format!("ws://{}{TARGET}", world.address)).unwrap();
    assert_eq!(response.status(), 101);
    assert!(client.read().unwrap().into_text().unwrap().contains("serverInfo"));
    client
}

#[test]
fn it_reads_texts_of_every_length() {
    let world = world(config());
    let mut client = connect(&world);
    client.send(Message::text("subscription\nroom")).unwrap();
    client.send(Message::Ping(Bytes::from_static(b"subscribed?"))).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong(Bytes::from_static(b"subscribed?")));
    for length in (0..260).chain([65_300, 65_400, 65_535, 65_536, 70_000, 1_000_000]) {
        let text = "é".repeat(length / 2);
        world.publish("room", &text);
        let message = client.read().unwrap().into_text().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&message).unwrap()["data"], text);
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
        client.send(Message::text(format!("web_pipe2\nweb_room\ne\n*\n{}", "x".repeat(length)))).unwrap();
        assert!(client.read().unwrap().into_text().unwrap().contains("_answer_to_web_room"));
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
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Away),
        other => panic!("{other:?}"),
    }
}
