//! Programs in other languages that tests run: where they are, and what they say.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

/// Far longer than any program here takes, even one that fetches packages.
const DEADLINE_SECONDS: &str = "600";

/// The directory that holds `Cargo.toml`.
pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Gets the packages that the programs need.
///
/// # Panics
/// Something is missing that must be installed by hand; the message names it.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        run(&["tests/clients/install"], &[], &project());
    });
}

/// A Python that has the packages of `tests/clients/requirements.txt`.
pub fn python() -> String {
    project().join("target/clients/venv/bin/python").display().to_string()
}

/// Runs a program in a directory; answers what it printed.
///
/// # Panics
/// It is not there, or it failed; the message has everything it said.
pub fn run(command: &[&str], arguments: &[&str], directory: &Path) -> String {
    tried(command, arguments, directory).unwrap_or_else(|why| panic!("{why}"))
}

/// The same, with everything it said as the error.
pub fn tried(command: &[&str], arguments: &[&str], directory: &Path) -> Result<String, String> {
    let name = command.join(" ");
    let Output { status, stdout, stderr } = Command::new("timeout")
        .arg(DEADLINE_SECONDS)
        .args(command)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("timeout, of coreutils, is everywhere");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() {
        return Ok(stdout.into_owned());
    }
    Err(format!("{name}: {status}; tests/clients/install says whether something is missing\n{stdout}\n{stderr}"))
}
