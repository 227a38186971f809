//! What many nodes over one store cost, beside one node with the embedded store, measured in the same run.
//!
//!     cargo bench --bench nodes
//!     cargo bench --bench nodes -- latency      # one table: latency, flood, memory or churn
//!
//! *latency*: one message at a time, from before its INSERT is sent until one browser has it. `embedded`: one node.
//! `same`: two nodes over Redis, browser and publisher at the same; `across`: the browser is at the other.
//!
//! * *median*, *99 %*: microseconds, of the middle of the rounds, which alternate. *ratio*: of the medians, to `embedded`.
//! * *CPU µs a message*: user and system, of the node that publishes, of the one that delivers, and of Redis.
//!
//! *flood*: publishers that each wait for their OK, as many to each node that publishes, for a while; a browser at each
//! node that listens hears every pipe.
//!
//! * *servers*: of Redis, 3 in a Cluster; 0 is the embedded store. *publish*, *listen*: the nodes that do, counted from the first;
//!   where both say 3, they are the same three. `1 + 2` listens at two others.
//! * *messages/s*: acknowledged, of the middle round; *ratio*: to `embedded`. Publishers, browsers, nodes and Redis share
//!   the cores of one machine, so it says how the work is dealt and not what many machines do. That follows from
//! * *CPU µs a message*: of all nodes that publish together, of one that only listens, of all servers of Redis together.
//!
//! *memory*: what Redis holds, and what it and the nodes do, as pipes and users come and go.
//!
//! * *Redis bytes*: by its `used_memory`, for each of the things named. *Redis µs*, *node µs*: processor time to bring
//!   one about. *node bytes*: resident, of the node that did.
//! * *idle*: Redis with so many nodes that do nothing: commands a second, and its processor time in microseconds a second.
//!
//! *churn*: browsers of two nodes take and leave pipes that nobody has heard of, while one message after the other goes
//! from a publisher at one node to a browser at the other, on a pipe that stays.
//!
//! * *pipes/s*: that have appeared and disappeared. *Redis*, *nodes*: processor time for one that does both, in
//!   microseconds, of both nodes together, without what the messages take. *subscribe*: from a command to its answer, of
//!   100 pipes, or of one where they come one by one.
//! * *median*, *99 %*: microseconds of a message; *ratio*: to that without churn. A message that had to wait for the one
//!   before has waited since it was due. Browsers, publisher, nodes and Redis share the cores of one machine: where the
//!   pipes are as many as can be, a message waits for a core as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/browser.rs"]
#[allow(dead_code)]
mod browser;
#[path = "nodes/churn.rs"]
mod churn;
#[path = "nodes/flood.rs"]
mod flood;
#[path = "nodes/house.rs"]
mod house;
#[path = "nodes/latency.rs"]
mod latency;
#[path = "nodes/memory.rs"]
mod memory;
#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;
#[path = "world/redis.rs"]
mod redis;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let tables = [
        ("latency", latency::table as fn()),
        ("flood", flood::table),
        ("memory", memory::table),
        ("churn", churn::table),
    ];
    for (name, table) in tables {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("{name}\n");
            table();
            println!();
        }
    }
}
