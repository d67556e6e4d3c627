//! The RTP header: read without copies, rewritten in place, written anew (RFC 3550 §5.1).

use std::ops::Range;

use super::extension::{self, AudioLevel, Extensions};

/// Why bytes are not an RTP packet, or could not be written as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RtpError {
    /// Fewer octets than the header claims.
    #[error("RTP packet is cut short")]
    TooShort,
    /// The version field is not 2.
    #[error("RTP version is not 2")]
    Version,
    /// The padding count is zero or reaches into the header.
    #[error("RTP padding count is impossible")]
    Padding,
    /// The buffer to write into is too small.
    #[error("no room for the RTP packet")]
    NoRoom,
    /// An extension id is 0 or 15 with more than one octet to say, or its value is longer than 255 octets.
    #[error("RTP header extension cannot be written")]
    Extension,
}

/// An RTP header with its CSRC list and extension; says nothing about payload or padding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The marker bit.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the payload's clock.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Whether the packet ends in padding.
    pub padded: bool,
    /// How many contributing sources are listed, 0 to 15.
    pub csrc_count: u8,
    /// The extension's profile number, where there is one.
    pub extension_profile: Option<u16>,
    /// Where the extension's data lie in the packet; empty without extension.
    pub extension: Range<usize>,
    /// Octets of the whole header: fixed part, CSRC list, extension.
    pub len: usize,
}

impl Header {
    /// Octets of a header without CSRC list and extension.
    pub const FIXED: usize = 12;

    /// Reads the header of an RTP or SRTP packet.
    ///
    /// # Errors
    /// [`RtpError::TooShort`] and [`RtpError::Version`].
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        let fixed: &[u8; Self::FIXED] = packet.first_chunk().ok_or(RtpError::TooShort)?;
        let [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if b0 >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let csrc_count = b0 & 0x0f;
        let mut len = Self::FIXED + usize::from(csrc_count) * 4;
        let mut extension_profile = None;
        let mut extension = len..len;
        if b0 & 0x10 != 0 {
            let head: &[u8; 4] = packet
                .get(len..)
                .and_then(|rest| rest.first_chunk())
                .ok_or(RtpError::TooShort)?;
            let [p0, p1, l0, l1] = *head;
            extension_profile = Some(u16::from_be_bytes([p0, p1]));
            let start = len + 4;
            let end = start + usize::from(u16::from_be_bytes([l0, l1])) * 4;
            extension = start..end;
            len = end;
        }
        if packet.len() < len {
            return Err(RtpError::TooShort);
        }
        Ok(Self {
            marker: b1 & 0x80 != 0,
            payload_type: b1 & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            padded: b0 & 0x20 != 0,
            csrc_count,
            extension_profile,
            extension,
            len,
        })
    }
}

/// A whole RTP packet in the clear, borrowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtpView<'a> {
    header: Header,
    packet: &'a [u8],
    payload: Range<usize>,
}

impl<'a> RtpView<'a> {
    /// Takes a packet apart.
    ///
    /// # Errors
    /// Those of [`Header::parse`], and [`RtpError::Padding`].
    pub fn parse(packet: &'a [u8]) -> Result<Self, RtpError> {
        let header = Header::parse(packet)?;
        let mut end = packet.len();
        if header.padded {
            let count = packet.last().copied().map_or(0, usize::from);
            if count == 0 || count > end - header.len {
                return Err(RtpError::Padding);
            }
            end -= count;
        }
        let payload = header.len..end;
        Ok(Self {
            header,
            packet,
            payload,
        })
    }

    /// The header's fields.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The marker bit.
    #[must_use]
    pub fn marker(&self) -> bool {
        self.header.marker
    }

    /// Payload type, 0 to 127.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.header.payload_type
    }

    /// Sequence number.
    #[must_use]
    pub fn sequence(&self) -> u16 {
        self.header.sequence
    }

    /// Timestamp in units of the payload's clock.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.header.timestamp
    }

    /// Synchronization source.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// Contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        let end = Header::FIXED + usize::from(self.header.csrc_count) * 4;
        let list = self.packet.get(Header::FIXED..end).unwrap_or_default();
        list.as_chunks::<4>()
            .0
            .iter()
            .map(|c| u32::from_be_bytes(*c))
    }

    /// The payload without padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.packet.get(self.payload.clone()).unwrap_or_default()
    }

    /// Where the payload lies in the packet.
    #[must_use]
    pub fn payload_range(&self) -> Range<usize> {
        self.payload.clone()
    }

    /// The header extension elements (RFC 8285); empty for an unknown profile.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        let data = self.packet.get(self.header.extension.clone());
        Extensions::new(self.header.extension_profile, data.unwrap_or_default())
    }

    /// The value of one extension element.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions().find(|(i, _)| *i == id).map(|(_, v)| v)
    }

    /// The audio level that the sender measured (RFC 6464), in the extension with this id.
    #[must_use]
    pub fn audio_level(&self, id: u8) -> Option<AudioLevel> {
        self.extension(id)
            .and_then(|v| v.first().copied())
            .map(AudioLevel::from_octet)
    }

    /// The media identification (RFC 9143 §15), in the extension with this id.
    #[must_use]
    pub fn mid(&self, id: u8) -> Option<&'a str> {
        self.extension(id)
            .and_then(|v| std::str::from_utf8(v).ok())
            .filter(|mid| !mid.is_empty())
    }
}

