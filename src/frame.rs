//! The JSON that browsers and node exchange, in both directions: what browsers say in [`ClientFrame`], what they are
//! told in the functions.
//!
//! What is encoded here is ready for the socket, WebSocket header included, because the fan-out shares those bytes.

mod client;
mod json;
mod server;

pub use self::client::ClientFrame;
pub use self::server::{
    command_error, count, delivery_report, of_delivery, of_history, of_queued, of_run, receipt_request, refusal,
    server_info, subscription_error, user_data, user_error, user_status, users,
};
