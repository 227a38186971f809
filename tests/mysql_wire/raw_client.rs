//! A client that says exactly what it is told to, byte by byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::server::PASSWORD;

/// Far longer than anything here takes.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const PROTOCOL_41: u32 = 0x0000_8200;
pub const CONNECT_WITH_DB: u32 = 0x8;
pub const SSL: u32 = 0x800;
pub const MULTI_STATEMENTS: u32 = 0x1_0000;
pub const PLUGIN_AUTH: u32 = 0x8_0000;
pub const DEPRECATE_EOF: u32 = 0x100_0000;

pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

pub struct RawClient {
    pub wire: Box<dyn Wire>,
    pub greeting: Vec<u8>,
    pub salt: Vec<u8>,
    deprecates_eof: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    Ok {
        status: u16,
        info: Vec<u8>,
    },
    /// The number and the message behind the SQLSTATE.
    Error(u16, String),
    /// The payloads of the rows, and the status that ended them.
    Rows(Vec<Vec<u8>>, u16),
}

impl Reply {
    pub fn code(&self) -> u16 {
        match self {
            Reply::Error(code, _) => *code,
            other => panic!("this is no error: {other:?}"),
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Reply::Ok { .. })
    }
}

pub fn dial(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the server listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("it is not zero");
    socket.set_nodelay(true).expect("it is a socket");
    socket
}

impl RawClient {
    /// Connects and reads the greeting.
    pub fn connect(address: SocketAddr) -> RawClient {
        RawClient::greeted(Box::new(dial(address)))
    }

    pub fn greeted(wire: Box<dyn Wire>) -> RawClient {
        let mut client = RawClient { wire, greeting: Vec::new(), salt: Vec::new(), deprecates_eof: false };
        let (sequence, greeting) = client.packet();
        assert_eq!((sequence, greeting[0]), (0, 10), "{:?}", String::from_utf8_lossy(&greeting));
        let version_end = greeting.iter().position(|byte| *byte == 0).expect("a NUL ends the version");
        let salt_begin = &greeting[version_end + 5..version_end + 13];
        let salt_end = &greeting[version_end + 32..version_end + 44];
        client.salt = [salt_begin, salt_end].concat();
        client.greeting = greeting;
        client
    }

    /// Goes on over another wire, made of this one.
    pub fn over(self, make: impl FnOnce(Box<dyn Wire>) -> Box<dyn Wire>) -> RawClient {
        RawClient { wire: make(self.wire), ..self }
    }

    /// Connects and logs in as `root`.
    pub fn logged_in(address: SocketAddr) -> RawClient {
        RawClient::logged_in_with(address, 0)
    }

    pub fn logged_in_with(address: SocketAddr, flags: u32) -> RawClient {
        let mut client = RawClient::connect(address);
        let proof = native_proof(PASSWORD, &client.salt);
        let reply = client.log_in(flags, "root", &proof, None);
        assert!(reply.is_ok(), "{reply:?}");
        client
    }

    pub fn log_in(&mut self, flags: u32, user: &str, proof: &[u8], plugin: Option<&str>) -> Reply {
        self.deprecates_eof = flags & DEPRECATE_EOF != 0;
        self.send(1, &login_packet(flags, user, proof, plugin));
        self.reply()
    }

    pub fn send(&mut self, sequence: u8, payload: &[u8]) {
        self.wire.write_all(&framed(sequence, payload)).expect("the server takes it");
    }

    pub fn command(&mut self, payload: &[u8]) -> Reply {
        self.send(0, payload);
        self.reply()
    }

    pub fn query(&mut self, text: &str) -> Reply {
        self.command(&[b"\x03", text.as_bytes()].concat())
    }

    /// Prepares and answers the statement's number, its columns and its parameters.
    pub fn prepare(&mut self, text: &str) -> (u32, u16, u16) {
        self.send(0, &[b"\x16", text.as_bytes()].concat());
        let (_, head) = self.packet();
        assert_eq!(head[0], 0, "{:?}", String::from_utf8_lossy(&head));
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let (columns, parameters) = (number(5), number(7));
        for count in [parameters, columns] {
            for _ in 0..count + u16::from(count > 0 && !self.deprecates_eof) {
                self.packet();
            }
        }
        (u32::from_le_bytes([head[1], head[2], head[3], head[4]]), columns, parameters)
    }

    /// A whole reply: OK, an error, or columns and rows.
    pub fn reply(&mut self) -> Reply {
        let (_, first) = self.packet();
        match first[0] {
            0x00 => ok(&first),
            0xFF => error(&first),
            _ => self.rows(usize::from(first[0])),
        }
    }

    fn rows(&mut self, columns: usize) -> Reply {
        for _ in 0..columns + usize::from(!self.deprecates_eof) {
            self.packet();
        }
        let mut rows = Vec::new();
        loop {
            let (_, payload) = self.packet();
            match payload[0] {
                0xFF => return error(&payload),
                0xFE if payload.len() < 9 => {
                    return Reply::Rows(rows, u16::from_le_bytes([payload[3], payload[4]]));
                }
                _ => rows.push(payload),
            }
        }
    }

    pub fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().expect("the server answers")
    }

    pub fn try_packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.wire.read_exact(&mut header)?;
        let [a, b, c, sequence] = header;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
        self.wire.read_exact(&mut payload)?;
        Ok((sequence, payload))
    }

    /// Reads until the server closes; answers what came before.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.wire.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
        }
        rest
    }
}

pub fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, sequence], payload].concat()
}

pub fn login_packet(flags: u32, user: &str, proof: &[u8], plugin: Option<&str>) -> Vec<u8> {
    let plugin_flag = if plugin.is_some() { PLUGIN_AUTH } else { 0 };
    let mut packet = (PROTOCOL_41 | flags | plugin_flag).to_le_bytes().to_vec();
    packet.extend_from_slice(&[0, 0, 0, 1, 45]);
    packet.extend_from_slice(&[0; 23]);
    packet.extend_from_slice(user.as_bytes());
    packet.extend_from_slice(&[0, proof.len() as u8]);
    packet.extend_from_slice(proof);
    if let Some(plugin) = plugin {
        packet.extend_from_slice(plugin.as_bytes());
        packet.push(0);
    }
    packet
}

pub fn native_proof(password: &str, salt: &[u8]) -> Vec<u8> {
    let hashed = Sha1::digest(password);
    let mask = Sha1::new().chain_update(salt).chain_update(Sha1::digest(hashed)).finalize();
    hashed.iter().zip(mask).map(|(left, right)| left ^ right).collect()
}

pub fn caching_sha2_proof(password: &str, salt: &[u8]) -> Vec<u8> {
    let hashed = Sha256::digest(password);
    let mask = Sha256::new().chain_update(Sha256::digest(hashed)).chain_update(salt).finalize();
    hashed.iter().zip(mask).map(|(left, right)| left ^ right).collect()
}

fn ok(payload: &[u8]) -> Reply {
    // The counts of these tests are below 251.
    let info = payload.get(8..).unwrap_or_default().to_vec();
    Reply::Ok { status: u16::from_le_bytes([payload[3], payload[4]]), info }
}

fn error(payload: &[u8]) -> Reply {
    assert_eq!(payload[3], b'#', "every error has a SQLSTATE");
    Reply::Error(u16::from_le_bytes([payload[1], payload[2]]), String::from_utf8_lossy(&payload[9..]).into_owned())
}
