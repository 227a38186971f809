//! What a connection costs that waits: resident bytes of the node for each of 10,000 browsers that are logged in by
//! a token, with headers as browsers send them and two subscriptions. When they have just come, and when what their
//! coming took for a moment has gone back to the system.
//!
//!     cargo bench --bench idle
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/browser.rs"]
#[allow(dead_code)]
mod browser;
#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use browser::Browser;
use hmac::{KeyInit, Mac};
use node::{Node, PASSWORD};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CONNECTIONS: usize = 10_000;
/// Longer than the allocator keeps what is free.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(15);

/// The two pipes of the n-th connection.
type Pipes = fn(usize) -> [String; 2];

const SHAPES: [(&str, Pipes); 3] = [
    ("two pipes that all share", |_| ["news".to_owned(), "weather".to_owned()]),
    ("one shared, one of its own", |number| ["news".to_owned(), format!("inbox_{number}")]),
    ("two of its own", |number| [format!("inbox_{number}"), format!("cursor_{number}")]),
];

fn main() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    println!("{CONNECTIONS} connections that are logged in and wait\n");
    println!(
        "{:<30} {:>18} {:>12} {:>20}",
        "subscriptions", "bytes a connection", "15 s later", "CPU µs to accept one"
    );
    for (shape, pipes) in SHAPES {
        let node = Node::start(&[]);
        // What the first connections bring into being once is not theirs.
        let warm: Vec<Browser> = (0..100).map(|number| connect(&node, number, pipes)).collect();
        drop(warm);
        std::thread::sleep(SETTLED);
        let (bytes_before, cpu_before) = (node.resident_bytes(), node.cpu_micros());
        let connections: Vec<Browser> = (0..CONNECTIONS).map(|number| connect(&node, number, pipes)).collect();
        let bytes_of_each = || (node.resident_bytes() - bytes_before) / CONNECTIONS as u64;
        let cpu = (node.cpu_micros() - cpu_before) / CONNECTIONS as u64;
        let at_first = bytes_of_each();
        std::thread::sleep(SETTLED);
        println!("{shape:<30} {at_first:>18} {:>12} {cpu:>20}", bytes_of_each());
        drop(connections);
    }
}

fn connect(node: &Node, number: usize, pipes: Pipes) -> Browser {
    let user = number + 1;
    let target = format!("/ws/sesion={}&myid={user}&devid=0&v=4.08&uuid={number:0>32}&api=js", token(user));
    let mut browser = Browser::silent(node.browsers);
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
    let request = browser::request(&target).replace("Raw/1.0", agent);
    browser.send_raw(request.as_bytes());
    browser.head();
    assert_eq!(browser.frame().json()["authorized"], true);
    let [first, second] = pipes(number);
    browser.subscribe(&[&first, &second]);
    browser
}

fn token(user: usize) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"user_id\":{user},\"exp\":9000000000}}"));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{PASSWORD}0").as_bytes()).unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
