//! The language: text becomes a [`Statement`], or an error with its place.
//!
//! This file is what the parser makes and the tables read; nothing in here knows what a table does.
//! [`Statements`] yields what a text says; [`prepare`] reads the one statement of a text with its `?`.

mod cluster_prefix;
mod statements;
mod statement;
mod insert;
mod select;
mod set;
mod show;
mod expression;
mod word;
mod literal;
mod text;
mod parser;
mod lexer;
mod mistake;
#[cfg(test)]
mod random;
#[cfg(test)]
mod seen;

pub use cluster_prefix::cluster_prefix;
pub use mistake::SyntaxError;
pub use parser::{EXPRESSION_DEPTH_MAX, PARAMETERS_MAX, PARTS_MAX};
pub use statements::{STATEMENTS_MAX, Statements, parse, prepare};

/// How a text is to be read: what a client can change by SET sql_mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    /// False after NO_BACKSLASH_ESCAPES: a backslash in a string is a letter.
    pub backslash_escapes: bool,
    /// True after ANSI_QUOTES: what stands in double quotes is a name.
    pub ansi_quotes: bool,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect { backslash_escapes: true, ansi_quotes: false }
    }
}

/// A byte offset into the text that was parsed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place(pub u32);

#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    Insert(Insert),
    Select(Select),
    Delete(Delete),
    Update(Update),
    Truncate(TableName),
    Set(Vec<Assignment>),
    Show(Show),
    Describe(Describe),
    Use(Identifier),
    Transaction(Transaction),
    Kill(Kill),
    /// Accepted and without effect: LOCK TABLES, UNLOCK TABLES, FLUSH.
    Nothing,
}

/// A word that names something, without its quotes, as typed. Names are compared without regard to case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identifier {
    pub text: String,
    pub place: Place,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableName {
    pub database: Option<Identifier>,
    pub table: Identifier,
}

/// `name`, `t.name` or `db.t.name`; the database is dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnName {
    pub table: Option<Identifier>,
    pub column: Identifier,
}

/// INSERT, INSERT IGNORE, REPLACE, and INSERT … SET (which becomes columns and one row).
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    pub table: TableName,
    pub verb: InsertVerb,
    /// `None` when the statement lists no columns: the values are all the table's columns in order.
    pub columns: Option<Vec<Identifier>>,
    /// Each row as long as the statement wrote it; whether that fits the columns is the table's business.
    pub rows: Vec<Vec<Expression>>,
    pub on_duplicate: Vec<Change>,
    pub place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InsertVerb {
    Insert,
    InsertIgnore,
    Replace,
}

/// `column = expression`.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    pub column: ColumnName,
    pub value: Expression,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    /// SELECT DISTINCT: equal rows are answered once.
    pub distinct: bool,
    pub items: Vec<Item>,
    /// `None` for SELECT without FROM and for FROM dual.
    pub from: Option<From>,
    pub condition: Option<Expression>,
    pub order: Vec<Order>,
    pub limit: Option<Limit>,
    pub place: Place,
}

/// What a SELECT reads.
#[derive(Clone, PartialEq, Debug)]
pub enum From {
    Table {
        name: TableName,
        alias: Option<Identifier>,
    },
    /// `(SELECT …) AS alias`.
    Select {
        select: Box<Select>,
        alias: Identifier,
    },
}

/// One item of a select list.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// `*` or `t.*`.
    All { table: Option<Identifier>, place: Place },
    One {
        expression: Expression,
        alias: Option<String>,
        /// The item as typed, which names the column when there is no alias.
        text: String,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub by: Expression,
    pub descending: bool,
}

