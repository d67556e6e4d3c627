//! Keys pressed, from telephone events (RFC 4733): each press once, whatever was lost or repeated.

use std::time::{Duration, Instant};

use wire::rtp::dtmf::EventPayload;

/// One packet of telephone events, as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct EventPacket<'a> {
    /// Extended sequence number (RFC 3550 §A.1).
    pub sequence: u64,
    /// The RTP marker: an event begins in it (RFC 4733 §2.5.1.2).
    pub marker: bool,
    /// RTP timestamp: the beginning of the first event in it, in units of whatever clock the sender uses.
    pub timestamp: u32,
    /// One report of four octets per event, one after the other in time (§2.5.1.5).
    pub payload: &'a [u8],
}

/// Reads one stream's telephone events.
///
/// A press is known by its timestamp and told at its first packet, so neither a lost nor a repeated End
/// packet matters, nor what durations say. Long presses come in segments with a timestamp each (RFC 4733 §2.5.1.3), some phones
/// let the timestamp run during a press, and some only in the End packets: all are recognised as one press. Timestamps are only
/// compared with each other, never with those of the audio, so it does not matter whether the two clocks agree.
#[derive(Clone, Debug, Default)]
pub struct KeyReader {
    press: Option<Press>,
    /// Beginnings of the latest presses, a ring.
    begun: [Option<Beginning>; REMEMBERED],
    next: usize,
}

/// By what a press is known when it is told again.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    event: u8,
    timestamp: u32,
    at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    /// The newest packet of it.
    sequence: u64,
    timestamp: u32,
    duration: u16,
    ended: bool,
    last: Instant,
}

/// One report of a packet, with its own beginning.
#[derive(Clone, Copy)]
struct Report {
    event: EventPayload,
    sequence: u64,
    /// It is the first in its packet and the packet is marked, or it follows another event.
    begins: bool,
    timestamp: u32,
}

impl KeyReader {
    /// Takes one packet; tells the key of each press that begins in it.
    pub fn packet(&mut self, now: Instant, packet: &EventPacket<'_>, mut tell: impl FnMut(char)) {
        let mut timestamp = packet.timestamp;
        let reports = packet.payload.chunks_exact(EventPayload::LEN);
        for (place, report) in reports.take(MOST_REPORTS).enumerate() {
            let Some(event) = EventPayload::parse(report) else {
                return;
            };
            let report = Report {
                event,
                sequence: packet.sequence,
                begins: packet.marker || place > 0,
                timestamp,
            };
            // Events of one packet follow each other without a pause (§2.5.1.5).
            timestamp = timestamp.wrapping_add(u32::from(event.duration));
            if let Some(digit) = event.digit()
                && self.is_new(now, report)
            {
                tell(digit);
            }
        }
    }

    /// Forgets all presses: another source sends now.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    fn is_new(&mut self, now: Instant, report: Report) -> bool {
        let event = report.event;
        if let Some(press) = &mut self.press {
            if report.sequence < press.sequence {
                // Overtaken on the way: its press was told by the packet that overtook it, or by an earlier one.
                return false;
            }
            let age = now.saturating_duration_since(press.last);
            if age <= FORGET_AFTER && press.is_continued_by(age, report) {
                press.last = now;
                press.sequence = report.sequence;
                press.timestamp = report.timestamp;
                press.duration = event.duration;
                press.ended |= event.end;
                return false;
            }
        }
        let is_known = self.begun.iter().flatten().any(|begun| {
            (begun.event, begun.timestamp) == (event.event, report.timestamp)
                && now.saturating_duration_since(begun.at) <= FORGET_AFTER
        });
        if is_known {
            // An event told again after the next one began.
            return false;
        }
        self.press = Some(Press {
            event: event.event,
            sequence: report.sequence,
            timestamp: report.timestamp,
            duration: event.duration,
            ended: event.end,
            last: now,
        });
        if let Some(slot) = self.begun.get_mut(self.next % REMEMBERED) {
            *slot = Some(Beginning {
                event: event.event,
                timestamp: report.timestamp,
                at: now,
            });
        }
        self.next = self.next.wrapping_add(1);
        true
    }
}

impl Press {
    fn is_continued_by(&self, age: Duration, report: Report) -> bool {
        let event = report.event;
        let ahead = report.timestamp.wrapping_sub(self.timestamp) as i32;
        if event.event != self.event || ahead < 0 {
            return false;
        }
        if ahead == 0 {
            return true;
        }
        if report.begins || age >= END_LOST_AFTER {
            return false;
        }
        if self.ended {
            // The End is told three times; some let the timestamp run even then. No finger is that fast.
            return event.end && age < REPEATED_WITHIN && event.duration >= self.duration;
        }
        let next_segment = self.duration >= LONG && ahead as u32 >= u32::from(LONG);
        next_segment || event.end || event.duration >= self.duration
    }
}

/// Without a packet for so long, an open press has ended and its End packets were lost.
const END_LOST_AFTER: Duration = Duration::from_millis(150);
/// Within so long after an End another is a repetition: keys last 40 ms and pause 40 ms at least.
const REPEATED_WITHIN: Duration = Duration::from_millis(70);
/// After so long, an equal timestamp is another press.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// A segment at least this long may be followed by another of the same press.
const LONG: u16 = 0xf000;
/// Presses that are remembered; more are not packed into one packet.
const REMEMBERED: usize = 16;
/// Reports that are read of one packet.
const MOST_REPORTS: usize = 16;

#[cfg(test)]
mod tests;
