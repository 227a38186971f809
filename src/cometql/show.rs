//! SHOW, DESCRIBE and HELP.

use super::lexer::Kind;
use super::mistake::Parsed;
use super::parser::Parser;
use super::{Describe, Identifier, Show, ShowSubject, Statement, StatusScope, TableName};

/// Subjects that have no rows here, longest first where one begins another.
const EMPTY: &[&[&str]] = &[
    &["TRIGGERS"],
    &["EVENTS"],
    &["PLUGINS"],
    &["PRIVILEGES"],
    &["PROFILES"],
    &["PROFILE"],
    &["FUNCTION", "STATUS"],
    &["PROCEDURE", "STATUS"],
    &["PACKAGE", "STATUS"],
    &["PACKAGE", "BODY", "STATUS"],
    &["OPEN", "TABLES"],
    &["MASTER", "STATUS"],
    &["MASTER", "LOGS"],
    &["BINARY", "LOG", "STATUS"],
    &["BINARY", "LOGS"],
    &["BINLOG", "EVENTS"],
    &["BINLOG", "STATUS"],
    &["RELAYLOG", "EVENTS"],
    &["SLAVE", "STATUS"],
    &["SLAVE", "HOSTS"],
    &["ALL", "SLAVES", "STATUS"],
    &["REPLICA", "STATUS"],
    &["REPLICAS"],
    &["ENGINE"],
    &["CREATE", "VIEW"],
    &["CREATE", "TRIGGER"],
    &["CREATE", "PROCEDURE"],
    &["CREATE", "FUNCTION"],
    &["CREATE", "EVENT"],
    &["CREATE", "USER"],
];

