//! What each server does when it is mistreated. Ours must do what is right; the other's answer is printed beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../../world/publisher.rs"]
mod publisher;
#[allow(dead_code)]
#[path = "../src/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use server::{SIDES, Server};

/// Far longer than an answer takes.
const DEADLINE: Duration = Duration::from_secs(10);
const PAIRS: usize = 200;

fn both(what: &str, right: &str, of: impl Fn(&Server) -> String) {
    let [ours, theirs] = SIDES.map(|side| of(&Server::start(side)));
    println!("{what:<28} ours: {ours:<34} opensrv: {theirs}");
    assert_eq!(ours, right, "{what}");
}

fn heard(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 64 * 1024];
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let received = socket.read(&mut bytes).unwrap_or(0);
    bytes.truncate(received);
    bytes
}

/// Number and text of an error, or that there was none.
fn told(bytes: &[u8]) -> String {
    match bytes {
        [] => "closed without a word".to_owned(),
        [_, _, _, _, 0xFF, low, high, ..] => format!("error {}", u16::from_le_bytes([*low, *high])),
        _ => "no error".to_owned(),
    }
}

#[test]
fn two_commands_in_one_segment() {
    both("two commands in one segment", "200 of 200 pairs", |server| {
        let mut right = 0;
        for _ in 0..PAIRS {
            let mut socket = server.connect();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let insert = "INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'x')";
            let pair = [publisher::query(insert), publisher::query(insert)].concat();
            socket.write_all(&pair).unwrap();
            let mut answers = [0; 22];
            right += usize::from(socket.read_exact(&mut answers).is_ok() && answers[4] == 0 && answers[15] == 0);
        }
        format!("{right} of {PAIRS} pairs")
    });
}

#[test]
fn an_execute_that_ends_too_early() {
    both("EXECUTE that ends too early", "error 1210, then it answers", |server| {
        let mut socket = server.connect();
        let text = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";
        socket.write_all(&publisher::framed(0, &[b"\x16", text.as_bytes()].concat())).unwrap();
        (0..5).for_each(|_| drop(publisher::packet(&mut socket)));
        // Three texts are announced, and the first says it has 200 bytes.
        let execute = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0\xfd\0\xfd\0\xc8abc";
        socket.write_all(&publisher::framed(0, execute)).unwrap();
        let error = told(&heard(&mut socket));
        let _ = socket.write_all(&publisher::framed(0, b"\x0e"));
        let after = if heard(&mut socket).is_empty() { "the connection is gone" } else { "it answers" };
        format!("{error}, then {after}")
    });
}

#[test]
fn sixteen_megabytes_before_login() {
    both("16 MiB before login", "error 1153", |server| {
        let mut socket = TcpStream::connect(server.address).unwrap();
        heard(&mut socket);
        let before = server.resident_bytes();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        let _ = socket.write_all(&[0xFE, 0xFF, 0xFF, 1]);
        let piece = vec![1; 1024 * 1024];
        let mut sent = 0;
        socket.set_nonblocking(false).unwrap();
        while sent < 15 && socket.write_all(&piece).is_ok() {
            sent += 1;
        }
        // The last of it never comes: who waits for it, holds what has.
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut answer = [0; 64];
        match socket.read(&mut answer) {
            Ok(received) => told(&answer[..received]),
            Err(_) => format!("waits with {} MiB", server.resident_bytes().saturating_sub(before) >> 20),
        }
    });
}
