//! A store whose file was cut or has rotted: nothing that was acknowledged is silently wrong. Either all of it reads
//! back right, or what is damaged is named, and a pipe that has lost something begins a new epoch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/clock.rs"]
mod clock;
#[path = "crowd/random.rs"]
mod random;

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::StillClock;
use cometql::pipe::{Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::embedded::{self, Durability};
use cometql::store::{EarId, PageMax, Publish, Record, Since, Store, StoreError};
use cometql::user::{TenantId, UserId};
use random::Random;
use tracing_subscriber::fmt::MakeWriter;

const PIPES: usize = 9;
const USERS: u64 = 40;
const PAGE_BYTES: usize = 4_096;
/// The damage that is done while a node runs.
const BEHIND_THE_BACK: &str = "behind the back";
const ALL: PageMax = PageMax { messages: 10_000, bytes: usize::MAX };
/// Far longer than a file of this size takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn rounds() -> usize {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") { 2_000 } else { 200 }
}

/// Index and text of each.
type Messages = Vec<(u64, String)>;

/// What was acknowledged.
struct Truth {
    /// The file after all that.
    file: Vec<u8>,
    pipes: Vec<(Pipe, Position, Messages)>,
}

fn open(directory: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let config = embedded::Config {
        directory: Some(directory.to_owned()),
        durability: Durability::Disk,
        history_bytes_max_per_pipe: 1_024 * 1_024,
        recovery_bytes_max: 1_024 * 1_024,
    };
    Ok(embedded::open(&config, Vec::new(), Arc::new(StillClock::at(1_700_000_000_000)))?)
}

fn publish(pipe: &Pipe, text: &str) -> Publish {
    Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new(text.to_owned(), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn value(number: u64) -> String {
    format!("hash of {number}")
}

/// The pipe with this number: most have a setting, some are users' logs.
fn pipe(number: usize) -> Pipe {
    match number % 4 {
        0 => Pipe::Log(TenantId(0), user(number as u64 + 1)),
        _ => Pipe::Named(TenantId(0), PipeName::for_publish(&format!("pipe_{number}")).unwrap()),
    }
}

/// The message with this index, of the pipe with this number.
fn text(number: usize, index: u64) -> String {
    let count = index as usize - 1;
    format!("{count} of {number} {}", "x".repeat(count * number % 200))
}

/// Real commits: trimmed and erased, over many pipes in turns. `is_closed` says how the node ended.
async fn made(is_closed: bool) -> Truth {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for number in 0..PIPES {
        if let Pipe::Named(..) = pipe(number) {
            store.set_retention(&pipe(number), Retention::of_length(60)).await.unwrap();
        }
    }
    for number in 1..=USERS {
        store.set_record(TenantId(0), &Record::Key(user(number)), Some(value(number))).await.unwrap();
    }
    for index in 1..=70 {
        let batch = (0..PIPES).map(|number| publish(&pipe(number), &text(number, index)));
        store.publish(batch.collect()).await.unwrap();
    }
    let mut pipes = Vec::new();
    for number in 0..PIPES {
        store.erase(&pipe(number), &[20, 41]).await.unwrap();
        let page = store.history(&pipe(number), Since::Beginning, ALL).await.unwrap();
        let messages = page.messages.iter().map(|one| (one.position.index, one.message.as_str().to_owned()));
        pipes.push((pipe(number), page.up_to, messages.collect()));
    }
    let file = directory.path().join("store.redb");
    if is_closed {
        store.close().await;
    }
    Truth { file: std::fs::read(file).unwrap(), pipes }
}

/// What was logged as an error since it was last asked.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;

    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}

#[derive(Default, Debug)]
struct Outcomes {
    whole: usize,
    refused: usize,
    partly: usize,
    pipes_renewed: usize,
    /// While the node ran.
    noticed: usize,
}

/// Opens a damaged file and compares what it has with the truth.
async fn judge(truth: &Truth, file: &[u8], log: &Log, outcomes: &mut Outcomes) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("store.redb"), file).unwrap();
    log.take();
    let store = match open(directory.path()) {
        Ok(store) => store,
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("store.redb") && said.contains("restore it from a backup"), "{said}");
            println!("refused: {said}");
            outcomes.refused += 1;
            return;
        }
    };
    let said = log.take();
    let (mut lost, mut renewed) = (0, 0);
    for (number, (pipe, stood, messages)) in truth.pipes.iter().enumerate() {
        let stands = store.listen(pipe, EarId(0)).await.unwrap().position;
        match store.history(pipe, Since::Beginning, ALL).await {
            Ok(page) => {
                let there: Vec<(u64, String)> =
                    page.messages.iter().map(|one| (one.position.index, one.message.as_str().to_owned())).collect();
                // Of a commit that is not the newest, deleted ones come back.
                let was_sent = |(index, sent): &(u64, String)| *sent == text(number, *index);
                assert!(there.iter().all(was_sent), "{pipe:?} has what was never sent");
                let is_whole = there == *messages && stands == *stood;
                assert!(is_whole || stands.epoch != stood.epoch, "{pipe:?} has lost something silently: {stands:?}");
                lost += usize::from(there != *messages);
            }
            Err(StoreError::Damaged(what)) => assert!(!what.is_empty()),
            Err(error) => panic!("{error}"),
        }
        renewed += usize::from(stands.epoch != stood.epoch);
        let next = store.publish(vec![publish(pipe, "next")]).await;
        assert!(next.is_ok_and(|next| next[0].position.epoch == stands.epoch), "{pipe:?} goes on");
    }
    for number in 1..=USERS {
        match store.record(TenantId(0), &Record::Key(user(number))).await {
            Ok(Some(hash)) => assert_eq!(hash, value(number)),
            Ok(None) => lost += 1,
            Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{error}"),
        }
    }
    assert!(lost == 0 && renewed == 0 || said.contains("ERROR"), "{lost} lost, {renewed} renewed, and nothing said");
    outcomes.whole += usize::from(lost == 0 && renewed == 0);
    outcomes.partly += usize::from(lost > 0 || renewed > 0);
    outcomes.pipes_renewed += renewed;
    store.close().await;
    // It is healed: the next start has nothing to say.
    log.take();
    open(directory.path()).unwrap().close().await;
    assert_eq!(log.take(), "", "after a salvage the file is sound");
}

