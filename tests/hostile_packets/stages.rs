//! The stages of a connection, and what is sent in each. Every stage says how many packets it has sent.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::mutation::Random;
use crate::raw_client::{
    CONNECT_WITH_DB, DEPRECATE_EOF, MULTI_STATEMENTS, RawClient, SSL, dial, framed, login_packet, native_proof,
};
use crate::server::PASSWORD;

type Stage = fn(SocketAddr, &mut Random) -> io::Result<usize>;

pub const STAGES: [(&str, Stage); 8] = [
    ("before the greeting is answered", before_login),
    ("login", login),
    ("a request for TLS", tls),
    ("after the plugin was switched", after_switch),
    ("commands", commands),
    ("prepared statements", prepared),
    ("change of the user", change_user),
    ("a packet in pieces", in_pieces),
];

/// What one connection sends after it has logged in.
const BURST: usize = 60;

const TEXTS: [&str; 14] = [
    "SELECT 1",
    "SELECT ?, 'x', @@version",
    "INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', '{\"a\":1}')",
    "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)",
    "SELECT * FROM pipes_messages WHERE name = 'chat' AND id IN (?, ?) LIMIT ?",
    "SELECT COUNT(*) FROM (SELECT CASE WHEN name = 'x' THEN 1 END AS a FROM pipes) AS b",
    "DELETE FROM pipes_messages WHERE name = 'chat' LIMIT 1",
    "UPDATE pipes_settings AS s SET s.length = 1 WHERE s.name = 'none'",
    "SHOW VARIABLES LIKE 'a%'",
    "SELECT table_name FROM information_schema.tables",
    "SET NAMES utf8mb4, sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = DEFAULT; SELECT 1; BEGIN",
    "/*!50001 SELECT 1 */ + -- x\n 2",
    "DESCRIBE pipes",
];

/// Sends and then says nothing more; hears the server out.
fn send_and_hear(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    let gone = |error: &io::Error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
    // The server may have had enough before the end.
    match socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write)) {
        Err(error) if !gone(&error) && error.kind() != ErrorKind::NotConnected => return Err(error),
        _ => {}
    }
    match socket.read_to_end(&mut Vec::new()) {
        Err(error) if !gone(&error) => Err(error),
        _ => Ok(()),
    }
}

fn before_login(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let bytes = random.bytes(300);
    send_and_hear(&dial(address), &bytes)?;
    Ok(1)
}

fn some_login(random: &mut Random, proof: &[u8]) -> Vec<u8> {
    let plugins = [None, Some("mysql_native_password"), Some("caching_sha2_password"), Some("no_such_plugin")];
    let plugin = *random.one_of(&plugins);
    let flags = *random.one_of(&[0, CONNECT_WITH_DB, DEPRECATE_EOF, 0x20_0000, 0x10_0000, !SSL]);
    let user = *random.one_of(&["root", "", "1", "nobody"]);
    login_packet(flags, user, proof, plugin)
}

fn login(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let proof = random.bytes(40);
    let payload = some_login(random, &proof);
    let payload = random.mutated(&payload);
    let packet = random.framed(1, &payload);
    send_and_hear(&dial(address), &packet)?;
    Ok(1)
}

