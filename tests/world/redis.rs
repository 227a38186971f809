//! A private Redis behind a socket in a directory of its own, which vanishes with it; several of them in a cluster, or
//! looked after by Sentinels.

// Each test file uses its part of this.
#![allow(dead_code, unused_imports)]

#[path = "redis_cluster.rs"]
mod cluster;
#[path = "redis_sentinels.rs"]
mod sentinels;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use cluster::Cluster;
pub use sentinels::Sentinels;

/// Far longer than a start or an answer takes.
const DEADLINE: Duration = Duration::from_secs(30);

const PROGRAM: &str = "redis-server";
/// Where tests/install_valkey puts it.
const VALKEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/valkey/usr/bin/valkey-server");

/// Has a primary say something to its replicas every second, also if nothing is written. What they have acknowledged of
/// nothing cannot be told from having acknowledged nothing: without this it takes ten seconds until [`is_followed`].
const HEARTBEAT: [&str; 2] = ["--repl-ping-replica-period", "1"];

/// A server that answers. It is killed when this is dropped.
pub struct Redis {
    directory: TempDir,
    flags: Vec<String>,
    process: Option<Child>,
    /// Where it listens with TLS, if it does.
    tls_port: Option<u16>,
    /// Its file of settings, if it is a Sentinel.
    sentinel: Option<PathBuf>,
    program: PathBuf,
}

/// Ends servers that live as long as the tests of a file, when the process that runs them has ended.
pub struct Undertaker(Child);

impl Undertaker {
    pub fn of<'r>(servers: impl IntoIterator<Item = &'r Redis>) -> Undertaker {
        let mut last_will = "cat > /dev/null".to_owned();
        for server in servers {
            let process = server.process.as_ref().expect("it runs").id();
            last_will += &format!("; kill -9 {process}; rm -rf '{}'", server.directory.path().display());
        }
        let child = Command::new("sh").args(["-c", &last_will]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        Undertaker(child.expect("a shell"))
    }
}

/// Ports of loopback that nobody has at this moment.
pub fn free_ports(count: usize) -> Vec<u16> {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let held: Vec<TcpListener> = (0..count).map(|_| listen()).collect();
    held.iter().map(|held| held.local_addr().expect("it is bound").port()).collect()
}

/// Waits for something that somebody else does.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what}: it does not come to that");
        std::thread::yield_now();
    }
}

/// Whether a primary, as it says of its replication, has a replica that gets what is written from now on. Until the
/// replica has acknowledged something, it gets nothing, although both call it connected.
fn is_followed(info: &str) -> bool {
    info.contains("role:master") && info.contains("state=online") && !info.contains(",offset=0,")
}

