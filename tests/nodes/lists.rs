//! What is asked of one node is answered for all of them, and what is missing is said.

use std::sync::{Arc, Mutex};

use cometql::node::{Answer, Ask, Busy, Connected, End, Present};
use cometql::pipe::{ConnectionId, Pipe};
use cometql::user::TenantId;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::shard::{StillShard, connected, present};
use super::world::{DEADLINE, House, houses, log, pipe, quiet, rows, run, user, visitor};

const OF_THREE: &str = "Incomplete answer: node 3 did not answer within 1000 ms, and what is known there is not in it";

/// Three nodes with so many connections each that subscribe to `web_room`.
async fn three(counts: [u32; 3]) -> (Vec<House>, Pipe) {
    let room = pipe("web_room");
    let shard =
        |count: u32| StillShard::with((0..count).map(|slot| (room.clone(), present(slot, Some(user(42))))).collect());
    let houses = houses(0, counts.map(shard).into()).await;
    for (house, count) in houses.iter().zip(counts) {
        for slot in 0..count {
            house.listen(&visitor(house, slot, None), &[&room], &[]).await;
        }
    }
    (houses, room)
}

fn count_of<'r>(rows: &'r [Vec<String>], node: &'r str) -> usize {
    rows.iter().filter(|row| row.last().is_some_and(|of| of == node)).count()
}

#[tokio::test]
async fn who_is_in_a_pipe_is_told_of_all_nodes_whichever_is_asked() {
    // More than go into one page.
    let (houses, _) = three([2, 2_345, 1]).await;
    for house in &houses {
        let mut root = house.caller(0);
        let all = rows(&mut root, "SELECT user_id, user_uuid, node FROM users_in_pipes WHERE name = 'web_room'").await;
        assert_eq!((count_of(&all, "1"), count_of(&all, "2"), count_of(&all, "3")), (2, 2_345, 1));
        let each_once: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(each_once.len(), all.len());
        let own = house.node.peer().0.to_string();
        assert_eq!(all[0][2], own, "its own first");
        assert_eq!(rows(&mut root, "SELECT name, users FROM pipes").await, [["web_room", "2348"]]);
        assert_eq!(root.warning_count(), 0);
        let counted = rows(&mut root, "SELECT COUNT(*) FROM users_in_pipes WHERE node <> 2").await;
        assert_eq!(counted, [["3"]]);
        // What is not named is not seen.
        assert_eq!(rows(&mut root, "SELECT * FROM users_in_pipes LIMIT 1").await[0].len(), 7);
    }
}

#[tokio::test]
async fn many_pipes_are_asked_for_together() {
    let pipes: Vec<Pipe> = (0..600).map(|number| pipe(&format!("web_{number:03}"))).collect();
    let shard = || StillShard::with(pipes.iter().map(|pipe| (pipe.clone(), present(0, None))).collect());
    let houses = houses(0, vec![shard(), shard()]).await;
    for house in &houses {
        house.listen(&visitor(house, 0, None), &pipes.iter().collect::<Vec<_>>(), &[]).await;
    }
    let mut root = houses[1].caller(0);
    let all = rows(&mut root, "SELECT name, node FROM users_in_pipes").await;
    assert_eq!((count_of(&all, "1"), count_of(&all, "2")), (600, 600));
    let names: std::collections::HashSet<&String> = all.iter().map(|row| &row[0]).collect();
    assert_eq!(names.len(), 600);
}

#[tokio::test]
async fn a_browser_is_told_who_is_in_a_pipe_of_all_nodes() {
    let (houses, room) = three([2, 3, 1]).await;
    let asked = async |house: &House| match house.node.run(Ask::Users(room.clone())).await {
        Answer::Users(users) => users.unwrap(),
        _ => panic!("something else was asked"),
    };
    assert_eq!(asked(&houses[0]).await.len(), 6);
    houses[1].dies().await;
    assert_eq!(asked(&houses[2]).await.len(), 3, "a node that is gone is asked nothing");
    houses[0].store.falls_silent(true);
    assert_eq!(asked(&houses[2]).await.len(), 1, "as far as they answer");
}

