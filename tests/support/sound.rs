//! Ears and voices: reads and writes WAV files, and tells how loud a tone is in them.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// Mono sound, samples from -1 to 1.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    /// Samples per second.
    pub(crate) rate: u32,
    /// One channel; files with more are mixed down.
    pub(crate) samples: Vec<f64>,
}

impl Sound {
    /// A sine of `hz` for `seconds`, at `dbfs` RMS relative to a full-scale sine.
    pub(crate) fn tone(rate: u32, hz: f64, seconds: f64, dbfs: f64) -> Self {
        let amplitude = 10_f64.powf(dbfs / 20.0);
        let count = (f64::from(rate) * seconds).round() as usize;
        let samples = (0..count)
            .map(|at| amplitude * (TAU * hz * at as f64 / f64::from(rate)).sin())
            .collect();
        Self { rate, samples }
    }

    /// Reads 16-bit PCM, or 32-bit float, of any number of channels. Panics when it is something else.
    ///
    /// A recorder that was cut off leaves the sizes in the header at zero; then all that follows counts.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(
            bytes.len() >= 12 && &bytes[0..4] == b"RIFF" && &bytes[8..12] == b"WAVE",
            "{} is no WAV",
            path.display()
        );
        let mut at = 12;
        let (mut format, mut channels, mut rate, mut bits) = (0, 0, 0, 0);
        while at + 8 <= bytes.len() {
            let name = &bytes[at..at + 4];
            let size = u32_at(&bytes, at + 4) as usize;
            at += 8;
            if name == b"fmt " {
                (format, channels) = (u16_at(&bytes, at), usize::from(u16_at(&bytes, at + 2)));
                (rate, bits) = (u32_at(&bytes, at + 4), u16_at(&bytes, at + 14));
            } else if name == b"data" {
                let rest = bytes.len() - at;
                let data = &bytes[at..at + if size == 0 || size > rest { rest } else { size }];
                return Self {
                    rate,
                    samples: samples(data, format, bits, channels),
                };
            }
            at += size + size % 2;
        }
        panic!("{} has no sound in it", path.display());
    }

    /// Writes 16-bit mono PCM.
    pub(crate) fn write(&self, path: &Path) {
        self.write_channels(path, 1);
    }

    /// Writes 16-bit PCM with the same sound on every channel.
    pub(crate) fn write_channels(&self, path: &Path, channels: u16) {
        let data: Vec<u8> = self
            .samples
            .iter()
            .map(|sample| ((sample.clamp(-1.0, 1.0) * 32767.0).round() as i16).to_le_bytes())
            .flat_map(|sample| sample.repeat(usize::from(channels)))
            .collect();
        let size = u32::try_from(data.len()).unwrap();
        let width = channels * 2;
        let mut file = Vec::with_capacity(data.len() + 44);
        file.extend_from_slice(b"RIFF");
        file.extend_from_slice(&(size + 36).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt ");
        file.extend_from_slice(&16_u32.to_le_bytes());
        file.extend_from_slice(&1_u16.to_le_bytes());
        file.extend_from_slice(&channels.to_le_bytes());
        file.extend_from_slice(&self.rate.to_le_bytes());
        file.extend_from_slice(&(self.rate * u32::from(width)).to_le_bytes());
        file.extend_from_slice(&width.to_le_bytes());
        file.extend_from_slice(&16_u16.to_le_bytes());
        file.extend_from_slice(b"data");
        file.extend_from_slice(&size.to_le_bytes());
        file.extend_from_slice(&data);
        fs::write(path, file).unwrap();
    }

    /// Seconds of sound.
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// How loud `hz` is over the whole, in dB below a full-scale sine.
    pub(crate) fn tone_dbfs(&self, hz: f64) -> f64 {
        goertzel_dbfs(&self.samples, self.rate, hz)
    }

    /// In which share (0 to 1) of the 100 ms windows `hz` is at least `dbfs` loud, and no mere trace of what is louder.
    pub(crate) fn share_with_tone(&self, hz: f64, dbfs: f64) -> f64 {
        let window = self.rate as usize / 10;
        let windows: Vec<_> = self.samples.chunks_exact(window).collect();
        if windows.is_empty() {
            return 0.0;
        }
        let with = windows
            .iter()
            .filter(|samples| {
                let level = goertzel_dbfs(samples, self.rate, hz);
                level >= dbfs && level >= power_dbfs(samples) - TRACE_DB
            })
            .count();
        with as f64 / windows.len() as f64
    }

    /// Whether `hz` can be heard for at least half a second in all: the question of most tests.
    pub(crate) fn has_tone(&self, hz: f64) -> bool {
        self.share_with_tone(hz, HEARD_DBFS) * self.seconds() >= 0.5
    }
}

/// Louder than this in a 100 ms window is heard: 25 dB above what a codec leaves at neighbouring tones,
/// 20 dB below what the tests play.
pub(crate) const HEARD_DBFS: f64 = -45.0;

/// A tone that is cut off spreads over all frequencies, this far below itself.
const TRACE_DB: f64 = 20.0;

/// How loud all of it is, in dB below a full-scale sine.
fn power_dbfs(samples: &[f64]) -> f64 {
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
    10.0 * (2.0 * power).max(1e-18).log10()
}

/// The Goertzel filter: the level of one frequency, with a Hann window so that neighbours stay out.
fn goertzel_dbfs(samples: &[f64], rate: u32, hz: f64) -> f64 {
    let count = samples.len();
    if count == 0 {
        return f64::NEG_INFINITY;
    }
    let turn = TAU * hz / f64::from(rate);
    let coefficient = 2.0 * turn.cos();
    let (mut before, mut last) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let hann = 0.5 - 0.5 * (TAU * at as f64 / count as f64).cos();
        let now = sample * hann + coefficient * last - before;
        (before, last) = (last, now);
    }
    let power = last * last + before * before - coefficient * last * before;
    // The Hann window halves the amplitude, and a sine of amplitude 1 sums to count/2.
    let amplitude = power.max(0.0).sqrt() * 4.0 / count as f64;
    20.0 * amplitude.max(1e-9).log10()
}

fn samples(data: &[u8], format: u16, bits: u16, channels: usize) -> Vec<f64> {
    let one: Vec<f64> = match (format, bits) {
        (1 | 0xfffe, 16) => data
            .chunks_exact(2)
            .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0)
            .collect(),
        (3, 32) => data
            .chunks_exact(4)
            .map(|four| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        other => panic!("cannot read WAV format and bits {other:?}"),
    };
    one.chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f64>() / channels as f64)
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
