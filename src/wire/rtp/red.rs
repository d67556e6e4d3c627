//! Redundant audio (RED, RFC 2198): one packet that also holds copies of what earlier packets held.
//!
//! A payload is a header per block, the copies' data in the same order, then the primary block without a length: it
//! takes the rest. Browsers carry Opus so (`red/48000/2`).

use thiserror::Error;

/// Why a payload is not RED.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RedError {
    /// A header or a copy reaches past the end.
    #[error("the RED payload is cut short")]
    Truncated,
    /// More copies than [`Red::MOST_COPIES`].
    #[error("the RED payload has too many blocks")]
    TooManyBlocks,
    /// Ours: what was to be written does not fit into the header's fields or into the room given.
    #[error("the RED payload cannot be written")]
    NoRoom,
}

/// A RED payload, checked whole. Reading copies nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Red<'a> {
    copies: &'a [u8],
    data: &'a [u8],
    payload_type: u8,
    primary: &'a [u8],
}

/// A copy of an earlier packet's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied<'a> {
    /// Payload type, as the earlier packet would have had it.
    pub payload_type: u8,
    /// How much earlier its timestamp was, in timestamp units: 0 to 16383.
    pub offset: u16,
    /// The payload; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Red<'a> {
    /// The most copies that are read or written. RFC 2198 sets no bound; nobody sends more than a few.
    pub const MOST_COPIES: usize = 16;
    /// The longest copy in octets (10 bits).
    pub const LONGEST_COPY: usize = 1_023;
    /// The greatest offset in timestamp units (14 bits).
    pub const GREATEST_OFFSET: u16 = 16_383;

    /// Reads a payload.
    ///
    /// # Errors
    /// [`RedError::Truncated`], [`RedError::TooManyBlocks`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, RedError> {
        let mut headers = 0;
        let mut length = 0;
        let mut rest = payload;
        let payload_type = loop {
            let (&first, after) = rest.split_first().ok_or(RedError::Truncated)?;
            if first & FOLLOWED == 0 {
                rest = after;
                break first;
            }
            let (header, after) = rest.split_first_chunk().ok_or(RedError::Truncated)?;
            headers += 1;
            if headers > Self::MOST_COPIES {
                return Err(RedError::TooManyBlocks);
            }
            length += length_of(*header);
            rest = after;
        };
        let (data, primary) = rest.split_at_checked(length).ok_or(RedError::Truncated)?;
        Ok(Self {
            copies: payload.get(..headers * HEADER).unwrap_or_default(),
            data,
            payload_type,
            primary,
        })
    }

    /// Payload type of the primary block.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The primary block: what the packet would have held without RED.
    #[must_use]
    pub fn primary(&self) -> &'a [u8] {
        self.primary
    }

    /// The copies, oldest first where the sender kept the usual order.
    pub fn copies(&self) -> impl Iterator<Item = Copied<'a>> + use<'a> {
        let mut data = self.data;
        self.copies
            .as_chunks::<HEADER>()
            .0
            .iter()
            .map(move |&header| {
                // The lengths were added up when it was read.
                let (payload, rest) = data
                    .split_at_checked(length_of(header))
                    .unwrap_or((data, &[]));
                data = rest;
                Copied {
                    payload_type: header[0] & !FOLLOWED,
                    offset: u16::from_be_bytes([header[1], header[2]]) >> 2,
                    payload,
                }
            })
    }
}

