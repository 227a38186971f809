//! How a client proves that it knows the password without sending it.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(super) const NATIVE: &str = "mysql_native_password";
pub(super) const CACHING_SHA2: &str = "caching_sha2_password";

pub(super) const SALT_BYTES: usize = 20;
pub(super) const NATIVE_PROOF_BYTES: usize = 20;
pub(super) const CACHING_SHA2_PROOF_BYTES: usize = 32;

/// The random bytes of one connection that its proofs are made for.
#[derive(Clone, Copy)]
pub(super) struct Salt(pub [u8; SALT_BYTES]);

impl Salt {
    pub(super) fn random() -> Result<Salt, getrandom::Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        // Clients take the salt for text that a NUL ends, old ones for fields between dollar signs, and MySQL's
        // Connector/J for ASCII: it proves nothing with a byte above. MySQL's own salts are so, too.
        for byte in &mut salt {
            *byte &= 0x7f;
            while matches!(*byte, 0 | b'$') {
                getrandom::fill(std::slice::from_mut(byte))?;
                *byte &= 0x7f;
            }
        }
        Ok(Salt(salt))
    }
}

/// `mysql_native_password`: SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))).
pub(super) fn native_proves(proof: &[u8], password: &str, salt: &Salt) -> bool {
    let hashed = Sha1::digest(password);
    let mask = Sha1::new().chain_update(salt.0).chain_update(Sha1::digest(hashed)).finalize();
    same(proof, &xor(&hashed, &mask))
}

/// `caching_sha2_password`: SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt).
pub(super) fn caching_sha2_proves(proof: &[u8], password: &str, salt: &Salt) -> bool {
    let hashed = Sha256::digest(password);
    let mask = Sha256::new().chain_update(Sha256::digest(hashed)).chain_update(salt.0).finalize();
    same(proof, &xor(&hashed, &mask))
}

/// What proves to MariaDB's clients that who knows the password also has the certificate: the byte 1 and the
/// hexadecimal digits of SHA256(SHA1(SHA1(password)) + salt + fingerprint). Connector/C 3.4 asks for it when a
/// certificate has no other proof.
pub(super) fn certificate_proof(password: &str, salt: &Salt, fingerprint: &[u8; 32]) -> String {
    let twice = Sha1::digest(Sha1::digest(password));
    let proof = Sha256::new().chain_update(twice).chain_update(salt.0).chain_update(fingerprint).finalize();
    let mut text = String::from("\x01");
    for byte in proof {
        text.push_str(&format!("{byte:02X}"));
    }
    text
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt(*b"abcdefghijklmnopqrst");

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        (0..hexadecimal.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&hexadecimal[place..place + 2], 16).expect("these are digits"))
            .collect()
    }

    // The expected proofs were made by PyMySQL 1.2 (`_auth.scramble_native_password`, `scramble_caching_sha2`).
    #[test]
    fn proofs_are_those_of_other_clients() {
        let native = bytes("8817c50fa779daef010ee7577825b0847df9842e");
        let caching = bytes("c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809");
        assert!(native_proves(&native, "secret", &SALT));
        assert!(caching_sha2_proves(&caching, "secret", &SALT));
        assert!(!native_proves(&native, "Secret", &SALT));
        assert!(!caching_sha2_proves(&caching, "Secret", &SALT));
        assert!(!native_proves(&native, "secret", &Salt([7; SALT_BYTES])));
        assert!(!native_proves(&[], "secret", &SALT));
        assert!(!native_proves(&native[..19], "secret", &SALT));
        assert!(!caching_sha2_proves(&native, "secret", &SALT));
    }

    #[test]
    fn a_salt_is_ascii_without_a_byte_that_ends_a_text() {
        for _ in 0..500 {
            let salt = Salt::random().expect("the system has random bytes");
            assert!(salt.0.is_ascii() && !salt.0.iter().any(|byte| matches!(byte, 0 | b'$')));
        }
    }

    // The expected proof was made by the formula in Python's hashlib.
    #[test]
    fn the_certificate_is_proven_by_the_password() {
        let proof = certificate_proof("secret", &SALT, &[0xAB; 32]);
        assert_eq!(proof.as_bytes()[0], 1);
        assert_eq!(&proof[1..], "FC51B81A3D21A9AE6413B2091ADBA3DCAB3124F7B538AB960475AF61EF53175B");
    }
}
