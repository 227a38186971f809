//! How long a message takes that has nobody to wait for.

use std::time::Instant;

use crate::browser::Browser;
use crate::house::{Begin, House, MESSAGE_BYTES, Publisher};

const MESSAGES: usize = 1_000;
const ROUNDS: usize = 5;
const PIPE: &str = "bench";

/// A way from a publisher to a browser.
struct Way {
    name: &'static str,
    house: House,
    /// The node of the browser; the publisher is at the first.
    at: usize,
    publisher: Publisher,
    browser: Browser,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    median_micros: f64,
    most_micros: f64,
    publishing: f64,
    delivering: f64,
    redis: f64,
}

pub fn table() {
    let shapes: [(&str, Begin, usize); 3] = [
        ("embedded", House::embedded, 0),
        ("same", || House::over_redis(2), 0),
        ("across", || House::over_redis(2), 1),
    ];
    let mut ways = shapes.map(|(name, house, at)| Way::new(name, house(), at));
    for _ in 0..ROUNDS {
        ways.iter_mut().for_each(Way::measure);
    }
    println!(
        "{:<10} {:>10} {:>10} {:>8} {:>14} {:>12} {:>10}",
        "way", "median, µs", "99 %, µs", "ratio", "publishing, µs", "delivering", "Redis"
    );
    let embedded = ways[0].middle().median_micros;
    for way in &mut ways {
        let Round { median_micros, most_micros, publishing, delivering, redis } = way.middle();
        let ratio = median_micros / embedded;
        println!(
            "{:<10} {median_micros:>10.0} {most_micros:>10.0} {ratio:>8.2} {publishing:>14.1} {delivering:>12.1} {redis:>10.1}",
            way.name
        );
    }
}

impl Way {
    fn new(name: &'static str, house: House, at: usize) -> Way {
        let browser = Browser::subscriber(house.nodes[at].browsers, &[PIPE]);
        let publisher = house.publisher(0);
        Way { name, house, at, publisher, browser, rounds: Vec::new() }
    }

    fn measure(&mut self) {
        let text = "x".repeat(MESSAGE_BYTES);
        let before = self.house.used();
        let mut micros: Vec<f64> = Vec::with_capacity(MESSAGES);
        for _ in 0..MESSAGES {
            let began = Instant::now();
            self.publisher.begin(PIPE, &text);
            self.browser.frame();
            micros.push(began.elapsed().as_secs_f64() * 1e6);
            self.publisher.end();
        }
        let used = self.house.used().since(&before);
        micros.sort_by(f64::total_cmp);
        let a_message = |micros: u64| micros as f64 / MESSAGES as f64;
        self.rounds.push(Round {
            median_micros: micros[MESSAGES / 2],
            most_micros: micros[MESSAGES * 99 / 100],
            publishing: a_message(used.nodes[0]),
            delivering: a_message(used.nodes[self.at]),
            redis: a_message(used.redis),
        });
    }

    /// The round with the middle median.
    fn middle(&mut self) -> Round {
        self.rounds.sort_by(|one, other| one.median_micros.total_cmp(&other.median_micros));
        self.rounds[ROUNDS / 2]
    }
}
