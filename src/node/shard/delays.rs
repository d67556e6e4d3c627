//! How long packets stay in the server: a histogram per shard and way, filled without a lock or an allocation.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The histograms of one shard, in nanoseconds.
pub(super) struct Delays {
    /// From the kernel's hands until what a packet caused was handed back to it: forwarding, answers.
    passed: Histogram<u64>,
    /// From the moment a mixer tick was due until its packets were handed to the kernel.
    ticked: Histogram<u64>,
    /// When those packets arrived whose consequences wait in the outbox.
    waiting: Vec<Instant>,
}

/// A histogram in short. Durations are accurate to 1 %.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Quantiles {
    /// How many were measured.
    pub(crate) count: u64,
    /// Half, 90 %, 99 % and 99.9 % of all took no longer.
    pub(crate) of: [(f64, Duration); 4],
    /// The longest.
    pub(crate) longest: Duration,
}

impl Delays {
    pub(super) fn new() -> Self {
        Self {
            passed: histogram(),
            ticked: histogram(),
            waiting: Vec::with_capacity(WAITING),
        }
    }

    /// A packet that arrived then has put something into the outbox.
    pub(super) fn caused(&mut self, arrived: Instant) {
        if self.waiting.len() < WAITING {
            self.waiting.push(arrived);
        }
    }

    /// The outbox was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        for arrived in self.waiting.drain(..) {
            record(&mut self.passed, now.saturating_duration_since(arrived));
        }
    }

    /// What a tick made was sent.
    pub(super) fn ticked(&mut self, due: Instant, now: Instant) {
        record(&mut self.ticked, now.saturating_duration_since(due));
    }

    /// Both in short: packets that passed, ticks.
    pub(super) fn quantiles(&self) -> [Quantiles; 2] {
        [quantiles(&self.passed), quantiles(&self.ticked)]
    }
}

fn histogram() -> Histogram<u64> {
    // hdrhistogram refuses bounds that are no range and more than five digits; these are neither.
    #[allow(clippy::expect_used)]
    Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds")
}

fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    histogram.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let at = |q| (q, Duration::from_nanos(histogram.value_at_quantile(q)));
    Quantiles {
        count: histogram.len(),
        of: [at(0.5), at(0.9), at(0.99), at(0.999)],
        longest: Duration::from_nanos(if histogram.is_empty() {
            0
        } else {
            histogram.max()
        }),
    }
}

/// Ten seconds; what is longer counts as that.
const LONGEST_NS: u64 = 10_000_000_000;
/// Packets between two sends; more are not measured.
const WAITING: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_counted_when_the_outbox_is_sent() {
        let start = Instant::now();
        let mut delays = Delays::new();
        assert_eq!(delays.quantiles()[0].count, 0);
        for us in 1..=100 {
            delays.caused(start - Duration::from_micros(us * 10));
        }
        delays.sent(start);
        delays.sent(start + Duration::from_secs(5));
        delays.ticked(start, start + Duration::from_secs(60));
        let [passed, ticked] = delays.quantiles();
        assert_eq!(passed.count, 100);
        let near =
            |d: Duration, us: u64| d.as_micros().abs_diff(u128::from(us)) <= u128::from(us / 50);
        assert!(near(passed.of[0].1, 500), "{passed:?}");
        assert!(
            near(passed.of[2].1, 990) && near(passed.longest, 1000),
            "{passed:?}"
        );
        assert_eq!(ticked.count, 1);
        assert!(ticked.longest >= Duration::from_secs(10), "{ticked:?}");
    }
}
