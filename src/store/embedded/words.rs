//! What is damaged, in the words of who will read it in the log.

use super::record;
use crate::pipe::Pipe;
use crate::store::Record;

pub fn of_pipe(pipe: &Pipe) -> String {
    match pipe {
        Pipe::Named(tenant, name) => format!("the pipe {} (tenant {tenant})", name.as_str()),
        Pipe::Log(tenant, user) => format!("the messages to user {} (tenant {tenant})", user.number()),
    }
}

/// The pipe that has this key.
pub fn of_pipe_key(key: &[u8]) -> String {
    record::pipe_of(key).map_or_else(|_| of_bytes(key), |pipe| of_pipe(&pipe))
}

/// The record that has this key. Of a token only the beginning is told.
pub fn of_record_key(key: &[u8]) -> String {
    let Some((tenant, record)) = record::tenant_and_record(key) else { return of_bytes(key) };
    let what = match record {
        Record::Key(user) => format!("the hash of user {}", user.number()),
        Record::Data(user) => format!("the data of user {}", user.number()),
        Record::Seen(user) => format!("when user {} was seen", user.number()),
        Record::Revoked(token) => format!("the revoked token {}…", token.chars().take(12).collect::<String>()),
    };
    format!("{what} (tenant {tenant})")
}

/// A key that is none of ours any more.
fn of_bytes(key: &[u8]) -> String {
    format!("what stood under {key:02x?}")
}
