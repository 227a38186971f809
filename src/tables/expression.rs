//! What an expression is worth, with MySQL's meaning.

use std::sync::Arc;

use super::catalog::variables;
use super::errors::invalid;
use super::functions;
use super::scope::Scope;
use super::session::Session;
use super::value::{compare, like, number_of, text_of, truth, truth_value, whole, whole_of};
use super::{SqlError, Value};
use crate::clock::UnixMillis;
use crate::cometql::{Branch, ColumnName, Expression, Operator, Place};

/// What an expression may read beside a row: fixed for the time of one statement.
#[derive(Clone)]
pub(super) struct Context {
    pub session: Arc<Session>,
    pub parameters: Arc<[Value]>,
    pub now: UnixMillis,
    pub message_bytes_max: usize,
    pub packet_bytes_max: usize,
    pub idle_seconds_max: u64,
    /// Warnings that the last statement has left.
    pub warning_count: u16,
    /// What is worked out before the rows are read, by the place where it stands: subqueries, aggregates,
    /// and VALUES(column) of ON DUPLICATE KEY UPDATE.
    pub known: Vec<(Place, Value)>,
}

impl Context {
    pub fn known(&self, place: Place) -> Option<&Value> {
        self.known.iter().find(|(at, _)| *at == place).map(|(_, value)| value)
    }
}

/// One row and all that is around it.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub context: &'a Context,
    pub scope: &'a Scope,
    pub row: &'a [Value],
}