fn tls(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let mut request = login_packet(SSL, "", b"", None);
    request.truncate(32);
    let mut bytes = random.framed(1, &request);
    // The beginning of a handshake, and what does not follow it.
    bytes.extend_from_slice(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    let rest = random.bytes(200);
    bytes.extend(rest);
    send_and_hear(&dial(address), &bytes)?;
    Ok(1)
}

fn after_switch(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let plugin = *random.one_of(&["caching_sha2_password", "no_such_plugin", "mysql_clear_password"]);
    let mut bytes = framed(1, &login_packet(0, "root", b"", Some(plugin)));
    let answer = random.bytes(64);
    bytes.extend(random.framed(3, &answer));
    if random.one_in(3) {
        bytes.extend(random.framed(5, b"\x02"));
    }
    send_and_hear(&dial(address), &bytes)?;
    Ok(2)
}

fn logged_in(address: SocketAddr, flags: u32) -> io::Result<TcpStream> {
    let socket = dial(address);
    let mut client = RawClient::greeted(Box::new(socket.try_clone()?));
    let proof = native_proof(PASSWORD, &client.salt);
    assert!(client.log_in(flags, "root", &proof, None).is_ok());
    Ok(socket)
}

fn commands(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let flags = *random.one_of(&[0, MULTI_STATEMENTS, DEPRECATE_EOF]);
    let socket = logged_in(address, flags)?;
    let mut bytes = Vec::new();
    for _ in 0..BURST {
        let payload = match random.below(4) {
            0 => {
                let code = random_code(random);
                [&[code][..], &random.bytes(20)].concat()
            }
            _ => {
                let text = *random.one_of(&TEXTS);
                random.mutated(&[b"\x03", text.as_bytes()].concat())
            }
        };
        bytes.extend(random.framed(0, &payload));
    }
    send_and_hear(&socket, &bytes)?;
    Ok(BURST)
}

/// Any command but QUIT and CHANGE_USER, after which nobody would hear the rest.
fn random_code(random: &mut Random) -> u8 {
    match random.below(40) as u8 {
        0x01 | 0x11 => 0xFF,
        code => code,
    }
}

fn prepared(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let socket = logged_in(address, 0)?;
    let mut bytes = Vec::new();
    for text in TEXTS {
        let payload = [b"\x16", text.as_bytes()].concat();
        bytes.extend(framed(0, &payload));
    }
    for _ in 0..BURST {
        let id = (random.below(TEXTS.len() + 1) as u32).to_le_bytes();
        let payload = match random.below(8) {
            0 => {
                let piece = random.bytes(30);
                [b"\x18", &id[..], &[random.below(4) as u8, 0], &piece].concat()
            }
            1 => [b"\x1c", &id[..], &(random.below(9) as u32).to_le_bytes()].concat(),
            2 => [&[*random.one_of(b"\x19\x1a\x1f\x1f")], &id[..]].concat(),
            _ => execute(id, random),
        };
        let payload = random.mutated(&payload);
        bytes.extend(random.framed(0, &payload));
    }
    send_and_hear(&socket, &bytes)?;
    Ok(BURST + TEXTS.len())
}

/// EXECUTE with up to four values of any types.
fn execute(id: [u8; 4], random: &mut Random) -> Vec<u8> {
    const TYPES: [u8; 14] = [0xfd, 0xfc, 0x03, 0x08, 0x01, 0x05, 0x04, 0x0c, 0x0b, 0x07, 0x06, 0xf6, 0x10, 0xff];
    let count = random.below(5);
    let mut payload = [b"\x17", &id[..], &[random.below(3) as u8], b"\x01\0\0\0"].concat();
    payload.push(random.below(4) as u8);
    payload.push(1);
    for _ in 0..count {
        payload.extend([*random.one_of(&TYPES), *random.one_of(b"\0\x80")]);
    }
    for _ in 0..count {
        let value = random.bytes(12);
        payload.push(value.len() as u8);
        payload.extend(value);
    }
    payload
}

fn change_user(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let socket = logged_in(address, 0)?;
    let proof = random.bytes(21);
    let good = [b"\x11root\0", &[proof.len() as u8][..], &proof, b"CometQL_v1\0\x2d\0mysql_native_password\0"].concat();
    let mut bytes = framed(0, b"\x0e");
    let payload = [&b"\x11"[..], &random.mutated(&good[1..])].concat();
    bytes.extend(random.framed(0, &payload));
    let answer = random.bytes(40);
    bytes.extend(random.framed(2, &answer));
    send_and_hear(&socket, &bytes)?;
    Ok(3)
}

/// Packets that end in the middle, and one whose header promises more than ever comes.
fn in_pieces(address: SocketAddr, random: &mut Random) -> io::Result<usize> {
    let socket = logged_in(address, 0)?;
    let text = *random.one_of(&TEXTS);
    let mut bytes = framed(0, &[b"\x03", text.as_bytes()].concat());
    bytes.extend([0xFF, 0xFF, 0xFF, 0]);
    let some = random.bytes(2_000);
    bytes.extend(some);
    bytes.truncate(1 + random.below(bytes.len()));
    send_and_hear(&socket, &bytes)?;
    Ok(2)
}
