//! A browser of generation 5 that comes back whenever its connection ends, as the script for pages does.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::browser::{Browser, masked};
use crate::site::DEADLINE;

pub struct Follower {
    browser: Browser,
    /// Where it comes back to.
    address: SocketAddr,
    login: Value,
    pipe: String,
    position: Value,
    /// What it was told, in order.
    pub texts: Vec<String>,
    /// How many of them, for those who watch.
    pub count: Arc<AtomicUsize>,
    pub gaps: usize,
    pub connections: usize,
    is_listening: bool,
}

impl Follower {
    /// One that has been answered: from now on it hears what is published.
    pub fn come(address: SocketAddr, login: Value, pipe: &str) -> Follower {
        let mut follower = Follower {
            browser: Browser::five(address),
            address,
            login,
            pipe: pipe.to_owned(),
            position: Value::Null,
            texts: Vec::new(),
            count: Arc::default(),
            gaps: 0,
            connections: 1,
            is_listening: false,
        };
        follower.begin();
        while !follower.is_listening {
            follower.step();
        }
        follower
    }

    pub fn hear_until(&mut self, text: &str) {
        while self.texts.last().is_none_or(|last| last != text) {
            self.step();
        }
    }

    fn begin(&mut self) {
        let mut hello = json!({"do": "hello"});
        let (hello_keys, login) = (hello.as_object_mut().expect("it is one"), self.login.as_object().expect("one"));
        hello_keys.extend(login.clone());
        let mut wanted = json!({"pipe": self.pipe});
        if !self.position.is_null() {
            wanted["position"] = self.position.clone();
        }
        let subscribe = json!({"do": "subscribe", "id": 1, "pipes": [wanted]});
        for command in [hello, subscribe] {
            // Where nobody reads any more, the end is seen when it is read.
            let _ = self.browser.socket.write_all(&masked(0x81, command.to_string().as_bytes()));
        }
    }

    /// nginx answers 502 while it believes that no node is there.
    fn come_back(&mut self) {
        let began = Instant::now();
        loop {
            let (browser, head) = Browser::upgrade(self.address, "/ws/v=5&devid=0");
            if head.starts_with("HTTP/1.1 101 ") {
                self.browser = browser;
                break;
            }
            assert!(began.elapsed() < DEADLINE && head.starts_with("HTTP/1.1 502 "), "{head}");
        }
        self.connections += 1;
        self.begin();
    }

    /// Takes in one frame, or the end.
    fn step(&mut self) {
        match self.browser.frame_or_end() {
            None => self.come_back(),
            Some(frame) => match frame.first_byte {
                0x88 => self.come_back(),
                0x89 => drop(self.browser.socket.write_all(&masked(0x8A, &frame.payload))),
                _ => self.take(&frame.json()),
            },
        }
    }

    fn take(&mut self, said: &Value) {
        match said["is"].as_str().expect("each says what it is") {
            "move" => self.come_back(),
            "welcome" => assert_eq!(said["user"], self.login["user"], "{said}"),
            "subscribed" | "gap" if said["pipe"] != self.pipe => {}
            "subscribed" => {
                self.gaps += usize::from(!self.position.is_null() && said["recovered"] != true);
                self.position = said["position"].clone();
                self.is_listening = true;
            }
            "gap" => {
                self.gaps += 1;
                self.position = said["position"].clone();
            }
            "message" => {
                self.position = said["position"].clone();
                self.texts.push(said["data"]["text"].as_str().expect("a text").to_owned());
                self.count.store(self.texts.len(), Ordering::SeqCst);
            }
            "error" => panic!("{said}"),
            _ => {}
        }
    }
}
