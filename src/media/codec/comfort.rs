//! Comfort noise: what a silent line sounds like (RFC 3389), and the noise itself.
//!
//! A sender that stops in silence describes the silence once: its level, and if it likes its spectrum as
//! reflection coefficients. [`Comfort`] turns that into sound. The same noise fills a mix in which nobody speaks, and the
//! rest of a gap that is too long to be concealed.

/// A description of noise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Description {
    /// dB below overload, 0 to 127 (RFC 3389 §3.1).
    pub level: u8,
    /// Reflection coefficients of an all-pole filter, as many as `order`.
    reflection: [f32; MOST_ORDER],
    order: usize,
}

impl Description {
    /// White noise.
    #[must_use]
    pub fn white(level: u8) -> Self {
        Self {
            level: level.min(127),
            reflection: [0.0; MOST_ORDER],
            order: 0,
        }
    }

    /// Reads a payload (RFC 3389 §3); `None` when it is empty. Coefficients past the twelfth are left out: §3.3 has
    /// no bound, but a filter of an order that high would say nothing more about noise.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        let mut read = Self::white(level & 0x7f);
        for (slot, &octet) in read.reflection.iter_mut().zip(coefficients) {
            // §3.2; 255 is not used and would be no stable filter.
            *slot = 258.0 * (f32::from(octet.min(254)) - 127.0) / 32_768.0;
            read.order += 1;
        }
        Some(read)
    }

    /// The payload for white noise of a level.
    #[must_use]
    pub fn payload(level: u8) -> [u8; 1] {
        [level.min(127)]
    }
}

/// A source of noise. The same from the same beginning, so that runs repeat.
#[derive(Clone, Debug)]
pub struct Comfort {
    description: Description,
    /// Amplitude of the excitation, on its way to `wanted`.
    amplitude: f32,
    wanted: f32,
    backward: [f32; MOST_ORDER + 1],
    random: u32,
}

impl Comfort {
    /// No noise yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            description: Description::white(127),
            amplitude: 0.0,
            wanted: 0.0,
            backward: [0.0; MOST_ORDER + 1],
            random: 0x2545_f491,
        }
    }

    /// What the noise shall be like from now on. A change of level takes some milliseconds, without a step.
    pub fn describe(&mut self, description: Description) {
        if description.order != self.description.order {
            self.backward = [0.0; MOST_ORDER + 1];
        }
        self.description = description;
        self.wanted = if description.level >= 127 {
            0.0
        } else {
            // Power of the filter's output is that of its input over the product of 1 - k².
            let kept: f32 = description.reflection[..description.order]
                .iter()
                .map(|k| 1.0 - k * k)
                .product();
            let rms = 32_767.0 * 10_f32.powf(f32::from(description.level) / -20.0);
            // An even distribution from -a to a has the root mean square a/√3.
            rms * (3.0 * kept).sqrt()
        };
    }

    /// The next sample.
    pub fn sample(&mut self) -> f32 {
        self.amplitude += (self.wanted - self.amplitude) * APPROACH;
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        let even = f32::from((self.random >> 16) as u16) / 32_767.5 - 1.0;
        let mut forward = even * self.amplitude;
        for stage in (0..self.description.order).rev() {
            let k = self.description.reflection[stage];
            let delayed = self.backward[stage];
            forward -= k * delayed;
            self.backward[stage + 1] = delayed + k * forward;
        }
        self.backward[0] = forward;
        forward
    }
}

impl Default for Comfort {
    fn default() -> Self {
        Self::new()
    }
}

const MOST_ORDER: usize = 12;
/// Per sample: two thirds of a change within 8 ms at 8 kHz.
const APPROACH: f32 = 1.0 / 64.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::level_of;

    fn noise(description: Description, count: usize) -> Vec<i16> {
        let mut comfort = Comfort::new();
        comfort.describe(description);
        for _ in 0..4_000 {
            comfort.sample();
        }
        (0..count).map(|_| comfort.sample() as i16).collect()
    }

    #[test]
    fn the_level_is_right_to_1_db_whatever_the_spectrum() {
        for level in [20, 35, 45, 60] {
            for coefficients in [
                &[][..],
                &[60],
                &[200, 90, 140],
                &[10, 240, 60, 180, 127, 20],
            ] {
                let payload = [&[level][..], coefficients].concat();
                let sound = noise(Description::parse(&payload).unwrap(), 80_000);
                let measured = level_of(&sound);
                assert!(measured.abs_diff(level) <= 1, "{payload:?}: {measured}");
            }
        }
    }

    #[test]
    fn a_negative_first_coefficient_is_noise_of_low_pitch() {
        // -r1/r0 is the first coefficient of a predictor 1 + k z⁻¹ + …: neighbours alike make it negative.
        let correlation = |octet| {
            let sound = noise(Description::parse(&[30, octet]).unwrap(), 80_000);
            let (mut next, mut power) = (0.0, 0.0);
            for pair in sound.windows(2) {
                next += f64::from(pair[0]) * f64::from(pair[1]);
                power += f64::from(pair[0]).powi(2);
            }
            next / power
        };
        // 258 × (63 - 127) / 32768 = -0.504.
        assert!(
            (correlation(63) - 0.504).abs() < 0.02,
            "{}",
            correlation(63)
        );
        assert!(correlation(127).abs() < 0.02);
        assert!((correlation(191) + 0.504).abs() < 0.02);
    }

    #[test]
    fn a_change_of_level_has_no_step_and_the_least_level_is_silence() {
        let mut comfort = Comfort::new();
        comfort.describe(Description::white(30));
        let first = comfort.sample().abs();
        assert!(first < 40.0, "{first}");
        comfort.describe(Description::white(127));
        for _ in 0..2_000 {
            comfort.sample();
        }
        assert_eq!(comfort.sample() as i16, 0);
        assert_eq!(Description::parse(&[]), None);
    }
}
