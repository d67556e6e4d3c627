//! The real server against foreign programs. A claim about sound counts only if a foreign peer heard it.

#[path = "../support/mod.rs"]
mod support;

mod baresip;
mod boto3;
mod ears;
mod records;
mod sipp;
