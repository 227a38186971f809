//! A browser of raw bytes: what is sent and what is seen are exactly the frames.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};
use serde_json::{Value, json};

/// Far longer than anything here takes; past it a read fails.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct Browser {
    pub socket: TcpStream,
    /// What has been received and not been looked at.
    received: Vec<u8>,
}

/// A frame from the server.
#[derive(PartialEq, Eq, Debug)]
pub struct Frame {
    pub first_byte: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn json(&self) -> Value {
        assert_eq!(self.first_byte, 0x81, "a whole text frame");
        serde_json::from_slice(&self.payload).expect("JSON")
    }
}

impl Browser {
    /// A connection on which nothing has been said.
    pub fn silent(address: SocketAddr) -> Browser {
        Browser::over(TcpStream::connect(address).expect("the server listens"))
    }

    fn over(socket: TcpStream) -> Browser {
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Browser { socket, received: Vec::new() }
    }

    /// Asks for a WebSocket; answers the head of the response.
    pub fn upgrade(address: SocketAddr, target: &str) -> (Browser, String) {
        let mut browser = Browser::silent(address);
        browser.send_raw(request(target).as_bytes());
        let head = browser.head();
        (browser, head)
    }

    /// The same from another of the addresses of this machine, all of 127.0.0.0/8 among them, and with further header
    /// lines, each with its end.
    #[allow(dead_code)]
    pub fn upgrade_from(own: Ipv4Addr, address: SocketAddr, target: &str, headers: &str) -> (Browser, String) {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        net::bind(&socket, &SocketAddr::from((own, 0))).expect("an address of this machine");
        net::connect(&socket, &address).expect("the server listens");
        let mut browser = Browser::over(TcpStream::from(socket));
        browser.send_raw(request(target).replace("Host:", &format!("{headers}Host:")).as_bytes());
        let head = browser.head();
        (browser, head)
    }

    /// A stranger of tenant 0 that has been greeted.
    pub fn stranger(address: SocketAddr) -> Browser {
        let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=Qm3_xKp0aZr7LtY2vB9nWc5dHs8-JgEu&api=js";
        let (mut browser, head) = Browser::upgrade(address, target);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(browser.frame().json()["event"], "serverInfo");
        browser
    }

    /// A stranger that has subscribed. Subscribing is not answered, so it waits until a ping behind it is.
    pub fn subscriber(address: SocketAddr, pipes: &[&str]) -> Browser {
        let mut browser = Browser::stranger(address);
        browser.subscribe(pipes);
        browser
    }

    pub fn subscribe(&mut self, pipes: &[&str]) {
        self.send_text(&format!("subscription\n{}", pipes.join("\n")));
        self.send_raw(&masked(0x89, b"subscribed?"));
        assert_eq!(self.frame(), Frame { first_byte: 0x8A, payload: b"subscribed?".to_vec() });
    }

    pub fn send_text(&mut self, text: &str) {
        self.send_raw(&masked(0x81, text.as_bytes()));
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server reads");
    }

    /// The response's head, up to and with its empty line.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                return String::from_utf8(head).expect("UTF-8");
            }
            assert!(self.more(), "the server closed within the head");
        }
    }

    /// The next frame that is not a ping; pings are answered, as browsers do by themselves.
    pub fn frame(&mut self) -> Frame {
        loop {
            let frame = self.frame_or_end().expect("the server closed the connection");
            if frame.first_byte != 0x89 {
                return frame;
            }
            self.send_raw(&masked(0x8A, &frame.payload));
        }
    }

    /// The next frame, a ping as well, or none when the server has closed.
    pub fn frame_or_end(&mut self) -> Option<Frame> {
        let frame = self.whole_frame();
        assert!(frame.is_some() || self.received.is_empty(), "the server closed within a frame");
        frame
    }

    /// The same of a server that may be killed within a frame.
    pub fn whole_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((length, frame)) = parse(&self.received) {
                self.received.drain(..length);
                return Some(frame);
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The last whole frame before the end of the connection, which may come within another.
    #[allow(dead_code)]
    pub fn last_frame(&mut self) -> Option<Frame> {
        let mut last = None;
        loop {
            while let Some((length, frame)) = parse(&self.received) {
                self.received.drain(..length);
                last = Some(frame);
            }
            if !self.more() {
                return last;
            }
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(mut self) -> Vec<u8> {
        while self.more() {}
        self.received
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 65_536];
        match self.socket.read(&mut buffer) {
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came within {DEADLINE:?}: {error}"),
        }
    }
}

/// What a client of generation 5 needs; each test file uses its part of this.
#[allow(dead_code)]
impl Browser {
    /// A client of generation 5 that has not said hello.
    pub fn five(address: SocketAddr) -> Browser {
        let (browser, head) = Browser::upgrade(address, "/ws/v=5&devid=0");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        browser
    }

    /// A stranger of generation 5 that has been welcomed.
    pub fn newcomer(address: SocketAddr) -> Browser {
        let mut browser = Browser::five(address);
        let welcome = browser.ask(&json!({"do": "hello"}));
        assert_eq!((&welcome["is"], &welcome["user"]), (&json!("welcome"), &Value::Null));
        browser
    }

    /// A stranger of generation 5 that hears these pipes from now on.
    pub fn follower(address: SocketAddr, pipes: &[&str]) -> Browser {
        let mut browser = Browser::newcomer(address);
        for pipe in pipes {
            let subscribed = browser.follow(&json!({"pipe": pipe}));
            assert_eq!(subscribed.len(), 1, "{subscribed:?}");
        }
        browser
    }

    pub fn say(&mut self, command: &Value) {
        self.send_text(&command.to_string());
    }

    /// The next frame, which is JSON.
    pub fn hear(&mut self) -> Value {
        self.frame().json()
    }

    /// Says it and hears one frame.
    pub fn ask(&mut self, command: &Value) -> Value {
        self.say(command);
        self.hear()
    }

    /// Subscribes to one pipe; answers what comes ahead of the answer.
    pub fn follow(&mut self, wanted: &Value) -> Vec<Value> {
        self.say(&json!({"do": "subscribe", "id": 1, "pipes": [wanted]}));
        self.hear_up_to_answer(1)
    }

    /// What comes ahead of the answer that carries this number.
    pub fn hear_up_to_answer(&mut self, id: u64) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let next = self.hear();
            if next["is"] == "answer" && next["id"] == id {
                return heard;
            }
            heard.push(next);
        }
    }

    /// The code and the reason of the close frame with which the server ends.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame();
            if let (0x88, Some((code, reason))) = (frame.first_byte, frame.payload.split_first_chunk()) {
                assert_eq!(self.frame_or_end(), None, "nothing comes behind a close");
                return (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned());
            }
        }
    }
}

pub fn request(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: node.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         User-Agent: Raw/1.0\r\nOrigin: http://node.example\r\nAccept-Language: en\r\n\r\n"
    )
}

/// A frame as a browser sends it.
pub fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = [0x11, 0x22, 0x33, 0x44];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub fn parse(bytes: &[u8]) -> Option<(usize, Frame)> {
    let (first_byte, second, rest) = (*bytes.first()?, *bytes.get(1)?, bytes.get(2..)?);
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (header, length) = match second {
        126 => (2, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (8, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        length => (0, usize::from(length)),
    };
    let payload = rest.get(header..header + length)?.to_vec();
    Some((2 + header + length, Frame { first_byte, payload }))
}