/// Writes a payload and returns its length.
///
/// # Errors
/// [`RedError::TooManyBlocks`], and [`RedError::NoRoom`] when a copy is longer than [`Red::LONGEST_COPY`], is older than
/// [`Red::GREATEST_OFFSET`], or `out` is too short.
pub fn write_red<'a>(
    out: &mut [u8],
    copies: impl Iterator<Item = Copied<'a>> + Clone,
    payload_type: u8,
    primary: &[u8],
) -> Result<usize, RedError> {
    if copies.clone().count() > Red::MOST_COPIES {
        return Err(RedError::TooManyBlocks);
    }
    let mut at = 0;
    let mut put = |octets: &[u8]| -> Result<(), RedError> {
        out.get_mut(at..at + octets.len())
            .ok_or(RedError::NoRoom)?
            .copy_from_slice(octets);
        at += octets.len();
        Ok(())
    };
    for copy in copies.clone() {
        if copy.payload.len() > Red::LONGEST_COPY || copy.offset > Red::GREATEST_OFFSET {
            return Err(RedError::NoRoom);
        }
        let [offset, mixed] = (copy.offset << 2 | (copy.payload.len() >> 8) as u16).to_be_bytes();
        put(&[
            copy.payload_type | FOLLOWED,
            offset,
            mixed,
            copy.payload.len() as u8,
        ])?;
    }
    put(&[payload_type & !FOLLOWED])?;
    for copy in copies {
        put(copy.payload)?;
    }
    put(primary)?;
    Ok(at)
}

fn length_of(header: [u8; HEADER]) -> usize {
    usize::from(u16::from_be_bytes([header[2], header[3]]) & 0x3ff)
}

/// The F bit: another header follows.
const FOLLOWED: u8 = 0x80;
/// Octets of a copy's header.
const HEADER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two copies and a primary, laid out by hand from the figure in RFC 2198 §3.
    const PACKET: &[u8] = &[
        0xef, 0x1e, 0x00, 0x02, // F, PT 111, offset 1920, 2 octets
        0xef, 0x0f, 0x00, 0x03, // F, PT 111, offset 960, 3 octets
        0x6f, // PT 111
        1, 2, 3, 4, 5, 6, 7,
    ];

    #[test]
    fn copies_and_primary_are_told_apart() {
        let red = Red::parse(PACKET).unwrap();
        let copies: Vec<_> = red.copies().collect();
        assert_eq!(
            copies,
            [
                Copied {
                    payload_type: 111,
                    offset: 1920,
                    payload: &[1, 2]
                },
                Copied {
                    payload_type: 111,
                    offset: 960,
                    payload: &[3, 4, 5]
                },
            ]
        );
        assert_eq!((red.payload_type(), red.primary()), (111, &[6_u8, 7][..]));
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let red = Red::parse(PACKET).unwrap();
        let mut out = [0; 64];
        let copies: Vec<_> = red.copies().collect();
        let length = write_red(&mut out, copies.into_iter(), 111, red.primary()).unwrap();
        assert_eq!(&out[..length], PACKET);
    }

    #[test]
    fn a_primary_alone_costs_one_octet() {
        let red = Red::parse(&[0x6f, 9]).unwrap();
        assert_eq!(red.copies().count(), 0);
        assert_eq!(red.primary(), [9]);
        let mut out = [0; 2];
        assert_eq!(write_red(&mut out, [].into_iter(), 111, &[9]), Ok(2));
        assert_eq!(out, [0x6f, 9]);
    }

    #[test]
    fn what_reaches_past_the_end_is_refused() {
        for cut in 0..PACKET.len() - 2 {
            assert_eq!(
                Red::parse(&PACKET[..cut]),
                Err(RedError::Truncated),
                "{cut}"
            );
        }
        // An endless chain of headers.
        assert_eq!(Red::parse(&[0x80; 400]), Err(RedError::TooManyBlocks));
    }

    #[test]
    fn what_the_header_cannot_say_is_not_written() {
        let mut out = [0; 2000];
        let copy = |offset, payload| Copied {
            payload_type: 111,
            offset,
            payload,
        };
        let long = [0; 1024];
        for bad in [copy(16_384, &long[..3]), copy(960, &long[..])] {
            let written = write_red(&mut out, [bad].into_iter(), 111, &[1]);
            assert_eq!(written, Err(RedError::NoRoom));
        }
        let most = copy(16_383, &long[..1023]);
        assert_eq!(write_red(&mut out, [most].into_iter(), 111, &[1]), Ok(1029));
        let again = Red::parse(&out[..1029]).unwrap();
        assert_eq!(again.copies().next(), Some(most));
        assert_eq!(
            write_red(&mut out[..9], [most].into_iter(), 111, &[1]),
            Err(RedError::NoRoom)
        );
    }
}
