//! Flags, config, build, run, stop signal.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use cometql::clock::{Clock, SystemClock};
use cometql::config::{self, Command, Import, Password, Place, Settings};
use cometql::moving::{self, Ini, Limits, NewFile, Original, Positions, Report};
use cometql::node::Node;
use cometql::status::Status;
use cometql::store::embedded::Durability;
use cometql::store::{Ear, Store, embedded, redis};
use cometql::ws::{self, Posts, http::Site, page, script::Script};
use cometql::{mysql, ws::page::About};
use rustix::process::{self, Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let outcome = std::env::current_dir()
        .map_err(|error| format!("the working directory cannot be read: {error}"))
        .and_then(|directory| {
            config::read(std::env::args_os(), std::env::vars_os(), &directory).map_err(|error| error.to_string())
        })
        .and_then(|command| match command {
            Command::Run(settings) => run(&settings),
            Command::Backup { directory, file } => {
                let count = embedded::backup(&directory, &file).map_err(in_a_line)?;
                println!("{}: {count} records", file.display());
                Ok(())
            }
            Command::Restore { directory, file } => {
                let count = embedded::restore(&file, &directory).map_err(in_a_line)?;
                println!("{}: {count} records; start a node with this --data-dir", directory.display());
                Ok(())
            }
            Command::Health(address) => {
                println!("{}", ws::health::ask(address)?);
                Ok(())
            }
            Command::Import(settings, import) => alone(moved_in(&settings, &import)),
            Command::Export(settings, file) => alone(moved_out(&settings, &file)),
            Command::CheckConfig(text) | Command::Say(text) => {
                print!("{text}");
                Ok(())
            }
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("cometql: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs something that is no node, to its end.
fn alone(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("cannot start threads: {error}"))?.block_on(work)
}

/// Brings something into the store, and says what came over.
async fn moved_in(settings: &Settings, import: &Import) -> Result<(), String> {
    let clock = Arc::new(SystemClock);
    let ini = import.ini.as_deref().map(Ini::read).transpose().map_err(in_a_line)?;
    // A place where it cannot be written is an error now, and not after hours.
    let config_out = import.config_out.as_deref().map(begin_configuration).transpose()?;
    // What cannot be read is an error before anything is written.
    let source = match (&import.file, &import.mysql, &ini) {
        (Some(file), ..) => {
            let from: Arc<dyn Store> = embedded::read_backup(file, clock.clone()).map_err(in_a_line)?;
            Source::Store(from)
        }
        (None, Some(url), _) => Source::Original(Original::open_url(url).await.map_err(in_a_line)?),
        (None, None, Some(ini)) => {
            Source::Original(Original::open(ini.database().map_err(in_a_line)?).await.map_err(in_a_line)?)
        }
        (None, None, None) => return Err("name what to import: a file, or --ini, or --mysql".to_owned()),
    };
    let into = open_store(&settled_at_the_end(&settings.store)?, Vec::new(), clock.clone()).await?;
    let mut report = Report::default();
    let moved = fill(settings, import, source, &into, clock, &mut report).await;
    into.close().await;
    print!("{report}");
    if let Some(ini) = &ini {
        ini.left_out().iter().for_each(|line| println!("not taken over from comet.ini: {line}"));
    }
    moved?;
    match (&ini, config_out) {
        (Some(ini), Some(file)) => file.write(&ini.configuration(&store_line(settings), true)).map_err(in_a_line)?,
        (Some(ini), None) => print!("\n{}", ini.configuration(&store_line(settings), false)),
        (None, _) => {}
    }
    match report.left() {
        count if count > 0 && import.file.is_some() => Err(format!("{count} were left out")),
        _ => Ok(()),
    }
}

/// Where things come from.
enum Source {
    Store(Arc<dyn Store>),
    Original(Original),
}

async fn fill(
    settings: &Settings,
    import: &Import,
    source: Source,
    into: &Arc<dyn Store>,
    clock: Arc<SystemClock>,
    report: &mut Report,
) -> Result<(), String> {
    if !import.is_merged && moving::has_anything(&**into).await.map_err(in_a_line)? {
        return Err(
            "something is stored there already: name an empty store (--data-dir, --store), or say --merge, and \
                    what is there stays; an import that broke off goes on with --merge, too"
                .to_owned(),
        );
    }
    match source {
        Source::Store(from) => {
            let positions = if import.keeps_positions { Positions::Kept } else { Positions::New };
            moving::transfer(&from, into, positions, report).await.map_err(in_a_line)
        }
        Source::Original(original) => {
            let history_bytes_max_per_pipe = match &settings.store {
                config::Store::Embedded(config) => config.history_bytes_max_per_pipe,
                config::Store::Redis(config) => config.history_bytes_max_per_pipe,
            };
            let limits = Limits { message_bytes_max: settings.message_bytes_max, history_bytes_max_per_pipe };
            let clock: Arc<dyn Clock> = clock;
            original.bring_over(into, limits, &clock, report).await.map_err(in_a_line)
        }
    }
}

/// The same store, which is on disk when it is closed, and not after each step.
fn settled_at_the_end(store: &config::Store) -> Result<config::Store, String> {
    match store {
        config::Store::Embedded(embedded::Config { directory: None, .. }) => {
            Err("with --memory nothing would be left: name a directory with --data-dir".to_owned())
        }
        config::Store::Embedded(config) => {
            Ok(config::Store::Embedded(embedded::Config { durability: Durability::Memory, ..config.clone() }))
        }
        config::Store::Redis(_) => Ok(store.clone()),
    }
}

/// The line of a configuration that names the store; the URL of a Redis has a password, perhaps.
fn store_line(settings: &Settings) -> String {
    match &settings.store {
        config::Store::Embedded(embedded::Config { directory: Some(directory), .. }) => {
            format!("data_dir = {:?}", directory.display().to_string())
        }
        config::Store::Embedded(_) => String::new(),
        config::Store::Redis(config) => format!("# store = the URL of {}", config.address),
    }
}

fn begin_configuration(file: &Path) -> Result<NewFile, String> {
    NewFile::begin(file).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there already".to_owned(),
            _ => error.to_string(),
        };
        format!("{}: {reason}; choose another file with --config-out", file.display())
    })
}

