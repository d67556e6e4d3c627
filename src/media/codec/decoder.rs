//! Payloads to samples at the codec's own rate, and what to play where a payload is missing.

use audio_codec::Decoder as _;
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;
use wire::plan::AudioCodec;

use super::conceal::Concealer;
use super::g722;
use super::{CodecError, MAX_PACKET_MS};

/// Decodes one incoming stream to mono samples at [`AudioCodec::sample_rate`].
pub struct Decoder {
    codec: AudioCodec,
    machine: Machine,
}

enum Machine {
    /// libopus conceals by itself, with knowledge that waveform substitution lacks.
    Opus(opus::Decoder),
    Wave(Box<WaveDecoder>),
}

struct WaveDecoder {
    law: Law,
    concealer: Concealer,
}

enum Law {
    Pcmu(PcmuDecoder),
    Pcma(PcmaDecoder),
    G722(Box<g722::Decoder>),
}

impl Decoder {
    /// A decoder for one stream.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when libopus cannot be set up (out of memory).
    pub fn new(codec: AudioCodec) -> Result<Self, CodecError> {
        let wave = |law| {
            Machine::Wave(Box::new(WaveDecoder {
                law,
                concealer: Concealer::new(codec.sample_rate()),
            }))
        };
        let machine = match codec {
            // A stereo packet is mixed down by a mono decoder (RFC 7587 §3.4).
            AudioCodec::Opus => Machine::Opus(
                opus::Decoder::new(codec.sample_rate(), opus::Channels::Mono)
                    .map_err(|_| CodecError::Setup)?,
            ),
            AudioCodec::G722 => wave(Law::G722(Box::new(g722::Decoder::new()))),
            AudioCodec::Pcmu => wave(Law::Pcmu(PcmuDecoder::new())),
            AudioCodec::Pcma => wave(Law::Pcma(PcmaDecoder::new())),
        };
        Ok(Self { codec, machine })
    }

    /// The codec.
    #[must_use]
    pub fn codec(&self) -> AudioCodec {
        self.codec
    }

    /// How many samples `payload` holds at the codec's rate, without decoding it.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when it is empty, longer than [`MAX_PACKET_MS`], or no Opus packet.
    pub fn samples_in(codec: AudioCodec, payload: &[u8]) -> Result<usize, CodecError> {
        let samples = match codec {
            AudioCodec::Opus if payload.is_empty() => 0,
            AudioCodec::Opus => opus::packet::get_nb_samples(payload, codec.sample_rate())
                .map_err(|_| CodecError::Malformed)?,
            AudioCodec::G722 => payload.len() * 2,
            AudioCodec::Pcmu | AudioCodec::Pcma => payload.len(),
        };
        if samples == 0 || samples > (codec.sample_rate() / 1000 * MAX_PACKET_MS) as usize {
            return Err(CodecError::Malformed);
        }
        Ok(samples)
    }

