//! What is done to the parsers that are public. Whatever the bytes are, nothing panics; what was read can be used.

use std::net::Ipv4Addr;

use cometql::cometql::{Dialect, Expression, Statement, Statements};
use cometql::frame::ClientFrame;
use cometql::frame::five::{Command, Misunderstood, Spoken};
use cometql::ws::codec::{self, Assembly, Incoming};
use cometql::ws::http::{self, Request, Site};
use cometql::ws::proxies::{Network, Peer, TrustedProxies};

/// Most pipes of a command here.
const PIPES_MAX: usize = 4;
/// Most bytes of a browser's message here.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// Longest first request here, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1_024;

/// The first byte chooses how the rest is read.
pub fn cometql(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let dialect = Dialect { backslash_escapes: first & 1 == 0, ansi_quotes: first & 2 != 0 };
    let mut statements = Statements::new(text, dialect);
    while let Some(statement) = statements.next() {
        let Ok(statement) = statement else { return };
        assert!(text.get(statements.range()).is_some(), "a statement stands in its text");
        if let Statement::Insert(insert) = &statement {
            for value in insert.rows.iter().flatten() {
                if let Expression::Text(literal) = value {
                    assert!(literal.mysql().len() <= text.len() && literal.comet().len() <= text.len());
                }
            }
        }
    }
}

/// The bytes of a socket, as a shard reads them: what is not whole yet waits for more.
pub fn websocket_frames(bytes: &[u8]) {
    let mut buffer = bytes.to_vec();
    let mut rest = buffer.as_mut_slice();
    let mut assembly = Assembly::default();
    while let Ok(Some((read, incoming))) = codec::read(rest, &mut assembly, MESSAGE_BYTES_MAX) {
        assert!(read > 0, "each step goes on");
        if let Some(Incoming::Text(text)) = incoming {
            assert!(text.len() <= MESSAGE_BYTES_MAX);
            client_frame(text.as_bytes());
            command_of_five(text.as_bytes());
        }
        rest = &mut rest[read..];
    }
}

pub fn http_request(bytes: &[u8]) {
    let site = Site { page: Default::default(), script: Default::default(), origins: Default::default() };
    let trusted_proxies: TrustedProxies = "127.0.0.0/8".parse::<Network>().into_iter().collect();
    let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), trusted_proxies: &trusted_proxies };
    match http::read(bytes, REQUEST_BYTES_MAX, peer, &site) {
        Request::Incomplete => assert!(bytes.len() <= REQUEST_BYTES_MAX, "it waits no longer than it may"),
        Request::WebSocket { opening: Ok(opening), .. } => {
            assert_eq!(opening.address, opening.address.to_canonical(), "each address has one form");
        }
        Request::WebSocket { .. } | Request::Answer(_) => {}
    }
}

pub fn client_frame(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ClientFrame::parse(text);
    }
}

pub fn command_of_five(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Spoken::parse(text, PIPES_MAX) {
        Ok(Spoken { command: Command::Publish { text: data, .. }, .. }) => {
            assert!(text.contains(data) && cometql::pipe::is_json(data), "data is published as it was written");
        }
        Ok(Spoken { command: Command::Subscribe(wanted), .. }) => {
            assert!(wanted.len() <= PIPES_MAX && wanted.iter().all(|wanted| wanted.given.len() <= 64));
        }
        Ok(Spoken { command: Command::Unsubscribe(names), .. }) => assert!(names.len() <= PIPES_MAX),
        Ok(_) => {}
        Err(Misunderstood { mistake, .. }) => assert!(!mistake.text.is_empty()),
    }
}
