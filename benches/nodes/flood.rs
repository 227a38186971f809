//! How many messages go through, and what each costs whom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::house::{Begin, House, MESSAGE_BYTES, Publisher, Used};

const PIPES: usize = 24;
/// To each node that publishes.
const PUBLISHERS: usize = 16;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1_500);
const THE_END: &str = "end";

struct Shape {
    name: &'static str,
    house: House,
    /// The nodes that publish, and those where a browser listens.
    publish: &'static [usize],
    listen: &'static [usize],
    rounds: Vec<Round>,
}

struct Round {
    messages: u64,
    seconds: f64,
    used: Used,
}

pub fn table() {
    let shapes: [(&str, Begin, &[usize], &[usize]); 8] = [
        ("0        1       1", House::embedded, &[0], &[0]),
        ("1        1       1", || House::over_redis(1), &[0], &[0]),
        ("1        1       0", || House::over_redis(2), &[0], &[]),
        ("1        1   1 + 1", || House::over_redis(2), &[0], &[1]),
        ("1        1   1 + 2", || House::over_redis(3), &[0], &[1, 2]),
        ("1        3       3", || House::over_redis(3), &[0, 1, 2], &[0, 1, 2]),
        ("3        1       1", || House::over_cluster(1), &[0], &[0]),
        ("3        3       3", || House::over_cluster(3), &[0, 1, 2], &[0, 1, 2]),
    ];
    println!(
        "{:>7} {:>7} {:>7} {:>12} {:>7} {:>14} {:>12} {:>8}",
        "servers", "publish", "listen", "messages/s", "ratio", "publishing, µs", "listening", "Redis"
    );
    let mut embedded = None;
    for (name, house, publish, listen) in shapes {
        let mut shape = Shape { name, house: house(), publish, listen, rounds: Vec::new() };
        (0..ROUNDS).for_each(|_| shape.measure());
        let middle = shape.middle();
        let rate = middle.messages as f64 / middle.seconds;
        let ratio = rate / *embedded.get_or_insert(rate);
        let a_message = |micros: u64| micros as f64 / middle.messages as f64;
        let publishing: u64 = publish.iter().map(|node| middle.used.nodes[*node]).sum();
        let listening = listen.iter().find(|node| !publish.contains(node));
        let listening = listening.map_or("-".to_owned(), |node| format!("{:.1}", a_message(middle.used.nodes[*node])));
        let (publishing, redis) = (a_message(publishing), a_message(middle.used.redis));
        println!("      {} {rate:>12.0} {ratio:>7.2} {publishing:>14.1} {listening:>12} {redis:>8.1}", shape.name);
    }
}

impl Shape {
    fn measure(&mut self) {
        let (house, pipes) = (&self.house, pipes());
        let names: Vec<&str> = pipes.iter().map(String::as_str).collect();
        let listen = |node: &usize| Browser::subscriber(house.nodes[*node].browsers, &names);
        let browsers: Vec<Browser> = self.listen.iter().map(listen).collect();
        let publishers: Vec<Publisher> =
            self.publish.iter().flat_map(|node| (0..PUBLISHERS).map(|_| house.publisher(*node))).collect();
        let mut ending = house.publisher(self.publish[0]);
        let messages = AtomicU64::new(0);
        let (before, began) = (house.used(), Instant::now());
        let mut seconds = 0.0;
        std::thread::scope(|scope| {
            browsers.into_iter().for_each(|browser| drop(scope.spawn(|| hear(browser))));
            let published = publishers.into_iter().enumerate();
            let published: Vec<_> = published
                .map(|(number, publisher)| {
                    scope.spawn({
                        let (pipes, messages) = (&pipes, &messages);
                        move || publish(publisher, number, pipes, began, messages)
                    })
                })
                .collect();
            published.into_iter().for_each(|publisher| publisher.join().expect("it has published"));
            seconds = began.elapsed().as_secs_f64();
            pipes.iter().for_each(|pipe| ending.publish(pipe, THE_END));
        });
        self.rounds.push(Round { messages: messages.into_inner(), seconds, used: house.used().since(&before) });
    }

    /// The round with the middle rate.
    fn middle(&mut self) -> &Round {
        let rate = |round: &Round| round.messages as f64 / round.seconds;
        self.rounds.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
        &self.rounds[ROUNDS / 2]
    }
}

fn pipes() -> Vec<String> {
    (0..PIPES).map(|number| format!("bench_{number}")).collect()
}

fn publish(mut publisher: Publisher, number: usize, pipes: &[String], began: Instant, messages: &AtomicU64) {
    let text = "x".repeat(MESSAGE_BYTES);
    let mut count = 0;
    while began.elapsed() < ROUND {
        publisher.publish(&pipes[(number * 7 + count) % pipes.len()], &text);
        count += 1;
    }
    messages.fetch_add(count as u64, Ordering::Relaxed);
}

/// Until the end of every pipe.
fn hear(mut browser: Browser) {
    let mut ends = 0;
    while ends < PIPES {
        ends += usize::from(browser.frame().json()["data"] == THE_END);
    }
}
