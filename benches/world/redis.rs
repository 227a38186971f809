//! A Redis of the measurement's own, on a free port, that writes what it is told to disk every second.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::node::cpu_micros;

/// Far longer than a start takes.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct Redis {
    process: Child,
    port: u16,
    _home: TempDir,
}

impl Redis {
    /// None when there is none to start.
    pub fn start() -> Option<Redis> {
        Redis::with(&[])
    }

    /// A cluster of so many primaries without replicas.
    pub fn cluster(count: usize) -> Option<Vec<Redis>> {
        let servers: Vec<Redis> =
            (0..count).map(|_| Redis::with(&["--cluster-enabled", "yes"])).collect::<Option<_>>()?;
        let places = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        let create = ["--cluster", "create"].map(str::to_owned).into_iter().chain(places);
        let created = cli(create.chain(["--cluster-yes".to_owned()]));
        assert!(created.contains("All 16384 slots covered"), "{created}");
        let began = Instant::now();
        let state = |server: &Redis| cli(["-p", &server.port.to_string(), "cluster", "info"].map(str::to_owned));
        while !servers.iter().all(|server| state(server).contains("cluster_state:ok")) {
            assert!(began.elapsed() < DEADLINE, "the cluster is not ready");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(servers)
    }

    fn with(flags: &[&str]) -> Option<Redis> {
        let home = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "everysec"])
            .args(flags)
            .arg("--dir")
            .arg(home.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let redis = Redis { process, port, _home: home };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < DEADLINE, "Redis does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(redis)
    }

    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Of the cluster it is in.
    pub fn cluster_address(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.port)
    }

    /// Processor time it has used so far, in microseconds.
    pub fn cpu_micros(&self) -> u64 {
        cpu_micros(self.process.id())
    }
}

/// It is free now, and so is that of the cluster, 10,000 above; nobody is in a hurry to take them.
fn free_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).ok();
    (20_000..30_000).find(|port| free(*port).is_some() && free(port + 10_000).is_some()).expect("a free port")
}

fn cli(arguments: impl IntoIterator<Item = String>) -> String {
    let output = Command::new("redis-cli").args(arguments).output().expect("redis-cli comes with redis-server");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself; that would have been noticed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
