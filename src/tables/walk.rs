//! What stands inside an expression or a statement.

use crate::cometql::{Assignment, Change, Expression, From, Item, Limit, Order, Select, Statement};

/// The expressions directly inside one; those of a subquery are its own business.
pub(super) fn children(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::Call { arguments, .. } => arguments.iter().collect(),
        Expression::Negative(value)
        | Expression::Not(value)
        | Expression::Exact(value)
        | Expression::IsNull { value, .. }
        | Expression::IsTruth { value, .. } => vec![value],
        Expression::Case { value, branches, otherwise } => {
            let branches = branches.iter().flat_map(|branch| [&branch.when, &branch.then]);
            value.as_deref().into_iter().chain(branches).chain(otherwise.as_deref()).collect()
        }
        Expression::And(left, right) | Expression::Or(left, right) | Expression::Binary { left, right, .. } => {
            vec![left, right]
        }
        Expression::Like { value, pattern, .. } => vec![value, pattern],
        Expression::In { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
        Expression::Between { value, low, high, .. } => vec![value, low, high],
        Expression::Null(_)
        | Expression::Default(_)
        | Expression::Integer(..)
        | Expression::Decimal(..)
        | Expression::Text(_)
        | Expression::Bytes(..)
        | Expression::Parameter(..)
        | Expression::Column(_)
        | Expression::SystemVariable { .. }
        | Expression::UserVariable { .. }
        | Expression::Exists(_)
        | Expression::Subquery(_) => Vec::new(),
    }
}

/// Shows `visit` the expression and everything inside it, but for the insides of subqueries.
pub(super) fn walk<'a>(expression: &'a Expression, visit: &mut dyn FnMut(&'a Expression)) {
    visit(expression);
    for child in children(expression) {
        walk(child, visit);
    }
}

/// Whether `is_it` is true of the expression or of anything inside it.
pub(super) fn contains(expression: &Expression, is_it: fn(&Expression) -> bool) -> bool {
    is_it(expression) || children(expression).into_iter().any(|child| contains(child, is_it))
}

/// The expressions of a SELECT: its list, its condition, its order. Those of a SELECT in FROM are its own business.
pub(super) fn parts(select: &Select) -> impl Iterator<Item = &Expression> {
    let items = select.items.iter().filter_map(|item| match item {
        Item::One { expression, .. } => Some(expression),
        Item::All { .. } => None,
    });
    items.chain(&select.condition).chain(select.order.iter().map(|order| &order.by))
}

/// How many `?` a statement has.
pub(super) fn parameter_count(statement: &Statement) -> usize {
    let mut count = 0;
    let mut see = |expression: &Expression| count_in(expression, &mut count);
    match statement {
        Statement::Insert(insert) => {
            insert.rows.iter().flatten().for_each(&mut see);
            changes(&insert.on_duplicate).for_each(&mut see);
        }
        Statement::Select(select) => count_in_select(select, &mut count),
        Statement::Delete(delete) => {
            tail(&delete.condition, &delete.order, delete.limit.as_ref()).for_each(&mut see);
        }
        Statement::Update(update) => {
            changes(&update.changes).for_each(&mut see);
            tail(&update.condition, &update.order, update.limit.as_ref()).for_each(&mut see);
        }
        Statement::Set(assignments) => {
            for assignment in assignments {
                if let Assignment::Variable { value, .. } = assignment {
                    see(value);
                }
            }
        }
        Statement::Show(show) => show.condition.iter().for_each(&mut see),
        Statement::Kill(kill) => see(&kill.id),
        Statement::Truncate(_)
        | Statement::Describe(_)
        | Statement::Use(_)
        | Statement::Transaction(_)
        | Statement::Nothing => {}
    }
    count
}

fn changes(changes: &[Change]) -> impl Iterator<Item = &Expression> {
    changes.iter().map(|change| &change.value)
}

fn tail<'a>(
    condition: &'a Option<Expression>,
    order: &'a [Order],
    limit: Option<&'a Limit>,
) -> impl Iterator<Item = &'a Expression> {
    let limit = limit.into_iter().flat_map(|limit| limit.offset.iter().chain(std::iter::once(&limit.count)));
    condition.iter().chain(order.iter().map(|order| &order.by)).chain(limit)
}

fn count_in(expression: &Expression, count: &mut usize) {
    match expression {
        Expression::Parameter(number, _) => *count = (*count).max(number + 1),
        Expression::Exists(select) | Expression::Subquery(select) => count_in_select(select, count),
        other => children(other).into_iter().for_each(|child| count_in(child, count)),
    }
}

fn count_in_select(select: &Select, count: &mut usize) {
    if let Some(From::Select { select, .. }) = &select.from {
        count_in_select(select, count);
    }
    parts(select).for_each(|part| count_in(part, count));
    tail(&None, &[], select.limit.as_ref()).for_each(|part| count_in(part, count));
}
