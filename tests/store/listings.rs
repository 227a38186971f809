//! Which pipes, logs, settings and records there are.

use std::sync::Arc;

use cometql::pipe::{Pipe, Retention};
use cometql::store::{EarId, Record, Shelf, Since};
use cometql::user::{TenantId, UserId};

use super::{name, over_every_store, pipe};

#[test]
fn logs_that_keep_or_are_heard_are_listed_by_user_in_pages_and_of_one_tenant() {
    over_every_store(|world| async move {
        let user = |number| UserId::new(number).unwrap();
        let log = |tenant, number| Pipe::Log(TenantId(tenant), user(number));
        for number in [300, 2, 70_000] {
            world.publish(&log(1, number), "kept").await;
        }
        for number in [2, 5] {
            world.store.listen(&log(1, number), EarId(0)).await.unwrap();
        }
        world.publish(&log(2, 3), "theirs").await;
        world.publish(&pipe("named"), "not a log").await;
        let logs = |after: Option<u64>, count_max| {
            let store = Arc::clone(&world.store);
            async move {
                let logs = store.logs(TenantId(1), after.map(user), count_max).await.unwrap();
                logs.into_iter().map(UserId::number).collect::<Vec<u32>>()
            }
        };
        assert_eq!(logs(None, 9).await, [2, 5, 300, 70_000]);
        assert_eq!(logs(None, 3).await, [2, 5, 300]);
        assert_eq!(logs(Some(5), 1).await, [300]);
        assert_eq!(logs(Some(300), 9).await, [70_000]);
        world.store.erase(&log(1, 300), &[1]).await.unwrap();
        world.store.unlisten(&log(1, 5), EarId(0)).await.unwrap();
        assert_eq!(logs(None, 9).await, [2, 70_000]);
        // What is kept and was taken is still there for a device that comes back.
        world.store.take(&log(1, 2), 1).await.unwrap();
        assert_eq!(logs(None, 1).await, [2]);
        assert_eq!(world.store.logs(TenantId(3), None, 9).await.unwrap(), []);
    });
}

#[test]
fn records_are_kept_by_tenant_and_listed_in_order() {
    over_every_store(|world| async move {
        let (tenant, user) = (TenantId(1), |number| UserId::new(number).unwrap());
        let set = |record, value: Option<&str>| {
            let (store, value) = (Arc::clone(&world.store), value.map(str::to_owned));
            async move { store.set_record(tenant, &record, value).await.unwrap() }
        };
        assert!(!set(Record::Key(user(300)), Some("hash")).await);
        assert!(set(Record::Key(user(300)), Some("newer")).await);
        assert!(!set(Record::Key(user(2)), Some("two")).await);
        assert!(!set(Record::Data(user(2)), Some("{\"n\":1}")).await);
        assert!(!set(Record::Revoked("a.b.c".into()), Some("17")).await);
        assert!(!set(Record::Seen(user(2)), None).await);
        let keys = world.store.records(tenant, Shelf::Keys, None, 9).await.unwrap();
        assert_eq!(keys, [(Record::Key(user(2)), "two".to_owned()), (Record::Key(user(300)), "newer".to_owned())]);
        let behind = world.store.records(tenant, Shelf::Keys, Some(&Record::Key(user(2))), 9).await.unwrap();
        assert_eq!(behind, keys[1..]);
        assert_eq!(world.store.records(tenant, Shelf::Keys, None, 1).await.unwrap(), keys[..1]);
        assert_eq!(world.store.records(TenantId(2), Shelf::Keys, None, 9).await.unwrap(), []);
        assert_eq!(world.store.record(tenant, &Record::Data(user(2))).await.unwrap().as_deref(), Some("{\"n\":1}"));
        assert!(set(Record::Key(user(2)), None).await);
        assert_eq!(world.store.record(tenant, &Record::Key(user(2))).await.unwrap(), None);
    });
}

#[test]
fn listings_are_by_name_in_pages_and_of_one_tenant() {
    over_every_store(|world| async move {
        for text in ["bbb", "aaa", "ccc"] {
            let pipe = pipe(text);
            world.keep(&pipe, 5).await;
            world.publish(&pipe, "kept").await;
            world.store.listen(&pipe, EarId(0)).await.unwrap();
        }
        let stranger = Pipe::Named(TenantId(2), name("aab"));
        world.keep(&stranger, 5).await;
        world.publish(&stranger, "theirs").await;
        world.store.listen(&stranger, EarId(0)).await.unwrap();
        world.store.listen(&Pipe::Log(TenantId(1), UserId::new(1).unwrap()), EarId(0)).await.unwrap();

        let tenant = TenantId(1);
        let (first, rest) = (name("aaa"), [name("bbb"), name("ccc")]);
        assert_eq!(world.store.kept(tenant, None, 1).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(world.store.kept(tenant, Some(&first), 9).await.unwrap(), rest);
        assert_eq!(world.store.listened(tenant, None, 1).await.unwrap(), [(first.clone(), 1)]);
        let listened = world.store.listened(tenant, Some(&first), 9).await.unwrap();
        assert_eq!(listened.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), rest);
        let retentions = world.store.retentions(tenant, Some(&first), 9).await.unwrap();
        assert_eq!(retentions, rest.map(|name| (name, Retention::of_length(5))));
        assert_eq!(world.history(&pipe("aaa"), Since::Beginning).await, ["kept"]);
    });
}
