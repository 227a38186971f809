//! The column `id` of the tables about users.

use super::errors::invalid;
use super::table::TableColumn;
use super::value::{number_of, whole_of};
use super::{ColumnKind, SqlError, Value};
use crate::node::Record;
use crate::user::UserId;

/// The largest number a user can have.
const USER_NUMBER_MAX: i32 = i32::MAX;

pub(super) const fn column() -> TableColumn {
    TableColumn::new("id", ColumnKind::Integer, "int(11)", "Number of the user")
}

/// The user whom a text in WHERE names: the number MySQL makes of it, if that is a user's.
pub(super) fn named(text: &str) -> Option<UserId> {
    number(text).and_then(UserId::new)
}

/// The whole number, not negative, that a text in WHERE is; a text that is no number is 0.
pub(super) fn number(text: &str) -> Option<u64> {
    let number = number_of(&Value::Text(text.to_owned()))?;
    // Beyond 2^53 there is no user, and not every whole number.
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}

/// The user whom an INSERT names.
pub(super) fn given(text: &str, place: &str) -> Result<UserId, SqlError> {
    let number = whole_of(&Value::Text(text.to_owned())).unwrap_or(0);
    u64::try_from(number).ok().and_then(UserId::new).ok_or_else(|| {
        invalid(format!(
            "The id field must be non-negative: the number of a user is 1 to {USER_NUMBER_MAX}, '{}' is not{place}",
            shortened(text)
        ))
    })
}

/// So much of a text as an error repeats.
fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}

pub(super) fn value(user: UserId) -> Value {
    Value::Integer(i64::from(user.number()))
}

/// Records of a shelf whose keys are users.
pub(super) fn of_records(records: Vec<(Record, String)>) -> Vec<(UserId, String)> {
    let user = |(record, value)| match record {
        Record::Key(user) | Record::Data(user) | Record::Seen(user) => Some((user, value)),
        Record::Revoked(_) => None,
    };
    records.into_iter().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_the_user_that_mysql_would_compare_it_with() {
        let cases = [
            ("5", Some(5)),
            ("05", Some(5)),
            ("5abc", Some(5)),
            ("1e3", Some(1_000)),
            ("abc", Some(0)),
            ("-5", None),
            ("5.5", None),
            ("1e300", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(number(text), wanted, "{text}");
        }
        assert_eq!(named("2147483648"), None);
        assert_eq!(named("0"), None);
    }

    #[test]
    fn an_insert_names_a_user_from_1_on() {
        assert_eq!(given("12abc", "").map(UserId::number), Ok(12));
        for text in ["0", "-1", "abc", "", "2147483648", "99999999999999999999"] {
            let error = given(text, " in row 2").expect_err(text);
            assert_eq!(error.code, 12, "{text}");
            assert!(error.message.ends_with("in row 2"), "{}", error.message);
        }
    }
}
