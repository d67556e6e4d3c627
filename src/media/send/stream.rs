//! One RTP stream that we send: its SSRC, sequence numbers, timestamps and totals.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::rtcp::SenderInfo;
use wire::rtp::FixedHeader;

use crate::measure::NtpClock;

/// The state of an outgoing audio stream. Its timestamp runs with the mixer's ticks, whether or not packets
/// are sent.
#[derive(Clone, Debug)]
pub struct OutgoingStream {
    ssrc: u32,
    first_sequence: u16,
    sequence: u16,
    timestamp: u32,
    clock: u32,
    /// When `timestamp` was current.
    at: Instant,
    marker: bool,
    packets: u64,
    octets: u64,
}

/// A random first sequence number in the lower half: a receiver that misses the first packets, because its
/// key came late, must not begin after a wrap that it knows nothing of (RFC 3711 §3.3.1).
pub fn first_sequence(rng: &mut StdRng) -> u16 {
    rng.random::<u16>() >> 1
}

impl OutgoingStream {
    /// A stream whose next packet has these numbers.
    #[must_use]
    pub fn new(now: Instant, ssrc: u32, sequence: u16, timestamp: u32, clock: u32) -> Self {
        Self {
            ssrc,
            first_sequence: sequence,
            sequence,
            timestamp,
            clock,
            at: now,
            marker: true,
            packets: 0,
            octets: 0,
        }
    }

    /// The SSRC.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The RTP clock in Hz.
    #[must_use]
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Goes on with another clock.
    pub fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// The sequence number of the stream's first packet.
    #[must_use]
    pub fn first_sequence(&self) -> u16 {
        self.first_sequence
    }

    /// Packets sent so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The timestamp of what is said now.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Lets media time pass.
    pub fn advance(&mut self, now: Instant, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.at = now;
    }

    /// Goes on as another stream, whose counters begin at nought. Its media clock goes on.
    pub fn renumber(&mut self, ssrc: u32, sequence: u16) {
        self.ssrc = ssrc;
        self.first_sequence = sequence;
        self.sequence = sequence;
        self.packets = 0;
        self.octets = 0;
        self.marker = true;
    }

    /// The next packet begins a talkspurt: it will bear the marker (RFC 3551 §4.1).
    pub fn begin_talkspurt(&mut self) {
        self.marker = true;
    }

    /// The header of the next audio packet; uses up a sequence number.
    pub fn next_audio(&mut self, payload_type: u8) -> FixedHeader {
        let marker = std::mem::take(&mut self.marker);
        let timestamp = self.timestamp;
        self.next(payload_type, marker, timestamp)
    }

    /// The header of the next packet, with the marker and timestamp of an event (RFC 4733 §2.5.1).
    pub fn next_event(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> FixedHeader {
        self.next(payload_type, marker, timestamp)
    }

    /// Counts a packet that was sent.
    pub fn sent(&mut self, payload_octets: usize) {
        self.packets += 1;
        self.octets += payload_octets as u64;
    }

    /// The sender's part of a report made now (RFC 3550 §6.4.1).
    #[must_use]
    pub fn sender_info(&self, now: Instant, ntp: &NtpClock) -> SenderInfo {
        SenderInfo {
            ntp: ntp.ntp(now),
            rtp: timestamp_at(self.timestamp, self.clock, self.at, now),
            packets: self.packets as u32,
            octets: self.octets as u32,
        }
    }

    fn next(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> FixedHeader {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        FixedHeader {
            marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        }
    }
}

/// The RTP timestamp at `now` of a clock that stood at `timestamp` at `then`.
#[must_use]
pub fn timestamp_at(timestamp: u32, clock: u32, then: Instant, now: Instant) -> u32 {
    let elapsed = now
        .saturating_duration_since(then)
        .min(Duration::from_secs(3600));
    let ticks = elapsed.as_micros() * u128::from(clock) / 1_000_000;
    timestamp.wrapping_add(ticks as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn sequence_numbers_wrap_and_only_the_first_packet_bears_the_marker() {
        let now = Instant::now();
        let mut stream = OutgoingStream::new(now, 7, u16::MAX, 0, 8000);
        let first = stream.next_audio(0);
        assert_eq!((first.sequence, first.marker), (u16::MAX, true));
        let second = stream.next_audio(0);
        assert_eq!((second.sequence, second.marker), (0, false));
    }

    #[test]
    fn a_sender_report_says_where_the_media_clock_is_now() {
        let now = Instant::now();
        let ntp = NtpClock::new((now, UNIX_EPOCH));
        let mut stream = OutgoingStream::new(now, 7, 0, 1000, 8000);
        stream.advance(now, 160);
        stream.sent(160);
        let info = stream.sender_info(now + Duration::from_millis(10), &ntp);
        assert_eq!(info.rtp, 1160 + 80);
        assert_eq!((info.packets, info.octets), (1, 160));
    }
}
