//! SELECT, over anything that can be read.

use std::sync::Arc;

use async_trait::async_trait;

use super::aggregate::{aggregate, has_aggregates};
use super::distinct::Seen;
use super::errors::conditions;
use super::expression::{Context, Evaluator};
use super::keys::{is_never, keys_of};
use super::scope::Scope;
use super::shape::{Output, Shape, scope_of, shape_of};
use super::sort::sorted;
use super::source::Source;
use super::table::{Domain, Listed, ROWS_MAX, Row, Scan};
use super::value::{fitted, whole_of};
use super::walk::{parts, walk};
use super::{Pages, Rows, SqlError, Value};
use crate::cometql::{Expression, Limit, Select};

pub(super) async fn run(domain: &Domain, select: &Select, mut context: Context) -> Result<Rows, SqlError> {
    let source = Source::of(select.from.as_ref(), &context.session, &context.parameters)?;
    let scope = scope_of(select, &source);
    let shape = shape_of(select, &scope, &context.session, &context.parameters)?;
    if let Some(condition) = &select.condition {
        scope.check(condition)?;
    }
    answer_subqueries(domain, parts(select), &mut context).await?;
    let (skip, left) = limit_of(select.limit.as_ref(), &context)?;
    let wanted = Wanted::new(&source, domain, scope, select.condition.as_ref(), context)?;
    let Shape { columns, outputs } = if has_aggregates(select) {
        let rows = aggregate(wanted, select, shape.outputs).await?;
        return Ok(Rows { columns: shape.columns, rows: cut(rows, skip, left), more: None });
    } else if select.order.is_empty() {
        shape
    } else {
        let columns = shape.columns.clone();
        let mut rows = sorted(wanted, select, &shape).await?;
        if select.distinct {
            rows = distinct(rows)?;
        }
        return Ok(Rows { columns, rows: cut(rows, skip, left), more: None });
    };
    let seen = select.distinct.then(Seen::default);
    let mut stream = Stream { wanted, outputs, seen, skip, left };
    let rows = stream.next().await?;
    let more: Option<Box<dyn Pages>> = if rows.is_empty() { None } else { Some(Box::new(stream)) };
    Ok(Rows { columns, rows, more })
}

/// The rows of a source that a condition wants, page by page.
pub(super) struct Wanted {
    scan: Box<dyn Scan>,
    condition: Option<Expression>,
    pub scope: Scope,
    pub context: Arc<Context>,
    /// How many rows may still be read; `None` when the statement names its keys, or its rows by their ids.
    readable: Option<usize>,
    key: Option<&'static str>,
}

impl Wanted {
    pub fn new(
        source: &Source<'_>,
        domain: &Domain,
        scope: Scope,
        condition: Option<&Expression>,
        context: Context,
    ) -> Result<Wanted, SqlError> {
        let evaluator = Evaluator { context: &context, scope: &scope, row: &[] };
        let never = condition.map_or(Ok(false), |condition| is_never(condition, &evaluator))?;
        let key = source.key();
        let keys = match key {
            Some(key) if !never => keys_of(condition, key, &evaluator)?,
            _ => None,
        };
        let primary = scope.headings.iter().find(|heading| heading.primary);
        let named = match primary {
            Some(primary) if keys.is_none() => keys_of(condition, &primary.name, &evaluator)?.is_some(),
            _ => keys.is_some(),
        };
        let readable = (key.is_some() && !named).then_some(ROWS_MAX);
        let scan: Box<dyn Scan> = if never { Box::new(Listed(None)) } else { source.scan(domain, keys, &context) };
        Ok(Wanted { scan, condition: condition.cloned(), scope, context: Arc::new(context), readable, key })
    }

    pub fn evaluator<'a>(&'a self, row: &'a [Value]) -> Evaluator<'a> {
        Evaluator { context: &self.context, scope: &self.scope, row }
    }

    /// The next rows, perhaps none; `None` is the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        // A store in memory never waits: without this a long reading would keep its thread to itself.
        tokio::task::yield_now().await;
        let Some(mut rows) = self.scan.next().await? else { return Ok(None) };
        if let Some(readable) = &mut self.readable {
            *readable = readable.checked_sub(rows.len()).ok_or_else(|| too_many_rows(self.key.unwrap_or_default()))?;
        }
        if self.condition.is_some() {
            let mut wanted = Vec::with_capacity(rows.len());
            for row in rows {
                if self.evaluator(&row).wants(self.condition.as_ref())? {
                    wanted.push(row);
                }
            }
            rows = wanted;
        }
        Ok(Some(rows))
    }
}

