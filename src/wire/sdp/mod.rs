//! Session descriptions (RFC 8866): reader and writer, with typed views of the attributes that offers carry.
//!
//! [`Session::parse`] keeps every line: what is not modelled stays as text, in order. [`Attributes`] has the
//! typed readers and writers, for the session level and for each media section alike; [`Section`] adds what
//! a media section inherits from the session level.

mod attributes;
mod ice;
mod keys;
mod read;
mod rtp;
mod section;
mod session;
mod source;
mod write;

pub use attributes::{Attribute, Attributes};
pub use ice::{Candidate, CandidateType};
pub use keys::{Crypto, CryptoKey, Mki, Setup};
pub use read::SdpError;
pub use rtp::{ExtMap, Fmtp, RtcpAddress, RtcpFeedback, RtpMap, static_rtpmap};
pub use section::Section;
pub use session::{
    Bandwidth, Connection, Line, Media, MediaKind, Origin, Protocol, Session, Timing,
};
pub use source::{Group, Msid, Rid, Simulcast, SimulcastId, Ssrc, SsrcGroup};

#[cfg(test)]
mod tests;
