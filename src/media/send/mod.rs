//! What leaves: the outbox, audio packets, digits, reports.

pub mod outbox;
