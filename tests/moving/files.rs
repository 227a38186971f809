//! A backup moves between the stores, and back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cometql::clock::SystemClock;
use cometql::pipe::{ConnectionId, Delivery, Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::embedded::{self, Archive, Durability};
use cometql::store::{PageMax, Publish, Record, Shelf, Since, Store};
use cometql::user::{TenantId, UserId};

use super::node::Home;
use super::redis::Redis;
use super::{refusal, succeeded};

const ALL: PageMax = PageMax { messages: 10_000, bytes: usize::MAX };

fn named(tenant: u32, name: &str) -> Pipe {
    Pipe::Named(TenantId(tenant), PipeName::for_publish(name).unwrap())
}

fn log(tenant: u32, user: u64) -> Pipe {
    Pipe::Log(TenantId(tenant), UserId::new(user).unwrap())
}

fn publish(pipe: &Pipe, text: String) -> Publish {
    Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new(text, usize::MAX).unwrap(),
        user: UserId::new(9),
        origin: Some(ConnectionId { node: 3, shard: 1, slot: 4, serial: 5 }),
        sender_listens: false,
    }
}

fn open(directory: PathBuf) -> Arc<dyn Store> {
    let config = embedded::Config {
        directory: Some(directory),
        durability: Durability::Memory,
        history_bytes_max_per_pipe: 16 << 20,
        recovery_bytes_max: 0,
    };
    embedded::open(&config, Vec::new(), Arc::new(SystemClock)).unwrap()
}

/// Fills a data directory with something of every kind, more than a page of each that has pages.
async fn fill(directory: PathBuf) {
    let store = open(directory);
    let mut setting = tokio::task::JoinSet::new();
    for number in 0..1_100 {
        let store = Arc::clone(&store);
        let pipe = named(1, &format!("empty_{number}"));
        setting.spawn(async move { store.set_retention(&pipe, Retention::NOTHING).await.unwrap() });
    }
    setting.join_all().await;
    store.set_retention(&named(1, "long"), Retention { length: 900, ttl_seconds: Some(90_000) }).await.unwrap();
    store.set_retention(&named(70_000, "short"), Retention::of_length(3)).await.unwrap();
    for pipe in [named(1, "long"), named(70_000, "short"), named(1, "trust_me"), log(1, 7), log(1, 8), log(2, 7)] {
        for part in 0..10 {
            let batch = (0..100).map(|number| publish(&pipe, format!("{part} {number} {}", "x".repeat(number * 40))));
            store.publish(batch.collect()).await.unwrap();
        }
    }
    // Two holes, and a log of which a part was taken.
    store.erase(&named(1, "long"), &[500, 1_000]).await.unwrap();
    store.take(&log(1, 7), 400).await.unwrap();
    store.take(&log(1, 8), 1_000).await.unwrap();
    for number in 1..=200 {
        let user = UserId::new(number).unwrap();
        for record in [Record::Key(user), Record::Data(user), Record::Seen(user)] {
            store.set_record(TenantId(1), &record, Some(format!("{number}"))).await.unwrap();
        }
    }
    store.set_record(TenantId(3), &Record::Revoked("a.b.c".into()), Some("17".into())).await.unwrap();
    store.close().await;
}

/// A line for everything that is in a file, in a fixed order.
async fn lines_of(file: &Path) -> Vec<String> {
    let store = embedded::read_backup(file, Arc::new(SystemClock)).unwrap();
    let mut lines = Vec::new();
    for tenant in store.tenants(None, 1_000).await.unwrap() {
        for shelf in [Shelf::Keys, Shelf::Data, Shelf::Seen, Shelf::Revoked] {
            let records = store.records(tenant, shelf, None, 10_000).await.unwrap();
            lines.extend(records.into_iter().map(|record| format!("{tenant} {record:?}")));
        }
        let settings = store.retentions(tenant, None, 10_000).await.unwrap();
        lines.extend(settings.iter().map(|setting| format!("{tenant} {setting:?}")));
        let kept = store.kept(tenant, None, 10_000).await.unwrap();
        let logs = store.logs(tenant, None, 10_000).await.unwrap();
        let kept = kept.into_iter().map(|name| Pipe::Named(tenant, name));
        for pipe in kept.chain(logs.into_iter().map(|user| Pipe::Log(tenant, user))) {
            let page = store.history(&pipe, Since::Beginning, ALL).await.unwrap();
            let untaken = store.history(&pipe, Since::Untaken, ALL).await.unwrap().messages.len();
            lines.push(format!("{pipe:?} {:?} {untaken}", page.up_to));
            lines.extend(page.messages.iter().map(|message| line_of(message)));
        }
    }
    store.close().await;
    lines
}

