//! What leaves: the outbox, outgoing streams, digits, copies against loss, silence, the timing of reports. A pacer will stand before the outbox.

pub mod digits;
pub mod outbox;
pub mod redundancy;
pub mod reports;
pub mod silence;
pub mod stream;
