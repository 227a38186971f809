//! The columns of an answer: their names, their kinds, and where each value comes from.

use super::catalog::variables;
use super::errors::too_many_columns;
use super::functions;
use super::scope::Scope;
use super::session::Session;
use super::source::Source;
use super::value::whole;
use super::{Column, ColumnKind, SqlError, Value};
use crate::cometql::{Expression, From, Item, Operator, Order, Select};

/// Most columns of one answer, MySQL's own limit.
pub(super) const COLUMNS_MAX: usize = 4_096;

/// Where a value of an answer comes from.
#[derive(Clone)]
pub(super) enum Output {
    Column(usize),
    Expression(Box<Expression>, ColumnKind),
}

/// What a SELECT answers, known before a row is read.
pub(super) struct Shape {
    pub columns: Vec<Column>,
    pub outputs: Vec<Output>,
}

/// The scope of a SELECT's source.
pub(super) fn scope_of(select: &Select, source: &Source<'_>) -> Scope {
    let alias = match &select.from {
        Some(From::Table { alias, .. }) => alias.as_ref().map(|alias| alias.text.clone()),
        // What it is called is its name.
        Some(From::Select { .. }) | None => None,
    };
    Scope { table: source.name().to_owned(), alias, headings: source.headings(), any_column: source.any_column() }
}

/// `parameters` are empty when a statement is only prepared; theirs are texts then.
pub(super) fn shape_of(
    select: &Select,
    scope: &Scope,
    session: &Session,
    parameters: &[Value],
) -> Result<Shape, SqlError> {
    let kinds = Kinds { scope, session, parameters };
    let mut shape = Shape { columns: Vec::new(), outputs: Vec::new() };
    for item in &select.items {
        match item {
            Item::All { table, .. } => {
                if let Some(table) = table
                    && !scope.is_called(&table.text)
                {
                    let text = format!("Unknown table '{}': the statement reads `{}`", table.text, scope.table);
                    return Err(SqlError::new(1051, "42S02", text));
                }
                shape.add_all(scope)?;
            }
            Item::One { expression, alias, text } => {
                scope.check(expression)?;
                shape.add(expression, alias.as_deref(), text, &kinds)?;
            }
        }
        if shape.columns.len() > COLUMNS_MAX {
            return Err(too_many_columns(format!("One answer has at most {COLUMNS_MAX} columns")));
        }
    }
    Ok(shape)
}

impl Shape {
    fn add_all(&mut self, scope: &Scope) -> Result<(), SqlError> {
        if scope.any_column {
            self.columns.push(computed("*".to_owned(), ColumnKind::ShortText, true));
            self.outputs.push(Output::Column(usize::MAX));
            return Ok(());
        }
        if scope.headings.is_empty() {
            return Err(SqlError::new(1096, "HY000", "No tables used: `*` needs a table, name it with FROM"));
        }
        for (index, heading) in scope.headings.iter().enumerate().filter(|(_, heading)| heading.visible) {
            self.columns.push(stored(scope, index, heading.name.clone().into_owned()));
            self.outputs.push(Output::Column(index));
        }
        Ok(())
    }

    fn add(
        &mut self,
        expression: &Expression,
        alias: Option<&str>,
        text: &str,
        kinds: &Kinds<'_>,
    ) -> Result<(), SqlError> {
        let name = match (alias, expression) {
            (Some(alias), _) => alias.to_owned(),
            (None, Expression::Column(name)) => name.column.text.clone(),
            (None, Expression::Text(text)) => text.mysql(),
            (None, _) => text.to_owned(),
        };
        if let Expression::Column(column) = expression
            && let Some(index) = kinds.scope.index(column)
        {
            self.columns.push(stored(kinds.scope, index, name));
            self.outputs.push(Output::Column(index));
            return Ok(());
        }
        let (kind, nullable) = (kinds.of(expression)?, is_nullable(expression));
        self.columns.push(computed(name, kind, nullable));
        self.outputs.push(Output::Expression(Box::new(expression.clone()), kind));
        Ok(())
    }

    /// What ORDER BY means: the n-th column, an alias, or an expression over the table.
    pub fn order_output(&self, order: &Order, items: &[Item], scope: &Scope) -> Result<Output, SqlError> {
        if let Expression::Integer(number, _) = &order.by {
            let place = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            return place.and_then(|place| self.outputs.get(place)).cloned().ok_or_else(|| {
                SqlError::new(
                    14,
                    "42S22",
                    format!("Not a specific column: ORDER BY {number} is not a place in the select list"),
                )
            });
        }
        if let Expression::Column(name) = &order.by {
            let aliased = |item: &&Item| matches!(item, Item::One { alias: Some(alias), .. } if alias.eq_ignore_ascii_case(&name.column.text));
            if name.table.is_none()
                && let Some(Item::One { expression, .. }) = items.iter().find(aliased)
            {
                return Ok(Output::Expression(Box::new(expression.clone()), ColumnKind::LongText));
            }
            if let Some(index) = scope.index(name) {
                return Ok(Output::Column(index));
            }
        }
        scope.check(&order.by)?;
        Ok(Output::Expression(Box::new(order.by.clone()), ColumnKind::LongText))
    }
}

