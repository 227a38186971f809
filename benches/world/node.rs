//! The real binary, started for a measurement and ended with it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Node {
    process: Child,
    pub sql: SocketAddr,
    pub browsers: SocketAddr,
}

/// The password every measured node has.
pub const PASSWORD: &str = "bench";

impl Node {
    /// A node with its store in memory, and these flags besides.
    pub fn start(flags: &[&str]) -> Node {
        Node::with(&[&["--memory"], flags].concat())
    }

    /// A node with its store in this directory, and these flags besides.
    pub fn on_disk(directory: &Path, flags: &[&str]) -> Node {
        Node::with(&[&["--data-dir", &directory.display().to_string()], flags].concat())
    }

    fn with(flags: &[&str]) -> Node {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cometql"))
            .args(["--mysql-listen", "127.0.0.1:0", "--ws-listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--password", PASSWORD])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut address = |of: &str| {
            let line = lines.find(|line| line.trim_start().starts_with(of)).expect("a first line for each wire");
            let word = line.split_whitespace().nth(1).expect("an address").to_owned();
            word.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address")
        };
        let (sql, browsers) = (address("SQL"), address("browsers"));
        Node { process, sql, browsers }
    }

    /// What the process holds in memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        kilobytes(self.process.id(), "VmRSS:") * 1024
    }

    /// Processor time it has used so far, in microseconds.
    pub fn cpu_micros(&self) -> u64 {
        cpu_micros(self.process.id())
    }

    /// What it has made the kernel write to disk so far, or want to write, in bytes.
    pub fn written_bytes(&self) -> u64 {
        let counters = std::fs::read_to_string(format!("/proc/{}/io", self.process.id())).expect("our own process");
        let written = counters.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("the counter");
        written.parse().expect("a number")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself; that would have been noticed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processor time of a process, in microseconds: user and system, of all its threads.
pub fn cpu_micros(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a process that runs");
    let behind_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let fields: Vec<u64> = behind_name.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second.
    (fields[11] + fields[12]) * 10_000
}

fn kilobytes(process: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
