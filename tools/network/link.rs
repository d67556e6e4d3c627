//! One direction between two addresses.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::delay::{Delay, Memory};
use crate::loss::{Loss, chance};

/// What one direction does to datagrams. The default does nothing: all arrive at once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Conditions {
    /// Which are lost.
    pub loss: Loss,
    /// How long they are under way.
    pub delay: Delay,
    /// A datagram may overtake another when its delay is so much shorter. Queues do not do that, so the default
    /// is that it waits for the other.
    pub overtakes: bool,
    /// Datagrams that are held back so that others overtake them, in either case.
    pub reorder: Reorder,
    /// Share that arrives twice, the second copy at once after the first.
    pub duplicate: f64,
    /// A bottleneck before the delay.
    pub rate: Option<Rate>,
    /// Growth of the delay in µs per second, as between a slow sender's clock and ours (negative: it shrinks, down
    /// to nothing, so that there must be delay to take from).
    pub drift_ppm: f64,
}

/// Datagrams that come late by a fixed time.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Reorder {
    /// Share of all, 0 to 1.
    pub share: f64,
    /// How long they are held back.
    pub by: Duration,
}

/// A bottleneck: a wire of this speed with a queue before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Its speed, headers of IPv4 and UDP included (28 octets each).
    pub bits_per_second: u64,
    /// What may wait before it, as time; more is lost.
    pub queue: Duration,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It does not arrive.
    Lost(Why),
    /// It does.
    Arrives {
        /// When.
        at: Instant,
        /// Whether it does so twice.
        twice: bool,
    },
}

/// Why a datagram was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// By [`Conditions::loss`].
    Loss,
    /// The queue before the bottleneck was full.
    Queue,
}

/// What a link has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Datagrams sent.
    pub sent: u64,
    /// Lost by [`Conditions::loss`].
    pub lost: u64,
    /// Runs of lost ones.
    pub bursts: u64,
    /// Lost before the bottleneck.
    pub queue_full: u64,
    /// That arrive twice.
    pub duplicated: u64,
    /// That were held back.
    pub held_back: u64,
}

/// One direction under some conditions.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    rng: StdRng,
    start: Instant,
    in_bad: bool,
    in_burst: bool,
    delays: Memory,
    /// When the bottleneck has sent what it has.
    busy_until: Instant,
    /// The latest arrival so far, of those that were not held back.
    latest: Instant,
    tally: Tally,
}

impl Link {
    /// A link that exists since `start`.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions, start: Instant) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self {
            delays: Memory::new(start, &conditions.delay, &mut rng),
            conditions,
            rng,
            start,
            in_bad: false,
            in_burst: false,
            busy_until: start,
            latest: start,
            tally: Tally::default(),
        }
    }

    /// What becomes of a datagram of `octets` of UDP payload that is sent now.
    pub fn pass(&mut self, now: Instant, octets: usize) -> Fate {
        self.tally.sent += 1;
        if self.conditions.loss.takes(&mut self.in_bad, &mut self.rng) {
            self.tally.lost += 1;
            self.tally.bursts += u64::from(!self.in_burst);
            self.in_burst = true;
            return Fate::Lost(Why::Loss);
        }
        self.in_burst = false;
        let Some(leaves) = self.through_bottleneck(now, octets) else {
            self.tally.queue_full += 1;
            return Fate::Lost(Why::Queue);
        };
        let delay = self
            .conditions
            .delay
            .draw(now, &mut self.delays, &mut self.rng);
        let mut at = self.drifted(now, leaves + delay);
        let Reorder { share, by } = self.conditions.reorder;
        if chance(share, &mut self.rng) {
            self.tally.held_back += 1;
            at += by;
        } else {
            if !self.conditions.overtakes {
                at = at.max(self.latest);
            }
            self.latest = self.latest.max(at);
        }
        let twice = chance(self.conditions.duplicate, &mut self.rng);
        self.tally.duplicated += u64::from(twice);
        Fate::Arrives { at, twice }
    }

    /// What has happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// When the bottleneck lets a datagram go; `None` when its queue is full.
    fn through_bottleneck(&mut self, now: Instant, octets: usize) -> Option<Instant> {
        let Some(rate) = self.conditions.rate else {
            return Some(now);
        };
        if self.busy_until.saturating_duration_since(now) > rate.queue {
            return None;
        }
        let bits = (octets as u64 + HEADERS) * 8;
        let nanoseconds = bits * 1_000_000_000 / rate.bits_per_second.max(1);
        self.busy_until = self.busy_until.max(now) + Duration::from_nanos(nanoseconds);
        Some(self.busy_until)
    }

    fn drifted(&self, now: Instant, at: Instant) -> Instant {
        let ppm = self.conditions.drift_ppm;
        let age = now.saturating_duration_since(self.start);
        let shift = age.mul_f64(ppm.abs() / 1e6);
        if ppm >= 0.0 {
            at + shift
        } else {
            at.checked_sub(shift).map_or(now, |at| at.max(now))
        }
    }
}

