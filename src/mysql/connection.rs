//! One client that has logged in: its commands, one after the other, and their replies.

use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use tokio::sync::watch;

use crate::cometql;
use crate::node::{End, Node};
use crate::tables::{Caller, Done, SqlError};

use super::command::{self, Command};
use super::login::{Admitted, Door, bad_handshake, denied};
use super::login_packet::parse_change_user;
use super::packet::{FramingError, Packet};
use super::prepared::PreparedStatements;
use super::query::{syntax, utf8};
use super::reply::{self, Manner};
use super::stream::{Broken, Stream};

pub(super) struct Connection {
    pub stream: Stream,
    pub node: Arc<Node>,
    /// None for a health check.
    pub caller: Option<Caller>,
    pub client: Client,
    pub manner: Manner,
    /// Whether a text may hold several statements.
    pub multi_statements: bool,
    pub prepared: PreparedStatements,
    capabilities: CapabilityFlags,
    collation: u16,
    door: Door,
}

/// Who errors are about.
pub(super) struct Client {
    user: String,
    host: String,
}

impl Client {
    pub(super) fn denied(&self) -> SqlError {
        denied(&self.user, &self.host, false)
    }
}

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client is told.
    Sql(SqlError),
    /// There is nobody to tell, or nothing more to understand.
    Broken(Broken),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Sql(error)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        Failure::Broken(broken)
    }
}

impl Failure {
    /// Tells a client that is then left.
    pub(super) async fn tell(self, stream: &mut Stream) {
        let error = match self {
            Failure::Sql(error) => error,
            Failure::Broken(Broken::Gone) => return,
            Failure::Broken(Broken::Framing(FramingError::TooLong { last_sequence })) => {
                stream.replies.answer(last_sequence);
                SqlError::new(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes")
            }
            Failure::Broken(Broken::Framing(FramingError::OutOfOrder { last_sequence })) => {
                stream.replies.answer(last_sequence);
                SqlError::new(1156, "08S01", "Got packets out of order")
            }
        };
        stream.replies.packet(|out| reply::error(out, &error));
        stream.close_after_error().await;
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Command,
    Close,
}

impl Connection {
    pub(super) fn new(door: Door, mut stream: Stream, admitted: Admitted) -> Connection {
        stream.allow(door.config.packet_bytes_max, Duration::from_secs(door.config.idle_seconds_max));
        let capabilities = admitted.capabilities;
        let mut connection = Connection {
            stream,
            node: door.node.clone(),
            caller: None,
            client: Client { user: String::new(), host: door.host.clone() },
            manner: Manner::new(capabilities, admitted.collation),
            multi_statements: capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS),
            prepared: PreparedStatements::default(),
            capabilities,
            collation: admitted.collation,
            door,
        };
        connection.admit(admitted);
        connection
    }

    /// Becomes the connection of who was let in, and says OK.
    fn admit(&mut self, admitted: Admitted) {
        self.prepared = PreparedStatements::default();
        self.collation = admitted.collation;
        self.manner = Manner::new(self.capabilities, self.collation);
        self.caller = admitted.caller;
        self.client.user = admitted.user;
        self.ok(&Done { info: admitted.info, ..Done::default() });
    }

    /// Answers commands until the client or the node goes.
    pub(super) async fn serve(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let packet = match self.next_packet(&mut stop).await {
                Ok(Some(packet)) => packet,
                Ok(None) if self.is_ended() => return self.stream.close().await,
                Ok(None) => return self.shut_down().await,
                Err(broken) => return Failure::Broken(broken).tell(&mut self.stream).await,
            };
            // Boxed, so that a connection that waits does not hold the room of one that works.
            match Box::pin(self.answer(&packet)).await {
                Ok(Next::Command) => {}
                Ok(Next::Close) => return self.stream.close().await,
                Err(failure) => return failure.tell(&mut self.stream).await,
            }
        }
    }

