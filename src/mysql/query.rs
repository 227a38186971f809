//! COM_QUERY: a text of statements, each answered in turn, its rows as the client takes them.

use std::vec;

use mysql_common::constants::StatusFlags;

use crate::cometql::{Dialect, Statement, Statements, SyntaxError, cluster_prefix};
use crate::tables::{Column, Done, Pages, Reply, Rows, SqlError, Value};

use super::connection::{Connection, Failure};
use super::fields::put_length;
use super::{binary, reply};

/// How values are written into rows.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Text,
    Binary,
}

/// Rows one after the other, the next page read when the last has gone.
pub(super) struct RowSource {
    page: vec::IntoIter<Vec<Value>>,
    more: Option<Box<dyn Pages>>,
}

impl RowSource {
    pub(super) fn new(rows: Vec<Vec<Value>>, more: Option<Box<dyn Pages>>) -> RowSource {
        RowSource { page: rows.into_iter(), more }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, SqlError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row));
            }
            let Some(more) = &mut self.more else { return Ok(None) };
            let page = more.next().await?;
            if page.is_empty() {
                self.more = None;
            }
            self.page = page.into_iter();
        }
    }

    /// Whether the last row has gone; reads a page if need be.
    pub(super) async fn is_over(&mut self) -> Result<bool, SqlError> {
        while self.page.as_slice().is_empty() {
            let Some(more) = &mut self.more else { return Ok(true) };
            let page = more.next().await?;
            if page.is_empty() {
                self.more = None;
            }
            self.page = page.into_iter();
        }
        Ok(false)
    }
}

impl Connection {
    /// Answers a text, which may begin with the cluster prefix: then it is run for another tenant.
    pub(super) async fn query(&mut self, text: &[u8]) -> Result<(), Failure> {
        let text = utf8(text, "the text")?;
        self.begins("Query", text);
        let Some((tenant, statements)) = cluster_prefix(text) else { return self.run_all(text).await };
        let own = self.caller()?.speak_for(tenant)?;
        let outcome = self.run_all(statements).await;
        self.caller()?.speak_for_own(own);
        outcome
    }

    /// Answers every statement of a text; the first error ends it.
    async fn run_all(&mut self, text: &str) -> Result<(), Failure> {
        let dialect = self.dialect()?;
        let mut statements = Statements::new(text, dialect);
        let mut next = statements.next();
        if next.is_none() {
            // Blanks and comments are a statement that does nothing.
            self.ok(&Done::default());
        }
        while let Some(statement) = next {
            let statement = statement.map_err(|error| syntax(&error))?;
            next = statements.next();
            if next.is_some() && !self.multi_statements {
                return Err(SqlError::new(
                    3,
                    "42000",
                    "there is a second statement behind the first, and the client has not asked for several \
                     (CLIENT_MULTI_STATEMENTS): send them one by one, or switch multi statements on in the driver",
                )
                .into());
            }
            self.run_text(&statement, next.is_some()).await?;
        }
        Ok(())
    }

    async fn run_text(&mut self, statement: &Statement, more: bool) -> Result<(), Failure> {
        self.node.status().statement();
        let reply = self.caller()?.run(statement, &[]).await?;
        self.reply(reply, Form::Text, more).await
    }

    /// Sends an answer; `more` says that another follows.
    pub(super) async fn reply(&mut self, reply: Reply, form: Form, more: bool) -> Result<(), Failure> {
        let mut status = self.status();
        status.set(StatusFlags::SERVER_MORE_RESULTS_EXISTS, more);
        match reply {
            Reply::Done(done) => {
                let warnings = self.warnings();
                self.stream.replies.packet(|out| reply::ok(out, &done, status, warnings));
                self.stream.flush_if_much().await?;
                Ok(())
            }
            Reply::Rows(Rows { columns, rows, more }) => {
                self.definitions(&columns, status);
                let mut rows = RowSource::new(rows, more);
                while let Some(row) = rows.next().await? {
                    self.row(&columns, &row, form);
                    self.stream.flush_if_much().await?;
                }
                let (warnings, manner) = (self.warnings(), self.manner);
                self.stream.replies.packet(|out| reply::rows_end(out, status, warnings, manner));
                Ok(())
            }
        }
    }

    /// How many columns there are, and what they are.
    pub(super) fn definitions(&mut self, columns: &[Column], status: StatusFlags) {
        let manner = self.manner;
        let replies = &mut self.stream.replies;
        replies.packet(|out| put_length(out, columns.len() as u64));
        for column in columns {
            replies.packet(|out| reply::column(out, column, manner));
        }
        if !manner.deprecates_eof {
            replies.packet(|out| reply::eof(out, status, 0));
        }
    }

    pub(super) fn row(&mut self, columns: &[Column], row: &[Value], form: Form) {
        self.stream.replies.packet(|out| match form {
            Form::Text => reply::text_row(out, row),
            Form::Binary => binary::row(out, columns, row),
        });
    }

    /// How the client writes its texts now.
    pub(super) fn dialect(&mut self) -> Result<Dialect, SqlError> {
        Ok(self.caller()?.dialect())
    }
}

pub(super) fn syntax(error: &SyntaxError) -> SqlError {
    SqlError::new(3, "42000", error.to_string())
}

/// The bytes as text, or error 1300 with the place of the first that is not UTF-8; `what` they are.
pub(super) fn utf8<'t>(bytes: &'t [u8], what: &str) -> Result<&'t str, SqlError> {
    str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        let byte = bytes.get(place).copied().unwrap_or_default();
        let message = format!("Invalid utf8mb4 character string: byte {place} of {what} is 0x{byte:02X}");
        SqlError::new(1300, "HY000", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf_8_is_refused_with_its_place() {
        assert_eq!(utf8("п".as_bytes(), "the text"), Ok("п"));
        let error = utf8(b"SELECT '\xE9'", "the text").expect_err("Latin-1 is no UTF-8");
        assert_eq!((error.code, error.state), (1300, "HY000"));
        assert_eq!(error.message, "Invalid utf8mb4 character string: byte 8 of the text is 0xE9");
    }
}
