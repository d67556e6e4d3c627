//! SIP transactions (RFC 3261 §17, RFC 6026).
//!
//! [`server`] and [`client`] are the four machines, pure; [`Transactions`] matches messages to them ([`key`]),
//! keeps what they send again and runs their timers ([`timer`]). A [`Flow`] is the way a message came; [`KeepAlive`]
//! keeps one open.

mod client;
mod flow;
mod keep_alive;
mod key;
mod layer;
mod server;
mod timer;

pub use flow::{Flow, FlowId, Transport};
pub use keep_alive::{Due, KeepAlive};
pub use layer::{ClientId, Destination, Failure, Output, ServerId, Transactions};
pub(crate) use timer::Schedule;
pub use timer::{GIVE_UP, T1, T2, T4};
