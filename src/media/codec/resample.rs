//! Resampling between 8, 16 or 24 kHz and 48 kHz by fixed polyphase FIR filters.
//!
//! One windowed-sinc low-pass per ratio, designed relative to the lower rate `f`: flat (±0.1 dB) up
//! to 0.4375·f (3.5 kHz for narrowband, 7 kHz for wideband), at least 60 dB down from 0.55·f. It spans
//! 36 samples of the lower rate, so the group delay is 18 of them less half a sample at 48 kHz:
//! 2.24 ms for 8 kHz, 1.11 ms for 16 kHz, 0.74 ms for 24 kHz, the same in either direction.

use super::{CodecError, MIX_RATE};

/// Converts a mono stream from one fixed rate to another. Allocates only when built.
#[derive(Clone, Debug)]
pub struct Resampler {
    ratio: usize,
    way: Way,
    /// Up: `ratio` phases of `SPAN` taps each, reversed for a forward dot product. Down: all taps.
    taps: Vec<f32>,
    /// The filter's memory followed by room for one chunk of input.
    line: Vec<f32>,
    /// Samples in `line`.
    held: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Same,
    Up,
    Down,
}

impl Resampler {
    /// A resampler from `from` to `to` Hz. One of them must be 48 000, the other 8, 16, 24 or 48 kHz.
    ///
    /// # Errors
    /// [`CodecError::Setup`] for other rates.
    pub fn new(from: u32, to: u32) -> Result<Self, CodecError> {
        let (way, low) = match (from, to) {
            (MIX_RATE, MIX_RATE) => (Way::Same, MIX_RATE),
            (low, MIX_RATE) => (Way::Up, low),
            (MIX_RATE, low) => (Way::Down, low),
            _ => return Err(CodecError::Setup),
        };
        let ratio = match low {
            8_000 => 6,
            16_000 => 3,
            24_000 => 2,
            MIX_RATE => 1,
            _ => return Err(CodecError::Setup),
        };
        let (taps, memory) = match way {
            Way::Same => (Vec::new(), 0),
            Way::Up => (phases(&prototype(ratio), ratio), SPAN - 1),
            Way::Down => (prototype(ratio), SPAN * ratio - 1),
        };
        Ok(Self {
            ratio,
            way,
            taps,
            line: vec![0.0; memory + CHUNK + ratio],
            held: memory,
        })
    }

    /// Converts all of `input`, returning the number of samples written to `out`.
    ///
    /// Upwards it writes `input.len() × ratio`. Downwards it writes `input.len() / ratio`; a remainder
    /// is kept and counts with the next call.
    ///
    /// # Errors
    /// [`CodecError::OutputTooShort`], with nothing consumed.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> Result<usize, CodecError> {
        let needed = match self.way {
            Way::Same => input.len(),
            Way::Up => input.len() * self.ratio,
            Way::Down => (input.len() + self.held + 1 - self.taps.len()) / self.ratio,
        };
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooShort)?;
        if self.way == Way::Same {
            out.copy_from_slice(input);
            return Ok(needed);
        }
        let mut written = 0;
        for chunk in input.chunks(CHUNK) {
            let end = self.held + chunk.len();
            for (slot, &sample) in self.line[self.held..end].iter_mut().zip(chunk) {
                *slot = f32::from(sample);
            }
            self.held = end;
            written += match self.way {
                Way::Up => self.run_up(&mut out[written..]),
                _ => self.run_down(&mut out[written..]),
            };
        }
        Ok(written)
    }

    /// The filter's group delay in samples at 48 kHz.
    #[must_use]
    pub fn delay(&self) -> f32 {
        match self.way {
            Way::Same => 0.0,
            Way::Up | Way::Down => (SPAN * self.ratio - 1) as f32 / 2.0,
        }
    }

    /// Forgets what was heard so far, as if newly built.
    pub fn reset(&mut self) {
        self.line.fill(0.0);
        self.held = self.memory();
    }

    /// Takes over another's memory, so that the next output continues its stream. Ratios must agree.
    pub fn follow(&mut self, other: &Self) {
        if self.way == other.way && self.ratio == other.ratio {
            self.line.copy_from_slice(&other.line);
            self.held = other.held;
        }
    }

    fn memory(&self) -> usize {
        match self.way {
            Way::Same => 0,
            Way::Up => SPAN - 1,
            Way::Down => SPAN * self.ratio - 1,
        }
    }

    fn run_up(&mut self, out: &mut [i16]) -> usize {
        let fresh = self.held - (SPAN - 1);
        for (window, group) in self
            .line
            .windows(SPAN)
            .take(fresh)
            .zip(out.chunks_exact_mut(self.ratio))
        {
            for (phase, sample) in self.taps.chunks_exact(SPAN).zip(group) {
                *sample = to_i16(dot(phase, window));
            }
        }
        self.line.copy_within(fresh..self.held, 0);
        self.held = SPAN - 1;
        fresh * self.ratio
    }

    fn run_down(&mut self, out: &mut [i16]) -> usize {
        let taps = self.taps.len();
        let ready = (self.held + 1 - taps) / self.ratio;
        for (j, sample) in out.iter_mut().enumerate().take(ready) {
            let from = j * self.ratio;
            *sample = to_i16(dot(&self.taps, &self.line[from..from + taps]));
        }
        let used = ready * self.ratio;
        self.line.copy_within(used..self.held, 0);
        self.held -= used;
        ready
    }
}

/// Length of the filter in samples of the lower rate.
const SPAN: usize = 36;

/// Input samples taken at a time: 20 ms at 48 kHz.
const CHUNK: usize = 960;

