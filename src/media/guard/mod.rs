//! Protection of media: SRTP transforms and the DTLS handshake that keys them.

pub mod dtls;
mod srtp;

pub use srtp::{GuardError, MAX_SSRCS, MAX_TRAILER, Protector, Unprotector};