/// The fields of a header that we write ourselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedHeader {
    /// The marker bit.
    pub marker: bool,
    /// Payload type, 0 to 127; the eighth bit is dropped.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the payload's clock.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
}

impl FixedHeader {
    /// Writes the header and its extension elements to the start of `out`; returns their length. The
    /// payload goes behind. One-byte elements are used where all of them fit, else two-byte ones.
    ///
    /// # Errors
    /// [`RtpError::NoRoom`], or [`RtpError::Extension`] for an element that neither form can hold.
    pub fn write(&self, out: &mut [u8], extensions: &[(u8, &[u8])]) -> Result<usize, RtpError> {
        let fixed: &mut [u8; Header::FIXED] = out.first_chunk_mut().ok_or(RtpError::NoRoom)?;
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let b0 = if extensions.is_empty() { 0x80 } else { 0x90 };
        let b1 = (self.payload_type & 0x7f) | if self.marker { 0x80 } else { 0 };
        *fixed = [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
        if extensions.is_empty() {
            return Ok(Header::FIXED);
        }
        let rest = out.get_mut(Header::FIXED..).ok_or(RtpError::NoRoom)?;
        Ok(Header::FIXED + extension::write(rest, extensions)?)
    }
}

/// An RTP packet whose header is being rewritten in place.
#[derive(Debug)]
pub struct RtpMut<'a> {
    header: Header,
    packet: &'a mut [u8],
}

impl<'a> RtpMut<'a> {
    /// Checks the header and takes hold of the packet.
    ///
    /// # Errors
    /// Those of [`Header::parse`].
    pub fn new(packet: &'a mut [u8]) -> Result<Self, RtpError> {
        let header = Header::parse(packet)?;
        Ok(Self { header, packet })
    }

    /// The header as it is now.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Sets the marker bit.
    pub fn set_marker(&mut self, marker: bool) {
        self.header.marker = marker;
        self.put_second_octet();
    }

    /// Sets the payload type, 0 to 127; the eighth bit is dropped.
    pub fn set_payload_type(&mut self, payload_type: u8) {
        self.header.payload_type = payload_type & 0x7f;
        self.put_second_octet();
    }

    /// Sets the sequence number.
    pub fn set_sequence(&mut self, sequence: u16) {
        self.header.sequence = sequence;
        self.put(2, sequence.to_be_bytes());
    }

    /// Sets the timestamp.
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.header.timestamp = timestamp;
        self.put(4, timestamp.to_be_bytes());
    }

    /// Sets the synchronization source.
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.header.ssrc = ssrc;
        self.put(8, ssrc.to_be_bytes());
    }

    /// The value of one extension element, to be overwritten with as many octets.
    #[must_use]
    pub fn extension_mut(&mut self, id: u8) -> Option<&mut [u8]> {
        let base = self.header.extension.start;
        let data = self.packet.get(self.header.extension.clone())?;
        let mut elements = Extensions::new(self.header.extension_profile, data);
        let range = elements.find_range(id)?;
        self.packet.get_mut(base + range.start..base + range.end)
    }

    /// Sets the audio level (RFC 6464) where the packet has that element; says whether it has.
    pub fn set_audio_level(&mut self, id: u8, level: AudioLevel) -> bool {
        match self.extension_mut(id).and_then(|value| value.first_mut()) {
            Some(octet) => {
                *octet = level.to_octet();
                true
            }
            None => false,
        }
    }

    fn put_second_octet(&mut self) {
        let marker = if self.header.marker { 0x80 } else { 0 };
        self.put(1, [self.header.payload_type | marker]);
    }

    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if let Some(place) = self.packet.get_mut(at..at + N) {
            place.copy_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests;
