//! The commands of prepared statements.

use bytes::BufMut;
use mysql_common::constants::StatusFlags;

use crate::cometql;
use crate::tables::{Done, Reply, SqlError};

use super::connection::{Connection, Failure};
use super::execute;
use super::prepared::Cursor;
use super::query::{Form, RowSource, syntax, utf8};
use super::reply;

impl Connection {
    /// COM_STMT_PREPARE.
    pub(super) fn prepare(&mut self, text: &[u8]) -> Result<(), Failure> {
        let text = utf8(text, "the text")?;
        let dialect = self.dialect()?;
        let (statement, parameters) = cometql::prepare(text, dialect).map_err(|error| syntax(&error))?;
        let columns = self.caller()?.columns(&statement)?;
        let too_many =
            |_| SqlError::new(1390, "HY000", "Prepared statement contains too many placeholders: 65535 at most");
        let parameter_count = u16::try_from(parameters).map_err(too_many)?;
        let column_count = u16::try_from(columns.len()).map_err(too_many)?;
        let id = self.prepared.add(statement, parameters, text)?;
        let (manner, status) = (self.manner, self.status());
        let replies = &mut self.stream.replies;
        replies.packet(|out| {
            out.put_u8(0);
            out.put_u32_le(id);
            out.put_u16_le(column_count);
            out.put_u16_le(parameter_count);
            out.put_bytes(0, 3);
        });
        for _ in 0..parameters {
            replies.packet(|out| reply::parameter(out, manner));
        }
        if parameters > 0 && !manner.deprecates_eof {
            replies.packet(|out| reply::eof(out, status, 0));
        }
        for column in &columns {
            replies.packet(|out| reply::column(out, column, manner));
        }
        if !columns.is_empty() && !manner.deprecates_eof {
            replies.packet(|out| reply::eof(out, status, 0));
        }
        Ok(())
    }

    /// COM_STMT_EXECUTE.
    pub(super) async fn execute(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let malformed = |_| SqlError::new(1835, "HY000", "Malformed communication packet.");
        let mut execute = execute::parse(payload).map_err(malformed)?;
        let long_data = self.prepared.take_long_data(execute.statement);
        self.prepared.get(execute.statement, "mysqld_stmt_execute")?.cursor = None;
        self.begins_prepared("Execute", execute.statement);
        let prepared = self.prepared.get(execute.statement, "mysqld_stmt_execute")?;
        if let Some(refused) = long_data.refused {
            return Err(refused.into());
        }
        let values = execute::values(&mut execute.values, prepared.parameters, &mut prepared.types, &long_data)?;
        drop(long_data);
        self.node.status().statement();
        let caller = self.caller.as_mut().ok_or_else(|| self.client.denied())?;
        let prepared = self.prepared.get(execute.statement, "mysqld_stmt_execute")?;
        let answer = caller.run(&prepared.statement, &values).await?;
        match answer {
            Reply::Rows(rows) if execute.wants_cursor => {
                self.prepared.may_open_cursor()?;
                let status = self.status() | StatusFlags::SERVER_STATUS_CURSOR_EXISTS;
                self.definitions(&rows.columns, status);
                // Where others have had their EOF, these still wait for one, in their own form.
                if self.manner.deprecates_eof {
                    let manner = self.manner;
                    self.stream.replies.packet(|out| reply::rows_end(out, status, 0, manner));
                }
                let source = RowSource::new(rows.rows, rows.more);
                let cursor = Cursor { columns: rows.columns, rows: source };
                self.prepared.get(execute.statement, "mysqld_stmt_execute")?.cursor = Some(cursor);
                Ok(())
            }
            answer => self.reply(answer, Form::Binary, false).await,
        }
    }

    /// COM_STMT_FETCH: at most `count` rows of an open cursor.
    pub(super) async fn fetch(&mut self, id: u32, count: u32) -> Result<(), Failure> {
        let mut cursor = self
            .prepared
            .get(id, "mysqld_stmt_fetch")?
            .cursor
            .take()
            .ok_or_else(|| SqlError::new(1421, "HY000", format!("The statement ({id}) has no open cursor.")))?;
        self.begins_prepared("Fetch", id);
        for _ in 0..count {
            let Some(row) = cursor.rows.next().await? else { break };
            self.row(&cursor.columns, &row, Form::Binary);
            self.stream.flush_if_much().await?;
        }
        let mut status = self.status();
        if cursor.rows.is_over().await? {
            status |= StatusFlags::SERVER_STATUS_LAST_ROW_SENT;
        } else {
            status |= StatusFlags::SERVER_STATUS_CURSOR_EXISTS;
            self.prepared.get(id, "mysqld_stmt_fetch")?.cursor = Some(cursor);
        }
        let (warnings, manner) = (self.warnings(), self.manner);
        self.stream.replies.packet(|out| reply::rows_end(out, status, warnings, manner));
        Ok(())
    }

    fn begins_prepared(&mut self, command: &'static str, id: u32) {
        if let Some(text) = self.prepared.text(id) {
            self.begins(command, text);
        }
    }

    /// COM_STMT_RESET: what was sent ahead is forgotten, and the cursor closed.
    pub(super) fn reset_statement(&mut self, id: u32) -> Result<(), Failure> {
        self.prepared.take_long_data(id);
        self.prepared.get(id, "mysqld_stmt_reset")?.cursor = None;
        self.ok(&Done::default());
        Ok(())
    }
}
