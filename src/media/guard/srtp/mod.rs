//! The SRTP transform (RFC 3711, RFC 7714): in place, keys expanded once, nothing allocated per packet.
//!
//! [`Protector`] is what we send with and [`Unprotector`] what we receive with; each holds one master key. A
//! packet index is never used twice with one key: not when receiving (replay), and not when sending, where
//! a second packet under one index would give both away.

mod cm;
mod gcm;
mod keys;
mod protect;
mod streams;
mod unprotect;
mod window;

pub use protect::Protector;
pub use streams::MAX_SSRCS;
pub use unprotect::Unprotector;

use wire::plan::{SdesKey, SrtpProfile};

use cm::CmKeys;
use gcm::GcmKeys;
use keys::{Derivation, Label};

/// The most octets that protection adds to a packet: GCM's tag and the SRTCP index.
pub const MAX_TRAILER: usize = 16 + SRTCP_INDEX;
/// Octets of the SRTCP index with its E bit.
const SRTCP_INDEX: usize = 4;
/// Octets of RTCP that stay clear: the first packet's head and its sender's SSRC.
const RTCP_CLEAR: usize = 8;
/// The E bit: this SRTCP packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet could not be protected or was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum GuardError {
    /// Too short to be what it should be, or its header is malformed. The peer's fault.
    #[error("packet is too short for SRTP")]
    TooShort,
    /// The tag is wrong: forged, damaged, or another key. The peer's fault.
    #[error("SRTP authentication failed")]
    Auth,
    /// The index was seen before, or is too old to tell. When sending, our fault: this index was used.
    #[error("SRTP packet index was used before")]
    Replay,
    /// More streams under one key than [`MAX_SSRCS`].
    #[error("too many streams under one SRTP key")]
    TooManySsrcs,
    /// The key has protected as many packets as it may (RFC 3711 §9.2).
    #[error("SRTP key is exhausted")]
    IndexExhausted,
    /// Key and salt do not have the profile's length. Our fault, or the signalling peer's.
    #[error("SRTP key and salt have the wrong length")]
    KeyLength,
    /// The buffer has no room for the trailer. Our fault.
    #[error("no room for the SRTP trailer")]
    NoRoom,
}

/// The session keys of one direction, expanded.
enum Session {
    Cm {
        rtp: Box<CmKeys>,
        rtcp: Box<CmKeys>,
    },
    Gcm {
        rtp: Box<GcmKeys>,
        rtcp: Box<GcmKeys>,
    },
}

impl Session {
    fn new(key: &SdesKey) -> Result<Self, GuardError> {
        let profile = key.profile;
        if key.key_salt.len() != profile.key_len() + profile.salt_len() {
            return Err(GuardError::KeyLength);
        }
        let (master_key, master_salt) = key
            .key_salt
            .split_at_checked(profile.key_len())
            .ok_or(GuardError::KeyLength)?;
        let derivation = Derivation::new(master_key, master_salt)?;
        Ok(match profile {
            SrtpProfile::AesCm128HmacSha1_80 => Self::Cm {
                rtp: Box::new(CmKeys::new(&derivation, &Label::RTP)),
                rtcp: Box::new(CmKeys::new(&derivation, &Label::RTCP)),
            },
            SrtpProfile::AeadAes128Gcm => Self::Gcm {
                rtp: Box::new(GcmKeys::new::<16>(&derivation, &Label::RTP)?),
                rtcp: Box::new(GcmKeys::new::<16>(&derivation, &Label::RTCP)?),
            },
            SrtpProfile::AeadAes256Gcm => Self::Gcm {
                rtp: Box::new(GcmKeys::new::<32>(&derivation, &Label::RTP)?),
                rtcp: Box::new(GcmKeys::new::<32>(&derivation, &Label::RTCP)?),
            },
        })
    }

    /// Octets that protection adds to an RTP packet.
    fn rtp_trailer(&self) -> usize {
        match self {
            Self::Cm { .. } => cm::TAG,
            Self::Gcm { .. } => gcm::TAG,
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
