//! A shard driven step by step, without sockets: what it asks of the node, in which order, and what it leaves.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use cometql::clock::UnixMillis;
use cometql::hub::{Missing, OutboxEvent};
use cometql::node::{Answer, Ask, Listening, News, Page, Publish, Recovered, StoreError};
use cometql::pipe::{ConnectionId, Message, MessageId, Pipe, PipeName, Position};
use cometql::status::Status;
use cometql::user::TenantId;
use cometql::ws::http::Site;
use cometql::ws::shard::{Shard, ShardPlace, Whose};

use super::browser::{masked, request};
use super::world::{config, user};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

struct Stage {
    shard: Shard,
    status: Arc<Status>,
    /// What the shard has asked.
    asked: Vec<(ConnectionId, Ask)>,
    /// What it has asked for because it was missed; nobody answers that by himself.
    missing: Vec<Missing>,
    /// Whether asks are answered in place, as far as the shard may go on then.
    is_ready: bool,
}

fn stage() -> Stage {
    let status = Arc::new(Status::new());
    let site =
        Arc::new(Site { page: Bytes::from_static(b"page"), script: Default::default(), origins: Default::default() });
    let shard = Shard::new(ShardPlace { node: 0, shard: 0 }, &config(), site, Arc::clone(&status));
    Stage { shard, status, asked: Vec::new(), missing: Vec::new(), is_ready: true }
}

fn no_page() -> Page {
    Page { messages: Vec::new(), up_to: Position { epoch: 1, index: 0 }, more: false }
}

fn listening(count: usize) -> Vec<Listening> {
    vec![Listening { position: Position { epoch: 1, index: 0 }, listeners: 1, has_appeared: false }; count]
}

fn answer(ask: &Ask) -> Answer {
    match ask {
        Ask::Authorise(_) => Answer::Authorised(Ok(true)),
        Ask::Read { .. } => Answer::Page(Ok(no_page())),
        Ask::Take { .. } => Answer::Taken(Ok(())),
        Ask::Listen { take, .. } => Answer::Listening(Ok(listening(take.len()))),
        _ => panic!("nobody asks this here"),
    }
}

fn pipe(name: &str) -> Pipe {
    Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap())
}

fn news(pipe: &Pipe, index: u64) -> News {
    let publish = Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new("text".into(), 100).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    };
    News::Delivery(Arc::new(publish.numbered(Position { epoch: 1, index }, NOW)))
}

impl Stage {
    fn step(&mut self, step: impl FnOnce(&mut Shard, &mut dyn FnMut(Whose, Ask) -> Option<Answer>)) {
        let (asked, is_ready) = (&mut self.asked, self.is_ready);
        let missing = &mut self.missing;
        step(&mut self.shard, &mut |whose, ask| match whose {
            Whose::Connection(id) => {
                asked.push((id, ask.clone()));
                is_ready.then(|| answer(&ask))
            }
            Whose::Pipe(of) => {
                missing.push(of);
                None
            }
        });
    }

    fn news(&mut self, news: Vec<News>) {
        self.step(|shard, ask| shard.news(news, NOW, ask));
    }

    fn bytes(&mut self, slot: u32, bytes: &[u8]) {
        self.step(|shard, ask| shard.bytes(slot, &mut bytes.to_vec(), NOW, ask));
    }

    fn text(&mut self, slot: u32, text: &str) {
        self.bytes(slot, &masked(0x81, text.as_bytes()));
    }

    /// A browser that is logged in as user 42.
    fn connect(&mut self, version: &str) -> u32 {
        let slot = self.shard.opened(Ipv4Addr::LOCALHOST.into(), NOW);
        let target = format!("/ws/sesion=key&myid=42&devid=0&v={version}&uuid=u&api=js");
        self.bytes(slot, request(&target).as_bytes());
        slot
    }

