//! The receiving side.

use std::fmt;

use wire::plan::SdesKey;
use wire::rtp::Header;

use super::protect::{associated, rollover, sender};
use super::streams::{MAX_SSRCS, Streams};
use super::window::estimate;
use super::{ENCRYPTED, GuardError, RTCP_CLEAR, SRTCP_INDEX, Session, gcm};

/// Authenticates and decrypts what arrives under one master key. What does not authenticate leaves no trace
/// in it.
pub struct Unprotector {
    pub(super) session: Session,
    rtp: Streams,
    rtcp: Streams,
}

impl Unprotector {
    /// Expands the key.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`].
    pub fn new(key: &SdesKey) -> Result<Self, GuardError> {
        Ok(Self {
            session: Session::new(key)?,
            rtp: Streams::new(MAX_SSRCS),
            rtcp: Streams::new(MAX_SSRCS),
        })
    }

    /// Authenticates and decrypts an SRTP packet in place; returns the length of the RTP packet. After an
    /// error the buffer's contents are worthless.
    ///
    /// # Errors
    /// [`GuardError::TooShort`], [`GuardError::Auth`], [`GuardError::Replay`], [`GuardError::TooManySsrcs`],
    /// [`GuardError::IndexExhausted`].
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, GuardError> {
        let header = Header::parse(packet).map_err(|_| GuardError::TooShort)?;
        let len = packet
            .len()
            .checked_sub(self.session.rtp_trailer())
            .filter(|len| *len >= header.len)
            .ok_or(GuardError::TooShort)?;
        let ssrc = header.ssrc;
        let window = self.rtp.window(ssrc);
        let index = estimate(window.highest(), header.sequence)?;
        window.check(index)?;
        match &self.session {
            Session::Cm { rtp, .. } => {
                let (packet, tag) = packet.split_at_mut(len);
                if !rtp.is_authentic(packet, rollover(index), tag) {
                    return Err(GuardError::Auth);
                }
                rtp.apply(
                    ssrc,
                    index,
                    packet.get_mut(header.len..).unwrap_or_default(),
                );
            }
            Session::Gcm { rtp, .. } => {
                let (head, rest) = packet.split_at_mut(header.len);
                rtp.open(ssrc, index, head, rest)?;
            }
        }
        self.rtp.mark(ssrc, index)?;
        Ok(len)
    }

    /// Authenticates and decrypts an SRTCP packet in place; returns the length of the RTCP compound.
    ///
    /// # Errors
    /// As [`Unprotector::unprotect_rtp`]; never [`GuardError::IndexExhausted`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, GuardError> {
        let ssrc = sender(packet)?;
        let len = packet
            .len()
            .checked_sub(SRTCP_INDEX + self.session.rtp_trailer())
            .filter(|len| *len >= RTCP_CLEAR)
            .ok_or(GuardError::TooShort)?;
        let word_at = match self.session {
            Session::Cm { .. } => len,
            Session::Gcm { .. } => len + gcm::TAG,
        };
        let word = packet
            .get(word_at..)
            .and_then(|rest| rest.first_chunk::<SRTCP_INDEX>())
            .map(|octets| u32::from_be_bytes(*octets))
            .ok_or(GuardError::TooShort)?;
        let encrypted = word & ENCRYPTED != 0;
        let index = u64::from(word & !ENCRYPTED);
        self.rtcp.window(ssrc).check(index)?;
        match &self.session {
            Session::Cm { rtcp, .. } => {
                let (packet, trailer) = packet.split_at_mut(len);
                let (_, tag) = trailer.split_at(SRTCP_INDEX);
                if !rtcp.is_authentic(packet, word, tag) {
                    return Err(GuardError::Auth);
                }
                if encrypted {
                    let body = packet.get_mut(RTCP_CLEAR..).unwrap_or_default();
                    rtcp.apply(ssrc, index, body);
                }
            }
            Session::Gcm { rtcp, .. } if encrypted => {
                let (sealed, _) = packet.split_at_mut(word_at);
                let (head, rest) = sealed.split_at_mut(RTCP_CLEAR);
                let aad = associated(head, word);
                rtcp.open(ssrc, index, &aad, rest)?;
            }
            Session::Gcm { rtcp, .. } => {
                // All of it is associated data, and the word with it: rotate the word in front of the tag, so
                // that both parts lie in one piece (RFC 7714 §9.3).
                let trailer = packet.get_mut(len..).ok_or(GuardError::TooShort)?;
                trailer.rotate_right(SRTCP_INDEX);
                let (aad, tag) = packet.split_at_mut(len + SRTCP_INDEX);
                rtcp.open(ssrc, index, aad, tag)?;
            }
        }
        self.rtcp.mark(ssrc, index)?;
        Ok(len)
    }

    /// How many streams have shown an authentic packet.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.rtp.len()
    }
}

impl fmt::Debug for Unprotector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unprotector {{ streams: {} }}", self.rtp.len())
    }
}
