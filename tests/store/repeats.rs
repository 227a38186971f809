//! A message that is published twice under one chosen id is one message.

use std::sync::Arc;

use cometql::pipe::{MessageId, Pipe};
use cometql::store::{EarId, Publish, Published, REPEAT_MILLIS, Since};

use super::{World, over_every_store, pipe, publish, world};

fn chosen(pipe: &Pipe, id: MessageId, text: &str) -> Publish {
    Publish { id, id_is_chosen: true, ..publish(pipe, text) }
}

async fn publish_chosen(world: &World, pipe: &Pipe, id: MessageId, text: &str) -> Published {
    world.store.publish(vec![chosen(pipe, id, text)]).await.unwrap()[0]
}

#[test]
fn a_chosen_id_that_comes_again_is_answered_as_it_was() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            for _ in 0..2 {
                world.store.listen(&pipe, EarId(0)).await.unwrap();
            }
            let id = MessageId::new();
            let first = publish_chosen(&world, &pipe, id, "once").await;
            assert_eq!((first.position.index, first.receivers, first.is_repeat), (1, 2, false));
            world.store.unlisten(&pipe, EarId(0)).await.unwrap();
            for text in ["once", "another text under the same id"] {
                let again = publish_chosen(&world, &pipe, id, text).await;
                assert_eq!(again, Published { is_repeat: true, ..first });
            }
            let next = world.publish(&pipe, "next").await;
            assert_eq!((next.position.index, next.is_repeat), (2, false));
            assert_eq!(world.heard(0), ["once", "next"]);
            let expected = if kept > 0 { ["once", "next"].as_slice() } else { &[] };
            assert_eq!(world.history(&pipe, Since::Beginning).await, expected);
        }
    });
}

#[test]
fn a_repeat_within_a_batch_is_one_too() {
    over_every_store(|world| async move {
        let (live, kept) = (pipe("live"), pipe("kept"));
        world.keep(&kept, 10).await;
        for pipes in [[&live, &live], [&kept, &kept], [&live, &kept]] {
            let ids = [MessageId::new(), MessageId::new()];
            let [one, other] = pipes;
            let batch = [(one, 0), (other, 1), (one, 0), (other, 1)];
            let batch = batch.map(|(pipe, id)| chosen(pipe, ids[id], "text")).into();
            let published = world.store.publish(batch).await.unwrap();
            let repeats: Vec<bool> = published.iter().map(|published| published.is_repeat).collect();
            assert_eq!(repeats, [false, false, true, true]);
            assert_eq!([published[0].position, published[1].position], [published[2].position, published[3].position]);
        }
        assert_eq!(
            [world.publish(&live, "x").await, world.publish(&kept, "x").await].map(|p| p.position.index),
            [4, 4]
        );
    });
}

#[test]
fn of_many_that_publish_one_id_at_once_one_is_first() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            world.store.listen(&pipe, EarId(0)).await.unwrap();
            let id = MessageId::new();
            let publishers: Vec<_> = (0..20)
                .map(|_| {
                    let (store, batch) = (Arc::clone(&world.store), vec![chosen(&pipe, id, "once")]);
                    tokio::spawn(async move { store.publish(batch).await.unwrap()[0] })
                })
                .collect();
            let mut firsts = 0;
            for publisher in publishers {
                let published = publisher.await.unwrap();
                assert_eq!(published.position.index, 1);
                firsts += usize::from(!published.is_repeat);
            }
            assert_eq!((firsts, world.heard(0).len()), (1, 1));
        }
    });
}

#[test]
fn an_id_is_of_one_pipe_and_only_a_chosen_one_counts() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let (one, other) = (pipe(&format!("one_{kept}")), pipe(&format!("other_{kept}")));
            for pipe in [&one, &other] {
                world.keep(pipe, kept).await;
            }
            let id = MessageId::new();
            assert!(!publish_chosen(&world, &one, id, "x").await.is_repeat);
            assert!(!publish_chosen(&world, &other, id, "x").await.is_repeat);
            let unchosen = || vec![Publish { id, ..publish(&one, "x") }];
            for index in [2, 3] {
                let published = world.store.publish(unchosen()).await.unwrap()[0];
                assert_eq!((published.position.index, published.is_repeat), (index, false));
            }
        }
    });
}

#[test]
fn an_id_is_remembered_for_five_minutes_from_the_first_on() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            let id = MessageId::new();
            let first = publish_chosen(&world, &pipe, id, "x").await;
            world.clock.forward(REPEAT_MILLIS - 1_000);
            assert_eq!(publish_chosen(&world, &pipe, id, "x").await, Published { is_repeat: true, ..first });
            world.clock.forward(2_000);
            let second = publish_chosen(&world, &pipe, id, "x").await;
            assert_eq!((second.position.index, second.is_repeat), (2, false));
            assert_eq!(publish_chosen(&world, &pipe, id, "x").await, Published { is_repeat: true, ..second });
        }
    });
}

#[test]
fn a_repeat_is_known_when_the_store_is_opened_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = world(Some(tempfile::tempdir().unwrap()));
        let (kept, live) = (pipe("kept"), pipe("live"));
        world.keep(&kept, 10).await;
        for pipe in [&kept, &kept, &live] {
            world.store.listen(pipe, EarId(0)).await.unwrap();
        }
        let id = MessageId::new();
        let first = publish_chosen(&world, &kept, id, "once").await;
        assert_eq!(first.receivers, 2);
        publish_chosen(&world, &live, id, "once").await;
        let world = world.reopened().await;
        assert_eq!(publish_chosen(&world, &kept, id, "once").await, Published { is_repeat: true, ..first });
        let after_restart = publish_chosen(&world, &live, id, "once").await;
        assert!(!after_restart.is_repeat, "what is not kept begins anew");
        assert_eq!(world.history(&kept, Since::Beginning).await, ["once"]);
        world.clock.forward(REPEAT_MILLIS + 1_000);
        let second = publish_chosen(&world, &kept, id, "once").await;
        assert_eq!((second.position.index, second.is_repeat), (2, false));
    });
}
