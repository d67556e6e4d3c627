//! One incoming audio stream, from packets to the mixer's frames.
//!
//! Time is kept in positions: samples at 48 kHz on the sender's line. The cursor is the position decoded next.
//! A hole before a packet that is there is a loss: it is filled and the cursor moves on. An
//! empty buffer is a stall: it is filled too, but the cursor stands, so that a packet which is only
//! late still plays and the delay has grown by itself. Filling is concealment for [`FULL`], fades until
//! [`FADED`], and is silence after that.

use std::time::Instant;

use wire::plan::{AudioCodec, AudioFormat};

use super::buffer::{Arrived, JitterBuffer, Put, Waiting};
use super::delay::DelayEstimate;
use super::queue::SampleQueue;
use super::timeline::Timeline;
use super::{MAX_DELAY_MS, PER_MS};
use crate::codec::{CodecError, Decoder, FRAME, MIX_RATE, Resampler, opus_has_fec};
use crate::mix::{SILENT, level_of};

/// What a tick's frame is made of; the worst part of it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Played {
    /// Nothing was said: before the first packet, in the sender's pauses, or after concealment has faded.
    Silence,
    /// Received sound.
    Frame,
    /// Received sound at reduced quality, from the copy in the next packet.
    Fec,
    /// Substituted sound, at least in part.
    Concealed,
}

/// What happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Packets played.
    pub played: u64,
    /// Packets whose turn came and which were not there: lost or late.
    pub missing: u64,
    /// Of those, recovered from in-band FEC.
    pub fec: u64,
    /// Packets that came after their time, or were dropped to catch up.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that could not be decoded.
    pub malformed: u64,
    /// Ticks with substituted sound in them.
    pub concealed: u64,
    /// Samples at 48 kHz of substituted sound.
    pub substituted: u64,
    /// Ticks of silence.
    pub silent: u64,
    /// Samples at 48 kHz taken out or put in to move the delay.
    pub stretched: u64,
}

/// Jitter buffer, decoders and resamplers of one stream. Allocates when built or reconfigured only.
pub struct PlayOut {
    buffer: JitterBuffer,
    timeline: Timeline,
    delay: DelayEstimate,
    formats: Vec<Format>,
    queue: SampleQueue,
    scratch: Box<[i16; LONGEST]>,
    epoch: Option<Instant>,
    state: State,
    counters: Counters,
    /// Whether packets of this stream announce their level.
    announces: bool,
}

struct Format {
    payload_type: u8,
    decoder: Decoder,
    resampler: Resampler,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The position decoded next; `None` until the first packet is due.
    cursor: Option<i64>,
    /// Sequence number played last.
    last: u64,
    /// Format played last.
    format: usize,
    /// Samples filled in since the cursor moved last.
    stalled: i64,
    /// Samples filled in since the last received one.
    filled: i64,
    /// Whether the sender paused: what is filled in is not concealment.
    paused: bool,
    /// Delay at the last tick that played packets.
    delay: Option<i64>,
    /// What the newest samples in the queue are.
    kind: Played,
    /// Whether packets were passed over undecoded, so that the decoder is out of date.
    stale: bool,
    /// Whether the delay is being moved, and ticks until it may be again.
    shrinking: bool,
    growing: bool,
    rest: u32,
}

impl PlayOut {
    /// Play-out of a stream in any of `formats`.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when libopus cannot be set up.
    pub fn new(formats: &[AudioFormat]) -> Result<Self, CodecError> {
        let mut playout = Self {
            buffer: JitterBuffer::new(),
            timeline: Timeline::default(),
            delay: DelayEstimate::new(),
            formats: Vec::new(),
            queue: SampleQueue::new(),
            scratch: Box::new([0; LONGEST]),
            epoch: None,
            state: START,
            counters: Counters::default(),
            announces: false,
        };
        playout.configure(formats)?;
        Ok(playout)
    }

