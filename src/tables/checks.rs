//! The texts of a statement as names, events and messages; the order of checks and their texts are the original's.

use super::errors::{invalid, required, too_long, too_short};
use super::value::text_of;
use super::{SqlError, Value};
use crate::pipe::{Event, Message, MessageId, NAME_BYTES_MAX, NameError, PipeName};
use uuid::Uuid;

const EXAMPLE_UUID: &str = "018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90";
const NAME_CHARACTERS: &str = "The channel name can contain only the characters A-Za-z0-9_-";

/// A value that must be there; `row` says which row it is missing in.
pub(super) fn present(value: Option<Value>, column: &str, row: &str) -> Result<String, SqlError> {
    let text = value.and_then(|value| match value {
        Value::Text(text) => Some(text),
        other => text_of(&other),
    });
    text.ok_or_else(|| required(column, row))
}

pub(super) fn pipe_name(text: &str, row: &str) -> Result<PipeName, SqlError> {
    PipeName::for_publish(text).map_err(|error| match error {
        NameError::TooLong => too_long(format!(
            "Channel name is too long: it has {} bytes{row}, {NAME_BYTES_MAX} are allowed",
            text.len()
        )),
        NameError::TooShort => {
            too_short(format!("Channel name is too short: '{text}' has {} bytes{row}, 3 are needed", text.len()))
        }
        NameError::BadByte => invalid(format!("{NAME_CHARACTERS}: '{text}' has others{row}")),
    })
}

pub(super) fn event(text: &str, row: &str) -> Result<Event, SqlError> {
    text.parse().map_err(|error| match error {
        NameError::TooLong | NameError::TooShort => too_long(format!(
            "Channel event_name is too long: it has {} bytes{row}, {NAME_BYTES_MAX} are allowed",
            text.len()
        )),
        NameError::BadByte => invalid(format!("{NAME_CHARACTERS}, and so can the event: '{text}' has others{row}")),
    })
}

pub(super) fn message(text: String, bytes_max: usize, row: &str) -> Result<Message, SqlError> {
    Message::new(text, bytes_max).map_err(|error| too_long_data("message", error.bytes, error.bytes_max, row))
}

/// The id a backend has chosen for a message, so that it may publish it once more when it has heard no answer.
pub(super) fn message_id(value: Option<&Value>, row: &str) -> Result<Option<MessageId>, SqlError> {
    let Some(text) = value.and_then(text_of) else { return Ok(None) };
    let id = Uuid::parse_str(&text).map_err(|_| {
        let shown = &text[..text.floor_char_boundary(NAME_BYTES_MAX)];
        invalid(format!(
            "The uuid field is a UUID such as {EXAMPLE_UUID}, or NULL for a new one: '{shown}' is not{row}"
        ))
    })?;
    Ok(Some(MessageId(id)))
}

/// A text for browsers that is longer than a message may be; `what` it is.
pub(super) fn too_long_data(what: &str, bytes: usize, bytes_max: usize, row: &str) -> SqlError {
    too_long(format!(
        "Data is too long: the {what} has {bytes} bytes{row}, {bytes_max} are allowed (message_bytes_max)"
    ))
}
