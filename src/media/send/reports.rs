//! When reports are due: RFC 3550 §6.2 for a session of two, whose minimum interval always rules.

use std::time::{Duration, Instant};

use rand::RngExt;

/// The timer of one leg's RTCP compounds.
#[derive(Clone, Copy, Debug)]
pub struct ReportTimer {
    next: Instant,
}

impl ReportTimer {
    /// The first report is due after half the interval, randomised (RFC 3550 §6.2).
    pub fn new(now: Instant, rng: &mut impl rand::Rng) -> Self {
        Self {
            next: now + randomised(INTERVAL / 2, rng),
        }
    }

    /// When the next report is due.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Says whether a report is due, and sets the time of the next one if so.
    pub fn is_due(&mut self, now: Instant, rng: &mut impl rand::Rng) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + randomised(INTERVAL, rng);
        true
    }
}

const INTERVAL: Duration = Duration::from_secs(5);

/// Between half and one and a half times the interval.
fn randomised(interval: Duration, rng: &mut impl rand::Rng) -> Duration {
    interval.mul_f64(rng.random_range(0.5..1.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn the_first_report_comes_early_and_all_others_between_two_and_a_half_and_seven_and_a_half_seconds()
     {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..200 {
            let mut timer = ReportTimer::new(start, &mut rng);
            let first = timer.next() - start;
            assert!((1.25..=3.75).contains(&first.as_secs_f64()));
            assert!(!timer.is_due(start, &mut rng));
            let now = timer.next();
            assert!(timer.is_due(now, &mut rng));
            assert!((2.5..=7.5).contains(&(timer.next() - now).as_secs_f64()));
        }
    }
}
