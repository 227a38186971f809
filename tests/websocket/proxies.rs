//! Which address a browser is seen with that comes through a proxy, or says that it does.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use cometql::clock::UnixMillis;
use cometql::status::Status;
use cometql::user::TenantId;
use cometql::ws;
use cometql::ws::http::Site;
use cometql::ws::proxies::{Network, TrustedProxies};
use cometql::ws::shard::{Shard, ShardPlace};

use super::browser::{Browser, request};
use super::processes::{browsers, caller, run};
use super::world::{World, config, until, world};

const TARGETS: [&str; 2] = ["/ws/sesion=&myid=0&devid=0&v=4.08&uuid=u&api=js", "/ws/v=5&devid=0"];
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const ANYBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn trusting(networks: &[&str]) -> World {
    world(config_of(networks))
}

fn config_of(networks: &[&str]) -> ws::Config {
    let trusted_proxies: TrustedProxies = networks.iter().map(|network| network.parse::<Network>().unwrap()).collect();
    ws::Config { trusted_proxies, ..config() }
}

/// The address that SQL clients see of the only browser, which comes from this one and says these header lines.
fn seen(world: &World, from: Ipv4Addr, target: &str, headers: &str) -> String {
    until("nobody is here", || world.status.browser_sockets() == 0);
    let (mut browser, head) = Browser::upgrade_from(from, world.address, target, headers);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    if target.contains("v=5") {
        assert_eq!(browser.ask(&serde_json::json!({"do": "hello"}))["is"], "welcome");
        browser.follow(&serde_json::json!({"pipe": "room"}));
    } else {
        assert_eq!(browser.frame().json()["event"], "serverInfo");
        browser.subscribe(&["room"]);
    }
    let mut root = caller(world, 0);
    let in_pipe = run(world, &mut root, "SELECT ip FROM users_in_pipes WHERE name = 'room'").unwrap();
    let listed: Vec<String> = browsers(world, &mut root).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(in_pipe.concat(), listed, "both lists tell the same");
    assert_eq!(listed.len(), 1);
    listed.concat()
}

#[test]
fn who_is_no_trusted_proxy_is_seen_with_the_address_of_his_socket() {
    let forged = "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 127.0.0.1\r\n";
    for target in TARGETS {
        let nobody = trusting(&[]);
        assert_eq!(seen(&nobody, PROXY, target, forged), "127.0.0.1", "{target}");
        let proxy = trusting(&["10.0.0.0/8", "127.0.0.1", "::1"]);
        assert_eq!(seen(&proxy, ANYBODY, target, forged), "127.0.0.2", "{target}");
    }
}

#[test]
fn what_a_trusted_proxy_says_is_believed_and_not_what_was_said_to_it() {
    let world = trusting(&["127.0.0.1", "10.0.0.0/8"]);
    for (headers, expected) in [
        ("", "127.0.0.1"),
        ("X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 127.0.0.2\r\n", "127.0.0.2"),
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.3\r\n", "203.0.113.7"),
        (
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7:5678\r\nx-forwarded-for: 10.0.0.3\r\n",
            "203.0.113.7",
        ),
        ("X-Forwarded-For: [2001:DB8::7]:5678\r\n", "2001:db8::7"),
        ("X-Forwarded-For: ::ffff:203.0.113.7\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 6.6.6.6, unknown\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.3\r\n", "10.0.0.3"),
        ("Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n", "127.0.0.1"),
    ] {
        for target in TARGETS {
            assert_eq!(seen(&world, PROXY, target, headers), expected, "{target} {headers}");
        }
    }
}

#[test]
fn a_list_is_no_longer_than_a_request_may_be() {
    let world = trusting(&["127.0.0.1"]);
    let list = |count: usize| format!("X-Forwarded-For: 203.0.113.7{}\r\n", ",127.0.0.1".repeat(count));
    assert_eq!(seen(&world, PROXY, TARGETS[0], &list(1_000)), "203.0.113.7");
    let (_, head) = Browser::upgrade_from(PROXY, world.address, TARGETS[0], &list(2_000));
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    let lines = "X-Forwarded-For: 127.0.0.1\r\n".repeat(64);
    let (_, head) = Browser::upgrade_from(PROXY, world.address, TARGETS[0], &lines);
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

/// A socket that listens for IPv4 and IPv6 tells an IPv4 address as one of IPv6.
#[test]
fn at_a_socket_for_both_kinds_an_ipv4_address_is_one() {
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    for (trusted, expected) in [(&[][..], "127.0.0.1"), (&["127.0.0.0/8"], "203.0.113.7")] {
        let page = Bytes::from_static(b"page");
        let site = Arc::new(Site { page, script: Default::default(), origins: Default::default() });
        let place = ShardPlace { node: 0, shard: 0 };
        let mut shard = Shard::new(place, &config_of(trusted), site, Arc::new(Status::new()));
        let slot = shard.opened(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), NOW);
        let request = request(TARGETS[1]).replace("Host:", "X-Forwarded-For: 203.0.113.7\r\nHost:");
        shard.bytes(slot, &mut request.into_bytes(), NOW, &mut |_, _| None);
        let connected = shard.connected(TenantId(0), None).connected;
        assert_eq!(connected[0].about.address.to_string(), expected);
    }
}
