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
            "tables" => ShowSubject::Tables { full, database: self.database_clause()? },
            "table" => {
                self.expect_word("STATUS")?;
                ShowSubject::TableStatus { database: self.database_clause()? }
            }
            "columns" | "fields" => ShowSubject::Columns { full, table: self.table_clause()? },
            "index" | "indexes" | "keys" => ShowSubject::Index { table: self.table_clause()? },
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

    fn database_clause(&mut self) -> Parsed<Option<Identifier>> {
        if !self.skip_words(&["FROM", "IN"]) {
            return Ok(None);
        }
        self.name("the name of a database").map(Some)
    }

    /// `FROM t`, `FROM db.t`, `FROM t FROM db`.
    fn table_clause(&mut self) -> Parsed<TableName> {
        if !self.skip_words(&["FROM", "IN"]) {
            return Err(self.expected("FROM and the name of a table"));
        }
        let mut table = self.table_name()?;
        if let Some(database) = self.database_clause()? {
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

#[cfg(test)]
mod tests {
    use super::super::{Dialect, parse};

    #[test]
    fn subjects_are_told_with_their_clauses() {
        for (text, expected) in [
            ("SHOW FULL TABLES FROM `db` LIKE 'a\\_%'", "Tables true db like a\\_%"),
            ("SHOW COLUMNS FROM t FROM d WHERE Field = 'x'", "Columns false d.t where"),
            ("SHOW FULL FIELDS IN d.t", "Columns true d.t"),
            ("SHOW EXTENDED KEYS FROM t", "Index t"),
            ("SHOW FUNCTION STATUS WHERE Db = 'x'", "Empty function status where"),
            ("SHOW OPEN TABLES FROM db LIKE 'x'", "Empty open tables like x"),
            ("SHOW AVG STATUS", "Status Average"),
            ("SHOW CREATE TABLE IF NOT EXISTS d.t", "CreateTable d.t"),
        ] {
            let statement = parse(text, Dialect::default()).unwrap().remove(0);
            assert_eq!(told(&statement), expected, "{text}");
        }
    }

    fn told(statement: &super::Statement) -> String {
        use super::ShowSubject::*;
        let super::Statement::Show(show) = statement else { panic!("{statement:?}") };
        let name = |table: &super::TableName| match &table.database {
            Some(database) => format!("{}.{}", database.text, table.table.text),
            None => table.table.text.clone(),
        };
        let mut told = match &show.subject {
            Tables { full, database } => format!("Tables {full} {}", database.as_ref().map_or("", |name| &name.text)),
            Columns { full, table } => format!("Columns {full} {}", name(table)),
            Index { table } => format!("Index {}", name(table)),
            CreateTable(table) => format!("CreateTable {}", name(table)),
            Empty(words) => format!("Empty {words}"),
            Status(scope) => format!("Status {scope:?}"),
            other => format!("{other:?}"),
        };
        if let Some(like) = &show.like {
            told += &format!(" like {like}");
        }
        if show.condition.is_some() {
            told += " where";
        }
        told
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        const SUBJECT: &str = "expected what to show (DATABASES, TABLES, COLUMNS, STATUS, VARIABLES, …), found";
        for (text, expected) in [
            ("SHOW", format!("{SUBJECT} the end of the text at line 1, column 5")),
            ("SHOW TABELS", format!("{SUBJECT} \"TABELS\" at line 1, column 6")),
            ("SHOW TABLES LIKE x", "expected a pattern in quotes after LIKE, found \"x\" at line 1, column 18".into()),
            ("SHOW COLUMNS t", "expected FROM and the name of a table, found \"t\" at line 1, column 14".into()),
            ("EXPLAIN SELECT 1", "EXPLAIN SELECT is not supported at line 1, column 9".into()),
            ("SHOW TABLES x", "expected the end of the statement, found \"x\" at line 1, column 13".into()),
        ] {
            assert_eq!(parse(text, Dialect::default()).map_err(|error| error.message), Err(expected), "{text}");
        }
    }
}
