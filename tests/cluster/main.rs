//! Many nodes over one store, with real processes, while nodes, servers and the ways between them die: whatever was
//! acknowledged reaches every browser of generation 5 once and in its order, or a gap is declared there; those of
//! generation 4 hear all of it while they are connected; and afterwards every count is right on every node.
//!
//! A scenario has a house (`house`): three nodes, each with a way to its Redis that can be cut (`proxy`). Browsers listen
//! to three pipes through everything that happens (`listener`), SQL clients publish to them (`load`), and in the end what
//! was heard is compared with what was acknowledged (`judge`), and the gaps that were told with those that the scenario has
//! provoked (`gaps`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod behind;
#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
mod churn;
mod cut;
mod deaths;
mod doors;
mod failovers;
mod gaps;
mod hand_overs;
mod house;
mod judge;
mod listener;
mod load;
#[path = "../world/node.rs"]
mod node;
mod people;
mod proxy;
mod quiet;
mod redis_away;
mod revoking;
#[path = "../world/redis.rs"]
mod server;
mod upgrade;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mysql_async::{Conn, OptsBuilder};

use house::{House, PASSWORD};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(90);

/// Whether the long tests run, too.
#[allow(dead_code)]
fn all() -> bool {
    std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all")
}

/// An SQL client that has logged in.
async fn connect(address: SocketAddr) -> Result<Conn, mysql_async::Error> {
    let options = OptsBuilder::default().ip_or_hostname(address.ip().to_string()).tcp_port(address.port());
    Conn::new(options.user(Some("root")).pass(Some(PASSWORD)).prefer_socket(false)).await
}

/// Asks again and again until the answer is as wanted.
async fn until<T: PartialEq<U> + Debug, U: Debug + ?Sized>(wanted: &U, ask: impl AsyncFn() -> T) {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if answer == *wanted {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{answer:?} instead of {wanted:?}");
        tokio::task::yield_now().await;
    }
}
