//! Many calls at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::answer::Answer;
use super::call::Call;
use super::commands::{Again, Commands};
use crate::store::StoreError;

/// Gives calls that may be given twice all at once, and waits for all answers; they are in the order of the calls.
pub async fn ask_all(commands: &Arc<Commands>, calls: Vec<Call>) -> Result<Vec<Answer>, StoreError> {
    let mut asking = JoinSet::new();
    for (number, call) in calls.into_iter().enumerate() {
        let commands = Arc::clone(commands);
        asking.spawn(async move { (number, commands.ask(&call, Again::Yes).await) });
    }
    let mut answers = Vec::with_capacity(asking.len());
    while let Some(asked) = asking.join_next().await {
        // A task that ends without an answer has panicked, or the runtime stops.
        let (number, answer) = asked.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        answers.push((number, answer?));
    }
    answers.sort_unstable_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
