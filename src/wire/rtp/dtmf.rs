//! The telephone-event payload: keys pressed, as RTP carries them (RFC 4733 §2.3).

/// One telephone-event report. A key press is a run of them with one RTP timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventPayload {
    /// Event code; 0 to 15 are the keys.
    pub event: u8,
    /// The event has ended; such packets are sent three times (RFC 4733 §2.5.1.4).
    pub end: bool,
    /// Power in dBm0 without its sign, 0 to 63.
    pub volume: u8,
    /// Duration so far, in timestamp units.
    pub duration: u16,
}

impl EventPayload {
    /// Octets of one report.
    pub const LEN: usize = 4;

    /// Reads the first report of a payload; `None` when it is too short. Further ones, which RFC 4733 §2.5.1.5
    /// allows, follow in time and in the payload, each [`EventPayload::LEN`] octets on.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, d0, d1] = *payload.first_chunk::<4>()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }

    /// The payload's octets.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [d0, d1] = self.duration.to_be_bytes();
        let end = if self.end { 0x80 } else { 0 };
        [self.event, self.volume.min(63) | end, d0, d1]
    }

    /// The key, where the event is one.
    #[must_use]
    pub fn digit(self) -> Option<char> {
        digit_of(self.event)
    }
}

/// The key of an event code: `0`–`9`, `*`, `#`, `A`–`D`.
#[must_use]
pub fn digit_of(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).copied().map(char::from)
}

/// The event code of a key; lower-case letters are taken too.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let wanted = digit.to_ascii_uppercase();
    let at = KEYS.iter().position(|k| char::from(*k) == wanted)?;
    u8::try_from(at).ok()
}

/// Keys in the order of their event codes (RFC 4733 §3.2).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_field_by_field() {
        let got = EventPayload::parse(&[11, 0x8a, 0x03, 0x20, 9, 9]).unwrap();
        assert_eq!(
            got,
            EventPayload {
                event: 11,
                end: true,
                volume: 10,
                duration: 800
            }
        );
        assert_eq!(got.digit(), Some('#'));
        assert_eq!(got.to_bytes(), [11, 0x8a, 0x03, 0x20]);
    }

    #[test]
    fn three_octets_are_no_report() {
        assert_eq!(EventPayload::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn keys_and_codes_answer_each_other() {
        for code in 0..16 {
            assert_eq!(digit_of(code).and_then(event_of), Some(code));
        }
        assert_eq!(digit_of(16), None);
        assert_eq!(event_of('x'), None);
        assert_eq!(event_of('d'), Some(15));
    }
}
