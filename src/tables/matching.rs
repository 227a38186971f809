//! DELETE, UPDATE and TRUNCATE: which rows a statement means.

use super::errors::{conditions, unknown_column};
use super::expression::Context;
use super::scope::Scope;
use super::select::{Wanted, answer_subqueries, limit_of};
use super::shape::{Output, Shape};
use super::sort;
use super::source::{self, Source};
use super::table::{Domain, Row, Table, Verb, column_index, headings_of};
use super::{Done, SqlError};
use crate::cometql::{ColumnName, Delete, Expression, Identifier, Limit, Order, TableName, Update};

pub(super) async fn delete(domain: &Domain, delete: &Delete, context: Context) -> Result<Done, SqlError> {
    let table = source::table(&delete.table, &context.session)?;
    if let Some(refusal) = table.refusal(Verb::Delete) {
        return Err(refusal);
    }
    let Some(condition) = &delete.condition else {
        return Err(conditions(format!(
            "Selection without transferring the requested values of the primary key is not supported: \
             say which rows of `{}` with WHERE",
            table.name()
        )));
    };
    let chosen = Chosen { condition, order: &delete.order, limit: delete.limit.as_ref(), alias: delete.alias.as_ref() };
    let outputs = table.delete_wants().iter().filter_map(|name| column_index(table, name)).map(Output::Column);
    let rows = chosen.rows(table, domain, &outputs.collect::<Vec<_>>(), context).await?;
    Ok(Done { affected: table.delete(domain, rows).await?, ..Done::default() })
}

pub(super) async fn update(domain: &Domain, update: &Update, mut context: Context) -> Result<Done, SqlError> {
    let table = source::table(&update.table, &context.session)?;
    if let Some(refusal) = table.refusal(Verb::Update) {
        return Err(refusal);
    }
    let of = scope(table, update.alias.as_ref());
    for change in &update.changes {
        require_column(table, &change.column)?;
        of.check(&change.value)?;
    }
    answer_subqueries(domain, update.changes.iter().map(|change| &change.value), &mut context).await?;
    // No WHERE means every row, as it does in MySQL.
    let every = Expression::Integer(1, update.place);
    let condition = update.condition.as_ref().unwrap_or(&every);
    let chosen = Chosen { condition, order: &update.order, limit: update.limit.as_ref(), alias: update.alias.as_ref() };
    let outputs: Vec<Output> = (0..table.columns().len()).map(Output::Column).collect();
    let rows = chosen.rows(table, domain, &outputs, context.clone()).await?;
    table.update(domain, rows, &update.changes, &of, &context).await
}

pub(super) async fn truncate(domain: &Domain, name: &TableName, context: &Context) -> Result<Done, SqlError> {
    let table = source::table(name, &context.session)?;
    if let Some(refusal) = table.refusal(Verb::Truncate) {
        return Err(refusal);
    }
    table.truncate(domain).await?;
    Ok(Done::default())
}

pub(super) fn require_column(table: &dyn Table, name: &ColumnName) -> Result<usize, SqlError> {
    column_index(table, &name.column.text).ok_or_else(|| {
        let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        unknown_column(&name.column.text, table.name(), &names)
    })
}

/// The scope of statements that change a table.
pub(super) fn scope(table: &dyn Table, alias: Option<&Identifier>) -> Scope {
    Scope {
        table: table.name().to_owned(),
        alias: alias.map(|alias| alias.text.clone()),
        headings: headings_of(table),
        any_column: false,
    }
}

/// The rows a statement that changes a table names.
struct Chosen<'a> {
    condition: &'a Expression,
    order: &'a [Order],
    limit: Option<&'a Limit>,
    alias: Option<&'a Identifier>,
}

impl Chosen<'_> {
    /// All of them, before anything is changed.
    async fn rows(
        &self,
        table: &'static dyn Table,
        domain: &Domain,
        outputs: &[Output],
        mut context: Context,
    ) -> Result<Vec<Row>, SqlError> {
        let scope = scope(table, self.alias);
        scope.check(self.condition)?;
        let expressions = std::iter::once(self.condition).chain(self.order.iter().map(|order| &order.by));
        answer_subqueries(domain, expressions, &mut context).await?;
        let by = self.order_outputs(&scope)?;
        let (skip, left) = limit_of(self.limit, &context)?;
        let wanted = Wanted::new(&Source::Table(table), domain, scope, Some(self.condition), context)?;
        let mut rows = sort::collect(wanted, outputs, &by, self.order).await?;
        rows.truncate(usize::try_from(skip.saturating_add(left)).unwrap_or(usize::MAX));
        rows.drain(..rows.len().min(usize::try_from(skip).unwrap_or(usize::MAX)));
        Ok(rows)
    }

    fn order_outputs(&self, scope: &Scope) -> Result<Vec<Output>, SqlError> {
        let shape = Shape { columns: Vec::new(), outputs: Vec::new() };
        self.order.iter().map(|order| shape.order_output(order, &[], scope)).collect()
    }
}