impl Evaluator<'_> {
    /// Whether the row is one that `condition` wants.
    pub fn wants(&self, condition: Option<&Expression>) -> Result<bool, SqlError> {
        match condition {
            None => Ok(true),
            Some(condition) => Ok(truth(&self.value(condition)?) == Some(true)),
        }
    }

    pub fn value(&self, expression: &Expression) -> Result<Value, SqlError> {
        Ok(match expression {
            Expression::Null(_) | Expression::Default(_) | Expression::UserVariable { .. } => Value::Null,
            Expression::Integer(number, _) => whole(*number),
            Expression::Decimal(digits, _) => Value::Real(digits.parse().unwrap_or(0.0)),
            Expression::Text(text) => Value::Text(text.mysql()),
            Expression::Bytes(bytes, _) => Value::Text(utf8(bytes)?),
            Expression::Parameter(number, _) => self.parameter(*number)?,
            Expression::Column(name) => self.column(name),
            Expression::SystemVariable { name, .. } => variables::value(name, self.context),
            Expression::Call { function, arguments, place } => self.call(function, arguments, *place)?,
            Expression::Negative(value) => negative(&self.value(value)?),
            Expression::Not(value) => truth_value(truth(&self.value(value)?).map(|truth| !truth)),
            Expression::And(left, right) => self.and(left, right)?,
            Expression::Or(left, right) => self.or(left, right)?,
            Expression::Binary { operator, left, right } => self.binary(*operator, left, right)?,
            Expression::In { value, list, negated } => negated_if(*negated, self.is_in(value, list)?),
            Expression::Between { value, low, high, negated } => negated_if(*negated, self.between(value, low, high)?),
            Expression::Like { value, pattern, negated } => negated_if(*negated, self.is_like(value, pattern)?),
            Expression::IsNull { value, negated } => {
                Value::Integer(i64::from((self.value(value)? == Value::Null) != *negated))
            }
            Expression::IsTruth { value, truth: wanted, negated } => {
                Value::Integer(i64::from((truth(&self.value(value)?) == Some(*wanted)) != *negated))
            }
            Expression::Exact(value) => text_of(&self.value(value)?).map_or(Value::Null, Value::Text),
            Expression::Case { value, branches, otherwise } => {
                self.case(value.as_deref(), branches, otherwise.as_deref())?
            }
            Expression::Exists(select) | Expression::Subquery(select) => {
                self.context.known(select.place).cloned().unwrap_or(Value::Null)
            }
        })
    }

    fn parameter(&self, number: usize) -> Result<Value, SqlError> {
        self.context.parameters.get(number).cloned().ok_or_else(|| {
            SqlError::new(
                1210,
                "HY000",
                format!("Incorrect arguments to EXECUTE: parameter {} has no value", number + 1),
            )
        })
    }

    fn column(&self, name: &ColumnName) -> Value {
        match self.scope.index(name) {
            Some(index) => self.row.get(index).cloned().unwrap_or(Value::Null),
            // A bare word, see Scope::is_bare_word.
            None => Value::Text(name.column.text.clone()),
        }
    }

    fn call(&self, function: &str, arguments: &[Expression], place: Place) -> Result<Value, SqlError> {
        if let Some(value) = self.context.known(place) {
            return Ok(value.clone());
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument)?);
        }
        functions::call(function, &values, self.context)
    }

    fn and(&self, left: &Expression, right: &Expression) -> Result<Value, SqlError> {
        let left = truth(&self.value(left)?);
        if left == Some(false) {
            return Ok(Value::Integer(0));
        }
        let right = truth(&self.value(right)?);
        Ok(truth_value(match (left, right) {
            (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }))
    }

    fn or(&self, left: &Expression, right: &Expression) -> Result<Value, SqlError> {
        let left = truth(&self.value(left)?);
        if left == Some(true) {
            return Ok(Value::Integer(1));
        }
        let right = truth(&self.value(right)?);
        Ok(truth_value(match (left, right) {
            (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }))
    }

    fn binary(&self, operator: Operator, left: &Expression, right: &Expression) -> Result<Value, SqlError> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let any_case = self.any_case(left, right);
        let (left, right) = (self.value(left)?, self.value(right)?);
        let order = || compare(&left, &right, any_case);
        Ok(match operator {
            Operator::Equal => truth_value(order().map(|order| order == Equal)),
            Operator::NotEqual => truth_value(order().map(|order| order != Equal)),
            Operator::Less => truth_value(order().map(|order| order == Less)),
            Operator::LessOrEqual => truth_value(order().map(|order| order != Greater)),
            Operator::Greater => truth_value(order().map(|order| order == Greater)),
            Operator::GreaterOrEqual => truth_value(order().map(|order| order != Less)),
            Operator::NullSafeEqual => {
                let same = (left == Value::Null && right == Value::Null) || order() == Some(Equal);
                Value::Integer(i64::from(same))
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                arithmetic(operator, &left, &right)
            }
        })
    }

    fn is_in(&self, value: &Expression, list: &[Expression]) -> Result<Option<bool>, SqlError> {
        let wanted = self.value(value)?;
        if wanted == Value::Null {
            return Ok(None);
        }
        let mut answer = Some(false);
        for item in list {
            let any_case = self.any_case(value, item);
            match compare(&wanted, &self.value(item)?, any_case) {
                Some(std::cmp::Ordering::Equal) => return Ok(Some(true)),
                Some(_) => {}
                None => answer = None,
            }
        }
        Ok(answer)
    }

    fn between(&self, value: &Expression, low: &Expression, high: &Expression) -> Result<Option<bool>, SqlError> {
        let any_case = self.any_case(value, low);
        let value = self.value(value)?;
        let above = compare(&value, &self.value(low)?, any_case).map(std::cmp::Ordering::is_ge);
        let below = compare(&value, &self.value(high)?, any_case).map(std::cmp::Ordering::is_le);
        Ok(match (above, below) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })
    }

    fn is_like(&self, value: &Expression, pattern: &Expression) -> Result<Option<bool>, SqlError> {
        let any_case = self.any_case(value, pattern);
        let (value, pattern) = (self.value(value)?, self.value(pattern)?);
        Ok(match (text_of(&value), text_of(&pattern)) {
            (Some(text), Some(pattern)) => Some(like(&text, &pattern, any_case)),
            _ => None,
        })
    }

    /// The branch that comes first among those that apply; without one, and without ELSE, NULL.
    fn case(
        &self,
        value: Option<&Expression>,
        branches: &[Branch],
        otherwise: Option<&Expression>,
    ) -> Result<Value, SqlError> {
        let wanted = value.map(|value| self.value(value)).transpose()?;
        for branch in branches {
            let when = self.value(&branch.when)?;
            let applies = match (value, &wanted) {
                (Some(value), Some(wanted)) => {
                    compare(wanted, &when, self.any_case(value, &branch.when)) == Some(std::cmp::Ordering::Equal)
                }
                _ => truth(&when) == Some(true),
            };
            if applies {
                return self.value(&branch.then);
            }
        }
        otherwise.map_or(Ok(Value::Null), |otherwise| self.value(otherwise))
    }

    /// BINARY, or a column of ours, on either side makes a comparison exact.
    fn any_case(&self, left: &Expression, right: &Expression) -> bool {
        ![left, right].into_iter().any(|side| match side {
            Expression::Exact(_) => true,
            Expression::Column(name) => {
                self.scope.index(name).is_some_and(|index| !self.scope.headings[index].any_case)
            }
            _ => false,
        })
    }
}

