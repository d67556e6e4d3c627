//! Interarrival jitter (RFC 3550 §6.4.1, A.8), and its mean over an interval.

use std::time::Instant;

/// The jitter estimate of one stream.
#[derive(Clone, Debug, Default)]
pub struct Jitter {
    last: Option<Last>,
    units: f64,
    clock: u32,
    sum_us: f64,
    samples: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    timestamp: u32,
}

impl Jitter {
    /// Takes the arrival of a packet with this RTP timestamp. `clock` is the payload's clock in Hz.
    pub fn packet(&mut self, now: Instant, timestamp: u32, clock: u32) {
        if clock == 0 {
            return;
        }
        if clock != self.clock {
            self.restart();
            self.clock = clock;
        }
        let Some(last) = self.last.replace(Last { at: now, timestamp }) else {
            return;
        };
        let clock_hz = f64::from(clock);
        let arrived = now.saturating_duration_since(last.at).as_secs_f64() * clock_hz;
        let sampled = f64::from(timestamp.wrapping_sub(last.timestamp) as i32);
        let difference = (arrived - sampled).abs();
        if difference > clock_hz * DISCONTINUITY_S {
            return;
        }
        self.units += (difference - self.units) / 16.0;
        self.sum_us += self.units * 1e6 / clock_hz;
        self.samples += 1;
    }

    /// The present estimate in timestamp units.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.units.round() as u32
    }

    /// Mean of the estimates after each packet since the previous call, in microseconds.
    pub fn take_mean_us(&mut self) -> Option<u64> {
        let mean = (self.samples > 0).then(|| (self.sum_us / self.samples as f64).round() as u64);
        self.sum_us = 0.0;
        self.samples = 0;
        mean
    }

    /// Forgets the last packet: the next has nothing to be compared with.
    pub fn restart(&mut self) {
        self.last = None;
        self.units = 0.0;
    }
}

/// A transit that changes by more is a sender that let its clock stand, not a network that held a packet.
const DISCONTINUITY_S: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn packets_in_perfect_step_have_none() {
        let start = Instant::now();
        let mut jitter = Jitter::default();
        for n in 0..50_u32 {
            jitter.packet(
                start + Duration::from_millis(20) * n,
                n.wrapping_mul(160),
                8000,
            );
        }
        assert_eq!(jitter.units(), 0);
        assert_eq!(jitter.take_mean_us(), Some(0));
        assert_eq!(jitter.take_mean_us(), None);
    }

    #[test]
    fn one_late_packet_moves_the_estimate_by_a_sixteenth_of_its_delay() {
        let start = Instant::now();
        let mut jitter = Jitter::default();
        jitter.packet(start, 0, 8000);
        jitter.packet(start + Duration::from_millis(36), 160, 8000);
        // 16 ms late: 128 units / 16 = 8 units = 1000 µs.
        assert_eq!(jitter.units(), 8);
        assert_eq!(jitter.take_mean_us(), Some(1000));
    }

    #[test]
    fn alternating_delay_converges_to_itself_whatever_the_clock() {
        for clock in [8000_u32, 48_000] {
            let start = Instant::now();
            let mut jitter = Jitter::default();
            for n in 0..2000_u32 {
                let late = if n % 2 == 1 { 5 } else { 0 };
                let at = start + Duration::from_millis(u64::from(20 * n + late));
                jitter.packet(at, n * clock / 50, clock);
            }
            let mean = jitter.take_mean_us().unwrap();
            assert!((4800..=5000).contains(&mean), "{clock}: {mean}");
        }
    }

    #[test]
    fn a_clock_that_stood_still_for_a_minute_is_no_jitter() {
        let start = Instant::now();
        let mut jitter = Jitter::default();
        jitter.packet(start, 0, 8000);
        jitter.packet(start + Duration::from_secs(60), 160, 8000);
        assert_eq!(jitter.units(), 0);
    }
}
