//! What a node does by itself goes on, whatever happens.

use super::neighbours::{Doing, Fault};
use super::world::{log, pipe, quiet, rows, user, visitor};

#[tokio::test]
async fn what_a_node_does_by_itself_goes_on_when_it_has_panicked() {
    let houses = quiet(3, 0).await;
    houses[0].listen(&visitor(&houses[0], 1, None), &[&pipe("user_status_7")], &[]).await;
    houses[1].listen(&visitor(&houses[1], 1, Some(user(7))), &[&log(user(7))], &[]).await;
    houses[0].store.goes_wrong(Doing::LeftBehind, [Fault::Panics]);
    houses[2].store.goes_wrong(Doing::LeftBehind, [Fault::Panics]);
    houses[1].dies().await;
    houses[0].heard_up_to("offline").await;
}

#[tokio::test]
async fn a_node_reads_its_letters_again_after_a_panic() {
    let houses = quiet(2, 0).await;
    let _there = houses[1].caller(0);
    houses[1].store.goes_wrong(Doing::Letter, [Fault::Panics]);
    let mut here = houses[0].caller(0);
    // The first letter is taken by who waits for it already; the next finds nobody for a second.
    super::world::until("both nodes are in the list", async || {
        let all = rows(&mut here, "SHOW PROCESSLIST").await;
        all.len() == 2 && here.warning_count() == 0 && houses[1].store.is_well()
    })
    .await;
}
