//! The certificate of the MySQL wire: given in files, or made at the first start and kept.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::Config;

const CERTIFICATE_FILE: &str = "certificate.pem";
const KEY_FILE: &str = "certificate-key.pem";

/// Who the server is to clients that ask for TLS.
pub struct Identity {
    acceptor: TlsAcceptor,
    fingerprint: [u8; 32],
    self_made: bool,
}

impl Identity {
    /// The certificate `config` names; without one, that of an earlier start; without that, a new one.
    ///
    /// # Errors
    /// Says which file cannot be read, written or used, and why.
    pub fn open(config: &Config) -> io::Result<Arc<Identity>> {
        match (&config.certificate, &config.certificate_directory) {
            (Some((chain, key)), _) => Identity::from_files(chain, key, false),
            (None, Some(directory)) => {
                let (chain, key) = (directory.join(CERTIFICATE_FILE), directory.join(KEY_FILE));
                if !(chain.exists() && key.exists()) {
                    owners_directory(directory).map_err(|error| about("the directory", directory, &error))?;
                    let (chain_pem, key_pem) = make()?;
                    write(&key, &key_pem)?;
                    write(&chain, &chain_pem)?;
                }
                Identity::from_files(&chain, &key, true)
            }
            (None, None) => {
                let (chain, key) = make()?;
                let chain = certificates(CertificateDer::pem_slice_iter(chain.as_bytes()))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
                Identity::new(chain, key, true)
            }
        }
    }

    fn from_files(chain: &Path, key: &Path, self_made: bool) -> io::Result<Arc<Identity>> {
        let in_chain = |error: io::Error| about("the certificate", chain, &error);
        let in_key = |error: &dyn std::fmt::Display| about("the certificate's key", key, error);
        let certificates = CertificateDer::pem_file_iter(chain).map_err(io::Error::other).and_then(certificates);
        let certificates = certificates.map_err(in_chain)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| in_key(&error))?;
        Identity::new(certificates, key, self_made).map_err(in_chain)
    }

    fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        self_made: bool,
    ) -> io::Result<Arc<Identity>> {
        let first = certificates.first().ok_or_else(|| io::Error::other("there is no certificate in it"))?;
        let fingerprint = Sha256::digest(first).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(io::Error::other)?;
        // MySQL clients do not resume sessions.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint, self_made }))
    }

    /// SHA-256 of the certificate, as clients compute it.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Nobody vouches for the certificate: clients may want the password's proof of it.
    pub fn is_self_made(&self) -> bool {
        self.self_made
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

fn about(what: &str, file: &Path, error: &dyn std::fmt::Display) -> io::Error {
    let opened = fs::File::open(file).map_err(|error| error.kind());
    let advice = match opened {
        Err(io::ErrorKind::PermissionDenied) => {
            let user = rustix::process::geteuid().as_raw();
            format!("; the server runs as user {user}, who must be able to read it")
        }
        _ => String::new(),
    };
    io::Error::other(format!("{what} {} cannot be used: {error}{advice}", file.display()))
}

fn certificates<E>(
    found: impl Iterator<Item = Result<CertificateDer<'static>, E>>,
) -> io::Result<Vec<CertificateDer<'static>>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    found.collect::<Result<Vec<_>, E>>().map_err(io::Error::other)
}

/// A certificate and its key, in PEM.
fn make() -> io::Result<(String, String)> {
    let names = ["cometql".to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

/// Writes a file that only the owner can read, whole or not at all.
fn write(file: &Path, pem: &str) -> io::Result<()> {
    let unfinished = PathBuf::from(format!("{}.new", file.display()));
    let written = owners_own(&unfinished).and_then(|mut open| {
        open.write_all(pem.as_bytes())?;
        open.sync_all()?;
        fs::rename(&unfinished, file)
    });
    written.map_err(|error| io::Error::other(format!("{} cannot be written: {error}", file.display())))
}

fn owners_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn owners_own(file: &Path) -> io::Result<fs::File> {
    if file.exists() {
        fs::remove_file(file)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(certificate: Option<(PathBuf, PathBuf)>, certificate_directory: Option<PathBuf>) -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            packet_bytes_max: 1,
            login_packet_bytes_max: 1,
            login_seconds_max: 1,
            idle_seconds_max: 1,
            connections_max: 1,
            certificate,
            certificate_directory,
        }
    }

    #[test]
    fn a_made_certificate_is_kept_and_its_key_is_private() {
        let directory = tempfile::tempdir().expect("there is room");
        let directory = directory.path().join("not/yet/there");
        let of_directory = config(None, Some(directory.clone()));
        let first = Identity::open(&of_directory).expect("it is made");
        let second = Identity::open(&of_directory).expect("it is found");
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert!(first.is_self_made() && second.is_self_made());
        let key = directory.join(KEY_FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&key).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let named = config(Some((directory.join(CERTIFICATE_FILE), key)), None);
        let named = Identity::open(&named).expect("they are there");
        assert_eq!(named.fingerprint(), first.fingerprint());
        assert!(!named.is_self_made());
        let in_memory = Identity::open(&config(None, None)).expect("it is made");
        assert_ne!(in_memory.fingerprint(), first.fingerprint());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let missing = config(Some(("/nowhere/chain.pem".into(), "/nowhere/key.pem".into())), None);
        let error = Identity::open(&missing).err().expect("it is not there").to_string();
        assert!(error.contains("/nowhere/chain.pem"), "{error}");
    }
}