impl Redis {
    pub fn start() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "no"])
    }

    /// One that has written every command to disk when it answers.
    pub fn that_keeps() -> Redis {
        Redis::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    pub fn with(flags: &[&str]) -> Redis {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut redis =
            Redis { directory, flags, process: None, tls_port: None, sentinel: None, program: PROGRAM.into() };
        redis.start_again();
        redis
    }

    /// The same of Valkey, where there is one.
    pub fn valkey() -> Option<Redis> {
        let flags = ["--save", "", "--appendonly", "no"].map(str::to_owned).to_vec();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = PathBuf::from(VALKEY);
        program.exists().then(|| {
            let mut valkey = Redis { directory, flags, process: None, tls_port: None, sentinel: None, program };
            valkey.start_again();
            valkey
        })
    }

    /// One on a port of loopback, unless somebody has taken it.
    pub fn at(port: u16, flags: &[&str]) -> Result<Redis, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = port.to_string();
        let flags = ["--port", &port].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        let mut redis =
            Redis { directory, flags, process: None, tls_port: None, sentinel: None, program: PROGRAM.into() };
        redis.started().map(|()| redis)
    }

    /// A Sentinel on a port of loopback, with these settings.
    pub fn sentinel(port: u16, settings: &str) -> Result<Redis, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("sentinel.conf");
        std::fs::write(&file, settings).expect("it can be written");
        let flags = vec!["--port".to_owned(), port.to_string(), "--sentinel".to_owned()];
        let mut redis =
            Redis { directory, flags, process: None, tls_port: None, sentinel: Some(file), program: PROGRAM.into() };
        redis.started().map(|()| redis)
    }

    /// One that listens with TLS on a port of loopback, too.
    pub fn with_tls(certificate: &str, key: &str) -> Redis {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            path.display().to_string()
        };
        let (certificate, key) = (write("certificate.pem", certificate), write("key.pem", key));
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
        let flags = [&["--save", "", "--tls-auth-clients", "no"], &files[..]].concat();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut redis =
            Redis { directory, flags, process: None, tls_port: None, sentinel: None, program: PROGRAM.into() };
        // It cannot choose a port itself, and somebody else may take the free one that was found before it does.
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            redis.tls_port = Some(free.expect("a free port").port());
            if redis.started().is_ok() {
                return redis;
            }
        }
        panic!("no free port");
    }

    /// The address with TLS, for a certificate of `localhost`.
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}/0", self.tls_port.expect("it has TLS"))
    }

    /// Listens on a port of loopback from now on, for replicas.
    pub fn take_replicas(&self) -> u16 {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = free.expect("a free port").port();
            if self.ask(&["CONFIG", "SET", "port", &port.to_string()]).starts_with("+OK") {
                return port;
            }
        }
        panic!("no free port");
    }

    /// A copy of a server that takes replicas on this port.
    pub fn replica_of(port: u16) -> Redis {
        Redis::with(&["--save", "", "--replicaof", "127.0.0.1", &port.to_string(), "--repl-diskless-sync-delay", "0"])
    }

    /// The file of its certificate.
    pub fn certificate(&self) -> String {
        self.directory.path().join("certificate.pem").display().to_string()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// What the setting `store` says.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Starts it where it was, with what it has on disk.
    pub fn start_again(&mut self) {
        self.started().unwrap_or_else(|why| panic!("no Redis: {why}"));
    }

    fn started(&mut self) -> Result<(), String> {
        let mut child = Command::new(&self.program)
            .args(&self.sentinel)
            .args(["--port", "0", "--bind", "127.0.0.1", "--daemonize", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(self.directory.path())
            .args(self.tls_port.iter().flat_map(|port| ["--tls-port".to_owned(), port.to_string()]))
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts; tests/run installs it");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        self.process = Some(child);
        let (sender, lines) = channel();
        // Reads on to the end, so that the server is never kept by a full pipe; nobody may listen by then.
        std::thread::spawn(move || printed.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = String::new();
        let ready = ["Ready to accept connections", "ready to accept connections", "+monitor master"];
        while !ready.iter().any(|ready| said.contains(ready)) {
            said = match lines.recv_timeout(DEADLINE) {
                Ok(line) => said + &line + "\n",
                Err(why) => {
                    self.kill();
                    return Err(format!("{why}: {said}"));
                }
            };
        }
        Ok(())
    }

    /// Ends it between two instructions.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("our own child");
            process.wait().expect("our own child");
        }
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Has it stand still; it is connected and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(Pid::from_child(process), signal).expect("our own child");
    }

    /// What it answers to a command, as it comes by the wire, up to and with its last line.
    pub fn ask(&self, words: &[&str]) -> String {
        self.tried(words).expect("it answers")
    }

    /// The same of one that may be ending connections.
    pub fn tried(&self, words: &[&str]) -> std::io::Result<String> {
        let mut socket = UnixStream::connect(self.socket())?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command += &format!("${}\r\n{word}\r\n", word.len());
        }
        // What comes behind it ends the answer.
        command += if self.sentinel.is_some() { "*2\r\n$4\r\nPING" } else { "*2\r\n$4\r\nECHO" };
        command += "\r\n$9\r\nthe end 1\r\n";
        socket.write_all(command.as_bytes())?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        let end = b"$9\r\nthe end 1\r\n";
        while !answer.ends_with(end) {
            let length = socket.read(&mut part)?;
            if length == 0 {
                let before = String::from_utf8_lossy(&answer).into_owned();
                return Err(std::io::Error::other(format!("it closed behind {before:?}")));
            }
            answer.extend_from_slice(&part[..length]);
        }
        answer.truncate(answer.len() - end.len());
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
