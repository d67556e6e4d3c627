//! What strangers may send, to every port, while calls are in progress.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and says why"
)]

#[path = "../support/mod.rs"]
mod support;

mod bleed;
mod cuts;
mod keys;
mod mutants;
mod noise;
