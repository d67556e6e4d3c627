//! What leaves: the outbox, outgoing streams, digits, the timing of reports. A pacer will stand before the outbox.

pub mod digits;
pub mod outbox;
pub mod reports;
pub mod stream;
