//! A Redis that comes back, with or without what it had, and connections that break.

use super::*;

#[test]
fn a_subscriber_whose_connection_is_killed_hears_that_it_lost_and_recovers_all() {
    told(async {
        let server = Server::start();
        let (one, other) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let pipe = pipe("killed");
        let mut after = one.listen(&pipe).await;
        for round in 0..5 {
            let publishing = async {
                for number in 0..20 {
                    other.publish(&pipe, &format!("{round} {number}")).await.unwrap();
                    if number == 10 {
                        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                    }
                }
            };
            let (_, news) = tokio::join!(publishing, one.news_until(is_lost_all));
            drop(news);
            let last = other.publish(&pipe, &format!("{round} last")).await.unwrap().position;
            let all: Vec<String> =
                (0..20).map(|number| format!("{round} {number}")).chain([format!("{round} last")]).collect();
            assert_eq!(one.recovered(&pipe, after).await.unwrap(), all);
            one.heard_until(&format!("{round} last")).await;
            assert_eq!(one.store.listeners(&pipe).await.unwrap(), 1);
            after = last;
        }
    });
}

#[test]
fn a_redis_that_keeps_goes_on_where_it_was_and_publishers_wait_for_it() {
    told(async {
        let mut server = Server::that_keeps();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (kept, live) = (pipe("kept"), pipe("live"));
        node.store.set_retention(&kept, Retention::of_length(10)).await.unwrap();
        for pipe in [&kept, &live] {
            node.listen(pipe).await;
        }
        let before = [node.publish(&kept, "k 1").await.unwrap(), node.publish(&live, "l 1").await.unwrap()];
        server.kill();
        let waiting = [&kept, &live].map(|pipe| {
            let (store, pipe) = (Arc::clone(&node.store), pipe.clone());
            tokio::spawn(async move {
                // What was on its way when Redis was killed may have been done or not; that is said, and it is tried
                // again.
                loop {
                    if let Ok(published) = store.publish(vec![publish(&pipe, "meanwhile")]).await {
                        return published[0];
                    }
                }
            })
        });
        server.start_again();
        for (waiting, before) in waiting.into_iter().zip(before) {
            let published = waiting.await.unwrap();
            assert_eq!(published.position, Position { index: 2, ..before.position });
        }
        node.news_until(is_lost_all).await;
        assert_eq!(node.recovered(&kept, before[0].position).await.unwrap(), ["meanwhile"]);
        assert_eq!(node.recovered(&live, before[1].position).await.unwrap(), ["meanwhile"]);
        assert_eq!(node.history(&kept).await, ["k 1", "meanwhile"]);
        assert_eq!(node.publish(&kept, "after").await.unwrap().receivers, 1);
        node.heard_until("after").await;
    });
}

#[test]
fn a_redis_that_forgets_begins_new_epochs() {
    told(async {
        let mut server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("forgotten");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        node.listen(&pipe).await;
        let before = node.publish(&pipe, "before").await.unwrap().position;
        node.heard_until("before").await;
        server.kill();
        server.start_again();
        node.news_until(is_lost_all).await;
        assert_eq!(node.recovered(&pipe, before).await, None);
        let after = node.publish(&pipe, "after").await.unwrap();
        assert_ne!(after.position.epoch, before.epoch);
        assert_eq!(after.receivers, 1);
        node.heard_until("after").await;
    });
}

#[test]
fn a_redis_with_an_older_state_uses_no_index_twice() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (behind, replaced) = (pipe("behind"), pipe("replaced"));
        let mut newest = Vec::new();
        for pipe in [&behind, &replaced] {
            node.listen(pipe).await;
            node.publish(pipe, "1").await.unwrap();
            newest.push(node.publish(pipe, "2").await.unwrap().position);
        }
        // A replica that was a message behind, and one to which somebody else has published in its place.
        server.ask(&["HSET", &key(&server, "1:n:behind"), "index", "1"]);
        server.ask(&["HSET", &key(&server, "1:n:replaced"), "id", "sixteen bytes 16"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        node.news_until(is_lost_all).await;
        for (pipe, newest) in [&behind, &replaced].into_iter().zip(newest) {
            assert_eq!(node.recovered(pipe, newest).await, None);
            let next = node.publish(pipe, "3").await.unwrap().position;
            assert_ne!(next.epoch, newest.epoch);
            assert_eq!(next.index, 3);
        }
    });
}

#[test]
fn who_repeats_an_insert_after_a_new_epoch_waits_for_nothing() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("repeated");
        node.listen(&pipe).await;
        let text = |number: usize| Publish { id_is_chosen: true, ..publish(&pipe, &number.to_string()) };
        let batch: Vec<Publish> = (0..10).map(text).collect();
        let before = node.store.publish(batch.clone()).await.unwrap();
        node.heard_until("9").await;
        server.ask(&["HSET", &key(&server, "1:n:repeated"), "index", "1"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        node.news_until(is_lost_all).await;
        let now = node.publish(&pipe, "in another epoch").await.unwrap().position;
        assert_ne!(now.epoch, before[9].position.epoch);
        // Had each of them its own limit of time, that would take longer than this test may.
        let again = node.store.publish(batch).await.unwrap();
        assert!(again.iter().zip(&before).all(|(again, before)| again.is_repeat && again.position == before.position));
    });
}

