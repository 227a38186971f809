//! What MySQL means by comparing, adding and matching values.

use std::cmp::Ordering;

use super::{ColumnKind, Value};

/// The value as text; NULL has none.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Unsigned(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
    }
}

/// A whole number as the smallest type that holds it.
pub(super) fn whole(number: i128) -> Value {
    if let Ok(number) = i64::try_from(number) {
        Value::Integer(number)
    } else if let Ok(number) = u64::try_from(number) {
        Value::Unsigned(number)
    } else {
        Value::Real(number as f64)
    }
}

/// A whole number as MySQL stores it in an integer column: a text counts as far as it is a number, a
/// fraction is rounded.
pub(super) fn whole_of(value: &Value) -> Option<i128> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(i128::from(*number)),
        Value::Unsigned(number) => Some(i128::from(*number)),
        // A cast from float saturates.
        Value::Real(number) => Some(number.round() as i128),
        Value::Text(text) => Some(leading_integer(text)),
    }
}

/// Sign and digits up to the first other character; 0 when there are none.
fn leading_integer(text: &str) -> i128 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    // More digits than fit are more than any limit.
    let number = if end == 0 { 0 } else { digits[..end].parse::<i128>().unwrap_or(i128::from(i64::MAX)) };
    if negative { -number } else { number }
}

/// The number a value is in arithmetic and in comparisons with numbers; NULL has none.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(*number as f64),
        Value::Unsigned(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        Value::Text(text) => Some(leading_number(text)),
    }
}

fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digits_from = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let start = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut end = digits_from(start);
    if bytes.get(end) == Some(&b'.') {
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent_end = digits_from(end + 1 + sign);
        if exponent_end > end + 1 + sign {
            end = exponent_end;
        }
    }
    text[..end].parse().unwrap_or(0.0)
}

/// What a condition makes of a value: NULL is neither true nor false.
pub(super) fn truth(value: &Value) -> Option<bool> {
    number_of(value).map(|number| number != 0.0)
}

pub(super) fn truth_value(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, |truth| Value::Integer(i64::from(truth)))
}

/// Two texts compare as texts, anything else as numbers, and nothing with NULL. `any_case` is the collation
/// of information_schema and of literals; our tables compare exactly.
pub(super) fn compare(left: &Value, right: &Value, any_case: bool) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(left), Value::Text(right)) if any_case => Some(fold(left).cmp(fold(right))),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Integer(_) | Value::Unsigned(_), Value::Integer(_) | Value::Unsigned(_)) => {
            Some(whole_of(left).cmp(&whole_of(right)))
        }
        _ => number_of(left)?.partial_cmp(&number_of(right)?),
    }
}

/// The order of ORDER BY, in which NULL comes first.
pub(super) fn sort_order(left: &Value, right: &Value, any_case: bool) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => compare(left, right, any_case).unwrap_or(Ordering::Equal),
    }
}

fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// LIKE: `%` is any text, `_` any character, and a backslash takes the next character as it is.
pub(super) fn like(text: &str, pattern: &str, any_case: bool) -> bool {
    let letters: Vec<char> = if any_case { fold(text).collect() } else { text.chars().collect() };
    let wanted = pattern_of(pattern, any_case);
    let (mut at, mut want) = (0, 0);
    // Where to go on when the text behind the last `%` does not fit: one character later.
    let mut retry: Option<(usize, usize)> = None;
    while at < letters.len() {
        match wanted.get(want) {
            Some(Wanted::Any) => {
                retry = Some((at, want));
                want += 1;
                continue;
            }
            Some(Wanted::One) => (at, want) = (at + 1, want + 1),
            Some(Wanted::This(letter)) if *letter == letters[at] => (at, want) = (at + 1, want + 1),
            _ => match retry {
                Some((from, any)) => {
                    retry = Some((from + 1, any));
                    (at, want) = (from + 1, any + 1);
                }
                None => return false,
            },
        }
    }
    wanted[want..].iter().all(|rest| *rest == Wanted::Any)
}

#[derive(PartialEq)]
enum Wanted {
    Any,
    One,
    This(char),
}

fn pattern_of(pattern: &str, any_case: bool) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        let literal = match letter {
            '%' => {
                wanted.push(Wanted::Any);
                continue;
            }
            '_' => {
                wanted.push(Wanted::One);
                continue;
            }
            '\\' => letters.next().unwrap_or('\\'),
            other => other,
        };
        if any_case {
            wanted.extend(literal.to_lowercase().map(Wanted::This));
        } else {
            wanted.push(Wanted::This(literal));
        }
    }
    wanted
}

/// The value as its column announces it, so that a wire can write it by the column's kind.
pub(super) fn fitted(value: Value, kind: ColumnKind) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (ColumnKind::Integer, value @ Value::Integer(_)) => value,
        (ColumnKind::Integer, value) => {
            Value::Integer(whole_of(&value).and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX))
        }
        (ColumnKind::Unsigned, value) => {
            Value::Unsigned(whole_of(&value).and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
        }
        (ColumnKind::Real, value) => Value::Real(number_of(&value).unwrap_or(0.0)),
        (ColumnKind::ShortText | ColumnKind::LongText | ColumnKind::DateTime, value @ Value::Text(_)) => value,
        (ColumnKind::ShortText | ColumnKind::LongText | ColumnKind::DateTime, value) => {
            Value::Text(text_of(&value).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_compare_as_in_mysql() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            (Value::Integer(1), Value::Integer(1), Some(Equal)),
            (Value::Integer(-1), Value::Unsigned(u64::MAX), Some(Less)),
            (text("5"), Value::Integer(5), Some(Equal)),
            (text("5abc"), Value::Integer(5), Some(Equal)),
            (text("abc"), Value::Integer(0), Some(Equal)),
            (text("10"), text("9"), Some(Less)),
            (text("1e2x"), Value::Integer(100), Some(Equal)),
            (text(" -1.5"), Value::Real(-1.5), Some(Equal)),
            (text("é"), Value::Integer(0), Some(Equal)),
            (text("b"), text("a"), Some(Greater)),
            (Value::Null, Value::Null, None),
            (Value::Null, Value::Integer(0), None),
        ];
        for (left, right, order) in cases {
            assert_eq!(compare(&left, &right, false), order, "{left:?} {right:?}");
        }
        assert_eq!(compare(&text("ABC"), &text("abc"), true), Some(Equal));
        assert_eq!(compare(&text("ABC"), &text("abc"), false), Some(Less));
    }

    #[test]
    fn like_matches_as_in_mysql() {
        let cases = [
            ("chat", "chat", true),
            ("chat", "c%", true),
            ("chat", "%t", true),
            ("chat", "c_at", true),
            ("chat", "c_t", false),
            ("chat", "%", true),
            ("", "%", true),
            ("", "", true),
            ("", "_", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            ("a%b", r"a\%b", true),
            ("mississippi", "m%iss%pi", true),
            ("mississippi", "m%iss%x", false),
            ("день", "д_нь", true),
            ("Chat", "chat", false),
        ];
        for (value, pattern, matches) in cases {
            assert_eq!(like(value, pattern, false), matches, "{value} LIKE {pattern}");
        }
        assert!(like("SQL_mode", "sql\\_MODE", true));
    }

    #[test]
    fn texts_become_whole_numbers_up_to_the_first_other_character() {
        for (given, number) in [("10", 10), ("-3", -3), ("12abc", 12), ("abc", 0), ("", 0), ("4.9", 4), ("+7", 7)] {
            assert_eq!(whole_of(&text(given)), Some(number), "{given}");
        }
        assert_eq!(whole_of(&Value::Real(1.5)), Some(2));
    }
}
