//! A login that is taken back while it is under way.

use cometql::node::{Answer, Ask, Record};
use cometql::user::{Credentials, TenantId};

use super::world::{log, quiet, user, visitor};

#[tokio::test]
async fn a_key_that_is_deleted_before_anybody_listens_to_the_log_logs_in_nobody() {
    let houses = quiet(2, 0).await;
    let key = Record::Key(user(42));
    houses[0].set_record(&key, "h4sh").await;
    let credentials = Credentials { tenant: TenantId::ROOT, user: user(42), key: "h4sh".to_owned() };
    let listen = |slot: u32| {
        let login = Some(Box::new(credentials.clone()));
        let visitor = visitor(&houses[0], slot, Some(user(42)));
        Ask::Listen { visitor, take: vec![log(user(42))], leave: Vec::new(), login }
    };
    let authorised = houses[0].node.run(Ask::Authorise(credentials.clone())).await;
    assert!(matches!(authorised, Answer::Authorised(Ok(true))));
    assert!(matches!(houses[0].node.run(listen(0)).await, Answer::Listening(Ok(_))));
    // The other node is told to send everybody away who listens to the log; this one does not yet.
    houses[1].node.remove_record(TenantId::ROOT, &key).await.unwrap();
    assert!(matches!(houses[0].node.run(listen(1)).await, Answer::Authorised(Ok(false))));
    assert_eq!(houses[1].node.listeners(&log(user(42))).await, Ok(2), "who listens leaves when it is closed");
}
