//! Browsers of generation 5 that listen through every crash: each comes back with its positions, and has everything in
//! the end, once and in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::browser::{Browser, parse};
use super::ledger::{Ledger, PIPES, Place, TRUSTED};

/// What one browser has of its pipes, over all its connections.
#[derive(Default)]
pub struct Watcher {
    pipes: BTreeMap<String, Heard>,
}

#[derive(Default)]
struct Heard {
    /// Where it began.
    since: u64,
    position: Option<(u64, u64)>,
    messages: BTreeMap<u64, String>,
}

impl Watcher {
    /// Listens, once everything that was missed is there, until the node is gone.
    pub fn attach(mut self, address: SocketAddr) -> JoinHandle<Watcher> {
        let browser = self.catch_up(address);
        std::thread::spawn(move || {
            let bytes = browser.rest();
            let mut rest = bytes.as_slice();
            // A kill may cut the last frame.
            while let Some((length, frame)) = parse(rest) {
                if frame.first_byte == 0x81 {
                    self.hear(&frame.json());
                }
                rest = &rest[length..];
            }
            self
        })
    }

    /// Comes back with its positions, and hears up to where it is live.
    pub fn catch_up(&mut self, address: SocketAddr) -> Browser {
        let mut browser = Browser::newcomer(address);
        let wanted = |pipe: &str| match self.pipes.get(pipe).and_then(|heard| heard.position) {
            Some((epoch, index)) => json!({"pipe": pipe, "position": [epoch, index]}),
            None => json!({"pipe": pipe}),
        };
        let pipes: Vec<Value> = PIPES.into_iter().chain([TRUSTED]).map(wanted).collect();
        browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
        for told in browser.hear_up_to_answer(1) {
            self.hear(&told);
        }
        browser
    }

    fn hear(&mut self, told: &Value) {
        let pipe = told["pipe"].as_str().unwrap_or_default();
        let position = || (told["position"][0].as_u64().unwrap(), told["position"][1].as_u64().unwrap());
        let heard = self.pipes.entry(pipe.to_owned()).or_default();
        match told["is"].as_str() {
            Some("subscribed") if heard.position.is_none() => {
                heard.position = Some(position());
                heard.since = position().1;
            }
            Some("subscribed") => {
                assert_eq!(
                    (&told["recovered"], heard.position),
                    (&json!(true), Some(position())),
                    "nothing was provoked"
                );
            }
            Some("message") => {
                let ((epoch, last), (of, index)) = (heard.position.unwrap(), position());
                assert!(of == epoch && index > last, "{pipe}: {told} behind {last} of {epoch}");
                heard.position = Some((of, index));
                heard.messages.insert(index, told["data"].as_str().unwrap().to_owned());
            }
            _ => panic!("nothing else was provoked: {told}"),
        }
    }

    /// # Panics
    /// It lacks something that was acknowledged and never deleted, or has something in another's place.
    pub fn compare(&self, ledger: &Ledger) {
        for pipe in PIPES.into_iter().chain([TRUSTED]) {
            let heard = &self.pipes[pipe];
            for (index, text, is_deleted) in ledger.owners(Place::Pipe(pipe)) {
                let has = heard.messages.get(&index).map(String::as_str);
                let may_lack = is_deleted || index <= heard.since;
                assert!(has == Some(text) || has.is_none() && may_lack, "{pipe}, {index}: {has:?} and not {text:?}");
            }
        }
    }

    pub fn messages(&self) -> usize {
        self.pipes.values().map(|heard| heard.messages.len()).sum()
    }
}
