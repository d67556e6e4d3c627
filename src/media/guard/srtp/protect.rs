//! The sending side.

use std::fmt;

use wire::plan::SdesKey;
use wire::rtp::Header;

use super::streams::{MAX_SENT_SSRCS, Streams};
use super::window::estimate;
use super::{ENCRYPTED, GuardError, RTCP_CLEAR, SRTCP_INDEX, Session, cm, gcm};

/// Protects what we send under one master key.
pub struct Protector {
    pub(super) session: Session,
    rtp: Streams,
    pub(super) rtcp: Streams,
}

impl Protector {
    /// Expands the key.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`].
    pub fn new(key: &SdesKey) -> Result<Self, GuardError> {
        Ok(Self {
            session: Session::new(key)?,
            rtp: Streams::new(MAX_SENT_SSRCS),
            rtcp: Streams::new(MAX_SENT_SSRCS),
        })
    }

    /// Protects the RTP packet in the first `len` octets of `buf`, in place; returns its new length. `buf` must
    /// have [`super::MAX_TRAILER`] octets more. Packets of a stream may come out of order, but no index twice:
    /// to repeat a packet, keep the protected one.
    ///
    /// # Errors
    /// [`GuardError::TooShort`], [`GuardError::NoRoom`], [`GuardError::Replay`], [`GuardError::TooManySsrcs`],
    /// [`GuardError::IndexExhausted`].
    pub fn protect_rtp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, GuardError> {
        let packet = buf.get(..len).ok_or(GuardError::TooShort)?;
        let header = Header::parse(packet).map_err(|_| GuardError::TooShort)?;
        let ssrc = header.ssrc;
        let window = self.rtp.window(ssrc);
        let index = estimate(window.highest(), header.sequence)?;
        window.check(index)?;
        let end = len + self.session.rtp_trailer();
        let out = buf.get_mut(..end).ok_or(GuardError::NoRoom)?;
        // Before encrypting: what left must never be possible to repeat.
        self.rtp.mark(ssrc, index)?;
        match &self.session {
            Session::Cm { rtp, .. } => {
                let (packet, tag) = out.split_at_mut(len);
                rtp.apply(
                    ssrc,
                    index,
                    packet.get_mut(header.len..).unwrap_or_default(),
                );
                tag.copy_from_slice(&rtp.tag(packet, rollover(index)));
            }
            Session::Gcm { rtp, .. } => {
                let (packet, tag) = out.split_at_mut(len);
                let (head, payload) = packet.split_at_mut(header.len);
                tag.copy_from_slice(&rtp.seal(ssrc, index, head, payload)?);
            }
        }
        Ok(end)
    }

    /// Protects the RTCP compound in the first `len` octets of `buf`, in place; returns its new length.
    ///
    /// # Errors
    /// As [`Protector::protect_rtp`]; never [`GuardError::Replay`].
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, GuardError> {
        let packet = buf.get(..len).ok_or(GuardError::TooShort)?;
        let ssrc = sender(packet)?;
        let index = self.rtcp.window(ssrc).highest().map_or(0, |i| i + 1);
        if index >= u64::from(ENCRYPTED) {
            return Err(GuardError::IndexExhausted);
        }
        let word = ENCRYPTED | u32::try_from(index).unwrap_or_default();
        let end = len + SRTCP_INDEX + self.session.rtp_trailer();
        let out = buf.get_mut(..end).ok_or(GuardError::NoRoom)?;
        self.rtcp.mark(ssrc, index)?;
        let (packet, trailer) = out.split_at_mut(len);
        match &self.session {
            Session::Cm { rtcp, .. } => {
                rtcp.apply(
                    ssrc,
                    index,
                    packet.get_mut(RTCP_CLEAR..).unwrap_or_default(),
                );
                let (place, tag) = trailer.split_at_mut(SRTCP_INDEX);
                place.copy_from_slice(&word.to_be_bytes());
                tag.copy_from_slice(&rtcp.tag(packet, word));
            }
            Session::Gcm { rtcp, .. } => {
                let (head, body) = packet.split_at_mut(RTCP_CLEAR);
                let aad = associated(head, word);
                let (tag, place) = trailer.split_at_mut(gcm::TAG);
                tag.copy_from_slice(&rtcp.seal(ssrc, index, &aad, body)?);
                place.copy_from_slice(&word.to_be_bytes());
            }
        }
        Ok(end)
    }

    /// How many streams have been sent.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.rtp.len()
    }
}

impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protector {{ streams: {} }}", self.rtp.len())
    }
}

/// The rollover counter of an index.
pub(super) fn rollover(index: u64) -> u32 {
    u32::try_from(index >> 16).unwrap_or(u32::MAX)
}

/// The SSRC of the first packet of an RTCP compound.
pub(super) fn sender(packet: &[u8]) -> Result<u32, GuardError> {
    let [b0, _, _, _, s0, s1, s2, s3] = *packet
        .first_chunk::<RTCP_CLEAR>()
        .ok_or(GuardError::TooShort)?;
    if b0 >> 6 != 2 {
        return Err(GuardError::TooShort);
    }
    Ok(u32::from_be_bytes([s0, s1, s2, s3]))
}

/// What GCM authenticates beside an encrypted RTCP body (RFC 7714 §9.2).
pub(super) fn associated(head: &[u8], word: u32) -> [u8; RTCP_CLEAR + SRTCP_INDEX] {
    let mut aad = [0u8; RTCP_CLEAR + SRTCP_INDEX];
    let (front, back) = aad.split_at_mut(RTCP_CLEAR);
    for (to, from) in front.iter_mut().zip(head) {
        *to = *from;
    }
    back.copy_from_slice(&word.to_be_bytes());
    aad
}

// The tags are what `rtp_trailer` counts.
const _: () = assert!(cm::TAG + SRTCP_INDEX <= super::MAX_TRAILER);
const _: () = assert!(gcm::TAG + SRTCP_INDEX <= super::MAX_TRAILER);
