//! Who is in the crowd, what they do, and what must be true then.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{KeyInit, Mac};

use super::Judge;
use super::browser::{Browser, masked, request};
use super::node::Node;
use super::random::Random;

/// Members of the crowd for each pipe, and for each user.
const MEMBERS_A_PIPE: usize = 25;
const MEMBERS_A_USER: usize = 8;

pub struct Crowd {
    address: SocketAddr,
    members: Vec<Member>,
    pipes: Vec<String>,
}

#[derive(Default)]
struct Member {
    /// The token it logs in with, and whose it is; half of all are strangers.
    user: Option<(u32, String)>,
    browser: Option<Browser>,
    /// Numbers of pipes.
    subscribed: BTreeSet<usize>,
}

impl Crowd {
    pub fn new(node: &Node, count: usize) -> Crowd {
        let pipe = |number: usize| format!("{}_{number}", if number.is_multiple_of(10) { "track" } else { "web" });
        let member = |number: usize| {
            let user = (number / MEMBERS_A_USER) as u32 + 1;
            let user = number.is_multiple_of(2).then(|| (user, token(&node.password, user)));
            Member { user, ..Member::default() }
        };
        let pipes = (0..count / MEMBERS_A_PIPE).map(pipe).collect();
        Crowd { address: node.browsers, members: (0..count).map(member).collect(), pipes }
    }

    /// Everybody connects.
    pub fn come(&mut self) {
        self.members.iter_mut().for_each(|member| member.connect(self.address));
    }

    /// Everybody goes.
    pub fn go(&mut self) {
        for member in &mut self.members {
            (member.browser, member.subscribed) = Default::default();
        }
    }

    /// Nobody waits for an answer: what is said and done crosses what comes.
    pub fn steps(&mut self, count: usize, random: &mut Random) {
        for _ in 0..count {
            let nth = random.below(self.members.len());
            let member = &mut self.members[nth];
            if member.browser.is_none() {
                member.connect(self.address);
            }
            match random.below(10) {
                0..=3 => member.subscribe(&self.pipes, random),
                4..=6 => {
                    let pipe = &self.pipes[random.below(self.pipes.len())];
                    member.say(&format!("web_pipe2\n{pipe}\ne\n*\n{}", "x".repeat(random.below(200))));
                }
                7 => member.look(),
                _ => member.die(random),
            }
        }
    }

    /// What the node says is what is so.
    pub fn check(&mut self, judge: &mut Judge) {
        self.members.iter_mut().for_each(Member::look);
        for (number, pipe) in self.pipes.iter().enumerate() {
            let there = self.members.iter().filter(|member| member.subscribed.contains(&number)).count() as u64;
            judge.until(&format!("{pipe} has {there} subscribers"), |judge| judge.count(pipe) == there);
        }
        let mut devices = BTreeMap::<u32, bool>::new();
        for member in &self.members {
            if let Some((user, _)) = member.user {
                *devices.entry(user).or_default() |= member.browser.is_some();
            }
        }
        for (user, is_here) in devices {
            judge.until(&format!("it is {is_here} that user {user} is here"), |judge| judge.is_here(user) == is_here);
        }
    }
}

impl Member {
    /// Says hello and does not wait for the answer.
    fn connect(&mut self, address: SocketAddr) {
        let (user, key) = self.user.clone().unwrap_or_default();
        let target = format!("/ws/sesion={key}&myid={user}&devid=0&v=4.08&uuid=u&api=js");
        let mut browser = Browser::silent(address);
        browser.send_raw(request(&target).as_bytes());
        browser.head();
        self.browser = Some(browser);
    }

    fn say(&mut self, text: &str) {
        if let Some(browser) = &mut self.browser {
            browser.send_text(text);
        }
    }

    fn subscribe(&mut self, pipes: &[String], random: &mut Random) {
        self.subscribed = (0..random.below(6)).map(|_| random.below(pipes.len())).collect();
        let names: Vec<&str> = self.subscribed.iter().map(|number| pipes[*number].as_str()).collect();
        self.say(&format!("subscription\n{}", names.join("\n")));
    }

    /// Reads everything there is, up to a pong.
    fn look(&mut self) {
        if let Some(browser) = &mut self.browser {
            browser.send_raw(&masked(0x89, b"look"));
            while browser.frame().first_byte != 0x8A {}
        }
    }

    /// Goes in one of the ways there are.
    fn die(&mut self, random: &mut Random) {
        let Some(mut browser) = self.browser.take() else { return };
        self.subscribed.clear();
        let half = masked(0x81, b"subscription\nweb_1\nweb_2");
        let _ = match random.below(5) {
            0 => browser.socket.write_all(&masked(0x88, b"")),
            1 => browser.socket.write_all(&half[..random.below(half.len())]),
            2 => browser.socket.write_all(&[0xff; 20]),
            // With something unread a socket that is closed resets its connection.
            3 => browser.socket.write_all(&masked(0x89, b"never read")).map(|()| {
                let _ = browser.socket.peek(&mut [0]);
            }),
            _ => browser.socket.shutdown(std::net::Shutdown::Write),
        };
    }
}

fn token(password: &str, user: u32) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"user_id\":{user},\"exp\":9000000000}}"));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{password}0").as_bytes()).unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
