//! cometql: a push server that any MySQL driver can publish through.
//!
//! The rooms, in reading order. Who may use whom is in `docs/ARCHITECTURE.md`, and `tests/tidy.rs` holds us to it.
#![forbid(unsafe_code)]

pub mod config;
pub mod mysql;
pub mod cometql;
pub mod tables;
pub mod node;
pub mod store;
pub mod moving;
pub mod ws;
pub mod session;
pub mod hub;
pub mod history;
pub mod presence;
pub mod frame;
pub mod pipe;
pub mod user;
pub mod clock;
pub mod fault;
pub mod status;
