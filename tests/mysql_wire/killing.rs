//! One client sees what the others run, and ends them.

use cometql::node::{Ask, EarId, Visitor};
use cometql::pipe::{ConnectionId, Pipe, PipeName};
use cometql::user::TenantId;

use crate::raw_client::{RawClient, Reply, native_proof};
use crate::server::{PASSWORD, Server};

const WAITING: &str = "INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'e', 'waits')";

/// Somebody hears `chat` and takes nothing, so that the second message waits.
fn server_whose_ear_is_full() -> Server {
    let server = Server::start();
    let visitor = Visitor {
        connection: ConnectionId { node: 0, shard: 0, slot: 0, serial: 0 },
        ear: EarId(0),
        tenant: TenantId::ROOT,
        user: None,
        uuid: "".into(),
    };
    let chat = Pipe::Named(TenantId::ROOT, PipeName::for_publish("chat").unwrap());
    server.run(server.node.run(Ask::Listen { visitor, take: vec![chat], leave: Vec::new(), login: None }));
    let mut first = RawClient::logged_in(server.address);
    assert!(first.query(&WAITING.replace("waits", "fills the ear")).is_ok());
    server
}

/// The cells of the rows a statement answers, each shorter than 251 bytes; NULL is an empty text.
fn table(client: &mut RawClient, statement: &str) -> Vec<Vec<String>> {
    let Reply::Rows(rows, _) = client.query(statement) else { panic!("{statement} answers no rows") };
    let cells = |mut row: &[u8]| {
        let mut cells = Vec::new();
        while let Some((length, rest)) = row.split_first() {
            let (cell, rest) = rest.split_at(if *length == 0xFB { 0 } else { usize::from(*length) });
            cells.push(String::from_utf8_lossy(cell).into_owned());
            row = rest;
        }
        cells
    };
    rows.iter().map(|row| cells(row)).collect()
}

fn id(client: &mut RawClient) -> String {
    table(client, "SELECT CONNECTION_ID()")[0][0].clone()
}

/// Id, command and text of all clients that `client` may see.
fn processes(client: &mut RawClient) -> Vec<(String, String, String)> {
    let rows = table(client, "SHOW PROCESSLIST");
    rows.into_iter().map(|row| (row[0].clone(), row[4].clone(), row[7].clone())).collect()
}

/// Asks until the client of this number runs `text`, or none has the number any more.
fn wait_until_it_runs(watcher: &mut RawClient, id: &str, text: Option<&str>) {
    loop {
        let processes = processes(watcher);
        let running = processes.iter().find(|(of, ..)| of == id).map(|(_, _, running)| running.as_str());
        if running == text {
            return;
        }
    }
}

#[test]
fn a_statement_that_waits_is_ended_and_then_its_connection() {
    let server = server_whose_ear_is_full();
    let (mut root, mut victim) = (RawClient::logged_in(server.address), RawClient::logged_in(server.address));
    let id = id(&mut victim);
    victim.send(0, &[b"\x03", WAITING.as_bytes()].concat());
    wait_until_it_runs(&mut root, &id, Some(WAITING));
    assert!(root.query(&format!("KILL QUERY {id}")).is_ok());
    assert_eq!(victim.reply().code(), 1317);
    assert!(victim.command(b"\x0e").is_ok());
    wait_until_it_runs(&mut root, &id, Some(""));

    let (statement, _, _) = victim.prepare(WAITING);
    victim.send(0, &[&[0x17], &statement.to_le_bytes()[..], &[0, 1, 0, 0, 0]].concat());
    wait_until_it_runs(&mut root, &id, Some(WAITING));
    assert!(root.query(&format!("KILL {id}")).is_ok());
    assert_eq!(victim.reply().code(), 1317);
    assert_eq!(victim.rest(), b"");
    wait_until_it_runs(&mut root, &id, None);
    assert_eq!(root.query(&format!("KILL {id}")).code(), 1094);
    assert_eq!(server.ear.take().len(), 1, "what was ended while it waited has published nothing");
}

#[test]
fn a_client_that_sleeps_is_ended_and_one_that_ends_itself_hears_ok() {
    let server = Server::start();
    let (mut root, mut victim) = (RawClient::logged_in(server.address), RawClient::logged_in(server.address));
    let id = id(&mut victim);
    assert!(root.query(&format!("KILL CONNECTION {id}")).is_ok());
    assert_eq!(victim.rest(), b"");
    assert!(root.query("KILL QUERY CONNECTION_ID()").is_ok());
    assert!(root.command(b"\x0e").is_ok());
    assert!(root.query("KILL CONNECTION_ID()").is_ok());
    assert_eq!(root.rest(), b"");
}

#[test]
fn a_tenant_sees_and_ends_its_own_clients_alone() {
    let server = Server::start();
    let mut root = RawClient::logged_in(server.address);
    let root_id = id(&mut root);
    let [mut five, mut other, mut six] = ["5", "5", "6"].map(|user| {
        let mut client = RawClient::connect(server.address);
        let proof = native_proof(PASSWORD, &client.salt);
        assert!(client.log_in(0, user, &proof, None).is_ok());
        client
    });
    let (other_id, six_id) = (id(&mut other), id(&mut six));
    assert_eq!(processes(&mut five).len(), 2);
    assert_eq!(processes(&mut root).len(), 4);
    for strangers in [&root_id, &six_id] {
        assert_eq!(five.query(&format!("KILL {strangers}")).code(), 1094);
    }
    assert!(five.query(&format!("KILL {other_id}")).is_ok());
    assert_eq!(other.rest(), b"");
    wait_until_it_runs(&mut five, &other_id, None);
    let left: Vec<String> = processes(&mut five).into_iter().map(|(_, command, _)| command).collect();
    assert_eq!(left, ["Query"]);
    assert!(six.command(b"\x0e").is_ok());
}
