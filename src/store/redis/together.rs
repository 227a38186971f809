//! Many calls at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::answer::Answer;
use super::call::Call;
use super::commands::{Again, Commands};
use crate::store::StoreError;

/// Gives calls that may be given twice all at once, and waits for all answers; they are in the order of the calls.
pub async fn ask_all(commands: &Arc<Commands>, calls: Vec<Call>) -> Result<Vec<Answer>, StoreError> {
    ask_each(commands, calls).await.into_iter().collect()
}

/// The same, of which some may fail: a server of a cluster that is away does not keep the others from being asked.
pub async fn ask_each(commands: &Arc<Commands>, calls: Vec<Call>) -> Vec<Result<Answer, StoreError>> {
    let mut asking = JoinSet::new();
    for (number, call) in calls.into_iter().enumerate() {
        let commands = Arc::clone(commands);
        asking.spawn(async move { (number, commands.ask(&call, Again::Yes).await) });
    }
    // A task that ends without an answer has panicked, or the runtime stops.
    let nothing = || Err(StoreError::Unavailable("it was not asked".into()));
    let mut answers: Vec<_> = (0..asking.len()).map(|_| nothing()).collect();
    while let Some(asked) = asking.join_next().await {
        if let Ok((number, answered)) = asked
            && let Some(answer) = answers.get_mut(number)
        {
            *answer = answered;
        }
    }
    answers
}
