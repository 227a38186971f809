//! Commands and what they are answered with.

use std::io::Write;

use crate::raw_client::{DEPRECATE_EOF, MULTI_STATEMENTS, RawClient, Reply, framed, native_proof};
use crate::server::{PASSWORD, Server, config};
use cometql::node::{self, CometStrings};

const AUTOCOMMIT: u16 = 0x2;
const MORE_RESULTS: u16 = 0x8;
const CURSOR_EXISTS: u16 = 0x40;
const LAST_ROW_SENT: u16 = 0x80;

#[test]
fn packets_of_one_segment_are_answered_in_order() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    let both = [framed(0, b"\x0e"), framed(0, b"\x1d"), framed(0, b"\x03SELECT 1"), framed(0, b"\x0e")].concat();
    for cut in [0, 3, 5, 9, 12, both.len()] {
        client.wire.write_all(&both[..cut]).unwrap();
        client.wire.flush().unwrap();
        client.wire.write_all(&both[cut..]).unwrap();
        assert!(client.reply().is_ok());
        assert_eq!(client.reply().code(), 1047);
        assert_eq!(client.reply(), Reply::Rows(vec![b"\x011".to_vec()], AUTOCOMMIT));
        assert!(client.reply().is_ok());
    }
}

#[test]
fn rows_end_as_the_client_wants_it() {
    let server = Server::start();
    for flags in [0, DEPRECATE_EOF] {
        let mut client = RawClient::logged_in_with(server.address, flags);
        assert_eq!(client.query("SELECT 1"), Reply::Rows(vec![b"\x011".to_vec()], AUTOCOMMIT));
        assert!(client.command(b"\x0e").is_ok());
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_and_the_connection_stays() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    let reply = client.command(b"\x03SELECT '\xE9'");
    let expected = "Invalid utf8mb4 character string: byte 8 of the text is 0xE9";
    assert_eq!(reply, Reply::Error(1300, expected.into()));
    assert_eq!(client.command(b"\x16SELECT '\xE9'").code(), 1300);
    assert_eq!(client.command(b"\x02\xE9").code(), 1300);
    assert!(client.command(b"\x0e").is_ok());
}

#[test]
fn several_statements_are_run_where_the_client_has_asked_for_it() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    assert_eq!(client.query("SELECT 1; SELECT 2").code(), 3);
    assert_eq!(client.query("SELECT 1; "), Reply::Rows(vec![b"\x011".to_vec()], AUTOCOMMIT));
    client.send(0, b"\x1b\0\0");
    assert_eq!(client.packet().1[0], 0xFE);
    several(&mut client);
    several(&mut RawClient::logged_in_with(server.address, MULTI_STATEMENTS));
}

fn several(client: &mut RawClient) {
    let first = client.query("SET @a = 1; SELECT 2; SELECT nonsense FROM nowhere; SELECT 3");
    assert!(matches!(first, Reply::Ok { status, .. } if status & MORE_RESULTS != 0), "{first:?}");
    assert_eq!(client.reply(), Reply::Rows(vec![b"\x012".to_vec()], AUTOCOMMIT | MORE_RESULTS));
    assert!(client.reply().code() > 0);
    assert!(client.command(b"\x0e").is_ok(), "nothing follows an error");
}

