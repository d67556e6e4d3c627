//! Sound files and the prompts that are built in: WAV to the mixer's 48 kHz mono, and back.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use media::codec::Resampler;
use wire::plan::Prompt;

/// A prompt and its samples.
pub(crate) type Clip = (Prompt, Arc<[i16]>);

/// Every built-in prompt with its samples.
///
/// # Errors
/// Never with the files that are built in, as a test shows.
pub(crate) fn prompts() -> Result<Vec<Clip>, SoundError> {
    PROMPTS
        .iter()
        .map(|(prompt, wav)| Ok((*prompt, decode(*wav)?.into())))
        .collect()
}

/// Reads a WAV file: 8, 16, 24 or 48 kHz, 16 bits, any number of channels (mixed to one).
///
/// # Errors
/// [`SoundError`] when the file cannot be read or is of another kind.
pub(crate) fn read(path: &Path) -> Result<Arc<[i16]>, SoundError> {
    let file = std::fs::File::open(path).map_err(|source| SoundError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(decode(std::io::BufReader::new(file))?.into())
}

/// Writes 48 kHz mono.
///
/// # Errors
/// [`SoundError`] when the file cannot be written.
pub(crate) fn write(path: &Path, samples: &[i16]) -> Result<(), SoundError> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

/// Why a sound cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// No such file, or no right to it.
    #[error("cannot open {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a WAV file, or it breaks off.
    #[error("not a usable WAV file: {0}")]
    Wav(#[from] hound::Error),
    /// A WAV file of a kind that we do not play.
    #[error(
        "the file has {rate} Hz and {bits} bits; use 8000, 16000, 24000 or 48000 Hz and 16 bits"
    )]
    Kind {
        /// Samples per second.
        rate: u32,
        /// Bits per sample.
        bits: u16,
    },
}

fn decode(wav: impl Read) -> Result<Vec<i16>, SoundError> {
    let mut reader = WavReader::new(wav)?;
    let spec = reader.spec();
    let kind = SoundError::Kind {
        rate: spec.sample_rate,
        bits: spec.bits_per_sample,
    };
    if spec.bits_per_sample != 16 || spec.sample_format != SampleFormat::Int || spec.channels == 0 {
        return Err(kind);
    }
    let all: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>()?;
    let mono: Vec<i16> = all
        .chunks_exact(usize::from(spec.channels))
        .map(|frame| {
            (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / i32::from(spec.channels)) as i16
        })
        .collect();
    if spec.sample_rate == RATE {
        return Ok(mono);
    }
    let mut resampler = Resampler::new(spec.sample_rate, RATE).map_err(|_| kind)?;
    let mut out = vec![0; mono.len() * (RATE / spec.sample_rate) as usize];
    let kind = SoundError::Kind {
        rate: spec.sample_rate,
        bits: spec.bits_per_sample,
    };
    let len = resampler.process(&mono, &mut out).map_err(|_| kind)?;
    out.truncate(len);
    Ok(out)
}

/// The mixer's rate.
const RATE: u32 = 48_000;

const PROMPTS: [(Prompt, &[u8]); 12] = [
    (
        Prompt::EnterMeetingId,
        include_bytes!("../../config/prompts/enter-meeting-id.wav"),
    ),
    (
        Prompt::UnknownMeetingId,
        include_bytes!("../../config/prompts/unknown-meeting-id.wav"),
    ),
    (
        Prompt::Goodbye,
        include_bytes!("../../config/prompts/goodbye.wav"),
    ),
    (
        Prompt::Joined,
        include_bytes!("../../config/prompts/joined.wav"),
    ),
    (
        Prompt::MeetingEnded,
        include_bytes!("../../config/prompts/meeting-ended.wav"),
    ),
    (
        Prompt::MeetingFull,
        include_bytes!("../../config/prompts/meeting-full.wav"),
    ),
    (
        Prompt::MeetingLocked,
        include_bytes!("../../config/prompts/meeting-locked.wav"),
    ),
    (
        Prompt::MeetingUnlocked,
        include_bytes!("../../config/prompts/meeting-unlocked.wav"),
    ),
    (
        Prompt::Muted,
        include_bytes!("../../config/prompts/muted.wav"),
    ),
    (
        Prompt::Unmuted,
        include_bytes!("../../config/prompts/unmuted.wav"),
    ),
    (
        Prompt::SomeoneJoined,
        include_bytes!("../../config/prompts/someone-joined.wav"),
    ),
    (
        Prompt::SomeoneLeft,
        include_bytes!("../../config/prompts/someone-left.wav"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_there_and_loud_enough_to_be_heard() {
        for (prompt, samples) in prompts().unwrap() {
            let power: f64 =
                samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
            let level = 20.0 * (power.sqrt() / 32768.0).log10();
            assert!(
                samples.len() > 4800 && (-35.0..-10.0).contains(&level),
                "{prompt:?}: {level} dBFS"
            );
        }
    }

    #[test]
    fn a_file_of_another_rate_is_refused_with_what_would_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cd.wav");
        let spec = WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(&path, spec).unwrap();
        writer.write_sample(1i16).unwrap();
        writer.write_sample(1i16).unwrap();
        writer.finalize().unwrap();
        assert!(matches!(
            read(&path),
            Err(SoundError::Kind {
                rate: 44_100,
                bits: 16
            })
        ));
    }

    #[test]
    fn what_was_written_is_read_back_and_a_narrow_file_is_widened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let samples: Vec<i16> = (0..960).collect();
        write(&path, &samples).unwrap();
        assert_eq!(*read(&path).unwrap(), *samples);

        let narrow = folder.path().join("b.wav");
        let spec = WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(&narrow, spec).unwrap();
        (0..800).for_each(|_| writer.write_sample(1000i16).unwrap());
        writer.finalize().unwrap();
        assert_eq!(read(&narrow).unwrap().len(), 4800);
    }
}
