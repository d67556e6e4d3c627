//! The real page, with the unmodified SDK, in the real browser.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and says why"
)]

#[path = "../support/mod.rs"]
mod support;

mod capabilities;
mod lobby;
mod one_meeting;
mod strangers;
mod two_pages;
