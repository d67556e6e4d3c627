//! G.722 at 64 kbit/s (ITU-T G.722, mode 1).
//!
//! Our own rather than a crate's, for two reasons. Where a listener changes from one encoder to another,
//! the second must continue with the adaptive state of the first ([`Encoder`] is `Clone`); the crate at hand
//! keeps its state to itself, and an encoder that begins anew is heard for some milliseconds. And that crate
//! starts with other step sizes than the Recommendation, so its first codes differ from everybody else's.
//!
//! Block numbers are those of the Recommendation's Figures 4 to 6; all arithmetic is on 16-bit values held in `i32`.

/// Turns pairs of 16 kHz samples into octets.
#[derive(Clone)]
pub(crate) struct Encoder {
    low: Band,
    high: Band,
    line: [i32; 24],
}

/// Turns octets into pairs of 16 kHz samples.
#[derive(Clone)]
pub(crate) struct Decoder {
    low: Band,
    high: Band,
    line: [i32; 24],
}

/// The adaptive predictor and quantiser of one band.
#[derive(Clone)]
struct Band {
    /// Logarithmic scale factor (NB) and the quantiser's step (DET) made from it.
    log_scale: i32,
    step: i32,
    /// The prediction (S) and its share from the zeros (SZ).
    predicted: i32,
    from_zeros: i32,
    /// Coefficients of the two poles (A) and six zeros (B).
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The last reconstructed signals (R), partial ones (P) and differences (D), newest first.
    rebuilt: [i32; 2],
    partial: [i32; 2],
    differences: [i32; 6],
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            low: Band::new(LOW_FIRST_STEP),
            high: Band::new(HIGH_FIRST_STEP),
            line: [0; 24],
        }
    }

    /// Encodes as many whole pairs as both slices hold, and returns the number of octets.
    pub(crate) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let pairs = pcm.as_chunks::<2>().0;
        for (&[first, second], code) in pairs.iter().zip(&mut *out) {
            let (low, high) = self.split(i32::from(first), i32::from(second));
            *code = (self.high_code(high) << 6 | self.low_code(low)) as u8;
        }
        pairs.len().min(out.len())
    }

    /// The transmit quadrature mirror filter.
    fn split(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.line.copy_within(2.., 0);
        self.line[22] = first;
        self.line[23] = second;
        let (mut older, mut newer) = (0, 0);
        for (i, pair) in self.line.as_chunks::<2>().0.iter().enumerate() {
            older += pair[0] * QMF[i];
            newer += pair[1] * QMF[11 - i];
        }
        ((newer + older) >> 14, (newer - older) >> 14)
    }

    /// Blocks 1L to 4L.
    fn low_code(&mut self, sample: i32) -> usize {
        let error = saturate(sample - self.low.predicted);
        let size = if error >= 0 { error } else { -(error + 1) };
        let level = LOW_DECISIONS
            .iter()
            .position(|&decision| size < (decision * self.low.step) >> 12)
            .unwrap_or(LOW_DECISIONS.len());
        // Codes run downwards with the level, but for the two innermost of either sign.
        let code = match (error < 0, level) {
            (true, 0..2) => 63 - level,
            (true, _) => 33 - level,
            (false, _) => 61 - level,
        };
        self.low.low_adapt(code >> 2);
        code
    }

    /// Blocks 1H to 4H.
    fn high_code(&mut self, sample: i32) -> usize {
        let error = saturate(sample - self.high.predicted);
        let size = if error >= 0 { error } else { -(error + 1) };
        let outer = size >= (564 * self.high.step) >> 12;
        let code = match (error < 0, outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.high_adapt(code);
        code
    }
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            low: Band::new(LOW_FIRST_STEP),
            high: Band::new(HIGH_FIRST_STEP),
            line: [0; 24],
        }
    }

    /// Decodes as many octets as `out` has room for, and returns the number of samples.
    pub(crate) fn decode(&mut self, codes: &[u8], out: &mut [i16]) -> usize {
        let pairs = out.as_chunks_mut::<2>().0;
        let count = codes.len().min(pairs.len());
        for (&code, pair) in codes.iter().zip(pairs) {
            let (low_code, high_code) = (usize::from(code & 63), usize::from(code >> 6));
            // Blocks 5L and 6L: all six bits are heard, but only four of them adapt.
            let low = self.low.predicted + ((self.low.step * LOW_64K[low_code]) >> 15);
            self.low.low_adapt(low_code >> 2);
            let high = self.high.predicted + ((self.high.step * HIGH_LEVELS[high_code]) >> 15);
            self.high.high_adapt(high_code);
            *pair = self.join(low.clamp(-16_384, 16_383), high.clamp(-16_384, 16_383));
        }
        count * 2
    }

    /// The receive quadrature mirror filter.
    fn join(&mut self, low: i32, high: i32) -> [i16; 2] {
        self.line.copy_within(2.., 0);
        self.line[22] = low + high;
        self.line[23] = low - high;
        let (mut first, mut second) = (0, 0);
        for (i, pair) in self.line.as_chunks::<2>().0.iter().enumerate() {
            second += pair[0] * QMF[i];
            first += pair[1] * QMF[11 - i];
        }
        [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
    }
}

