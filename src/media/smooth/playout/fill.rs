//! What is played where nothing is there: copies, concealment, comfort noise, silence.

use wire::plan::AudioCodec;

use super::{FADED, FULL, PER_MS, PIECE, PlayOut, Played, State};
use crate::codec::{CodecError, Description, FRAME, MIX_RATE, opus_has_fec};
use crate::mix::level_of;
use crate::smooth::buffer::Waiting;

impl PlayOut {
    /// Fills a hole before `packet`, from the copy that it carries as far as possible.
    pub(super) fn fill_hole(&mut self, packet: &Waiting, owed: i64, decode: bool) -> Played {
        let payload = self.buffer.payload(packet);
        let recoverable = packet.format == self.state.format
            && owed >= packet.samples
            && self.is_opus(packet.format)
            && opus_has_fec(payload);
        if recoverable && owed < packet.samples * 2 {
            let length = usize::try_from(packet.samples).unwrap_or(0);
            let room = self.queue.extend(length);
            let decoded = self
                .formats
                .get_mut(packet.format)
                .filter(|_| decode)
                .is_some_and(|format| format.decoder.decode_fec(payload, room).is_ok());
            if !decoded {
                room.fill(0);
            }
            self.state.cursor = Some(packet.position);
            self.state.stalled = 0;
            self.state.filled = 0;
            self.ahead.clear();
            self.counters.fec += 1;
            self.fates.recovered(packet.sequence.saturating_sub(1));
            return Played::Fec;
        }
        let most = if recoverable {
            owed - packet.samples
        } else {
            owed
        };
        let piece = most.min(self.short()).max(PIECE);
        let kind = self.fill(piece, decode, false);
        self.state.cursor = self.state.cursor.map(|cursor| cursor + piece);
        kind
    }

    /// Fills in while nothing is there; the cursor stands.
    pub(super) fn fill_stall(&mut self, decode: bool) -> Played {
        let piece = self.short();
        if self.state.cursor.is_some() {
            self.state.stalled += piece;
        }
        self.fill(piece, decode, true)
    }

    /// From here on the sender is silent, and described its silence.
    pub(super) fn begin_comfort(&mut self, packet: &Waiting) {
        if let Some(description) = Description::parse(self.buffer.payload(packet)) {
            self.noise.describe(description);
        }
        let state = &mut self.state;
        state.last = packet.sequence;
        state.cursor = Some(packet.position);
        state.stalled = 0;
        state.paused = true;
        if !state.comfort {
            state.comfort = true;
            // It fades in from here, while what was said last fades out.
            state.filled = 0;
            self.ahead.clear();
        }
    }

    /// What the queue lacks for a tick, in whole steps of 2.5 ms.
    fn short(&self) -> i64 {
        let lacking = FRAME.saturating_sub(self.queue.len()) as i64;
        (lacking.max(1) + PIECE - 1) / PIECE * PIECE
    }

    /// Adds `count` samples of concealment that fades into noise, or of silence; `waits` where the cursor stands meanwhile.
    pub(super) fn fill(&mut self, count: i64, decode: bool, waits: bool) -> Played {
        let State {
            filled,
            comfort,
            dtx,
            paused,
            format,
            cursor,
            ..
        } = self.state;
        self.state.filled += count;
        let length = usize::try_from(count).unwrap_or(0);
        let room = self.queue.extend(length);
        // In a pause that Opus announced its decoder makes the noise; concealment proper begins when that should have ended.
        let began = filled - if dtx { LONGEST_DTX } else { 0 };
        let over = began >= FADED + if paused { 0 } else { TAIL };
        if !decode || cursor.is_none() || (over && !comfort) {
            room.fill(0);
            return Played::Silence;
        }
        let Some(format) = self.formats.get_mut(format) else {
            room.fill(0);
            return Played::Silence;
        };
        let codec = format.decoder.codec();
        let ratio = (MIX_RATE / codec.sample_rate()) as usize;
        let wanted = length / ratio;
        let concealed = if began >= FADED {
            self.ahead.clear();
            self.scratch.get_mut(..wanted).unwrap_or_default().fill(0);
            Ok(())
        } else {
            let waits = waits && codec == AudioCodec::Opus && !comfort;
            self.ahead
                .conceal(&mut format.decoder, &mut self.scratch[..], wanted, waits)
        };
        let made = concealed
            .and_then(|()| {
                self.scratch
                    .get_mut(..wanted)
                    .ok_or(CodecError::OutputTooShort)
            })
            .and_then(|part| {
                for (i, sample) in part.iter_mut().enumerate() {
                    let at = began + (i * ratio) as i64;
                    let (voice, noise) = if comfort {
                        let noise = (at as f32 / COMFORT_IN as f32).min(1.0);
                        (1.0 - noise, noise)
                    } else {
                        let voice = gain_at(at);
                        let rest = (FADED + TAIL - at) as f32 / (TAIL / 2) as f32;
                        (voice, (1.0 - voice) * rest.clamp(0.0, 1.0))
                    };
                    let mixed = f32::from(*sample) * voice + self.noise.sample() * noise;
                    *sample = mixed as i16;
                }
                format.resampler.process(part, room)
            });
        if made.is_err() {
            room.fill(0);
        }
        if comfort || (dtx && began < 0) {
            return Played::Comfort;
        }
        if paused || began >= FADED {
            return Played::Silence;
        }
        self.counters.substituted += length as u64;
        Played::Concealed
    }

    /// Watches how quiet the quietest moments are: that is the noise behind the voice, into which a long gap fades.
    pub(super) fn note_background(&mut self, count: usize) {
        let level = f32::from(level_of(self.queue.newest(count)));
        let background = &mut self.state.background;
        // Quieter at once, louder by 3 dB in a second.
        *background = level.max(*background - 3.0 * count as f32 / MIX_RATE as f32);
        if !self.state.comfort {
            let level = background.clamp(LOUDEST_BACKGROUND, 127.0);
            self.noise.describe(Description::white(level as u8));
        }
    }
}

/// Gain of what is filled in after so many samples of it.
pub(super) fn gain_at(filled: i64) -> f32 {
    ((FADED - filled) as f32 / (FADED - FULL) as f32).clamp(0.0, 1.0)
}

/// Noise goes on for so long where concealment has faded, and fades in the second half of that.
const TAIL: i64 = 400 * PER_MS;
/// An Opus sender that has stopped sends something every 400 ms; after five times that it is gone.
const LONGEST_DTX: i64 = 2_000 * PER_MS;
/// Described noise fades in, and the voice before it out.
const COMFORT_IN: i64 = 10 * PER_MS;
/// What is called background is no louder than this, in dB below overload: a voice that never pauses is none.
const LOUDEST_BACKGROUND: f32 = 50.0;
