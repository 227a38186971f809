//! The same text from the tree of `sqlparser`; `None` where it has read something the language does not have.

use sqlparser::ast::{
    AssignmentTarget, BinaryOperator, Delete, Expr, FromTable, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Insert, LimitClause, ObjectName, OnInsert, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, Set, SetExpr, Statement, TableFactor, TableObject, TableWithJoins,
    UnaryOperator, Value,
};

use crate::printed::{hexadecimal, name, not, string};

fn list<T>(list: &[T], print: impl Fn(&T) -> Option<String>) -> Option<String> {
    Some(list.iter().map(print).collect::<Option<Vec<_>>>()?.join(", "))
}

pub fn statement(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Insert(insert) => of_insert(insert),
        Statement::Query(query) => of_query(query),
        Statement::Delete(delete) => of_delete(delete),
        Statement::Update { table, assignments, selection, limit, .. } => {
            let tail = clauses(selection.as_ref(), &[], None, limit.as_ref())?;
            Some(format!("UPDATE {} SET {}{tail}", source(table)?, list(assignments, assignment)?))
        }
        Statement::Set(Set::SingleAssignment { variable, values, .. }) => {
            let [value] = &values[..] else { return None };
            let last = variable.0.last()?.as_ident()?.value.trim_start_matches('@').to_lowercase();
            Some(format!("SET {} = {}", name(&last), expression(value)?))
        }
        _ => None,
    }
}

fn of_insert(insert: &Insert) -> Option<String> {
    let verb = match (insert.replace_into, insert.ignore) {
        (true, _) => "REPLACE",
        (false, true) => "INSERT IGNORE",
        (false, false) => "INSERT",
    };
    let TableObject::TableName(table) = &insert.table else { return None };
    let mut columns: Vec<String> = insert.columns.iter().map(|column| name(&column.value)).collect();
    let rows = match &insert.source {
        Some(query) => {
            let SetExpr::Values(values) = &*query.body else { return None };
            list(&values.rows, |row| Some(format!("({})", list(row, expression)?)))?
        }
        None => {
            for assignment in &insert.assignments {
                columns.push(target(&assignment.target)?);
            }
            format!("({})", list(&insert.assignments, |assignment| expression(&assignment.value))?)
        }
    };
    let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    let mut text = format!("{verb} INTO {}{columns} VALUES {rows}", object(table)?);
    match &insert.on {
        None => {}
        Some(OnInsert::DuplicateKeyUpdate(changes)) => {
            text += &format!(" ON DUPLICATE KEY UPDATE {}", list(changes, assignment)?);
        }
        Some(_) => return None,
    }
    Some(text)
}

fn of_delete(delete: &Delete) -> Option<String> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = &from[..] else { return None };
    let tail = clauses(delete.selection.as_ref(), &delete.order_by, None, delete.limit.as_ref())?;
    Some(format!("DELETE FROM {}{tail}", source(from)?))
}

fn of_query(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        None => &[][..],
        Some(OrderByKind::Expressions(order)) => order,
        Some(OrderByKind::All(_)) => return None,
    };
    let (offset, limit) = match &query.limit_clause {
        None => (None, None),
        Some(LimitClause::LimitOffset { limit, offset, .. }) => {
            (offset.as_ref().map(|offset| &offset.value), limit.as_ref())
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(offset), Some(limit)),
    };
    of_select(select, &clauses(select.selection.as_ref(), order, offset, limit)?)
}

fn of_select(select: &Select, tail: &str) -> Option<String> {
    let from = match &select.from[..] {
        [] => String::new(),
        [from] => format!(" FROM {}", source(from)?),
        _ => return None,
    };
    let distinct = if select.distinct.is_some() { "DISTINCT " } else { "" };
    Some(format!("SELECT {distinct}{}{from}{tail}", list(&select.projection, item)?))
}

fn item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(value) => expression(value),
        SelectItem::ExprWithAlias { expr, alias } => Some(format!("{} AS {}", expression(expr)?, name(&alias.value))),
        SelectItem::Wildcard(_) => Some("*".to_owned()),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) => {
            Some(format!("{}.*", object(of)?))
        }
        SelectItem::QualifiedWildcard(..) => None,
    }
}

