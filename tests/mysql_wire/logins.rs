//! Who gets in, and what those hear who do not.

use crate::raw_client::{
    CONNECT_WITH_DB, PLUGIN_AUTH, RawClient, Reply, caching_sha2_proof, dial, framed, login_packet, native_proof,
};
use crate::server::{PASSWORD, Server, config};
use cometql::node::{self, Tenant};
use cometql::user::TenantId;
use std::io::Write;

const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";

#[test]
fn the_right_password_opens_to_root_and_to_tenants() {
    let server = Server::start();
    for (user, plugin) in [("root", Some(NATIVE)), ("root", None), ("0", Some(NATIVE)), ("15", None)] {
        let mut client = RawClient::connect(server.address);
        let proof = native_proof(PASSWORD, &client.salt);
        assert!(client.log_in(0, user, &proof, plugin).is_ok(), "{user} {plugin:?}");
        assert!(client.command(b"\x0e").is_ok());
    }
}

/// Tenant 5 has a password of its own.
fn server_of_tenants() -> Server {
    let five = Tenant { password: Some("five alone".into()), token_secret: None };
    let tenants = [(TenantId(5), five)].into();
    Server::start_of(config(), node::Config { tenants, ..node::Config::with_password(PASSWORD) })
}

#[test]
fn a_tenant_with_a_password_of_its_own_has_no_other() {
    let server = server_of_tenants();
    for (user, password, opens) in [
        ("5", PASSWORD, false),
        ("5", "five alone", true),
        ("6", PASSWORD, true),
        ("6", "five alone", false),
        ("root", PASSWORD, true),
        ("root", "five alone", false),
        ("nobody", "five alone", false),
    ] {
        for (plugin, prove) in
            [(NATIVE, native_proof as fn(&str, &[u8]) -> Vec<u8>), (CACHING_SHA2, caching_sha2_proof)]
        {
            let mut client = RawClient::connect(server.address);
            let proof = prove(password, &client.salt);
            client.send(1, &login_packet(0, user, &proof, Some(plugin)));
            let (_, answer) = client.packet();
            assert_eq!(answer[0] != 0xFF, opens, "{user} {password} {plugin}");
        }
        let mut client = RawClient::logged_in_with(server.address, PLUGIN_AUTH);
        let payload = change_user(&client, user, password);
        assert_eq!(client.command(&payload).is_ok(), opens, "{user} {password}");
    }
}

#[test]
fn caching_sha2_needs_no_second_round() {
    let server = Server::start();
    let mut client = RawClient::connect(server.address);
    let proof = caching_sha2_proof(PASSWORD, &client.salt);
    client.send(1, &login_packet(0, "root", &proof, Some(CACHING_SHA2)));
    assert_eq!(client.packet(), (2, b"\x01\x03".to_vec()));
    let (sequence, payload) = client.packet();
    assert_eq!((sequence, payload[0]), (3, 0));
    assert!(client.command(b"\x0e").is_ok());

    let mut client = RawClient::connect(server.address);
    let proof = caching_sha2_proof("wrong", &client.salt);
    assert_eq!(client.log_in(0, "root", &proof, Some(CACHING_SHA2)).code(), 1045);
}

#[test]
fn clients_of_other_plugins_and_empty_answers_are_asked_again() {
    let server = Server::start();
    for (plugin, proof) in [(NATIVE, &b""[..]), ("sha256_password", b"\x01"), (CACHING_SHA2, b"short")] {
        for (password, opens) in [(PASSWORD, true), ("wrong", false)] {
            let mut client = RawClient::connect(server.address);
            client.send(1, &login_packet(0, "root", proof, Some(plugin)));
            let (sequence, switch) = client.packet();
            assert_eq!(sequence, 2);
            assert_eq!(switch[..23], *b"\xfemysql_native_password\0");
            assert_eq!(switch[23..43], client.salt);
            assert_eq!(switch[43..], [0]);
            let proof = native_proof(password, &client.salt);
            client.send(3, &proof);
            assert_eq!(client.reply().is_ok(), opens, "{plugin} {password}");
        }
    }
}

#[test]
fn a_client_that_has_caching_sha2_alone_is_asked_for_it() {
    let server = Server::start();
    for (password, opens) in [(PASSWORD, true), ("wrong", false)] {
        let mut client = RawClient::connect(server.address);
        // As libmysqlclient 9 answers a greeting that names another plugin.
        client.send(1, &login_packet(0, "root", b"", Some(CACHING_SHA2)));
        let (_, switch) = client.packet();
        assert_eq!(switch, [b"\xfecaching_sha2_password\0", &client.salt[..], b"\0"].concat());
        let proof = caching_sha2_proof(password, &client.salt);
        client.send(3, &proof);
        if opens {
            assert_eq!(client.packet(), (4, b"\x01\x03".to_vec()));
        }
        assert_eq!(client.reply().is_ok(), opens);
    }
}

