//! When reports are due (RFC 3550 §6.2, §6.3, A.7).
//!
//! In a session of two the minimum of 5 s always rules. It does not where one side brings many streams, each of
//! which counts as a member, so the whole of the rules is here.

use std::time::{Duration, Instant};

use rand::RngExt;

/// Who takes part in an RTP session, and what RTCP may use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Session {
    /// SSRCs of both sides, ours included; at least 1.
    pub members: usize,
    /// How many of them send media.
    pub senders: usize,
    /// Whether one of those is ours.
    pub we_send: bool,
    /// Bandwidth of the session in bit/s, of which RTCP takes a twentieth.
    pub bandwidth: u32,
}

impl Session {
    /// Whether a goodbye may be sent at once. In a larger session it would have to wait for its turn (RFC 3550
    /// §6.3.7); a leg that ends does not wait, and leaves without one, as it may.
    #[must_use]
    pub fn lets_us_say_goodbye(&self) -> bool {
        self.members < CROWD
    }
}

/// The timer of one leg's RTCP compounds.
#[derive(Clone, Copy, Debug)]
pub struct ReportTimer {
    /// When the last one was sent, or when we joined (tp).
    last: Instant,
    /// When the next one is to be considered (tn).
    next: Instant,
    /// Members when `next` was set (pmembers).
    members_then: usize,
    initial: bool,
    /// Mean size of compounds of both sides in octets, headers of IPv4 and UDP included.
    average: f64,
}

impl ReportTimer {
    /// The first report is due after half the interval, randomised.
    pub fn new(now: Instant, session: &Session, rng: &mut impl rand::Rng) -> Self {
        let mut timer = Self {
            last: now,
            next: now,
            members_then: session.members,
            initial: true,
            average: FIRST_SIZE,
        };
        timer.next = now + timer.interval(session, rng);
        timer
    }

    /// When the next report is to be considered.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether nothing was sent yet: who never spoke says no goodbye (RFC 3550 §6.3.7).
    #[must_use]
    pub fn is_initial(&self) -> bool {
        self.initial
    }

    /// Says whether a report is to be sent now. Its time is reckoned anew with those who are there now, and may turn
    /// out to be later (RFC 3550 §6.3.6).
    pub fn is_due(&mut self, now: Instant, session: &Session, rng: &mut impl rand::Rng) -> bool {
        if now < self.next {
            return false;
        }
        self.members_then = session.members;
        let reckoned = self.last + self.interval(session, rng);
        if reckoned > now {
            self.next = reckoned;
            return false;
        }
        self.last = now;
        self.initial = false;
        self.next = now + self.interval(session, rng);
        true
    }

    /// Takes note of the size of a compound that was sent or received, in octets of UDP payload.
    pub fn compound(&mut self, octets: usize) {
        self.average += (octets as f64 + HEADERS - self.average) / 16.0;
    }

    /// Some have left: those who stay may report the sooner (RFC 3550 §6.3.4).
    pub fn left(&mut self, now: Instant, members: usize) {
        if members >= self.members_then {
            return;
        }
        let share = members as f64 / self.members_then as f64;
        self.next = now + self.next.saturating_duration_since(now).mul_f64(share);
        let since = now.saturating_duration_since(self.last).mul_f64(share);
        self.last = now.checked_sub(since).unwrap_or(self.last);
        self.members_then = members;
    }

    /// The interval before dice (Td of RFC 3550 §6.3.1).
    #[must_use]
    pub fn deterministic(&self, session: &Session) -> Duration {
        let least = if self.initial { MINIMUM / 2 } else { MINIMUM };
        let all = f64::from(session.bandwidth) / 8.0 * RTCP_SHARE;
        let (members, senders) = (session.members as f64, session.senders as f64);
        // Senders have a quarter for themselves as long as they are at most a quarter of all.
        let (sharers, bandwidth) = if senders > members / 4.0 {
            (members, all)
        } else if session.we_send {
            (senders, all * 0.25)
        } else {
            (members - senders, all * 0.75)
        };
        let needed = if bandwidth > 0.0 {
            Duration::from_secs_f64((self.average * sharers / bandwidth).min(LONGEST_S))
        } else {
            least
        };
        least.max(needed)
    }