/// Damages the file behind the back of a node that has it open. Whatever is read is right, or an error that names it;
/// and the next start says the rest.
async fn judge_behind_the_back(truth: &Truth, file: &[u8], log: &Log, outcomes: &mut Outcomes) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    std::fs::write(&path, &truth.file).unwrap();
    let store = open(directory.path()).unwrap();
    log.take();
    // In place, for the node has this file open; and over what it has written since. Its first page it does not read.
    let open = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for place in (PAGE_BYTES..file.len()).filter(|place| file[*place] != truth.file[*place]) {
        let mut byte = [0];
        open.read_exact_at(&mut byte, place as u64).unwrap();
        open.write_all_at(&[byte[0] ^ file[place] ^ truth.file[place]], place as u64).unwrap();
    }
    let mut named = 0;
    for (pipe, _, messages) in &truth.pipes {
        match store.history(pipe, Since::Beginning, ALL).await {
            Ok(page) => {
                let there = page.messages.iter().map(|one| (one.position.index, one.message.as_str().to_owned()));
                assert!(there.eq(messages.iter().cloned()), "{pipe:?} is something else");
            }
            Err(error) => named += usize::from(is_named(&error, log)),
        }
    }
    for number in 1..=USERS {
        match store.record(TenantId(0), &Record::Key(user(number))).await {
            Ok(hash) => assert_eq!(hash, Some(value(number))),
            Err(error) => named += usize::from(is_named(&error, log)),
        }
    }
    assert!(named == 0 || log.take().contains("are not what was written there"), "it is in the log, too");
    outcomes.noticed += usize::from(named > 0);
    store.close().await;
    let left = std::fs::read(&path).unwrap();
    judge(truth, &left, log, outcomes).await;
}

/// # Panics
/// The error says nothing.
fn is_named(error: &StoreError, log: &Log) -> bool {
    let said = error.to_string();
    assert!(said.contains("damaged") && said.contains("restart the node"), "{said}; {}", log.take());
    true
}