/// Writes everything in the store to a file.
async fn moved_out(settings: &Settings, file: &Path) -> Result<(), String> {
    let clock = Arc::new(SystemClock);
    match &settings.store {
        config::Store::Embedded(embedded::Config { directory: Some(directory), .. }) => {
            let count = embedded::backup(directory, file).map_err(in_a_line)?;
            println!("{}: {count} records", file.display());
            Ok(())
        }
        config::Store::Embedded(_) => {
            Err("with --memory there is nothing to read: name a directory with --data-dir".to_owned())
        }
        config::Store::Redis(_) => {
            let from = open_store(&settings.store, Vec::new(), clock.clone()).await?;
            let archive = embedded::Archive::begin(file, clock).map_err(in_a_line)?;
            let mut report = Report::default();
            let moved = moving::transfer(&from, &archive.store(), Positions::Kept, &mut report).await;
            from.close().await;
            moved.map_err(in_a_line)?;
            archive.finish().await.map_err(in_a_line)?;
            print!("{report}");
            match report.left() {
                0 => println!("{}: written", file.display()),
                count => return Err(format!("{}: written, and incomplete: {count} were left out", file.display())),
            }
            Ok(())
        }
    }
}

fn run(settings: &Settings) -> Result<(), String> {
    tracing_subscriber::fmt()
        .with_max_level(settings.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    allow_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    let outcome = runtime.block_on(serve(settings));
    // A read of a closed socket or of a slow disk is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Builds the node out of its rooms, serves until a signal says stop, and lets go in order.
async fn serve(settings: &Settings) -> Result<(), String> {
    let sql_listener = mysql::bind(&settings.mysql)
        .await
        .map_err(|error| format!("{}; {}", in_a_line(&error), how_to_listen(error.kind(), "mysql_listen")))?;
    let listener = ws::bind(&settings.ws).map_err(|error| {
        let place = settings.ws.listen;
        format!("browsers cannot be awaited at {place}: {error}; {}", how_to_listen(error.kind(), "ws_listen"))
    })?;
    let posts = Posts::new(&settings.ws).map_err(in_a_line)?;
    let clock = Arc::new(SystemClock);
    let store = open_store(&settings.store, posts.ears(), clock.clone()).await?;
    let password = settings.password.resolve().map_err(in_a_line)?;
    let node_config = settings.node(&password).map_err(in_a_line)?;
    let identity = mysql::Identity::open(&settings.mysql).map_err(in_a_line)?;
    let status = Arc::new(Status::new());
    let node = Node::new(store, clock, posts.shards(), node_config, Arc::clone(&status));
    node.learn_number().await.map_err(in_a_line)?;

    let sql_address = sql_listener.local_addr().map_err(in_a_line)?;
    let address = listener.local_addr().map_err(in_a_line)?;
    let site = Site {
        page: page::render(&about(sql_address, &password)),
        script: Script::new(),
        origins: settings.origins.clone(),
    };
    // Whoever reads the first lines may stop the node at once.
    let stopping = StopSignals::new().map_err(in_a_line)?;
    print!("{}", first_lines(settings, sql_address, address, &password));

    // A file that must not grow is an error to whoever publishes, and not the end.
    let _too_large = signal(SignalKind::from_raw(process::Signal::XFSZ.as_raw())).map_err(in_a_line)?;
    let (stop, stopped) = watch::channel(false);
    let sql = tokio::spawn(mysql::serve(
        sql_listener,
        Some(identity),
        Arc::clone(&node),
        settings.mysql.clone(),
        stopped.clone(),
    ));
    let of_browsers = settings.ws.clone();
    let of_node = Arc::clone(&node);
    let browsers =
        tokio::spawn(async move { ws::serve(listener, posts, site, of_node, status, &of_browsers, stopped).await });
    let of_attending = Arc::clone(&node);
    let attending = tokio::spawn(async move { of_attending.attend().await });
    stopping.await_any().await;
    tracing::info!("stopping");
    // Both are told at once; whoever is gone already does not hear it.
    let _ = stop.send(true);
    sql.await.map_err(in_a_line)?;
    browsers.await.map_err(in_a_line)?.map_err(in_a_line)?;
    attending.abort();
    node.close().await;
    Ok(())
}

async fn open_store(
    config: &config::Store,
    ears: Vec<Arc<Ear>>,
    clock: Arc<SystemClock>,
) -> Result<Arc<dyn Store>, String> {
    Ok(match config {
        config::Store::Embedded(config) => embedded::open(config, ears, clock).map_err(in_a_line)?,
        config::Store::Redis(config) => redis::open(config, ears, clock).await.map_err(in_a_line)?,
    })
}

fn in_a_line(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

/// What to do about an address that cannot be listened at.
fn how_to_listen(kind: io::ErrorKind, setting: &str) -> String {
    let flag = setting.replace('_', "-");
    let advice = match kind {
        io::ErrorKind::AddrInUse => "stop what listens there, or choose another port",
        io::ErrorKind::AddrNotAvailable => "name an address of this machine, or 0.0.0.0 for all of them,",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for the privileged: choose a higher one",
        _ => "choose another address",
    };
    format!("{advice} with {setting} (--{flag})")
}

/// Every connection is a file. The system's usual first limit of 1,024 is for programs that do not ask.
fn allow_many_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!("the limit of open files stays at {current:?}: {error}");
    }
}

fn about(sql_address: SocketAddr, password: &Password) -> About {
    About {
        mysql_host: sql_address.ip().to_string(),
        mysql_port: sql_address.port(),
        password_place: password.place().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What listens where, and a line to paste.
fn first_lines(settings: &Settings, sql_address: SocketAddr, address: SocketAddr, password: &Password) -> String {
    let data = match &settings.store {
        config::Store::Embedded(config) => match &config.directory {
            Some(directory) => directory.display().to_string(),
            None => "in memory: nothing is on disk".to_owned(),
        },
        config::Store::Redis(config) => format!("in Redis at {}", config.address),
    };
    let (host, port) = (sql_address.ip(), sql_address.port());
    let shown = match password.place() {
        Place::Generated(path) | Place::File(path) => format!("-p\"$(cat {})\"", as_shell_word(path)),
        Place::GeneratedInMemory => format!("-p{}", password.text()),
        Place::Configured(_) => "-p".to_owned(),
    };
    format!(
        "cometql {version}: publish through MySQL, and every browser has it\n\
         \x20 SQL       {sql_address}   try: mysql -h {host} -P {port} -u root {shown}\n\
         \x20 browsers  http://{address}/   open it to see messages arrive\n\
         \x20 data      {data}\n\
         \x20 password  {password}\n",
        version = env!("CARGO_PKG_VERSION"),
        password = password.start_line(),
    )
}

/// As one word of a shell, so that the line can be pasted: in quotes when it is not plain.
fn as_shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// SIGTERM and Ctrl-C, heard from the moment this is made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> io::Result<StopSignals> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn await_any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