#[test]
fn a_pipe_that_has_begun_a_new_epoch_stays_in_it_when_connections_break_once_more() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("renewed");
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        node.listen(&pipe).await;
        let old = node.publish(&pipe, "1").await.unwrap().position;
        node.heard_until("1").await;
        let break_connections = async || {
            server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
            server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            node.news_until(is_lost_all).await;
        };
        // Somebody else has published in its place.
        server.ask(&["HSET", &key(&server, "1:n:renewed"), "id", "sixteen bytes 16"]);
        break_connections().await;
        let renewed = node.listen(&pipe).await;
        assert_ne!(renewed.epoch, old.epoch);
        assert_eq!(renewed.index, 1);
        for index in 2..5 {
            let position = node.publish(&pipe, &index.to_string()).await.unwrap().position;
            assert_eq!(position, Position { index, ..renewed });
            break_connections().await;
        }
        assert_eq!(node.recovered(&pipe, renewed).await.unwrap(), ["2", "3", "4"]);
    });
}

#[test]
fn a_lost_announcement_is_found_although_nothing_follows() {
    told(async {
        let server = Server::start();
        let (node, quiet) = (Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await);
        let (pipe, other) = (pipe("unheard"), pipe("other"));
        node.store.set_retention(&pipe, Retention::of_length(10)).await.unwrap();
        for pipe in [&pipe, &other] {
            node.listen(pipe).await;
            quiet.listen(pipe).await;
        }
        let first = node.publish(&pipe, "said twice").await.unwrap().position;
        for node in [&node, &quiet] {
            node.heard_until("said twice").await;
        }
        // Once more the same message, which nobody announces.
        let again = "
            local _, record = unpack(redis.call('XREVRANGE', KEYS[1] .. ':kept', '+', '-', 'COUNT', 1)[1])
            local index = redis.call('HINCRBY', KEYS[1], 'index', 1)
            record = string.sub(record[2], 1, 9) .. struct.pack('>I8', index) .. string.sub(record[2], 18)
            return redis.call('XADD', KEYS[1] .. ':kept', index .. '-0', 'm', record)";
        server.ask(&["EVAL", again, "1", &key(&server, "1:n:unheard")]);
        for node in [&node, &quiet] {
            let news = node.news_until(|news| matches!(news, News::Lost(_))).await;
            assert!(matches!(news.as_slice(), [News::Lost(lost)] if *lost == pipe), "{news:?}");
            assert_eq!(node.recovered(&pipe, first).await.unwrap(), ["said twice"]);
        }
    });
}

#[test]
fn a_pipe_that_cannot_be_compared_keeps_no_other_from_it() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let tag_of = |key: &str| key.split('}').next().unwrap().to_owned();
        let mut bases = std::collections::BTreeMap::new();
        for number in 0..40 {
            let name = format!("compared_{number}");
            node.listen(&pipe(&name)).await;
            let base = key(&server, &format!("1:n:{name}"));
            // One of each bucket.
            bases.insert(tag_of(&base), (base, pipe(&name)));
        }
        let (_, (broken, _)) = bases.pop_first().unwrap();
        server.ask(&["DEL", &broken]);
        server.ask(&["SET", &broken, "no hash"]);
        for (base, _) in bases.values() {
            // A message that nobody announces.
            server.ask(&["HINCRBY", base, "index", "1"]);
        }
        let mut quiet: Vec<Pipe> = bases.into_values().map(|(_, pipe)| pipe).collect();
        while !quiet.is_empty() {
            for news in node.news_until(|news| matches!(news, News::Lost(_))).await {
                quiet.retain(|pipe| !matches!(&news, News::Lost(lost) if lost == pipe));
            }
        }
    });
}

#[test]
fn a_window_that_has_run_out_reaches_no_further_back_although_its_messages_were_empty() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("empty");
        let start = node.listen(&pipe).await;
        let empty = Publish { event: "".parse().unwrap(), ..publish(&pipe, "") };
        let missed = node.store.publish(vec![empty]).await.unwrap()[0].position;
        assert_eq!(node.recovered(&pipe, start).await.unwrap(), [""]);
        assert_eq!(server.ask(&["DEL", &key(&server, "1:n:empty:window")]), ":1\r\n");
        node.publish(&pipe, "after").await.unwrap();
        assert_eq!(node.recovered(&pipe, missed).await.unwrap(), ["after"]);
        assert_eq!(node.recovered(&pipe, start).await, None, "the empty one is missing");
    });
}

