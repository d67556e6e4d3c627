//! How packets get in: sound, comfort noise, copies, and the numbers of what is no sound.

use std::time::Instant;

use wire::plan::AudioCodec;

use super::{COMFORT, PlayOut};
use crate::codec::{Decoder, Description, MIX_RATE};
use crate::smooth::buffer::{Arrived, JitterBuffer, Put};

impl PlayOut {
    /// Takes in a packet that arrived at `now`.
    pub fn put(&mut self, now: Instant, arrived: &Arrived<'_>) -> Put {
        let Some((index, codec)) = self.find(arrived.payload_type) else {
            return Put::UnknownType;
        };
        let Ok(samples) = Decoder::samples_in(codec, arrived.payload) else {
            self.counters.malformed += 1;
            return Put::Malformed;
        };
        self.announces |= arrived.level.is_some();
        let samples = samples as i64 * i64::from(MIX_RATE / codec.sample_rate());
        self.take_in(now, arrived, codec.rtp_clock(), samples, index)
    }

    /// Takes in a packet of comfort noise (RFC 3389), which has a clock of 8000 Hz: from its turn on, what it describes
    /// plays until the next packet of sound.
    pub fn put_comfort(&mut self, now: Instant, arrived: &Arrived<'_>) -> Put {
        let Some(description) = Description::parse(arrived.payload) else {
            self.counters.malformed += 1;
            return Put::Malformed;
        };
        let arrived = Arrived {
            level: arrived.level.or(Some(description.level)),
            ..*arrived
        };
        self.take_in(now, &arrived, 8_000, 0, COMFORT)
    }

    /// Takes in a copy of an earlier packet that came with `with` (RFC 2198), `offset` timestamp units before it. Returns
    /// the sequence number of the packet that it stands for, if that one is not here and still may play. Call
    /// after `with` was put in.
    pub fn put_copy(
        &mut self,
        now: Instant,
        with: &Arrived<'_>,
        payload_type: u8,
        offset: u32,
        payload: &[u8],
    ) -> Option<u64> {
        let (index, codec) = self.find(payload_type)?;
        let samples = Decoder::samples_in(codec, payload).ok()?;
        // Sequence numbers are not in RED. Packets of one length follow each other without a gap, or there would be
        // nothing to recover between them.
        let ticks = u32::try_from(samples).ok()? * codec.rtp_clock() / codec.sample_rate();
        let earlier = u64::from((offset + ticks / 2).checked_div(ticks)?);
        let sequence = with.sequence.checked_sub(earlier).filter(|_| earlier > 0)?;
        if self.state.first.is_none_or(|first| sequence <= first) || self.buffer.has(sequence) {
            return None;
        }
        let arrival = self.clock(now);
        let timestamp = with.timestamp.wrapping_sub(offset);
        let clock = codec.rtp_clock();
        let position = self.timeline.place(sequence, timestamp, clock, arrival);
        // Copies in time are worth waiting for as late packets are.
        self.delay.arrived(arrival, position);
        if self.state.cursor.is_some() && sequence <= self.state.last {
            return None;
        }
        if self.buffer.is_full() {
            return None;
        }
        self.buffer.mark(sequence);
        let copy = Arrived {
            sequence,
            timestamp,
            payload_type,
            marker: false,
            level: with.level,
            payload,
        };
        let samples = samples as i64 * i64::from(MIX_RATE / codec.sample_rate());
        let kept = self.buffer.insert(&copy, position, samples, index) == Put::Kept;
        self.counters.copied += u64::from(kept);
        kept.then_some(sequence)
    }

    /// Takes note of a packet of the same stream that is no audio (a telephone event), so that its sequence number is not
    /// missed.
    pub fn pass(&mut self, sequence: u64) {
        let near = self
            .timeline
            .newest_sequence()
            .is_some_and(|newest| newest.abs_diff(sequence) <= LONGEST_LEAP);
        if near {
            self.buffer.mark(sequence);
        }
    }

    fn find(&self, payload_type: u8) -> Option<(usize, AudioCodec)> {
        self.formats
            .iter()
            .position(|format| format.payload_type == payload_type)
            .and_then(|index| Some((index, self.formats.get(index)?.decoder.codec())))
    }

    /// What is common to packets of every kind.
    fn take_in(
        &mut self,
        now: Instant,
        arrived: &Arrived<'_>,
        clock: u32,
        samples: i64,
        format: usize,
    ) -> Put {
        if arrived.payload.len() > JitterBuffer::MAX_PAYLOAD {
            self.counters.malformed += 1;
            return Put::Malformed;
        }
        if self
            .timeline
            .newest_sequence()
            .is_some_and(|newest| newest.abs_diff(arrived.sequence) > LONGEST_LEAP)
        {
            self.restart();
        }
        if !self.buffer.mark(arrived.sequence) {
            self.counters.duplicates += 1;
            return Put::Duplicate;
        }
        self.state.first.get_or_insert(arrived.sequence);
        let arrival = self.clock(now);
        let position = self
            .timeline
            .place(arrived.sequence, arrived.timestamp, clock, arrival);
        self.delay.arrived(arrival, position);
        if self.state.cursor.is_some() && arrived.sequence <= self.state.last {
            self.counters.late += 1;
            return Put::Late;
        }
        if self.buffer.is_full() {
            self.drop_first();
        }
        self.buffer.insert(arrived, position, samples, format)
    }
}

/// A greater step of the sequence number is another stream (RFC 3550 §A.1 has 3000).
const LONGEST_LEAP: u64 = 3_000;
