//! Keeps a sum of voices within 16 bits without clipping and without audible steps of gain.
//!
//! The gain is worked out for blocks of 2.5 ms and interpolated between them: down as far as the louder
//! of two neighbouring blocks needs, up again by no more than [`RELEASE`] per block. What a sudden
//! onset still leaves above the threshold within the first block (there is no look-ahead, so no delay)
//! is bent, not cut, by a curve that ends at full scale.

use crate::codec::FRAME;

/// One output's limiter.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    /// Gain at the end of the last frame.
    gain: f32,
}

impl Limiter {
    pub(crate) fn new() -> Self {
        Self { gain: 1.0 }
    }

    /// Limits one frame. While nothing has been louder than the threshold lately, output is input, to the bit.
    pub(crate) fn apply(&mut self, sum: &[i32; FRAME], out: &mut [i16; FRAME]) {
        let mut needed = [1.0_f32; BLOCKS + 1];
        let mut quiet = true;
        for (block, need) in sum.chunks_exact(BLOCK).zip(&mut needed) {
            let peak = block.iter().fold(0, |peak, s| peak.max(s.unsigned_abs()));
            if peak as f32 > THRESHOLD {
                *need = THRESHOLD / peak as f32;
                quiet = false;
            }
        }
        if quiet && self.gain == 1.0 {
            for (slot, &sample) in out.iter_mut().zip(sum) {
                *slot = sample as i16;
            }
            return;
        }
        for (k, (block, slots)) in sum
            .chunks_exact(BLOCK)
            .zip(out.chunks_exact_mut(BLOCK))
            .enumerate()
        {
            let from = self.gain;
            // At a block's end the gain must do for this block and the next.
            let ceiling = needed[k].min(needed[k + 1]);
            let to = ceiling.min(from * RELEASE).min(1.0);
            let step = (to - from) / BLOCK as f32;
            let mut gain = from;
            for (slot, &sample) in slots.iter_mut().zip(block) {
                gain += step;
                *slot = bend(sample as f32 * gain);
            }
            self.gain = to;
        }
    }
}

/// Passes what is below the threshold; above, approaches full scale without ever reaching it.
pub(super) fn bend(x: f32) -> i16 {
    let size = x.abs();
    if size <= THRESHOLD {
        return x.round_ties_even() as i16;
    }
    let over = (size - THRESHOLD) / HEADROOM;
    let bent = THRESHOLD + HEADROOM * over / (1.0 + over);
    bent.copysign(x) as i16
}

const BLOCK: usize = 120;
const BLOCKS: usize = FRAME / BLOCK;
/// -1.2 dB below full scale.
const THRESHOLD: f32 = 28_500.0;
const HEADROOM: f32 = 32_767.0 - THRESHOLD;
/// Rise of the gain per 2.5 ms: 20 dB in a second.
const RELEASE: f32 = 1.005_773;
