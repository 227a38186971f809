//! What was kept elsewhere is taken over as it was.

use std::sync::Arc;

use cometql::clock::UnixMillis;
use cometql::pipe::{ConnectionId, Delivery, Encoded, Message, MessageId, Pipe, Position, Retention};
use cometql::store::{EarId, PageMax, Record, Recovered, Since, Standing};
use cometql::user::{TenantId, UserId};

use super::{ALL, World, name, over_every_store, pipe};

/// A message of another store, sent an hour before.
fn kept(pipe: &Pipe, epoch: u64, index: u64) -> Arc<Delivery> {
    Arc::new(Delivery {
        pipe: pipe.clone(),
        position: Position { epoch, index },
        id: MessageId::new(),
        event: "event".parse().unwrap(),
        message: Message::new(format!("message {index}"), usize::MAX).unwrap(),
        user: UserId::new(index),
        origin: (index == 2).then_some(ConnectionId { node: 3, shard: 1, slot: 4, serial: 5 }),
        sent_at: UnixMillis(1_699_996_400_000 + index),
        encoded: Encoded::default(),
    })
}

fn standing(epoch: u64, index: u64) -> Standing {
    Standing { position: Position { epoch, index }, taken: 0, floor: 0 }
}

async fn adopt(world: &World, pipe: &Pipe, messages: &[Arc<Delivery>], stands: Standing) {
    world.store.adopt(pipe, messages.to_vec(), stands).await.unwrap();
}

#[test]
fn adopted_messages_are_as_they_were_and_the_pipe_goes_on_behind_them() {
    over_every_store(|world| async move {
        let log = Pipe::Log(TenantId(1), UserId::new(7).unwrap());
        for pipe in [pipe("adopted"), log] {
            if let Pipe::Named(..) = pipe {
                world.keep(&pipe, 10).await;
            }
            // The third was deleted there.
            let messages: Vec<Arc<Delivery>> = [1, 2, 4, 5].map(|index| kept(&pipe, 77, index)).to_vec();
            adopt(&world, &pipe, &messages[..3], standing(77, 4)).await;
            adopt(&world, &pipe, &messages[3..], Standing { taken: 2, ..standing(77, 6) }).await;
            let page = world.store.history(&pipe, Since::Beginning, ALL).await.unwrap();
            assert_eq!(page.up_to, Position { epoch: 77, index: 6 });
            for (found, message) in page.messages.iter().zip(&messages) {
                assert_eq!((found.position, found.id, found.sent_at), (message.position, message.id, message.sent_at));
                assert_eq!((found.user, found.origin), (message.user, message.origin));
                assert_eq!((&found.event, &found.message), (&message.event, &message.message));
            }
            assert_eq!(page.messages.len(), 4);
            assert_eq!(world.history(&pipe, Since::Untaken).await, ["message 4", "message 5"]);
            let from = |index| world.recovered(&pipe, Position { epoch: 77, index }, ALL);
            assert_eq!(from(0).await.unwrap().len(), 4, "nothing is missing");
            assert_eq!(from(4).await.unwrap(), ["message 5"]);
            assert_eq!(world.publish(&pipe, "next").await.position, Position { epoch: 77, index: 7 });
            assert_eq!(from(4).await.unwrap(), ["message 5", "next"]);
        }
    });
}

#[test]
fn what_is_adopted_twice_is_there_once_and_a_pipe_never_goes_back() {
    over_every_store(|world| async move {
        let pipe = pipe("again");
        world.keep(&pipe, 10).await;
        let messages: Vec<Arc<Delivery>> = (1..=4).map(|index| kept(&pipe, 77, index)).collect();
        adopt(&world, &pipe, &messages[..2], standing(77, 2)).await;
        adopt(&world, &pipe, &messages, standing(77, 4)).await;
        adopt(&world, &pipe, &messages, standing(77, 4)).await;
        let all = ["message 1", "message 2", "message 3", "message 4"];
        assert_eq!(world.history(&pipe, Since::Beginning).await, all);
        let next = world.publish(&pipe, "next").await;
        adopt(&world, &pipe, &messages, standing(77, 4)).await;
        assert_eq!(next.position, Position { epoch: 77, index: 5 });
        let page = world.store.history(&pipe, Since::Newest(1), ALL).await.unwrap();
        assert_eq!((page.up_to, page.messages[0].message.as_str()), (next.position, "next"));
    });
}

#[test]
fn what_the_pipe_does_not_keep_is_trimmed_and_missing_behind_the_floor_is_said() {
    over_every_store(|world| async move {
        let (short, nothing, new) = (pipe("short"), pipe("nothing"), pipe("new"));
        let of = |pipe: &Pipe| -> Vec<Arc<Delivery>> { (1..=4).map(|index| kept(pipe, 77, index)).collect() };
        world.keep(&short, 2).await;
        adopt(&world, &short, &of(&short), standing(77, 4)).await;
        assert_eq!(world.history(&short, Since::Beginning).await, ["message 3", "message 4"]);
        assert_eq!(
            world.counts(&short, Position { epoch: 77, index: 4 }).await,
            [None, None, Some(2), Some(1), Some(0)]
        );

        adopt(&world, &nothing, &of(&nothing), standing(77, 4)).await;
        assert_eq!(world.history(&nothing, Since::Beginning).await, [""; 0]);

        // Its messages are of an epoch that is over.
        world.keep(&new, 10).await;
        adopt(&world, &new, &of(&new), Standing { floor: 4, ..standing(78, 4) }).await;
        assert_eq!(world.history(&new, Since::Beginning).await.len(), 4);
        for epoch in [77, 78] {
            let after = Position { epoch, index: 3 };
            assert!(matches!(world.store.recover(&new, after, ALL).await.unwrap(), Recovered::Lost(_)), "{epoch}");
        }
        assert_eq!(world.publish(&new, "next").await.position, Position { epoch: 78, index: 5 });
        assert_eq!(world.recovered(&new, Position { epoch: 78, index: 4 }, ALL).await.unwrap(), ["next"]);
    });
}

