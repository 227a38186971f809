//! The password: given, read from a file, or made at the first start.

use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{ConfigError, Source};

/// Longest password file, in bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// Length of a password we make: 142 bits.
const GENERATED_LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Where the password is to be had.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordSource {
    Given {
        text: String,
        source: Source,
    },
    File {
        path: PathBuf,
        source: Source,
    },
    /// Kept in the file `password` of this directory, made when it is not there.
    GeneratedIn(PathBuf),
    /// Made anew at each start.
    GeneratedInMemory,
}

/// A password, and where its owner finds it. Debug does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    text: String,
    place: Place,
    /// Made by this start: nobody has seen it yet.
    is_new: bool,
}

/// Where the owner finds the password. Displays as a sentence without its full stop, such as
/// `the password is in /srv/cometql-data/password`, that does not show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Configured(Source),
    File(PathBuf),
    Generated(PathBuf),
    GeneratedInMemory,
}

impl PasswordSource {
    /// Gets the password; makes one, and the directory for it, where none is yet.
    pub fn resolve(&self) -> Result<Password, ConfigError> {
        let (text, place) = match self {
            PasswordSource::Given { text, source } => (text.clone(), Place::Configured(source.clone())),
            PasswordSource::File { path, source } => {
                let text = read(path).map_err(|reason| {
                    ConfigError(format!("password_file ({source}): {reason}; name a file that holds the password"))
                })?;
                (text, Place::File(path.clone()))
            }
            PasswordSource::GeneratedIn(directory) => {
                let path = directory.join("password");
                let is_new = !exists(&path);
                let text = kept_or_made(directory, &path)?;
                return Ok(Password { text, place: Place::Generated(path), is_new });
            }
            PasswordSource::GeneratedInMemory => (generate()?, Place::GeneratedInMemory),
        };
        let is_new = place == Place::GeneratedInMemory;
        Ok(Password { text, place, is_new })
    }
}

impl Password {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What the operator reads at the start: the place, and the password itself when it has just been made.
    pub fn start_line(&self) -> String {
        match &self.place {
            Place::GeneratedInMemory => format!("{} (until the next start)", self.text),
            Place::Generated(path) if self.is_new => format!("{} (new; kept in {})", self.text, path.display()),
            _ => self.place.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Configured(Source::Environment(name)) => write!(out, "the password is in the variable {name}"),
            Place::Configured(Source::Flag(name)) => write!(out, "the password was given with {name}"),
            Place::Configured(Source::File { path, .. }) => write!(out, "the password is in {}", path.display()),
            Place::Configured(Source::Default) => out.write_str("the password is the default"),
            Place::File(path) | Place::Generated(path) => write!(out, "the password is in {}", path.display()),
            Place::GeneratedInMemory => out.write_str("the password is in the first lines the server printed"),
        }
    }
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordSource::Given { source, .. } => write!(out, "Given(…, {source})"),
            PasswordSource::File { path, source } => write!(out, "File({path:?}, {source})"),
            PasswordSource::GeneratedIn(directory) => write!(out, "GeneratedIn({directory:?})"),
            PasswordSource::GeneratedInMemory => out.write_str("GeneratedInMemory"),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Password(…, {:?})", self.place)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| {
        let user = rustix::process::geteuid().as_raw();
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => format!("; the server runs as user {user}, who must be able to read it"),
            _ => String::new(),
        };
        format!("cannot read {}: {error}{advice}", path.display())
    };
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX + 1), &mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{} is longer than {FILE_BYTES_MAX} bytes", path.display()));
    }
    // An editor ends the file with a newline; a password that ends with one cannot be typed.
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    if password.contains(['\n', '\r', '\0']) {
        return Err(format!("{} has more than one line", path.display()));
    }
    Ok(password.to_owned())
}

fn kept_or_made(directory: &Path, path: &Path) -> Result<String, ConfigError> {
    if !exists(path) {
        make(directory, path).map_err(|error| {
            ConfigError(format!(
                "cannot keep a new password in {}: {error}; make the directory writable, give a password, or start with --memory",
                path.display()
            ))
        })?;
    }
    // Read back even when just made: another start may have been first.
    read(path).map_err(|reason| match std::fs::File::open(path) {
        Ok(_) => ConfigError(format!("{reason}; delete it and a new one is made")),
        Err(_) => ConfigError(reason),
    })
}