fn source(from: &TableWithJoins) -> Option<String> {
    let (text, alias) = match &from.relation {
        TableFactor::Table { name, alias, .. } => (object(name)?, alias),
        TableFactor::Derived { subquery, alias, .. } => (format!("({})", of_query(subquery)?), alias),
        _ => return None,
    };
    let alias = alias.as_ref().map(|alias| format!(" AS {}", name(&alias.name.value)));
    from.joins.is_empty().then(|| text + &alias.unwrap_or_default())
}

fn clauses(
    condition: Option<&Expr>,
    order: &[OrderByExpr],
    offset: Option<&Expr>,
    limit: Option<&Expr>,
) -> Option<String> {
    let mut text = String::new();
    if let Some(condition) = condition {
        text += &format!(" WHERE {}", expression(condition)?);
    }
    if !order.is_empty() {
        let direction = |by: &OrderByExpr| if by.options.asc == Some(false) { " DESC" } else { "" };
        text += &format!(" ORDER BY {}", list(order, |by| Some(expression(&by.expr)? + direction(by)))?);
    }
    if let Some(limit) = limit {
        text += " LIMIT ";
        if let Some(offset) = offset {
            text += &format!("{}, ", expression(offset)?);
        }
        text += &expression(limit)?;
    }
    Some(text)
}

fn target(target: &AssignmentTarget) -> Option<String> {
    match target {
        AssignmentTarget::ColumnName(column) => object(column),
        AssignmentTarget::Tuple(_) => None,
    }
}

fn assignment(assignment: &sqlparser::ast::Assignment) -> Option<String> {
    Some(format!("{} = {}", target(&assignment.target)?, expression(&assignment.value)?))
}

fn object(object: &ObjectName) -> Option<String> {
    let parts = object.0.iter().map(|part| part.as_ident().map(|ident| name(&ident.value)));
    Some(parts.collect::<Option<Vec<_>>>()?.join("."))
}

fn ident(ident: &Ident) -> Option<String> {
    if ident.quote_style.is_some() {
        return Some(name(&ident.value));
    }
    if let Some(variable) = ident.value.strip_prefix("@@") {
        return Some(format!("@@{}", variable.to_lowercase()));
    }
    match ident.value.to_uppercase().as_str() {
        "DEFAULT" => Some("DEFAULT".to_owned()),
        _ => Some(name(&ident.value)),
    }
}

fn compound(parts: &[Ident]) -> Option<String> {
    match parts {
        [scope, variable] if scope.value.starts_with("@@") => Some(format!("@@{}", variable.value.to_lowercase())),
        parts => Some(parts.iter().map(ident).collect::<Option<Vec<_>>>()?.join(".")),
    }
}

fn value(value: &Value) -> Option<String> {
    Some(match value {
        Value::Number(digits, false) => match digits.parse::<i128>() {
            Ok(number) => number.to_string(),
            Err(_) => digits.clone(),
        },
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) | Value::NationalStringLiteral(text) => {
            string(text)
        }
        Value::HexStringLiteral(digits) if digits.len() % 2 == 1 => hexadecimal(&format!("0{digits}")),
        Value::HexStringLiteral(digits) => hexadecimal(digits),
        Value::Boolean(truth) => i32::from(*truth).to_string(),
        Value::Null => "NULL".to_owned(),
        Value::Placeholder(_) => "?".to_owned(),
        _ => return None,
    })
}