#[test]
fn the_cluster_prefix_speaks_for_a_tenant_in_one_text() {
    let server = Server::start();
    let mut root = RawClient::logged_in(server.address);
    let settings = "SELECT name FROM pipes_settings";
    let rows = |names: &[&str]| {
        let row = |name: &&str| [&[name.len() as u8], name.as_bytes()].concat();
        Reply::Rows(names.iter().map(row).collect(), AUTOCOMMIT)
    };
    let set = "INSERT INTO pipes_settings (name, length) VALUES ('of_five', 1)";
    assert!(root.query(&format!("cometqlcluster_v1 set dev_id=5;{set}")).is_ok());
    assert_eq!(root.query(settings), rows(&[]));
    assert_eq!(root.query(&format!("cometqlcluster_v1 set dev_id=5;{settings}")), rows(&["of_five"]));
    assert_eq!(root.query("cometqlcluster_v1 set dev_id=5;nonsense").code(), 3);
    assert_eq!(root.query(settings), rows(&[]), "an error leaves it no more than an answer does");
    assert!(root.query("cometqlcluster_v1 set dev_id=5;").is_ok());
    for number in ["100000", "", "+5", "5 ", "5x"] {
        assert_eq!(root.query(&format!("cometqlcluster_v1 set dev_id={number};{settings}")).code(), 16, "{number:?}");
    }
    let mut five = RawClient::connect(server.address);
    let proof = native_proof(PASSWORD, &five.salt);
    assert!(five.log_in(0, "5", &proof, None).is_ok());
    assert_eq!(five.query(settings), rows(&["of_five"]));
    assert_eq!(five.query(&format!("cometqlcluster_v1 set dev_id=5;{settings}")), rows(&["of_five"]));
    for number in [0, 6] {
        assert_eq!(five.query(&format!("cometqlcluster_v1 set dev_id={number};{settings}")).code(), 1044);
    }
}

#[test]
fn how_texts_are_read_is_configured_and_can_be_changed() {
    for (configured, other) in [(CometStrings::Auto, CometStrings::Mysql), (CometStrings::Mysql, CometStrings::Auto)] {
        let settings = node::Config { comet_strings: configured, ..node::Config::with_password(PASSWORD) };
        let server = Server::start_of(config(), settings);
        let mut client = RawClient::logged_in(server.address);
        assert!(client.query("INSERT INTO pipes_settings (name, length) VALUES ('texts', 9)").is_ok());
        for (set, now) in [
            ("SET @nothing = 1".to_owned(), configured),
            (format!("SET comet_strings = '{}'", other.name()), other),
            ("SET comet_strings = DEFAULT".to_owned(), configured),
        ] {
            assert!(client.query(&set).is_ok());
            let insert = r#"INSERT INTO pipes_messages (name, event, message) VALUES ('texts', '', '["\u043f"]')"#;
            assert!(client.query(insert).is_ok());
            let newest = "SELECT message FROM pipes_messages WHERE name = 'texts' ORDER BY id DESC LIMIT 1";
            let meant = if now == CometStrings::Auto { r#"["\u043f"]"# } else { r#"["u043f"]"# };
            let row = [&[meant.len() as u8], meant.as_bytes()].concat();
            assert_eq!(client.query(newest), Reply::Rows(vec![row], AUTOCOMMIT), "{configured:?}, {set}");
        }
        assert!(client.query(&format!("SET comet_strings = '{}'", other.name())).is_ok());
        assert!(client.command(b"\x1f").is_ok());
        let name = configured.name();
        let row = [&[name.len() as u8], name.as_bytes()].concat();
        assert_eq!(client.query("SELECT @@comet_strings"), Reply::Rows(vec![row], AUTOCOMMIT), "reset");
    }
}

#[test]
fn commands_have_their_answers() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    for (command, code) in [
        (&b"\x1d"[..], 1047),
        (b"\x12", 1047),
        (b"\xfa", 1047),
        (b"\x08", 1227),
        (b"\x1a\x07\0\0\0", 1243),
        (b"", 1835),
    ] {
        assert_eq!(client.command(command).code(), code, "{command:?}");
    }
    for command in [&b"\x0e"[..], b"\x07\x01", b"\x1f", b"\x02CometQL_v1"] {
        assert!(client.command(command).is_ok(), "{command:?}");
    }
    client.send(0, b"\x09");
    let (_, statistics) = client.packet();
    assert!(statistics.starts_with(b"Uptime: "), "{:?}", String::from_utf8_lossy(&statistics));
    client.send(0, b"\x04pipes_messages\0%");
    let mut columns = 0;
    while client.packet().1[0] != 0xFE {
        columns += 1;
    }
    assert!(columns >= 3, "{columns}");
    assert!(client.query("-- nothing").is_ok());
}