    /// Replaces the formats that may arrive. A stream in a format that stays goes on undisturbed.
    ///
    /// # Errors
    /// As [`PlayOut::new`]; the formats are then unchanged.
    pub fn configure(&mut self, formats: &[AudioFormat]) -> Result<(), CodecError> {
        let same = self.formats.len() == formats.len()
            && self.formats.iter().zip(formats).all(|(have, wanted)| {
                have.payload_type == wanted.payload_type && have.decoder.codec() == wanted.codec
            });
        if same {
            return Ok(());
        }
        let mut fresh = Vec::with_capacity(formats.len());
        for format in formats {
            fresh.push(Format {
                payload_type: format.payload_type,
                decoder: Decoder::new(format.codec)?,
                resampler: Resampler::new(format.codec.sample_rate(), MIX_RATE)?,
            });
        }
        self.formats = fresh;
        self.restart();
        Ok(())
    }

    /// Begins anew, as for another source (SSRC). Counters go on.
    pub fn restart(&mut self) {
        self.buffer.clear();
        self.timeline = Timeline::default();
        self.delay = DelayEstimate::new();
        self.queue.clear();
        self.epoch = None;
        self.state = START;
        for format in &mut self.formats {
            format.decoder.reset();
            format.resampler.reset();
        }
    }