fn line_of(message: &Delivery) -> String {
    let Delivery { id, user, origin, sent_at, .. } = message;
    format!("{message:?} {id} {user:?} {origin:?} {sent_at:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_from_a_directory_through_redis_into_a_file_is_what_it_was() {
    let (home, redis) = (Home::new(&[]), Redis::start());
    let store = ["--store", &redis.url()];
    fill(home.data()).await;
    succeeded(&home.run(&["export", "first"]));
    let first = lines_of(&home.path().join("first")).await;
    assert!(first.len() > 5_000, "{} lines", first.len());

    let import = [&["import", "first", "--keep-positions"][..], &store].concat();
    let end = home.run(&import);
    assert!(succeeded(&end).contains("messages of pipes: 1901 came over\n"), "{}", end.stdout);
    let end = home.run(&[&["export", "second"][..], &store].concat());
    assert!(succeeded(&end).contains("private messages: 3000 came over\n"), "{}", end.stdout);
    let second = lines_of(&home.path().join("second")).await;
    assert!(first == second, "{:?}", first.iter().zip(&second).find(|(first, second)| first != second));
    let names: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing half written is left: {names:?}");

    // And back, once more than needed.
    let end = home.run(&["import", "second", "--keep-positions", "--data-dir", "back"]);
    succeeded(&end);
    let again = ["import", "second", "--keep-positions", "--data-dir", "back", "--merge"];
    let end = home.run(&again);
    assert!(succeeded(&end).contains("messages of pipes: 0 came over, 1901 were there already\n"), "{}", end.stdout);
    succeeded(&home.run(&["export", "third", "--data-dir", "back"]));
    let third = lines_of(&home.path().join("third")).await;
    assert!(first == third, "{:?}", first.iter().zip(&third).find(|(first, third)| first != third));
    // What `export` writes of a Redis is what `restore` reads.
    succeeded(&home.run(&["restore", "second", "--data-dir", "restored"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_promise_every_pipe_begins_a_new_epoch_behind_what_came_over() {
    let home = Home::new(&[]);
    fill(home.data()).await;
    succeeded(&home.run(&["backup", "file"]));
    for (directory, into) in [("data", "--data-dir=data"), ("other", "--data-dir=other")] {
        succeeded(&home.run(&["import", "file", into]));
        let before = embedded::read_backup(&home.path().join("file"), Arc::new(SystemClock)).unwrap();
        let store = open(home.path().join(directory));
        for pipe in [named(1, "long"), log(1, 7)] {
            let was = before.history(&pipe, Since::Beginning, ALL).await.unwrap();
            let is = store.history(&pipe, Since::Beginning, ALL).await.unwrap();
            assert_eq!(is.up_to.index, was.up_to.index);
            assert_ne!(is.up_to.epoch, was.up_to.epoch);
            assert!(is.messages.iter().map(|message| line_of(message)).eq(was.messages.iter().map(|m| line_of(m))));
            let recovered = store.recover(&pipe, was.up_to, ALL).await.unwrap();
            assert!(matches!(recovered, cometql::store::Recovered::Lost(position) if position == is.up_to));
            let next = store.publish(vec![publish(&pipe, "next".into())]).await.unwrap()[0].position;
            assert_eq!(next, Position { index: was.up_to.index + 1, ..is.up_to });
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_half_done_goes_on_and_what_was_there_stays() {
    let home = Home::new(&[]);
    fill(home.data()).await;
    succeeded(&home.run(&["backup", "file"]));
    // As if it had been killed between two pages of a pipe, and somebody had used the store meanwhile.
    let from = embedded::read_backup(&home.path().join("file"), Arc::new(SystemClock)).unwrap();
    let half = open(home.path().join("half"));
    let pipe = named(1, "long");
    half.set_retention(&pipe, Retention { length: 900, ttl_seconds: Some(90_000) }).await.unwrap();
    let page = from.history(&pipe, Since::Beginning, PageMax { messages: 100, ..ALL }).await.unwrap();
    let (position, floor) = (page.up_to, page.messages[0].position.index - 1);
    let stands = cometql::store::Standing { position, taken: 0, floor };
    half.adopt(&pipe, page.messages, stands).await.unwrap();
    // Somebody has published, and deleted it again: what was to stand there cannot come any more.
    let position = half.publish(vec![publish(&pipe, "meanwhile".into())]).await.unwrap()[0].position;
    half.erase(&pipe, &[position.index]).await.unwrap();
    let user = UserId::new(5).unwrap();
    half.set_record(TenantId(1), &Record::Key(user), Some("another".into())).await.unwrap();
    half.set_retention(&named(70_000, "short"), Retention::of_length(5)).await.unwrap();
    half.publish(vec![publish(&named(70_000, "short"), "other".into())]).await.unwrap();
    half.close().await;

    let import = ["import", "file", "--keep-positions", "--data-dir", "half"];
    assert!(refusal(&home.run(&import)).contains("--merge"));
    let end = home.run(&[&import[..], &["--merge"]].concat());
    assert_eq!(refusal(&end), "cometql: 6 were left out");
    for text in [
        "messages of pipes: 1797 came over, 100 were there already, 4 were left out\n",
        "  left out, 1: somebody has published to the pipe there, and nothing comes before that\n    pipe long of tenant 1\n",
        "pipe short of tenant 70000\n",
        "keys of users: 199 came over, 1 were left out\n  left out, 1: something else is there already, and stays\n",
        "    user 5 of tenant 1\n",
    ] {
        assert!(end.stdout.contains(text), "{text} is not in\n{}", end.stdout);
    }
    let half = open(home.path().join("half"));
    let (was, is) =
        (from.history(&pipe, Since::Beginning, ALL).await, half.history(&pipe, Since::Beginning, ALL).await);
    let lines = |page: cometql::store::Page| page.messages.iter().map(|message| line_of(message)).collect::<Vec<_>>();
    let mut was = was.unwrap();
    was.messages.retain(|message| message.position.index != position.index);
    assert!(lines(was) == lines(is.unwrap()));
    let key = half.record(TenantId(1), &Record::Key(user)).await.unwrap();
    assert_eq!(key.as_deref(), Some("another"));
    half.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_new_store_has_no_room_for_was_left_out() {
    let (home, redis) = (Home::new(&[]), Redis::start());
    fill(home.data()).await;
    succeeded(&home.run(&["backup", "file"]));
    for (into, second) in [(["--store", redis.url().as_str()], "of_redis"), (["--data-dir", "little"], "of_little")] {
        let end = home.run(&[&["import", "file", "--history-bytes-max-per-pipe", "1 MiB"][..], &into].concat());
        let left: u64 =
            ["messages of pipes: ", "private messages: "].map(|what| counts(&end.stdout, what)[1]).iter().sum();
        assert!(
            left > 0 && end.stdout.contains("there are more, or older ones, than the pipe keeps\n"),
            "{}",
            end.stdout
        );
        assert_eq!(refusal(&end), format!("cometql: {left} were left out"));
        succeeded(&home.run(&[&["export", second][..], &into].concat()));
        let lines = lines_of(&home.path().join(second)).await;
        let there = lines.iter().filter(|line| line.contains(" event ")).count() as u64;
        assert_eq!(there, 4_901 - left);
        let came: u64 =
            ["messages of pipes: ", "private messages: "].map(|what| counts(&end.stdout, what)[0]).iter().sum();
        assert_eq!(there, came);
    }
}

/// How many came over, and how many were left out.
fn counts(report: &str, what: &str) -> [u64; 2] {
    let line = report.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    let count = |of: &str| line.split(", ").find_map(|part| part.strip_suffix(of)).map_or(0, |n| n.parse().unwrap());
    [count(" came over"), count(" were left out")]
}

#[tokio::test]
async fn an_export_that_is_incomplete_is_no_success() {
    let (home, redis) = (Home::new(&[]), Redis::start());
    let store = ["--store", &redis.url()];
    let directory = open(home.data());
    for name in ["short", "other"] {
        directory.set_retention(&named(70_000, name), Retention::of_length(3)).await.unwrap();
        let batch = (0..3).map(|number| publish(&named(70_000, name), number.to_string()));
        directory.publish(batch.collect()).await.unwrap();
    }
    directory.close().await;
    succeeded(&home.run(&["export", "first"]));
    succeeded(&home.run(&[&["import", "first"][..], &store].concat()));
    // Its messages are there, and nothing says any more that they are to be kept.
    let keys = redis.ask(&["KEYS", "cometql:{*}:70000:n:short"]);
    let key = keys.lines().find(|line| line.starts_with("cometql:")).unwrap();
    assert_eq!(redis.ask(&["HDEL", key, "length"]).trim(), ":1");
    let end = home.run(&[&["export", "second"][..], &store].concat());
    let file = home.path().join("second").display().to_string();
    assert_eq!(refusal(&end), format!("cometql: {file}: written, and incomplete: 3 were left out"));
    assert!(end.stdout.contains("pipe short of tenant 70000\n"), "{}", end.stdout);
    let lines = lines_of(Path::new(&file)).await;
    assert_eq!(lines.iter().filter(|line| line.contains(" event ")).count(), 3, "{lines:?}");
}

#[test]
fn where_a_configuration_cannot_be_written_nothing_is_begun() {
    let home = Home::new(&[]);
    std::fs::write(
        home.path().join("comet.ini"),
        "[main]\npassword = x\n[db]\nhost = 127.0.0.1\nport = 1\nuser = a\npassword = b\nname = c\n",
    )
    .unwrap();
    let import = |file: &str| home.run(&["import", "--ini", "comet.ini", "--config-out", file]);
    let end = import("absent/new.toml");
    assert!(refusal(&end).contains("absent/new.toml: No such file") && refusal(&end).ends_with("--config-out"));
    // What breaks off behind it leaves no file that stands in the way of the next time.
    for _ in 0..2 {
        let end = import("new.toml");
        assert!(refusal(&end).contains("the original's database"), "{}", end.stderr);
        assert!(!home.path().join("new.toml").exists() && !home.data().exists());
    }
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_what_is_half_written_leaves_nothing() {
    let home = Home::new(&[]);
    std::fs::write(home.path().join("text"), "no backup").unwrap();
    assert!(refusal(&home.run(&["import", "text"])).contains("this is no backup of cometql"));
    assert!(refusal(&home.run(&["import", "absent"])).contains("No such file"));
    assert!(refusal(&home.run(&["export", "file"])).contains("there is no store in"));
    assert!(refusal(&home.run(&["export", "file", "--memory"])).contains("--data-dir"));
    assert!(!home.run(&["import"]).status.success());
    assert!(!home.data().exists());

    fill(home.data()).await;
    succeeded(&home.run(&["backup", "file"]));
    assert!(refusal(&home.run(&["import", "file", "--memory"])).contains("--data-dir"));
    let whole = std::fs::read(home.path().join("file")).unwrap();
    let mut rotten = whole.clone();
    // In the middle of the texts.
    let at = rotten.windows(40).position(|window| window.iter().all(|byte| *byte == b'x')).unwrap();
    rotten[at] ^= 1;
    std::fs::write(home.path().join("rotten"), &rotten).unwrap();
    assert!(!home.run(&["import", "rotten", "--data-dir", "new"]).status.success());
    assert!(!home.path().join("new").exists());
    assert!(std::fs::read(home.path().join("file")).unwrap() == whole, "reading changes nothing");

    let archive = Archive::begin(&home.path().join("half"), Arc::new(SystemClock)).unwrap();
    archive.store().set_retention(&named(1, "room"), Retention::of_length(1)).await.unwrap();
    drop(archive);
    let left = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.starts_with("half")));
}
