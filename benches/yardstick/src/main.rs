//! One of two servers of the MySQL wire, on a free port of the loopback, until its input ends: ours with all that is
//! behind it, or `opensrv-mysql` with a shim that knows three statements. `benches/table.rs` measures them side by
//! side, `tests/limits.rs` shows what each does when it is mistreated.
//!
//!     cargo bench --manifest-path benches/yardstick/Cargo.toml
//!     cargo test --manifest-path benches/yardstick/Cargo.toml -- --nocapture
//!
//! `--target-dir target` spares building what the server's own build has built.

use std::error::Error;
use std::io::{Read, stdin};
use std::sync::Arc;

use cometql::clock::SystemClock;
use cometql::mysql::{self, Config};
use cometql::node::{self, Node};
use cometql::status::Status;
use cometql::store::embedded;
use opensrv_mysql::{
    AsyncMysqlIntermediary, AsyncMysqlShim, Column, ColumnFlags, ColumnType, ErrorKind, OkResponse, ParamParser,
    QueryResultWriter, StatementMetaWriter,
};
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Rows of the large SELECT.
const ROWS: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let role = std::env::args().nth(1);
    let _stop = match role.as_deref() {
        Some("ours") => Some(runtime.block_on(ours())?),
        Some("opensrv") => {
            let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
            println!("{}", listener.local_addr()?);
            runtime.spawn(opensrv(listener));
            None
        }
        _ => return Err("say which: ours or opensrv".into()),
    };
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn ours() -> Result<watch::Sender<bool>, Box<dyn Error>> {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        packet_bytes_max: 16 * 1024 * 1024,
        login_packet_bytes_max: 65_536,
        login_seconds_max: 10,
        idle_seconds_max: 28_800,
        connections_max: 10_000,
        certificate: None,
        certificate_directory: None,
    };
    let store = embedded::Config {
        directory: None,
        durability: embedded::Durability::Disk, history_bytes_max_per_pipe: 16 * 1024 * 1024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let clock = Arc::new(SystemClock);
    let store = embedded::open(&store, Vec::new(), clock.clone())?;
    let settings = node::Config { message_bytes_max: 2 * 1024 * 1024, ..node::Config::with_password("yardstick") };
    let node = Node::new(store, clock, Vec::new(), settings, Arc::new(Status::new()));
    let listener = mysql::bind(&config).await?;
    println!("{}", listener.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(mysql::serve(listener, None, node, config, stopped));
    Ok(stop)
}

async fn opensrv(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let (reader, writer) = socket.into_split();
        tokio::spawn(AsyncMysqlIntermediary::run_on(Shim, reader, writer));
    }
}

struct Shim;

fn column(name: &str, coltype: ColumnType) -> Column {
    Column { table: String::new(), column: name.to_owned(), coltype, colflags: ColumnFlags::empty() }
}

#[async_trait::async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Shim {
    type Error = std::io::Error;

    async fn on_prepare<'a>(&'a mut self, _: &'a str, info: StatementMetaWriter<'a, W>) -> std::io::Result<()> {
        let text = || column("?", ColumnType::MYSQL_TYPE_VAR_STRING);
        info.reply(1, &[text(), text(), text()], &[]).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        parameters: ParamParser<'a>,
        results: QueryResultWriter<'a, W>,
    ) -> std::io::Result<()> {
        let affected_rows = u64::from(parameters.into_iter().count() == 3);
        results.completed(OkResponse { affected_rows, ..OkResponse::default() }).await
    }

    async fn on_close(&mut self, _: u32) {}

    async fn on_query<'a>(&'a mut self, text: &'a str, results: QueryResultWriter<'a, W>) -> std::io::Result<()> {
        if text.starts_with("SELECT 1") {
            let columns = [column("1", ColumnType::MYSQL_TYPE_LONGLONG)];
            let mut rows = results.start(&columns).await?;
            rows.write_row([1_i64]).await?;
            return rows.finish().await;
        }
        if text.starts_with("SELECT name") {
            let text = |name| column(name, ColumnType::MYSQL_TYPE_VAR_STRING);
            let columns = [text("name"), text("message")];
            let mut rows = results.start(&columns).await?;
            let message = "x".repeat(100);
            for _ in 0..ROWS {
                rows.write_row(["chat1", message.as_str()]).await?;
            }
            return rows.finish().await;
        }
        if text.starts_with("INSERT") {
            return results.completed(OkResponse { affected_rows: 1, ..OkResponse::default() }).await;
        }
        results.error(ErrorKind::ER_PARSE_ERROR, b"not one of the three statements").await
    }
}
