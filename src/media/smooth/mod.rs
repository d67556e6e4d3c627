//! From packets that come when they like to 20 ms of sound on every tick.
//!
//! [`PlayOut`] joins the parts: [`JitterBuffer`] keeps packets in order, [`delay`](self) decides how long they
//! wait, the decoder of [`crate::codec`] makes samples and conceals, and stretching by whole pitch periods
//! moves the delay without a click. Positions and delays inside are in samples at 48 kHz.

mod buffer;
mod delay;
mod playout;
mod queue;
#[cfg(test)]
mod tests;
mod timeline;

pub use buffer::{Arrived, JitterBuffer, Put};
pub use playout::{Counters, Fate, PlayOut, Played};

/// The least delay of the buffer in milliseconds.
pub const MIN_DELAY_MS: u32 = 20;

/// The greatest delay of the buffer in milliseconds; what comes later than this is late.
pub const MAX_DELAY_MS: u32 = 200;

/// Samples at 48 kHz in a millisecond.
const PER_MS: i64 = 48;
