//! TLS, and the proof that a certificate nobody vouches for is the right one.

use std::io::Write;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::raw_client::{PROTOCOL_41, RawClient, Reply, SSL, caching_sha2_proof, framed, login_packet, native_proof};
use crate::server::{PASSWORD, Server};

#[test]
fn a_login_inside_tls_has_the_certificate_proven() {
    let server = Server::start();
    let mut client = encrypted(&server);
    let proof = native_proof(PASSWORD, &client.salt);
    client.send(2, &login_packet(SSL, "root", &proof, Some("mysql_native_password")));
    let info = certificate_proof(&server, &client);
    assert_eq!(client.reply(), Reply::Ok { status: 2, info });
    assert!(client.command(b"\x0e").is_ok());
    assert_eq!(client.query("SELECT 1"), Reply::Rows(vec![b"\x011".to_vec()], 2));
}

/// As Connector/C 3.4 makes it.
fn certificate_proof(server: &Server, client: &RawClient) -> Vec<u8> {
    let twice = Sha1::digest(Sha1::digest(PASSWORD));
    let expected =
        Sha256::new().chain_update(twice).chain_update(&client.salt).chain_update(server.identity.fingerprint());
    let mut info = vec![1];
    for byte in expected.finalize() {
        info.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
    info
}

#[test]
fn who_becomes_another_user_inside_tls_has_the_certificate_proven_again() {
    let server = Server::start();
    let mut client = encrypted(&server);
    let proof = native_proof(PASSWORD, &client.salt);
    client.send(2, &login_packet(SSL, "root", &proof, Some("mysql_native_password")));
    client.reply();
    let change_user = [b"\x11root\0\x14", proof.as_slice(), b"\0\x2d\0mysql_native_password\0"].concat();
    let info = certificate_proof(&server, &client);
    assert_eq!(client.command(&change_user), Reply::Ok { status: 2, info });
}

#[test]
fn a_client_can_see_what_encrypts_its_connection() {
    let server = Server::start();
    let mut client = encrypted(&server);
    let proof = native_proof(PASSWORD, &client.salt);
    client.send(2, &login_packet(SSL, "root", &proof, Some("mysql_native_password")));
    client.reply();
    let shown = |client: &mut RawClient, name: &str| client.query(&format!("SHOW STATUS LIKE '{name}'"));
    let version = Reply::Rows(vec![b"\x0bSsl_version\x07TLSv1.3".to_vec()], 2);
    assert_eq!(shown(&mut client, "Ssl_version"), version);
    // COM_RESET_CONNECTION
    assert!(client.command(b"\x1f").is_ok());
    assert_eq!(shown(&mut client, "Ssl_version"), version);
    let mut plain = RawClient::logged_in(server.address);
    assert_eq!(shown(&mut plain, "Ssl_cipher"), Reply::Rows(vec![b"\x0aSsl_cipher\x00".to_vec()], 2));
}

#[test]
fn caching_sha2_inside_tls_needs_no_proof_of_the_certificate() {
    let server = Server::start();
    let mut client = encrypted(&server);
    let proof = caching_sha2_proof(PASSWORD, &client.salt);
    client.send(2, &login_packet(SSL, "root", &proof, Some("caching_sha2_password")));
    assert_eq!(client.packet(), (3, b"\x01\x03".to_vec()));
    assert_eq!(client.reply(), Reply::Ok { status: 2, info: Vec::new() });
}

#[test]
fn who_asks_for_tls_and_speaks_none_is_left() {
    let server = Server::start();
    let mut other = RawClient::logged_in(server.address);
    let mut client = RawClient::connect(server.address);
    client.wire.write_all(&[tls_request(), b"GET / HTTP/1.0\r\n\r\n".to_vec()].concat()).unwrap();
    client.rest();
    assert!(other.command(b"\x0e").is_ok());
}

/// A client that has asked for TLS and its first TLS bytes in one segment.
fn encrypted(server: &Server) -> RawClient {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.enable_sni = false;
    let name = ServerName::try_from("cometql").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    RawClient::connect(server.address)
        .over(|plain| Box::new(StreamOwned::new(connection, Asking { wire: plain, request: tls_request() })))
}

fn tls_request() -> Vec<u8> {
    let mut request = (PROTOCOL_41 | SSL).to_le_bytes().to_vec();
    request.extend_from_slice(&[0, 0, 0, 1, 45]);
    request.extend_from_slice(&[0; 23]);
    framed(1, &request)
}

/// Writes the request for TLS together with what is written first.
struct Asking<W> {
    wire: W,
    request: Vec<u8>,
}

impl<W: Write> Write for Asking<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.request.is_empty() {
            return self.wire.write(bytes);
        }
        let mut both = std::mem::take(&mut self.request);
        both.extend_from_slice(bytes);
        self.wire.write_all(&both)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.wire.flush()
    }
}

impl<W: std::io::Read> std::io::Read for Asking<W> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.wire.read(bytes)
    }
}

/// The certificate is made by the server itself: what matters here is that it encrypts.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
