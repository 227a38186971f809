//! A file of secrets that has its place before anything else is done, and its text when all of that has succeeded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Nobody but its owner may read it. What is dropped before it is written leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl NewFile {
    /// Makes the file, which must not be there yet.
    pub fn begin(path: &Path) -> io::Result<NewFile> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(NewFile { path: path.to_owned(), file, is_written: false })
    }

    pub fn write(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_for_its_owner_alone_is_never_replaced_and_leaves_nothing_when_it_is_not_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new.toml");
        let begun = NewFile::begin(&path).unwrap();
        assert_eq!(NewFile::begin(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(begun);
        assert!(!path.exists());
        NewFile::begin(&path).unwrap().write("password").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(NewFile::begin(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "password");
    }
}
