//! Memory: what stays, what is forgotten, what comes back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::stripe::IDLE_PIPES_MAX;
use super::*;
use crate::clock::Clock;
use crate::pipe::Message;
use crate::store::embedded::{Config, open};
use crate::store::{REPEAT_MILLIS, Record, Recovered, Store, WINDOW_MILLIS_MAX};

fn pipe(name: &str) -> Pipe {
    Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap())
}

#[test]
fn a_million_names_used_once_leave_little_behind() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    for number in 0..1_000_000 {
        let pipe = pipe(&format!("once_{number}"));
        live.lock([&pipe].into_iter()).pipe(&pipe, UnixMillis(number / 100));
    }
    let remembered: usize = (0..STRIPES).map(|number| live.stripe(number).pipes.len()).sum();
    assert!(remembered <= IDLE_PIPES_MAX * 2, "{remembered} pipes are remembered");
    // And nothing when they have been quiet for ten minutes, except for one that is heard.
    let heard = pipe("heard");
    live.listen(&heard, EarId(0), UnixMillis(10_000));
    (0..STRIPES).for_each(|number| live.let_go(number, UnixMillis(10_000 + 600_000)));
    let stripes = (0..STRIPES).map(|number| live.stripe(number));
    let left: Vec<(usize, usize)> = stripes.map(|stripe| (stripe.pipes.len(), stripe.pipes.capacity())).collect();
    assert_eq!(left.iter().map(|(count, _)| count).sum::<usize>(), 1);
    assert!(left.iter().all(|(_, capacity)| *capacity < 10), "the tables are small again: {left:?}");
}

#[test]
fn when_too_many_are_remembered_that_nobody_hears_one_more_is_not() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    let known = pipe("known");
    let first = publish(&live, &known, 1, 0);
    for number in 0..1_000_000 {
        publish(&live, &pipe(&format!("once_{number}")), 1, 0);
    }
    let count = || (0..STRIPES).map(|number| live.stripe(number).pipes.len()).sum::<usize>();
    let remembered = count();
    assert!((IDLE_PIPES_MAX..=IDLE_PIPES_MAX * 2).contains(&remembered), "{remembered} pipes are remembered");
    assert_eq!(publish(&live, &known, 1, 0).position, Position { index: 2, ..first.position }, "what is known stays");
    // Each of these begins an epoch, and no index comes twice in one.
    let late = pipe("late");
    let positions = [publish(&live, &late, 1, 0), publish(&live, &late, 1, 0)].map(|published| published.position);
    assert_eq!(positions.map(|position| position.index), [1, 1]);
    assert_ne!(positions[0].epoch, positions[1].epoch);
    assert_eq!(count(), remembered);
    // Whoever is heard is remembered all the same, and who has one of those positions is told that something is lost.
    let all = PageMax { messages: 9, bytes: usize::MAX };
    let start = live.listen(&late, EarId(0), UnixMillis(0)).position;
    assert!(matches!(live.recover(&late, positions[1], all, UnixMillis(0)), Sought::Found(Recovered::Lost(_))));
    assert_eq!(publish(&live, &late, 1, 0).position, Position { index: 1, ..start });
    assert_eq!(publish(&live, &late, 1, 0).receivers, 1);
    // Others are remembered again when those have been quiet for ten minutes and somebody has looked.
    (0..STRIPES).for_each(|number| live.let_go(number, UnixMillis(600_000)));
    let other = pipe("other");
    let first = publish(&live, &other, 1, 600_000).position;
    assert_eq!(publish(&live, &other, 1, 600_000).position, first.next());
}

#[test]
fn a_pipe_is_as_if_it_were_forgotten_before_its_memory_is_returned() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    let quiet = pipe("quiet");
    let at = |millis| live.head(&quiet, UnixMillis(millis)).position.epoch;
    let first = at(0);
    assert_eq!(at(599_999), first);
    assert_eq!(at(599_999 + 599_999), first, "it was used in between");
    assert_ne!(at(599_999 + 599_999 + 600_000), first);
}

#[test]
fn a_pipe_that_is_heard_is_not_forgotten() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    let heard = pipe("heard");
    let first = live.listen(&heard, EarId(0), UnixMillis(0));
    for number in 0..100_000 {
        let pipe = pipe(&format!("once_{number}"));
        live.lock([&pipe].into_iter()).pipe(&pipe, UnixMillis(10_000_000));
    }
    assert_eq!(live.listeners(&heard), 1);
    let second = live.listen(&heard, EarId(0), UnixMillis(0));
    assert_eq!((second.position, second.listeners), (first.position, 2));
    assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 1);
    assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 0);
    assert_eq!(live.unlisten(&heard, EarId(0), UnixMillis(0)), 0, "one too many changes nothing");
}

struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

fn publish(live: &Live, pipe: &Pipe, text_bytes: usize, now: u64) -> Published {
    let publish = Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "".parse().unwrap(),
        message: Message::new("x".repeat(text_bytes), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    };
    let (committer, _) = std::sync::mpsc::channel();
    match live.publish(vec![publish], Rooms::new(), UnixMillis(now), &committer) {
        Routed::Announced(published) => published[0],
        Routed::Queued(_) => panic!("nobody keeps {pipe:?}"),
    }
}

fn has_window(live: &Live, pipe: &Pipe) -> bool {
    live.stripe(stripe_of(pipe)).pipes[pipe].has_window()
}

