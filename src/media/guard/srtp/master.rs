//! A master key at work: its session keys expanded, its identifier, and how often it may still be used.

use wire::plan::{self, Mki, SdesKey, SrtpProfile};

use super::cm::{self, CmKeys};
use super::gcm::{self, GcmKeys};
use super::keys::{Derivation, Label};
use super::{GuardError, SRTCP_INDEX};

/// Octets of the longest master key identifier.
pub(super) const MAX_MKI: usize = plan::MAX_MKI as usize;

/// The session keys of one direction, expanded.
pub(super) enum Session {
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
        let cm = |tag| -> Result<Self, GuardError> {
            Ok(Self::Cm {
                rtp: Box::new(CmKeys::new(&derivation, &Label::RTP, tag)?),
                rtcp: Box::new(CmKeys::new(&derivation, &Label::RTCP, cm::TAG)?),
            })
        };
        match profile {
            SrtpProfile::AesCm128HmacSha1_80 | SrtpProfile::AesCm256HmacSha1_80 => cm(cm::TAG),
            SrtpProfile::AesCm128HmacSha1_32 | SrtpProfile::AesCm256HmacSha1_32 => {
                cm(cm::SHORT_TAG)
            }
            SrtpProfile::AeadAes128Gcm => Ok(Self::Gcm {
                rtp: Box::new(GcmKeys::new::<16>(&derivation, &Label::RTP)?),
                rtcp: Box::new(GcmKeys::new::<16>(&derivation, &Label::RTCP)?),
            }),
            SrtpProfile::AeadAes256Gcm => Ok(Self::Gcm {
                rtp: Box::new(GcmKeys::new::<32>(&derivation, &Label::RTP)?),
                rtcp: Box::new(GcmKeys::new::<32>(&derivation, &Label::RTCP)?),
            }),
        }
    }

    /// Octets of the tag on RTP.
    pub(super) fn rtp_tag(&self) -> usize {
        match self {
            Self::Cm { rtp, .. } => rtp.tag_len(),
            Self::Gcm { .. } => gcm::TAG,
        }
    }

    /// Octets of the tag on RTCP.
    pub(super) fn rtcp_tag(&self) -> usize {
        match self {
            Self::Cm { rtcp, .. } => rtcp.tag_len(),
            Self::Gcm { .. } => gcm::TAG,
        }
    }
}

/// One master key.
pub(super) struct Master {
    pub(super) session: Session,
    identifier: [u8; MAX_MKI],
    identifier_len: usize,
    rtp_left: u64,
    rtcp_left: u64,
}

impl Master {
    pub(super) fn new(key: &SdesKey) -> Result<Self, GuardError> {
        let (identifier, identifier_len) = identifier(key.mki)?;
        let left = key.lifetime.unwrap_or(u64::MAX);
        Ok(Self {
            session: Session::new(key)?,
            identifier,
            identifier_len,
            rtp_left: left,
            rtcp_left: left,
        })
    }

    /// What packets under this key carry; empty where no identifier was agreed.
    pub(super) fn identifier(&self) -> &[u8] {
        self.identifier
            .get(..self.identifier_len)
            .unwrap_or_default()
    }

    /// Octets that protection adds to an RTP packet.
    pub(super) fn rtp_trailer(&self) -> usize {
        self.session.rtp_tag() + self.identifier_len
    }

    /// Octets that protection adds to an RTCP compound.
    pub(super) fn rtcp_trailer(&self) -> usize {
        SRTCP_INDEX + self.session.rtcp_tag() + self.identifier_len
    }

    /// Uses up one of the RTP packets that the key may protect.
    pub(super) fn spend_rtp(&mut self) -> Result<(), GuardError> {
        spend(&mut self.rtp_left)
    }

    /// Uses up one of the RTCP compounds that the key may protect.
    pub(super) fn spend_rtcp(&mut self) -> Result<(), GuardError> {
        spend(&mut self.rtcp_left)
    }
}

fn spend(left: &mut u64) -> Result<(), GuardError> {
    *left = left.checked_sub(1).ok_or(GuardError::IndexExhausted)?;
    Ok(())
}

/// The octets of an identifier: its value big-endian, as long as agreed.
fn identifier(mki: Option<Mki>) -> Result<([u8; MAX_MKI], usize), GuardError> {
    let mut octets = [0; MAX_MKI];
    let Some(mki) = mki else {
        return Ok((octets, 0));
    };
    let len = usize::from(mki.length);
    if !(1..=MAX_MKI).contains(&len) {
        return Err(GuardError::KeyLength);
    }
    let value = mki.value.to_be_bytes();
    let places = octets.iter_mut().take(len).rev();
    for (to, from) in places.zip(value.iter().rev()) {
        *to = *from;
    }
    Ok((octets, len))
}
