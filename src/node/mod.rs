//! The only place with sockets, threads and clocks.
//!
//! [`listen`] turns SIP bytes into messages, [`shard`] moves media, [`desk`] drives the calls.
#![allow(dead_code)]

mod addresses;
mod bind;
mod certificate;
pub mod desk;
mod listen;
pub mod ready;
mod shard;
pub mod sound;
