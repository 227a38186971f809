//! What a client cannot do to the server, and that nobody else notices when one tries.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use cometql::mysql::Config;

use crate::raw_client::{DEADLINE, RawClient, Reply, dial, framed, login_packet, native_proof};
use crate::server::{PASSWORD, Server, config};

#[test]
fn a_claim_of_64_mib_before_login_is_refused_at_once() {
    let server = Server::start();
    let mut other = RawClient::logged_in(server.address);
    let mut client = RawClient::connect(server.address);
    // The largest length a header can claim; the rest of the 64 MiB would follow.
    client.wire.write_all(&[0xFF, 0xFF, 0xFF, 1]).unwrap();
    assert_eq!(client.reply().code(), 1153);
    assert_eq!(client.rest(), b"");
    assert!(other.command(b"\x0e").is_ok());
}

#[test]
fn a_long_packet_is_taken_after_login_and_one_too_long_is_refused() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    // 17 MiB: joined from two packets.
    let mut text = b"\x03SET @x = '".to_vec();
    text.resize(17 * 1024 * 1024, b'x');
    text.push(b'\'');
    let (first, second) = text.split_at(0xFF_FFFF);
    client.send(0, first);
    client.send(1, second);
    let (sequence, payload) = client.packet();
    assert_eq!((sequence, payload[0]), (2, 0));
    client.wire.write_all(&[framed(0, &[0x03; 0xFF_FFFF]), framed(1, &[b' '; 0xFF_FFFF])].concat()).unwrap();
    client.wire.write_all(&[0xFF, 0xFF, 0xFF, 2]).unwrap();
    assert_eq!(client.reply().code(), 1153);
}

#[test]
fn one_byte_a_moment_does_not_hold_a_slot() {
    let server = Server::start_with(Config { login_seconds_max: 1, ..config() });
    let mut socket = dial(server.address);
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let login = framed(1, &login_packet(0, "root", b"01234567890123456789", None));
    let mut bytes = login.iter().cycle();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < DEADLINE, "the client still holds its slot");
        match socket.read(&mut [0; 1_024]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // It may have been closed meanwhile: the next read says so.
                let _ = socket.write_all(&[*bytes.next().unwrap()]);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                break;
            }
        }
    }
}

#[test]
fn a_client_that_says_nothing_for_too_long_is_disconnected() {
    let server = Server::start_with(Config { idle_seconds_max: 1, ..config() });
    let mut client = RawClient::logged_in(server.address);
    assert!(client.command(b"\x0e").is_ok());
    assert_eq!(client.rest(), b"");
}

#[test]
fn one_client_too_many_is_refused_and_the_others_do_not_notice() {
    let server = Server::start_with(Config { connections_max: 2, ..config() });
    let mut first = RawClient::logged_in(server.address);
    let silent = dial(server.address);
    let mut refused = dial(server.address);
    let mut heard = Vec::new();
    refused.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, framed(0, b"\xff\x10\x04#08004Too many connections"));
    assert!(first.command(b"\x0e").is_ok());
    silent.shutdown(Shutdown::Both).unwrap();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < DEADLINE, "the slot is never free again");
        let mut next = dial(server.address);
        let mut header = [0; 5];
        next.read_exact(&mut header).unwrap();
        if header[4] == 10 {
            break;
        }
    }
}

#[test]
fn a_packet_out_of_order_ends_its_connection_only() {
    let server = Server::start();
    let mut other = RawClient::logged_in(server.address);
    let mut client = RawClient::logged_in(server.address);
    client.send(9, b"\x0e");
    assert_eq!(client.reply().code(), 1156);
    assert_eq!(client.rest(), b"");
    assert!(other.command(b"\x0e").is_ok());
}

#[test]
fn who_does_not_read_its_replies_keeps_nobody_else_waiting() {
    let server = Server::start();
    let mut other = RawClient::logged_in(server.address);
    let socket = dial(server.address);
    let mut client = RawClient::greeted(Box::new(socket.try_clone().unwrap()));
    let proof = native_proof(PASSWORD, &client.salt);
    assert!(client.log_in(0, "root", &proof, None).is_ok());
    socket.set_nonblocking(true).unwrap();
    let query = framed(0, format!("\x03SELECT '{}'", "x".repeat(60_000)).as_bytes());
    let mut unanswered = 0;
    // Until the buffers of both ends are full, and the server has stopped to read because nobody takes its replies.
    while let Ok(written) = client.wire.write(&query) {
        unanswered += written;
        assert!(unanswered < 256 * 1024 * 1024, "the server reads without end");
        assert!(other.command(b"\x0e").is_ok());
    }
    assert!(matches!(other.query("SELECT 1"), Reply::Rows(..)));
}

#[test]
fn who_is_gone_is_not_counted() {
    let server = Server::start();
    let counted = |expected| {
        let began = Instant::now();
        while server.node.status().sql_clients_connected() != expected {
            assert!(began.elapsed() < DEADLINE, "there are not {expected} clients");
            std::thread::yield_now();
        }
    };
    let first = RawClient::logged_in(server.address);
    let mut second = RawClient::logged_in(server.address);
    counted(2);
    drop(first);
    counted(1);
    second.send(0, b"\x01");
    assert_eq!(second.rest(), b"");
    counted(0);
}

#[test]
fn when_the_node_stops_those_who_wait_are_disconnected() {
    let mut server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    let mut half_in = RawClient::connect(server.address);
    server.tell_to_stop();
    assert_eq!(client.rest(), b"");
    assert_eq!(half_in.rest(), b"");
    server.wait();
    assert!(std::net::TcpStream::connect(server.address).is_err());
}
