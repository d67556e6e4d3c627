//! The engine's clock: a tick every 20 ms for all bridges and legs, caught up gently when it came late.

use std::time::{Duration, Instant};

use super::Engine;

/// When ticks are due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticks {
    /// When the next tick would be due if none had ever been late; `None` while there is nothing to do.
    ideal: Option<Instant>,
    /// When it is due in fact.
    next: Option<Instant>,
}

impl Ticks {
    /// Starts ticking, if it is not.
    pub(super) fn start(&mut self, now: Instant) {
        if self.next.is_none() {
            self.ideal = Some(now + TICK);
            self.next = Some(now + TICK);
        }
    }

    /// Stops ticking.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }

    /// When the next tick is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// If a tick is due, takes it and says how many before it must be given up.
    fn take(&mut self, now: Instant) -> Option<u32> {
        let (ideal, next) = (self.ideal?, self.next?);
        if now < next {
            return None;
        }
        let late = now.saturating_duration_since(ideal);
        let given_up = if late >= GIVE_UP {
            u32::try_from(late.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX)
        } else {
            0
        };
        let ideal = ideal + TICK * (given_up + 1);
        self.ideal = Some(ideal);
        // Late ticks follow each other at double pace, never at once: listeners get no bursts.
        self.next = Some(ideal.max(now + TICK / 2));
        Some(given_up)
    }
}

impl Engine {
    pub(super) fn run_ticks(&mut self, now: Instant) {
        let Some(given_up) = self.ticks.take(now) else {
            return;
        };
        for bridge in self.bridges.iter_mut().flatten() {
            if given_up > 0 {
                bridge.skip(now, given_up, &mut self.legs);
            }
            bridge.tick(now, &mut self.legs, &mut self.around);
        }
        for leg in self.legs.iter_mut().flatten() {
            leg.tick(now, &mut self.around);
        }
    }
}

const TICK: Duration = Duration::from_millis(20);
/// Later than this, missed ticks are left out: what they held would only be delay.
const GIVE_UP: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_every_20_ms_and_late_ones_at_double_pace() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut ticks = Ticks::default();
        ticks.start(start);
        assert_eq!(ticks.take(at(19)), None);
        assert_eq!(ticks.take(at(20)), Some(0));
        assert_eq!(ticks.next(), Some(at(40)));
        // 60 ms late: three ticks are owed.
        assert_eq!(ticks.take(at(100)), Some(0));
        assert_eq!(ticks.take(at(100)), None);
        assert_eq!(ticks.next(), Some(at(110)));
        assert_eq!(ticks.take(at(110)), Some(0));
        assert_eq!(ticks.next(), Some(at(120)));
    }

    #[test]
    fn after_a_long_stall_the_missed_ticks_are_given_up() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut ticks = Ticks::default();
        ticks.start(start);
        assert_eq!(ticks.take(at(1020)), Some(50));
        assert_eq!(ticks.next(), Some(at(1040)));
    }
}
