//! Several nodes as one: what a statement on one of them says of all, who is here, and what a dead node leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attending;
#[path = "../world/clock.rs"]
#[allow(dead_code)]
mod clock;
mod left_behind;
mod lists;
mod logins;
#[path = "../world/neighbours.rs"]
mod neighbours;
mod presence;
#[path = "../world/shard.rs"]
#[allow(dead_code)]
mod shard;
mod world;
