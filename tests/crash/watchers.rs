//! Browsers of generation 5 that listen through every crash: each comes back with its positions, and has everything in
//! the end, once and in order. Some are devices of users, who say what they have taken.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::ledger::{Ledger, PIPES, Place, TRUSTED};

/// A device says so after so many messages.
const TAKEN_EVERY: usize = 7;

/// What one browser has of its pipes, over all its connections.
#[derive(Default)]
pub struct Watcher {
    pipes: BTreeMap<String, Heard>,
    /// Whose device it is, and up to which index it has said that it has taken the messages to that user.
    user: Option<(usize, u64)>,
}

/// What a user logs in with.
pub fn hash(user: usize) -> String {
    format!("hash{user}")
}

#[derive(Default)]
struct Heard {
    /// Where it began.
    since: u64,
    position: Option<(u64, u64)>,
    messages: BTreeMap<u64, String>,
}

impl Watcher {
    /// A device of the user with this number.
    pub fn device(user: usize) -> Watcher {
        Watcher { user: Some((user, 0)), ..Watcher::default() }
    }

    /// Listens on, once everything that was missed is there, until the node is gone.
    pub fn attach(mut self, mut browser: Browser) -> JoinHandle<Watcher> {
        std::thread::spawn(move || {
            let mut heard: usize = 0;
            while let Some(frame) = browser.whole_frame() {
                if frame.first_byte == 0x81 {
                    self.hear(&frame.json());
                    heard += 1;
                }
                if heard % TAKEN_EVERY == 1 {
                    self.take(&mut browser);
                }
            }
            self
        })
    }

    /// Says what it has taken. The node may be gone, and there is no answer.
    fn take(&mut self, browser: &mut Browser) {
        let position = self.pipes.get("msg").and_then(|heard| heard.position);
        if let (Some((_, said)), Some((epoch, index))) = (&mut self.user, position) {
            *said = index;
            let taken = json!({"do": "taken", "position": [epoch, index]});
            let _ = browser.socket.write_all(&masked(0x81, taken.to_string().as_bytes()));
        }
    }

    /// The place of a user's messages, and up to which index they may be taken.
    pub fn taken(&self) -> Option<(Place, u64)> {
        self.user.map(|(user, said)| (Place::Log(user), said))
    }

    /// Comes back with its positions, and hears up to where it is live.
    pub fn catch_up(&mut self, address: SocketAddr) -> Browser {
        let position = |pipe: &str| self.pipes.get(pipe).and_then(|heard| heard.position);
        let with_position = |mut said: Value, pipe: &str| {
            if let Some((epoch, index)) = position(pipe) {
                said["position"] = json!([epoch, index]);
            }
            said
        };
        let (mut browser, told) = match self.user {
            None => {
                let mut browser = Browser::newcomer(address);
                let pipes: Vec<Value> =
                    PIPES.into_iter().chain([TRUSTED]).map(|pipe| with_position(json!({"pipe": pipe}), pipe)).collect();
                browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
                let told = browser.hear_up_to_answer(1);
                (browser, told)
            }
            Some((user, _)) => {
                let mut browser = Browser::five(address);
                let hello = json!({"do": "hello", "user": user, "key": hash(user)});
                let welcome = browser.ask(&with_position(hello, "msg"));
                assert_eq!((&welcome["is"], &welcome["user"]), (&json!("welcome"), &json!(user)));
                browser.say(&json!({"do": "ping", "id": 1}));
                let told = browser.hear_up_to_answer(1);
                (browser, told)
            }
        };
        told.iter().for_each(|told| self.hear(told));
        self.take(&mut browser);
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
        let places: Vec<(&str, Place)> = match self.user {
            Some((user, _)) => vec![("msg", Place::Log(user))],
            None => PIPES.into_iter().chain([TRUSTED]).map(|pipe| (pipe, Place::Pipe(pipe))).collect(),
        };
        for (pipe, place) in places {
            let heard = &self.pipes[pipe];
            for (index, text, is_deleted) in ledger.owners(place) {
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
