//! What was missed comes back, or it is said that it does not.

use std::sync::Arc;

use cometql::pipe::{Pipe, Position, Retention};
use cometql::store::{EarId, News, PageMax, Recovered, Since, Store};
use cometql::user::TenantId;

use super::{ALL, over_every_store, pipe, publish, world};

#[test]
fn what_was_missed_is_recovered_from_any_position_whether_it_is_kept_or_only_heard() {
    over_every_store(|world| async move {
        for kept in [0, 2, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            world.store.listen(&pipe, EarId(0)).await.unwrap();
            let mut newest = world.publish(&pipe, "a").await.position;
            for text in ["b", "c"] {
                newest = world.publish(&pipe, text).await.position;
            }
            let first = Position { index: 1, ..newest };
            assert_eq!(world.recovered(&pipe, first, ALL).await.unwrap(), ["b", "c"]);
            assert_eq!(world.counts(&pipe, newest).await, [Some(3), Some(2), Some(1), Some(0)], "{kept} kept");
            let Recovered::Page(page) = world.store.recover(&pipe, first, ALL).await.unwrap() else {
                panic!("something is lost");
            };
            assert_eq!((page.up_to, page.more), (newest, false));
        }
        // The window is a matter of recovery alone.
        assert_eq!(world.history(&pipe("kept_0"), Since::Beginning).await, [""; 0]);
        assert_eq!(world.history(&pipe("kept_2"), Since::Beginning).await, ["b", "c"]);
        assert_eq!(world.store.kept(TenantId(1), None, 9).await.unwrap().len(), 2);
    });
}

#[test]
fn nothing_comes_back_of_what_was_neither_kept_nor_heard() {
    over_every_store(|world| async move {
        let pipe = pipe("neither");
        for text in ["a", "b"] {
            world.publish(&pipe, text).await;
        }
        let listening = world.store.listen(&pipe, EarId(0)).await.unwrap();
        assert_eq!(world.counts(&pipe, listening.position).await, [None, None, Some(0)]);
        // From now on the pipe is heard, so that what comes is there for who was here already.
        let newest = world.publish(&pipe, "c").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(1), Some(0)]);
    });
}

#[test]
fn a_history_that_was_trimmed_says_so_and_to_nobody_else() {
    over_every_store(|world| async move {
        let pipe = pipe("trimmed");
        world.keep(&pipe, 3).await;
        for text in ["a", "b", "c", "d"] {
            world.publish(&pipe, text).await;
        }
        let newest = world.publish(&pipe, "e").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(3), Some(2), Some(1), Some(0)]);
        world.keep(&pipe, 2).await;
        assert_eq!(world.counts(&pipe, newest).await[2], Some(3), "trimmed by the next publish");
        let newest = world.publish(&pipe, "f").await.position;
        assert_eq!(world.counts(&pipe, newest).await[3..], [None, Some(2), Some(1), Some(0)]);
        world.keep(&pipe, 0).await;
        assert_eq!(world.counts(&pipe, newest).await[4..], [None, None, Some(0)]);
        world.keep(&pipe, 2).await;
        let newest = world.publish(&pipe, "g").await.position;
        assert_eq!(world.counts(&pipe, newest).await[5..], [None, Some(1), Some(0)]);
    });
}

#[test]
fn a_history_is_trimmed_in_bytes_too() {
    over_every_store(|world| async move {
        let pipe = pipe("large");
        world.keep(&pipe, 1_000).await;
        let text = "x".repeat(300 * 1024);
        let mut newest = world.publish(&pipe, &text).await.position;
        for _ in 0..4 {
            newest = world.publish(&pipe, &text).await.position;
        }
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(3), Some(2), Some(1), Some(0)]);
    });
}

#[test]
fn what_is_too_old_counts_as_trimmed() {
    over_every_store(|world| async move {
        let pipe = pipe("trust_me");
        world.publish(&pipe, "old").await;
        world.clock.forward(100_000);
        let newest = world.publish(&pipe, "new").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [Some(2), Some(1), Some(0)]);
        world.clock.forward(21_000);
        assert_eq!(world.counts(&pipe, newest).await, [None, Some(1), Some(0)]);
        world.clock.forward(100_000);
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(0)]);
        let newest = world.publish(&pipe, "newer").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(1), Some(0)]);
    });
}

#[test]
fn what_was_deleted_is_no_gap() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            for is_heard in [true, false] {
                let pipe = pipe(&format!("kept_{kept}_{is_heard}"));
                world.keep(&pipe, kept).await;
                if is_heard {
                    world.store.listen(&pipe, EarId(0)).await.unwrap();
                } else if kept == 0 {
                    continue;
                }
                let start = Position { index: 0, ..world.publish(&pipe, "a").await.position };
                for text in ["b", "c", "d"] {
                    world.publish(&pipe, text).await;
                }
                world.store.erase(&pipe, &[2, 4]).await.unwrap();
                assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["a", "c"]);
                let behind = Position { index: 3, ..start };
                assert_eq!(world.recovered(&pipe, behind, ALL).await.unwrap(), [""; 0]);
                assert_eq!(world.publish(&pipe, "e").await.position.index, 5);
                assert_eq!(world.recovered(&pipe, behind, ALL).await.unwrap(), ["e"]);
            }
        }
    });
}