    /// Answers the last that was asked for this slot.
    fn answer(&mut self, slot: u32, answer: Answer) {
        let (id, _) = self.asked.iter().rfind(|(id, _)| id.slot == slot).cloned().unwrap();
        self.step(|shard, ask| shard.answered(Whose::Connection(id), answer, NOW, ask));
    }

    /// What has been asked since the last time: names of pipes that are left, and words for the others.
    fn asked(&mut self) -> Vec<String> {
        let words = self.asked.drain(..).map(|(_, ask)| match ask {
            Ask::Listen { take, leave, .. } => {
                let names = |pipes: &[Pipe]| pipes.iter().map(Pipe::shown_name).collect::<Vec<_>>().join(",");
                format!("+{} -{}", names(&take), names(&leave))
            }
            Ask::Take { index, .. } => format!("take {index}"),
            Ask::Authorise(_) => "authorise".to_owned(),
            Ask::Read { since, .. } => format!("read {since:?}"),
            _ => "other".to_owned(),
        });
        words.collect()
    }

    /// All that waits for a slot, as if its socket took it.
    fn sent(&mut self, slot: u32) -> Vec<u8> {
        let mut sent = Vec::new();
        while !self.shard.outboxes.is_empty(slot) {
            let mut slices = [std::io::IoSlice::new(&[])];
            self.shard.outboxes.front(slot, &mut slices);
            let frame = slices[0].to_vec();
            self.shard.outboxes.taken(slot, frame.len());
            sent.extend(frame);
        }
        if let Some(event) = self.shard.outboxes.event(slot) {
            self.step(|shard, ask| shard.outbox_event(slot, event, NOW, ask));
        }
        sent
    }
}

#[test]
fn a_session_that_breaks_ends_alone_and_leaves_exactly_what_it_had() {
    let mut stage = stage();
    let slots: Vec<u32> = (0..3).map(|_| stage.connect("4.08")).collect();
    for slot in &slots {
        stage.text(*slot, "subscription\nroom\nhall");
    }
    stage.asked();
    stage.step(|shard, ask| shard.broken(slots[1], ask));
    let mut left = stage.asked();
    left = left[0].trim_start_matches("+ -").split(',').map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, ["hall", "msg", "room"]);
    for pipe in [pipe("room"), pipe("hall"), Pipe::Log(TenantId(0), user(42))] {
        let mut there = stage.shard.hub.subscribers(&pipe);
        there.sort_unstable();
        assert_eq!(there, [slots[0], slots[2]], "{pipe:?}");
    }
    assert_eq!((stage.status.browsers_connected(), stage.shard.take_freed()), (2, vec![slots[1]]));
    // The others go on, and the slot has a new tenant that has nothing of the old one.
    stage.sent(slots[0]);
    stage.news(vec![news(&pipe("room"), 1)]);
    assert!(String::from_utf8_lossy(&stage.sent(slots[0])).contains("\"data\":\"text\""));
    let again = stage.connect("4.08");
    assert_eq!(again, slots[1]);
    stage.sent(again);
    stage.news(vec![news(&pipe("room"), 2)]);
    assert_eq!(stage.sent(again), b"");
    // A step for a slot that has just broken does nothing.
    stage.step(|shard, ask| shard.broken(slots[2], ask));
    stage.asked();
    stage.step(|shard, ask| shard.broken(slots[2], ask));
    stage.text(slots[2], "subscription\nroom");
    assert_eq!(stage.asked(), [""; 0]);
    assert_eq!(stage.status.browsers_connected(), 2);
}