fn stored(scope: &Scope, index: usize, name: String) -> Column {
    let heading = &scope.headings[index];
    Column {
        name,
        original_name: heading.name.clone().into_owned(),
        table: scope.table.clone(),
        kind: heading.kind,
        nullable: heading.nullable,
        primary: heading.primary,
    }
}

pub(super) fn computed(name: String, kind: ColumnKind, nullable: bool) -> Column {
    Column { name, original_name: String::new(), table: String::new(), kind, nullable, primary: false }
}

fn is_nullable(expression: &Expression) -> bool {
    !matches!(
        expression,
        Expression::Integer(..)
            | Expression::Decimal(..)
            | Expression::Text(_)
            | Expression::Bytes(..)
            | Expression::IsNull { .. }
            | Expression::IsTruth { .. }
            | Expression::Exists(_)
    ) && !matches!(expression, Expression::Call { function, .. } if function == "count" || function == "version")
}

/// The kinds of expressions.
struct Kinds<'a> {
    scope: &'a Scope,
    session: &'a Session,
    parameters: &'a [Value],
}

impl Kinds<'_> {
    fn of(&self, expression: &Expression) -> Result<ColumnKind, SqlError> {
        Ok(match expression {
            Expression::Integer(number, _) => kind_of(&whole(*number)),
            Expression::Decimal(..) => ColumnKind::Real,
            Expression::Text(text) => short_or_long(text.raw.len()),
            Expression::Bytes(bytes, _) => short_or_long(bytes.len()),
            Expression::Parameter(number, _) => self.parameters.get(*number).map_or(ColumnKind::ShortText, kind_of),
            Expression::Column(name) => match self.scope.index(name) {
                Some(index) => self.scope.headings[index].kind,
                None => ColumnKind::ShortText,
            },
            Expression::SystemVariable { name, .. } => variables::kind(name),
            Expression::Call { function, arguments, .. } => self.of_call(function, arguments)?,
            Expression::Negative(value) => match self.of(value)? {
                ColumnKind::Integer | ColumnKind::Unsigned => ColumnKind::Integer,
                _ => ColumnKind::Real,
            },
            Expression::Exact(value) => match self.of(value)? {
                ColumnKind::LongText => ColumnKind::LongText,
                _ => ColumnKind::ShortText,
            },
            Expression::Case { branches, otherwise, .. } => {
                self.of_choice(branches.iter().map(|branch| &branch.then).chain(otherwise.as_deref()))?
            }
            Expression::Binary { operator, left, right } => self.of_binary(*operator, left, right)?,
            Expression::Subquery(select) => {
                let source = Source::of(select.from.as_ref(), self.session, self.parameters)?;
                let shape = shape_of(select, &scope_of(select, &source), self.session, self.parameters)?;
                shape.columns.first().map_or(ColumnKind::ShortText, |column| column.kind)
            }
            Expression::Null(_) | Expression::Default(_) | Expression::UserVariable { .. } => ColumnKind::ShortText,
            Expression::Not(_)
            | Expression::And(..)
            | Expression::Or(..)
            | Expression::In { .. }
            | Expression::Between { .. }
            | Expression::Like { .. }
            | Expression::IsNull { .. }
            | Expression::IsTruth { .. }
            | Expression::Exists(_) => ColumnKind::Integer,
        })
    }

    fn of_call(&self, function: &str, arguments: &[Expression]) -> Result<ColumnKind, SqlError> {
        if matches!(function, "coalesce" | "ifnull" | "if") {
            let choices = if function == "if" { arguments.get(1..).unwrap_or_default() } else { arguments };
            return self.of_choice(choices);
        }
        if function == "cast" {
            return Ok(functions::cast_kind(arguments.get(1)));
        }
        let first = arguments.first().map(|first| self.of(first)).transpose()?;
        Ok(functions::kind(function, first))
    }

    /// The kind that holds any one of several values.
    fn of_choice<'e>(&self, choices: impl IntoIterator<Item = &'e Expression>) -> Result<ColumnKind, SqlError> {
        let mut answer = None;
        for choice in choices.into_iter().filter(|choice| !matches!(choice, Expression::Null(_))) {
            let kind = self.of(choice)?;
            answer = Some(match answer {
                None => kind,
                Some(before) if before == kind => kind,
                Some(_) => ColumnKind::LongText,
            });
        }
        Ok(answer.unwrap_or(ColumnKind::ShortText))
    }

    fn of_binary(&self, operator: Operator, left: &Expression, right: &Expression) -> Result<ColumnKind, SqlError> {
        Ok(match operator {
            Operator::Divide => ColumnKind::Real,
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Modulo => {
                let is_whole = |kind| matches!(kind, ColumnKind::Integer | ColumnKind::Unsigned);
                if is_whole(self.of(left)?) && is_whole(self.of(right)?) {
                    ColumnKind::Integer
                } else {
                    ColumnKind::Real
                }
            }
            _ => ColumnKind::Integer,
        })
    }
}

fn short_or_long(bytes: usize) -> ColumnKind {
    if bytes <= 255 { ColumnKind::ShortText } else { ColumnKind::LongText }
}

pub(super) fn kind_of(value: &Value) -> ColumnKind {
    match value {
        Value::Null => ColumnKind::ShortText,
        Value::Integer(_) => ColumnKind::Integer,
        Value::Unsigned(_) => ColumnKind::Unsigned,
        Value::Real(_) => ColumnKind::Real,
        Value::Text(text) => short_or_long(text.len()),
    }
}
