//! What a condition says about the key, so that not everything must be read.

use super::SqlError;
use super::errors::too_many_values;
use super::expression::Evaluator;
use super::value::{text_of, truth};
use super::walk::contains;
use crate::cometql::{Expression, Operator};

/// Most values of the key in one statement, as in the original.
pub(super) const KEYS_MAX: usize = 4_000;

/// The only values `key` can have in rows that `condition` wants, in the order they are written, each once;
/// `None` when it can be any. Rows of these keys must still be held against the condition.
pub(super) fn keys_of(
    condition: Option<&Expression>,
    key: &str,
    evaluator: &Evaluator<'_>,
) -> Result<Option<Vec<String>>, SqlError> {
    let Some(condition) = condition else { return Ok(None) };
    let Some(found) = (Search { key, evaluator }).keys(condition)? else { return Ok(None) };
    let mut keys: Vec<String> = Vec::with_capacity(found.len());
    let mut seen = std::collections::HashSet::new();
    for key in found {
        if seen.insert(key.clone()) {
            keys.push(key);
        }
    }
    if keys.len() > KEYS_MAX {
        let text = format!("One statement names at most {KEYS_MAX} values of `{key}`, this one {}", keys.len());
        return Err(too_many_values(text));
    }
    Ok(Some(keys))
}

/// Whether no row at all can be wanted: `WHERE 1=0`.
pub(super) fn is_never(condition: &Expression, evaluator: &Evaluator<'_>) -> Result<bool, SqlError> {
    match condition {
        Expression::And(left, right) => Ok(is_never(left, evaluator)? || is_never(right, evaluator)?),
        other if reads_columns(other) => Ok(false),
        other => Ok(truth(&evaluator.value(other)?) != Some(true)),
    }
}

fn reads_columns(expression: &Expression) -> bool {
    contains(expression, |part| matches!(part, Expression::Column(_)))
}

struct Search<'a> {
    key: &'a str,
    evaluator: &'a Evaluator<'a>,
}

impl Search<'_> {
    fn keys(&self, condition: &Expression) -> Result<Option<Vec<String>>, SqlError> {
        match condition {
            Expression::And(left, right) => match self.keys(left)? {
                Some(keys) => Ok(Some(keys)),
                None => self.keys(right),
            },
            Expression::Or(left, right) => match (self.keys(left)?, self.keys(right)?) {
                (Some(mut left), Some(right)) => {
                    left.extend(right);
                    Ok(Some(left))
                }
                _ => Ok(None),
            },
            Expression::Binary { operator: Operator::Equal | Operator::NullSafeEqual, left, right } => {
                if self.is_key(left) && self.is_fixed(right) {
                    self.values(std::slice::from_ref(right))
                } else if self.is_key(right) && self.is_fixed(left) {
                    self.values(std::slice::from_ref(left))
                } else {
                    Ok(None)
                }
            }
            Expression::In { value, list, negated: false }
                if self.is_key(value) && list.iter().all(|item| self.is_fixed(item)) =>
            {
                self.values(list)
            }
            _ => Ok(None),
        }
    }

    fn is_key(&self, expression: &Expression) -> bool {
        let name = match expression {
            Expression::Column(name) => name,
            // Keys are compared letter by letter anyway.
            Expression::Exact(value) => return self.is_key(value),
            _ => return false,
        };
        name.column.text.eq_ignore_ascii_case(self.key) && self.evaluator.scope.index(name).is_some()
    }

    /// Whether the value is the same for every row; a bare word is.
    fn is_fixed(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Column(name) => self.evaluator.scope.index(name).is_none(),
            other => !reads_columns(other),
        }
    }

    fn values<E: std::borrow::Borrow<Expression>>(&self, list: &[E]) -> Result<Option<Vec<String>>, SqlError> {
        let mut keys = Vec::with_capacity(list.len());
        for item in list {
            keys.extend(text_of(&self.evaluator.value(item.borrow())?));
        }
        Ok(Some(keys))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::expression::Context;
    use super::super::scope::Scope;
    use super::super::session::Session;
    use super::super::table::Heading;
    use super::super::{ColumnKind, Login, Value};
    use super::*;
    use crate::clock::UnixMillis;
    use crate::cometql::{Dialect, Statement, prepare};
    use crate::node;
    use crate::user::TenantId;

    fn in_condition<T>(text: &str, see: impl Fn(&Expression, &Evaluator<'_>) -> T) -> T {
        let login = Login {
            connection_id: 1,
            user: "1".to_owned(),
            host: "localhost".to_owned(),
            tenant: TenantId(1),
            database: None,
        };
        let context = Context {
            session: Arc::new(Session::new(&login, &node::Config::with_password("x"))),
            parameters: [Value::Text("p".to_owned())].into(),
            now: UnixMillis(0),
            message_bytes_max: 0,
            packet_bytes_max: 0,
            idle_seconds_max: 0,
            warning_count: 0,
            known: Vec::new(),
        };
        let headings = ["name", "event"].map(|name| Heading::listed(name, ColumnKind::ShortText)).into();
        let scope = Scope { table: "t".to_owned(), alias: None, headings, any_column: false };
        let statement = prepare(&format!("SELECT 1 FROM t WHERE {text}"), Dialect::default());
        match statement.map(|(statement, _)| statement) {
            Ok(Statement::Select(select)) => {
                let condition = select.condition.expect("a condition");
                see(&condition, &Evaluator { context: &context, scope: &scope, row: &[] })
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_condition_names_the_keys_it_can_be_true_of() {
        let cases: [(&str, Option<&[&str]>); 15] = [
            ("name = 'a'", Some(&["a"])),
            ("'a' = t.NAME", Some(&["a"])),
            ("BINARY name = BINARY 'a'", Some(&["a"])),
            ("name = a", Some(&["a"])),
            ("name = 101", Some(&["101"])),
            ("name = ?", Some(&["p"])),
            ("name IN ('b', 'a', 'b', NULL)", Some(&["b", "a"])),
            ("name = 'a' OR name IN ('b')", Some(&["a", "b"])),
            ("event = 'e' AND (name = 'a' AND 1 = 1)", Some(&["a"])),
            ("name = 'a' OR event = 'e'", None),
            ("name <> 'a'", None),
            ("NOT name = 'a'", None),
            ("name NOT IN ('a')", None),
            ("name LIKE 'a'", None),
            ("name = event", None),
        ];
        for (text, wanted) in cases {
            let keys = in_condition(text, |condition, evaluator| keys_of(Some(condition), "name", evaluator));
            let wanted = wanted.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
            assert_eq!(keys, Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_condition_that_no_row_can_meet_is_seen_before_reading() {
        let cases = [
            ("1 = 0", true),
            ("NULL", true),
            ("name = 'a' AND 1 = 0", true),
            ("1 = 1", false),
            ("name = 'a' OR 1 = 0", false),
            ("name <> name", false),
        ];
        for (text, never) in cases {
            assert_eq!(in_condition(text, is_never), Ok(never), "{text}");
        }
    }
}