/// MySQL's meaning: skip `offset` rows, then give at most `count`. Parameters are allowed in both places.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    pub offset: Option<Expression>,
    pub count: Expression,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    pub table: TableName,
    pub alias: Option<Identifier>,
    pub condition: Option<Expression>,
    pub order: Vec<Order>,
    pub limit: Option<Limit>,
    pub place: Place,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    pub table: TableName,
    pub alias: Option<Identifier>,
    pub changes: Vec<Change>,
    pub condition: Option<Expression>,
    pub order: Vec<Order>,
    pub limit: Option<Limit>,
    pub place: Place,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Expression {
    Null(Place),
    /// DEFAULT as a value of INSERT.
    Default(Place),
    /// TRUE and FALSE are 1 and 0.
    Integer(i128, Place),
    /// A number with a point or an exponent, as typed.
    Decimal(String, Place),
    Text(Text),
    /// `0x…` and `x'…'`.
    Bytes(Vec<u8>, Place),
    /// The n-th `?`, counted from 0.
    Parameter(usize, Place),
    Column(ColumnName),
    /// `@@name`, `@@session.name`; lower case, without its scope.
    SystemVariable {
        name: String,
        place: Place,
    },
    /// `@name`.
    UserVariable {
        name: String,
        place: Place,
    },
    /// A function of the language: its name in lower case, and its arguments. `count(*)` has none; the second of
    /// CAST(x AS type) and CONVERT(x USING charset) is a text. A function without brackets (CURRENT_USER) is one, too.
    Call {
        function: String,
        arguments: Vec<Expression>,
        place: Place,
    },
    Negative(Box<Expression>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Binary {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    In {
        value: Box<Expression>,
        list: Vec<Expression>,
        negated: bool,
    },
    Between {
        value: Box<Expression>,
        low: Box<Expression>,
        high: Box<Expression>,
        negated: bool,
    },
    Like {
        value: Box<Expression>,
        pattern: Box<Expression>,
        negated: bool,
    },
    IsNull {
        value: Box<Expression>,
        negated: bool,
    },
    /// IS [NOT] TRUE and FALSE: never NULL.
    IsTruth {
        value: Box<Expression>,
        truth: bool,
        negated: bool,
    },
    /// BINARY value: compared letter by letter.
    Exact(Box<Expression>),
    /// Of CASE value WHEN … the value; without it each `when` is a condition.
    Case {
        value: Option<Box<Expression>>,
        branches: Vec<Branch>,
        otherwise: Option<Box<Expression>>,
    },
    /// EXISTS (SELECT …) and a SELECT in brackets as a value.
    Exists(Box<Select>),
    Subquery(Box<Select>),
}

/// WHEN … THEN … of a CASE.
#[derive(Clone, PartialEq, Debug)]
pub struct Branch {
    pub when: Expression,
    pub then: Expression,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    Equal,
    /// `<=>`: NULL equals NULL.
    NullSafeEqual,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A quoted string, kept as it was written between its quotes, because what it means depends on where it
/// stands: see [`Text::mysql`] and [`Text::comet`]. Adjacent strings are joined before they come here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The bytes between the quotes, escapes and doubled quotes untouched.
    pub(crate) raw: String,
    pub(crate) quote: char,
    pub(crate) backslash_escapes: bool,
    pub place: Place,
}

/// One item of a SET list. Values are kept for the few variables that have an effect; NAMES, CHARACTER SET,
/// TRANSACTION … and user variables have none and come as `Ignored`.
#[derive(Clone, PartialEq, Debug)]
pub enum Assignment {
    Variable { name: String, value: Expression, place: Place },
    Ignored,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Show {
    pub subject: ShowSubject,
    /// LIKE 'pattern', as MySQL reads the literal.
    pub like: Option<String>,
    /// WHERE …, on the columns of the answer.
    pub condition: Option<Expression>,
    pub place: Place,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ShowSubject {
    Databases,
    Tables {
        full: bool,
        database: Option<Identifier>,
    },
    TableStatus {
        database: Option<Identifier>,
    },
    Columns {
        full: bool,
        table: TableName,
    },
    Index {
        table: TableName,
    },
    CreateTable(TableName),
    CreateDatabase(Identifier),
    Variables,
    Status(StatusScope),
    Processlist {
        full: bool,
    },
    Warnings,
    Errors,
    Collation,
    CharacterSet,
    Engines,
    Grants,
    /// A subject that MySQL has and that is always empty here: its words in lower case, such as `triggers`,
    /// `function status`, `open tables`.
    Empty(String),
}

/// The word before STATUS. The original knew more of them than MySQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusScope {
    Session,
    Global,
    Filesystem,
    Ram,
    Average,
    Uptime,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Describe {
    pub table: TableName,
    pub column: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transaction {
    Begin,
    Commit,
    Rollback,
    /// SAVEPOINT, RELEASE SAVEPOINT and ROLLBACK TO: the transaction stays as it is.
    Savepoint,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Kill {
    pub query_only: bool,
    pub id: Expression,
}
