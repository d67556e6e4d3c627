//! What the other side reports about a stream of ours: round-trip time, loss, jitter (RFC 3550 §6.4).

use wire::rtcp::ReceptionReport;

use crate::receive::Loss;

/// The reports on one stream that we send.
#[derive(Clone, Debug)]
pub struct Reported {
    clock: u32,
    /// Extended highest sequence number and loss at the beginning of the interval.
    base: (u32, i32),
    /// The same by the latest report.
    latest: Option<(u32, i32)>,
    in_interval: bool,
    rtt: Mean,
    jitter: Mean,
    last_rtt_us: Option<u64>,
}

/// What the reports of one interval said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interval {
    /// Mean round-trip time in microseconds.
    pub rtt_us: Option<u64>,
    /// Mean of the jitter reported, in microseconds.
    pub jitter_us: Option<u64>,
    /// Loss on the way in the interval; `None` without a report. Bursts are unknown: counted as random.
    pub loss: Option<Loss>,
}

impl Reported {
    /// For a stream of ours that begins with `first_sequence`; `clock` is its RTP clock in Hz.
    #[must_use]
    pub fn new(first_sequence: u16, clock: u32) -> Self {
        Self {
            clock,
            base: (u32::from(first_sequence).wrapping_sub(1), 0),
            latest: None,
            in_interval: false,
            rtt: Mean::default(),
            jitter: Mean::default(),
            last_rtt_us: None,
        }
    }

    /// The stream goes on with another RTP clock.
    pub fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// Takes a report block about the stream. `now_ntp_middle` is the time of its arrival.
    pub fn report(&mut self, now_ntp_middle: u32, report: &ReceptionReport) {
        if report.last_sr != 0 {
            let rtt = now_ntp_middle
                .wrapping_sub(report.last_sr)
                .wrapping_sub(report.delay_since_last_sr);
            // A coarse clock on the other side may put the answer a little before the question.
            let rtt = if rtt as i32 >= -CLOCK_GRAIN && (rtt as i32) < 0 {
                0
            } else {
                rtt
            };
            if rtt <= LONGEST_RTT {
                let us = (u64::from(rtt) * 1_000_000) >> 16;
                self.rtt.add(us);
                self.last_rtt_us = Some(us);
            }
        }
        if self.clock > 0 {
            self.jitter
                .add(u64::from(report.jitter) * 1_000_000 / u64::from(self.clock));
        }
        let went_back =
            |before: (u32, i32)| (report.highest_sequence.wrapping_sub(before.0) as i32) < 0;
        if self.latest.is_some_and(went_back) {
            // The other side began to count anew.
            self.base = (report.highest_sequence, report.total_lost);
        }
        self.latest = Some((report.highest_sequence, report.total_lost));
        self.in_interval = true;
    }

    /// Packets lost since the stream began, by the latest report.
    #[must_use]
    pub fn lost(&self) -> Option<i64> {
        self.latest.map(|(_, lost)| i64::from(lost))
    }

    /// The latest round-trip time in microseconds.
    #[must_use]
    pub fn last_rtt_us(&self) -> Option<u64> {
        self.last_rtt_us
    }

    /// What was reported since the previous call.
    pub fn take(&mut self) -> Interval {
        let loss = self
            .latest
            .filter(|_| self.in_interval)
            .map(|(highest, lost)| {
                let expected = u64::from(highest.wrapping_sub(self.base.0));
                let lost = u64::try_from(lost - self.base.1).unwrap_or(0).min(expected);
                self.base = (highest, lost as i32 + self.base.1);
                Loss {
                    expected,
                    lost,
                    bursts: lost,
                }
            });
        self.in_interval = false;
        Interval {
            rtt_us: self.rtt.take(),
            jitter_us: self.jitter.take(),
            loss,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: u64) {
        self.sum += value;
        self.count += 1;
    }

    fn take(&mut self) -> Option<u64> {
        let mean = self.sum.checked_div(self.count);
        *self = Self::default();
        mean
    }
}

/// 10 s in 1/65536 s: anything longer is a report about a sender report that we never sent.
const LONGEST_RTT: u32 = 10 << 16;
/// 15 ms in 1/65536 s.
const CLOCK_GRAIN: i32 = 983;

#[cfg(test)]
mod tests {
    use super::*;

    fn report(highest: u32, lost: i32, jitter: u32, last_sr: u32, delay: u32) -> ReceptionReport {
        ReceptionReport {
            ssrc: 1,
            fraction_lost: 0,
            total_lost: lost,
            highest_sequence: highest,
            jitter,
            last_sr,
            delay_since_last_sr: delay,
        }
    }

    #[test]
    fn round_trip_is_now_less_lsr_less_dlsr() {
        let mut reported = Reported::new(0, 8000);
        // RFC 3550 figure 2: 6.125 s.
        reported.report(0xb710_8000, &report(0, 0, 0, 0xb705_2000, 0x0005_4000));
        assert_eq!(reported.take().rtt_us, Some(6_125_000));
        assert_eq!(reported.take().rtt_us, None);
    }

    #[test]
    fn a_report_about_no_sender_report_measures_no_round_trip() {
        let mut reported = Reported::new(0, 8000);
        reported.report(5 << 16, &report(10, 0, 0, 0, 0));
        reported.report(5 << 16, &report(11, 0, 0, 0x9000_0000, 7));
        assert_eq!(reported.take().rtt_us, None);
    }

    #[test]
    fn loss_is_that_of_the_interval_and_of_the_whole() {
        let mut reported = Reported::new(1000, 8000);
        reported.report(0, &report(1099, 5, 80, 0, 0));
        let first = reported.take();
        assert_eq!(
            first.loss,
            Some(Loss {
                expected: 100,
                lost: 5,
                bursts: 5
            })
        );
        assert_eq!(first.jitter_us, Some(10_000));
        assert_eq!(reported.take().loss, None);
        reported.report(0, &report(1199, 6, 0, 0, 0));
        assert_eq!(
            reported.take().loss,
            Some(Loss {
                expected: 100,
                lost: 1,
                bursts: 1
            })
        );
        assert_eq!(reported.lost(), Some(6));
    }

    #[test]
    fn without_a_report_everything_is_unknown() {
        let mut reported = Reported::new(1, 8000);
        assert_eq!(reported.take(), Interval::default());
        assert_eq!(reported.lost(), None);
    }
}
