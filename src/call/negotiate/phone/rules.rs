//! What we are willing to agree to, and why an agreement failed.

use wire::plan::{AudioCodec, SrtpProfile};

use crate::ending::{Cause, Ending};

/// Whether media must, may or must not be protected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SrtpPolicy {
    /// Only protected media: an offer in the clear is refused.
    Require,
    /// What is offered: SAVP stays SAVP; keys in an AVP offer are taken (RFC 8643).
    Prefer,
    /// Only plain RTP: an SAVP offer is refused.
    Off,
}

/// Where the SRTP keys of our own offers come from. Offers of others are answered in kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Keying {
    /// From SDP (RFC 4568).
    Sdes,
    /// From DTLS on the media path (RFC 5763).
    Dtls,
}

/// What we are willing to agree to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Codecs that we take, in the order of our offers.
    pub codecs: Vec<AudioCodec>,
    /// Choose by our order instead of the offerer's.
    pub own_order: bool,
    /// `maxaveragebitrate` that we ask Opus senders to keep, in bit/s; `None` leaves it to them.
    pub opus_bitrate: Option<u32>,
    /// Where the keys of our offers come from.
    pub keying: Keying,
    /// Crypto suites of our offers, in order. In offers of others every suite that we know is taken.
    pub suites: Vec<SrtpProfile>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            codecs: vec![
                AudioCodec::Opus,
                AudioCodec::G722,
                AudioCodec::Pcmu,
                AudioCodec::Pcma,
            ],
            own_order: false,
            opus_bitrate: None,
            keying: Keying::Sdes,
            // First the one that every SRTP device has; few, as they make the INVITE long.
            suites: vec![
                SrtpProfile::AesCm128HmacSha1_80,
                SrtpProfile::AeadAes256Gcm,
                SrtpProfile::AeadAes128Gcm,
            ],
        }
    }
}

/// Why offer and answer found no agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No session description where one must be.
    #[error("no session description")]
    Missing,
    /// What came is no session description.
    #[error("unreadable session description")]
    Unreadable,
    /// No audio section that is not declined.
    #[error("no audio section")]
    NoAudio,
    /// Audio over a transport that we do not speak.
    #[error("no audio over RTP/AVP or RTP/SAVP")]
    Transport,
    /// No codec in common.
    #[error("no audio codec in common")]
    NoCodec,
    /// Plain media where the listener requires protection.
    #[error("SRTP is required here")]
    ProtectionRequired,
    /// Protected media where the listener forbids it.
    #[error("SRTP is not offered here")]
    ProtectionForbidden,
    /// Protection is offered, but no crypto line that we can use.
    #[error("no usable crypto suite")]
    NoCrypto,
    /// The answer does not fit our offer.
    #[error("the answer does not fit the offer")]
    BadAnswer,
}

impl Refusal {
    /// How a call ends that fails for this reason.
    #[must_use]
    pub fn ending(self) -> Ending {
        let cause = match self {
            Self::Missing | Self::Unreadable | Self::BadAnswer => Cause::BadDescription,
            Self::NoAudio | Self::Transport | Self::NoCodec => Cause::NoCommonMedia,
            Self::ProtectionRequired | Self::ProtectionForbidden | Self::NoCrypto => {
                Cause::SecurityMismatch
            }
        };
        Ending::with_text(cause, self.to_string())
    }

    /// The warn-code of the `Warning` header in the response (RFC 3261 §20.43).
    #[must_use]
    pub fn warning(self) -> u16 {
        match self {
            // Incompatible transport protocol: SAVP is one.
            Self::Transport | Self::ProtectionRequired | Self::ProtectionForbidden => 302,
            Self::NoAudio => 304,
            Self::NoCodec => 305,
            Self::NoCrypto => 306,
            Self::Missing | Self::Unreadable | Self::BadAnswer => 399,
        }
    }
}
