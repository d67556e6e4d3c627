//! RTP header extension elements in their one-byte and two-byte forms (RFC 8285).

use std::ops::Range;

use super::RtpError;

/// Profile number of one-byte elements (RFC 8285 §4.2).
const ONE_BYTE: u16 = 0xbede;
/// Profile number of two-byte elements; its low four bits are free (RFC 8285 §4.3).
const TWO_BYTE: u16 = 0x1000;
/// The most elements that [`super::FixedHeader::write`] takes. More than any offer we answer agrees on.
pub const MAX_EXTENSIONS: usize = 16;

/// Iterates over extension elements as `(id, value)`; ends at the first malformed one.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    form: Form,
    data: &'a [u8],
    at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    OneByte,
    TwoByte,
    Unknown,
}

impl<'a> Extensions<'a> {
    /// Over the data of an extension with this profile number; `None` gives no elements.
    #[must_use]
    pub fn new(profile: Option<u16>, data: &'a [u8]) -> Self {
        let form = match profile {
            Some(ONE_BYTE) => Form::OneByte,
            Some(p) if p & 0xfff0 == TWO_BYTE => Form::TwoByte,
            _ => Form::Unknown,
        };
        Self { form, data, at: 0 }
    }

    /// Where the value of the element with this id lies in the data.
    #[must_use]
    pub fn find_range(&mut self, id: u8) -> Option<Range<usize>> {
        while let Some((found, range)) = self.next_range() {
            if found == id {
                return Some(range);
            }
        }
        None
    }

    fn next_range(&mut self) -> Option<(u8, Range<usize>)> {
        loop {
            let first = *self.data.get(self.at)?;
            // Padding between elements is a zero octet in both forms.
            if first == 0 {
                self.at += 1;
                continue;
            }
            let (id, start, len) = match self.form {
                Form::Unknown => return None,
                Form::OneByte => {
                    let id = first >> 4;
                    // Id 15 says: stop here (RFC 8285 §4.2). Id 0 with a length is skipped, as padding is.
                    if id == 15 {
                        self.at = self.data.len();
                        return None;
                    }
                    (id, self.at + 1, usize::from(first & 0x0f) + 1)
                }
                Form::TwoByte => {
                    let len = *self.data.get(self.at + 1)?;
                    (first, self.at + 2, usize::from(len))
                }
            };
            let range = start..start + len;
            if range.end > self.data.len() {
                self.at = self.data.len();
                return None;
            }
            self.at = range.end;
            if id != 0 {
                return Some((id, range));
            }
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, range) = self.next_range()?;
        self.data.get(range).map(|value| (id, value))
    }
}

/// The loudness of a packet as its sender measured it (RFC 6464 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AudioLevel {
    /// The sender believes that it is speech.
    pub voice: bool,
    /// Attenuation in dB below full scale: 0 loudest, 127 silence.
    pub level: u8,
}

impl AudioLevel {
    /// From the element's octet.
    #[must_use]
    pub fn from_octet(octet: u8) -> Self {
        Self {
            voice: octet & 0x80 != 0,
            level: octet & 0x7f,
        }
    }

    /// To the element's octet; the level is held to 127.
    #[must_use]
    pub fn to_octet(self) -> u8 {
        self.level.min(127) | if self.voice { 0x80 } else { 0 }
    }
}

/// Writes profile, length and elements; returns the octets written, a multiple of four.
pub(super) fn write(out: &mut [u8], elements: &[(u8, &[u8])]) -> Result<usize, RtpError> {
    if elements.len() > MAX_EXTENSIONS {
        return Err(RtpError::Extension);
    }
    let one_byte = elements
        .iter()
        .all(|(id, value)| (1..=14).contains(id) && (1..=16).contains(&value.len()));
    let mut at = 4;
    for (id, value) in elements {
        let len = u8::try_from(value.len()).map_err(|_| RtpError::Extension)?;
        if *id == 0 {
            return Err(RtpError::Extension);
        }
        if one_byte {
            put(out, &mut at, &[(id << 4) | (len - 1)])?;
        } else {
            put(out, &mut at, &[*id, len])?;
        }
        put(out, &mut at, value)?;
    }
    while at % 4 != 0 {
        put(out, &mut at, &[0])?;
    }
    let words = u16::try_from(at / 4 - 1).map_err(|_| RtpError::Extension)?;
    let profile = if one_byte { ONE_BYTE } else { TWO_BYTE };
    let [p0, p1] = profile.to_be_bytes();
    let [l0, l1] = words.to_be_bytes();
    put(out, &mut 0, &[p0, p1, l0, l1])?;
    Ok(at)
}

fn put(out: &mut [u8], at: &mut usize, bytes: &[u8]) -> Result<(), RtpError> {
    let end = *at + bytes.len();
    out.get_mut(*at..end)
        .ok_or(RtpError::NoRoom)?
        .copy_from_slice(bytes);
    *at = end;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_byte_elements_are_read_between_padding() {
        let data = [0x10, 0xff, 0, 0x32, b'a', b'b', b'c', 0];
        let got: Vec<_> = Extensions::new(Some(0xbede), &data).collect();
        assert_eq!(got, [(1, &[0xff][..]), (3, b"abc")]);
    }

    #[test]
    fn id_fifteen_ends_the_one_byte_form() {
        let data = [0xf0, 1, 0x10, 2];
        assert_eq!(Extensions::new(Some(0xbede), &data).count(), 0);
    }

    #[test]
    fn two_byte_elements_may_be_empty() {
        let data = [20, 0, 21, 2, 7, 8, 0, 0];
        let got: Vec<_> = Extensions::new(Some(0x1003), &data).collect();
        assert_eq!(got, [(20, &[][..]), (21, &[7, 8])]);
    }

    #[test]
    fn an_element_longer_than_the_data_ends_the_list() {
        let data = [0x10, 5, 0x3f, 1];
        let got: Vec<_> = Extensions::new(Some(0xbede), &data).collect();
        assert_eq!(got, [(1, &[5][..])]);
    }

    #[test]
    fn an_unknown_profile_has_no_elements() {
        assert_eq!(Extensions::new(Some(0x1234), &[0x10, 5, 0, 0]).count(), 0);
    }

    #[test]
    fn an_id_above_fourteen_takes_the_two_byte_form() {
        let mut out = [0u8; 16];
        let n = write(&mut out, &[(15, b"x")]).unwrap();
        assert_eq!(out[..n], [0x10, 0, 0, 1, 15, 1, b'x', 0]);
    }

    #[test]
    fn id_zero_and_over_long_values_are_not_written() {
        let mut out = [0u8; 600];
        assert_eq!(write(&mut out, &[(0, b"x")]), Err(RtpError::Extension));
        assert_eq!(write(&mut out, &[(1, &[0; 256])]), Err(RtpError::Extension));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            elements in prop::collection::vec((1u8..=255, prop::collection::vec(any::<u8>(), 0..40)), 1..6)
        ) {
            let borrowed: Vec<(u8, &[u8])> = elements.iter().map(|(i, v)| (*i, v.as_slice())).collect();
            let mut out = [0u8; 512];
            let n = write(&mut out, &borrowed).unwrap();
            let profile = u16::from_be_bytes([out[0], out[1]]);
            let got: Vec<_> = Extensions::new(Some(profile), &out[4..n]).collect();
            prop_assert_eq!(got, borrowed);
        }
    }
}
