//! What the other side reports about a stream of ours: round-trip time, loss, jitter (RFC 3550 §6.4).

use wire::rtcp::{DlrrReport, ReceptionReport, VoipMetrics};

use crate::receive::Loss;

/// The reports on one stream that we send.
#[derive(Clone, Debug)]
pub struct Reported {
    clock: u32,
    /// Extended highest sequence number and loss at the beginning of the interval.
    base: (u32, i32),
    /// The same by the latest report.
    latest: Option<(u32, i32)>,
    /// Loss that the other side had counted when it began to count anew.
    lost_before: i64,
    /// There was a report on the stream under an earlier SSRC.
    known: bool,
    in_interval: bool,
    rtt: Mean,
    /// By echoes of our reference times, for want of sender reports of ours.
    echoes: Mean,
    jitter: Mean,
    last_rtt_us: Option<u64>,
    far_end: Option<FarEnd>,
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
    /// What the other side's jitter buffer does; `None` without an extended report.
    pub far_end: Option<FarEnd>,
}

/// The other side's jitter buffer, by its VoIP metrics (RFC 3611 §4.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FarEnd {
    /// Share of packets that come too late to be played, in 1/256, since the stream began.
    pub discard_rate: u8,
    /// Delay in the buffer, in milliseconds.
    pub buffer_ms: u16,
}

impl Reported {
    /// For a stream of ours that begins with `first_sequence`; `clock` is its RTP clock in Hz.
    #[must_use]
    pub fn new(first_sequence: u16, clock: u32) -> Self {
        Self {
            clock,
            base: (u32::from(first_sequence).wrapping_sub(1), 0),
            latest: None,
            lost_before: 0,
            known: false,
            in_interval: false,
            rtt: Mean::default(),
            echoes: Mean::default(),
            jitter: Mean::default(),
            last_rtt_us: None,
            far_end: None,
        }
    }

    /// The stream goes on with another RTP clock.
    pub fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// The stream goes on under another SSRC, with this first sequence number. What was lost stays lost.
    pub fn renumber(&mut self, first_sequence: u16) {
        if let Some((_, lost)) = self.latest.take() {
            self.lost_before += i64::from(lost);
            self.known = true;
        }
        self.base = (u32::from(first_sequence).wrapping_sub(1), 0);
        self.in_interval = false;
    }

    /// Takes a report block about the stream. `now_ntp_middle` is the time of its arrival.
    ///
    /// A report that was overtaken by a later one says nothing any more.
    pub fn report(&mut self, now_ntp_middle: u32, report: &ReceptionReport) {
        let back = self.latest.map_or(0, |(highest, _)| {
            highest.wrapping_sub(report.highest_sequence) as i32
        });
        if (1..ANEW).contains(&back) {
            return;
        }
        if let Some(us) = round_trip(now_ntp_middle, report.last_sr, report.delay_since_last_sr) {
            self.rtt.add(us);
            self.last_rtt_us = Some(us);
        }
        if self.clock > 0 {
            self.jitter
                .add(u64::from(report.jitter) * 1_000_000 / u64::from(self.clock));
        }
        if back >= ANEW {
            // The other side began to count anew; what it had counted stays lost.
            self.lost_before += self.latest.map_or(0, |(_, lost)| i64::from(lost));
            self.base = (report.highest_sequence, report.total_lost);
        }
        self.latest = Some((report.highest_sequence, report.total_lost));
        self.in_interval = true;
    }

    /// Takes the echo of a reference time of ours (RFC 3611 §4.5).
    pub fn echo(&mut self, now_ntp_middle: u32, report: &DlrrReport) {
        if let Some(us) = round_trip(now_ntp_middle, report.last_rr, report.delay_since_last_rr) {
            self.echoes.add(us);
            self.last_rtt_us.get_or_insert(us);
        }
    }

    /// Takes what the other side says of its jitter buffer.
    pub fn extended(&mut self, metrics: &VoipMetrics) {
        self.far_end = Some(FarEnd {
            discard_rate: metrics.discard_rate,
            buffer_ms: metrics.jitter_buffer_ms,
        });
    }

