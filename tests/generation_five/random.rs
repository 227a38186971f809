//! Clients that come, go and publish at random, while a backend publishes: everybody has everything, once, in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::browser::Browser;
use super::randomness::Random;
use super::world::{World, config, world};

const PIPES: [&str; 4] = ["web_kept", "web_kept_too", "web_unkept", "web_unkept_too"];
const CLIENTS: usize = 6;
const STEPS: usize = 600;
/// Fewer than a recovery window holds, so that nobody who comes back has missed too much.
const BURST_MAX: usize = 5;

#[derive(Default)]
struct Client {
    browser: Option<Browser>,
    /// Up to where it has each pipe.
    has: BTreeMap<&'static str, Value>,
    /// What it has heard of each pipe, by index.
    heard: BTreeMap<&'static str, Vec<(u64, String)>>,
    said: u64,
}

impl Client {
    /// Comes back to where it has got, or for the first time.
    fn come(&mut self, world: &World) {
        let mut browser = Browser::newcomer(world.address);
        let wanted = PIPES.map(|pipe| match self.has.get(pipe) {
            Some(position) => json!({"pipe": pipe, "position": position}),
            None => json!({"pipe": pipe}),
        });
        browser.say(&json!({"do": "subscribe", "id": 0, "pipes": wanted}));
        self.browser = Some(browser);
        self.read_up_to(0);
    }

    fn read_up_to(&mut self, answer: u64) {
        while let Some(browser) = &mut self.browser {
            let heard = browser.hear();
            if heard["is"] == "answer" && heard["id"] == answer {
                return;
            }
            self.heard(&heard);
        }
    }

    fn heard(&mut self, heard: &Value) {
        if heard["is"] == "answer" {
            return;
        }
        let pipe = PIPES.into_iter().find(|pipe| heard["pipe"] == *pipe).unwrap_or_else(|| panic!("{heard}"));
        let position = heard["position"].clone();
        if heard["is"] == "subscribed" {
            if let Some(has) = self.has.get(pipe) {
                assert_eq!((&heard["recovered"], &position), (&json!(true), has), "{heard}");
            }
        } else {
            assert_eq!(heard["is"], "message", "{heard}");
            let (index, has) = (position[1].as_u64().unwrap(), &self.has[pipe]);
            assert_eq!((&position[0], index), (&has[0], has[1].as_u64().unwrap() + 1), "{heard}");
            self.heard.entry(pipe).or_default().push((index, heard["data"].to_string()));
        }
        self.has.insert(pipe, position);
    }

    fn step(&mut self, number: usize, world: &World, random: &mut Random) {
        let Some(browser) = &mut self.browser else { return self.come(world) };
        match random.below(6) {
            0 => self.browser = None,
            1..=3 => {
                self.said += 1;
                let data = format!("client {number} said {}", self.said);
                let pipe = PIPES[random.below(PIPES.len())];
                browser.say(&json!({"do": "publish", "id": self.said, "pipe": pipe, "data": data}));
            }
            _ => {
                browser.say(&json!({"do": "ping", "id": u64::MAX}));
                self.read_up_to(u64::MAX);
            }
        }
    }

    /// Reads on until it has all there is.
    fn finish(&mut self, world: &World, ends: &BTreeMap<&'static str, Value>) {
        if self.browser.is_none() {
            self.come(world);
        }
        while self.has != *ends {
            let heard = self.browser.as_mut().unwrap().hear();
            self.heard(&heard);
        }
    }
}

#[test]
fn whoever_comes_back_has_everything_once_and_in_order() {
    let world = world(config());
    PIPES[..2].iter().for_each(|pipe| world.keep(pipe, 1_000));
    let mut random = Random::new("clients of generation 5");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::default()).collect();
    clients.iter_mut().for_each(|client| client.come(&world));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Beside what the steps publish, one message after the other in no order with them.
        scope.spawn(|| {
            for number in 0..60 {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let text = format!("\"backend {number}\"");
                world.publish_all(PIPES.iter().map(|pipe| (*pipe, text.as_str())).collect());
                std::thread::yield_now();
            }
        });
        for step in 0..STEPS {
            let number = random.below(CLIENTS);
            clients[number].step(number, &world, &mut random);
            if step % 10 == 0 {
                let text = format!("\"step {step}\"");
                let pipe = PIPES[random.below(PIPES.len())];
                world.publish_all(vec![(pipe, text.as_str()); 1 + random.below(BURST_MAX)]);
                // Nobody is away for longer than a window remembers.
                clients.iter_mut().filter(|client| client.browser.is_none()).for_each(|client| client.come(&world));
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    // What was said last has been published when its sender is answered.
    for client in &mut clients {
        if let Some(browser) = &mut client.browser {
            browser.say(&json!({"do": "ping", "id": u64::MAX}));
            client.read_up_to(u64::MAX);
        }
    }
    let ends = PIPES.map(|pipe| (pipe, super::at(world.publish(pipe, "\"the end\"").position))).into();
    clients.iter_mut().for_each(|client| client.finish(&world, &ends));
    let (first, others) = clients.split_first().unwrap();
    for pipe in PIPES {
        let all = &first.heard[pipe];
        assert!(all.iter().zip(1..).all(|((index, _), expected)| *index == expected), "{pipe} has holes");
        others.iter().for_each(|other| assert_eq!(other.heard[pipe], *all, "{pipe}"));
    }
    assert_eq!((world.status.gaps_declared(), world.status.browsers_too_slow()), (0, 0));
}
