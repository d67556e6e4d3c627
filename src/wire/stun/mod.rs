//! STUN binding requests and their answers (RFC 8489), as ICE uses them.
//!
//! [`Message`] is the format; [`BindingRequest`] what an ICE agent asks with it (RFC 8445 §7.1); [`answer`]
//! writes the replies into a buffer without allocating.

pub mod answer;
mod message;
mod request;

pub use message::{Attributes, Class, MAGIC_COOKIE, Message, StunError, TransactionId};
pub use request::{BindingRequest, IceRole, RequestWriter};

#[cfg(test)]
mod tests;
