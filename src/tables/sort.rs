//! ORDER BY: all rows are brought together, within bounds, and sorted.

use std::cmp::Ordering;

use super::errors::conditions;
use super::select::{Wanted, output_row};
use super::shape::{Output, Shape};
use super::table::ROWS_MAX;
use super::value::sort_order;
use super::{SqlError, Value};
use crate::cometql::{Order, Select};

/// Most bytes of the rows one statement sorts, or tells apart for DISTINCT.
pub(super) const SORT_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The whole answer of a SELECT with ORDER BY, before LIMIT.
pub(super) async fn sorted(wanted: Wanted, select: &Select, shape: &Shape) -> Result<Vec<Vec<Value>>, SqlError> {
    let by = select
        .order
        .iter()
        .map(|order| shape.order_output(order, &select.items, &wanted.scope))
        .collect::<Result<Vec<Output>, SqlError>>()?;
    collect(wanted, &shape.outputs, &by, &select.order).await
}

/// All wanted rows as `outputs`, in the order of the values of `by`.
pub(super) async fn collect(
    mut wanted: Wanted,
    outputs: &[Output],
    by: &[Output],
    order: &[Order],
) -> Result<Vec<Vec<Value>>, SqlError> {
    let mut rows: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    let mut bytes = 0;
    while let Some(page) = wanted.next().await? {
        for row in page {
            let evaluator = wanted.evaluator(&row);
            let (keys, row) = (output_row(by, &evaluator)?, output_row(outputs, &evaluator)?);
            bytes += weight_bytes(&keys) + weight_bytes(&row);
            rows.push((keys, row));
        }
        if rows.len() > ROWS_MAX || bytes > SORT_BYTES_MAX {
            return Err(conditions(format!(
                "One statement brings together at most {ROWS_MAX} rows of {SORT_BYTES_MAX} bytes: \
                 ask for fewer rows with WHERE, or for fewer columns, or leave out ORDER BY"
            )));
        }
    }
    let any_case: Vec<bool> = by.iter().map(|output| sorts_any_case(output, &wanted)).collect();
    rows.sort_by(|(left, _), (right, _)| {
        let orders = left.iter().zip(right).zip(&any_case).zip(order).map(|(((left, right), any_case), order)| {
            let by = sort_order(left, right, *any_case);
            if order.descending { by.reverse() } else { by }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn sorts_any_case(output: &Output, wanted: &Wanted) -> bool {
    match output {
        Output::Column(index) => wanted.scope.headings.get(*index).is_none_or(|heading| heading.any_case),
        Output::Expression(..) => true,
    }
}

fn weight_bytes(row: &[Value]) -> usize {
    let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    row.iter().map(|value| size_of::<Value>() + text(value)).sum()
}
