//! One incoming audio stream, from packets to the mixer's frames.
//!
//! Time is kept in positions: samples at 48 kHz on the sender's line. The cursor is the position decoded next.
//! A hole before a packet that is there is a loss: it is filled and the cursor moves on. An
//! empty buffer is a stall: it is filled too, but the cursor stands, so that a packet which is only
//! late still plays and the delay has grown by itself. Filling is concealment for [`FULL`], fades until
//! [`FADED`] into the noise behind the voice, and that into silence. Where the sender described its silence (RFC 3389), that
//! plays instead.
//!
//! Here is in which order packets get out; `intake` is how they get in, `fill` what plays where none is, `adjust` how the
//! delay is moved, `fates` what is told about packets afterwards.

mod adjust;
mod ahead;
mod fates;
mod fill;
mod intake;

use std::time::Instant;

use wire::plan::{AudioCodec, AudioFormat};

use super::buffer::{JitterBuffer, Waiting};
use super::delay::DelayEstimate;
use super::queue::SampleQueue;
use super::timeline::Timeline;
use super::{MAX_DELAY_MS, PER_MS};
use crate::codec::{CodecError, Comfort, Decoder, FRAME, MIX_RATE, Resampler, opus_has_fec};
use crate::mix::SILENT;
use ahead::Ahead;
pub use fates::Fate;
use fates::Fates;
use fill::gain_at;

/// What a tick's frame is made of; the worst part of it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Played {
    /// Nothing was said: before the first packet, in the sender's pauses, or after concealment has faded.
    Silence,
    /// Noise as the sender described its silence (RFC 3389).
    Comfort,
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
    /// Packets that are not missing because a copy of them came in time (RED).
    pub copied: u64,
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
    noise: Comfort,
    ahead: Ahead,
    epoch: Option<Instant>,
    state: State,
    counters: Counters,
    fates: Fates,
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
    /// Sequence number of the first packet.
    first: Option<u64>,
    /// Format played last.
    format: usize,
    /// Samples filled in since the cursor moved last.
    stalled: i64,
    /// Samples filled in since the last received one.
    filled: i64,
    /// Whether the sender paused: what is filled in is not concealment.
    paused: bool,
    /// Whether it described what its pause sounds like.
    comfort: bool,
    /// Whether the last packet was Opus' word that it stops in silence (DTX): its decoder goes on with noise of its own.
    dtx: bool,
    /// The noise behind the voice, in dB below overload.
    background: f32,
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
            noise: Comfort::new(),
            ahead: Ahead::new(),
            epoch: None,
            state: START,
            counters: Counters::default(),
            fates: Fates::default(),
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
        self.ahead.clear();
        self.epoch = None;
        self.state = START;
        for format in &mut self.formats {
            format.decoder.reset();
            format.resampler.reset();
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
            Played::Comfort | Played::Frame | Played::Fec => {}
        }
        played
    }

    /// Lets 20 ms go by unheard, without the cost of decoding.
    pub fn skip(&mut self, now: Instant) {
        self.advance(now, false);
        let skipped = self.queue.len().min(FRAME);
        self.queue.drop_front(skipped);
    }

    /// What became of a packet after it was taken in, or never came; `None` when there is no more to tell. Ask after every
    /// tick.
    pub fn poll_fate(&mut self) -> Option<Fate> {
        self.fates.poll()
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

    fn is_opus(&self, format: usize) -> bool {
        self.formats
            .get(format)
            .is_some_and(|format| format.decoder.codec() == AudioCodec::Opus)
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
            let before = (self.queue.len(), self.buffer.len());
            let kind = self.produce(now, decode);
            self.state.kind = kind;
            worst = worst.max(Some(kind));
            if (self.queue.len(), self.buffer.len()) == before {
                // Every turn makes sound or uses up a packet; should that ever fail, a tick is short and nothing hangs.
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
        let missing = self
            .buffer
            .missing_between(self.state.last, packet.sequence);
        self.counters.missing += missing;
        if packet.format == COMFORT {
            self.begin_comfort(&packet);
            return Played::Comfort;
        }
        let state = &mut self.state;
        if packet.format != state.format {
            // What the other decoder remembers of earlier is not what comes before this.
            if let Some(format) = self.formats.get_mut(packet.format) {
                format.decoder.reset();
                format.resampler.reset();
            }
            state.filled = state.filled.max(FADED);
        }
        let begins_at = gain_at(state.filled);
        let stalled = state.stalled;
        state.last = packet.sequence;
        state.format = packet.format;
        state.cursor = Some(packet.position + packet.samples);
        state.stalled = 0;
        state.filled = 0;
        state.paused = false;
        state.comfort = false;
        state.dtx = false;
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
        // A packet with nothing but its first octets (RFC 6716 §3.1, code 0; RFC 7587 §3.1.3).
        let stops = self.buffer.payload(&packet).len() <= 2;
        self.state.dtx = stops && format.decoder.codec() == AudioCodec::Opus;
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
                // After a loss the decoder's own way back is the better one.
                let led = stalled > 0 && self.ahead.lead_over(room, begins_at);
                if !led {
                    fade_in(room, begins_at);
                }
                self.ahead.clear();
                self.queue.retract(room_left);
                self.note_background(written);
                Played::Frame
            }
            Err(_) => {
                self.counters.malformed += 1;
                self.queue.retract(length);
                self.fill(length as i64, decode, false)
            }
        }
    }
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
    first: None,
    format: 0,
    stalled: 0,
    filled: FADED,
    paused: false,
    comfort: false,
    dtx: false,
    background: 0.0,
    delay: None,
    kind: Played::Silence,
    stale: false,
    shrinking: false,
    growing: false,
    rest: 0,
};

/// In place of a format's index: comfort noise.
const COMFORT: usize = usize::MAX;
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
const MAX_DELAY: i64 = MAX_DELAY_MS as i64 * PER_MS;
/// The delay is left alone while it is this close to its aim.
const TOLERANCE: i64 = 15 * PER_MS;
