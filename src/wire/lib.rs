//! Bytes to values and back: SIP, SDP, RTP, RTCP, STUN, browser signaling, captures. No state, no clock, no I/O.
//!
//! Everything that other programs send is read here and nowhere else. Readers are tolerant where the
//! standards are, return typed errors where they are not, and never panic. [`plan`] holds the values
//! through which `call` and `media` meet.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod capture;
pub mod plan;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod signal;
pub mod sip;
pub mod stun;
