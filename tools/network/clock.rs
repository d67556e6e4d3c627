//! A clock that runs too fast or too slow.

use std::time::{Duration, Instant};

/// The clock of one party. At its start it shows the true time; from then on it gains or loses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    start: Instant,
    /// Nanoseconds that it counts in a true second.
    pace: i128,
}

impl Clock {
    /// A clock that is right at `start` and gains `ppm` µs in a true second (negative: loses), −500,000 to 500,000.
    #[must_use]
    pub fn new(start: Instant, ppm: f64) -> Self {
        let gain = (ppm.clamp(-500_000.0, 500_000.0) * 1000.0).round() as i128;
        Self {
            start,
            pace: SECOND + gain,
        }
    }

    /// What it shows at a true time. Before its start it is right.
    #[must_use]
    pub fn shows(&self, truth: Instant) -> Instant {
        match truth.checked_duration_since(self.start) {
            Some(elapsed) => {
                self.start + nanoseconds(elapsed.as_nanos() as i128 * self.pace / SECOND)
            }
            None => truth,
        }
    }

    /// The first true time at which it shows `shown` or later.
    #[must_use]
    pub fn truth(&self, shown: Instant) -> Instant {
        match shown.checked_duration_since(self.start) {
            Some(elapsed) => {
                let scaled = elapsed.as_nanos() as i128 * SECOND;
                self.start + nanoseconds((scaled + self.pace - 1) / self.pace)
            }
            None => shown,
        }
    }
}

fn nanoseconds(count: i128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

const SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_gains_200_ppm_is_720_ms_ahead_after_an_hour() {
        let start = Instant::now();
        let hour = start + Duration::from_secs(3600);
        let fast = Clock::new(start, 200.0);
        assert_eq!(fast.shows(hour) - hour, Duration::from_millis(720));
        let slow = Clock::new(start, -200.0);
        assert_eq!(hour - slow.shows(hour), Duration::from_millis(720));
    }

    #[test]
    fn what_is_due_by_a_wrong_clock_is_due_when_it_shows_that() {
        let start = Instant::now();
        for ppm in [-300.0, -0.001, 0.0, 17.3, 300.0] {
            let clock = Clock::new(start, ppm);
            for ms in [0, 1, 20, 999, 86_400_123] {
                let shown = start + Duration::from_millis(ms);
                let truth = clock.truth(shown);
                assert!(clock.shows(truth) >= shown, "{ppm} {ms}");
                if truth > start {
                    let before = truth - Duration::from_nanos(2);
                    assert!(clock.shows(before) < shown, "{ppm} {ms}");
                }
            }
        }
    }
}
