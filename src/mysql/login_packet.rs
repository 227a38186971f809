//! The client's answer to the greeting, and COM_CHANGE_USER: who it is, and its proof. Clients differ in what they
//! leave out.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use mysql_common::constants::CapabilityFlags;

use super::fields::{Fields, Malformed};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FirstPacket {
    /// The 32 bytes that come before the login when the client wants TLS.
    TlsRequest,
    Login(LoginPacket),
    /// A client from before MySQL 4.1, or a health check that plays one.
    Ancient {
        user: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LoginPacket {
    pub capabilities: CapabilityFlags,
    pub collation: u16,
    pub user: String,
    pub proof: Vec<u8>,
    pub database: Option<String>,
    /// The plugin the proof is made by, when the client says it.
    pub plugin: Option<String>,
}

const TLS_REQUEST_BYTES: usize = 32;
const FILLER_BYTES: usize = 23;

pub(super) fn parse(payload: &[u8]) -> Result<FirstPacket, Malformed> {
    let mut fields = Fields::new(payload);
    let low = u32::from(Fields::new(payload).u16()?);
    if !CapabilityFlags::from_bits_retain(low).contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        // Two bytes of capabilities, three of packet size.
        fields.bytes(5)?;
        return Ok(FirstPacket::Ancient { user: text(fields.until_nul()) });
    }
    let capabilities = CapabilityFlags::from_bits_retain(fields.u32()?);
    if capabilities.contains(CapabilityFlags::CLIENT_SSL) && payload.len() <= TLS_REQUEST_BYTES {
        return Ok(FirstPacket::TlsRequest);
    }
    // The client's packet limit says nothing: some send 0, some 1024, and mean neither.
    fields.u32()?;
    let collation = u16::from(fields.u8()?);
    fields.bytes(FILLER_BYTES)?;
    let user = text(fields.until_nul());
    let proof = proof(&mut fields, capabilities)?.to_vec();
    let database = capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB).then(|| fields.until_nul());
    let plugin = plugin(&mut fields, capabilities);
    let database = database.filter(|name| !name.is_empty()).map(text);
    Ok(FirstPacket::Login(LoginPacket { capabilities, collation, user, proof, database, plugin }))
}

/// COM_CHANGE_USER, behind its command byte; `capabilities` and `collation` are those of the login.
pub(super) fn parse_change_user(
    payload: &[u8],
    capabilities: CapabilityFlags,
    collation: u16,
) -> Result<LoginPacket, Malformed> {
    let mut fields = Fields::new(payload);
    let user = text(fields.until_nul());
    // Never length-encoded here, whatever the login was.
    let proof = proof(&mut fields, capabilities - CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)?.to_vec();
    let database = Some(fields.until_nul()).filter(|name| !name.is_empty()).map(text);
    let collation = if fields.is_empty() { collation } else { fields.u16()? };
    let plugin = plugin(&mut fields, capabilities);
    Ok(LoginPacket { capabilities, collation, user, proof, database, plugin })
}

fn proof<'p>(fields: &mut Fields<'p>, capabilities: CapabilityFlags) -> Result<&'p [u8], Malformed> {
    // HAProxy's check ends behind the user.
    if fields.is_empty() {
        Ok(&[])
    } else if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        fields.counted()
    } else if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let count = fields.u8()?;
        fields.bytes(usize::from(count))
    } else {
        Ok(fields.until_nul())
    }
}

fn plugin(fields: &mut Fields<'_>, capabilities: CapabilityFlags) -> Option<String> {
    let named = capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) && !fields.is_empty();
    named.then(|| text(fields.until_nul())).filter(|plugin| !plugin.is_empty())
}

