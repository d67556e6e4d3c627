//! The SRTP transform (RFC 3711, RFC 6188, RFC 7714): in place, keys expanded once, nothing allocated per packet.
//!
//! [`Protector`] is what we send with and holds one master key; [`Unprotector`] is what we receive with and holds
//! one, or several that packets tell apart by a master key identifier, and for a while those that a new agreement
//! has replaced. A packet index is never used twice with one key: not when receiving (replay), and not when
//! sending, where a second packet under one index would give both away.

mod cm;
mod gcm;
mod keys;
mod master;
mod protect;
mod streams;
mod unprotect;
mod window;

pub use protect::Protector;
pub use streams::MAX_SSRCS;
pub use unprotect::Unprotector;

use master::MAX_MKI;

/// The most octets that protection adds to a packet: GCM's tag, the SRTCP index and an identifier.
pub const MAX_TRAILER: usize = gcm::TAG + SRTCP_INDEX + MAX_MKI;
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
    /// It names a master key identifier that was not agreed. The peer's fault.
    #[error("unknown SRTP master key identifier")]
    UnknownKey,
    /// The index was seen before, or is too old to tell. When sending, our fault: this index was used.
    #[error("SRTP packet index was used before")]
    Replay,
    /// More streams under one key than [`MAX_SSRCS`].
    #[error("too many streams under one SRTP key")]
    TooManySsrcs,
    /// The key has protected as many packets as it may (RFC 3711 §9.2, or its own lifetime of RFC 4568 §6.1).
    #[error("SRTP key is exhausted")]
    IndexExhausted,
    /// Key and salt do not have the profile's length, or an identifier is longer than [`wire::plan::MAX_MKI`]. Our fault, or
    /// the signalling peer's.
    #[error("SRTP key and salt have the wrong length")]
    KeyLength,
    /// The buffer has no room for the trailer. Our fault.
    #[error("no room for the SRTP trailer")]
    NoRoom,
}

/// The rollover counter of an index.
fn rollover(index: u64) -> u32 {
    u32::try_from(index >> 16).unwrap_or(u32::MAX)
}

/// The SSRC of the first packet of an RTCP compound.
fn sender(packet: &[u8]) -> Result<u32, GuardError> {
    let [b0, _, _, _, s0, s1, s2, s3] = *packet
        .first_chunk::<RTCP_CLEAR>()
        .ok_or(GuardError::TooShort)?;
    if b0 >> 6 != 2 {
        return Err(GuardError::TooShort);
    }
    Ok(u32::from_be_bytes([s0, s1, s2, s3]))
}

/// What GCM authenticates beside an encrypted RTCP body (RFC 7714 §9.2).
fn associated(head: &[u8], word: u32) -> [u8; RTCP_CLEAR + SRTCP_INDEX] {
    let mut aad = [0u8; RTCP_CLEAR + SRTCP_INDEX];
    let (front, back) = aad.split_at_mut(RTCP_CLEAR);
    for (to, from) in front.iter_mut().zip(head) {
        *to = *from;
    }
    back.copy_from_slice(&word.to_be_bytes());
    aad
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