    /// Decodes one payload, returning the number of samples written.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when the peer's payload does not decode, [`CodecError::OutputTooShort`].
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = Self::samples_in(self.codec, payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::OutputTooShort)?;
        match &mut self.machine {
            Machine::Opus(opus) => opus
                .decode(payload, out, false)
                .map_err(|_| CodecError::Malformed),
            Machine::Wave(wave) => {
                let written = match &mut wave.law {
                    Law::Pcmu(pcmu) => pcmu.decode_into(payload, out),
                    Law::Pcma(pcma) => pcma.decode_into(payload, out),
                    Law::G722(g722) => Ok(g722.decode(payload, out)),
                }
                .map_err(|_| CodecError::Malformed)?;
                if let Some(heard) = out.get_mut(..written) {
                    wave.concealer.heard(heard);
                }
                Ok(written)
            }
        }
    }

    /// Fills `out` with the packet before `next`, from the low-rate copy that `next` carries (RFC 6716
    /// §2.1.7). `out` is as long as the missing packet. Where there is no copy, it is concealed.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when `next` is no Opus packet, [`CodecError::FrameLength`] as [`Self::conceal`].
    pub fn decode_fec(&mut self, next: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        match &mut self.machine {
            Machine::Opus(opus) => {
                if out.is_empty() || !out.len().is_multiple_of(OPUS_STEP) {
                    return Err(CodecError::FrameLength);
                }
                Self::samples_in(self.codec, next)?;
                opus.decode(next, out, true)
                    .map_err(|_| CodecError::Malformed)
            }
            Machine::Wave(_) => {
                self.conceal(out)?;
                Ok(out.len())
            }
        }
    }

    /// Fills all of `out` with what the missing sound may have been like. G.711 and G.722 fade to
    /// silence within 120 ms; Opus fades slower, by libopus' own rule.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] when Opus is asked for anything but a multiple of 2.5 ms.
    pub fn conceal(&mut self, out: &mut [i16]) -> Result<(), CodecError> {
        match &mut self.machine {
            Machine::Opus(opus) => {
                if out.is_empty() || !out.len().is_multiple_of(OPUS_STEP) {
                    return Err(CodecError::FrameLength);
                }
                // libopus conceals 120 ms at most at a time.
                for part in out.chunks_mut(OPUS_STEP * 48) {
                    opus.decode(&[], part, false)
                        .map_err(|_| CodecError::FrameLength)?;
                }
            }
            Machine::Wave(wave) => wave.concealer.conceal(out),
        }
        Ok(())
    }

    /// Forgets the stream so far, as if newly built.
    pub fn reset(&mut self) {
        match &mut self.machine {
            Machine::Opus(opus) => {
                // Resetting a state that exists has no way to fail.
                let _ = opus.reset_state();
            }
            Machine::Wave(wave) => {
                if let Law::G722(g722) = &mut wave.law {
                    **g722 = g722::Decoder::new();
                }
                wave.concealer.reset();
            }
        }
    }
}

/// 2.5 ms at 48 kHz.
const OPUS_STEP: usize = 120;

/// Whether an Opus packet carries a copy of the one before it (low bit-rate redundancy, RFC 6716 §4.2.2
/// and §4.2.3). Only SILK and hybrid packets can.
#[must_use]
pub fn opus_has_fec(packet: &[u8]) -> bool {
    let Some((&toc, rest)) = packet.split_first() else {
        return false;
    };
    let config = toc >> 3;
    if config >= 16 {
        return false;
    }
    // SILK frames in an Opus frame: 10 and 20 ms hold one, 40 ms two, 60 ms three (RFC 6716 §3.1, §4.2.2).
    let silk_frames = match config {
        0..12 => [1, 1, 2, 3][usize::from(config & 3)],
        _ => 1,
    };
    let first = match toc & 3 {
        0 | 1 => rest.first(),
        2 => match rest.first() {
            Some(0..252) => rest.get(1),
            _ => rest.get(2),
        },
        _ => return code_3_first(rest).is_some_and(|b| lbrr_flag(b, silk_frames, toc)),
    };
    first.is_some_and(|&b| lbrr_flag(b, silk_frames, toc))
}

/// The first octet of the first frame of a code 3 packet (RFC 6716 §3.2.5).
fn code_3_first(rest: &[u8]) -> Option<u8> {
    let (&count, mut rest) = rest.split_first()?;
    if count & 0x40 != 0 {
        loop {
            let (&padding, more) = rest.split_first()?;
            rest = more;
            if padding != 255 {
                break;
            }
        }
    }
    if count & 0x80 != 0 {
        for _ in 1..(count & 0x3f) {
            let (&length, more) = rest.split_first()?;
            rest = if length < 252 { more } else { more.get(1..)? };
        }
    }
    rest.first().copied()
}

/// The LBRR flag follows one voice-activity flag per SILK frame, for mid and then for side.
fn lbrr_flag(first: u8, silk_frames: u32, toc: u8) -> bool {
    let mid = first >> (7 - silk_frames) & 1 != 0;
    let stereo = toc & 4 != 0;
    let side = stereo
        && first
            .checked_shr(6 - 2 * silk_frames.min(3))
            .is_some_and(|b| b & 1 != 0);
    mid || side
}
