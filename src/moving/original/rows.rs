//! A row as the wire brings it, read as what it comes from: a database in which anything may stand.

use mysql_async::{Row, Value};

use crate::pipe::{NameError, PipeName};
use crate::user::{TenantId, UserId};

pub const NO_TENANT: &str = "the dev_id is no tenant: tenants are numbers from 0 to 99999";
pub const NO_USER: &str = "the number is no user: users are numbers from 1 to 2147483647";

/// The values of a row, taken one after the other.
pub struct Cells(std::vec::IntoIter<Value>);

impl Cells {
    pub fn new(row: Row) -> Cells {
        Cells(row.unwrap().into_iter())
    }

    /// NULL is nothing, as it was to the original.
    pub fn bytes(&mut self) -> Vec<u8> {
        match self.0.next() {
            Some(Value::Bytes(bytes)) => bytes,
            Some(Value::NULL) | None => Vec::new(),
            Some(other) => other.as_sql(true).into_bytes(),
        }
    }

    /// For what is a name or a number; other bytes become signs of replacement, which neither has.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

pub fn tenant_of(text: &str) -> Result<TenantId, &'static str> {
    TenantId::parse(text).ok_or(NO_TENANT)
}

pub fn user_of(text: &str) -> Result<UserId, &'static str> {
    text.parse().ok().and_then(UserId::new).ok_or(NO_USER)
}

pub fn name_of(text: &str) -> Result<PipeName, &'static str> {
    PipeName::for_publish(text).map_err(|error| match error {
        NameError::TooLong => "the name is longer than 64 bytes",
        NameError::TooShort => "the name is shorter than 3 bytes",
        NameError::BadByte => "the name has other bytes than A-Za-z0-9_-",
    })
}
