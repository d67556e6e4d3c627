//! The E-model of ITU-T G.107 as far as a packet network determines it: from loss, burstiness and delay to MOS.
//!
//! R = 93.2 − Idd(Ta) − Ie,eff. The default of all other parameters is in the 93.2. The result is an
//! estimate of what listeners would say, comparable between calls, not an opinion of this call.

use wire::plan::AudioCodec;

/// How a codec suffers: its own impairment and its robustness against loss (G.113 Appendix I).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Impairment {
    /// Equipment impairment factor Ie without loss.
    pub ie: f64,
    /// Packet-loss robustness factor Bpl.
    pub bpl: f64,
}

/// G.711 with concealment (ITU: G.113 Appendix I). Our receiver conceals always.
pub const G711_CONCEALED: Impairment = Impairment { ie: 0.0, bpl: 25.1 };
/// G.711 without concealment (ITU: G.113 Appendix I).
pub const G711_PLAIN: Impairment = Impairment { ie: 0.0, bpl: 4.3 };
/// G.722 at 64 kbit/s on the narrow-band scale (ours).
pub const G722: Impairment = Impairment {
    ie: 13.0,
    bpl: 13.0,
};
/// Opus (ours; packets restored by redundancy or FEC count as not lost).
pub const OPUS: Impairment = Impairment { ie: 0.0, bpl: 30.0 };

/// The impairment of a codec. The other side is taken to conceal loss as we do.
#[must_use]
pub fn impairment(codec: AudioCodec) -> Impairment {
    match codec {
        AudioCodec::Pcmu | AudioCodec::Pcma => G711_CONCEALED,
        AudioCodec::G722 => G722,
        AudioCodec::Opus => OPUS,
    }
}

/// What one direction of a call went through in an interval.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conditions {
    /// Packets lost after the jitter buffer (late ones included), in percent, 0 to 100.
    pub loss_percent: f64,
    /// Mean length of a loss burst × (1 − loss rate); 1 for random loss, and never less.
    pub burst_ratio: f64,
    /// One-way delay from mouth to ear in milliseconds: RTT / 2 + packet duration + jitter buffer delay.
    pub delay_ms: f64,
}

/// BurstR of `lost` packets in `bursts` runs among `expected`: mean burst length × (1 − loss rate), at least 1.
#[must_use]
pub fn burst_ratio(expected: u64, lost: u64, bursts: u64) -> f64 {
    if expected == 0 || bursts == 0 {
        return 1.0;
    }
    let mean_burst = lost as f64 / bursts as f64;
    let loss_rate = lost as f64 / expected as f64;
    (mean_burst * (1.0 - loss_rate)).max(1.0)
}

/// The transmission rating R of G.107. Not clamped: heavy loss makes it negative.
#[must_use]
pub fn rating(codec: Impairment, conditions: &Conditions) -> f64 {
    BASE_RATING - delay_impairment(conditions.delay_ms) - effective_equipment(codec, conditions)
}

/// MOS of a rating (G.107 Annex B), held to 1.0–4.4.
#[must_use]
pub fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        return WORST;
    }
    let r = rating.min(100.0);
    let mos = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    mos.clamp(WORST, BEST)
}

/// R₀ − Is + A with every default of G.107.
const BASE_RATING: f64 = 93.2;
const WORST: f64 = 1.0;
const BEST: f64 = 4.4;