#[test]
fn who_breaks_or_goes_while_an_answer_is_due_leaves_behind_it() {
    for is_broken in [true, false] {
        let mut stage = stage();
        let slot = stage.connect("4.08");
        stage.asked();
        stage.is_ready = false;
        stage.text(slot, "subscription\nroom");
        let (id, _) = stage.asked[0].clone();
        assert_eq!(stage.asked(), ["+room -"]);
        stage.step(|shard, ask| if is_broken { shard.broken(slot, ask) } else { shard.gone(slot, ask) });
        assert_eq!(stage.asked(), [""; 0], "coming is not done yet");
        // The slot has a new tenant by then, which must not get the answer of the old.
        let next = stage.connect("4.08");
        assert_eq!((next, stage.asked()), (slot, vec!["authorise".to_owned()]));
        stage.step(|shard, ask| shard.answered(Whose::Connection(id), Answer::Listening(Ok(listening(1))), NOW, ask));
        let left = stage.asked();
        assert!(left == ["+ -room,msg"] || left == ["+ -msg,room"], "{left:?}");
        assert!(!stage.shard.may_read(next), "it still waits for its own");
        stage.step(|shard, ask| shard.answered(Whose::Connection(id), Answer::Listening(Ok(listening(1))), NOW, ask));
        assert_eq!(stage.asked(), [""; 0], "once");
    }
}

#[test]
fn who_goes_between_two_pages_leaves_at_once() {
    let mut stage = stage();
    let slot = stage.connect("4.08");
    stage.sent(slot);
    stage.asked();
    stage.is_ready = false;
    stage.text(slot, "pipe_log\nroom\n");
    assert_eq!(stage.asked.len(), 1);
    let delivery = news(&pipe("room"), 7).delivery().cloned().unwrap();
    stage.answer(slot, Answer::Page(Ok(Page { up_to: delivery.position, messages: vec![delivery], more: true })));
    stage.asked();
    assert!(!stage.shard.may_read(slot), "the next page waits for room");
    stage.step(|shard, ask| shard.gone(slot, ask));
    assert_eq!(stage.asked(), ["+ -msg"]);
}

#[test]
fn a_page_is_read_when_the_last_has_been_sent_and_from_where_it_ended() {
    let mut stage = stage();
    let slot = stage.connect("4.08");
    stage.asked();
    stage.is_ready = false;
    // The greeting has not been sent yet, so the first page waits as well.
    stage.text(slot, "pipe_log\nroom\n");
    assert_eq!(stage.asked(), [""; 0]);
    stage.sent(slot);
    let delivery = news(&pipe("room"), 7).delivery().cloned().unwrap();
    stage.answer_to_read(slot, Page { up_to: delivery.position, messages: vec![delivery], more: true });
    assert_eq!(stage.asked(), ["read Newest(1000)"]);
    stage.sent(slot);
    stage.answer_to_read(slot, no_page());
    assert_eq!(stage.asked(), ["read After(7)"]);
    assert!(stage.shard.may_read(slot));
}

impl Stage {
    fn answer_to_read(&mut self, slot: u32, page: Page) {
        self.answer(slot, Answer::Page(Ok(page)));
    }
}

#[test]
fn the_answer_to_a_receipt_is_not_taken_for_another() {
    let mut stage = stage();
    let slot = stage.connect("4.08");
    stage.asked();
    stage.is_ready = false;
    stage.bytes(slot, &masked(0x8A, &5u64.to_be_bytes()));
    stage.text(slot, "subscription\nroom");
    assert_eq!(stage.asked.len(), 2);
    stage.answer(slot, Answer::Taken(Ok(())));
    assert!(!stage.shard.may_read(slot), "listening is not done");
    stage.step(|shard, ask| shard.gone(slot, ask));
    stage.answer(slot, Answer::Taken(Ok(())));
    assert_eq!(stage.asked().len(), 2, "nor may it leave before it has come");
}

