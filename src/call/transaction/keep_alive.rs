//! Keeping a stream that we opened alive: a double CRLF now and then, and one CRLF in answer (RFC 5626 §4.4.1, RFC
//! 6223). Pure: time is an argument.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Send CRLF CRLF.
    Ping,
    /// The last one was not answered: the connection has failed.
    Failed,
}

/// One connection's pings.
#[derive(Debug)]
pub struct KeepAlive {
    most: Duration,
    next: Instant,
    /// Until when the ping that is out must be answered.
    answer: Option<Instant>,
}

impl KeepAlive {
    /// Pings as often as the other side recommends, or somewhat more often (RFC 5626 §4.4.1: 80 to 100 % of it).
    #[must_use]
    pub fn new(now: Instant, recommended: Duration, random: &mut impl Rng) -> Self {
        let mut keep = Self {
            most: recommended.max(LEAST),
            next: now,
            answer: None,
        };
        keep.plan(now, random);
        keep
    }

    /// When [`KeepAlive::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.answer
            .map_or(self.next, |answer| answer.min(self.next))
    }

    /// What is due now.
    pub fn timeout(&mut self, now: Instant, random: &mut impl Rng) -> Option<Due> {
        if self.answer.is_some_and(|answer| answer <= now) {
            return Some(Due::Failed);
        }
        if self.next > now {
            return None;
        }
        self.plan(now, random);
        // One that is out already is waited for.
        self.answer.get_or_insert(now + PATIENCE);
        Some(Due::Ping)
    }

    /// A CRLF came, or anything else: the connection lives.
    pub fn alive(&mut self) {
        self.answer = None;
    }

    fn plan(&mut self, now: Instant, random: &mut impl Rng) {
        self.next = now + self.most.mul_f64(random.random_range(0.8..=1.0));
    }
}

/// How long an answer may take (RFC 5626 §4.4.1).
const PATIENCE: Duration = Duration::from_secs(10);
/// However often somebody wants to be pinged.
const LEAST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::exchange::virtual_time::start;

    #[test]
    fn pings_come_at_four_fifths_of_the_time_or_later_as_long_as_they_are_answered() {
        let mut random = StdRng::from_seed([4; 32]);
        let mut now = start();
        let mut keep = KeepAlive::new(now, Duration::from_secs(100), &mut random);
        let mut waits = Vec::new();
        for _ in 0..50 {
            let at = keep.next_timeout();
            waits.push(at - now);
            assert_eq!(
                keep.timeout(at - Duration::from_millis(1), &mut random),
                None
            );
            now = at;
            assert_eq!(keep.timeout(now, &mut random), Some(Due::Ping));
            keep.alive();
        }
        let seconds = Duration::from_secs;
        assert!(
            waits
                .iter()
                .all(|w| (seconds(80)..=seconds(100)).contains(w))
        );
        assert!(
            waits
                .iter()
                .max()
                .unwrap()
                .abs_diff(*waits.iter().min().unwrap())
                > seconds(5)
        );
    }

    #[test]
    fn an_answer_may_take_ten_seconds_and_no_longer_however_often_pings_go_out() {
        let mut random = StdRng::from_seed([5; 32]);
        let mut keep = KeepAlive::new(start(), Duration::from_secs(3), &mut random);
        let first = keep.next_timeout();
        assert_eq!(keep.timeout(first, &mut random), Some(Due::Ping));
        loop {
            let at = keep.next_timeout();
            match keep.timeout(at, &mut random) {
                Some(Due::Ping) => assert!(at < first + Duration::from_secs(10)),
                due => {
                    assert_eq!(due, Some(Due::Failed));
                    assert_eq!(at, first + Duration::from_secs(10));
                    break;
                }
            }
        }
    }
}
