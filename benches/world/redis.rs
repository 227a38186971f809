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
        let home = tempfile::tempdir().expect("a temporary directory");
        // It is free now, and nobody is in a hurry to take it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "everysec"])
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

    /// Processor time it has used so far, in microseconds.
    pub fn cpu_micros(&self) -> u64 {
        cpu_micros(self.process.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself; that would have been noticed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
