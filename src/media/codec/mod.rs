//! Audio codecs at their own rates, and resampling between those and the mixer's.
//!
//! Everything here is built once per leg and then works without allocating: [`Decoder`] (with
//! concealment and Opus in-band FEC), [`Encoder`], [`Resampler`], [`Comfort`] noise, and [`Packer`], which turns the
//! mixer's 20 ms frames into packets of the agreed length.

mod comfort;
mod conceal;
mod decoder;
mod encoder;
mod g722;
mod packer;
mod resample;
#[cfg(test)]
pub(crate) mod tests;

pub use comfort::{Comfort, Description};
pub use decoder::{Decoder, opus_has_fec};
pub use encoder::{Encoder, Encoding, OPUS_BITRATE};
pub use packer::{Packer, Packets};
pub use resample::Resampler;

use thiserror::Error;

/// The mixer's sampling rate in Hz.
pub const MIX_RATE: u32 = 48_000;

/// Samples in one mixer tick: 20 ms at 48 kHz, mono.
pub const FRAME: usize = 960;

/// Milliseconds in one mixer tick.
pub const TICK_MS: u32 = 20;

/// The longest packet that is decoded: 120 ms (RFC 7587 §4.2 for Opus; the same bound for all).
pub const MAX_PACKET_MS: u32 = 120;

/// What may go wrong in a codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CodecError {
    /// The peer's payload is not of this codec, or longer than [`MAX_PACKET_MS`].
    #[error("the payload cannot be decoded")]
    Malformed,
    /// Ours: the output is too short for what was asked.
    #[error("the output is too short")]
    OutputTooShort,
    /// Ours: a number of samples that the codec cannot encode at once.
    #[error("the codec has no frame of that length")]
    FrameLength,
    /// Ours: rates that have no filter here, or settings that libopus refuses.
    #[error("the codec cannot be set up so")]
    Setup,
}