#[tokio::test]
async fn when_too_many_browsers_ask_at_a_time_who_is_in_a_pipe_the_last_are_to_try_again_and_nobody_waits_for_ever() {
    let shard = StillShard { unanswered: Some(Mutex::default()), ..StillShard::default() };
    let houses = houses(0, vec![shard]).await;
    let mut asked = JoinSet::new();
    for _ in 0..1_024 + 5 {
        let node = Arc::clone(&houses[0].node);
        asked.spawn(async move { node.run(Ask::Users(pipe("web_room"))).await });
    }
    for number in 0..1_024 + 5 {
        let answer = timeout(DEADLINE, asked.join_next()).await.expect("it is answered").unwrap().unwrap();
        let expected = if number < 5 { Busy::TooMany } else { Busy::TooLate };
        assert!(matches!(answer, Answer::Users(Err(busy)) if busy == expected), "{number}: {answer:?}");
    }
}

#[tokio::test]
async fn a_list_that_is_incomplete_says_so() {
    let (houses, _) = three([1, 1, 1]).await;
    houses[2].store.falls_silent(true);
    let mut root = houses[0].caller(0);
    for (statement, count) in [
        ("SELECT user_id FROM users_in_pipes WHERE name IN ('web_room', 'web_other')", 2),
        ("SHOW PROCESSLIST", 1),
        ("SELECT id FROM information_schema.processlist", 1),
        ("SHOW GLOBAL STATUS LIKE 'gaps_declared'", 1),
    ] {
        assert_eq!(rows(&mut root, statement).await.len(), count, "{statement}");
        assert_eq!(root.warning_count(), 1, "{statement}");
        let warning = ["Warning", "22", OF_THREE];
        assert_eq!(rows(&mut root, "SHOW WARNINGS").await, [warning], "{statement}");
        assert_eq!(rows(&mut root, "SELECT @@warning_count").await, [["1"]], "{statement}");
        assert_eq!(rows(&mut root, "SHOW WARNINGS").await, [warning], "they stay until the next statement");
        assert_eq!(rows(&mut root, "SHOW ERRORS").await, [[""; 0]; 0]);
        // Other nodes have nothing to say to this.
        rows(&mut root, "SHOW STATUS LIKE 'Ssl_cipher'").await;
        assert_eq!((root.warning_count(), rows(&mut root, "SHOW WARNINGS").await.len()), (0, 0), "{statement}");
    }
    houses[2].store.falls_silent(false);
    assert_eq!(rows(&mut root, "SELECT user_id FROM users_in_pipes").await.len(), 3);
    assert_eq!(root.warning_count(), 0);
}

/// A node's browser, with the node's number in its own.
fn browser(node: u32, slot: u32, tenant: u32) -> Connected {
    let connected = connected(slot, TenantId(tenant), None);
    Connected { id: ConnectionId { node, ..connected.id }, ..connected }
}

#[tokio::test]
async fn while_the_store_does_not_say_who_is_there_a_node_answers_for_itself() {
    let houses = quiet(2, 0).await;
    let (mut root, _other) = (houses[0].caller(0), houses[1].caller(0));
    houses[0].store.knows_nobody();
    assert_eq!(rows(&mut root, "SHOW PROCESSLIST").await.len(), 1);
    let warning = "Incomplete answer: the store did not say within 1000 ms which other nodes there are, and what is \
                   known there is not in it";
    assert_eq!(rows(&mut root, "SHOW WARNINGS").await, [["Warning", "22", warning]]);
}

