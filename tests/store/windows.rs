//! How far back a recovery window goes: so many messages, so many bytes, so long, and only where somebody listens.

use cometql::pipe::Position;
use cometql::store::{EarId, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

use super::{ALL, over_every_store, pipe};

#[test]
fn a_window_holds_so_many_messages() {
    over_every_store(|world| async move {
        let pipe = pipe("many");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let mut newest = world.publish(&pipe, "x").await.position;
        for _ in 0..WINDOW_MESSAGES_MAX + 1 {
            newest = world.publish(&pipe, "x").await.position;
        }
        let counts = world.counts(&pipe, newest).await;
        assert_eq!(counts[..4], [None, None, Some(WINDOW_MESSAGES_MAX), Some(WINDOW_MESSAGES_MAX - 1)]);
    });
}

#[test]
fn a_window_holds_so_many_bytes() {
    over_every_store(|world| async move {
        let pipe = pipe("large");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let text = "x".repeat(WINDOW_BYTES_MAX * 2 / 5);
        let mut newest = world.publish(&pipe, &text).await.position;
        for _ in 0..2 {
            world.heard(0);
            newest = world.publish(&pipe, &text).await.position;
        }
        assert_eq!(world.counts(&pipe, newest).await, [None, Some(2), Some(1), Some(0)]);
        world.heard(0);
        let newest = world.publish(&pipe, &"x".repeat(WINDOW_BYTES_MAX + 1)).await.position;
        assert_eq!(world.counts(&pipe, newest).await, [None, None, None, None, Some(0)], "larger than any window");
        world.heard(0);
        let newest = world.publish(&pipe, "small").await.position;
        assert_eq!(world.counts(&pipe, newest).await[3..], [None, Some(1), Some(0)]);
    });
}

#[test]
fn a_window_holds_messages_for_so_long() {
    over_every_store(|world| async move {
        let pipe = pipe("old");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        world.publish(&pipe, "a").await;
        world.clock.forward(WINDOW_MILLIS_MAX - 1_000);
        let newest = world.publish(&pipe, "b").await.position;
        assert_eq!(world.counts(&pipe, newest).await, [Some(2), Some(1), Some(0)]);
        world.clock.forward(2_000);
        assert_eq!(world.counts(&pipe, newest).await, [None, Some(1), Some(0)]);
        world.clock.forward(WINDOW_MILLIS_MAX);
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(0)]);
    });
}

#[test]
fn a_pipe_that_was_heard_a_moment_ago_has_a_window() {
    over_every_store(|world| async move {
        let pipe = pipe("left");
        for ear in [0, 1] {
            world.store.listen(&pipe, EarId(ear)).await.unwrap();
        }
        let start = Position { index: 0, ..world.publish(&pipe, "a").await.position };
        for ear in [1, 0] {
            world.store.unlisten(&pipe, EarId(ear)).await.unwrap();
        }
        world.clock.forward(WINDOW_MILLIS_MAX / 2);
        let newest = world.publish(&pipe, "missed").await.position;
        assert_eq!(newest.epoch, start.epoch);
        assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["a", "missed"]);
        world.clock.forward(WINDOW_MILLIS_MAX / 2 - 1_000);
        assert_eq!(world.counts(&pipe, newest).await, [Some(2), Some(1), Some(0)]);
        world.clock.forward(2_000);
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(0)], "nobody has listened for a minute");
        let listening = world.store.listen(&pipe, EarId(0)).await.unwrap();
        assert_eq!(listening.position, newest);
        assert_eq!(world.counts(&pipe, newest).await, [None, None, Some(0)]);
    });
}

#[test]
fn a_listener_who_comes_back_in_time_finds_the_window_as_it_was() {
    over_every_store(|world| async move {
        let pipe = pipe("back");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let start = world.publish(&pipe, "a").await.position;
        world.store.unlisten(&pipe, EarId(0)).await.unwrap();
        world.publish(&pipe, "b").await;
        world.clock.forward(WINDOW_MILLIS_MAX - 1_000);
        world.store.listen(&pipe, EarId(1)).await.unwrap();
        assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["b"]);
        world.publish(&pipe, "c").await;
        assert_eq!(world.recovered(&pipe, start, ALL).await.unwrap(), ["b", "c"]);
        world.clock.forward(WINDOW_MILLIS_MAX - 1_000);
        assert_eq!(world.recovered(&pipe, Position { index: 2, ..start }, ALL).await.unwrap(), ["c"]);
    });
}