fn too_many_rows(key: &str) -> SqlError {
    conditions(format!(
        "Selection without transferring the requested values of the primary key is not supported beyond {ROWS_MAX} rows: \
         say which rows with `{key}` = '…' or `{key}` IN (…)"
    ))
}

/// The rows of a SELECT without ORDER BY, read as the client takes them.
struct Stream {
    wanted: Wanted,
    outputs: Vec<Output>,
    /// Of SELECT DISTINCT.
    seen: Option<Seen>,
    skip: u64,
    left: u64,
}

#[async_trait]
impl Pages for Stream {
    async fn next(&mut self) -> Result<Vec<Vec<Value>>, SqlError> {
        while self.left > 0 {
            let Some(rows) = self.wanted.next().await? else { break };
            let mut page = Vec::with_capacity(rows.len());
            for row in rows {
                if self.left == 0 {
                    break;
                }
                if self.skip > 0 && self.seen.is_none() {
                    self.skip -= 1;
                    continue;
                }
                let row = output_row(&self.outputs, &self.wanted.evaluator(&row))?;
                if let Some(seen) = &mut self.seen
                    && !seen.is_new(&row)?
                {
                    continue;
                }
                if self.skip > 0 {
                    self.skip -= 1;
                } else {
                    self.left -= 1;
                    page.push(row);
                }
            }
            if !page.is_empty() {
                return Ok(page);
            }
        }
        self.left = 0;
        Ok(Vec::new())
    }
}

pub(super) fn output_row(outputs: &[Output], evaluator: &Evaluator<'_>) -> Result<Vec<Value>, SqlError> {
    outputs.iter().map(|output| output_value(output, evaluator)).collect()
}

pub(super) fn output_value(output: &Output, evaluator: &Evaluator<'_>) -> Result<Value, SqlError> {
    match output {
        Output::Column(index) => Ok(evaluator.row.get(*index).cloned().unwrap_or(Value::Null)),
        Output::Expression(expression, kind) => Ok(fitted(evaluator.value(expression)?, *kind)),
    }
}

/// How many rows to skip and how many to give.
pub(super) fn limit_of(limit: Option<&Limit>, context: &Context) -> Result<(u64, u64), SqlError> {
    let Some(limit) = limit else { return Ok((0, u64::MAX)) };
    let skip = limit.offset.as_ref().map_or(Ok(0), |offset| limit_number(offset, context))?;
    Ok((skip, limit_number(&limit.count, context)?))
}

fn limit_number(expression: &Expression, context: &Context) -> Result<u64, SqlError> {
    let scope = Scope::nothing();
    scope.check(expression)?;
    let value = Evaluator { context, scope: &scope, row: &[] }.value(expression)?;
    whole_of(&value).and_then(|number| u64::try_from(number).ok()).ok_or_else(|| {
        SqlError::new(3, "42000", "Syntax error in query: LIMIT and OFFSET take whole numbers that are not negative")
    })
}

fn distinct(rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>, SqlError> {
    let mut seen = Seen::default();
    let mut kept = Vec::new();
    for row in rows {
        if seen.is_new(&row)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn cut(rows: Vec<Vec<Value>>, skip: u64, left: u64) -> Vec<Vec<Value>> {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    rows.into_iter().skip(count(skip)).take(count(left)).collect()
}

/// Works out the subqueries among `expressions`, so that the rows can be held against them.
pub(super) async fn answer_subqueries(
    domain: &Domain,
    expressions: impl Iterator<Item = &Expression>,
    context: &mut Context,
) -> Result<(), SqlError> {
    let mut found = Vec::new();
    for expression in expressions {
        walk(expression, &mut |part| match part {
            Expression::Exists(select) => found.push((select, true)),
            Expression::Subquery(select) => found.push((select, false)),
            _ => {}
        });
    }
    for (select, exists) in found {
        let rows = Box::pin(run(domain, select, context.clone())).await?;
        let value = if exists { Value::Integer(i64::from(!rows.rows.is_empty())) } else { single(rows).await? };
        context.known.push((select.place, value));
    }
    Ok(())
}

async fn single(mut rows: Rows) -> Result<Value, SqlError> {
    if rows.columns.len() != 1 {
        return Err(SqlError::new(1241, "21000", "Operand should contain 1 column: a SELECT in brackets is one value"));
    }
    let more = match &mut rows.more {
        Some(pages) => pages.next().await?.len(),
        None => 0,
    };
    if rows.rows.len() + more > 1 {
        return Err(SqlError::new(1242, "21000", "Subquery returns more than 1 row: add LIMIT 1 to it"));
    }
    Ok(rows.rows.pop().and_then(|mut row| row.pop()).unwrap_or(Value::Null))
}
