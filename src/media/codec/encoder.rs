//! Samples at the codec's own rate to payloads.

use audio_codec::Encoder as _;
use audio_codec::pcma::PcmaEncoder;
use audio_codec::pcmu::PcmuEncoder;
use wire::plan::{AudioCodec, AudioFormat};

use super::{CodecError, g722};

/// How a stream is encoded. Listeners with equal values can share one encoder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Encoding {
    /// The codec.
    pub codec: AudioCodec,
    /// Opus: bit/s. Ignored by the others, whose rate is fixed.
    pub bitrate: u32,
    /// Opus: carry a low-rate copy of each frame in the next one (RFC 6716 §2.1.7).
    pub fec: bool,
    /// Milliseconds of sound in a packet: 10 to 60.
    pub ptime_ms: u8,
}

impl Encoding {
    /// What a plan's format asks for. Lengths that the codec lacks become the next shorter one it has
    /// (Opus has 10, 20, 40 and 60 ms, the others every multiple of 10); the bitrate is at most [`OPUS_BITRATE`].
    #[must_use]
    pub fn of(format: &AudioFormat) -> Self {
        let tens = (format.ptime_ms / 10).clamp(1, 6);
        let (tens, bitrate) = match format.codec {
            AudioCodec::Opus => (
                match tens {
                    3 => 2,
                    5 => 4,
                    other => other,
                },
                format
                    .max_bitrate
                    .map_or(OPUS_BITRATE, |most| most.clamp(6_000, OPUS_BITRATE)),
            ),
            _ => (tens, 64_000),
        };
        Self {
            codec: format.codec,
            bitrate,
            fec: format.inband_fec && format.codec == AudioCodec::Opus,
            ptime_ms: tens * 10,
        }
    }

    /// Samples of one packet at the codec's rate.
    #[must_use]
    pub fn packet_samples(&self) -> usize {
        self.codec.sample_rate() as usize / 1000 * usize::from(self.ptime_ms)
    }

    /// RTP clock ticks of one packet.
    #[must_use]
    pub fn packet_ticks(&self) -> u32 {
        self.codec.rtp_clock() / 1000 * u32::from(self.ptime_ms)
    }
}

/// Encodes one outgoing stream of mono samples.
pub struct Encoder {
    encoding: Encoding,
    machine: Machine,
}

enum Machine {
    Opus(opus::Encoder),
    Pcmu(PcmuEncoder),
    Pcma(PcmaEncoder),
    G722(Box<g722::Encoder>),
}

impl Encoder {
    /// An encoder for one stream.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when libopus refuses the settings.
    pub fn new(encoding: Encoding) -> Result<Self, CodecError> {
        let machine = match encoding.codec {
            AudioCodec::Opus => {
                Machine::Opus(opus_encoder(&encoding).map_err(|_| CodecError::Setup)?)
            }
            AudioCodec::G722 => Machine::G722(Box::new(g722::Encoder::new())),
            AudioCodec::Pcmu => Machine::Pcmu(PcmuEncoder::new()),
            AudioCodec::Pcma => Machine::Pcma(PcmaEncoder::new()),
        };
        Ok(Self { encoding, machine })
    }

    /// The settings that it was built with.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Encodes `pcm`, mono at the codec's rate, into one payload and returns its length in octets. Opus
    /// takes 2.5, 5, 10, 20, 40 or 60 ms at a time, G.722 an even number of samples, G.711 any.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`], [`CodecError::OutputTooShort`].
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        match &mut self.machine {
            Machine::Opus(opus) => {
                if !matches!(pcm.len(), 120 | 240 | 480 | 960 | 1920 | 2880) {
                    return Err(CodecError::FrameLength);
                }
                opus.encode(pcm, out)
                    .map_err(|_| CodecError::OutputTooShort)
            }
            Machine::Pcmu(pcmu) => pcmu
                .encode_into(pcm, out)
                .map_err(|_| CodecError::OutputTooShort),
            Machine::Pcma(pcma) => pcma
                .encode_into(pcm, out)
                .map_err(|_| CodecError::OutputTooShort),
            Machine::G722(_) if !pcm.len().is_multiple_of(2) => Err(CodecError::FrameLength),
            Machine::G722(_) if out.len() < pcm.len() / 2 => Err(CodecError::OutputTooShort),
            Machine::G722(g722) => Ok(g722.encode(pcm, out)),
        }
    }

    /// Opus: whether the next payloads may lean on earlier ones. Turned off for one packet where a
    /// decoder comes over from another encoder's stream. Without effect on the others.
    pub fn set_prediction(&mut self, on: bool) {
        if let Machine::Opus(opus) = &mut self.machine {
            // Setting a flag of a state that exists has no way to fail.
            let _ = opus.set_prediction_disabled(!on);
        }
    }

    /// Continues another encoder's stream of the same codec, as far as its state can be taken over:
    /// wholly for G.711 and G.722. `false` for Opus, whose state libopus does not give away.
    pub fn follow(&mut self, other: &Self) -> bool {
        match (&mut self.machine, &other.machine) {
            (Machine::G722(own), Machine::G722(others)) => {
                own.clone_from(others);
                true
            }
            (Machine::Pcmu(_), Machine::Pcmu(_)) | (Machine::Pcma(_), Machine::Pcma(_)) => true,
            _ => false,
        }
    }

    /// Forgets the stream so far, as if newly built.
    pub fn reset(&mut self) {
        match &mut self.machine {
            Machine::Opus(opus) => {
                // As above.
                let _ = opus.reset_state();
            }
            Machine::G722(g722) => **g722 = g722::Encoder::new(),
            Machine::Pcmu(_) | Machine::Pcma(_) => {}
        }
    }
}

/// The bitrate of Opus where the other side sets no lower bound: full band for one voice.
pub const OPUS_BITRATE: u32 = 32_000;

/// libopus' effort from 0 to 10. Past 5 the gain on speech at this bitrate is small, the cost is not.
const OPUS_COMPLEXITY: i32 = 5;

/// The loss in percent that in-band FEC is dimensioned for; at 0 libopus would not spend a bit on it.
const FEC_LOSS_PERCENT: i32 = 10;

fn opus_encoder(encoding: &Encoding) -> opus::Result<opus::Encoder> {
    let mut opus = opus::Encoder::new(
        encoding.codec.sample_rate(),
        opus::Channels::Mono,
        opus::Application::Voip,
    )?;
    opus.set_bitrate(opus::Bitrate::Bits(
        i32::try_from(encoding.bitrate).unwrap_or(i32::MAX),
    ))?;
    opus.set_complexity(OPUS_COMPLEXITY)?;
    opus.set_inband_fec(encoding.fec)?;
    opus.set_packet_loss_perc(if encoding.fec { FEC_LOSS_PERCENT } else { 0 })?;
    Ok(opus)
}
