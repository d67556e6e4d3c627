//! How long packets should wait: long enough for nearly all, no longer.
//!
//! The lag of a packet is how much later it came than the fastest of the last seconds would have. The
//! buffer aims at the lag that 97 % of packets stay below, plus a margin; a packet that comes later than the aim
//! raises it at once, and the raise wears off slowly. When for a while every packet has come later than the buffer could
//! ever wait, the line has moved (a sender that stood still, a longer way): the fastest is then looked for anew.

use super::{MAX_DELAY_MS, MIN_DELAY_MS, PER_MS};

/// Follows the lag of arriving packets. All in samples at 48 kHz.
#[derive(Clone, Debug)]
pub(crate) struct DelayEstimate {
    /// Least `arrival - position` in this stretch of time and the one before.
    least: Option<i64>,
    least_before: Option<i64>,
    stretch_began: i64,
    /// Share of packets by lag, in bins of [`BIN`], with exponential forgetting.
    bins: [f32; BINS],
    /// Aim because of late packets, and when it was last worn off.
    spike: i64,
    worn_at: i64,
    /// Aim because in-band FEC needs the next packet, and until when.
    fec_aim: i64,
    fec_until: i64,
    /// The first of the packets that all came too late to wait for, and the least transit among them.
    moved: Option<(i64, i64)>,
    aim: i64,
}

impl DelayEstimate {
    pub(crate) fn new() -> Self {
        Self {
            least: None,
            least_before: None,
            stretch_began: 0,
            bins: [0.0; BINS],
            spike: 0,
            worn_at: 0,
            fec_aim: 0,
            fec_until: 0,
            moved: None,
            aim: FIRST_AIM,
        }
    }

    /// Takes in one packet.
    pub(crate) fn arrived(&mut self, arrival: i64, position: i64) {
        let transit = arrival - position;
        if self.least.is_none() || arrival - self.stretch_began > STRETCH {
            self.least_before = self.least;
            self.least = Some(transit);
            self.stretch_began = arrival;
        }
        self.least = self.least.map(|least| least.min(transit));
        self.follow_the_line(arrival, transit);
        let lag = transit - self.base();

        for bin in &mut self.bins {
            *bin *= KEEP;
        }
        let last = self.bins.len() - 1;
        self.bins[usize::try_from(lag / BIN).unwrap_or(0).min(last)] += 1.0 - KEEP;

        self.wear(arrival);
        if lag > self.aim {
            self.spike = lag.min(MAX);
        }
        let usual = (self.quantile() + MARGIN).clamp(MIN, MAX);
        let fec = if arrival < self.fec_until {
            self.fec_aim
        } else {
            0
        };
        self.aim = usual.max(self.spike).max(fec).min(MAX);
    }

    /// A packet was lost in a stream that carries in-band FEC: for a while, aim at having its successor.
    pub(crate) fn want_successor(&mut self, now: i64, packet: i64) {
        self.fec_aim = packet + FEC_SPARE;
        self.fec_until = now + FEC_HOLD;
    }

    /// What the delay should be.
    pub(crate) fn aim(&self) -> i64 {
        self.aim
    }

    /// `arrival - position` of the fastest packets.
    pub(crate) fn base(&self) -> i64 {
        match (self.least, self.least_before) {
            (Some(now), Some(before)) => now.min(before),
            (Some(now), None) => now,
            (None, _) => 0,
        }
    }

    fn follow_the_line(&mut self, arrival: i64, transit: i64) {
        if transit - self.base() <= MAX {
            self.moved = None;
            return;
        }
        let (since, least) = self.moved.unwrap_or((arrival, transit));
        let least = least.min(transit);
        self.moved = Some((since, least));
        if arrival - since >= MOVED_AFTER {
            self.least = Some(least);
            self.least_before = None;
            self.stretch_began = arrival;
            self.moved = None;
        }
    }

    fn wear(&mut self, now: i64) {
        // 10 ms per second.
        let elapsed = (now - self.worn_at).max(0);
        let wear = elapsed / 100;
        if wear > 0 {
            self.spike = (self.spike - wear).max(0);
            self.worn_at = now;
        }
    }

    fn quantile(&self) -> i64 {
        // While few packets were seen the bins do not add up to one; their own sum counts.
        let total: f32 = self.bins.iter().sum();
        let mut above = total * (1.0 - QUANTILE);
        for (index, &share) in self.bins.iter().enumerate().rev() {
            above -= share;
            if above < 0.0 {
                return (index as i64 + 1) * BIN;
            }
        }
        0
    }
}

const MIN: i64 = MIN_DELAY_MS as i64 * PER_MS;
const MAX: i64 = MAX_DELAY_MS as i64 * PER_MS;
/// Aim before anything is known.
const FIRST_AIM: i64 = 40 * PER_MS;
/// For ticks and arrivals not being in step.
const MARGIN: i64 = 10 * PER_MS;
const BIN: i64 = 2 * PER_MS;
const BINS: usize = 128;
/// Late for so long, it is not late: a burst after a standstill is over sooner.
const MOVED_AFTER: i64 = 300 * PER_MS;
/// Forgets half within 7 s of 20 ms packets.
const KEEP: f32 = 0.998;
const QUANTILE: f32 = 0.97;
/// The fastest packet is looked for in the last 4 to 8 s, so that a drifting clock is followed.
const STRETCH: i64 = 4_000 * PER_MS;
/// A tick, because its last samples are decoded with its first, and what the delay may be off its aim.
const FEC_SPARE: i64 = 35 * PER_MS;
const FEC_HOLD: i64 = 10_000 * PER_MS;