    /// Packets lost since the stream began, by the latest report.
    #[must_use]
    pub fn lost(&self) -> Option<i64> {
        match self.latest {
            Some((_, lost)) => Some(self.lost_before + i64::from(lost)),
            None => self.known.then_some(self.lost_before),
        }
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
            rtt_us: match (self.rtt.take(), self.echoes.take()) {
                (Some(reported), _) => Some(reported),
                (None, echoed) => echoed,
            },
            jitter_us: self.jitter.take(),
            loss,
            far_end: self.far_end.take(),
        }
    }
}

/// Now less the time of the question less what the other side kept it, in microseconds; `None` when it answers no
/// question of ours.
fn round_trip(now: u32, asked: u32, kept: u32) -> Option<u64> {
    if asked == 0 {
        return None;
    }
    let rtt = now.wrapping_sub(asked).wrapping_sub(kept);
    // A coarse clock on the other side may put the answer a little before the question.
    let rtt = if (-CLOCK_GRAIN..0).contains(&(rtt as i32)) {
        0
    } else {
        rtt
    };
    (rtt <= LONGEST_RTT).then_some((u64::from(rtt) * 1_000_000) >> 16)
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
/// So many packets back is no earlier report: the other side began anew.
const ANEW: i32 = 3000;
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
    fn loss_stays_cumulative_when_the_other_side_begins_to_count_anew() {
        let mut reported = Reported::new(0, 8000);
        reported.report(0, &report(70_000, 12, 0, 0, 0));
        reported.report(0, &report(300, 0, 0, 0, 0));
        assert_eq!(reported.lost(), Some(12));
        reported.report(0, &report(400, 3, 0, 0, 0));
        assert_eq!(reported.lost(), Some(15));
        // Overtaken on the way.
        reported.report(0, &report(350, 2, 0, 0, 0));
        assert_eq!(reported.lost(), Some(15));
        // We go on under another SSRC.
        reported.renumber(60_000);
        assert_eq!(reported.lost(), Some(15));
        reported.report(0, &report(60_099, 1, 0, 0, 0));
        assert_eq!(reported.lost(), Some(16));
        assert_eq!(
            reported.take().loss.map(|loss| (loss.expected, loss.lost)),
            Some((100, 1))
        );
    }

    #[test]
    fn echoes_measure_the_round_trip_where_no_sender_report_of_ours_does() {
        let mut reported = Reported::new(0, 8000);
        let echo = |last_rr, delay_since_last_rr| DlrrReport {
            ssrc: 1,
            last_rr,
            delay_since_last_rr,
        };
        reported.echo(0xb710_8000, &echo(0xb705_2000, 0x0005_4000));
        reported.echo(0xb710_8000, &echo(0, 0));
        assert_eq!(reported.last_rtt_us(), Some(6_125_000));
        assert_eq!(reported.take().rtt_us, Some(6_125_000));
        reported.echo(0xb710_8000, &echo(0xb705_2000, 0x0005_4000));
        reported.report(2 << 16, &report(0, 0, 0, 1 << 16, 0));
        assert_eq!(reported.take().rtt_us, Some(1_000_000));
    }

    #[test]
    fn the_far_ends_buffer_is_known_for_the_minute_that_told_it() {
        let mut reported = Reported::new(0, 8000);
        reported.extended(&VoipMetrics {
            discard_rate: 8,
            jitter_buffer_ms: 60,
            ..VoipMetrics::default()
        });
        let told = FarEnd {
            discard_rate: 8,
            buffer_ms: 60,
        };
        assert_eq!(reported.take().far_end, Some(told));
        assert_eq!(reported.take().far_end, None);
    }

    #[test]
    fn without_a_report_everything_is_unknown() {
        let mut reported = Reported::new(1, 8000);
        assert_eq!(reported.take(), Interval::default());
        assert_eq!(reported.lost(), None);
    }
}