#[test]
fn receipts_are_written_down_one_at_a_time_and_never_backwards() {
    let mut stage = stage();
    let slot = stage.connect("4.08");
    stage.asked();
    stage.is_ready = false;
    let pong = |index: u64| masked(0x8A, &index.to_be_bytes());
    stage.bytes(slot, &(1..=1_000).flat_map(pong).collect::<Vec<u8>>());
    let (id, _) = stage.asked[0].clone();
    assert_eq!(stage.asked(), ["take 1"]);
    stage.step(|shard, ask| shard.answered(Whose::Connection(id), Answer::Taken(Ok(())), NOW, ask));
    assert_eq!(stage.asked(), ["take 1000"]);
    stage.step(|shard, ask| shard.answered(Whose::Connection(id), Answer::Taken(Ok(())), NOW, ask));
    stage.bytes(slot, &[pong(1_000), pong(3), pong(0)].concat());
    assert_eq!(stage.asked(), [""; 0]);
}

#[test]
fn nothing_is_sent_behind_a_close_frame() {
    let mut stage = stage();
    let slot = stage.connect("5.0");
    stage.text(slot, r#"{"do":"hello","user":42,"key":"key"}"#);
    stage.text(slot, r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room"}]}"#);
    stage.sent(slot);
    stage.bytes(slot, &masked(0x88, &1001u16.to_be_bytes()));
    for index in 0..3 {
        stage.news(vec![news(&pipe("room"), index)]);
        stage.news(vec![News::Dismissed(Pipe::Log(TenantId(0), user(42)))]);
    }
    assert_eq!(stage.sent(slot), [0x88, 2, 0x03, 0xe9], "the code comes back, and nothing else");
    assert_eq!(stage.status.browsers_connected(), 0, "it has left, though its socket is still there");
    assert_eq!((stage.shard.hub.subscribers(&pipe("room")), stage.shard.take_over()), (vec![], vec![slot]));
    // What it says now is read and dropped.
    assert!(stage.shard.may_read(slot));
    stage.asked();
    stage.text(slot, "subscription\nroom");
    assert_eq!(stage.asked(), [""; 0]);
    stage.step(|shard, ask| shard.tick(UnixMillis(NOW.0 + 6_000), ask));
    assert_eq!(stage.shard.take_freed(), [slot], "however long it stays");
}

#[test]
fn a_long_download_is_a_sign_of_life_and_silence_is_not() {
    let mut stage = stage();
    let (reading, silent) = (stage.connect("4.08"), stage.connect("4.08"));
    stage.sent(reading);
    stage.text(reading, "pipe_log\nroom\n");
    stage.is_ready = false;
    for second in 1..=120 {
        let now = UnixMillis(NOW.0 + second * 1_000);
        // Pongs are not read meanwhile; each second a page is taken.
        stage.shard.outboxes.tell_when_empty(reading);
        stage.step(|shard, ask| shard.outbox_event(reading, OutboxEvent::Emptied, now, ask));
        stage.step(|shard, ask| shard.tick(now, ask));
    }
    assert_eq!(stage.shard.take_freed(), [silent]);
}

impl Stage {
    /// A client of generation 5 that is logged in as user 42 and hears `room`.
    fn connect_five(&mut self) -> u32 {
        let slot = self.connect("5");
        self.text(slot, r#"{"do":"hello","user":42,"key":"key"}"#);
        self.text(slot, r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room"}]}"#);
        self.sent(slot);
        slot
    }

    /// More waits for it than may, behind a frame that is being sent.
    fn make_too_slow(&mut self, slot: u32, frame: &Bytes) {
        (0..2).for_each(|_| self.shard.outboxes.push(slot, frame.clone()));
        assert_eq!(self.shard.outboxes.event(slot), Some(OutboxEvent::TooSlow));
        self.step(|shard, ask| shard.outbox_event(slot, OutboxEvent::TooSlow, NOW, ask));
    }

    /// Which slots are freed when so much time has passed.
    fn freed_after(&mut self, millis: u64) -> Vec<u32> {
        self.step(|shard, ask| shard.tick(UnixMillis(NOW.0 + millis), ask));
        self.shard.take_freed()
    }
}

#[test]
fn who_was_too_slow_leaves_at_once_and_has_a_minute_to_read_why() {
    let mut stage = stage();
    let frame = Bytes::from(vec![b'x'; config().outbox_bytes_max + 1]);
    let (slow, slower) = (stage.connect_five(), stage.connect_five());
    let four = stage.connect("4.08");
    stage.asked();
    stage.make_too_slow(slow, &frame);
    let left = stage.asked();
    assert!(left == ["+ -room,msg"] || left == ["+ -msg,room"], "{left:?}");
    assert_eq!((stage.shard.hub.subscribers(&pipe("room")), stage.status.browsers_connected()), (vec![slower], 2));
    stage.make_too_slow(slower, &frame);
    stage.make_too_slow(four, &frame);
    assert_eq!(stage.shard.take_freed(), [four], "the original's library would not understand why");
    assert_eq!(stage.status.browsers_too_slow(), 3);
    // Nothing more is put behind, nothing is read, and nobody pings it.
    stage.news(vec![news(&pipe("room"), 1)]);
    assert!(!stage.shard.may_read(slow));
    assert_eq!(stage.freed_after(59_999), [0; 0]);
    let close = [&[0x88, 21], &4100_u16.to_be_bytes()[..], b"too slow, come back"].concat();
    assert_eq!(stage.sent(slow), [&frame[..], &close].concat());
    assert_eq!((stage.shard.take_over(), stage.shard.take_freed()), (vec![slow], vec![]));
    let mut freed = stage.freed_after(60_000);
    freed.sort_unstable();
    assert_eq!(freed, [slow, slower], "who has read it and does not close has no longer either");
    assert!(stage.shard.is_empty());
}

#[test]
fn of_many_who_were_too_slow_the_longest_waiting_is_let_go() {
    let mut stage = stage();
    let frame = Bytes::from(vec![b'x'; config().outbox_bytes_max + 1]);
    let slots: Vec<u32> = (0..1_026).map(|_| stage.connect_five()).collect();
    slots.iter().for_each(|slot| stage.make_too_slow(*slot, &frame));
    assert_eq!(stage.shard.take_freed(), slots[..2]);
    assert_eq!(stage.freed_after(59_999), [0; 0]);
    assert_eq!(stage.freed_after(60_000).len(), 1_024);
    assert!(stage.shard.is_empty());
}

impl Stage {
    /// Answers the only thing that was missed.
    fn recovered(&mut self, recovered: Result<Recovered, StoreError>) {
        self.answered_missing(Answer::Recovered(recovered));
    }

    fn answered_missing(&mut self, answer: Answer) {
        let [missing] = std::mem::take(&mut self.missing).try_into().unwrap();
        self.step(|shard, ask| shard.answered(Whose::Pipe(missing), answer, NOW, ask));
    }

    /// The indexes of what a client of generation 5 is told, and whether each is a gap.
    fn told(&mut self, slot: u32) -> Vec<(u64, bool)> {
        let sent = String::from_utf8_lossy(&self.sent(slot)).into_owned();
        let frames = sent.split("{\"is\":").skip(1);
        let index = |frame: &str| frame.split_once("\"position\":[")?.1.split([',', ']']).nth(1)?.parse().ok();
        frames.map(|frame| (index(frame).unwrap(), frame.starts_with("\"gap\""))).collect()
    }
}

#[test]
fn what_was_missed_comes_before_what_is_live_and_what_is_lost_is_a_gap() {
    let mut stage = stage();
    let (five, four) = (stage.connect_five(), stage.connect("4.08"));
    stage.text(four, "subscription\nroom");
    stage.sent(four);
    let delivery = |index| news(&pipe("room"), index).delivery().cloned().unwrap();
    let page = |indexes: std::ops::RangeInclusive<u64>, more| {
        let up_to = Position { epoch: 1, index: *indexes.end() };
        Ok(Recovered::Page(Page { messages: indexes.map(delivery).collect(), up_to, more }))
    };
    stage.news(vec![news(&pipe("room"), 1), news(&pipe("room"), 4)]);
    stage.news(vec![news(&pipe("room"), 5), news(&pipe("room"), 6)]);
    assert_eq!(stage.told(five), [(1, false)], "the others wait until the hole is filled");
    stage.recovered(page(2..=3, true));
    stage.recovered(page(4..=5, false));
    assert_eq!(stage.told(five), (2..=6).map(|index| (index, false)).collect::<Vec<_>>());
    // The store says that it lost something, and cannot be asked at first.
    stage.news(vec![News::Lost(pipe("room")), news(&pipe("room"), 9)]);
    stage.recovered(Err(StoreError::Unavailable("not now".into())));
    assert!(stage.missing.is_empty() && stage.told(five).is_empty());
    stage.step(|shard, ask| shard.tick(NOW, ask));
    stage.sent(five);
    stage.recovered(Ok(Recovered::Lost(Position { epoch: 1, index: 8 })));
    assert_eq!(stage.told(five), [(8, true), (9, false)]);
    stage.news(vec![News::LostAll]);
    assert_eq!(stage.missing.len(), 2, "the log of the user as well");
    stage.missing.retain(|missing| missing.pipe == pipe("room"));
    stage.recovered(page(10..=10, false));
    assert_eq!(stage.told(five), [(10, false)]);
    let texts = String::from_utf8_lossy(&stage.sent(four)).matches("\"data\":\"text\"").count();
    assert_eq!(texts, 8, "1 to 6, 9 and 10; generation 4 knows no gaps");
}

#[test]
fn of_a_log_that_has_lost_something_the_rest_is_delivered() {
    let mut stage = stage();
    let five = stage.connect_five();
    let log = Pipe::Log(TenantId::ROOT, user(42));
    stage.news(vec![news(&log, 1), News::Lost(log.clone())]);
    stage.sent(five);
    // What stands behind 1 is not all there any more: what is, is read.
    stage.recovered(Ok(Recovered::Lost(Position { epoch: 1, index: 7 })));
    let messages = [5, 6].map(|index| news(&log, index).delivery().cloned().unwrap()).to_vec();
    let page = Page { messages, up_to: Position { epoch: 1, index: 6 }, more: true };
    stage.answered_missing(Answer::Page(Ok(page)));
    assert_eq!(stage.told(five), [(4, true), (5, false), (6, false)]);
    stage.recovered(Ok(Recovered::Page(Page {
        messages: vec![news(&log, 7).delivery().cloned().unwrap()],
        up_to: Position { epoch: 1, index: 7 },
        more: false,
    })));
    stage.news(vec![news(&log, 8)]);
    assert_eq!(stage.told(five), [(7, false), (8, false)]);
}

#[test]
fn what_is_kept_aside_for_one_who_reads_many_pipes_is_no_more_than_may_wait_for_it() {
    let mut stage = stage();
    let slot = stage.connect_five();
    stage.is_ready = false;
    let pipes: Vec<Pipe> = (0..100).map(|number| pipe(&format!("pipe_{number}"))).collect();
    let wanted = pipes.iter().map(|pipe| format!("{{\"pipe\":\"{}\",\"last\":1}}", pipe.shown_name()));
    let wanted = wanted.collect::<Vec<_>>().join(",");
    stage.text(slot, &format!("{{\"do\":\"subscribe\",\"id\":1,\"pipes\":[{wanted}]}}"));
    stage.answer(slot, Answer::Listening(Ok(listening(100))));
    let mut published = Vec::new();
    for index in 1..=200 {
        let news: Vec<News> = pipes.iter().map(|pipe| news(pipe, index)).collect();
        published.extend(news.iter().filter_map(|news| news.delivery().map(Arc::downgrade)));
        stage.news(news);
        let alive = published.iter().filter(|delivery| delivery.strong_count() > 0).count();
        assert!(alive * 256 <= config().outbox_bytes_max, "{alive} messages are kept aside");
        assert!(index > 20 || alive == published.len(), "as long as there is room");
    }
}
