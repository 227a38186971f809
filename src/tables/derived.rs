//! A SELECT in FROM: its answer is read as if it were a table.

use async_trait::async_trait;

use super::expression::Context;
use super::scope::Scope;
use super::select;
use super::session::Session;
use super::shape::{Output, Shape, scope_of, shape_of};
use super::source::Source;
use super::table::{Domain, Heading, Row, Scan};
use super::{Pages, SqlError, Value};
use crate::cometql::Select;

pub(super) struct Derived<'s> {
    select: &'s Select,
    /// Its alias.
    pub name: &'s str,
    pub headings: Vec<Heading>,
    /// As [`Scope::any_column`].
    pub any_column: bool,
}

impl<'s> Derived<'s> {
    pub fn new(
        select: &'s Select,
        name: &'s str,
        session: &Session,
        parameters: &[Value],
    ) -> Result<Derived<'s>, SqlError> {
        let source = Source::of(select.from.as_ref(), session, parameters)?;
        let scope = scope_of(select, &source);
        let shape = shape_of(select, &scope, session, parameters)?;
        let any_column = scope.any_column && shape.columns.iter().any(|column| column.name == "*");
        Ok(Derived { select, name, headings: headings_of(shape, &scope)?, any_column })
    }

    pub fn scan(&self, domain: &Domain, context: &Context) -> Box<dyn Scan> {
        Box::new(Reading::NotBegun {
            domain: domain.clone(),
            select: Box::new(self.select.clone()),
            context: context.clone(),
        })
    }
}

fn headings_of(shape: Shape, scope: &Scope) -> Result<Vec<Heading>, SqlError> {
    let mut names = std::collections::HashSet::new();
    let mut headings = Vec::with_capacity(shape.columns.len());
    for (column, output) in shape.columns.into_iter().zip(&shape.outputs) {
        if !names.insert(column.name.to_ascii_lowercase()) {
            let text = format!("Duplicate column name '{}': give one of them an alias with AS", column.name);
            return Err(SqlError::new(1060, "42S21", text));
        }
        let any_case = match output {
            Output::Column(index) => scope.headings.get(*index).is_none_or(|heading| heading.any_case),
            Output::Expression(..) => true,
        };
        headings.push(Heading { any_case, nullable: column.nullable, ..Heading::listed(column.name, column.kind) });
    }
    Ok(headings)
}

/// How far the answer has been read.
enum Reading {
    NotBegun { domain: Domain, select: Box<Select>, context: Context },
    Begun(Option<Box<dyn Pages>>),
}

#[async_trait]
impl Scan for Reading {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        match std::mem::replace(self, Reading::Begun(None)) {
            Reading::NotBegun { domain, select, context } => {
                let answer = select::run(&domain, &select, context).await?;
                *self = Reading::Begun(answer.more);
                Ok(Some(answer.rows))
            }
            Reading::Begun(None) => Ok(None),
            Reading::Begun(Some(mut more)) => {
                let rows = more.next().await?;
                if rows.is_empty() {
                    return Ok(None);
                }
                *self = Reading::Begun(Some(more));
                Ok(Some(rows))
            }
        }
    }
}
