//! A private MariaDB server in a directory that vanishes with it, reached by its socket alone.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::clients;

/// Far longer than a start takes.
const DEADLINE: Duration = Duration::from_secs(60);
const MISSING: &str = "there is no MariaDB server: tests/clients/install --all --debian installs it, or on Debian, as \
                       root, apt-get install mariadb-server";

/// Where programs run that care for no directory.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// It is killed when this is dropped.
pub struct MariaDb {
    directory: TempDir,
    process: Child,
}

static INSTALLING: Mutex<()> = Mutex::new(());

impl MariaDb {
    /// Starts one that has no tables but its own, and waits until it listens.
    pub fn start() -> MariaDb {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = format!("--datadir={}", directory.path().join("data").display());
        let socket = format!("--socket={}", directory.path().join("socket").display());
        // One that starts deletes what others have in a directory for temporary files that they share.
        let temporary = directory.path().join("tmp");
        std::fs::create_dir(&temporary).expect("a directory");
        let temporary = format!("--tmpdir={}", temporary.display());
        // Small, and without what takes from a limit that all servers of a machine share.
        let mut common =
            vec!["--no-defaults", &data, &temporary, "--innodb-use-native-aio=0", "--innodb-buffer-pool-size=16M"];
        // It does not run as root by mistake.
        if rustix::process::geteuid().is_root() {
            common.push("--user=root");
        }
        let install = ["--auth-root-authentication-method=normal", "--skip-test-db"];
        // Several at once now and then fail.
        let one_by_one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let installed =
            clients::tried(&[program("mariadb-install-db").as_str()], &[&common[..], &install].concat(), here());
        drop(one_by_one);
        installed.unwrap_or_else(|why| panic!("{why}\n{}", logs(&directory.path().join("data"))));
        let log = std::fs::File::create(directory.path().join("log")).expect("a file");
        let process = Command::new(program("mariadbd"))
            .args(&common)
            .args([&socket, "--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect(MISSING);
        let mut mariadb = MariaDb { directory, process };
        mariadb.wait_until_it_listens();
        mariadb
    }

    fn wait_until_it_listens(&mut self) {
        let began = Instant::now();
        while UnixStream::connect(self.directory.path().join("socket")).is_err() {
            let ended = self.process.try_wait().expect("our own child");
            if ended.is_some() || began.elapsed() > DEADLINE {
                let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("MariaDB does not listen, it has ended: {ended:?}\n{log}");
            }
            std::thread::yield_now();
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Runs statements; answers what the client prints: values as they are, without headings.
    pub fn run(&self, statements: &str) -> String {
        self.tried(statements).unwrap_or_else(|why| panic!("{statements}\n{why}"))
    }

    /// The same, with everything the client said as the error.
    pub fn tried(&self, statements: &str) -> Result<String, String> {
        let socket = self.directory.path().join("socket").display().to_string();
        let flags = ["--no-defaults", "--default-character-set=utf8mb4", "-S", &socket, "-u", "root", "-NBr"];
        clients::tried(&["mariadb"], &[&flags[..], &["-e", statements]].concat(), here())
    }

    /// Runs a text of any length in a database.
    pub fn source(&self, database: &str, text: &str) {
        let file = self.directory.path().join("statements.sql");
        std::fs::write(&file, format!("{}\n;\n", text.trim_end())).expect("a file");
        self.run(&format!("USE {database};\nsource {}", file.display()));
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the servers that made the tables have left to read.
fn logs(data: &Path) -> String {
    let files = std::fs::read_dir(data).into_iter().flatten().flatten().map(|entry| entry.path());
    let logs = files.filter(|path| path.extension().is_some_and(|ending| ending == "err"));
    logs.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// Whether there is such a server on this machine.
pub fn is_installed() -> bool {
    found("mariadbd").is_some() && found("mariadb-install-db").is_some()
}

fn program(name: &str) -> String {
    found(name).unwrap_or_else(|| panic!("{MISSING}")).display().to_string()
}

/// Debian has the server where only root looks.
fn found(name: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    places.map(|place| PathBuf::from(place).join(name)).into_iter().find(|place| place.exists())
}