pub fn expression(value: &Expr) -> Option<String> {
    match value {
        Expr::Identifier(of) => ident(of),
        Expr::CompoundIdentifier(parts) => compound(parts),
        Expr::Value(of) => self::value(&of.value),
        Expr::Prefixed { value, .. } | Expr::Nested(value) => expression(value),
        Expr::UnaryOp { op, expr } => unary(*op, expr),
        Expr::BinaryOp { left, op, right } => binary(left, op, right),
        Expr::IsNull(of) => is(of, "NULL"),
        Expr::IsNotNull(of) => is(of, "NOT NULL"),
        Expr::IsTrue(of) => is(of, "TRUE"),
        Expr::IsNotTrue(of) => is(of, "NOT TRUE"),
        Expr::IsFalse(of) => is(of, "FALSE"),
        Expr::IsNotFalse(of) => is(of, "NOT FALSE"),
        Expr::InList { expr, list: of, negated } => {
            Some(format!("({} {}IN ({}))", expression(expr)?, not(*negated), list(of, expression)?))
        }
        Expr::InSubquery { expr, subquery, negated } => {
            Some(format!("({} {}IN ({}))", expression(expr)?, not(*negated), of_query(subquery)?))
        }
        Expr::Between { expr, negated, low, high } => {
            let (low, high) = (expression(low)?, expression(high)?);
            Some(format!("({} {}BETWEEN {low} AND {high})", expression(expr)?, not(*negated)))
        }
        Expr::Like { negated, expr, pattern, escape_char: None, .. } => {
            Some(format!("({} {}LIKE {})", expression(expr)?, not(*negated), expression(pattern)?))
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let part = |word: &str, of: &Option<Box<Expr>>| match of {
                Some(of) => Some(format!("{word} {}", expression(of)?)),
                None => Some(String::new()),
            };
            let branch = |of: &sqlparser::ast::CaseWhen| {
                Some(format!(" WHEN {} THEN {}", expression(&of.condition)?, expression(&of.result)?))
            };
            let branches: String = conditions.iter().map(branch).collect::<Option<_>>()?;
            Some(format!("CASE{}{branches}{} END", part("", operand)?, part(" ELSE", else_result)?))
        }
        Expr::Function(function) => call(function),
        Expr::Exists { subquery, negated: false } => Some(format!("exists({})", of_query(subquery)?)),
        Expr::Exists { subquery, negated: true } => Some(format!("(NOT exists({}))", of_query(subquery)?)),
        Expr::Subquery(query) => Some(format!("({})", of_query(query)?)),
        _ => None,
    }
}

fn is(of: &Expr, what: &str) -> Option<String> {
    Some(format!("({} IS {what})", expression(of)?))
}

fn call(function: &Function) -> Option<String> {
    let [of] = &function.name.0[..] else { return None };
    let arguments = match &function.args {
        FunctionArguments::None => String::new(),
        FunctionArguments::Subquery(_) => return None,
        FunctionArguments::List(arguments) => match &arguments.args[..] {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => String::new(),
            arguments => list(arguments, |argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(of)) => expression(of),
                _ => None,
            })?,
        },
    };
    Some(format!("{}({arguments})", of.as_ident()?.value.to_lowercase()))
}

/// A sign in front of a number belongs to it.
fn unary(operator: UnaryOperator, of: &Expr) -> Option<String> {
    let inside = expression(of)?;
    // `-(5)` is the number as well.
    Some(match operator {
        UnaryOperator::Plus => inside,
        UnaryOperator::Not => format!("(NOT {inside})"),
        UnaryOperator::Minus => match inside.parse::<i128>() {
            Ok(number) => (-number).to_string(),
            Err(_)
                if inside.starts_with(|first: char| first.is_ascii_digit() || first == '.')
                    && inside.parse::<f64>().is_ok() =>
            {
                format!("-{inside}")
            }
            Err(_) => format!("(- {inside})"),
        },
        _ => return None,
    })
}

fn binary(left: &Expr, operator: &BinaryOperator, right: &Expr) -> Option<String> {
    let sign = match operator {
        BinaryOperator::And => return chain(left, right, " AND "),
        BinaryOperator::Or => return chain(left, right, " OR "),
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        BinaryOperator::Spaceship => "<=>",
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        _ => return None,
    };
    Some(format!("({} {sign} {})", expression(left)?, expression(right)?))
}

fn chain(left: &Expr, right: &Expr, word: &str) -> Option<String> {
    fn terms(value: &Expr, word: &str, found: &mut Vec<String>) -> Option<()> {
        match value {
            Expr::Nested(inside) => terms(inside, word, found),
            Expr::BinaryOp { left, op, right }
                if matches!((op, word), (BinaryOperator::And, " AND ") | (BinaryOperator::Or, " OR ")) =>
            {
                terms(left, word, found)?;
                terms(right, word, found)
            }
            other => {
                found.push(expression(other)?);
                Some(())
            }
        }
    }
    let mut found = Vec::new();
    terms(left, word, &mut found)?;
    terms(right, word, &mut found)?;
    Some(format!("({})", found.join(word)))
}
