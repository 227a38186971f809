//! Pipes whose names are used once appear and vanish all the time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::browser::Browser;
use super::load::Load;
use super::server::Redis;
use super::{House, all, until};

/// Pipes that one browser takes and leaves again at a time, in turn.
const TOGETHER: [usize; 4] = [50, 1, 500, 7];
/// What a node may hold more after the second round than after the first, in bytes.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

fn names_a_round() -> usize {
    if all() { 100_000 } else { 5_000 }
}

/// Browsers of every node take and leave pipes of their own until it is enough and they are told to stop.
struct Churn {
    names: AtomicUsize,
    is_over: AtomicBool,
}

impl Churn {
    fn run(&self, address: SocketAddr) {
        let mut browser = Browser::newcomer(address);
        for turn in 0.. {
            if self.is_over.load(Ordering::Relaxed) && self.names.load(Ordering::Relaxed) >= names_a_round() {
                return;
            }
            let together = TOGETHER[turn % TOGETHER.len()];
            let first = self.names.fetch_add(together, Ordering::Relaxed);
            // Never used before, in no round and no other test.
            let names: Vec<String> =
                (first..first + together).map(|number| format!("churn_{number}_{}", uuid::Uuid::now_v7())).collect();
            let pipes: Vec<Value> = names.iter().map(|name| json!({"pipe": name})).collect();
            browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
            if turn % 3 == 2 {
                // It goes without a word, and another one comes.
                assert_eq!(browser.hear_up_to_answer(1).len(), together);
                browser = Browser::newcomer(address);
                continue;
            }
            browser.say(&json!({"do": "unsubscribe", "id": 2, "pipes": names}));
            let told = browser.hear_up_to_answer(1);
            let subscribed = told.iter().map(|told| told["pipe"].as_str().expect("a name"));
            assert!(subscribed.eq(names.iter().map(String::as_str)), "each once, in the order of the command");
            assert_eq!(browser.hear_up_to_answer(2), Vec::<Value>::new());
        }
    }
}

/// Keys that are neither of a pipe that goes by itself nor the memory of an id.
fn lasting_keys(redis: &Redis) -> String {
    let count = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do \
                 if redis.call('PTTL', key) < 0 then n = n + 1 end end return n";
    redis.ask(&["EVAL", count, "0"])
}

/// Where pipes of the churn are still named: channels that nodes are subscribed to, listings, and what is to be seen to
/// should a node die.
fn named_in(redis: &Redis) -> String {
    let names = "local names = redis.call('PUBSUB', 'SHARDCHANNELS') \
                 local function add(list) for _, name in ipairs(list) do names[#names + 1] = name end end \
                 for _, key in ipairs(redis.call('KEYS', '*:pipes_of:*')) do add(redis.call('SMEMBERS', key)) end \
                 for _, key in ipairs(redis.call('KEYS', '*:heard')) do add(redis.call('ZRANGE', key, 0, -1)) end \
                 local n = 0 for _, name in ipairs(names) do if string.find(name, 'churn_') then n = n + 1 end end \
                 return n";
    redis.ask(&["EVAL", names, "0"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_steady_goes_on_while_thousands_of_pipes_come_and_go_and_nothing_is_left_of_them() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let addresses = [0, 1, 2].map(|number| house.node(number).browsers);
    let mut load = Load::begin(&house.doors);
    load.acknowledged(50).await;
    let keys_before = lasting_keys(&redis);
    let mut resident = Vec::new();
    for _ in 0..2 {
        let churn = Churn { names: AtomicUsize::new(0), is_over: AtomicBool::new(false) };
        std::thread::scope(|scope| {
            addresses.iter().for_each(|address| drop(scope.spawn(|| churn.run(*address))));
            block_in_place(|| tokio::runtime::Handle::current().block_on(load.acknowledged(300)));
            churn.is_over.store(true, Ordering::Relaxed);
        });
        println!("{} pipes have come and gone", churn.names.load(Ordering::Relaxed));
        // Before a look at the listings would tidy them.
        until(":0\r\n", async || named_in(&redis)).await;
        house.until_all_say("SELECT COUNT(*) FROM pipes", &[&["3"]]).await;
        resident.push([0, 1, 2].map(|number| house.node(number).resident_bytes()));
    }
    let told = load.end().await;
    println!("the nodes hold {resident:?} bytes");
    for (after_first, after_second) in resident[0].iter().zip(resident[1]) {
        assert!(after_second < after_first + GROWTH_BYTES_MAX, "{resident:?}");
    }
    until(&keys_before, async || lasting_keys(&redis)).await;
    house.end(&told).await;
}
