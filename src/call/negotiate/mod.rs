//! Offer and answer (RFC 3264).

pub mod browser;
pub mod phone;
mod rtcp;
