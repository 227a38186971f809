//! COUNT, MIN, MAX and SUM over all the rows of a SELECT.

use std::cmp::Ordering;

use super::expression::Evaluator;
use super::functions::is_aggregate;
use super::select::{Wanted, output_row};
use super::shape::Output;
use super::value::{number_of, sort_order, whole, whole_of};
use super::walk::{contains, walk};
use super::{SqlError, Value};
use crate::cometql::{Expression, Item, Place, Select};

pub(super) fn has_aggregates(select: &Select) -> bool {
    expressions(select).any(|expression| contains(expression, is_aggregate_call))
}

/// The one row of a SELECT with aggregates.
pub(super) async fn aggregate(
    mut wanted: Wanted,
    select: &Select,
    outputs: Vec<Output>,
) -> Result<Vec<Vec<Value>>, SqlError> {
    let mut tallies: Vec<Tally<'_>> = Vec::new();
    for expression in expressions(select) {
        refuse_bare_columns(expression)?;
        walk(expression, &mut |part| {
            if let Expression::Call { function, arguments, place } = part
                && is_aggregate(function)
            {
                tallies.push(Tally {
                    function,
                    argument: arguments.first(),
                    place: *place,
                    count: 0,
                    value: Value::Null,
                });
            }
        });
    }
    while let Some(rows) = wanted.next().await? {
        for row in &rows {
            tallies.iter_mut().try_for_each(|tally| tally.add(&wanted.evaluator(row)))?;
        }
    }
    let mut context = (*wanted.context).clone();
    context.known.extend(tallies.iter().map(|tally| (tally.place, tally.answer())));
    let row = output_row(&outputs, &Evaluator { context: &context, scope: &wanted.scope, row: &[] })?;
    Ok(vec![row])
}

struct Tally<'a> {
    function: &'a str,
    /// `None` is the `*` of COUNT(*).
    argument: Option<&'a Expression>,
    place: Place,
    count: i64,
    value: Value,
}

impl Tally<'_> {
    fn add(&mut self, evaluator: &Evaluator<'_>) -> Result<(), SqlError> {
        let value = self.argument.map_or(Ok(Value::Integer(1)), |argument| evaluator.value(argument))?;
        if value == Value::Null {
            return Ok(());
        }
        self.count += 1;
        let first = self.value == Value::Null;
        match self.function {
            "min" if first || sort_order(&value, &self.value, false) == Ordering::Less => self.value = value,
            "max" if first || sort_order(&value, &self.value, false) == Ordering::Greater => self.value = value,
            "sum" if first => {
                self.value =
                    if let Value::Text(_) = value { number_of(&value).map_or(Value::Null, Value::Real) } else { value };
            }
            "sum" => self.value = sum(&self.value, &value),
            _ => {}
        }
        Ok(())
    }

    fn answer(&self) -> Value {
        if self.function == "count" { Value::Integer(self.count) } else { self.value.clone() }
    }
}

fn sum(left: &Value, right: &Value) -> Value {
    let is_whole = |value: &Value| matches!(value, Value::Integer(_) | Value::Unsigned(_));
    match (whole_of(left), whole_of(right)) {
        (Some(left_number), Some(right_number)) if is_whole(left) && is_whole(right) => {
            left_number.checked_add(right_number).map_or(Value::Null, whole)
        }
        _ => Value::Real(number_of(left).unwrap_or(0.0) + number_of(right).unwrap_or(0.0)),
    }
}

fn expressions(select: &Select) -> impl Iterator<Item = &Expression> {
    select.items.iter().filter_map(|item| match item {
        Item::One { expression, .. } => Some(expression),
        Item::All { .. } => None,
    })
}

fn is_aggregate_call(expression: &Expression) -> bool {
    matches!(expression, Expression::Call { function, .. } if is_aggregate(function))
}

/// A column beside an aggregate has no single value.
fn refuse_bare_columns(expression: &Expression) -> Result<(), SqlError> {
    match expression {
        Expression::Column(name) => Err(SqlError::new(
            1140,
            "42000",
            format!(
                "In aggregated query without GROUP BY, the select list contains the column '{}': leave it out, or ask \
                 with its value in WHERE",
                name.column.text
            ),
        )),
        call if is_aggregate_call(call) => Ok(()),
        other => super::walk::children(other).into_iter().try_for_each(refuse_bare_columns),
    }
}
