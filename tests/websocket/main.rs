//! The browsers' wire, tried by raw frames against a node with a store in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../world/browser.rs"]
mod browser;
#[path = "../world/clock.rs"]
mod clock;
mod commands;
mod handshake;
mod history;
mod http;
mod logins;
mod messages;
mod origins;
mod presence;
mod private;
mod processes;
mod proxies;
mod random;
mod shard;
mod slowness;
mod tracking;
mod world;