    /// The next command; `None` when the node stops or another client has ended this one. Replies wait until no further command is there, and then
    /// leave in one write.
    async fn next_packet(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Option<Packet>, Broken> {
        if *stop.borrow() || self.is_ended() {
            return Ok(None);
        }
        if let Some(packet) = self.stream.arrived()? {
            self.stream.flush_if_much().await?;
            return Ok(Some(packet));
        }
        self.stream.flush().await?;
        let mut end = self.end();
        tokio::select! {
            biased;
            () = told(stop) => Ok(None),
            () = ended(&mut end, |end| end == End::Connection) => Ok(None),
            packet = self.stream.packet() => packet.map(Some),
        }
    }

    /// The node stops: a command that has arrived hears so.
    async fn shut_down(&mut self) {
        if let Ok(Some(packet)) = self.stream.arrived()
            && command::parse(&packet.payload) != Ok(Command::Quit)
        {
            self.stream.replies.answer(packet.last_sequence);
            self.error(&SqlError::new(1053, "08S01", "Server shutdown in progress"));
        }
        self.stream.close().await;
    }

    async fn answer(&mut self, packet: &Packet) -> Result<Next, Failure> {
        // Each command begins at 0; a client that counts on does no harm.
        let counted_on = self.stream.replies.next_sequence();
        self.stream.replies.answer(packet.last_sequence);
        if packet.first_sequence != 0 && packet.first_sequence != counted_on {
            return Err(SqlError::new(1156, "08S01", "Got packets out of order").into());
        }
        let done = match command::parse(&packet.payload) {
            Ok(Command::Quit) => return Ok(Next::Close),
            // Who fails to become somebody else does not stay who it was.
            Ok(Command::ChangeUser(payload)) => {
                self.change_user(payload).await?;
                Ok(())
            }
            Ok(command) => self.run_unless_ended(command).await,
            Err(_) => Err(SqlError::new(1835, "HY000", "Malformed communication packet.").into()),
        };
        match done {
            Err(Failure::Sql(error)) => {
                tracing::debug!(client = self.door.connection_id, code = error.code, "command refused");
                self.error(&error);
                Ok(Next::Command)
            }
            done => done.map(|()| Next::Command),
        }
    }

    /// Runs a command until it is done or another client ends it. What a statement has done by then stays done.
    async fn run_unless_ended(&mut self, command: Command<'_>) -> Result<(), Failure> {
        let mut end = self.end();
        let done = tokio::select! {
            biased;
            done = self.run(command) => done,
            () = ended(&mut end, |end| end != End::Nothing) => {
                Err(SqlError::new(1317, "70100", "Query execution was interrupted").into())
            }
        };
        if let Some(caller) = &self.caller {
            caller.client().rests(self.node.clock().now());
        }
        done
    }

    /// What others may see of the statement that begins.
    pub(super) fn begins(&self, command: &'static str, text: &str) {
        if let Some(caller) = &self.caller {
            caller.client().begins(command, text, self.node.clock().now());
        }
    }

    /// Where other clients say that this one is to end; a health check is not on their list.
    fn end(&self) -> Option<watch::Receiver<End>> {
        self.caller.as_ref().map(|caller| caller.client().end())
    }

    fn is_ended(&self) -> bool {
        self.end().is_some_and(|end| *end.borrow() == End::Connection)
    }

    async fn run(&mut self, command: Command<'_>) -> Result<(), Failure> {
        match command {
            Command::Query(text) => return self.query(text).await,
            Command::Prepare(text) => return self.prepare(text),
            Command::Execute(payload) => return self.execute(payload).await,
            Command::Fetch { statement, rows } => return self.fetch(statement, rows).await,
            Command::Reset(statement) => return self.reset_statement(statement),
            Command::Close(statement) => self.prepared.close(statement),
            Command::LongData { statement, parameter, bytes } => {
                self.prepared.append(statement, parameter, bytes, self.door.config.packet_bytes_max);
            }
            Command::Ping | Command::Refresh => self.ok(&Done::default()),
            Command::InitDatabase(name) => {
                let name = utf8(name, "the name")?;
                self.caller()?.use_database(name)?;
                self.ok(&Done::default());
            }
            Command::ResetConnection => {
                self.caller()?.reset();
                self.prepared.clear();
                self.multi_statements = self.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
                self.ok(&Done::default());
            }
            Command::MultiStatements(on) => {
                self.multi_statements = on;
                self.eof();
            }
            Command::Debug => self.eof(),
            Command::Statistics => self.statistics(),
            Command::FieldList(table) => return self.field_list(table),
            Command::ProcessInfo => return self.query(b"SHOW PROCESSLIST").await,
            Command::ProcessKill(id) => return self.query(format!("KILL {id}").as_bytes()).await,
            Command::Shutdown => {
                let message = "Access denied; the node is stopped by who runs it, not over this protocol";
                return Err(SqlError::new(1227, "42000", message).into());
            }
            Command::ChangeUser(_) | Command::Quit | Command::Unknown(_) => {
                return Err(SqlError::new(1047, "08S01", "Unknown command").into());
            }
        }
        Ok(())
    }

    async fn change_user(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let login = parse_change_user(payload, self.capabilities, self.collation)
            .map_err(|_| bad_handshake("the COM_CHANGE_USER packet ends too early"))?;
        let seconds_max = Duration::from_secs(self.door.config.login_seconds_max);
        let admitted = tokio::time::timeout(seconds_max, self.door.admit(&mut self.stream, login)).await;
        // With the proof of the certificate, which Connector/C 3.4 asks for again.
        self.admit(admitted.map_err(|_| Broken::Gone)??);
        Ok(())
    }

    fn field_list(&mut self, table: &[u8]) -> Result<(), Failure> {
        let text = format!("SELECT * FROM `{}`", utf8(table, "the name")?.replace('`', "``"));
        let dialect = self.dialect()?;
        let (statement, _) = cometql::prepare(&text, dialect).map_err(|error| syntax(&error))?;
        let columns = self.caller()?.columns(&statement)?;
        for column in &columns {
            let manner = self.manner;
            self.stream.replies.packet(|out| {
                reply::column(out, column, manner);
                // The default: there is none.
                out.put_u8(reply::NULL_IN_TEXT);
            });
        }
        self.eof();
        Ok(())
    }

    /// `mysqladmin status` and `\s` read the numbers by their names, two blanks apart.
    fn statistics(&mut self) {
        let status = self.node.status();
        let (uptime, questions) = (status.uptime_seconds(), status.statements());
        let text = format!(
            "Uptime: {uptime}  Threads: {}  Questions: {questions}  Slow queries: 0  Opens: 0  Open tables: 0  \
             Queries per second avg: {:.3}",
            status.sql_clients_connected(),
            questions as f64 / uptime.max(1) as f64,
        );
        self.stream.replies.packet(|out| out.put_slice(text.as_bytes()));
    }

    /// Who runs the statements; a health check runs none.
    pub(super) fn caller(&mut self) -> Result<&mut Caller, SqlError> {
        self.caller.as_mut().ok_or_else(|| self.client.denied())
    }

    pub(super) fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::empty();
        let caller = self.caller.as_ref();
        status.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, caller.is_none_or(Caller::autocommit));
        status.set(StatusFlags::SERVER_STATUS_IN_TRANS, caller.is_some_and(Caller::in_transaction));
        status
    }

    /// How many warnings the last statement has left.
    pub(super) fn warnings(&self) -> u16 {
        self.caller.as_ref().map_or(0, Caller::warning_count)
    }

    pub(super) fn ok(&mut self, done: &Done) {
        let (status, warnings) = (self.status(), self.warnings());
        self.stream.replies.packet(|out| reply::ok(out, done, status, warnings));
    }

    fn eof(&mut self) {
        let status = self.status();
        self.stream.replies.packet(|out| reply::eof(out, status, 0));
    }

    fn error(&mut self, error: &SqlError) {
        self.stream.replies.packet(|out| reply::error(out, error));
    }
}

/// Waits until another client has asked for an end that `counts`.
async fn ended(end: &mut Option<watch::Receiver<End>>, counts: fn(End) -> bool) {
    if let Some(end) = end
        && end.wait_for(|end| counts(*end)).await.is_ok()
    {
        return;
    }
    // Nobody can ask any more.
    std::future::pending().await
}

/// Waits until the node is told to stop, or nobody is left who could tell it.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
