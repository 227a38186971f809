//! A statement as text again, with every bracket: two statements that print the same mean the same.

use cometql::cometql::{
    Assignment, Change, ColumnName, Expression, From, Identifier, Insert, InsertVerb, Item, Limit, Operator, Order,
    Select, Statement, TableName,
};

pub fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Insert(insert) => of_insert(insert),
        Statement::Select(select) => of_select(select),
        Statement::Delete(delete) => {
            let tail = clauses(delete.condition.as_ref(), &delete.order, delete.limit.as_ref());
            format!("DELETE FROM {}{}{tail}", table(&delete.table), alias(delete.alias.as_ref()))
        }
        Statement::Update(update) => {
            let tail = clauses(update.condition.as_ref(), &update.order, update.limit.as_ref());
            let (table, alias) = (table(&update.table), alias(update.alias.as_ref()));
            format!("UPDATE {table}{alias} SET {}{tail}", changes(&update.changes))
        }
        Statement::Set(assignments) => format!("SET {}", list(assignments, assignment)),
        other => panic!("the generator does not write {other:?}"),
    }
}

fn of_insert(insert: &Insert) -> String {
    let verb = match insert.verb {
        InsertVerb::Insert => "INSERT",
        InsertVerb::InsertIgnore => "INSERT IGNORE",
        InsertVerb::Replace => "REPLACE",
    };
    let columns = insert.columns.as_ref();
    let columns = columns.map(|columns| format!(" ({})", list(columns, |column| name(&column.text))));
    let rows = list(&insert.rows, |row| format!("({})", list(row, expression)));
    let mut text = format!("{verb} INTO {}{} VALUES {rows}", table(&insert.table), columns.unwrap_or_default());
    if !insert.on_duplicate.is_empty() {
        text += &format!(" ON DUPLICATE KEY UPDATE {}", changes(&insert.on_duplicate));
    }
    text
}

pub fn of_select(select: &Select) -> String {
    let distinct = if select.distinct { "DISTINCT " } else { "" };
    let from = match &select.from {
        None => String::new(),
        Some(From::Table { name, alias: called }) => format!(" FROM {}{}", table(name), alias(called.as_ref())),
        Some(From::Select { select, alias: called }) => {
            format!(" FROM ({}){}", of_select(select), alias(Some(called)))
        }
    };
    let tail = clauses(select.condition.as_ref(), &select.order, select.limit.as_ref());
    format!("SELECT {distinct}{}{from}{tail}", list(&select.items, item))
}

fn item(item: &Item) -> String {
    match item {
        Item::All { table: None, .. } => "*".to_owned(),
        Item::All { table: Some(table), .. } => format!("{}.*", name(&table.text)),
        Item::One { expression: value, alias: None, .. } => expression(value),
        Item::One { expression: value, alias: Some(alias), .. } => format!("{} AS {}", expression(value), name(alias)),
    }
}

fn clauses(condition: Option<&Expression>, order: &[Order], limit: Option<&Limit>) -> String {
    let mut text = String::new();
    if let Some(condition) = condition {
        text += &format!(" WHERE {}", expression(condition));
    }
    if !order.is_empty() {
        let one = |order: &Order| format!("{}{}", expression(&order.by), if order.descending { " DESC" } else { "" });
        text += &format!(" ORDER BY {}", list(order, one));
    }
    match limit {
        None => {}
        Some(Limit { offset: None, count }) => text += &format!(" LIMIT {}", expression(count)),
        Some(Limit { offset: Some(offset), count }) => {
            text += &format!(" LIMIT {}, {}", expression(offset), expression(count));
        }
    }
    text
}

fn changes(changes: &[Change]) -> String {
    list(changes, |change| format!("{} = {}", column(&change.column), expression(&change.value)))
}

fn assignment(assignment: &Assignment) -> String {
    match assignment {
        Assignment::Variable { name: set, value, .. } => format!("{} = {}", name(set), expression(value)),
        Assignment::Ignored => "NAMES utf8mb4".to_owned(),
    }
}

pub fn list<T>(list: &[T], print: impl Fn(&T) -> String) -> String {
    list.iter().map(print).collect::<Vec<_>>().join(", ")
}

pub fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub fn hexadecimal(digits: &str) -> String {
    if digits.is_empty() { "x''".to_owned() } else { format!("0x{}", digits.to_lowercase()) }
}