#[test]
fn only_what_is_heard_takes_a_window_and_over_the_cap_whoever_publishes_gives_its_own_up() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), 10_000);
    let [small, large, idle] = ["small", "large", "idle"].map(pipe);
    publish(&live, &idle, 10, 0);
    assert!(!has_window(&live, &idle));
    for pipe in [&small, &large] {
        live.listen(pipe, EarId(0), UnixMillis(0));
        assert!(!has_window(&live, pipe), "a pipe nobody publishes to has none");
    }
    publish(&live, &small, 100, 0);
    publish(&live, &large, 8_000, 0);
    assert_eq!([&small, &large].map(|pipe| has_window(&live, pipe)), [true, false]);
    publish(&live, &large, 100, 0);
    assert!(has_window(&live, &large), "there is room again");
    let all = PageMax { messages: 9, bytes: usize::MAX };
    for (index, is_there) in [(0, false), (1, true), (2, true)] {
        let after = Position { index, ..live.head(&large, UnixMillis(0)).position };
        let recovered = live.recover(&large, after, all, UnixMillis(0));
        assert_eq!(matches!(recovered, Sought::Found(Recovered::Page(_))), is_there, "behind {index}");
    }
    assert!(live.windows.bytes.load(Ordering::Relaxed) <= 10_000);
}

#[test]
fn what_was_heard_a_moment_ago_is_not_forgotten_and_what_is_forgotten_begins_a_new_epoch() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    let (with_window, without, unheard) = (pipe("with_window"), pipe("without"), pipe("unheard"));
    for pipe in [&with_window, &without] {
        live.listen(pipe, EarId(0), UnixMillis(0));
    }
    publish(&live, &with_window, 10, 0);
    for pipe in [&with_window, &without] {
        live.unlisten(pipe, EarId(0), UnixMillis(0));
    }
    let now = UnixMillis(WINDOW_MILLIS_MAX - 1);
    let positions = || [&with_window, &without, &unheard].map(|pipe| live.head(pipe, now).position);
    let before = positions();
    // As many as it takes until they are too many, and until each of those has gone.
    for number in 0..IDLE_PIPES_MAX as u64 * 4 {
        let pipe = pipe(&format!("once_{number}"));
        live.lock([&pipe].into_iter()).pipe(&pipe, now);
    }
    let after = positions();
    assert_eq!(after[..2], before[..2]);
    assert_ne!(after[2].epoch, before[2].epoch);
}

#[test]
fn windows_of_quiet_pipes_and_old_ids_return_their_memory() {
    let clock = Arc::new(Hands(AtomicU64::new(0)));
    let config = Config {
        directory: None,
        durability: crate::store::embedded::Durability::Disk,
        history_bytes_max_per_pipe: 1,
        recovery_bytes_max: usize::MAX,
    };
    let store = open(&config, Vec::new(), Arc::<Hands>::clone(&clock)).unwrap();
    for number in 0..200 {
        let pipe = pipe(&format!("quiet_{number}"));
        store.live.listen(&pipe, EarId(0), UnixMillis(0));
        publish(&store.live, &pipe, 1_000, 0);
    }
    assert!(store.live.windows.bytes.load(Ordering::Relaxed) > 400_000);
    let (pipe, id) = (pipe("chosen"), MessageId::new());
    let published = Published { position: Position { epoch: 1, index: 1 }, receivers: 0, is_repeat: false };
    let first = First { pipe: pipe.clone(), id, published, at: UnixMillis(0) };
    store.live.remember(first, UnixMillis(0));
    assert!(store.live.first(&pipe, id, UnixMillis(0)).is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // The committer looks at one stripe a second: more often than there are, as it may see two of these seconds as one.
    for second in 1..=3 * STRIPES as u64 {
        clock.0.store(REPEAT_MILLIS + second * 1_000, Ordering::SeqCst);
        runtime.block_on(store.set_record(TenantId(1), &Record::Revoked("token".into()), None)).unwrap();
    }
    assert_eq!(store.live.windows.bytes.load(Ordering::Relaxed), 0);
    assert_eq!(store.live.first(&pipe, id, UnixMillis(0)), None);
}

#[test]
fn a_pipe_stands_where_it_was_announced_while_more_of_a_group_is_to_come() {
    let live = Live::new(Vec::new(), Arc::new(Disk::in_memory().unwrap()), usize::MAX);
    let pipe = pipe("grouped");
    let start = live.listen(&pipe, EarId(0), UnixMillis(0)).position;
    publish(&live, &pipe, 1, 0);
    // The committer has written one more, and something else it did for this pipe is told first.
    let committed = Head { position: Position { index: 2, ..start }, taken: 1, ..live.head(&pipe, UnixMillis(0)) };
    let heads = HashMap::from([(pipe.clone(), committed)]);
    live.lock([&pipe].into_iter()).move_head(&pipe, &heads, UnixMillis(0));
    let head = live.head(&pipe, UnixMillis(0));
    assert_eq!((head.position.index, head.taken), (1, 1));
    let all = PageMax { messages: 9, bytes: usize::MAX };
    let Sought::Found(Recovered::Page(page)) = live.recover(&pipe, start, all, UnixMillis(0)) else {
        panic!("something is lost");
    };
    assert_eq!((page.messages.len(), page.up_to.index), (1, 1), "the second comes as news");
}
