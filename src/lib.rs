//! campanile: a self-hosted server for voice and meetings.
//!
//! The map of this tree:
//!
//! - `wire` (crate): bytes to values and back.
//! - `media` (crate): the way of a packet.
//! - `call` (crate): the way of a call.
//! - [`node`]: the only place with sockets, threads and clocks.
//! - [`control`]: meetings, attendees, keys: one noun per file.
//! - [`record`]: metric log, SIP log, call events and records, and the trace that is told from them.
//! - [`objects`]: buckets, in folders and on S3 servers, and the envelopes of sealed objects.
//! - [`store`]: SQLite or PostgreSQL through one dialect.
//! - [`http`]: API operations, browser signaling, the page.
//! - [`config`]: typed configuration.
//! - [`admin_command`]: the command that administers a running server; [`call_command`], the scripted phone;
//!   [`trace_command`], the story of a call.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod admin_command;
pub mod call_command;
pub mod config;
pub mod control;
pub mod http;
pub mod node;
pub mod objects;
pub mod record;
pub mod store;
pub mod trace_command;

/// What tests with real processes stand on, for those unit tests that need some of it.
#[cfg(test)]
#[allow(
    dead_code,
    clippy::print_stderr,
    reason = "the unit tests use a part of it; a missing peer is told loudly"
)]
#[path = "../tests/support"]
mod support {
    pub(crate) mod peers;
    pub(crate) mod postgres;
}