#[test]
fn what_is_of_an_epoch_that_is_over_is_read_in_pages_and_then_what_comes_behind_it() {
    over_every_store(|world| async move {
        let log = Pipe::Log(TenantId(1), UserId::new(7).unwrap());
        let messages: Vec<Arc<Delivery>> = (1..=4).map(|index| kept(&log, 77, index)).collect();
        adopt(&world, &log, &messages, standing(78, 4)).await;
        world.publish(&log, "of the new epoch").await;
        let two = PageMax { messages: 2, bytes: usize::MAX };
        let page = world.store.history(&log, Since::Untaken, two).await.unwrap();
        assert_eq!((page.messages.len(), page.more), (2, true));
        assert_eq!(page.up_to, Position { epoch: 78, index: 2 }, "from where the pipe stands now");
        let Recovered::Page(page) = world.store.recover(&log, page.up_to, two).await.unwrap() else {
            panic!("something is lost");
        };
        assert_eq!((page.messages.len(), page.up_to), (2, Position { epoch: 78, index: 4 }));
        let Recovered::Page(page) = world.store.recover(&log, page.up_to, two).await.unwrap() else {
            panic!("something is lost");
        };
        assert_eq!((page.messages.len(), page.up_to), (1, Position { epoch: 78, index: 5 }));
    });
}

#[test]
fn what_is_trimmed_leaves_the_floor_above_it_where_it_was() {
    over_every_store(|world| async move {
        let pipe = pipe("floor");
        world.keep(&pipe, 4).await;
        let messages: Vec<Arc<Delivery>> = (1..=4).map(|index| kept(&pipe, 77, index)).collect();
        adopt(&world, &pipe, &messages, Standing { floor: 4, ..standing(78, 4) }).await;
        let newest = world.publish(&pipe, "next").await.position;
        assert_eq!(newest, Position { epoch: 78, index: 5 });
        assert_eq!(world.history(&pipe, Since::Beginning).await.len(), 4, "the first was trimmed");
        assert_eq!(world.counts(&pipe, newest).await, [None, None, None, None, Some(1), Some(0)]);
    });
}

#[test]
fn who_listens_while_messages_are_adopted_can_have_them_behind_what_it_has() {
    over_every_store(|world| async move {
        let pipe = pipe("heard");
        world.keep(&pipe, 10).await;
        let first = world.publish(&pipe, "first").await.position;
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let second = world.publish(&pipe, "second").await.position;
        let messages = [3, 4].map(|index| kept(&pipe, first.epoch, index));
        adopt(&world, &pipe, &messages, standing(first.epoch, 4)).await;
        let last = world.publish(&pipe, "last").await.position;
        assert_eq!(last, Position { index: 5, ..first });
        assert_eq!(world.heard(0), ["second", "last"]);
        let missed = ["message 3", "message 4", "last"];
        assert_eq!(world.recovered(&pipe, second, ALL).await.unwrap(), missed);
        let one = PageMax { messages: 1, bytes: usize::MAX };
        assert_eq!(world.recovered(&pipe, second, one).await.unwrap(), missed);
    });
}

#[test]
fn tenants_that_have_something_are_listed_by_number() {
    over_every_store(|world| async move {
        let tenants = |after: Option<u32>, count_max| {
            let store = Arc::clone(&world.store);
            async move {
                let tenants = store.tenants(after.map(TenantId), count_max).await.unwrap();
                tenants.into_iter().map(|tenant| tenant.0).collect::<Vec<u32>>()
            }
        };
        assert_eq!(tenants(None, 9).await, [0; 0]);
        let user = UserId::new(7).unwrap();
        let named = |tenant| Pipe::Named(TenantId(tenant), name("room"));
        world.store.set_retention(&named(300), Retention::of_length(5)).await.unwrap();
        world.publish(&Pipe::Log(TenantId(99_999), user), "kept").await;
        for record in [Record::Key(user), Record::Revoked("a.b.c".into())] {
            world.store.set_record(TenantId(2), &record, Some("1".into())).await.unwrap();
        }
        world.publish(&Pipe::Named(TenantId(4), name("trust_room")), "kept").await;
        // Nothing of this is kept.
        world.publish(&named(5), "gone").await;
        world.store.listen(&named(6), EarId(0)).await.unwrap();
        assert_eq!(tenants(None, 9).await, [2, 4, 300, 99_999]);
        assert_eq!(tenants(None, 2).await, [2, 4]);
        assert_eq!(tenants(Some(4), 1).await, [300]);
        assert_eq!(tenants(Some(99_999), 9).await, [0; 0]);
    });
}
