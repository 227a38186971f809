//! Browsers as SQL clients see them, and how one is ended.

use std::sync::Arc;

use cometql::cometql::prepare;
use cometql::tables::{Caller, Login, Reply, Value};
use cometql::user::TenantId;

use super::browser::Browser;
use super::world::{World, config, until, user, world};

const PING: u8 = 0x89;

pub fn caller(world: &World, tenant: u32) -> Caller {
    let (user, host) = (tenant.to_string(), "::1".to_owned());
    let login = Login { connection_id: 7, user, host, tenant: TenantId(tenant), database: None };
    Caller::new(Arc::clone(&world.node), login).unwrap()
}

/// The cells a statement answers, or the number of its error.
pub fn run(world: &World, caller: &mut Caller, text: &str) -> Result<Vec<Vec<String>>, u16> {
    let (statement, _) = prepare(text, caller.dialect()).unwrap();
    let reply = world.runtime.block_on(caller.run(&statement, &[])).map_err(|error| error.code)?;
    let Reply::Rows(rows) = reply else { return Ok(Vec::new()) };
    let cell = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    Ok(rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect())
}

/// The rows of browsers.
pub fn browsers(world: &World, caller: &mut Caller) -> Vec<Vec<String>> {
    run(world, caller, "SHOW PROCESSLIST WHERE Command = 'Browser'").unwrap()
}

fn of_tenant(world: &World, tenant: u32, version: &str) -> Browser {
    let target = format!("/ws/sesion=&myid=0&devid={tenant}&v={version}&uuid=u&api=js");
    let (mut browser, _) = Browser::upgrade(world.address, &target);
    assert_eq!(browser.frame().json()["event"], "serverInfo");
    browser
}

#[test]
fn browsers_are_listed_behind_the_sql_clients_of_who_may_see_them() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    let mut device = world.login(42, "h4sh");
    device.subscribe(&["aa", "bb"]);
    let _strangers: Vec<Browser> = (0..3).map(|_| of_tenant(&world, 5, "4.08")).collect();
    let _not_a_websocket_yet = Browser::silent(world.address);
    let (mut root, mut five, mut six) = (caller(&world, 0), caller(&world, 5), caller(&world, 6));
    let all = run(&world, &mut root, "SHOW FULL PROCESSLIST").unwrap();
    assert_eq!(all.len(), 5, "one client and four browsers: {all:?}");
    assert_eq!(all[0][4], "Sleep");
    let named: Vec<_> = all.iter().filter(|row| row[1] == "42").map(|row| &row[1..]).collect();
    assert_eq!(named, [["42", "127.0.0.1", "CometQL_v1", "Browser", "0", "2 pipes", "Raw/1.0"]]);
    let theirs = browsers(&world, &mut five);
    assert_eq!(theirs.len(), 3);
    assert!(theirs.iter().all(|row| row[1..4] == ["anonymous", "127.0.0.1", "db_5"] && row[6] == "0 pipes"));
    assert_eq!(browsers(&world, &mut six), [[""; 0]; 0]);
    for (caller, count) in [(&mut root, "1"), (&mut five, "3"), (&mut six, "0")] {
        let online = run(&world, caller, "SHOW STATUS LIKE 'user_online'").unwrap();
        assert_eq!(online, [["user_online", count]], "of the own tenant");
    }
    world.clock.forward(7_000);
    assert!(browsers(&world, &mut five).iter().all(|row| row[5] == "7"));
}

#[test]
fn a_browser_is_ended_by_who_may_see_it_and_without_a_word() {
    let world = world(config());
    let (mut six, mut other) = (caller(&world, 6), of_tenant(&world, 5, "4.08"));
    let mut five = caller(&world, 5);
    let id_of_other = browsers(&world, &mut five)[0][0].clone();
    let mut browser = of_tenant(&world, 5, "4.08");
    let ids = browsers(&world, &mut five).into_iter().map(|row| row[0].clone());
    let id = ids.into_iter().find(|id| *id != id_of_other).unwrap();
    assert_eq!(run(&world, &mut six, &format!("KILL {id}")), Err(1094), "another tenant's");
    assert_eq!(run(&world, &mut five, &format!("KILL QUERY {id}")), Err(1094), "it runs no statement");
    assert_eq!(run(&world, &mut five, &format!("KILL {id}")), Ok(Vec::new()));
    assert_eq!(run(&world, &mut five, &format!("KILL {id}")), Err(1094), "it has been ended");
    while let Some(frame) = browser.frame_or_end() {
        assert_eq!(frame.first_byte, PING, "no close frame: the original client would not come back");
    }
    let left = browsers(&world, &mut five);
    assert_eq!(left.iter().map(|row| &row[0]).collect::<Vec<_>>(), [&id_of_other]);
    other.subscribe(&["aa"]);
    drop((browser, other));
    until("nobody is left", || world.status.browser_sockets() == 0);
    assert_eq!(
        run(&world, &mut five, "SHOW STATUS LIKE 'user_online'"),
        Ok(vec![vec!["user_online".into(), "0".into()]])
    );
    assert_eq!(run(&world, &mut five, &format!("KILL {id_of_other}")), Err(1094));
}