#[test]
fn a_pipe_whose_hash_alone_was_deleted_begins_anew_whatever_is_done_first() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        for first in ["history", "recover", "dismiss", "retain", "publish"] {
            let log = log(7);
            let before = node.publish(&log, "before").await.unwrap().position;
            node.publish(&log, "before").await.unwrap();
            assert_eq!(server.ask(&["DEL", &key(&server, "1:l:7")]), ":1\r\n");
            match first {
                "history" => assert_eq!(node.history(&log).await, [""; 0]),
                "recover" => assert_eq!(node.recovered(&log, before).await, None),
                "dismiss" => node.store.dismiss(&log).await.unwrap(),
                "retain" => node.store.set_retention(&log, Retention::of_length(10)).await.unwrap(),
                _ => {}
            }
            let after = node.publish(&log, "after").await.unwrap().position;
            assert!(after.epoch != before.epoch && after.index == 1, "{first}: {after:?}");
            assert_eq!(node.history(&log).await, ["after"], "{first}");
        }
    });
}

#[test]
fn a_pipe_that_cannot_be_registered_keeps_no_other_waiting() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let (good, broken) = (pipe("good"), pipe("broken"));
        for pipe in [&good, &broken] {
            node.listen(pipe).await;
        }
        let base = key(&server, "1:n:broken");
        server.ask(&["DEL", &base]);
        server.ask(&["SET", &base, "no hash"]);
        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let is_lost = |pipe: Pipe| move |news: &News| matches!(news, News::Lost(lost) if *lost == pipe);
        let news = node.news_until(is_lost(good)).await;
        assert!(!news.iter().any(is_lost(broken.clone())), "{news:?}");
        server.ask(&["DEL", &base]);
        node.news_until(is_lost(broken.clone())).await;
        assert_eq!(node.store.listeners(&broken).await.unwrap(), 1);
    });
}

#[test]
fn a_count_that_redis_has_lost_is_told_again() {
    told(async {
        let server = Server::start();
        let node = Node::on(&server, LONG_MILLIS).await;
        let pipe = pipe("uncounted");
        node.listen(&pipe).await;
        server.ask(&["DEL", &key(&server, "1:n:uncounted:listeners")]);
        assert_eq!(node.store.listeners(&pipe).await.unwrap(), 0);
        until(1, async || node.store.listeners(&pipe).await.unwrap()).await;
    });
}

/// What a hub makes of the news of one pipe: each message once and in order, or a panic.
pub struct Follower<'n> {
    pub node: &'n Node,
    pub pipe: Pipe,
    pub position: Position,
    pub texts: Vec<String>,
}

impl Follower<'_> {
    pub async fn follow_to(&mut self, count: usize) {
        while self.texts.len() < count {
            self.node.woken.notified().await;
            for news in self.node.ear.take() {
                match news {
                    News::Delivery(delivery) => self.accept(delivery.position, delivery.message.as_str()),
                    News::Lost(_) | News::LostAll => self.recover().await,
                    News::Dismissed(_) => panic!("nobody has dismissed anybody"),
                }
            }
        }
    }

    async fn recover(&mut self) {
        match self.node.store.recover(&self.pipe, self.position, ALL).await.unwrap() {
            Recovered::Page(page) => {
                for delivery in &page.messages {
                    self.accept(delivery.position, delivery.message.as_str());
                }
                assert_eq!(self.position, page.up_to);
            }
            Recovered::Lost(position) => panic!("behind {:?} something is lost, says {position:?}", self.position),
        }
    }

    fn accept(&mut self, position: Position, text: &str) {
        assert_eq!(position.epoch, self.position.epoch);
        if position.index > self.position.index {
            assert_eq!(position.index, self.position.index + 1, "a gap, and nobody has told");
            self.position = position;
            self.texts.push(text.to_owned());
        }
    }
}

#[test]
fn everybody_has_everything_once_and_in_order_however_often_connections_break() {
    told(async {
        const EACH: usize = 150;
        let server = Server::start();
        let nodes = [Node::on(&server, LONG_MILLIS).await, Node::on(&server, LONG_MILLIS).await];
        let pipe = pipe("breaking");
        nodes[0].store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        let mut followers = Vec::new();
        for node in &nodes {
            let position = node.listen(&pipe).await;
            followers.push(Follower { node, pipe: pipe.clone(), position, texts: Vec::new() });
        }
        let publisher = async |number: usize| {
            for count in 0..EACH {
                let chosen = Publish { id_is_chosen: true, ..publish(&pipe, &format!("{number} {count}")) };
                nodes[number].store.publish(vec![chosen]).await.unwrap();
                match (number, count % 15) {
                    (0, 7) => drop(server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"])),
                    (1, 4) => drop(server.ask(&["CLIENT", "KILL", "TYPE", "normal"])),
                    (1, 11) => drop(server.ask(&["SCRIPT", "FLUSH"])),
                    _ => {}
                }
            }
        };
        let [first, second] = followers.as_mut_slice() else { panic!("two") };
        tokio::join!(publisher(0), publisher(1), first.follow_to(2 * EACH), second.follow_to(2 * EACH));
        assert_eq!(followers[0].texts, followers[1].texts);
        for number in 0..2 {
            let mine = followers[0].texts.iter().filter(|text| text.starts_with(&format!("{number} "))).cloned();
            assert!(mine.eq((0..EACH).map(|count| format!("{number} {count}"))), "of {number}");
        }
    });
}