impl Parser<'_> {
    pub fn show(&mut self) -> Parsed<Show> {
        let place = self.next().place();
        let subject = self.show_subject()?;
        let mut show = Show { subject, like: None, condition: None, place };
        if self.skip_word("LIKE") {
            if !matches!(self.token.kind, Kind::Text(_)) {
                return Err(self.expected("a pattern in quotes after LIKE"));
            }
            show.like = Some(self.string().mysql());
        }
        let clauses = self.clauses()?;
        show.condition = clauses.condition;
        Ok(show)
    }

    fn show_subject(&mut self) -> Parsed<ShowSubject> {
        if let Some(words) = self.skip_empty_subject() {
            return self.empty_subject(&words);
        }
        self.skip_word("EXTENDED");
        if let Some(scope) = self.status_scope() {
            return Ok(if self.skip_word("VARIABLES") {
                ShowSubject::Variables
            } else {
                self.expect_word("STATUS")?;
                ShowSubject::Status(scope)
            });
        }
        let full = self.skip_word("FULL");
        let subject = self.token;
        if subject.kind != Kind::Word {
            return Err(self.no_subject());
        }
        self.next();
        Ok(match subject.text.to_ascii_lowercase().as_str() {
            "databases" | "schemas" => ShowSubject::Databases,
            "tables" => ShowSubject::Tables { full, database: self.from_database()? },
            "table" => {
                self.expect_word("STATUS")?;
                ShowSubject::TableStatus { database: self.from_database()? }
            }
            "columns" | "fields" => ShowSubject::Columns { full, table: self.from_table()? },
            "index" | "indexes" | "keys" => ShowSubject::Index { table: self.from_table()? },
            "create" => self.show_create()?,
            "variables" => ShowSubject::Variables,
            "status" => ShowSubject::Status(StatusScope::Session),
            "processlist" => ShowSubject::Processlist { full },
            "warnings" => ShowSubject::Warnings,
            "errors" => ShowSubject::Errors,
            "collation" => ShowSubject::Collation,
            "charset" => ShowSubject::CharacterSet,
            "character" | "char" => {
                self.expect_word("SET")?;
                ShowSubject::CharacterSet
            }
            "engines" => ShowSubject::Engines,
            "storage" => {
                self.expect_word("ENGINES")?;
                ShowSubject::Engines
            }
            "grants" => {
                if self.skip_word("FOR") {
                    self.skip_statement()?;
                }
                ShowSubject::Grants
            }
            _ => {
                // The place of the mistake is the subject itself.
                let mut mistake = self.no_subject_called(subject.text);
                mistake.at = subject.start;
                return Err(mistake);
            }
        })
    }

    fn no_subject(&self) -> super::mistake::Mistake {
        self.expected("what to show (DATABASES, TABLES, COLUMNS, STATUS, VARIABLES, …)")
    }

    fn no_subject_called(&self, name: &str) -> super::mistake::Mistake {
        let name: String = name.chars().take(24).collect();
        self.mistake(format!(
            "expected what to show (DATABASES, TABLES, COLUMNS, STATUS, VARIABLES, …), found {name:?}"
        ))
    }

    /// The word in front of STATUS or VARIABLES.
    fn status_scope(&mut self) -> Option<StatusScope> {
        let scope = match self.token {
            token if token.is_one_of(&["SESSION", "LOCAL"]) => StatusScope::Session,
            token if token.is("GLOBAL") => StatusScope::Global,
            token if token.is("FILESYSTEM") => StatusScope::Filesystem,
            token if token.is("RAM") => StatusScope::Ram,
            token if token.is("AVG") => StatusScope::Average,
            token if token.is("UPTIME") => StatusScope::Uptime,
            _ => return None,
        };
        self.next();
        Some(scope)
    }

    fn skip_empty_subject(&mut self) -> Option<String> {
        for words in EMPTY {
            let mut ahead = *self;
            if words.iter().all(|word| ahead.skip_word(word)) {
                *self = ahead;
                return Some(words.join(" ").to_ascii_lowercase());
            }
        }
        None
    }

    /// FROM, LIKE and WHERE narrow what is empty anyway; other words are passed over up to there.
    fn empty_subject(&mut self, words: &str) -> Parsed<ShowSubject> {
        while !self.at_end() && !self.token.is_one_of(&["LIKE", "WHERE", "LIMIT"]) {
            self.skip_any()?;
        }
        Ok(ShowSubject::Empty(words.to_owned()))
    }

    fn show_create(&mut self) -> Parsed<ShowSubject> {
        let table = self.skip_word("TABLE");
        if !table && !self.skip_words(&["DATABASE", "SCHEMA"]) {
            return Err(self.expected("TABLE or DATABASE after SHOW CREATE"));
        }
        if self.token.is("IF") && self.second().is("NOT") {
            self.next();
            self.next();
            self.expect_word("EXISTS")?;
        }
        if table {
            return self.table_name().map(ShowSubject::CreateTable);
        }
        self.name("the name of a database").map(ShowSubject::CreateDatabase)
    }

    fn from_database(&mut self) -> Parsed<Option<Identifier>> {
        if !self.skip_words(&["FROM", "IN"]) {
            return Ok(None);
        }
        self.name("the name of a database").map(Some)
    }

    /// `FROM t`, `FROM db.t`, `FROM t FROM db`.
    fn from_table(&mut self) -> Parsed<TableName> {
        if !self.skip_words(&["FROM", "IN"]) {
            return Err(self.expected("FROM and the name of a table"));
        }
        let mut table = self.table_name()?;
        if let Some(database) = self.from_database()? {
            table.database = Some(database);
        }
        Ok(table)
    }

    /// DESCRIBE, DESC, and EXPLAIN where it means the same.
    pub fn describe(&mut self) -> Parsed<Statement> {
        const STATEMENTS: &[&str] =
            &["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "ANALYZE", "EXTENDED", "PARTITIONS", "FORMAT"];
        let verb = self.next();
        if self.token.is_one_of(STATEMENTS) && self.second().kind != Kind::Dot {
            let what = format!("{} {}", verb.text.to_ascii_uppercase(), self.token.text.to_ascii_uppercase());
            return Err(self.unsupported(&what));
        }
        let table = self.table_name()?;
        let column = if self.at_end() { None } else { Some(self.name("the name of a column")?.text) };
        Ok(Statement::Describe(Describe { table, column }))
    }

    /// There is a manual, but not in here.
    pub fn help(&mut self) -> Parsed<Show> {
        let place = self.next().place();
        self.skip_statement()?;
        Ok(Show { subject: ShowSubject::Empty("help".into()), like: None, condition: None, place })
    }
}
