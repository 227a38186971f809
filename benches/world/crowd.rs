//! Browsers of generation 5 that hear one pipe each, lose their connections all at once, and come back all at once with
//! their positions. One thread, one poll; what they say is put together before the time is taken.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_socket_linger;
use serde::Deserialize;

use crate::browser::{masked, request};

/// Far longer than it takes until something arrives.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Crowd {
    poll: Poll,
    address: SocketAddr,
    browsers: Vec<Browser>,
}

/// What one coming of all has taken.
pub struct Coming {
    pub seconds: f64,
    /// Until half of them had all.
    pub seconds_of_half: f64,
    /// Received by all together.
    pub bytes: u64,
}

struct Browser {
    pipe: String,
    /// How far it has got.
    position: Option<(u64, u64)>,
    socket: Option<TcpStream>,
    step: Step,
    /// What it says when it has a WebSocket.
    first_frames: Vec<u8>,
    received: Vec<u8>,
    messages: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Connecting,
    Upgrading,
    Subscribing,
    Done,
}

/// What is looked at of a frame.
#[derive(Deserialize)]
struct Said<'f> {
    is: &'f str,
    position: Option<(u64, u64)>,
    recovered: Option<bool>,
}

impl Crowd {
    /// Nobody is connected yet. The n-th hears the n-th pipe, and so round.
    pub fn new(address: SocketAddr, count: usize, pipes: &[String]) -> Crowd {
        let browsers = pipes.iter().cycle().take(count).map(|pipe| Browser::new(pipe)).collect();
        Crowd { poll: Poll::new().expect("a poll"), address, browsers }
    }

    /// All connect at once and subscribe from where they are; answers when the last has what it missed, which must be
    /// so many messages, in order.
    pub fn come(&mut self, missed: u64) -> Coming {
        let upgrade = request("/ws/v=5").into_bytes();
        self.browsers.iter_mut().for_each(Browser::prepare);
        let began = Instant::now();
        for (number, browser) in self.browsers.iter_mut().enumerate() {
            let mut socket = TcpStream::connect(self.address).expect("a socket");
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(number), interest).expect("a socket");
            browser.socket = Some(socket);
        }
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0; 65_536];
        let mut coming = Coming { seconds: 0.0, seconds_of_half: 0.0, bytes: 0 };
        let mut lacking = self.browsers.len();
        while lacking > 0 {
            self.poll.poll(&mut events, Some(DEADLINE)).expect("events");
            assert!(!events.is_empty(), "{lacking} have heard nothing for {DEADLINE:?}");
            for event in &events {
                let browser = &mut self.browsers[event.token().0];
                if event.is_writable() && browser.step == Step::Connecting {
                    browser.say(&upgrade);
                    browser.step = Step::Upgrading;
                }
                coming.bytes += browser.hear(&mut buffer);
                if browser.step == Step::Subscribing && browser.is_done() {
                    assert_eq!(browser.messages, missed, "{} at {:?}", browser.pipe, browser.position);
                    browser.step = Step::Done;
                    lacking -= 1;
                    if lacking == self.browsers.len() / 2 {
                        coming.seconds_of_half = began.elapsed().as_secs_f64();
                    }
                }
            }
        }
        coming.seconds = began.elapsed().as_secs_f64();
        coming
    }

    /// All connections end without a word, as when a proxy dies; none of them waits for its port.
    pub fn cut(&mut self) {
        for socket in self.browsers.iter_mut().filter_map(|browser| browser.socket.take()) {
            set_socket_linger(&socket, Some(Duration::ZERO)).expect("a socket");
        }
    }
}

impl Browser {
    fn new(pipe: &str) -> Browser {
        Browser {
            pipe: pipe.to_owned(),
            position: None,
            socket: None,
            step: Step::Done,
            first_frames: Vec::new(),
            received: Vec::new(),
            messages: 0,
        }
    }

    fn prepare(&mut self) {
        let position =
            self.position.map_or_else(String::new, |(epoch, index)| format!(",\"position\":[{epoch},{index}]"));
        let subscribe =
            format!("{{\"do\":\"subscribe\",\"id\":1,\"pipes\":[{{\"pipe\":\"{}\"{position}}}]}}", self.pipe);
        self.first_frames = masked(0x81, br#"{"do":"hello"}"#);
        self.first_frames.extend(masked(0x81, subscribe.as_bytes()));
        self.step = Step::Connecting;
        self.received.clear();
        self.messages = 0;
    }

    fn say(&mut self, bytes: &[u8]) {
        let written = self.socket.as_mut().expect("it is connected").write(bytes).expect("the node listens");
        assert_eq!(written, bytes.len(), "a new socket has room for this");
    }

    /// Takes what has arrived, and tells how many bytes that were.
    fn hear(&mut self, buffer: &mut [u8]) -> u64 {
        let mut bytes = 0;
        loop {
            match self.socket.as_mut().expect("it is connected").read(buffer) {
                Ok(0) => panic!("{}: the node has closed", self.pipe),
                Ok(length) => {
                    bytes += length as u64;
                    self.received.extend_from_slice(&buffer[..length]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // It has not been connected yet.
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) => panic!("{}: {error}", self.pipe),
            }
        }
        if self.step == Step::Upgrading
            && let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n")
        {
            assert!(self.received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&self.received));
            self.received.drain(..end + 4);
            let frames = std::mem::take(&mut self.first_frames);
            self.say(&frames);
            self.step = Step::Subscribing;
        }
        bytes
    }

    /// Looks at the frames that are whole. Whether its command was answered, behind which nothing more was missed.
    fn is_done(&mut self) -> bool {
        let received = std::mem::take(&mut self.received);
        let (mut rest, mut is_done) = (received.as_slice(), false);
        while let Some((first_byte, payload, behind)) = first_frame(rest) {
            // A ping needs no answer for as long as this takes.
            is_done |= first_byte != 0x89 && self.understand(payload);
            rest = behind;
        }
        self.received = rest.to_vec();
        is_done
    }

    fn understand(&mut self, payload: &[u8]) -> bool {
        let said: Said<'_> = serde_json::from_slice(payload).expect("a frame of the protocol");
        match (said.is, said.position) {
            ("welcome", _) => {}
            ("subscribed", position @ Some(_)) => {
                assert_eq!(said.recovered, self.position.map(|_| true), "{} lost something", self.pipe);
                assert!(self.position.is_none() || self.position == position, "{} begins elsewhere", self.pipe);
                self.position = position;
            }
            ("message", Some((epoch, index))) => {
                assert_eq!(self.position, Some((epoch, index - 1)), "{} is not in order", self.pipe);
                self.position = said.position;
                self.messages += 1;
            }
            ("answer", _) => return true,
            _ => panic!("{}: {}", self.pipe, String::from_utf8_lossy(payload)),
        }
        false
    }
}

/// The first byte and the payload of the first frame, if it is whole, and what is behind it. A node does not mask.
fn first_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
        length => (2, usize::from(length)),
    };
    Some((bytes[0], bytes.get(head..head + length)?, bytes.get(head + length..)?))
}
