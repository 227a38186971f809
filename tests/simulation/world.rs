//! Shards, their browsers, and what moves between them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use cometql::clock::Clock;
use cometql::node::{Answer, Ask};
use cometql::pipe::ConnectionId;
use cometql::user::UserId;
use cometql::ws;
use cometql::ws::http::Site;
use cometql::ws::shard::{Shard, ShardPlace, Whose};

use super::five::Five;
use super::four::Four;
use super::house::{Doing, House, SHARDS};
use super::socket::{Frame, Socket};

pub struct World {
    pub house: House,
    pub shards: Vec<Shard>,
    /// How many connections each has had, which is what their serial numbers are.
    opened: Vec<u32>,
    pub browsers: Vec<Browser>,
    pub texts: usize,
}

pub struct Browser {
    pub socket: Option<Socket>,
    pub kind: Kind,
}

pub enum Kind {
    Five(Five),
    Four(Four),
}

type AskOf<'a> = &'a mut dyn FnMut(Whose, Ask) -> Option<Answer>;

fn config(outbox_bytes_max: usize) -> ws::Config {
    ws::Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        trusted_proxies: Default::default(),
        shards: SHARDS,
        handshake_seconds_max: 10,
        request_bytes_max: 16 * 1024,
        message_bytes_max: 1024 * 1024,
        ping_seconds: 25,
        outbox_bytes_max,
        subscriptions_max: 1024,
        connections_max: 10_000,
        drain_seconds_max: 0,
        ear_bytes_max: 8 * 1024 * 1024,
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        let house = House::new(seed);
        let site = Arc::new(Site {
            page: Bytes::from_static(b"page"),
            script: Default::default(),
            origins: Default::default(),
        });
        let config = config(house.plan.outbox_bytes_max);
        let shard =
            |shard| Shard::new(ShardPlace { node: 0, shard }, &config, Arc::clone(&site), Arc::clone(&house.status));
        let shards = (0..SHARDS as u8).map(shard).collect();
        let user = |number| UserId::new(number);
        let fives = [user(1), user(1), user(2), None, None, None].map(|user| Kind::Five(Five::new(user)));
        let fours = [user(2), None].map(|user| Kind::Four(Four::new(user)));
        let browsers = fives.into_iter().chain(fours).map(|kind| Browser { socket: None, kind }).collect();
        World { house, shards, opened: vec![0; SHARDS], browsers, texts: 0 }
    }

    /// A step of a shard, and what it leaves to be done.
    pub fn step(&mut self, shard: usize, step: impl FnOnce(&mut Shard, AskOf<'_>)) {
        let house = &mut self.house;
        step(&mut self.shards[shard], &mut |whose, ask| house.asked(shard, whose, ask));
        let (freed, over) = (self.shards[shard].take_freed(), self.shards[shard].take_over());
        for browser in &mut self.browsers {
            if let Some(socket) = browser.socket.as_mut().filter(|socket| socket.shard == shard) {
                socket.is_over |= over.contains(&socket.slot);
                if freed.contains(&socket.slot) {
                    browser.socket = None;
                }
            }
        }
        self.tell_fours();
    }

    /// What has become true of browsers that know nothing of it themselves.
    pub fn tell_fours(&mut self) {
        for (id, doing) in std::mem::take(&mut self.house.doings) {
            for browser in &mut self.browsers {
                if let Kind::Four(four) = &mut browser.kind
                    && four.id == Some(id)
                {
                    match &doing {
                        Doing::Listens(taken, left) => four.listens(taken, left),
                        Doing::ReadsLog(pipe, since) => four.reads_log(pipe, *since),
                    }
                }
            }
        }
    }

    pub fn now(&self) -> cometql::clock::UnixMillis {
        self.house.clock.now()
    }

    pub fn connect(&mut self, number: usize) {
        let shard = self.house.random.below(SHARDS);
        let slot = self.shards[shard].opened(Ipv4Addr::LOCALHOST.into(), self.house.clock.now());
        self.opened[shard] += 1;
        self.house.note(|| format!("browser {number} connects to shard {shard} as {slot}"));
        let Browser { socket, kind } = &mut self.browsers[number];
        match kind {
            Kind::Five(five) => {
                let socket = socket.insert(Socket::new(shard, slot, "/ws/v=5&devid=0"));
                five.greet(socket, &mut self.house.random);
            }
            Kind::Four(four) => {
                four.id = Some(ConnectionId { node: 0, shard: shard as u8, slot, serial: self.opened[shard] });
                let socket = socket.insert(Socket::new(shard, slot, &four.target()));
                four.greet(socket, &mut self.house.random);
            }
        }
    }

    /// The connection breaks; what is on its way is lost.
    pub fn disconnect(&mut self, number: usize) {
        if let Some(socket) = self.browsers[number].socket.take() {
            self.house.note(|| format!("browser {number} is gone"));
            self.step(socket.shard, |shard, ask| shard.gone(socket.slot, ask));
        }
    }

    /// Some of what a browser has said reaches its shard.
    pub fn carry_up(&mut self, number: usize, bytes_max: usize) -> bool {
        let now = self.now();
        let Some(socket) = &mut self.browsers[number].socket else { return false };
        let (shard, slot) = (socket.shard, socket.slot);
        if socket.said.is_empty() || !self.shards[shard].may_read(slot) {
            return false;
        }
        let mut bytes: Vec<u8> = socket.said.drain(..bytes_max.min(socket.said.len())).collect();
        self.step(shard, |shard, ask| shard.bytes(slot, &mut bytes, now, ask));
        true
    }

    /// Some of what waits for a browser reaches it.
    pub fn carry_down(&mut self, number: usize, bytes_max: usize) -> bool {
        let now = self.now();
        let Some(Socket { shard, slot, .. }) = self.browsers[number].socket else { return false };
        let mut bytes = Vec::new();
        let outboxes = &mut self.shards[shard].outboxes;
        while bytes.len() < bytes_max && !outboxes.is_empty(slot) {
            let mut slices = [std::io::IoSlice::new(&[])];
            outboxes.front(slot, &mut slices);
            let part = slices[0][..slices[0].len().min(bytes_max - bytes.len())].to_vec();
            outboxes.taken(slot, part.len());
            bytes.extend(part);
        }
        let event = outboxes.event(slot);
        let has_moved = !bytes.is_empty() || event.is_some();
        // First what was taken, then what comes of it: it may be the last.
        self.receive(number, &bytes);
        if let Some(event) = event {
            self.step(shard, |shard, ask| shard.outbox_event(slot, event, now, ask));
        }
        if self.browsers[number].socket.as_ref().is_some_and(|socket| socket.is_over && socket.slot == slot) {
            self.disconnect(number);
        }
        has_moved
    }

    fn receive(&mut self, number: usize, bytes: &[u8]) {
        let Browser { socket: Some(socket), kind } = &mut self.browsers[number] else { return };
        let house = &mut self.house;
        let shard = socket.shard;
        let frames = socket.receive(bytes).unwrap_or_else(|wrong| {
            house.check(Err(wrong));
            Vec::new()
        });
        for frame in frames {
            let done = match frame {
                Frame::Text(json) => {
                    house.note(|| format!("browser {number} is told {}", super::house::shortened_frame(&json)));
                    let house = &*house;
                    match kind {
                        Kind::Five(five) => {
                            five.frame(&json, &house.truth, &|pipe, loss| house.has_lost(shard, pipe, loss))
                        }
                        Kind::Four(four) => {
                            four.frame(&json, &house.truth, &|pipe, message| house.is_lost(shard, pipe, message))
                        }
                    }
                }
                Frame::Ping(payload) => {
                    socket.pong(&payload);
                    Ok(())
                }
                Frame::Close(1001 | 4100 | 4200) => {
                    socket.is_over = true;
                    Ok(())
                }
                Frame::Close(code) => Err(format!("it is closed with {code}")),
                Frame::Pong => Err("nobody has pinged".into()),
            };
            house.check(done.map_err(|wrong| format!("browser {number}: {wrong}")));
        }
    }
}
