//! The way of a packet, in order. No sockets, no clock of its own.
//!
//! A datagram enters at [`engine`], which finds its leg ([`demux`]), asks whether it may come from
//! there ([`path`]), authenticates and decrypts it ([`guard`]) and counts it ([`receive`]). Audio goes
//! through [`smooth`], [`codec`] and [`mix`]; video through [`forward`]. What leaves is made in
//! [`send`]. [`measure`] turns counters into figures; [`leg`] and [`bridge`] join the parts.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)
)]

pub mod bridge;
pub mod codec;
pub mod demux;
pub mod engine;
pub mod forward;
pub mod guard;
pub mod leg;
pub mod measure;
pub mod mix;
pub mod path;
pub mod receive;
pub mod send;
pub mod smooth;