/// Linear-phase low-pass at 48 kHz for one ratio, with unit gain at 0 Hz, as `SPAN × ratio` taps.
fn prototype(ratio: usize) -> Vec<f32> {
    let count = SPAN * ratio;
    let middle = (count - 1) as f64 / 2.0;
    // Half way between the pass edge 0.4375·f and the stop edge 0.55·f, as a share of 48 kHz.
    let cutoff = (0.4375 + 0.55) / 2.0 / ratio as f64;
    // Kaiser's β for 65 dB.
    let beta = 0.1102 * (65.0 - 8.7);
    let mut taps: Vec<f64> = (0..count)
        .map(|n| {
            let x = n as f64 - middle;
            let turn = 2.0 * std::f64::consts::PI * cutoff * x;
            let sinc = if x == 0.0 { 1.0 } else { turn.sin() / turn };
            let edge = x / (middle + 0.5);
            sinc * bessel_i0(beta * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(beta)
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    for tap in &mut taps {
        *tap /= sum;
    }
    taps.into_iter().map(|tap| tap as f32).collect()
}

/// The prototype split for interpolation: phase `p` holds every `ratio`-th tap, reversed, and times
/// `ratio` because all but one in `ratio` input samples are (unwritten) zeros.
fn phases(prototype: &[f32], ratio: usize) -> Vec<f32> {
    (0..ratio)
        .flat_map(|p| {
            (0..SPAN)
                .rev()
                .map(move |k| prototype[k * ratio + p] * ratio as f32)
        })
        .collect()
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let half = x / 2.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..64 {
        term *= (half / f64::from(k)) * (half / f64::from(k));
        sum += term;
    }
    sum
}

/// A dot product in eight lanes, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Rounds and saturates.
fn to_i16(x: f32) -> i16 {
    // A float cast saturates, so only rounding is left to do.
    x.round_ties_even() as i16
}

#[cfg(test)]
mod tests {
    use super::super::tests::{amplitude_at, rms, tone};
    use super::*;

    fn run(from: u32, to: u32, input: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        // Uneven pieces must make no difference.
        for piece in input.chunks(701) {
            let mut part = vec![0; 701 * 6];
            let count = resampler.process(piece, &mut part).unwrap();
            out.extend_from_slice(&part[..count]);
        }
        out
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn the_pass_band_is_flat_in_both_directions() {
        for low in [8_000, 16_000, 24_000] {
            for share in [0.01, 0.1, 0.25, 0.4, 0.43] {
                let hertz = f64::from(low) * share;
                for (from, to) in [(low, MIX_RATE), (MIX_RATE, low)] {
                    let input = tone(from, hertz, 20_000.0, from as usize);
                    let out = run(from, to, &input);
                    let settled = &out[to as usize / 10..to as usize * 9 / 10];
                    let level = decibels(amplitude_at(settled, to, hertz) / 20_000.0);
                    assert!(
                        level.abs() < 0.1,
                        "{from} to {to} at {hertz} Hz: {level} dB"
                    );
                }
            }
        }
    }

    #[test]
    fn interpolation_leaves_no_image_above_minus_60_db() {
        for low in [8_000_u32, 16_000, 24_000] {
            for share in [0.05, 0.2, 0.4, 0.43] {
                let hertz = f64::from(low) * share;
                let input = tone(low, hertz, 20_000.0, low as usize);
                let out = run(low, MIX_RATE, &input);
                let settled = &out[4_800..43_200];
                for image in [f64::from(low) - hertz, f64::from(low) + hertz] {
                    let level = decibels(amplitude_at(settled, MIX_RATE, image) / 20_000.0);
                    assert!(
                        level < -60.0,
                        "{low}: {hertz} Hz appears at {image} Hz, {level} dB"
                    );
                }
            }
        }
    }

    #[test]
    fn decimation_rejects_what_would_alias_by_60_db() {
        for low in [8_000_u32, 16_000, 24_000] {
            for share in [0.551, 0.6, 0.75, 0.99] {
                let hertz = f64::from(low) * share;
                let input = tone(MIX_RATE, hertz, 20_000.0, 48_000);
                let out = run(MIX_RATE, low, &input);
                let level = decibels(rms(&out[low as usize / 10..]) * 2.0_f64.sqrt() / 20_000.0);
                assert!(level < -60.0, "{low}: {hertz} Hz leaves {level} dB");
            }
        }
    }

    #[test]
    fn the_delay_is_as_documented() {
        for (from, to) in [(8_000, MIX_RATE), (MIX_RATE, 8_000), (16_000, MIX_RATE)] {
            let mut input = vec![0; from as usize / 10];
            input[100] = 30_000;
            let out = run(from, to, &input);
            // The middle of the response, weighted by energy.
            let (mut moment, mut energy) = (0.0, 0.0);
            for (i, &s) in out.iter().enumerate() {
                moment += i as f64 * f64::from(s).powi(2);
                energy += f64::from(s).powi(2);
            }
            let at_48k = moment / energy * 48_000.0 / f64::from(to);
            let sent = 100.0 * 48_000.0 / f64::from(from);
            let delay = at_48k - sent;
            let documented = f64::from(Resampler::new(from, to).unwrap().delay());
            assert!(
                (delay - documented).abs() < 3.5,
                "{from} to {to}: {delay} {documented}"
            );
        }
    }

    #[test]
    fn a_full_scale_square_wave_does_not_wrap() {
        let input: Vec<i16> = (0..800)
            .map(|n| if n / 10 % 2 == 0 { 32_767 } else { -32_768 })
            .collect();
        let out = run(8_000, MIX_RATE, &input);
        // Wrapping would show as a step between the extremes.
        let steepest = out
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
            .max();
        assert!(steepest.unwrap() < 20_000, "{steepest:?}");
    }
}
