//! Digits that we send as telephone events (RFC 4733): 100 ms each, the end told three times, 100 ms between.

use std::collections::VecDeque;

use wire::rtp::dtmf::{EventPayload, event_of};

/// The digits waiting to be sent on one stream. Its time is counted in ticks of 20 ms.
#[derive(Clone, Debug, Default)]
pub struct DigitSender {
    waiting: VecDeque<u8>,
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    event: u8,
    /// RTP timestamp of the event's beginning.
    timestamp: u32,
    /// Ticks since then.
    ticks: u32,
}

/// One packet of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigitPacket {
    /// Only the first packet of an event bears it.
    pub marker: bool,
    /// The beginning of the event.
    pub timestamp: u32,
    /// The payload.
    pub payload: [u8; EventPayload::LEN],
}

impl DigitSender {
    /// Appends digits; characters that are no keys are left out. At most [`MOST_WAITING`] wait.
    pub fn send(&mut self, digits: &str) {
        let room = MOST_WAITING.saturating_sub(self.waiting.len());
        self.waiting
            .extend(digits.chars().filter_map(event_of).take(room));
    }

    /// Whether audio must be left out because an event is being sent.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.current
            .is_some_and(|current| current.ticks < TONE_TICKS + END_REPEATS)
    }

    /// The packet of this tick, if a digit is being sent. `timestamp` is the stream's now, `clock` its rate.
    pub fn tick(&mut self, timestamp: u32, clock: u32) -> Option<DigitPacket> {
        if self.current.is_none() {
            let event = self.waiting.pop_front()?;
            self.current = Some(Current {
                event,
                timestamp,
                ticks: 0,
            });
        }
        let current = self.current.as_mut()?;
        current.ticks += 1;
        let ticks = current.ticks;
        let packet = (ticks < TONE_TICKS + END_REPEATS).then(|| {
            let duration = ticks.min(TONE_TICKS) * (clock / 50);
            DigitPacket {
                marker: ticks == 1,
                timestamp: current.timestamp,
                payload: EventPayload {
                    event: current.event,
                    end: ticks >= TONE_TICKS,
                    volume: 10,
                    duration: u16::try_from(duration).unwrap_or(u16::MAX),
                }
                .to_bytes(),
            }
        });
        if ticks >= TONE_TICKS + GAP_TICKS {
            self.current = None;
        }
        packet
    }
}

/// 100 ms.
const TONE_TICKS: u32 = 5;
const GAP_TICKS: u32 = 5;
/// The end is told in three packets (RFC 4733 §2.5.1.4).
const END_REPEATS: u32 = 3;
/// Digits that may wait.
pub const MOST_WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{EventPacket, KeyReader};
    use std::time::{Duration, Instant};

    #[test]
    fn a_digit_is_100_ms_long_with_three_ends_of_one_duration_and_then_100_ms_pass() {
        let mut sender = DigitSender::default();
        sender.send("1x2");
        let mut starts = Vec::new();
        let mut ends = Vec::new();
        for tick in 0..20_u32 {
            if let Some(packet) = sender.tick(1000 + tick * 160, 8000) {
                let event = EventPayload::parse(&packet.payload).unwrap();
                if packet.marker {
                    starts.push((tick, packet.timestamp, event.event));
                }
                if event.end {
                    ends.push((event.event, event.duration));
                }
            }
        }
        assert_eq!(starts, [(0, 1000, 1), (10, 2600, 2)]);
        assert_eq!(
            ends,
            [(1, 800), (1, 800), (1, 800), (2, 800), (2, 800), (2, 800)]
        );
        assert!(!sender.is_sending());
    }

    #[test]
    fn our_own_reader_tells_every_digit_once() {
        let start = Instant::now();
        let mut sender = DigitSender::default();
        let mut reader = KeyReader::default();
        sender.send("1122#A");
        let mut told = String::new();
        for tick in 0..100_u32 {
            let now = start + Duration::from_millis(20) * tick;
            if let Some(packet) = sender.tick(tick * 960, 48_000) {
                let packet = EventPacket {
                    sequence: u64::from(tick),
                    marker: packet.marker,
                    timestamp: packet.timestamp,
                    payload: &packet.payload,
                };
                reader.packet(now, &packet, |key| told.push(key));
            }
        }
        assert_eq!(told, "1122#A");
    }
}
