//! A Redis Cluster of three primaries with a replica each, on ports of loopback.

use super::{HEARTBEAT, Redis, free_ports, is_followed, until};

const SLOTS: u16 = 16_384;
const PRIMARIES: u16 = 3;

/// Servers 0 to 2 begin as primaries, with a third of the slots each; 3 to 5 as their replicas, in the same order.
pub struct Cluster {
    pub servers: Vec<Redis>,
    pub ports: Vec<u16>,
    ids: Vec<String>,
}

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::with(&[])
    }

    pub fn with(flags: &[&str]) -> Cluster {
        for _ in 0..10 {
            if let Ok(cluster) = Cluster::tried(flags) {
                return cluster;
            }
        }
        panic!("no free ports");
    }

    fn tried(flags: &[&str]) -> Result<Cluster, String> {
        let count = usize::from(PRIMARIES) * 2;
        let ports = free_ports(count * 2);
        let (ports, buses) = ports.split_at(count);
        let mut servers = Vec::new();
        for (port, bus) in ports.iter().zip(buses) {
            let bus = bus.to_string();
            let own = [
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus],
                ["--cluster-node-timeout", "500"],
                ["--cluster-replica-validity-factor", "0"],
                ["--cluster-allow-replica-migration", "no"],
                // A third that is down leaves the others as they are.
                ["--cluster-require-full-coverage", "no"],
                ["--repl-diskless-sync-delay", "0"],
                HEARTBEAT,
                ["--save", ""],
            ];
            servers.push(Redis::at(*port, &[own.as_flattened(), flags].concat())?);
        }
        let ids = servers.iter().map(|server| bulk(&server.ask(&["CLUSTER", "MYID"]))).collect();
        let cluster = Cluster { servers, ports: ports.to_vec(), ids };
        cluster.join(buses);
        Ok(cluster)
    }

    fn join(&self, buses: &[u16]) {
        let primaries = usize::from(PRIMARIES);
        for (number, server) in self.servers.iter().enumerate() {
            server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for (number, server) in (0..PRIMARIES).zip(&self.servers) {
            let bound = |number: u16| u32::from(SLOTS) * u32::from(number) / u32::from(PRIMARIES);
            let (first, last) = (bound(number).to_string(), (bound(number + 1) - 1).to_string());
            server.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        until("the first has met all", || self.has_met_all(buses));
        self.all("knows all", |server| server.ask(&["CLUSTER", "INFO"]).contains("cluster_known_nodes:6"));
        for (number, replica) in self.servers.iter().enumerate().skip(primaries) {
            let id = &self.ids[number - primaries];
            until("a replica knows its primary", || replica.ask(&["CLUSTER", "REPLICATE", id]).starts_with("+OK"));
        }
        self.until_whole();
    }

    /// Whether the first server knows all. Whom it does not, or not any more, it meets once more: one that takes longer than
    /// a second to answer is forgotten.
    fn has_met_all(&self, buses: &[u16]) -> bool {
        let nodes = self.servers[0].ask(&["CLUSTER", "NODES"]);
        let others = self.ports.iter().zip(buses).skip(1);
        let unknown = others.filter(|(port, _)| !nodes.contains(&format!(":{port}@")));
        let met = unknown.map(|(port, bus)| {
            self.servers[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]);
        });
        met.count() == 0 && !nodes.contains("handshake")
    }

    /// Waits until every slot has a primary and that a replica that follows, as everybody sees it.
    pub fn until_whole(&self) {
        self.all("is well", |server| {
            let info = server.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
        });
        self.all("knows three replicas", |server| {
            let nodes = server.ask(&["CLUSTER", "NODES"]);
            let is_well = |line: &&str| !line.contains("fail") && !line.contains("handshake");
            let well: Vec<&str> = nodes.lines().filter(is_well).collect();
            let count = |role: &str| well.iter().filter(|line| line.contains(role)).count();
            count("master") == usize::from(PRIMARIES) && count("slave") == usize::from(PRIMARIES)
        });
        self.all("has what its primary has", |server| {
            let info = server.ask(&["INFO", "replication"]);
            info.contains("master_link_status:up") || is_followed(&info)
        });
    }

    fn all(&self, what: &str, is_so: impl Fn(&Redis) -> bool) {
        self.servers.iter().for_each(|server| until(what, || is_so(server)));
    }

    /// What the setting `store` says.
    pub fn url(&self) -> String {
        let seeds: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+cluster://{}", seeds.join(","))
    }

    /// The number of the server that is the primary of a key.
    pub fn owner(&self, key: &str) -> usize {
        let answer = self.servers[0].ask(&["CLUSTER", "KEYSLOT", key]);
        self.owner_of_slot(answer.trim_start_matches(':').trim_end().parse().expect("a slot"))
    }

    pub fn owner_of_slot(&self, slot: u16) -> usize {
        let is_its = |id: &&String| {
            let nodes = self.running().ask(&["CLUSTER", "NODES"]);
            let line = nodes.lines().find(|line| line.trim_start_matches('$').starts_with(id.as_str()));
            line.is_some_and(|line| line.split(' ').skip(8).any(|range| is_in(slot, range)))
        };
        self.ids.iter().position(|id| is_its(&id)).expect("every slot has a primary")
    }

    /// Somebody to ask.
    pub fn running(&self) -> &Redis {
        self.servers.iter().find(|server| server.is_running()).expect("one runs")
    }

    pub fn id(&self, number: usize) -> &str {
        &self.ids[number]
    }

    /// Has everything forgotten.
    pub fn flush(&self) {
        for server in &self.servers {
            if server.ask(&["ROLE"]).contains("master") {
                server.ask(&["FLUSHALL"]);
            }
        }
    }

    /// Begins to move a slot.
    pub fn open_slot(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        assert_eq!(self.servers[to].ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]]), "+OK\r\n");
        assert_eq!(self.servers[from].ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]]), "+OK\r\n");
    }

    /// Moves a key of it; answers whether there was one.
    pub fn move_key(&self, slot: u16, from: usize, to: usize) -> bool {
        let answer = self.servers[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"]);
        let Some(key) = answer.lines().nth(2) else { return false };
        let port = self.ports[to].to_string();
        let moved = self.servers[from].ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        assert!(moved.starts_with('+'), "{key}: {moved}");
        true
    }

    /// Says to everybody that it has moved.
    pub fn close_slot(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        for server in [to, from] {
            assert_eq!(self.servers[server].ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &self.ids[to]]), "+OK\r\n");
        }
    }
}

fn is_in(slot: u16, range: &str) -> bool {
    let (first, last) = range.trim().split_once('-').unwrap_or((range.trim(), range.trim()));
    matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}

/// The text of an answer that is one.
fn bulk(answer: &str) -> String {
    answer.lines().nth(1).expect("a text").to_owned()
}