/// IPv4 and UDP, in octets.
const HEADERS: u64 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Arrivals of `count` datagrams of 172 octets, 20 ms apart, by number; `None` for lost ones.
    fn arrivals(conditions: &Conditions, count: u32) -> (Vec<Option<Duration>>, Tally) {
        let start = Instant::now();
        let mut link = Link::new(11, conditions.clone(), start);
        let all = (0..count)
            .map(|n| match link.pass(start + MS * 20 * n, 172) {
                Fate::Arrives { at, .. } => Some(at - start),
                Fate::Lost(_) => None,
            })
            .collect();
        (all, link.tally())
    }

    #[test]
    fn the_same_seed_has_the_same_fate_and_another_has_not() {
        let conditions = Conditions {
            loss: Loss::bursts(0.1, 3.0),
            delay: Delay::Uniform {
                least: MS * 10,
                most: MS * 90,
            },
            duplicate: 0.02,
            ..Conditions::default()
        };
        assert_eq!(arrivals(&conditions, 2000), arrivals(&conditions, 2000));
        let start = Instant::now();
        let mut other = Link::new(12, conditions.clone(), start);
        let mut same = Link::new(11, conditions, start);
        let differ = (0..100).filter(|_| other.pass(start, 100) != same.pass(start, 100));
        assert!(differ.count() > 50);
    }

    #[test]
    fn a_queue_keeps_the_order_and_what_is_held_back_is_overtaken() {
        let mut conditions = Conditions {
            delay: Delay::Uniform {
                least: MS * 10,
                most: MS * 90,
            },
            ..Conditions::default()
        };
        let in_order = |all: &[Option<Duration>]| all.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(in_order(&arrivals(&conditions, 1000).0));
        conditions.overtakes = true;
        assert!(!in_order(&arrivals(&conditions, 1000).0));
        conditions = Conditions {
            reorder: Reorder {
                share: 0.1,
                by: MS * 30,
            },
            ..Conditions::default()
        };
        let (all, tally) = arrivals(&conditions, 1000);
        let overtaken = all.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
        assert!((60..=140).contains(&tally.held_back), "{tally:?}");
        // Two held back in a row keep their order.
        assert!(overtaken <= tally.held_back && overtaken > tally.held_back * 8 / 10);
    }

    #[test]
    fn a_bottleneck_takes_its_rate_and_loses_what_does_not_fit_its_queue() {
        // 200 octets on the wire are 1600 bits: 20 ms at 80 kbit/s, so 64 kbit/s fills the queue.
        let conditions = Conditions {
            rate: Some(Rate {
                bits_per_second: 64_000,
                queue: MS * 100,
            }),
            ..Conditions::default()
        };
        let (all, tally) = arrivals(&conditions, 1000);
        let arrived = all.iter().flatten().count();
        assert!((795..=810).contains(&arrived), "{arrived}");
        assert_eq!(tally.queue_full as usize, 1000 - arrived);
        let waits = all
            .iter()
            .zip(0_u32..)
            .filter_map(|(at, n)| Some(at.as_ref()?.checked_sub(MS * 20 * n).unwrap()));
        assert!(waits.max().unwrap() <= MS * 125);
    }

    #[test]
    fn drift_moves_arrivals_as_a_wrong_clock_would() {
        for (ppm, expected_ms) in [(500.0, 150.0), (-500.0, 50.0)] {
            let conditions = Conditions {
                delay: Delay::Fixed(MS * 100),
                drift_ppm: ppm,
                ..Conditions::default()
            };
            let (all, _) = arrivals(&conditions, 5001);
            let last = all.last().unwrap().unwrap() - MS * 20 * 5000;
            assert!((last.as_secs_f64() * 1e3 - expected_ms).abs() < 0.01);
        }
    }

    #[test]
    fn duplicates_are_as_many_as_was_asked_for() {
        let conditions = Conditions {
            duplicate: 0.02,
            ..Conditions::default()
        };
        let (_, tally) = arrivals(&conditions, 50_000);
        assert!((850..=1150).contains(&tally.duplicated), "{tally:?}");
    }
}
