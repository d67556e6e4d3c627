//! How loud a frame is.

/// The level of digital silence, and of whoever is not heard: 127 dB below full scale (RFC 6464 §3).
pub const SILENT: u8 = 127;

/// Level of a frame as RFC 6464 §3 has it: attenuation of its root mean square in dB below overload (a
/// full-scale square wave), 0 to 127.
#[must_use]
pub fn level_of(samples: &[i16]) -> u8 {
    if samples.is_empty() {
        return SILENT;
    }
    // 960 squares of 2^30 fit with 24 bits to spare.
    let energy: u64 = samples
        .iter()
        .map(|&s| u64::from(i32::from(s).unsigned_abs().pow(2)))
        .sum();
    let mean = energy as f64 / samples.len() as f64;
    if mean < 1.0 {
        return SILENT;
    }
    let below = -10.0 * (mean / (32_767.0 * 32_767.0)).log10();
    below.round().clamp(0.0, f64::from(SILENT)) as u8
}
