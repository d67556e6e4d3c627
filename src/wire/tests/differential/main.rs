//! Our readers beside independent ones, on the same bytes. They agree, or there is a reason that is written here.
//!
//! ```text
//! cargo nextest run -p campanile-wire -E 'binary(differential)' --no-capture
//! ```
//!
//! The oracles are `rtc-rtp` and `rtc-rtcp`, the living line of the `rtp` and `rtcp` crates.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

mod rtcp;
mod rtp;

/// A small generator of our own, so that runs repeat (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`.
    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// True once in `of` times.
    fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn octets(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
