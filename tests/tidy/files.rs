//! The files of the project, as git knows them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are made, not written.
const MADE: [&str; 5] = [".git", "target", "node_modules", "cometql-data", "__pycache__"];

pub struct TrackedFile {
    /// From the root of the project, with `/` between.
    pub path: String,
    pub text: String,
}

impl TrackedFile {
    pub fn is_rust_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder) && self.path.ends_with(".rs")
    }

    /// Written by a package manager, hashes and all.
    pub fn is_lock(&self) -> bool {
        ["Cargo.lock", "package-lock.json", "go.sum"].iter().any(|lock| self.path.ends_with(lock))
    }

    pub fn is_in_source_or_tests(&self) -> bool {
        self.path.starts_with("src/") || self.path.starts_with("tests/")
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Every text file that is tracked or could be; what git cannot tell, for want of git, the folders do.
pub fn tracked() -> Vec<TrackedFile> {
    let mut paths = listed_by_git().unwrap_or_else(|| walked(root()));
    paths.sort();
    let files = paths.into_iter().filter_map(|path| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(TrackedFile { path, text })
    });
    files.collect()
}

fn listed_by_git() -> Option<Vec<String>> {
    let asked = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(asked).current_dir(root()).output().ok()?;
    let paths = String::from_utf8(listed.stdout).ok()?;
    let paths: Vec<String> = paths.split_terminator('\0').map(str::to_owned).collect();
    (listed.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_made = |path: &PathBuf| MADE.iter().any(|made| path.file_name().is_some_and(|name| name == *made));
    let mut paths = Vec::new();
    for path in entries.filter(|path| !is_made(path)) {
        if path.is_dir() {
            paths.extend(walked(&path));
        } else if let Some(path) = path.strip_prefix(root()).ok().and_then(Path::to_str) {
            paths.push(path.to_owned());
        }
    }
    paths
}

#[test]
fn without_git_the_same_files_are_found() {
    let walked = walked(root());
    for path in ["Cargo.toml", "src/lib.rs", "tests/tidy/files.rs"] {
        assert!(walked.iter().any(|walked| walked == path), "{path} is not among {walked:?}");
    }
    assert!(!walked.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
}