#[test]
fn a_setting_that_is_removed_deletes_its_history_and_that_is_no_gap() {
    over_every_store(|world| async move {
        for is_heard in [true, false] {
            let pipe = pipe(&format!("removed_{is_heard}"));
            world.keep(&pipe, 10).await;
            if is_heard {
                world.store.listen(&pipe, EarId(0)).await.unwrap();
            }
            let start = Position { index: 0, ..world.publish(&pipe, "a").await.position };
            world.publish(&pipe, "b").await;
            assert!(world.store.remove_retention(&pipe).await.unwrap());
            assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), [""; 0]);
            world.keep(&pipe, 10).await;
            let newest = world.publish(&pipe, "c").await.position;
            assert_eq!(newest, Position { index: 3, ..start });
            assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["c"]);
        }
    });
}

#[test]
fn a_setting_that_is_removed_leaves_alone_what_was_never_kept() {
    over_every_store(|world| async move {
        let pipe = pipe("never_kept");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let start = Position { index: 0, ..world.publish(&pipe, "heard").await.position };
        world.store.remove_retention(&pipe).await.unwrap();
        assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["heard"]);
    });
}

#[test]
fn another_epoch_and_an_index_that_is_not_there_yet_are_lost() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            world.store.listen(&pipe, EarId(0)).await.unwrap();
            let newest = world.publish(&pipe, "a").await.position;
            let nowhere = [
                Position { epoch: newest.epoch ^ 1, index: 0 },
                Position { epoch: newest.epoch ^ 1, index: 1 },
                Position { epoch: 0, index: 0 },
                Position { index: 2, ..newest },
                Position { index: u64::MAX, ..newest },
            ];
            for position in nowhere {
                match world.store.recover(&pipe, position, ALL).await.unwrap() {
                    Recovered::Lost(present) => assert_eq!(present, newest),
                    Recovered::Page(page) => panic!("behind {position:?} there is {page:?}"),
                }
            }
        }
    });
}

#[test]
fn pages_obey_their_bounds_and_go_on_where_they_end() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            if kept == 0 {
                world.store.listen(&pipe, EarId(0)).await.unwrap();
            }
            let mut newest = world.publish(&pipe, "0").await.position;
            for number in 1..7 {
                newest = world.publish(&pipe, &number.to_string().repeat(1_000)).await.position;
            }
            world.store.erase(&pipe, &[3, 7]).await.unwrap();
            let start = Position { index: 0, ..newest };
            let pages = [(2, usize::MAX, 2), (1_000, 1, 1), (0, 0, 1), (1_000, 3_900, 4), (5, usize::MAX, 5)];
            for (messages, bytes, count) in pages {
                let max = PageMax { messages, bytes };
                let Recovered::Page(page) = world.store.recover(&pipe, start, max).await.unwrap() else {
                    panic!("something is lost");
                };
                assert_eq!((page.messages.len(), page.more), (count, count < 5), "{max:?}");
                let end = if page.more { page.messages[count - 1].position } else { newest };
                assert_eq!(page.up_to, end, "{max:?}");
                assert_eq!(world.recovered(&pipe, start, max).await.unwrap().len(), 5, "{max:?}");
            }
        }
    });
}

#[test]
fn a_page_of_history_says_up_to_where_it_speaks() {
    over_every_store(|world| async move {
        let (kept, live) = (pipe("kept"), pipe("live"));
        world.keep(&kept, 10).await;
        for text in ["a", "b", "c"] {
            world.publish(&kept, text).await;
        }
        let newest = world.publish(&kept, "d").await.position;
        world.store.erase(&kept, &[4]).await.unwrap();
        let up_to = |since, messages| {
            let (store, pipe) = (Arc::clone(&world.store), kept.clone());
            let max = PageMax { messages, bytes: usize::MAX };
            async move { store.history(&pipe, since, max).await.unwrap().up_to }
        };
        assert_eq!(up_to(Since::Beginning, 2).await, Position { index: 2, ..newest });
        for since in [Since::Beginning, Since::After(3), Since::Newest(0), Since::Newest(1), Since::Untaken] {
            assert_eq!(up_to(since, 9).await, newest, "{since:?}: the newest was deleted, and it is known");
        }
        let newest = world.publish(&live, "heard by nobody").await.position;
        assert_eq!(world.store.history(&live, Since::Beginning, ALL).await.unwrap().up_to, newest);
    });
}

