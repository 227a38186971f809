//! The first word of a statement decides what is parsed; here are also the statements that are a line long.

use super::lexer::Kind;
use super::mistake::{Mistake, Parsed};
use super::parser::Parser;
use super::{Delete, Kill, Statement, Transaction, Update};

impl Parser<'_> {
    pub fn statement(&mut self) -> Parsed<Statement> {
        let token = self.token;
        let first: &str = if token.kind == Kind::Word { token.text } else { "" };
        let is = |keyword: &str| first.eq_ignore_ascii_case(keyword);
        match first.len() {
            6 if is("INSERT") => self.insert().map(Statement::Insert),
            6 if is("SELECT") => self.select().map(Statement::Select),
            3 if is("SET") => self.set(),
            6 if is("DELETE") => self.delete(),
            7 if is("REPLACE") => self.insert().map(Statement::Insert),
            6 if is("UPDATE") => self.update(),
            4 if is("SHOW") => self.show().map(Statement::Show),
            8 if is("DESCRIBE") => self.describe(),
            4 if is("DESC") => self.describe(),
            7 if is("EXPLAIN") => self.describe(),
            4 if is("HELP") => self.help().map(Statement::Show),
            5 if is("BEGIN") => self.begin(),
            5 if is("START") => self.start(),
            6 if is("COMMIT") => self.commit(),
            8 if is("ROLLBACK") => self.rollback(),
            9 if is("SAVEPOINT") => self.savepoint(),
            7 if is("RELEASE") => self.release(),
            3 if is("USE") => self.use_database(),
            8 if is("TRUNCATE") => self.truncate(),
            4 if is("KILL") => self.kill(),
            4 if is("LOCK") => self.nothing(),
            6 if is("UNLOCK") => self.nothing(),
            5 if is("FLUSH") => self.nothing(),
            _ => Err(self.no_statement()),
        }
    }

    /// After a statement there is its `;` or the end.
    pub fn expect_end(&self) -> Parsed<()> {
        if self.at_end() {
            return Ok(());
        }
        self.expect_no_clause()?;
        Err(self.expected("the end of the statement"))
    }

    /// Where MySQL would go on with something that is not here, it is refused by its name.
    pub fn expect_no_clause(&self) -> Parsed<()> {
        const UNSUPPORTED: &[(&str, &str)] = &[
            ("GROUP", "GROUP BY"),
            ("HAVING", "HAVING"),
            ("UNION", "UNION"),
            ("JOIN", "JOIN"),
            ("INNER", "JOIN"),
            ("LEFT", "JOIN"),
            ("RIGHT", "JOIN"),
            ("CROSS", "JOIN"),
            ("NATURAL", "JOIN"),
            ("STRAIGHT_JOIN", "JOIN"),
            ("INTO", "SELECT … INTO"),
            ("RETURNING", "RETURNING"),
            ("REGEXP", "REGEXP"),
            ("RLIKE", "RLIKE"),
            ("XOR", "XOR"),
            ("DIV", "DIV"),
            ("USE", "an index hint"),
            ("FORCE", "an index hint"),
            ("WINDOW", "WINDOW"),
        ];
        match UNSUPPORTED.iter().find(|(keyword, _)| self.token.is(keyword)) {
            Some((_, what)) => Err(self.unsupported(what)),
            None => Ok(()),
        }
    }

    /// Says of which kind a statement is that MySQL would know.
    fn no_statement(&self) -> Mistake {
        const KNOWN: &[&str] = &[
            "DO",
            "CALL",
            "CREATE",
            "DROP",
            "ALTER",
            "RENAME",
            "LOAD",
            "GRANT",
            "REVOKE",
            "HANDLER",
            "PREPARE",
            "EXECUTE",
            "DEALLOCATE",
            "ANALYZE",
            "OPTIMIZE",
            "CHECK",
            "CHECKSUM",
            "REPAIR",
            "XA",
            "RESET",
            "PURGE",
            "CHANGE",
            "STOP",
            "INSTALL",
            "UNINSTALL",
            "WITH",
            "TABLE",
            "VALUES",
            "SIGNAL",
            "BINLOG",
            "CACHE",
            "IMPORT",
            "CLONE",
            "SHUTDOWN",
            "RESTART",
            "DECLARE",
            "END",
        ];
        if self.token.is_one_of(KNOWN) {
            return self.unsupported(&format!("a {} statement", self.token.text.to_ascii_uppercase()));
        }
        if self.token.kind == Kind::Open {
            return self.unsupported("a statement in brackets");
        }
        self.expected("a statement (INSERT, SELECT, DELETE, UPDATE, SHOW, SET, …)")
    }

    fn delete(&mut self) -> Parsed<Statement> {
        let place = self.next().place();
        while self.skip_words(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {}
        self.expect_word("FROM")?;
        let table = self.table_name()?;
        let alias = self.alias()?;
        if matches!(self.token.kind, Kind::Comma) || self.token.is("USING") {
            return Err(self.unsupported("DELETE from more than one table"));
        }
        let clauses = self.clauses()?;
        Ok(Statement::Delete(Delete {
            table,
            alias,
            condition: clauses.condition,
            order: clauses.order,
            limit: clauses.limit,
            place,
        }))
    }

    fn update(&mut self) -> Parsed<Statement> {
        let place = self.next().place();
        while self.skip_words(&["LOW_PRIORITY", "IGNORE"]) {}
        let table = self.table_name()?;
        let alias = self.alias()?;
        if self.token.kind == Kind::Comma {
            return Err(self.unsupported("UPDATE of more than one table"));
        }
        self.expect_no_clause()?;
        self.expect_word("SET")?;
        let changes = self.changes()?;
        let clauses = self.clauses()?;
        Ok(Statement::Update(Update {
            table,
            alias,
            changes,
            condition: clauses.condition,
            order: clauses.order,
            limit: clauses.limit,
            place,
        }))
    }

    fn truncate(&mut self) -> Parsed<Statement> {
        self.next();
        self.skip_word("TABLE");
        self.table_name().map(Statement::Truncate)
    }

    fn use_database(&mut self) -> Parsed<Statement> {
        self.next();
        self.name("the name of a database").map(Statement::Use)
    }

    fn begin(&mut self) -> Parsed<Statement> {
        self.next();
        self.skip_word("WORK");
        Ok(Statement::Transaction(Transaction::Begin))
    }

    /// Neither READ ONLY nor WITH CONSISTENT SNAPSHOT changes anything here.
    fn start(&mut self) -> Parsed<Statement> {
        self.next();
        self.expect_word("TRANSACTION")?;
        while self.skip_words(&["WITH", "CONSISTENT", "SNAPSHOT", "READ", "ONLY", "WRITE"]) || self.skip(Kind::Comma) {}
        Ok(Statement::Transaction(Transaction::Begin))
    }

    fn commit(&mut self) -> Parsed<Statement> {
        self.next();
        self.skip_completion();
        Ok(Statement::Transaction(Transaction::Commit))
    }

    /// ROLLBACK TO keeps the transaction open, so it is no rollback.
    fn rollback(&mut self) -> Parsed<Statement> {
        self.next();
        self.skip_word("WORK");
        if self.skip_word("TO") {
            if self.token.is("SAVEPOINT") && !matches!(self.second().kind, Kind::End | Kind::Semicolon) {
                self.next();
            }
            self.name("the name of a savepoint")?;
            return Ok(Statement::Transaction(Transaction::Savepoint));
        }
        self.skip_completion();
        Ok(Statement::Transaction(Transaction::Rollback))
    }

    /// WORK AND NO CHAIN NO RELEASE
    fn skip_completion(&mut self) {
        while self.skip_words(&["WORK", "AND", "NO", "CHAIN", "RELEASE"]) {}
    }

    fn savepoint(&mut self) -> Parsed<Statement> {
        self.next();
        self.name("the name of a savepoint")?;
        Ok(Statement::Transaction(Transaction::Savepoint))
    }

    fn release(&mut self) -> Parsed<Statement> {
        self.next();
        self.expect_word("SAVEPOINT")?;
        self.name("the name of a savepoint")?;
        Ok(Statement::Transaction(Transaction::Savepoint))
    }

    fn kill(&mut self) -> Parsed<Statement> {
        self.next();
        self.skip_words(&["HARD", "SOFT"]);
        let query_only = self.skip_word("QUERY");
        if !query_only {
            self.skip_word("CONNECTION");
        }
        Ok(Statement::Kill(Kill { query_only, id: self.expression()? }))
    }

    fn nothing(&mut self) -> Parsed<Statement> {
        self.skip_statement()?;
        Ok(Statement::Nothing)
    }
}