#[test]
fn a_cursor_gives_its_rows_in_pieces() {
    let server = Server::start();
    for flags in [0, DEPRECATE_EOF] {
        let mut client = RawClient::logged_in_with(server.address, flags);
        let (id, columns, _) = client.prepare("SELECT 7");
        assert_eq!(columns, 1);
        client.send(0, &[b"\x17", &id.to_le_bytes()[..], b"\x01\x01\0\0\0"].concat());
        assert_eq!(client.packet().1, [1]);
        client.packet();
        let (_, end) = client.packet();
        assert_eq!((end[0], u16::from(end[3]) & CURSOR_EXISTS), (0xFE, CURSOR_EXISTS));
        assert_eq!(end.len(), if flags == 0 { 5 } else { 7 });
        client.send(0, &[b"\x1c", &id.to_le_bytes()[..], b"\x64\0\0\0"].concat());
        assert_eq!(client.packet().1[0], 0);
        let (_, end) = client.packet();
        assert_eq!(u16::from(end[3]) & (CURSOR_EXISTS | LAST_ROW_SENT), LAST_ROW_SENT);
        assert_eq!(client.command(&[b"\x1c", &id.to_le_bytes()[..], b"\x64\0\0\0"].concat()).code(), 1421);
    }
}

#[test]
fn parameters_may_be_sent_in_pieces() {
    let server = Server::start();
    let mut client = RawClient::logged_in(server.address);
    let (id, _, parameters) = client.prepare("INSERT INTO pipes_messages (name, event, message) VALUES (?, 'e', ?)");
    assert_eq!(parameters, 2);
    for piece in [&b"{\"a\":"[..], b"1}"] {
        client.send(0, &[b"\x18", &id.to_le_bytes()[..], b"\x01\0", piece].concat());
    }
    let execute = [b"\x17", &id.to_le_bytes()[..], b"\0\x01\0\0\0\0\x01\xfd\0\xfc\0\x04chat"].concat();
    assert!(client.command(&execute).is_ok());
    assert_eq!(server.node.status().messages_published(), 1);
    client.send(0, &[b"\x18", &id.to_le_bytes()[..], b"\x09\0lost"].concat());
    assert_eq!(client.command(&execute).code(), 1210);
    client.send(0, &[b"\x19", &id.to_le_bytes()[..]].concat());
    assert_eq!(client.command(&execute).code(), 1243);
}

#[test]
fn execute_bodies_of_every_shape_are_answered_and_nobody_else_notices() {
    let server = Server::start();
    let mut other = RawClient::logged_in(server.address);
    let mut client = RawClient::logged_in(server.address);
    let (id, _, _) = client.prepare("INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)");
    let body = b"\0\x01\0\0\0\0\x01\xfd\0\xfd\0\x0c\0\x04chat\x05event\x07\xe8\x07\x0b\x18\x01\x02\x03";
    let whole = [b"\x17", &id.to_le_bytes()[..], body].concat();
    assert!(client.command(&whole).is_ok());
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |count: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % count as u64) as usize
    };
    for round in 0..1_000 {
        let mut mutated = whole.clone();
        for _ in 0..=below(3) {
            let place = 1 + below(mutated.len() - 1);
            match below(4) {
                0 => mutated.truncate(place.max(2)),
                1 => mutated[place] = below(256) as u8,
                2 => mutated[place] = [0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF][below(9)],
                _ => mutated.insert(place, below(256) as u8),
            }
        }
        match client.command(&mutated) {
            Reply::Ok { .. } | Reply::Error(..) => {}
            rows @ Reply::Rows(..) => panic!("round {round}: {mutated:?} was answered with {rows:?}"),
        }
    }
    assert!(client.command(&whole).is_ok());
    assert!(other.command(b"\x0e").is_ok());
}
