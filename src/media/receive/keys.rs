//! Keys pressed, from telephone events (RFC 4733): each press once, whatever was lost or repeated.

use std::time::{Duration, Instant};

use wire::rtp::dtmf::EventPayload;

/// Reads one stream's telephone events.
///
/// A press is known by its timestamp and told at its first packet, so neither a lost nor a repeated End
/// packet matters. Long presses come in segments with a timestamp each (RFC 4733 §2.5.1.3), and some phones
/// let the timestamp run during a press: both are recognised as one press while no End was seen.
#[derive(Clone, Debug, Default)]
pub struct KeyReader {
    press: Option<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
    duration: u16,
    ended: bool,
    last: Instant,
}

impl KeyReader {
    /// Takes one telephone-event payload; returns the key if this is a new press.
    pub fn packet(
        &mut self,
        now: Instant,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) -> Option<char> {
        let event = EventPayload::parse(payload)?;
        let digit = event.digit()?;
        if let Some(press) = &mut self.press {
            let age = now.saturating_duration_since(press.last);
            if age > FORGET_AFTER {
                self.press = None;
            } else if press.is_continued_by(age, marker, timestamp, event) {
                press.last = now;
                if timestamp.wrapping_sub(press.timestamp) as i32 >= 0 {
                    press.timestamp = timestamp;
                    press.duration = event.duration;
                    press.ended |= event.end;
                }
                return None;
            }
        }
        self.press = Some(Press {
            event: event.event,
            timestamp,
            duration: event.duration,
            ended: event.end,
            last: now,
        });
        Some(digit)
    }

    /// Forgets the last press: another source sends now.
    pub fn restart(&mut self) {
        self.press = None;
    }
}

impl Press {
    fn is_continued_by(
        &self,
        age: Duration,
        marker: bool,
        timestamp: u32,
        event: EventPayload,
    ) -> bool {
        let ahead = timestamp.wrapping_sub(self.timestamp) as i32;
        if ahead == 0 {
            return event.event == self.event;
        }
        if ahead < 0 {
            // A straggler of an earlier press.
            return true;
        }
        let open = !self.ended && age < END_LOST_AFTER && !marker && event.event == self.event;
        let next_segment = self.duration >= LONG && ahead as u32 >= u32::from(LONG);
        open && (next_segment || event.duration >= self.duration)
    }
}

/// Without a packet for so long, an open press has ended and its End packets were lost.
const END_LOST_AFTER: Duration = Duration::from_millis(150);
/// After so long, an equal or smaller timestamp is another press.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// A segment at least this long may be followed by another of the same press.
const LONG: u16 = 0xf000;

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
        EventPayload {
            event,
            end,
            volume: 10,
            duration,
        }
        .to_bytes()
    }

    /// Feeds (ms, marker, timestamp, event, end, duration) and collects the keys told.
    fn told(packets: &[(u64, bool, u32, u8, bool, u16)]) -> String {
        let start = Instant::now();
        let mut reader = KeyReader::default();
        packets
            .iter()
            .filter_map(|&(ms, marker, timestamp, event, end, duration)| {
                let now = start + Duration::from_millis(ms);
                reader.packet(now, marker, timestamp, &payload(event, end, duration))
            })
            .collect()
    }

    #[test]
    fn one_press_with_three_end_packets_is_told_once() {
        let keys = told(&[
            (0, true, 1000, 5, false, 160),
            (20, false, 1000, 5, false, 320),
            (40, false, 1000, 5, true, 480),
            (40, false, 1000, 5, true, 480),
            (60, false, 1000, 5, true, 480),
        ]);
        assert_eq!(keys, "5");
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        let keys = told(&[
            (0, true, 1000, 5, false, 160),
            (20, false, 1000, 5, true, 320),
            (120, true, 2600, 5, false, 160),
            (140, false, 2600, 5, true, 320),
        ]);
        assert_eq!(keys, "55");
    }

    #[test]
    fn a_lost_end_does_not_swallow_the_next_press_of_the_same_key() {
        let with_marker = told(&[
            (0, true, 1000, 5, false, 160),
            (100, true, 1800, 5, false, 160),
        ]);
        assert_eq!(with_marker, "55");
        let after_silence = told(&[
            (0, true, 1000, 5, false, 160),
            (20, false, 1000, 5, false, 320),
            (300, false, 3400, 5, false, 320),
        ]);
        assert_eq!(after_silence, "55");
    }

    #[test]
    fn an_end_packet_alone_tells_the_key() {
        assert_eq!(told(&[(0, false, 1000, 11, true, 800)]), "#");
    }

    #[test]
    fn an_end_repeated_after_the_next_press_began_tells_nothing() {
        let keys = told(&[
            (0, true, 1000, 1, true, 800),
            (50, true, 2600, 2, false, 160),
            (60, false, 1000, 1, true, 800),
            (70, false, 2600, 2, true, 800),
        ]);
        assert_eq!(keys, "12");
    }

    #[test]
    fn segments_of_a_long_press_are_one_press() {
        let keys = told(&[
            (0, true, 1000, 9, false, 0xffff),
            (20, false, 1000 + 0xffff, 9, false, 160),
            (40, false, 1000 + 0xffff, 9, true, 320),
        ]);
        assert_eq!(keys, "9");
    }

    #[test]
    fn a_phone_that_lets_the_timestamp_run_presses_once() {
        let keys = told(&[
            (0, true, 1000, 3, false, 160),
            (20, false, 1160, 3, false, 320),
            (40, false, 1320, 3, false, 480),
            (60, false, 1480, 3, true, 640),
        ]);
        assert_eq!(keys, "3");
    }

    #[test]
    fn events_that_are_no_keys_and_short_payloads_tell_nothing() {
        assert_eq!(told(&[(0, true, 1000, 32, true, 800)]), "");
        let mut reader = KeyReader::default();
        assert_eq!(reader.packet(Instant::now(), true, 1, &[1, 2]), None);
    }
}