/// Idd (G.107 §7.4): nothing up to 100 ms.
fn delay_impairment(delay_ms: f64) -> f64 {
    if delay_ms <= 100.0 || delay_ms.is_nan() {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    let rise = (1.0 + x.powi(6)).powf(1.0 / 6.0);
    let bend = (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0);
    25.0 * (rise - 3.0 * bend + 2.0)
}

/// Ie,eff (G.107 §7.5).
fn effective_equipment(codec: Impairment, conditions: &Conditions) -> f64 {
    let ppl = conditions.loss_percent.clamp(0.0, 100.0);
    let burst_ratio = conditions.burst_ratio.max(1.0);
    codec.ie + (95.0 - codec.ie) * ppl / (ppl / burst_ratio + codec.bpl)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codec, Ppl, BurstR, Ta, R, MOS: figures worked out apart from this code.
    const CASES: &[(&str, f64, f64, f64, f64, f64)] = &[
        ("G.711 with concealment", 0.0, 1.0, 20.0, 93.200, 4.400),
        ("G.711 with concealment", 0.5, 1.0, 400.0, 67.274, 3.467),
        ("G.711 with concealment", 0.5, 3.0, 250.0, 82.403, 4.112),
        ("G.711 with concealment", 1.0, 1.5, 150.0, 89.350, 4.323),
        ("G.711 with concealment", 2.0, 1.0, 100.0, 86.189, 4.235),
        ("G.711 with concealment", 2.0, 3.0, 20.0, 85.826, 4.224),
        ("G.711 with concealment", 5.0, 1.0, 400.0, 53.349, 2.751),
        ("G.711 with concealment", 5.0, 3.0, 250.0, 66.537, 3.431),
        ("G.711 with concealment", 10.0, 1.5, 150.0, 63.131, 3.261),
        ("G.711 with concealment", 20.0, 1.0, 100.0, 51.071, 2.631),
        ("G.711 with concealment", 20.0, 3.0, 20.0, 33.389, 1.754),
        ("G.711 without concealment", 0.0, 1.0, 400.0, 69.130, 3.556),
        ("G.711 without concealment", 0.5, 1.5, 250.0, 74.031, 3.780),
        ("G.711 without concealment", 1.0, 1.0, 150.0, 75.112, 3.827),
        ("G.711 without concealment", 1.0, 3.0, 100.0, 72.696, 3.721),
        ("G.711 without concealment", 2.0, 1.5, 20.0, 59.472, 3.073),
        ("G.711 without concealment", 2.0, 3.0, 400.0, 30.875, 1.646),
        ("G.711 without concealment", 5.0, 1.5, 250.0, 22.056, 1.315),
        ("G.711 without concealment", 10.0, 1.0, 150.0, 26.603, 1.475),
        (
            "G.711 without concealment",
            10.0,
            3.0,
            100.0,
            -31.254,
            1.000,
        ),
        ("G.711 without concealment", 20.0, 1.5, 20.0, -14.550, 1.000),
        (
            "G.711 without concealment",
            20.0,
            3.0,
            400.0,
            -104.122,
            1.000,
        ),
        ("G.722", 0.5, 1.0, 250.0, 68.246, 3.514),
        ("G.722", 0.5, 3.0, 150.0, 76.923, 3.903),
        ("G.722", 1.0, 1.5, 100.0, 74.200, 3.787),
        ("G.722", 2.0, 1.0, 20.0, 69.267, 3.562),
        ("G.722", 2.0, 1.5, 400.0, 44.688, 2.299),
        ("G.722", 5.0, 1.0, 250.0, 48.506, 2.497),
        ("G.722", 5.0, 3.0, 150.0, 52.082, 2.685),
        ("G.722", 10.0, 1.5, 100.0, 38.505, 1.991),
        ("G.722", 20.0, 1.0, 20.0, 30.503, 1.630),
        ("G.722", 20.0, 1.5, 400.0, -6.149, 1.000),
        ("Opus", 0.0, 1.0, 250.0, 84.283, 4.175),
        ("Opus", 0.5, 1.5, 150.0, 91.471, 4.373),
        ("Opus", 1.0, 1.0, 100.0, 90.135, 4.342),
        ("Opus", 1.0, 3.0, 20.0, 90.068, 4.341),
        ("Opus", 2.0, 1.0, 400.0, 63.192, 3.264),
        ("Opus", 2.0, 3.0, 250.0, 78.088, 3.950),
        ("Opus", 5.0, 1.5, 150.0, 78.786, 3.977),
        ("Opus", 10.0, 1.0, 100.0, 69.450, 3.571),
        ("Opus", 10.0, 3.0, 20.0, 64.700, 3.340),
        ("Opus", 20.0, 1.0, 400.0, 31.130, 1.656),
        ("Opus", 20.0, 3.0, 250.0, 32.465, 1.714),
    ];

    fn by_name(name: &str) -> Impairment {
        match name {
            "G.711 with concealment" => G711_CONCEALED,
            "G.711 without concealment" => G711_PLAIN,
            "G.722" => G722,
            "Opus" => OPUS,
            other => panic!("unknown codec {other}"),
        }
    }

    #[test]
    fn rating_and_mos_are_those_of_the_table() {
        for &(name, loss_percent, burst_ratio, delay_ms, r, m) in CASES {
            let got = rating(
                by_name(name),
                &Conditions {
                    loss_percent,
                    burst_ratio,
                    delay_ms,
                },
            );
            let case = format!("{name}, {loss_percent} %, {burst_ratio}, {delay_ms} ms");
            assert!((got - r).abs() < 0.001, "{case}: R {got}, not {r}");
            assert!(
                (mos(got) - m).abs() < 0.001,
                "{case}: MOS {}, not {m}",
                mos(got)
            );
        }
    }

    #[test]
    fn mos_never_rises_again_below_a_rating_of_zero() {
        assert_eq!(mos(-20.0), 1.0);
        assert_eq!(mos(-500.0), 1.0);
        assert_eq!(mos(0.0), 1.0);
    }

    #[test]
    fn burst_ratio_is_mean_burst_times_share_received_and_at_least_one() {
        assert_eq!(burst_ratio(100, 10, 2), 4.5);
        assert_eq!(burst_ratio(100, 10, 10), 1.0);
        assert_eq!(burst_ratio(0, 0, 0), 1.0);
    }
}
