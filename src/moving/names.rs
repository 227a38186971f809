//! How the report calls what it tells of, whether it was read already or stands in a row as somebody has written it.

use std::fmt::Display;

use crate::pipe::Pipe;
use crate::store::Record;
use crate::user::TenantId;

/// Of a token so many letters are told: it may still let somebody in.
const TOKEN_LETTERS: usize = 12;

pub fn pipe(tenant: impl Display, name: impl Display) -> String {
    format!("pipe {name} of tenant {tenant}")
}

pub fn user(tenant: impl Display, number: impl Display) -> String {
    format!("user {number} of tenant {tenant}")
}

pub fn token(tenant: impl Display, token: &str) -> String {
    let first: String = token.chars().take(TOKEN_LETTERS).collect();
    format!("token {first}… of tenant {tenant}")
}

pub fn of_pipe(of: &Pipe) -> String {
    match of {
        Pipe::Named(tenant, name) => pipe(tenant, name),
        Pipe::Log(tenant, number) => user(tenant, number.number()),
    }
}

pub fn of_record(tenant: TenantId, record: &Record) -> String {
    match record {
        Record::Key(number) | Record::Data(number) | Record::Seen(number) => user(tenant, number.number()),
        Record::Revoked(text) => token(tenant, text),
    }
}