/// Also true of what cannot be looked at: then reading it gives the reason.
fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// The file appears with its content or not at all, and never replaces another.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let unfinished = directory.join(format!("password.{}", std::process::id()));
    let _ = std::fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let password = generate().map_err(|error| io::Error::other(error.to_string()))?;
    let written = writeln!(file, "{password}").and_then(|()| file.sync_all());
    // A link fails where a rename would replace the password of a start that was first.
    let linked = written.and_then(|()| std::fs::hard_link(&unfinished, path));
    std::fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.and_then(|()| std::fs::File::open(directory)?.sync_all()),
    }
}

fn generate() -> Result<String, ConfigError> {
    let mut password = String::with_capacity(GENERATED_LENGTH);
    while password.len() < GENERATED_LENGTH {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| ConfigError(format!("the system has no random bytes: {error}")))?;
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first letters.
        let fair = random.iter().filter(|byte| **byte < 248).map(|byte| ALPHABET[usize::from(byte % 62)]);
        password.extend(fair.map(char::from).take(GENERATED_LENGTH - password.len()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_made_once_and_kept_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/data");
        let made = PasswordSource::GeneratedIn(data.clone()).resolve().unwrap();
        assert_eq!(made.text().len(), GENERATED_LENGTH);
        assert!(made.text().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(made.place(), &Place::Generated(data.join("password")));
        assert_eq!(std::fs::metadata(data.join("password")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "nothing else is left behind");
        assert!(made.start_line().contains(made.text()), "said once, when it is new");
        let kept = PasswordSource::GeneratedIn(data).resolve().unwrap();
        assert_eq!(kept.text(), made.text());
        assert!(!kept.start_line().contains(made.text()));
        assert!(!format!("{made:?}").contains(made.text()));
    }

    #[test]
    fn a_password_that_was_there_first_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "first").unwrap();
        make(directory.path(), &path).unwrap();
        assert_eq!(read(&path).unwrap(), "first");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn in_memory_a_password_is_new_each_time_and_said_at_the_start() {
        let one = PasswordSource::GeneratedInMemory.resolve().unwrap();
        let other = PasswordSource::GeneratedInMemory.resolve().unwrap();
        assert_ne!(one.text(), other.text());
        assert!(one.start_line().contains(one.text()));
        assert!(!one.place().to_string().contains(one.text()));
    }

    #[test]
    fn password_files_are_one_line_or_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let long = "x".repeat(5000);
        let cases = [
            ("secret", Ok("secret")),
            ("secret\n", Ok("secret")),
            (" a b\r\n", Ok(" a b")),
            ("", Err("is empty")),
            ("\n", Err("is empty")),
            ("a\nb\n", Err("has more than one line")),
            (&long, Err("is longer than 4096 bytes")),
        ];
        for (content, expected) in cases {
            std::fs::write(&path, content).unwrap();
            let source = PasswordSource::File { path: path.clone(), source: Source::Flag("--password-file".into()) };
            match (source.resolve(), expected) {
                (Ok(password), Ok(text)) => assert_eq!(password.text(), text),
                (Err(error), Err(reason)) => {
                    let wanted = format!("password_file (--password-file): {} {reason}", path.display());
                    assert!(error.to_string().starts_with(&wanted), "{error}");
                }
                (got, wanted) => panic!("{content:?}: {got:?} instead of {wanted:?}"),
            }
        }
        let absent = PasswordSource::File { path: directory.path().join("no"), source: Source::Default };
        let error = absent.resolve().unwrap_err().to_string();
        assert!(error.contains("cannot read") && !error.contains('\n'), "{error}");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read(&path).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn an_empty_kept_password_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("password"), "").unwrap();
        let error = PasswordSource::GeneratedIn(directory.path().to_owned()).resolve().unwrap_err().to_string();
        assert!(error.ends_with("password is empty; delete it and a new one is made"), "{error}");
    }
}