#[tokio::test]
async fn clients_and_browsers_of_all_nodes_are_listed_by_numbers_of_their_own() {
    let shard = |node: u32| {
        let connected = vec![browser(node, 0, 5), browser(node, 1, 0)];
        StillShard { connected, ..StillShard::default() }
    };
    let houses = houses(0, vec![shard(1), shard(2)]).await;
    let (mut root, mut five) = (houses[0].caller(0), houses[1].caller(5));
    let all = rows(&mut root, "SELECT id, user, command, node FROM information_schema.processlist").await;
    let of = |node: u64, shard_and_serial: u64| (node << 41 | shard_and_serial).to_string();
    let expected = [
        [(1 << 22 | 1).to_string(), "root".into(), "Sleep".into(), "1".into()],
        [(2 << 22 | 1).to_string(), "5".into(), "Sleep".into(), "2".into()],
        [of(1, 1 << 32 | 1), "anonymous".into(), "Browser".into(), "1".into()],
        [of(1, 1 << 32 | 2), "anonymous".into(), "Browser".into(), "1".into()],
        [of(2, 1 << 32 | 1), "anonymous".into(), "Browser".into(), "2".into()],
        [of(2, 1 << 32 | 2), "anonymous".into(), "Browser".into(), "2".into()],
    ];
    assert_eq!(all, expected);
    let theirs = rows(&mut five, "SHOW PROCESSLIST").await;
    assert_eq!(theirs.len(), 3, "the client and the browsers of its tenant, of both nodes: {theirs:?}");
    assert_eq!(theirs[0].len(), 8, "the node is not shown to who does not name it");
    assert_eq!(rows(&mut root, "SHOW PROCESSLIST WHERE node = 2 AND Command = 'Sleep'").await.len(), 1);
}

#[tokio::test]
async fn long_rows_go_into_pages_that_a_letter_can_hold() {
    let long = |slot: u32| {
        let user_agent = "\u{1}".repeat(5_000).into();
        let Present { about, .. } = present(slot, None);
        let about = cometql::user::About { user_agent, ..about };
        Connected { about, ..browser(2, slot, 0) }
    };
    let connected = (0..150).map(long).collect();
    let houses = houses(0, vec![StillShard::default(), StillShard { connected, ..StillShard::default() }]).await;
    let mut root = houses[0].caller(0);
    let all = rows(&mut root, "SELECT id, info, node FROM information_schema.processlist WHERE node = 2").await;
    assert_eq!((all.len(), root.warning_count()), (150, 0));
    assert!(all.iter().all(|row| row[1].len() == 5_000));
}

#[tokio::test]
async fn any_node_ends_what_is_connected_to_another() {
    let shard = |node: u32| StillShard { connected: vec![browser(node, 0, 5)], ..StillShard::default() };
    let houses = houses(0, vec![shard(1), shard(2), shard(3)]).await;
    let (mut root, mut six) = (houses[0].caller(0), houses[0].caller(6));
    let (five, mut other) = (houses[1].caller(5), houses[1].caller(0));
    let number = 2 << 22 | 1;
    assert_eq!(run(&mut six, &format!("KILL {number}")).await.err().map(|error| error.code), Some(1094));
    assert_eq!(*five.client().end().borrow(), End::Nothing, "another tenant's");
    run(&mut root, &format!("KILL QUERY {number}")).await.unwrap();
    assert_eq!(*five.client().end().borrow(), End::Statement);
    run(&mut root, &format!("KILL {number}")).await.unwrap();
    assert_eq!(*five.client().end().borrow(), End::Connection);
    assert_eq!(*other.client().end().borrow(), End::Nothing);
    let browser_of_three: u64 = 3 << 41 | 1 << 32 | 1;
    run(&mut other, &format!("KILL {browser_of_three}")).await.unwrap();
    let error = run(&mut other, &format!("KILL QUERY {browser_of_three}")).await.err().unwrap();
    assert_eq!((error.code, &*error.message), (1094, &*format!("Unknown thread id: {browser_of_three}")));
    houses[2].store.falls_silent(true);
    let error = run(&mut other, &format!("KILL {browser_of_three}")).await.err().unwrap();
    let said = format!(
        "Unknown thread id: {browser_of_three}, as far as the answers go: node 3 did not answer within 1000 ms, so try again"
    );
    assert_eq!((error.code, error.message), (1094, said));
}

