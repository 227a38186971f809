//! A payload becomes a command.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

use mysql_common::constants::Command as Code;

use super::fields::{Fields, Malformed};

/// What a client wants. Texts are bytes: whether they are UTF-8 is asked where they are read.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Command<'p> {
    Quit,
    InitDatabase(&'p [u8]),
    Query(&'p [u8]),
    /// The columns of a table.
    FieldList(&'p [u8]),
    Statistics,
    ProcessInfo,
    ProcessKill(u32),
    /// COM_REFRESH: nothing to do.
    Refresh,
    /// COM_DEBUG: nothing to do.
    Debug,
    Shutdown,
    Ping,
    ChangeUser(&'p [u8]),
    ResetConnection,
    /// Whether texts may hold several statements.
    MultiStatements(bool),
    Prepare(&'p [u8]),
    Execute(&'p [u8]),
    LongData {
        statement: u32,
        parameter: u16,
        bytes: &'p [u8],
    },
    Close(u32),
    Reset(u32),
    Fetch {
        statement: u32,
        rows: u32,
    },
    Unknown(u8),
}

pub(super) fn parse(payload: &[u8]) -> Result<Command<'_>, Malformed> {
    let mut fields = Fields::new(payload);
    let code = fields.u8()?;
    let is = |of: Code| code == of as u8;
    Ok(if is(Code::COM_QUERY) {
        Command::Query(fields.rest())
    } else if is(Code::COM_QUIT) {
        Command::Quit
    } else if is(Code::COM_INIT_DB) {
        Command::InitDatabase(fields.rest())
    } else if is(Code::COM_FIELD_LIST) {
        Command::FieldList(fields.until_nul())
    } else if is(Code::COM_REFRESH) {
        Command::Refresh
    } else if is(Code::COM_DEPRECATED_1) {
        Command::Shutdown
    } else if is(Code::COM_STATISTICS) {
        Command::Statistics
    } else if is(Code::COM_PROCESS_INFO) {
        Command::ProcessInfo
    } else if is(Code::COM_PROCESS_KILL) {
        Command::ProcessKill(fields.u32()?)
    } else if is(Code::COM_DEBUG) {
        Command::Debug
    } else if is(Code::COM_PING) {
        Command::Ping
    } else if is(Code::COM_CHANGE_USER) {
        Command::ChangeUser(fields.rest())
    } else if is(Code::COM_RESET_CONNECTION) {
        Command::ResetConnection
    } else if is(Code::COM_SET_OPTION) {
        match fields.u16()? {
            0 => Command::MultiStatements(true),
            1 => Command::MultiStatements(false),
            _ => return Err(Malformed),
        }
    } else {
        return statement_command(code, fields);
    })
}

fn statement_command(code: u8, mut fields: Fields<'_>) -> Result<Command<'_>, Malformed> {
    let is = |of: Code| code == of as u8;
    Ok(if is(Code::COM_STMT_EXECUTE) {
        Command::Execute(fields.rest())
    } else if is(Code::COM_STMT_PREPARE) {
        Command::Prepare(fields.rest())
    } else if is(Code::COM_STMT_SEND_LONG_DATA) {
        Command::LongData { statement: fields.u32()?, parameter: fields.u16()?, bytes: fields.rest() }
    } else if is(Code::COM_STMT_CLOSE) {
        Command::Close(fields.u32()?)
    } else if is(Code::COM_STMT_RESET) {
        Command::Reset(fields.u32()?)
    } else if is(Code::COM_STMT_FETCH) {
        Command::Fetch { statement: fields.u32()?, rows: fields.u32()? }
    } else {
        Command::Unknown(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let cases: [(&[u8], Result<Command<'_>, Malformed>); 22] = [
            (b"", Err(Malformed)),
            (b"\x01", Ok(Command::Quit)),
            (b"\x02db_2", Ok(Command::InitDatabase(b"db_2"))),
            (b"\x03SELECT 1", Ok(Command::Query(b"SELECT 1"))),
            (b"\x04pipes\0%", Ok(Command::FieldList(b"pipes"))),
            (b"\x07\x01", Ok(Command::Refresh)),
            (b"\x08", Ok(Command::Shutdown)),
            (b"\x09", Ok(Command::Statistics)),
            (b"\x0a", Ok(Command::ProcessInfo)),
            (b"\x0c\x07\0\0\0", Ok(Command::ProcessKill(7))),
            (b"\x0d", Ok(Command::Debug)),
            (b"\x0e", Ok(Command::Ping)),
            (b"\x11root\0", Ok(Command::ChangeUser(b"root\0"))),
            (b"\x16SELECT ?", Ok(Command::Prepare(b"SELECT ?"))),
            (b"\x17\x01\0\0\0", Ok(Command::Execute(b"\x01\0\0\0"))),
            (b"\x18\x01\0\0\0\x02\0ab", Ok(Command::LongData { statement: 1, parameter: 2, bytes: b"ab" })),
            (b"\x19\x01\0\0\0", Ok(Command::Close(1))),
            (b"\x1a\x01\0\0", Err(Malformed)),
            (b"\x1b\x01\0", Ok(Command::MultiStatements(false))),
            (b"\x1c\x01\0\0\0\x64\0\0\0", Ok(Command::Fetch { statement: 1, rows: 100 })),
            (b"\x1f", Ok(Command::ResetConnection)),
            (b"\x1d", Ok(Command::Unknown(0x1D))),
        ];
        for (payload, command) in cases {
            assert_eq!(parse(payload), command, "{payload:?}");
        }
    }
}
