//! The first packet, from the server: who we say we are, and what works here.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use bytes::{BufMut, BytesMut};
use mysql_common::constants::{CapabilityFlags, StatusFlags};

use crate::status::SERVER_VERSION;

use super::scramble::{NATIVE, SALT_BYTES, Salt};

/// utf8mb4_general_ci: known to every client that knows utf8mb4.
pub(super) const UTF8MB4_GENERAL_CI: u8 = 45;

/// Capabilities only for what works. Bit 0 must be set: cleared, it means "MariaDB" and promises 32 more bits.
pub(super) fn capabilities(tls: bool) -> CapabilityFlags {
    let always = CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_FOUND_ROWS
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_NO_SCHEMA
        | CapabilityFlags::CLIENT_ODBC
        | CapabilityFlags::CLIENT_IGNORE_SPACE
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_INTERACTIVE
        | CapabilityFlags::CLIENT_IGNORE_SIGPIPE
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_STATEMENTS
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS
        | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    if tls { always | CapabilityFlags::CLIENT_SSL } else { always }
}

pub(super) fn write(out: &mut BytesMut, connection_id: u32, salt: &Salt, capabilities: CapabilityFlags) {
    let [low, high] = [capabilities.bits() as u16, (capabilities.bits() >> 16) as u16];
    let (salt_begin, salt_end) = salt.0.split_at(8);
    out.put_u8(10);
    out.put_slice(SERVER_VERSION.as_bytes());
    out.put_u8(0);
    out.put_u32_le(connection_id);
    out.put_slice(salt_begin);
    out.put_u8(0);
    out.put_u16_le(low);
    out.put_u8(UTF8MB4_GENERAL_CI);
    out.put_u16_le(StatusFlags::SERVER_STATUS_AUTOCOMMIT.bits());
    out.put_u16_le(high);
    // The salt and its NUL.
    out.put_u8(SALT_BYTES as u8 + 1);
    out.put_bytes(0, 10);
    out.put_slice(salt_end);
    out.put_u8(0);
    out.put_slice(NATIVE.as_bytes());
    out.put_u8(0);
}

/// Asks the client to prove itself again, for the same salt, by this plugin.
pub(super) fn write_auth_switch(out: &mut BytesMut, plugin: &str, salt: &Salt) {
    out.put_u8(0xFE);
    out.put_slice(plugin.as_bytes());
    out.put_u8(0);
    out.put_slice(&salt.0);
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_is_that_of_a_mysql_8() {
        let mut out = BytesMut::new();
        write(&mut out, 0x0102_0304, &Salt(*b"abcdefghijklmnopqrst"), capabilities(false));
        let mut expected = b"\x0a".to_vec();
        expected.extend_from_slice(SERVER_VERSION.as_bytes());
        expected.extend_from_slice(b"\0\x04\x03\x02\x01abcdefgh\0");
        expected.extend_from_slice(b"\x5f\xb7\x2d\x02\x00\x7f\x01\x15");
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0");
        assert_eq!(out, expected);
        assert!(SERVER_VERSION.starts_with("8.0.36-cometql-"));
    }

    #[test]
    fn tls_is_offered_only_with_a_certificate() {
        assert!(capabilities(true).contains(CapabilityFlags::CLIENT_SSL));
        assert!(!capabilities(false).contains(CapabilityFlags::CLIENT_SSL));
        assert!(!capabilities(true).contains(CapabilityFlags::CLIENT_COMPRESS));
        assert!(!capabilities(true).contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES));
    }

    #[test]
    fn the_switch_names_plugin_and_salt() {
        let mut out = BytesMut::new();
        write_auth_switch(&mut out, NATIVE, &Salt(*b"abcdefghijklmnopqrst"));
        assert_eq!(&out[..], b"\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    }
}