#[tokio::test]
async fn a_number_that_another_node_gives_out_ends_nobody_who_has_it_from_an_earlier_time() {
    let houses = quiet(2, 0).await;
    let (mut root, meant) = (houses[0].caller(0), houses[1].caller(5));
    let number = 2 << 22 | 1;
    // The first node was number 2 before it was taken for dead, and this client has stayed.
    let node = &houses[0].node;
    let stays = node.clients().enter(number, "5", "::1", TenantId(5), node.clock().now());
    run(&mut root, &format!("KILL {number}")).await.unwrap();
    assert_eq!((*stays.end().borrow(), *meant.client().end().borrow()), (End::Nothing, End::Connection));
}

#[tokio::test]
async fn what_is_counted_is_added_over_the_nodes() {
    let houses = quiet(3, 0).await;
    for (house, count) in houses.iter().zip([1, 10, 100]) {
        house.status.published(count);
        house.status.delivered(2 * count);
        (0..count).for_each(|_| house.status.browser_came(TenantId(5)));
    }
    let _clients = [houses[1].caller(5), houses[2].caller(5), houses[2].caller(6)];
    let mut five = houses[0].caller(5);
    for (statement, value) in [
        ("SHOW STATUS LIKE 'user_online'", "111"),
        ("SHOW STATUS LIKE 'server_online'", "3"),
        ("SHOW STATUS LIKE 'messages'", "111"),
        ("SHOW GLOBAL STATUS LIKE 'messages_published'", "111"),
        ("SHOW GLOBAL STATUS LIKE 'frontend_messages'", "222"),
        ("SHOW GLOBAL STATUS WHERE Variable_name = 'frontend_online'", "111"),
        ("SELECT calls FROM profiler WHERE tag = 'messages_published'", "1"),
    ] {
        assert_eq!(rows(&mut five, statement).await[0].last().map(String::as_str), Some(value), "{statement}");
    }
}

#[tokio::test]
async fn a_letter_that_is_none_or_from_a_later_version_does_no_harm() {
    use cometql::store::{Peer, Store};
    let houses = quiet(2, 0).await;
    let garbage: [&[u8]; 6] = [
        b"",
        b"\xFF\xFE",
        br#"{"version":1,"from":2,"number":1,"answer":true}"#,
        br#"{"version":9,"from":2,"number":1,"question":{"weather":1}}"#,
        br#"{"version":1,"from":2,"number":1,"question":{"browsers":[{"tenant":0},{"shard":18446744073709551615,"after":4294967295}]}}"#,
        br#"{"version":1,"from":9,"number":1,"question":{"end":{"tenant":0,"number":18446744073709551615,"statement_only":false}}}"#,
    ];
    for letter in garbage.iter().cycle().take(600) {
        assert_eq!(houses[1].store.post(Peer(1), letter.to_vec()).await, Ok(true));
    }
    let (mut root, _other) = (houses[1].caller(0), houses[0].caller(0));
    assert_eq!(rows(&mut root, "SHOW PROCESSLIST").await.len(), 2);
    assert_eq!(root.warning_count(), 0);
}

#[tokio::test]
async fn when_somebody_was_here_is_told_of_all_nodes() {
    let houses = quiet(2, 0).await;
    let device = visitor(&houses[1], 0, Some(user(42)));
    houses[1].listen(&device, &[&log(user(42))], &[]).await;
    let mut root = houses[0].caller(0);
    assert_eq!(rows(&mut root, "SELECT * FROM users_time").await, [["42", "0"]]);
}

#[tokio::test]
async fn letters_that_nobody_answers_are_counted_where_they_were_sent_and_told_everywhere() {
    let houses = quiet(3, 0).await;
    let (mut root, mut other) = (houses[0].caller(0), houses[1].caller(0));
    let statement = "SHOW GLOBAL STATUS LIKE 'letters_unanswered'";
    assert_eq!(rows(&mut root, statement).await, [["letters_unanswered", "0"]]);
    houses[2].store.falls_silent(true);
    rows(&mut root, "SHOW PROCESSLIST").await;
    houses[2].store.falls_silent(false);
    assert_eq!(rows(&mut other, statement).await, [["letters_unanswered", "1"]]);
    assert_eq!(houses[0].status.letters_unanswered(), 1);
    assert_eq!(rows(&mut other, "SHOW GLOBAL STATUS LIKE 'questions_refused'").await, [["questions_refused", "0"]]);
}
