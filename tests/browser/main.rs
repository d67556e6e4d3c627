//! The real page, with the unmodified SDK, in the real browser.

#[path = "../support/mod.rs"]
mod support;

mod lobby;
mod one_meeting;
mod two_pages;