impl Band {
    fn new(step: i32) -> Self {
        Self {
            log_scale: 0,
            step,
            predicted: 0,
            from_zeros: 0,
            poles: [0; 2],
            zeros: [0; 6],
            rebuilt: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
        }
    }

    /// Blocks 2L and 3L, then 4: `code` is the low band's, without its two last bits.
    fn low_adapt(&mut self, code: usize) {
        let difference = (self.step * LOW_48K[code]) >> 15;
        self.rescale(LOW_GROWTH[code], 18_432, 8);
        self.predict(difference);
    }

    /// Blocks 2H and 3H, then 4.
    fn high_adapt(&mut self, code: usize) {
        let difference = (self.step * HIGH_LEVELS[code]) >> 15;
        self.rescale(HIGH_GROWTH[code], 22_528, 10);
        self.predict(difference);
    }

    /// LOGSCL and SCALEL (LOGSCH, SCALEH).
    fn rescale(&mut self, growth: i32, most: i32, shift: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + growth).clamp(0, most);
        let mantissa = INVERSE_LOG[(self.log_scale >> 6 & 31) as usize];
        let down = shift - (self.log_scale >> 11);
        let linear = if down < 0 {
            mantissa << -down
        } else {
            mantissa >> down
        };
        self.step = linear << 2;
    }

    /// Block 4: adapts the predictor to the new difference, and predicts the next sample.
    fn predict(&mut self, difference: i32) {
        let rebuilt = saturate(self.predicted + difference);
        let partial = saturate(self.from_zeros + difference);
        let same = |a: i32, b: i32| (a < 0) == (b < 0);

        // UPPOL2
        let first = saturate(self.poles[0] << 2);
        let turned = if same(partial, self.partial[0]) {
            -first
        } else {
            first
        };
        let second = (turned.min(32_767) >> 7)
            + if same(partial, self.partial[1]) {
                128
            } else {
                -128
            }
            + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        // UPPOL1
        let push = if same(partial, self.partial[0]) {
            192
        } else {
            -192
        };
        let bound = 15_360 - second;
        self.poles[0] = (push + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);
        self.poles[1] = second;

        // UPZERO
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, &earlier) in self.zeros.iter_mut().zip(&self.differences) {
            let towards = if same(earlier, difference) {
                push
            } else {
                -push
            };
            *zero = saturate(towards + ((*zero * 32_640) >> 15));
        }

        // DELAYA
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];

        // FILTEP, FILTEZ, PREDIC
        let weigh = |coefficient: i32, value: i32| (coefficient * saturate(value << 1)) >> 15;
        let from_poles =
            saturate(weigh(self.poles[0], self.rebuilt[0]) + weigh(self.poles[1], self.rebuilt[1]));
        let from_zeros: i32 = self
            .zeros
            .iter()
            .zip(&self.differences)
            .map(|(&zero, &earlier)| weigh(zero, earlier))
            .sum();
        self.from_zeros = saturate(from_zeros);
        self.predicted = saturate(from_poles + self.from_zeros);
    }
}

fn saturate(x: i32) -> i32 {
    x.clamp(-32_768, 32_767)
}

const LOW_FIRST_STEP: i32 = 32;
const HIGH_FIRST_STEP: i32 = 8;

/// Filter of both quadrature mirror filters (Table 11), every second coefficient.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the low band's quantiser (Table 14).
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Levels of the low band by all six bits of the code (Table 17).
const LOW_64K: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];

/// The same by its first four bits (Table 17).
const LOW_48K: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];

/// Growth of the low band's logarithmic scale factor by the first four bits (Tables 19 and 20, combined).
const LOW_GROWTH: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];

/// Levels of the high band by its two bits (Table 18).
const HIGH_LEVELS: [i32; 4] = [-7408, -1616, 7408, 1616];

/// Growth of the high band's logarithmic scale factor (Tables 19 and 20, combined).
const HIGH_GROWTH: [i32; 4] = [798, -214, 798, -214];

/// 2048 · 2^(n/32) (Table 21).
const INVERSE_LOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
