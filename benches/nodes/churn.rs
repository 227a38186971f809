//! Pipes that appear and disappear, and what a message to another one notices of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::house::{House, MESSAGE_BYTES, Publisher};
use crate::memory;

/// Browsers that take and leave pipes, on both nodes in turn.
const BROWSERS: usize = 4;
const MESSAGES: usize = 400;
/// From one message to the next.
const PACE: Duration = Duration::from_millis(5);
const ROUNDS: usize = 5;
const PIPE: &str = "steady";

struct Shape {
    name: &'static str,
    browsers: usize,
    /// Pipes of one command.
    together: usize,
    /// Pipes that are to come and go in a second; as many as they can without.
    a_second: Option<f64>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    pipes: f64,
    seconds: f64,
    redis_micros: f64,
    node_micros: f64,
    median_micros: f64,
    most_micros: f64,
    subscribing_millis: f64,
}

/// The two nodes, and what goes on all the time.
struct Scene {
    house: House,
    publisher: Publisher,
    browser: Browser,
    /// So many names have been used.
    names: AtomicUsize,
}

pub fn table() {
    let shape = |name, browsers, together, a_second| Shape { name, browsers, together, a_second, rounds: Vec::new() };
    let mut shapes = [
        shape("none", 0, 0, None),
        shape("1,000 a second", BROWSERS, 100, Some(1_000.0)),
        shape("5,000 a second", BROWSERS, 100, Some(5_000.0)),
        shape("all they can", BROWSERS, 100, None),
        shape("all, one by one", BROWSERS, 1, None),
    ];
    let mut scene = Scene::new();
    for _ in 0..ROUNDS {
        shapes.iter_mut().for_each(|shape| shape.rounds.push(scene.measure(shape)));
    }
    println!(
        "{:<16} {:>8} {:>10} {:>10} {:>14} {:>11} {:>6} {:>9} {:>6}",
        "pipes", "pipes/s", "Redis, µs", "nodes, µs", "subscribe, ms", "median, µs", "ratio", "99 %, µs", "ratio"
    );
    let [quiet, churning @ ..] = shapes.each_mut().map(Shape::middle);
    print(shapes[0].name, quiet, quiet);
    shapes[1..].iter().zip(churning).for_each(|(shape, round)| print(shape.name, round, quiet));
}

fn print(name: &str, round: Round, quiet: Round) {
    let Round { pipes, seconds, median_micros, most_micros, subscribing_millis, .. } = round;
    // What the messages take without any pipe is not the pipes'.
    let a_pipe = |micros: f64, quiet: f64| if pipes > 0.0 { (micros - quiet) / pipes } else { 0.0 };
    let (redis, nodes) = (a_pipe(round.redis_micros, quiet.redis_micros), a_pipe(round.node_micros, quiet.node_micros));
    let (rate, ratio, most_ratio) =
        (pipes / seconds, median_micros / quiet.median_micros, most_micros / quiet.most_micros);
    println!(
        "{name:<16} {rate:>8.0} {redis:>10.1} {nodes:>10.1} {subscribing_millis:>14.2} {median_micros:>11.0} {ratio:>6.2} \
         {most_micros:>9.0} {most_ratio:>6.2}"
    );
}

impl Shape {
    /// The round with the middle median.
    fn middle(&mut self) -> Round {
        self.rounds.sort_by(|one, other| one.median_micros.total_cmp(&other.median_micros));
        self.rounds[ROUNDS / 2]
    }
}

impl Scene {
    fn new() -> Scene {
        let house = House::over_redis(2);
        // As the listings of a bucket are when there are millions of pipes.
        memory::ask(&house, "CONFIG SET zset-max-listpack-entries 0");
        let browser = Browser::subscriber(house.nodes[1].browsers, &[PIPE]);
        let publisher = house.publisher(0);
        Scene { house, publisher, browser, names: AtomicUsize::new(0) }
    }