/// Runs rounds that each damage the file in a way of their own.
fn damaged(
    log: &Log,
    of: &str,
    rounds: usize,
    is_closed: bool,
    mut damage: impl FnMut(&mut Vec<u8>, &mut Random) -> String,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let truth = Arc::new(runtime.block_on(made(is_closed)));
    let mut random = Random::new(of);
    // Each kind of damage in places of its own.
    for _ in 0..of.len() {
        random.next();
    }
    let is_open = of == BEHIND_THE_BACK;
    let mut outcomes = Outcomes::default();
    for round in 0..rounds {
        let mut file = truth.file.clone();
        let how = damage(&mut file, &mut random);
        println!("{of}, round {round}: {how}");
        let (sender, ended) = channel();
        let (truth, log, mut sum) = (Arc::clone(&truth), log.clone(), outcomes);
        let judged = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            match is_open {
                true => runtime.block_on(judge_behind_the_back(&truth, &file, &log, &mut sum)),
                false => runtime.block_on(judge(&truth, &file, &log, &mut sum)),
            }
            let _ = sender.send(());
            sum
        });
        // A sender that is gone has panicked.
        let hangs = ended.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        assert!(!hangs, "it hangs: {how}");
        outcomes = judged.join().unwrap_or_else(|_| panic!("it fails: {how}"));
    }
    println!("{of}: {outcomes:?}");
}

#[allow(clippy::ptr_arg)]
fn flip(file: &mut Vec<u8>, random: &mut Random) -> String {
    let count = 1 + random.below(8);
    let places: Vec<usize> = (0..count).map(|_| random.below(file.len())).collect();
    for place in &places {
        file[*place] ^= 1 << random.below(8);
    }
    format!("bits flipped in {places:?} of {}", file.len())
}

/// Where a file says which of two commits is the newest, and how it was closed.
const GOD_BYTE: usize = 9;
/// Where the two commits are described behind it, up to here.
const HEADER_BYTES: usize = 320;

/// Flips one bit of the header a round: each of the god byte, then others.
fn header(all: bool) -> impl FnMut(&mut Vec<u8>, &mut Random) -> String {
    let mut round = 0;
    move |file, random| {
        let (place, bit) = match round {
            0..8 => (GOD_BYTE, round),
            _ if all => ((round - 8) / 8, round % 8),
            _ => (random.below(HEADER_BYTES), random.below(8)),
        };
        round += 1;
        file[place] ^= 1 << bit;
        format!("bit {bit} of byte {place} of the header flipped")
    }
}

// One test, because what is logged is caught for the whole process.
#[test]
fn a_file_that_was_cut_or_has_rotted_is_never_silently_wrong() {
    // The engine panics over some of it, and nobody needs to see from where.
    std::panic::set_hook(Box::new(|panic| println!("{panic}")));
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).with_target(false);
    tracing::subscriber::set_global_default(subscriber.with_max_level(tracing::Level::ERROR).finish()).unwrap();
    let (all, of_header) = (rounds() > 200, if rounds() > 200 { 8 + HEADER_BYTES * 8 } else { 24 });
    damaged(&log, BEHIND_THE_BACK, rounds() / 4, true, flip);
    damaged(&log, "header after a stop", of_header, true, header(all));
    damaged(&log, "header after a crash", of_header, false, header(all));
    damaged(&log, "flipped after a stop", rounds() / 2, true, flip);
    damaged(&log, "flipped after a crash", rounds() / 2, false, flip);
    for is_closed in [true, false] {
        damaged(&log, "cut", rounds() / 10, is_closed, |file, random| {
            let whole = file.len();
            file.truncate(whole - 1 - random.below(whole / 2));
            format!("{} of {whole} left", file.len())
        });
    }
    damaged(&log, "a page lost", rounds() / 10, false, |file, random| {
        let page = random.below(file.len() / 4_096);
        file[page * 4_096..(page + 1) * 4_096].fill(0);
        format!("page {page} of {} is zero", file.len() / 4_096)
    });
}
