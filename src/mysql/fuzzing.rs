//! The private parsers of this room, for `fuzz/`: whatever the bytes are, nothing panics.

use mysql_common::constants::CapabilityFlags;

use super::command::{self, Command};
use super::execute;
use super::login_packet;
use super::packet::Unpacker;
use super::prepared::LongData;

/// As long as a packet may be here.
const PAYLOAD_BYTES_MAX: usize = 4_096;

/// What comes before login: packets, each a login, a request for TLS or a change of the user.
pub fn login(bytes: &[u8]) {
    for payload in payloads(bytes) {
        let _ = login_packet::parse(&payload);
        for capabilities in [CapabilityFlags::all(), CapabilityFlags::CLIENT_PROTOCOL_41, CapabilityFlags::empty()] {
            let _ = login_packet::parse_change_user(&payload, capabilities, 45);
        }
    }
}

/// Packets with commands; an EXECUTE is read for statements with no, few and many parameters.
pub fn command(bytes: &[u8]) {
    for payload in payloads(bytes) {
        let Ok(Command::Execute(body)) = command::parse(&payload) else { continue };
        let mut types = Vec::new();
        for count in [0, 1, 3, 3, 9, 65_535] {
            let Ok(mut head) = execute::parse(body) else { continue };
            if let Ok(read) = execute::values(&mut head.values, count, &mut types, &LongData::default()) {
                assert_eq!(read.len(), count);
            }
        }
    }
}

/// The packets of a stream that arrives in two pieces.
fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut unpacker = Unpacker::new(PAYLOAD_BYTES_MAX);
    let mut payloads = Vec::new();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for piece in [first, second] {
        unpacker.receive(piece);
        while let Ok(Some(packet)) = unpacker.next() {
            assert!(packet.payload.len() <= PAYLOAD_BYTES_MAX);
            payloads.push(packet.payload.to_vec());
        }
        assert!(unpacker.missing() > 0);
    }
    payloads
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file of a corpus, whole and cut off at each of its bytes.
    fn replay(corpus: &str, body: fn(&[u8])) {
        let folder = format!("{}/fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            (0..=bytes.len()).for_each(|cut| body(&bytes[..cut]));
        }
    }

    #[test]
    fn the_corpus_of_logins_is_read() {
        replay("mysql_login", login);
    }

    #[test]
    fn the_corpus_of_commands_is_read() {
        replay("mysql_command", command);
    }
}
