//! The real server against foreign programs. A claim about sound counts only if a foreign peer heard it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and says why"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod admin;
mod asked;
mod baresip;
mod boto3;
mod crash;
mod digest;
mod domains;
mod ears;
mod figures;
mod full;
mod linphone;
mod load;
mod locating;
mod matrix;
mod objects;
mod postgres;
mod quality;
mod readers;
mod records;
mod shards;
mod sipp;
mod sipp_suite;
mod tls;
mod torture;
mod trace;
mod trail;
mod trunks;
mod truth;
mod ways;