    fn measure(&mut self, shape: &Shape) -> Round {
        let (is_over, pipes) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (names, house) = (&self.names, &self.house);
        let churn = |number: usize| Churn {
            address: house.nodes[number % 2].browsers,
            shape,
            names,
            is_over: &is_over,
            pipes: &pipes,
        };
        let churns: Vec<(Churn<'_>, Browser)> = (0..shape.browsers)
            .map(churn)
            .map(|churn| {
                let browser = Browser::newcomer(churn.address);
                (churn, browser)
            })
            .collect();
        let (before, began) = (house.used(), Instant::now());
        let (publisher, browser) = (&mut self.publisher, &mut self.browser);
        let (mut micros, mut subscribing, seconds) = std::thread::scope(|scope| {
            let churns: Vec<_> =
                churns.into_iter().map(|(churn, browser)| scope.spawn(move || churn.run(browser))).collect();
            let micros = publish(publisher, browser);
            is_over.store(true, Ordering::Relaxed);
            let subscribing = churns.into_iter().flat_map(|churn| churn.join().expect("it has churned"));
            (micros, subscribing.collect::<Vec<f64>>(), began.elapsed().as_secs_f64())
        });
        let used = house.used().since(&before);
        micros.sort_by(f64::total_cmp);
        subscribing.sort_by(f64::total_cmp);
        Round {
            pipes: pipes.into_inner() as f64,
            seconds,
            redis_micros: used.redis as f64,
            node_micros: used.nodes.iter().sum::<u64>() as f64,
            median_micros: micros[micros.len() / 2],
            most_micros: micros[micros.len() * 99 / 100],
            subscribing_millis: subscribing.get(subscribing.len() / 2).copied().unwrap_or(0.0),
        }
    }
}

/// What each message took until the browser had it, in microseconds.
fn publish(publisher: &mut Publisher, browser: &mut Browser) -> Vec<f64> {
    let (text, began) = ("x".repeat(MESSAGE_BYTES), Instant::now());
    let message = |number: usize| {
        let due = began + PACE * number as u32;
        let wait = due.saturating_duration_since(Instant::now());
        std::thread::sleep(wait);
        // Whoever had to wait for the one before has waited since it was due.
        let sent = if wait.is_zero() { due } else { Instant::now() };
        publisher.begin(PIPE, &text);
        browser.frame();
        let micros = sent.elapsed().as_secs_f64() * 1e6;
        publisher.end();
        micros
    };
    (1..=MESSAGES).map(message).collect()
}

/// One browser that takes and leaves pipes nobody has heard of.
struct Churn<'s> {
    address: SocketAddr,
    shape: &'s Shape,
    names: &'s AtomicUsize,
    is_over: &'s AtomicBool,
    pipes: &'s AtomicUsize,
}

impl Churn<'_> {
    /// What each command to subscribe took, in milliseconds.
    fn run(self, mut browser: Browser) -> Vec<f64> {
        let (together, began) = (self.shape.together, Instant::now());
        let every = self.shape.a_second.map(|pipes| (self.shape.browsers * together) as f64 / pipes);
        let mut subscribing = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let first = self.names.fetch_add(together, Ordering::Relaxed);
            let names: Vec<String> = (first..first + together).map(|number| format!("churn_{number}")).collect();
            let pipes: Vec<Value> = names.iter().map(|name| json!({"pipe": name})).collect();
            let asked = Instant::now();
            browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
            assert_eq!(browser.hear_up_to_answer(1).len(), together);
            subscribing.push(asked.elapsed().as_secs_f64() * 1e3);
            browser.say(&json!({"do": "unsubscribe", "id": 2, "pipes": names}));
            browser.hear_up_to_answer(2);
            self.pipes.fetch_add(together, Ordering::Relaxed);
            if let Some(every) = every {
                let due = began + Duration::from_secs_f64(every * subscribing.len() as f64);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        subscribing
    }
}
