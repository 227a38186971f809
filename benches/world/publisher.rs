//! A MySQL client that costs next to nothing: it logs in, and then says one INSERT after the other.

// Each bench uses its part of this.
#![allow(dead_code)]

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use sha1::{Digest, Sha1};

/// A connection that has logged in.
pub fn connect(address: SocketAddr, password: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the node listens");
    socket.set_nodelay(true).expect("no delay");
    let greeting = packet(&mut socket);
    // Protocol version, version text, connection id, 8 bytes of salt, …, 12 bytes more (protocol 10).
    let version_end = greeting.iter().position(|byte| *byte == 0).expect("a version");
    let salt_at = version_end + 5;
    let mut salt = greeting[salt_at..salt_at + 8].to_vec();
    salt.extend_from_slice(&greeting[salt_at + 27..salt_at + 39]);
    let once = Sha1::digest(password);
    let mask = Sha1::digest([salt.as_slice(), Sha1::digest(once).as_slice()].concat());
    let proof: Vec<u8> = once.iter().zip(mask).map(|(once, mask)| once ^ mask).collect();
    // LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH; 16 MiB; utf8mb4.
    let mut login = 0x0008_8201_u32.to_le_bytes().to_vec();
    login.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
    login.push(45);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(b"root\0\x14");
    login.extend_from_slice(&proof);
    login.extend_from_slice(b"mysql_native_password\0");
    socket.write_all(&framed(1, &login)).expect("the node reads");
    assert_eq!(packet(&mut socket)[0], 0, "logged in");
    socket
}

/// COM_QUERY with this text.
pub fn query(text: &str) -> Vec<u8> {
    framed(0, &[&[3], text.as_bytes()].concat())
}

/// A packet around a payload.
pub fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(sequence);
    packet.extend_from_slice(payload);
    packet
}

/// The payload of the next packet.
pub fn packet(socket: &mut impl Read) -> Vec<u8> {
    let mut header = [0; 4];
    socket.read_exact(&mut header).expect("a packet");
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    socket.read_exact(&mut payload).expect("a whole packet");
    payload
}

/// A connection that sends some statements before it reads the first answer.
pub struct Pipeline(BufReader<TcpStream>);

impl Pipeline {
    pub fn connect(address: SocketAddr, password: &str) -> Pipeline {
        Pipeline(BufReader::new(connect(address, password)))
    }

    /// Says all of these, so many at a time; each must be answered by an OK.
    pub fn run(&mut self, statements: impl IntoIterator<Item = String>, in_flight: usize) {
        let mut statements = statements.into_iter().peekable();
        while statements.peek().is_some() {
            let together: Vec<Vec<u8>> =
                statements.by_ref().take(in_flight).map(|statement| query(&statement)).collect();
            self.0.get_mut().write_all(&together.concat()).expect("the node reads");
            for _ in together {
                let answer = packet(&mut self.0);
                assert_eq!(answer[0], 0, "refused: {}", String::from_utf8_lossy(&answer));
            }
        }
    }

    /// One of the numbers of SHOW GLOBAL STATUS.
    pub fn status(&mut self, name: &str) -> u64 {
        let statement = query(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
        self.0.get_mut().write_all(&statement).expect("the node reads");
        let columns = packet(&mut self.0)[0];
        // Each column, and the end of them.
        for _ in 0..=columns {
            packet(&mut self.0);
        }
        let row = packet(&mut self.0);
        packet(&mut self.0);
        // Two texts, each behind a byte with its length.
        let value = usize::from(row[0]) + 2;
        String::from_utf8_lossy(&row[value..]).parse().expect("a number")
    }
}