    /// The interval with dice (RFC 3550 §6.3.1). The divisor makes up for reckoning anew, which favours long ones.
    fn interval(&self, session: &Session, rng: &mut impl rand::Rng) -> Duration {
        let dice: f64 = rng.random_range(0.5..1.5);
        self.deterministic(session).mul_f64(dice / COMPENSATION)
    }
}

/// RFC 3550 §6.2.
const MINIMUM: Duration = Duration::from_secs(5);
const RTCP_SHARE: f64 = 0.05;
/// e − 3/2 (RFC 3550 §6.3.1).
const COMPENSATION: f64 = 1.218_28;
/// What the first compound will measure: SR with one block, and a name.
const FIRST_SIZE: f64 = 100.0 + HEADERS;
const HEADERS: f64 = 28.0;
/// RFC 3550 §6.3.7.
const CROWD: usize = 50;
/// Nobody waits longer, whatever others claim to be.
const LONGEST_S: f64 = 3600.0;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const CALL: Session = Session {
        members: 2,
        senders: 2,
        we_send: true,
        bandwidth: 80_000,
    };

    #[test]
    fn in_a_call_the_first_report_comes_after_half_the_minimum_and_all_others_after_the_whole() {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        let seconds = |d: Duration| d.as_secs_f64() * COMPENSATION;
        let mut sum = 0.0;
        for _ in 0..500 {
            let mut timer = ReportTimer::new(start, &CALL, &mut rng);
            assert!(timer.is_initial());
            assert!((1.25..=3.75).contains(&seconds(timer.next() - start)));
            assert!(!timer.is_due(start, &CALL, &mut rng));
            let first = until_due(&mut timer, &CALL, &mut rng);
            assert!((1.25..=3.75).contains(&seconds(first - start)));
            assert!(!timer.is_initial());
            let second = until_due(&mut timer, &CALL, &mut rng);
            assert!((2.5..=7.5).contains(&seconds(second - first)));
            sum += (second - first).as_secs_f64();
        }
        // What the compensation is for: the mean comes out as the minimum (RFC 3550 A.7).
        assert!((4.6..=5.2).contains(&(sum / 500.0)), "{}", sum / 500.0);
    }

    fn until_due(timer: &mut ReportTimer, session: &Session, rng: &mut StdRng) -> Instant {
        for _ in 0..100 {
            let now = timer.next();
            if timer.is_due(now, session, rng) {
                return now;
            }
        }
        panic!("never due");
    }

    #[test]
    fn many_members_share_the_twentieth_that_rtcp_may_use() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(2);
        let session = |members, senders, we_send| Session {
            members,
            senders,
            we_send,
            bandwidth: 64_000,
        };
        let mut timer = ReportTimer::new(now, &CALL, &mut rng);
        timer.initial = false;
        timer.average = 120.0;
        // 400 octets/s in all: 100 for senders while they are few, 300 for the others.
        let td = |session: &Session| timer.deterministic(session).as_secs_f64();
        assert!((td(&session(100, 10, true)) - 120.0 * 10.0 / 100.0).abs() < 1e-6);
        assert!((td(&session(100, 10, false)) - 120.0 * 90.0 / 300.0).abs() < 1e-6);
        assert!((td(&session(100, 50, true)) - 120.0 * 100.0 / 400.0).abs() < 1e-6);
        assert_eq!(td(&session(8, 1, true)), 5.0);
    }

    #[test]
    fn a_crowd_that_arrives_puts_the_report_off_and_one_that_leaves_brings_it_forward() {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(3);
        let mut timer = ReportTimer::new(start, &CALL, &mut rng);
        let crowd = Session {
            members: 400,
            senders: 2,
            we_send: false,
            bandwidth: 64_000,
        };
        let due = timer.next();
        assert!(!timer.is_due(due, &crowd, &mut rng));
        let put_off = timer.next() - due;
        assert!(put_off > Duration::from_secs(30), "{put_off:?}");
        timer.left(due, 100);
        let left = timer.next() - due;
        assert!((left.as_secs_f64() - put_off.as_secs_f64() / 4.0).abs() < 1e-3);
        assert!(!crowd.lets_us_say_goodbye());
        assert!(CALL.lets_us_say_goodbye());
    }

    #[test]
    fn the_mean_size_follows_what_is_sent_by_a_sixteenth() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(4);
        let mut timer = ReportTimer::new(now, &CALL, &mut rng);
        timer.compound(100 + 160);
        assert_eq!(timer.average, 128.0 + 10.0);
    }
}