#[test]
fn the_wrong_password_and_the_unknown_user_hear_the_same() {
    let server = Server::start();
    let right = |client: &RawClient| native_proof(PASSWORD, &client.salt);
    let wrong = |client: &RawClient| native_proof("wrong", &client.salt);
    type Proof = fn(&RawClient) -> Vec<u8>;
    let none: Proof = |_| Vec::new();
    let cases: [(&str, Proof, &str); 5] = [
        ("root", wrong, "YES"),
        ("nobody", right, "YES"),
        ("100000", right, "YES"),
        ("nobody", wrong, "YES"),
        ("root", none, "NO"),
    ];
    for (user, proof, using) in cases {
        let mut client = RawClient::connect(server.address);
        let proof = proof(&client);
        let expected = format!("Access denied for user '{user}'@'127.0.0.1' (using password: {using})");
        assert_eq!(client.log_in(0, user, &proof, None), Reply::Error(1045, expected));
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn a_health_check_gets_its_ok_and_nothing_more() {
    let server = Server::start();
    let quit = framed(0, b"\x01");
    let after_41 = [framed(1, &login_packet(0, "haproxy_check", b"", None)), quit.clone()].concat();
    let before_41 = [framed(1, b"\x00\x80\x00\x00\x01haproxy_check\0\0"), quit].concat();
    for both in [after_41, before_41] {
        let mut socket = dial(server.address);
        // Sent before the greeting is read, as HAProxy does.
        socket.write_all(&both).unwrap();
        let mut client = RawClient::greeted(Box::new(socket));
        assert!(client.reply().is_ok());
        assert_eq!(client.rest(), b"");
    }
    let mut client = RawClient::connect(server.address);
    assert!(client.log_in(0, "haproxy_check", b"", None).is_ok());
    assert!(client.command(b"\x0e").is_ok());
    assert_eq!(client.query("SELECT 1").code(), 1045);
    assert_eq!(client.command(b"\x16SELECT 1").code(), 1045);
}

#[test]
fn a_login_that_is_none_is_told_so() {
    let server = Server::start();
    for (payload, code) in [
        (&b""[..], 1043),
        (b"\x00\x82\x00\x00", 1043),
        (b"\x00\x80\x00\x00\x01root\0\0", 1043),
        (&login_packet(0, "root", b"0123", None)[..38], 1043),
    ] {
        let mut client = RawClient::connect(server.address);
        client.send(1, payload);
        assert_eq!(client.reply().code(), code, "{payload:?}");
    }
    let mut client = RawClient::connect(server.address);
    client.send(7, &login_packet(0, "root", b"", None));
    assert_eq!(client.reply().code(), 1156);
}

fn change_user(client: &RawClient, user: &str, password: &str) -> Vec<u8> {
    let proof = native_proof(password, &client.salt);
    [b"\x11", user.as_bytes(), b"\0\x14", &proof, b"\0\x2d\0mysql_native_password\0"].concat()
}

#[test]
fn who_would_compress_unasked_is_told_that_it_is_not_on_offer() {
    let server = Server::start();
    // As PHP's mysqlnd logs in with PDO::MYSQL_ATTR_COMPRESS, and without.
    for (flags, code) in [(0x001b_a2a5, Some(1043)), (0x001b_a285, None)] {
        let mut client = RawClient::connect(server.address);
        let proof = native_proof(PASSWORD, &client.salt);
        match (client.log_in(flags, "root", &proof, Some(NATIVE)), code) {
            (Reply::Error(1043, text), Some(1043)) => assert!(text.contains("compression is not on offer"), "{text}"),
            (reply, expected) => assert!(expected.is_none() && reply.is_ok(), "{flags:x} {reply:?}"),
        }
    }
}

#[test]
fn a_client_may_become_another_and_a_failed_try_ends_it() {
    let server = Server::start();
    let mut client = RawClient::logged_in_with(server.address, PLUGIN_AUTH);
    let (id, _, _) = client.prepare("SET NAMES utf8mb4");
    let payload = change_user(&client, "15", PASSWORD);
    assert!(client.command(&payload).is_ok());
    let execute = [b"\x17", &id.to_le_bytes()[..], b"\0\x01\0\0\0"].concat();
    assert_eq!(client.command(&execute).code(), 1243);
    let payload = change_user(&client, "root", "wrong");
    assert_eq!(client.command(&payload).code(), 1045);
    assert_eq!(client.rest(), b"");
}

#[test]
fn the_greeting_has_a_fresh_salt_and_number_each_time() {
    let server = Server::start();
    let (first, second) = (RawClient::connect(server.address), RawClient::connect(server.address));
    assert_ne!(first.salt, second.salt);
    assert_ne!(first.greeting, second.greeting);
    assert_eq!(first.greeting.last(), Some(&0));
}

#[test]
fn a_login_may_name_its_database() {
    let server = Server::start();
    let mut client = RawClient::connect(server.address);
    let proof = native_proof(PASSWORD, &client.salt);
    let mut packet = login_packet(CONNECT_WITH_DB, "root", &proof, None);
    packet.extend_from_slice(b"CometQL_v1");
    client.send(1, &packet);
    assert!(client.reply().is_ok());
}