fn table(table: &TableName) -> String {
    let database = table.database.as_ref().map(|database| format!("{}.", name(&database.text)));
    database.unwrap_or_default() + &name(&table.table.text)
}

fn alias(alias: Option<&Identifier>) -> String {
    alias.map(|alias| format!(" AS {}", name(&alias.text))).unwrap_or_default()
}

fn column(column: &ColumnName) -> String {
    let table = column.table.as_ref().map(|table| format!("{}.", name(&table.text)));
    table.unwrap_or_default() + &name(&column.column.text)
}

pub fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

pub fn expression(value: &Expression) -> String {
    match value {
        Expression::Null(_) => "NULL".to_owned(),
        Expression::Default(_) => "DEFAULT".to_owned(),
        Expression::Integer(number, _) => number.to_string(),
        Expression::Decimal(number, _) => number.clone(),
        Expression::Text(text) => string(&text.mysql()),
        Expression::Bytes(bytes, _) => hexadecimal(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Expression::Parameter(..) => "?".to_owned(),
        Expression::Column(name) => column(name),
        Expression::SystemVariable { name, .. } => format!("@@{name}"),
        Expression::UserVariable { name, .. } => format!("@{name}"),
        Expression::Call { function, arguments, .. } => match (function.as_str(), &arguments[..]) {
            ("cast", [value, Expression::Text(of)]) => {
                format!("cast({} AS {})", expression(value), of.mysql().to_lowercase())
            }
            _ => format!("{function}({})", list(arguments, expression)),
        },
        Expression::Negative(value) => format!("(- {})", expression(value)),
        Expression::Not(value) => format!("(NOT {})", expression(value)),
        Expression::And(..) => chain(value, " AND "),
        Expression::Or(..) => chain(value, " OR "),
        Expression::Binary { operator, left, right } => {
            format!("({} {} {})", expression(left), sign(*operator), expression(right))
        }
        Expression::In { value, list: values, negated } => in_list(&expression(value), *negated, values),
        Expression::Between { value, low, high, negated } => {
            let (value, low, high) = (expression(value), expression(low), expression(high));
            format!("({value} {}BETWEEN {low} AND {high})", not(*negated))
        }
        Expression::Like { value, pattern, negated } => {
            format!("({} {}LIKE {})", expression(value), not(*negated), expression(pattern))
        }
        Expression::IsNull { value, negated } => format!("({} IS {}NULL)", expression(value), not(*negated)),
        Expression::IsTruth { value, truth, negated } => {
            format!("({} IS {}{})", expression(value), not(*negated), if *truth { "TRUE" } else { "FALSE" })
        }
        Expression::Exact(value) => format!("(BINARY {})", expression(value)),
        Expression::Case { value, branches, otherwise } => {
            let value = value.as_ref().map(|value| format!(" {}", expression(value))).unwrap_or_default();
            let branch = |(when, then)| format!(" WHEN {} THEN {}", expression(when), expression(then));
            let branches: String = branches.iter().map(|of| branch((&of.when, &of.then))).collect();
            let otherwise = otherwise.as_ref().map(|value| format!(" ELSE {}", expression(value)));
            format!("CASE{value}{branches}{} END", otherwise.unwrap_or_default())
        }
        Expression::Exists(select) => format!("exists({})", of_select(select)),
        Expression::Subquery(select) => format!("({})", of_select(select)),
    }
}

fn in_list(value: &str, negated: bool, values: &[Expression]) -> String {
    match values {
        [Expression::Subquery(select)] => format!("({value} {}IN ({}))", not(negated), of_select(select)),
        values => format!("({value} {}IN ({}))", not(negated), list(values, expression)),
    }
}

/// However a chain of ANDs or ORs is put together, it is one.
fn chain(value: &Expression, word: &str) -> String {
    fn terms<'e>(value: &'e Expression, word: &str, found: &mut Vec<&'e Expression>) {
        match (value, word) {
            (Expression::And(left, right), " AND ") | (Expression::Or(left, right), " OR ") => {
                terms(left, word, found);
                terms(right, word, found);
            }
            (other, _) => found.push(other),
        }
    }
    let mut found = Vec::new();
    terms(value, word, &mut found);
    format!("({})", found.into_iter().map(expression).collect::<Vec<_>>().join(word))
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::NullSafeEqual => "<=>",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
    }
}