/// Names that are not UTF-8 become names that nobody has.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: &[u8; 20] = b"01234567890123456789";

    fn packet(flags: u32, collation: u8, behind: &[&[u8]]) -> Vec<u8> {
        let mut packet = flags.to_le_bytes().to_vec();
        packet.extend_from_slice(&[0, 0, 0, 1, collation]);
        packet.extend_from_slice(&[0; FILLER_BYTES]);
        for part in behind {
            packet.extend_from_slice(part);
        }
        packet
    }

    fn login(bytes: &[u8]) -> LoginPacket {
        match parse(bytes) {
            Ok(FirstPacket::Login(login)) => login,
            other => panic!("{other:?}"),
        }
    }

    // Flags and shapes as captured from the clients named.
    #[test]
    fn logins_of_real_clients_are_understood() {
        let native = &b"mysql_native_password\0"[..];
        let attributes = &b"\x10\x04_pid\x012\x03_os\x05Linux"[..];
        type Case<'c> = (&'c str, u32, u8, Vec<&'c [u8]>, Option<&'c str>, Option<&'c str>);
        let cases: Vec<Case<'_>> = vec![
            (
                "mariadb CLI",
                0x00bf_a28d,
                33,
                vec![b"root\0\x14", PROOF, b"CometQL_v1\0", native, attributes],
                Some("CometQL_v1"),
                Some("mysql_native_password"),
            ),
            (
                "PHP mysqlnd: one byte of length",
                0x001a_a28d,
                45,
                vec![b"root\0\x14", PROOF, b"CometQL_v1\0", native],
                Some("CometQL_v1"),
                Some("mysql_native_password"),
            ),
            (
                "mysqljs: no plugin, db ends it",
                0x0006_f3cf,
                33,
                vec![b"root\0\x14", PROOF, b"db_2"],
                Some("db_2"),
                None,
            ),
            ("mysqljs without db", 0x0006_f3cf, 33, vec![b"root\0\x14", PROOF, b"\0"], None, None),
            (
                "SPIDER: no db in the login",
                0x003b_a205,
                33,
                vec![b"root\0\x14", PROOF, b"mysql_native_password"],
                None,
                Some("mysql_native_password"),
            ),
            ("no secure connection", 0x0000_0200, 8, vec![b"root\0", PROOF, b"\0"], None, None),
        ];
        for (name, flags, collation, parts, database, plugin) in cases {
            let login = login(&packet(flags, collation, &parts));
            assert_eq!(login.user, "root", "{name}");
            assert_eq!(login.proof, PROOF, "{name}");
            assert_eq!(login.database.as_deref(), database, "{name}");
            assert_eq!(login.plugin.as_deref(), plugin, "{name}");
            assert_eq!(login.collation, u16::from(collation), "{name}");
            assert_eq!(login.capabilities.bits(), flags, "{name}");
        }
    }

    #[test]
    fn health_checks_and_tls_requests_are_told_apart() {
        let after_41 = login(&packet(0x0000_8200, 33, &[b"haproxy_check\0"]));
        assert_eq!((after_41.user.as_str(), after_41.proof.len()), ("haproxy_check", 0));
        let before_41 = b"\x00\x80\x00\x00\x01haproxy_check\0\0";
        assert_eq!(parse(before_41), Ok(FirstPacket::Ancient { user: "haproxy_check".into() }));
        assert_eq!(parse(&packet(0x003a_aa0d, 45, &[])), Ok(FirstPacket::TlsRequest));
    }

    #[test]
    fn cut_packets_are_malformed_and_never_more() {
        let whole = packet(0x00bf_a28d, 33, &[b"root\0\x14", PROOF, b"CometQL_v1\0mysql_native_password\0"]);
        for cut in 0..whole.len() {
            let _ = parse(&whole[..cut]);
        }
        for cut in [0, 1, 4, 8, 20, 31, 40, 57] {
            assert_eq!(parse(&whole[..cut]), Err(Malformed), "cut at {cut}");
        }
        // A length-encoded length beyond everything.
        let beyond = packet(0x00bf_a28d, 33, &[b"root\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff"]);
        assert_eq!(parse(&beyond), Err(Malformed));
    }

    #[test]
    fn change_user_is_a_login_without_its_head() {
        let flags = CapabilityFlags::from_bits_retain(0x001a_a28d);
        let mut body = b"7\0\x14".to_vec();
        body.extend_from_slice(PROOF);
        body.extend_from_slice(b"CometQL_v1\0\x2d\0mysql_native_password\0");
        let login = parse_change_user(&body, flags, 8).expect("it is whole");
        assert_eq!((login.user.as_str(), login.proof.as_slice()), ("7", &PROOF[..]));
        assert_eq!(login.database.as_deref(), Some("CometQL_v1"));
        assert_eq!((login.collation, login.plugin.as_deref()), (45, Some("mysql_native_password")));
        let short = parse_change_user(b"7\0\0\0", flags, 8).expect("nothing else is needed");
        assert_eq!((short.collation, short.database, short.plugin), (8, None, None));
        assert_eq!(parse_change_user(b"7\0\x14abc", flags, 8), Err(Malformed));
    }
}
