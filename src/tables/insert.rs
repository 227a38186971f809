//! INSERT, up to where tables differ: which value belongs to which column.

use super::errors::{columns_list, conditions, too_many_values, unknown_column};
use super::expression::{Context, Evaluator};
use super::scope::Scope;
use super::select::answer_subqueries;
use super::source::table;
use super::table::{Domain, Insertion, ROWS_MAX, Table, TableColumn, Verb, column_index};
use super::{Done, SqlError, Value};
use crate::cometql::{Expression, Insert};
use crate::node::CometStrings;

pub(super) async fn run(domain: &Domain, insert: &Insert, mut context: Context) -> Result<Done, SqlError> {
    let table = table(&insert.table, &context.session)?;
    if let Some(refusal) = table.refusal(Verb::Insert) {
        return Err(refusal);
    }
    if insert.rows.len() > ROWS_MAX {
        let text = format!("One INSERT has at most {ROWS_MAX} rows, this one {}", insert.rows.len());
        return Err(too_many_values(text));
    }
    let places = places(table, insert)?;
    let values = insert.rows.iter().flatten().filter(|value| !matches!(value, Expression::Text(_)));
    answer_subqueries(domain, values, &mut context).await?;
    let mut rows = Vec::with_capacity(insert.rows.len());
    for (index, row) in insert.rows.iter().enumerate() {
        if row.len() != places.len() {
            let place = row_place(index, insert.rows.len());
            return Err(columns_list(format!("{} columns and {} values{place}", places.len(), row.len())));
        }
        rows.push(values_of(table, &places, row, &context)?);
    }
    table
        .insert(domain, Insertion { verb: insert.verb, rows, on_duplicate: &insert.on_duplicate, context: &context })
        .await
}

/// Says which row is meant, when there is more than one.
pub(super) fn row_place(index: usize, rows: usize) -> String {
    if rows > 1 { format!(" in row {}", index + 1) } else { String::new() }
}

/// For each value of a row, the column it belongs to.
fn places(table: &dyn Table, insert: &Insert) -> Result<Vec<usize>, SqlError> {
    let Some(columns) = &insert.columns else {
        let visible = table.columns().iter().enumerate().filter(|(_, column)| column.visible);
        return Ok(visible.map(|(index, _)| index).collect());
    };
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(place) = column_index(table, &column.text) else {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            return Err(unknown_column(&column.text, table.name(), &names));
        };
        if places.contains(&place) {
            return Err(conditions(format!(
                "Each column in the insert used only once: `{}` is there twice",
                column.text
            )));
        }
        places.push(place);
    }
    Ok(places)
}

fn values_of(
    table: &dyn Table,
    places: &[usize],
    row: &[Expression],
    context: &Context,
) -> Result<Vec<Option<Value>>, SqlError> {
    let mut values = vec![None; table.columns().len()];
    for (expression, place) in row.iter().zip(places) {
        values[*place] = value_of(expression, &table.columns()[*place], context)?;
    }
    Ok(values)
}

fn value_of(expression: &Expression, column: &TableColumn, context: &Context) -> Result<Option<Value>, SqlError> {
    match expression {
        Expression::Default(_) => Ok(None),
        Expression::Text(text) if column.comet_strings && context.session.comet_strings == CometStrings::Auto => {
            Ok(Some(Value::Text(text.comet())))
        }
        // The original took a bare word for a text.
        Expression::Column(name) if name.table.is_none() => Ok(Some(Value::Text(name.column.text.clone()))),
        other => {
            let scope = Scope::nothing();
            scope.check(other)?;
            Evaluator { context, scope: &scope, row: &[] }.value(other).map(Some)
        }
    }
}
