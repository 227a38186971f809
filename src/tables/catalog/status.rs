//! SHOW STATUS: the original's rows first, then those MySQL's clients look for. What is counted is the sum over all nodes;
//! all else, the uptime for one, is this node's.

use std::fs;

use super::super::session::Session;
use super::super::table::{Domain, Row};
use super::super::{SqlError, Value};
use super::Listing;
use super::like;
use super::schema::{text, texts};
use crate::cometql::{Show, StatusScope};
use crate::node::Counts;

/// What is added over the nodes.
const COUNTED: [&str; 14] = [
    "user_online",
    "server_online",
    "messages",
    "frontend_online",
    "backend_online",
    "frontend_messages",
    "backend_messages",
    "messages_published",
    "browsers_too_slow",
    "gaps_declared",
    "letters_unanswered",
    "questions_refused",
    "Threads_connected",
    "Questions",
];

/// Without its rows.
pub(super) fn listing() -> Listing {
    Listing { name: "status", headings: texts(&["Variable_name", "Value"]), rows: Vec::new() }
}

pub(super) async fn all(
    domain: &Domain,
    show: &Show,
    scope: StatusScope,
    client: &Session,
) -> Result<Vec<Row>, SqlError> {
    match scope {
        StatusScope::Session => Ok(session(domain, client, &counts(domain, show).await)),
        StatusScope::Global => Ok(global(domain, client, &counts(domain, show).await)),
        StatusScope::Filesystem => Err(no_figures("the file system")),
        StatusScope::Ram => memory(),
        StatusScope::Average => load_average(),
        StatusScope::Uptime => os_uptime(),
    }
}

/// Of all nodes. The others are not asked when a client looks for something else: many do so when they connect.
async fn counts(domain: &Domain, show: &Show) -> Counts {
    let (node, tenant) = (&domain.node, domain.tenant);
    let is_wanted = |pattern: &str| COUNTED.iter().any(|name| like(name, pattern, true));
    if show.condition.is_none() && !show.like.as_deref().is_none_or(is_wanted) {
        return node.counts_here(tenant);
    }
    let mut others = node.others().await;
    let counts = node.counts(tenant, &mut others).await;
    domain.warnings.add_missing(&mut others);
    counts
}

fn row(name: &str, value: &dyn std::fmt::Display) -> Row {
    vec![text(name), Value::Text(value.to_string())]
}

fn session(domain: &Domain, client: &Session, counts: &Counts) -> Vec<Row> {
    let mut rows = vec![
        row("flag", &"session"),
        row("id", &domain.tenant),
        row("user_online", &counts.browsers_of_tenant),
        row("server_online", &counts.sql_clients_seen),
        row("messages", &counts.messages_published),
    ];
    rows.extend(for_mysql_clients(domain, client, counts));
    rows
}

/// The figures the server does not count are 0, so that what reads this list by name finds every name.
fn global(domain: &Domain, client: &Session, counts: &Counts) -> Vec<Row> {
    let uptime = domain.node.status().uptime_seconds();
    let mut rows = vec![
        row("flag", &"global"),
        row("uptime", &uptime),
        row("uptime_in_hours", &format!("{:.2}", uptime as f64 / 3_600.0)),
        row("uptime_in_days", &format!("{:.2}", uptime as f64 / 86_400.0)),
        row("frontend_name", &"ws"),
        row("backend_name", &"cometql"),
        row("frontend_stat_interval", &0),
        row("backend_stat_interval", &0),
        row("frontend_online", &counts.browsers_connected),
        row("backend_online", &counts.sql_clients_connected),
        row("frontend_messages", &counts.frames_delivered),
        row("backend_messages", &counts.statements),
    ];
    for name in ["frontend_add_client", "backend_add_client", "frontend_delete_client", "backend_delete_client"] {
        rows.push(row(name, &0));
    }
    for name in ["messages", "add_client", "delete_client"] {
        rows.push(row(&format!("frontend_{name}_ps"), &"0.00"));
        rows.push(row(&format!("backend_{name}_ps"), &"0.00"));
    }
    rows.push(row("network_events", &"0.000000"));
    rows.push(row("messages_published", &counts.messages_published));
    rows.push(row("browsers_too_slow", &counts.browsers_too_slow));
    rows.push(row("gaps_declared", &counts.gaps_declared));
    rows.push(row("letters_unanswered", &counts.letters_unanswered));
    rows.push(row("questions_refused", &counts.questions_refused));
    rows.extend(for_mysql_clients(domain, client, counts));
    rows
}

fn for_mysql_clients(domain: &Domain, client: &Session, counts: &Counts) -> Vec<Row> {
    let (version, cipher) =
        client.encryption.as_ref().map_or(("", ""), |encryption| (&encryption.version, &encryption.cipher));
    vec![
        row("Uptime", &domain.node.status().uptime_seconds()),
        row("Threads_connected", &counts.sql_clients_connected),
        row("Questions", &counts.statements),
        row("Ssl_cipher", &cipher),
        row("Ssl_version", &version),
    ]
}

fn memory() -> Result<Vec<Row>, SqlError> {
    let figures = kernel_file("/proc/meminfo", "memory")?;
    let rows = figures.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some(row(name, &value.split_whitespace().next()?))
    });
    Ok(std::iter::once(row("flag", &"ram")).chain(rows).collect())
}

fn load_average() -> Result<Vec<Row>, SqlError> {
    let figures = kernel_file("/proc/loadavg", "the load")?;
    let mut figures = figures.split([' ', '/']);
    let names = ["load_avg_1", "load_avg_2", "load_avg_3", "running_processes", "total_processes"];
    Ok(names.iter().map(|name| row(name, &figures.next().unwrap_or("0"))).collect())
}

fn os_uptime() -> Result<Vec<Row>, SqlError> {
    let figures = kernel_file("/proc/uptime", "the uptime")?;
    let mut figures = figures.split_whitespace().map(|figure| figure.parse::<f64>().unwrap_or(0.0));
    Ok(["os_uptime", "os_idle"]
        .iter()
        .map(|name| row(name, &format!("{:.6}", figures.next().unwrap_or(0.0))))
        .collect())
}

/// The kernel makes these small files in memory; reading one does not wait.
fn kernel_file(path: &str, what: &str) -> Result<String, SqlError> {
    fs::read_to_string(path).map_err(|_| no_figures(what))
}

fn no_figures(what: &str) -> SqlError {
    SqlError::new(500, "HY000", format!("exec command failed: this server has no figures of {what}, ask its machine"))
}
