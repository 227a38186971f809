//! Programs in other languages that tests run: where they are, and what they say.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

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
    let name = command.join(" ");
    let Output { status, stdout, stderr } = Command::new(command[0])
        .args(&command[1..])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}; tests/clients/install says what is missing"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{name}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}
