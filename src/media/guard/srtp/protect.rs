//! The sending side.

use std::fmt;

use wire::plan::SdesKey;
use wire::rtp::Header;

use super::master::{Master, Session};
use super::streams::{MAX_SENT_SSRCS, Streams};
use super::window::estimate;
use super::{ENCRYPTED, GuardError, RTCP_CLEAR, SRTCP_INDEX, associated, gcm, rollover, sender};

/// Protects what we send under one master key.
pub struct Protector {
    pub(super) master: Master,
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
            master: Master::new(key)?,
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
        let end = len + self.master.rtp_trailer();
        let out = buf.get_mut(..end).ok_or(GuardError::NoRoom)?;
        self.master.spend_rtp()?;
        // Before encrypting: what left must never be possible to repeat.
        self.rtp.mark(ssrc, index)?;
        let (packet, trailer) = out.split_at_mut(len);
        let identifier = self.master.identifier();
        match &self.master.session {
            Session::Cm { rtp, .. } => {
                rtp.apply(
                    ssrc,
                    index,
                    packet.get_mut(header.len..).unwrap_or_default(),
                );
                let (name, tag) = trailer.split_at_mut(identifier.len());
                name.copy_from_slice(identifier);
                rtp.write_tag(packet, rollover(index), tag);
            }
            Session::Gcm { rtp, .. } => {
                let (head, payload) = packet.split_at_mut(header.len);
                let (tag, name) = trailer.split_at_mut(gcm::TAG);
                tag.copy_from_slice(&rtp.seal(ssrc, index, head, payload)?);
                name.copy_from_slice(identifier);
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
        let word = ENCRYPTED | u32::try_from(index).map_err(|_| GuardError::IndexExhausted)?;
        let end = len + self.master.rtcp_trailer();
        let out = buf.get_mut(..end).ok_or(GuardError::NoRoom)?;
        self.master.spend_rtcp()?;
        self.rtcp.mark(ssrc, index)?;
        let (packet, trailer) = out.split_at_mut(len);
        let identifier = self.master.identifier();
        match &self.master.session {
            Session::Cm { rtcp, .. } => {
                rtcp.apply(
                    ssrc,
                    index,
                    packet.get_mut(RTCP_CLEAR..).unwrap_or_default(),
                );
                let (place, rest) = trailer.split_at_mut(SRTCP_INDEX);
                place.copy_from_slice(&word.to_be_bytes());
                let (name, tag) = rest.split_at_mut(identifier.len());
                name.copy_from_slice(identifier);
                rtcp.write_tag(packet, word, tag);
            }
            Session::Gcm { rtcp, .. } => {
                let (head, body) = packet.split_at_mut(RTCP_CLEAR);
                let aad = associated(head, word);
                let (tag, rest) = trailer.split_at_mut(gcm::TAG);
                tag.copy_from_slice(&rtcp.seal(ssrc, index, &aad, body)?);
                let (place, name) = rest.split_at_mut(SRTCP_INDEX);
                place.copy_from_slice(&word.to_be_bytes());
                name.copy_from_slice(identifier);
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