fn utf8(bytes: &[u8]) -> Result<String, SqlError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        invalid(format!("A value in hexadecimal is not UTF-8 from its byte {} on", error.valid_up_to()))
    })?;
    Ok(text.to_owned())
}

fn negated_if(negated: bool, truth: Option<bool>) -> Value {
    truth_value(truth.map(|truth| truth != negated))
}

fn negative(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Integer(_) | Value::Unsigned(_) => whole_of(value).map_or(Value::Null, |number| whole(-number)),
        Value::Real(_) | Value::Text(_) => number_of(value).map_or(Value::Null, |number| Value::Real(-number)),
    }
}

/// Whole numbers stay whole but for division; a text is the number it begins with; division by 0 is NULL.
fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    let is_whole = |value: &Value| matches!(value, Value::Integer(_) | Value::Unsigned(_));
    if is_whole(left)
        && is_whole(right)
        && operator != Operator::Divide
        && let (Some(left), Some(right)) = (whole_of(left), whole_of(right))
    {
        let number = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            _ => left.checked_rem(right),
        };
        return number.map_or(Value::Null, whole);
    }
    let (Some(left), Some(right)) = (number_of(left), number_of(right)) else { return Value::Null };
    match operator {
        Operator::Add => Value::Real(left + right),
        Operator::Subtract => Value::Real(left - right),
        Operator::Multiply => Value::Real(left * right),
        _ if right == 0.0 => Value::Null,
        Operator::Divide => Value::Real(left / right),
        _ => Value::Real(left % right),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Heading;
    use super::*;
    use crate::cometql::{Dialect, Item, Statement, prepare};
    use crate::node;
    use crate::tables::{ColumnKind, Login};
    use crate::user::TenantId;

    fn context(parameters: &[Value]) -> Context {
        let login = Login {
            connection_id: 7,
            user: "1".to_owned(),
            host: "localhost".to_owned(),
            tenant: TenantId(1),
            database: None,
        };
        Context {
            session: Arc::new(Session::new(&login, &node::Config::with_password("x"))),
            parameters: parameters.into(),
            now: UnixMillis(0),
            message_bytes_max: 1_024,
            packet_bytes_max: 4_096,
            idle_seconds_max: 60,
            warning_count: 0,
            known: Vec::new(),
        }
    }

    fn expression(text: &str) -> Expression {
        let statement = prepare(&format!("SELECT {text}"), Dialect::default()).map(|(statement, _)| statement);
        match statement {
            Ok(Statement::Select(mut select)) => match select.items.pop() {
                Some(Item::One { expression, .. }) => expression,
                other => panic!("{text}: {other:?}"),
            },
            other => panic!("{text}: {other:?}"),
        }
    }

    /// A row of `name` 'Chat', `index` 5, `note` NULL, and `kind` 'Table' that compares in any case.
    fn scope() -> Scope {
        let heading = |name, kind, any_case| Heading { any_case, ..Heading::listed(name, kind) };
        let headings = vec![
            heading("name", ColumnKind::ShortText, false),
            heading("index", ColumnKind::Integer, false),
            heading("note", ColumnKind::ShortText, false),
            heading("kind", ColumnKind::ShortText, true),
        ];
        Scope { table: "things".to_owned(), alias: Some("t".to_owned()), headings, any_column: false }
    }

    fn value(text: &str) -> Result<Value, SqlError> {
        let row = [Value::Text("Chat".into()), Value::Integer(5), Value::Null, Value::Text("Table".into())];
        let (scope, expression) = (scope(), expression(text));
        scope.check(&expression)?;
        let context = context(&[Value::Integer(5), Value::Text("Chat".into())]);
        Evaluator { context: &context, scope: &scope, row: &row }.value(&expression)
    }

    #[test]
    fn conditions_are_true_false_or_unknown_as_in_mysql() {
        let cases = [
            ("name = 'Chat'", Some(true)),
            ("name = 'chat'", Some(false)),
            ("kind = 'TABLE'", Some(true)),
            ("'chat' = 'CHAT'", Some(true)),
            ("name = Chat", Some(true)),
            ("name IN (nothing, Chat)", Some(true)),
            ("t.name = ?  ", Some(false)),
            ("things.`index` = '5'", Some(true)),
            ("`index` = '5x'", Some(true)),
            ("`index` <> 5.5", Some(true)),
            ("name = 0", Some(true)),
            ("note = NULL", None),
            ("note <=> NULL", Some(true)),
            ("note IS NULL", Some(true)),
            ("name IS NOT NULL", Some(true)),
            ("note <> 'x'", None),
            ("note = 'x' OR name = 'Chat'", Some(true)),
            ("note = 'x' AND name = 'x'", Some(false)),
            ("note = 'x' AND name = 'Chat'", None),
            ("NOT note = 'x'", None),
            ("NOT name = 'x'", Some(true)),
            ("`index` IN (1, 5)", Some(true)),
            ("`index` IN (1, NULL)", None),
            ("`index` IN (5, NULL)", Some(true)),
            ("`index` NOT IN (1, NULL)", None),
            ("`index` NOT IN (1, 2)", Some(true)),
            ("note IN (1)", None),
            ("`index` BETWEEN 5 AND 6", Some(true)),
            ("`index` BETWEEN NULL AND 4", Some(false)),
            ("`index` BETWEEN NULL AND 6", None),
            ("`index` NOT BETWEEN 6 AND 7", Some(true)),
            ("name LIKE 'C%'", Some(true)),
            ("name LIKE 'c%'", Some(false)),
            ("kind LIKE 't_ble'", Some(true)),
            ("name NOT LIKE '%x%'", Some(true)),
            ("note LIKE '%'", None),
            ("kind LIKE BINARY 't%'", Some(false)),
            ("kind LIKE BINARY 'T%'", Some(true)),
            ("BINARY kind = 'table'", Some(false)),
            ("BINARY `index` = '5x'", Some(false)),
            ("note IS TRUE", Some(false)),
            ("note IS NOT TRUE", Some(true)),
            ("note IS UNKNOWN", Some(true)),
            ("`index` IS TRUE", Some(true)),
            ("`index` = 6 IS FALSE", Some(true)),
            ("note IS NOT FALSE", Some(true)),
            ("CASE WHEN note THEN 1 WHEN name = 'Chat' THEN 2 END = 2", Some(true)),
            ("CASE kind WHEN 'TABLE' THEN name END", Some(false)),
            ("CASE note WHEN NULL THEN 1 ELSE 0 END", Some(false)),
            ("CASE name WHEN 'chat' THEN 1 END", None),
            ("'abc'", Some(false)),
            ("'1abc'", Some(true)),
            ("18446744073709551615 > -1", Some(true)),
        ];
        for (text, wanted) in cases {
            assert_eq!(value(text).map(|value| truth(&value)), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_whole_where_its_numbers_are() {
        let cases = [
            ("`index` + 1", Value::Integer(6)),
            ("`index` * -2", Value::Integer(-10)),
            ("`index` % 3", Value::Integer(2)),
            ("`index` % 0", Value::Null),
            ("`index` / 2", Value::Real(2.5)),
            ("`index` / 0", Value::Null),
            ("'5' + 1", Value::Real(6.0)),
            ("note + 1", Value::Null),
            ("9223372036854775807 + 1", Value::Unsigned(9_223_372_036_854_775_808)),
            ("-`index`", Value::Integer(-5)),
        ];
        for (text, wanted) in cases {
            assert_eq!(value(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_it() {
        let cases = [("size", 14), ("x.name", 14), ("size = 1", 14), ("name <> chat", 14), ("no_such(1)", 1305)];
        for (text, code) in cases {
            assert_eq!(value(text).map_err(|error| error.code), Err(code), "{text}");
        }
        let missing = Evaluator { context: &context(&[]), scope: &Scope::nothing(), row: &[] }.value(&expression("?"));
        assert_eq!(missing.map_err(|error| error.code), Err(1210));
    }
}
