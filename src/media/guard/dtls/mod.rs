//! DTLS on the media path, to agree on SRTP keys (RFC 5763, RFC 5764).
//!
//! A [`Handshake`] is fed datagrams and time and polled for what to do. Keys leave it only after the other
//! side's certificate has the fingerprint that was signalled. The record layer and its cryptography are
//! `dimpl`'s towards browsers and `rtc-dtls`'s towards SIP devices; both draw their randomness themselves.

mod device;
mod handshake;
mod identity;

pub use handshake::{Handshake, Output, PeerKind};
pub use identity::{Identity, IdentityError, matches};

#[cfg(test)]
mod tests;
