//! The JSON that browsers and node exchange, in both directions and both generations: what browsers of the original's
//! library say in [`ClientFrame`], and those of ours in [`five::Command`]; what they are told in the functions.
//!
//! What is encoded here is ready for the socket, WebSocket header included, because the fan-out shares those bytes.

mod client;
pub mod five;
mod json;
mod server;

use std::sync::Arc;

use bytes::Bytes;

pub use self::client::ClientFrame;
pub use self::server::{
    command_error, count, delivery_report, of_history, of_queued, receipt_request, refusal, server_info,
    subscription_error, user_data, user_error, user_status, users,
};
use crate::pipe::{Delivery, Pipe};
use crate::user::Generation;

/// The wire bytes of a message, made once for each generation.
fn of_delivery(delivery: &Delivery, generation: Generation) -> Bytes {
    delivery.encoded.get_or_init(generation, || match generation {
        Generation::Four => server::message(delivery),
        Generation::Five => five::message(delivery),
    })
}

/// The frames of a run of messages of one pipe: what a subscriber gets in one piece. Behind private messages the
/// original's library is asked for a receipt: they count as taken when a device has said that they are there.
pub fn of_run(run: &[Arc<Delivery>], generation: Generation) -> Bytes {
    let [.., last] = run else { return Bytes::new() };
    let wants_receipt = generation == Generation::Four && matches!(last.pipe, Pipe::Log(..));
    if let ([one], false) = (run, wants_receipt) {
        return of_delivery(one, generation);
    }
    let mut frames: Vec<Bytes> = run.iter().map(|delivery| of_delivery(delivery, generation)).collect();
    if wants_receipt {
        frames.push(receipt_request(last.position.index));
    }
    Bytes::from(frames.concat())
}