    /// Takes in a packet that arrived at `now`.
    pub fn put(&mut self, now: Instant, arrived: &Arrived<'_>) -> Put {
        let Some((index, codec)) = self
            .formats
            .iter()
            .enumerate()
            .find(|(_, format)| format.payload_type == arrived.payload_type)
            .map(|(index, format)| (index, format.decoder.codec()))
        else {
            return Put::UnknownType;
        };
        let Ok(samples) = Decoder::samples_in(codec, arrived.payload) else {
            self.counters.malformed += 1;
            return Put::Malformed;
        };
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
        self.announces |= arrived.level.is_some();
        let arrival = self.clock(now);
        let position = self.timeline.place(
            arrived.sequence,
            arrived.timestamp,
            codec.rtp_clock(),
            arrival,
        );
        self.delay.arrived(arrival, position);
        if self.state.cursor.is_some() && arrived.sequence <= self.state.last {
            self.counters.late += 1;
            return Put::Late;
        }
        if self.buffer.is_full() {
            self.drop_first();
        }
        let samples = samples as i64 * i64::from(MIX_RATE / codec.sample_rate());
        self.buffer.insert(arrived, position, samples, index)
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

    /// The loudest level, 0 to 127, that packets not yet played announce; `None` when this stream does
    /// not announce levels, and its ticks must be decoded to know.
    #[must_use]
    pub fn level_ahead(&self) -> Option<u8> {
        if !self.announces {
            return None;
        }
        Some(
            self.buffer
                .iter()
                .map(|packet| packet.level.unwrap_or(0))
                .min()
                .unwrap_or(SILENT),
        )
    }

    /// Plays 20 ms. Call once per tick, or [`PlayOut::skip`].
    pub fn tick(&mut self, now: Instant, out: &mut [i16; FRAME]) -> Played {
        let played = self.advance(now, true);
        self.queue.take(out);
        match played {
            Played::Concealed => self.counters.concealed += 1,
            Played::Silence => self.counters.silent += 1,
            Played::Frame | Played::Fec => {}
        }
        played
    }

    /// Lets 20 ms go by unheard, without the cost of decoding.
    pub fn skip(&mut self, now: Instant) {
        self.advance(now, false);
        let skipped = self.queue.len().min(FRAME);
        self.queue.drop_front(skipped);
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How long the fastest packets wait at present, in milliseconds: the delay that this buffer adds. Before
    /// the first packet and in long silence, how long they are meant to wait.
    #[must_use]
    pub fn delay_ms(&self) -> u32 {
        let delay = self.state.delay.unwrap_or(self.delay.aim());
        u32::try_from(delay / PER_MS).unwrap_or(0)
    }

    /// Capacities of everything that could grow.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> [usize; 4] {
        let [packets, cells, free] = self.buffer.memory();
        [packets, cells, free, self.queue.memory()]
    }

    fn clock(&mut self, now: Instant) -> i64 {
        self.epoch.get_or_insert(now);
        self.clock_at(now)
    }

    fn clock_at(&self, now: Instant) -> i64 {
        self.epoch.map_or(0, |epoch| {
            let nanos = now.saturating_duration_since(epoch).as_nanos();
            i64::try_from(nanos * 48 / 1_000_000).unwrap_or(i64::MAX / 4)
        })
    }

    /// Makes the queue hold a tick.
    fn advance(&mut self, now: Instant, decode: bool) -> Played {
        let now = self.clock_at(now);
        if decode && self.state.stale {
            self.refresh();
        }
        self.state.stale |= !decode;
        self.catch_up(now);
        let mut worst = None;
        while self.queue.len() < FRAME {
            let before = self.queue.len();
            let kind = self.produce(now, decode);
            self.state.kind = kind;
            worst = worst.max(Some(kind));
            if self.queue.len() == before && kind != Played::Frame {
                // Only a packet that failed to decode leaves nothing behind, and it is gone.
                break;
            }
        }
        self.adjust(now, decode);
        worst.unwrap_or(self.state.kind)
    }

    /// Adds to the queue what comes next.
    fn produce(&mut self, now: i64, decode: bool) -> Played {
        let Some(&packet) = self.buffer.first() else {
            return self.fill_stall(decode);
        };
        let Some(cursor) = self.state.cursor else {
            if now + self.queue.len() as i64 >= self.due(&packet) {
                self.state.cursor = Some(packet.position);
                self.state.last = packet.sequence.saturating_sub(1);
                return self.play(now, decode);
            }
            return self.fill_stall(decode);
        };
        let gap = packet.position - cursor;
        let owed = gap - self.state.stalled;
        let in_turn = self
            .buffer
            .missing_between(self.state.last, packet.sequence)
            == 0;
        if gap + packet.samples <= 0 && !in_turn {
            // All of it lies before what was played: its sender's clock stepped back.
            self.drop_first();
            return self.fill_stall(decode);
        }
        // A pause of the sender, or a stall so long that the wait for packets begins anew.
        let pause = gap > SLACK && (in_turn || packet.marker);
        if pause || self.state.stalled > REBUFFER || owed > LONGEST_HOLE {
            self.state.paused |= pause;
            if now + self.queue.len() as i64 >= self.due(&packet) {
                return self.play(now, decode);
            }
            return self.fill_stall(decode);
        }
        if owed <= SLACK || in_turn {
            return self.play(now, decode);
        }
        self.fill_hole(&packet, owed, decode)
    }

    /// When a packet should be heard.
    fn due(&self, packet: &Waiting) -> i64 {
        self.delay.base() + packet.position + self.delay.aim()
    }

    /// Decodes the first packet.
    fn play(&mut self, now: i64, decode: bool) -> Played {
        let Some(packet) = self.buffer.remove_first() else {
            return Played::Silence;
        };
        let state = &mut self.state;
        let missing = self.buffer.missing_between(state.last, packet.sequence);
        self.counters.missing += missing;
        if packet.format != state.format {
            // What the other decoder remembers of earlier is not what comes before this.
            if let Some(format) = self.formats.get_mut(packet.format) {
                format.decoder.reset();
                format.resampler.reset();
            }
            state.filled = state.filled.max(FADED);
        }
        let begins_at = gain_at(state.filled);
        state.last = packet.sequence;
        state.format = packet.format;
        state.cursor = Some(packet.position + packet.samples);
        state.stalled = 0;
        state.filled = 0;
        state.paused = false;
        self.counters.played += 1;

        let length = usize::try_from(packet.samples).unwrap_or(0);
        let room = self.queue.extend(length);
        let Some(format) = self.formats.get_mut(packet.format) else {
            return Played::Silence;
        };
        if missing > 0
            && format.decoder.codec() == AudioCodec::Opus
            && opus_has_fec(self.buffer.payload(&packet))
        {
            // It could have been recovered from this one, had this been here in time.
            self.delay.want_successor(now, packet.samples);
        }
        if !decode {
            room.fill(0);
            return Played::Frame;
        }
        let decoded = format
            .decoder
            .decode(self.buffer.payload(&packet), &mut self.scratch[..])
            .and_then(|count| {
                format
                    .resampler
                    .process(self.scratch.get(..count).unwrap_or(&[]), room)
            });
        match decoded {
            Ok(written) => {
                let room_left = room.len() - written.min(room.len());
                fade_in(room, begins_at);
                self.queue.retract(room_left);
                Played::Frame
            }
            Err(_) => {
                self.counters.malformed += 1;
                self.queue.retract(length);
                self.fill(length as i64, decode)
            }
        }
    }

    /// Fills a hole before `packet`, from the copy that it carries as far as possible.
    fn fill_hole(&mut self, packet: &Waiting, owed: i64, decode: bool) -> Played {
        let Some(format) = self.formats.get_mut(packet.format) else {
            return Played::Silence;
        };
        let opus = format.decoder.codec() == AudioCodec::Opus;
        let payload = self.buffer.payload(packet);
        let recoverable = opus
            && packet.format == self.state.format
            && owed >= packet.samples
            && opus_has_fec(payload);
        if recoverable && owed < packet.samples * 2 {
            let length = usize::try_from(packet.samples).unwrap_or(0);
            let room = self.queue.extend(length);
            if !decode || format.decoder.decode_fec(payload, room).is_err() {
                room.fill(0);
            }
            self.state.cursor = Some(packet.position);
            self.state.stalled = 0;
            self.state.filled = 0;
            self.counters.fec += 1;
            return Played::Fec;
        }
        let most = if recoverable {
            owed - packet.samples
        } else {
            owed
        };
        let piece = most.min(self.short()).max(PIECE);
        let kind = self.fill(piece, decode);
        self.state.cursor = self.state.cursor.map(|cursor| cursor + piece);
        kind
    }

    /// Fills in while nothing is there; the cursor stands.
    fn fill_stall(&mut self, decode: bool) -> Played {
        let piece = self.short();
        if self.state.cursor.is_some() {
            self.state.stalled += piece;
        }
        self.fill(piece, decode)
    }

    /// What the queue lacks for a tick, in whole steps of 2.5 ms.
    fn short(&self) -> i64 {
        let lacking = FRAME.saturating_sub(self.queue.len()) as i64;
        (lacking.max(1) + PIECE - 1) / PIECE * PIECE
    }

    /// Adds `count` samples of concealment, fading, or silence.
    fn fill(&mut self, count: i64, decode: bool) -> Played {
        let began = self.state.filled;
        self.state.filled += count;
        let length = usize::try_from(count).unwrap_or(0);
        let room = self.queue.extend(length);
        if !decode || self.state.cursor.is_none() || began >= FADED {
            room.fill(0);
            return Played::Silence;
        }
        let Some(format) = self.formats.get_mut(self.state.format) else {
            room.fill(0);
            return Played::Silence;
        };
        let ratio = (MIX_RATE / format.decoder.codec().sample_rate()) as usize;
        let concealed = self
            .scratch
            .get_mut(..length / ratio)
            .ok_or(CodecError::OutputTooShort)
            .and_then(|part| {
                format.decoder.conceal(part)?;
                format.resampler.process(part, room)
            });
        if concealed.is_err() {
            room.fill(0);
        }
        for (i, sample) in room.iter_mut().enumerate() {
            let gain = gain_at(began + i as i64);
            if gain < 1.0 {
                *sample = (f32::from(*sample) * gain) as i16;
            }
        }
        if self.state.paused {
            return Played::Silence;
        }
        self.counters.substituted += length as u64;
        Played::Concealed
    }

    /// Drops packets when the delay has outgrown its bound, after a long stall or a leap of the sender's.
    fn catch_up(&mut self, now: i64) {
        if self.state.cursor.is_none() {
            return;
        }
        let base = self.delay.base();
        let delay_of = |position: i64| now - base - position;
        let too_late =
            |first: Option<&Waiting>, most| first.is_some_and(|p| delay_of(p.position) > most);
        if !too_late(self.buffer.first(), MAX_DELAY + TOLERANCE) {
            return;
        }
        let mut dropped = false;
        while self.buffer.len() > 1
            && too_late(self.buffer.first(), self.delay.aim() + FRAME as i64)
        {
            self.drop_first();
            dropped = true;
        }
        if dropped && let Some(packet) = self.buffer.first() {
            // The stall that led here is paid for.
            self.state.cursor = Some(packet.position);
            self.state.last = packet.sequence.saturating_sub(1);
            self.state.stalled = 0;
            // A little concealment leads over the cut.
            if self.state.filled < FADED {
                self.fill(2 * PIECE, !self.state.stale);
            }
        }
    }

    fn drop_first(&mut self) {
        if let Some(packet) = self.buffer.remove_first() {
            self.counters.late += 1;
            if self.state.cursor.is_some() {
                self.state.last = self.state.last.max(packet.sequence);
            }
        }
    }

    /// Moves the delay towards its aim by stretching, in quiet where there is some.
    fn adjust(&mut self, now: i64, decode: bool) {
        let Some(cursor) = self.state.cursor else {
            return;
        };
        if self.state.filled > 0 {
            // What plays is not a packet; the next one decides.
            if self.state.filled >= FADED {
                self.state.delay = None;
            }
            return;
        }
        let delay = now - self.delay.base() - (cursor - self.queue.len() as i64);
        let excess = delay - self.delay.aim();
        let state = &mut self.state;
        state.delay = Some(delay);
        state.shrinking = excess > TOLERANCE || (state.shrinking && excess > CLOSE);
        state.growing = excess < -TOLERANCE || (state.growing && excess < -CLOSE);
        state.rest = state.rest.saturating_sub(1);
        if !(state.shrinking || state.growing) {
            return;
        }
        let shrinking = state.shrinking;
        // Something to work on, and a whole tick after a removal.
        let wanted = if shrinking {
            FRAME + STRETCHABLE / 2
        } else {
            STRETCHABLE
        };
        if self.queue.len() < wanted {
            let next = self.buffer.first();
            if next.is_some_and(|p| p.sequence == self.state.last + 1 && p.position <= cursor) {
                self.state.kind = self.play(now, decode);
            }
        }
        if shrinking && self.queue.len() < wanted {
            return;
        }
        let quiet = !decode || level_of(self.queue.front(FRAME)) > QUIET;
        if !quiet && self.state.rest > 0 {
            return;
        }
        let changed = if shrinking {
            self.queue.shorten(quiet)
        } else {
            self.queue.lengthen(quiet)
        };
        self.counters.stretched += changed as u64;
        let far = excess.abs() > FAR;
        self.state.rest = match (shrinking, far) {
            (true, false) => 5,
            (true, true) => 3,
            (false, _) => 2,
        };
    }

    /// The decoder missed what was skipped: it begins anew.
    fn refresh(&mut self) {
        self.state.stale = false;
        self.state.filled = self.state.filled.max(FADED);
        if let Some(format) = self.formats.get_mut(self.state.format) {
            format.decoder.reset();
            format.resampler.reset();
        }
    }
}

/// Gain of what is filled in after so many samples of it.
fn gain_at(filled: i64) -> f32 {
    ((FADED - filled) as f32 / (FADED - FULL) as f32).clamp(0.0, 1.0)
}

/// Leads from a gain to full gain in 5 ms, so that a sound begins without a step.
fn fade_in(samples: &mut [i16], from: f32) {
    if from >= 1.0 {
        return;
    }
    let length = samples.len().min(5 * PER_MS as usize);
    for (i, sample) in samples.iter_mut().take(length).enumerate() {
        let gain = from + (1.0 - from) * i as f32 / length as f32;
        *sample = (f32::from(*sample) * gain) as i16;
    }
}

const START: State = State {
    cursor: None,
    last: 0,
    format: 0,
    stalled: 0,
    filled: FADED,
    paused: false,
    delay: None,
    kind: Played::Silence,
    stale: false,
    shrinking: false,
    growing: false,
    rest: 0,
};

/// The longest packet: 120 ms.
const LONGEST: usize = 5_760;
/// The step in which Opus conceals: 2.5 ms.
const PIECE: i64 = 120;
/// Timestamps may be off by this much without anything missing.
const SLACK: i64 = 5 * PER_MS;
/// Substituted sound is at full level this long.
const FULL: i64 = 60 * PER_MS;
/// And silent from here on.
const FADED: i64 = 120 * PER_MS;
/// After a stall of this length packets wait anew.
const REBUFFER: i64 = 60 * PER_MS;
/// A longer hole is a leap of the sender's.
const LONGEST_HOLE: i64 = 500 * PER_MS;
/// A greater step of the sequence number is another stream (RFC 3550 §A.1 has 3000).
const LONGEST_LEAP: u64 = 3_000;
const MAX_DELAY: i64 = MAX_DELAY_MS as i64 * PER_MS;
/// The delay is left alone while it is this close to its aim,
const TOLERANCE: i64 = 15 * PER_MS;
/// and once it moves it is brought this close.
const CLOSE: i64 = 5 * PER_MS;
/// An excess to be taken away faster.
const FAR: i64 = 60 * PER_MS;
/// Samples that stretching looks at.
const STRETCHABLE: usize = 1_440;
/// A level below which changes are not heard, in dB below full scale.
const QUIET: u8 = 55;
