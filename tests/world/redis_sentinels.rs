//! A primary, a replica and three Sentinels that look after them, on ports of loopback.

use super::{HEARTBEAT, Redis, free_ports, is_followed, until};

const SENTINELS: usize = 3;

pub struct Sentinels {
    /// The first begins as the primary.
    pub servers: Vec<Redis>,
    pub sentinels: Vec<Redis>,
    ports: Vec<u16>,
}

impl Sentinels {
    pub fn start() -> Sentinels {
        for _ in 0..10 {
            if let Ok(sentinels) = Sentinels::tried() {
                return sentinels;
            }
        }
        panic!("no free ports");
    }

    fn tried() -> Result<Sentinels, String> {
        let ports = free_ports(2 + SENTINELS);
        let primary = ports[0].to_string();
        let flags = [&["--save", "", "--repl-diskless-sync-delay", "0"][..], &HEARTBEAT].concat();
        let servers = vec![
            Redis::at(ports[0], &flags)?,
            Redis::at(ports[1], &[&["--replicaof", "127.0.0.1", &primary], &flags[..]].concat())?,
        ];
        let settings = format!(
            "sentinel monitor main 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n"
        );
        let sentinels = ports[2..].iter().map(|port| Redis::sentinel(*port, &settings));
        let all = Sentinels { servers, sentinels: sentinels.collect::<Result<_, _>>()?, ports: ports.clone() };
        for sentinel in &all.sentinels {
            // They look at what has happened much more often than they would.
            for period in ["info-period", "publish-period", "ask-period", "ping-period", "min-link-reconnect-period"] {
                sentinel.ask(&["SENTINEL", "DEBUG", period, "200"]);
            }
            sentinel.ask(&["SENTINEL", "DEBUG", "election-timeout", "1000"]);
            // One that was not let run for two seconds believes nothing for as long as this, which would be half a minute.
            let said = sentinel.ask(&["SENTINEL", "DEBUG", "tilt-period", "1000"]);
            assert!(said.starts_with("+OK"), "{said}");
        }
        all.until_whole();
        Ok(all)
    }

    /// Waits until the Sentinels agree on the primary and know each other and a replica that has what it has.
    pub fn until_whole(&self) {
        until("the Sentinels agree", || {
            let primary = self.primary();
            self.sentinels.iter().all(|sentinel| {
                let master = sentinel.ask(&["SENTINEL", "MASTER", "main"]);
                let says =
                    |key: &str, value: &str| master.contains(&format!("{key}\r\n${}\r\n{value}\r\n", value.len()));
                primary == self.named_by(sentinel)
                    && says("num-other-sentinels", "2")
                    && says("num-slaves", "1")
                    && says("flags", "master")
            })
        });
        until("the replica follows", || {
            let info = self.servers[self.primary()].tried(&["INFO", "replication"]);
            info.is_ok_and(|info| is_followed(&info))
        });
    }

    /// Which server the first Sentinel says is the primary.
    pub fn primary(&self) -> usize {
        self.named_by(&self.sentinels[0])
    }

    /// Has the replica take the place of the primary.
    pub fn fail_over(&self) {
        let before = self.primary();
        self.begin_to_fail_over();
        until("another is the primary", || self.have_left(before));
        self.until_whole();
    }

    /// Asks for that, as soon as the Sentinel that is asked finds the replica good enough.
    pub fn begin_to_fail_over(&self) {
        until("a Sentinel begins", || self.sentinels[0].ask(&["SENTINEL", "FAILOVER", "main"]).starts_with("+OK"));
    }

    /// Whether no Sentinel says any more that it is this one.
    pub fn have_left(&self, server: usize) -> bool {
        self.sentinels.iter().all(|sentinel| self.named_by(sentinel) != server)
    }

    fn named_by(&self, sentinel: &Redis) -> usize {
        let answer = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
        let port = answer.lines().nth(4).expect("an address");
        self.ports.iter().position(|known| known.to_string() == port).expect("a server of ours")
    }

    /// What the setting `store` says.
    pub fn url(&self) -> String {
        let places: Vec<String> = self.ports[2..].iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/main", places.join(","))
    }
}
