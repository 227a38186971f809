//! The MySQL wire, spoken byte by byte to a server that is really there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod driver;
mod killing;
mod limits;
mod logins;
mod raw_client;
mod replies;
mod server;
mod tls;