#[test]
fn whoever_listens_and_then_recovers_misses_nothing_that_is_published_meanwhile() {
    over_every_store(|world| async move {
        for (kept, rounds) in [(1_000, 100), (0, 10)] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            // Somebody else is there from the beginning, so that there is a window.
            let start = world.store.listen(&pipe, EarId(1)).await.unwrap().position;
            let publisher = |store: Arc<dyn Store>, pipe: Pipe| async move {
                for _ in 0..rounds {
                    store.publish(vec![publish(&pipe, "x"), publish(&pipe, "y")]).await.unwrap();
                }
            };
            let publishers: Vec<_> =
                (0..4).map(|_| tokio::spawn(publisher(Arc::clone(&world.store), pipe.clone()))).collect();
            let total: u64 = rounds * 8;
            let mut begun = 0;
            while begun < total / 4 {
                begun += world.heard(1).len() as u64;
                tokio::task::yield_now().await;
            }
            world.store.listen(&pipe, EarId(0)).await.unwrap();
            let max = PageMax { messages: 7, bytes: usize::MAX };
            let (mut after, mut more, mut indexes) = (start, true, Vec::new());
            while more {
                let Recovered::Page(page) = world.store.recover(&pipe, after, max).await.unwrap() else {
                    panic!("something behind {after:?} is lost");
                };
                indexes.extend(page.messages.iter().map(|delivery| delivery.position.index));
                (after, more) = (page.up_to, page.more);
                world.ears[1].take();
            }
            assert_eq!(indexes, (1..=after.index).collect::<Vec<u64>>());
            while indexes.last() != Some(&total) {
                world.ears[1].take();
                let news = world.ears[0].take();
                let heard = news.iter().filter_map(News::delivery).map(|delivery| delivery.position.index);
                indexes.extend(heard.filter(|index| *index > after.index));
                tokio::task::yield_now().await;
            }
            assert_eq!(indexes, (1..=total).collect::<Vec<u64>>());
            for publisher in publishers {
                publisher.await.unwrap();
            }
        }
    });
}

#[test]
fn a_time_to_live_that_is_shortened_counts_at_once() {
    over_every_store(|world| async move {
        let pipe = pipe("shortened");
        let set = async |ttl_seconds| {
            world.store.set_retention(&pipe, Retention { length: 10, ttl_seconds }).await.unwrap();
        };
        set(None).await;
        world.publish(&pipe, "old").await;
        world.clock.forward(200_000);
        let newest = world.publish(&pipe, "new").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [Some(2), Some(1), Some(0)]);
        set(Some(100)).await;
        assert_eq!(world.counts(&pipe, newest).await, [None, Some(1), Some(0)]);
        set(None).await;
        assert_eq!(world.recovered(&pipe, Position { index: 1, ..newest }, ALL).await.unwrap(), ["new"]);
    });
}

#[test]
fn recovering_while_a_pipe_begins_and_stops_to_keep_is_answered_each_time() {
    over_every_store(|world| async move {
        let pipe = pipe("changing");
        world.keep(&pipe, 5).await;
        let start = Position { index: 0, ..world.publish(&pipe, "x").await.position };
        let changes = tokio::spawn({
            let (store, pipe) = (Arc::clone(&world.store), pipe.clone());
            async move {
                for round in 0..100 {
                    if round % 2 == 0 {
                        store.remove_retention(&pipe).await.unwrap();
                    } else {
                        store.set_retention(&pipe, Retention::of_length(5)).await.unwrap();
                        store.publish(vec![publish(&pipe, "x")]).await.unwrap();
                    }
                }
            }
        });
        // What is deleted is no gap, and no more is published than is kept.
        while !changes.is_finished() {
            let texts = world.recovered(&pipe, start, ALL).await.expect("nothing was lost");
            assert!(texts.len() <= 1);
            tokio::task::yield_now().await;
        }
        changes.await.unwrap();
    });
}

#[test]
fn what_is_kept_is_recovered_when_the_store_is_opened_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = world(Some(tempfile::tempdir().unwrap()));
        let [kept, removed, live] = ["kept", "removed", "live"].map(pipe);
        for pipe in [&kept, &removed] {
            world.keep(pipe, 3).await;
        }
        world.store.listen(&live, EarId(0)).await.unwrap();
        let mut newest = Vec::new();
        for _ in 0..5 {
            newest.clear();
            for pipe in [&kept, &removed, &live] {
                newest.push(world.publish(pipe, "x").await.position);
            }
        }
        world.store.erase(&kept, &[4]).await.unwrap();
        world.store.remove_retention(&removed).await.unwrap();
        let world = world.reopened().await;
        let counts = [None, None, Some(2), Some(1), Some(1), Some(0)];
        assert_eq!(world.counts(&kept, newest[0]).await, counts);
        for (pipe, newest) in [(&removed, newest[1]), (&live, newest[2])] {
            assert_eq!(world.counts(pipe, newest).await, [None; 6], "a new epoch");
            assert_ne!(world.publish(pipe, "x").await.position.epoch, newest.epoch);
        }
        let next = world.publish(&kept, "x").await.position;
        assert_eq!(next, Position { index: 6, ..newest[0] });
        // Two were kept, so that there was room for one more.
        assert_eq!(world.counts(&kept, next).await[2..], [Some(3), Some(2), Some(2), Some(1), Some(0)]);
    });
}
