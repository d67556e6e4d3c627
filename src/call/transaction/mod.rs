//! SIP transactions (RFC 3261 §17, RFC 6026).

mod flow;

pub use flow::{Flow, FlowId, Transport};
