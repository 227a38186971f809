//! The real binary on free ports, with a home of its own that vanishes with it.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;

/// Far longer than a start or a stop takes.
const DEADLINE: Duration = Duration::from_secs(60);
const FIRST_LINES: usize = 5;

/// A working directory and the flags a node is started with in it.
pub struct Home {
    directory: TempDir,
    flags: Vec<String>,
    variables: Vec<(String, String)>,
}

/// A node that listens. It is killed when this is dropped.
pub struct Node {
    /// Where SQL clients connect.
    pub sql: SocketAddr,
    /// Where browsers connect.
    pub browsers: SocketAddr,
    pub password: String,
    pub first_lines: Vec<String>,
    pub home: Home,
    process: Process,
}

/// How a node or a start ended.
pub struct End {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new(flags: &[&str]) -> Home {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Home { directory, flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), variables: Vec::new() }
    }

    /// The node has one environment variable more.
    pub fn with_variable(mut self, name: &str, value: &str) -> Home {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where a node keeps its data that is not told otherwise.
    pub fn data(&self) -> PathBuf {
        self.path().join("cometql-data")
    }

    /// Starts a node here and waits until it says that it listens.
    pub fn start(self) -> Node {
        self.start_at("127.0.0.1:0", "127.0.0.1:0")
    }

    /// The same, where clients of a node that has ended look for it.
    pub fn start_at(self, sql: &str, browsers: &str) -> Node {
        let ports = ["--mysql-listen", sql, "--ws-listen", browsers];
        let flags: Vec<&str> = ports.into_iter().chain(self.flags.iter().map(String::as_str)).collect();
        let process = Process::spawn(&self, &flags);
        let mut first_lines = Vec::new();
        while first_lines.len() < FIRST_LINES {
            match process.stdout.recv_timeout(DEADLINE) {
                Ok(line) => first_lines.push(line),
                Err(why) => panic!("no node ({why}): {first_lines:?}, {}", process.end().stderr),
            }
        }
        let sql = word_of(&first_lines[1], 1).parse().expect("an address");
        let url = word_of(&first_lines[2], 1);
        let browsers =
            url.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).expect("a URL").parse().expect("one");
        let password = match std::fs::read_to_string(self.data().join("password")) {
            Ok(text) => text.trim_end().to_owned(),
            // Otherwise it is said, or the test has given it.
            Err(_) => word_of(&first_lines[4], 1).to_owned(),
        };
        Node { sql, browsers, password, first_lines, home: self, process }
    }

    /// Runs the binary here with these flags alone, until it ends by itself.
    pub fn run(&self, flags: &[&str]) -> End {
        Process::spawn(self, flags).end()
    }
}

impl Node {
    /// With a data directory of its own.
    pub fn start() -> Node {
        Home::new(&["--log", "warn"]).start()
    }

    /// Without any.
    pub fn in_memory() -> Node {
        Home::new(&["--log", "warn", "--memory"]).start()
    }

    /// Lets no file of the process grow beyond so many bytes, or any again.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.process.child)), Resource::Fsize, limit).expect("our own child");
    }

    /// What the process holds in memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("as Linux has it");
        line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// Ends it between two instructions.
    pub fn kill(mut self) -> Home {
        self.process.child.kill().expect("our own child");
        self.process.end();
        self.home
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(self, signal: Signal) -> (End, Home) {
        kill_process(Pid::from_child(&self.process.child), signal).expect("our own child");
        (self.process.end(), self.home)
    }
}

/// The word with this number, counted from 0, of a line.
fn word_of(line: &str, number: usize) -> &str {
    line.split_whitespace().nth(number).unwrap_or_else(|| panic!("a first line with too few words: {line:?}"))
}

struct Process {
    child: Child,
    /// What it prints, line by line.
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Process {
    fn spawn(home: &Home, flags: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cometql"))
            .args(flags)
            .current_dir(home.path())
            .env_clear()
            .envs(home.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, stdout) = channel();
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut complained = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || printed.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = complained.read_to_string(&mut text);
            text
        });
        Process { child, stdout, stderr: Some(stderr) }
    }

    /// Waits until it has ended, or kills it when that takes too long.
    fn end(mut self) -> End {
        let mut stdout = String::new();
        // The pipe closes when the process ends.
        while let Ok(line) = self.stdout.recv_timeout(DEADLINE) {
            stdout += &line;
            stdout += "\n";
        }
        // Nothing, if it has ended.
        let _ = self.child.kill();
        let status = self.child.wait().expect("our own child");
        let stderr = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        End { status, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
