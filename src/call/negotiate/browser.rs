//! A browser's offer: what of it we take, and the answer.
//!
//! The offer is one bundle (RFC 8843) of one audio section and any number of video sections; all run over one ICE
//! and DTLS association, of which we are the lite and, by choice, the waiting end. Every change of what is sent or
//! shown is a whole new offer, in which sections stop (port 0) and are later used again with another `mid`. The
//! answer therefore depends only on this offer and on [`Terms`]; nothing is remembered of earlier ones here.
//!
//! [`Offer::read`] takes what matters out of the text, [`Offer::answer`] writes the answer and the plan for media.
//!
//! As yet: Opus only (alone or in RED), H.264 constrained baseline and VP8, no retransmission (`nack`, RTX), no
//! bandwidth estimation (`transport-cc`, `abs-send-time`), and of simulcast layers exactly one.

mod answer;
#[cfg(test)]
pub(crate) mod chrome;
mod offer;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Terms, VideoUse};
pub use offer::{Offer, OfferedRid, OfferedVideo, Section};

use wire::sdp::SdpError;

/// The most octets of an offer.
pub const MAX_OFFER: usize = 64 * 1024;
/// The most media sections of an offer: 25 tiles, as many stopped ones, and room.
pub const MAX_SECTIONS: usize = 100;
/// What a browser's Opus is held to, and what we send to one, in bit/s: with 20 ms packets that is about
/// 54 kbit/s on the wire.
pub const OPUS_BITRATE: u32 = 24_000;

/// Why an offer cannot be answered. All are the client's fault; the signaling answers 400.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum OfferError {
    /// More than [`MAX_OFFER`].
    #[error("the offer has {0} octets, too many")]
    TooLarge(usize),
    /// Not a session description.
    #[error("the offer is not readable: {0}")]
    Unreadable(#[from] SdpError),
    /// More than [`MAX_SECTIONS`].
    #[error("the offer has {0} media sections, too many")]
    TooManySections(usize),
    /// A section in use has no `a=mid`, or one that another has (RFC 9143).
    #[error("a media section has no mid of its own")]
    Mid,
    /// A section in use is not in the bundle (RFC 8843).
    #[error("the media sections are not bundled")]
    NotBundled,
    /// A section in use has no `a=rtcp-mux` (RFC 5761).
    #[error("a media section does not multiplex RTCP")]
    NoRtcpMux,
    /// No ICE user fragment and password, or of a wrong length (RFC 8839 §5.4).
    #[error("the ICE credentials are missing or malformed")]
    NoIceCredentials,
    /// No `a=fingerprint` with SHA-256 (RFC 8122).
    #[error("there is no SHA-256 certificate fingerprint")]
    NoFingerprint,
    /// A section in use is not `UDP/TLS/RTP/SAVPF` or `…/SAVP`.
    #[error("a media section is not DTLS-SRTP")]
    NotProtected,
    /// No section is in use.
    #[error("there is no audio section")]
    NoAudio,
    /// Audio without Opus.
    #[error("there is no Opus in the audio section")]
    NoOpus,
}
