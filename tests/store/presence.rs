//! Users who come, go and are sent away.

use cometql::pipe::Pipe;
use cometql::store::{CallId, EarId, News};
use cometql::user::{TenantId, UserId};

use super::{over_every_store, pipe, until_news};

fn log(user: u64) -> Pipe {
    Pipe::Log(TenantId(1), UserId::new(user).unwrap())
}

#[test]
fn a_user_appears_once_until_it_has_disappeared_with_its_last_connection() {
    over_every_store(|world| async move {
        let store = &world.store;
        let log = log(7);
        assert!(!store.disappear(&log, CallId::new()).await.unwrap(), "nobody was here");
        for _ in 0..2 {
            assert!(store.listen(&log, EarId(0)).await.unwrap().has_appeared);
            assert!(!store.listen(&log, EarId(1)).await.unwrap().has_appeared, "a second connection");
            store.unlisten(&log, EarId(0)).await.unwrap();
            assert!(!store.disappear(&log, CallId::new()).await.unwrap(), "the second is here yet");
            store.unlisten(&log, EarId(1)).await.unwrap();
            assert!(!store.listen(&log, EarId(0)).await.unwrap().has_appeared, "it was back in time");
            store.unlisten(&log, EarId(0)).await.unwrap();
            assert!(store.disappear(&log, CallId::new()).await.unwrap());
            assert!(!store.disappear(&log, CallId::new()).await.unwrap(), "one is told");
        }
        let named = pipe("named");
        assert!(!store.listen(&named, EarId(0)).await.unwrap().has_appeared, "no pipe of a name is a user");
    });
}

#[test]
fn whoever_is_dismissed_is_told_behind_every_ear_that_listens_and_nobody_else_is() {
    over_every_store(|world| async move {
        let (theirs, others) = (log(7), log(8));
        world.store.dismiss(&theirs).await.unwrap();
        for ear in [0, 0, 1] {
            world.store.listen(&theirs, EarId(ear)).await.unwrap();
        }
        world.store.listen(&others, EarId(0)).await.unwrap();
        assert!(world.ears.iter().all(|ear| ear.take().is_empty()), "who comes later is not meant");
        world.store.dismiss(&theirs).await.unwrap();
        for ear in &world.ears {
            let news = until_news(ear).await;
            assert!(matches!(news.as_slice(), [News::Dismissed(log)] if *log == theirs), "{news:?}");
        }
        world.store.unlisten(&theirs, EarId(1)).await.unwrap();
        world.store.dismiss(&theirs).await.unwrap();
        assert_eq!(until_news(&world.ears[0]).await.len(), 1);
        assert!(world.ears[1].take().is_empty());
    });
}
