//! Even ports for phone legs: none twice at once, and each only after a rest since its last call.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Walks the even ports of a range in order, from a start that differs between processes.
///
/// A port that was given back rests before it is given out again, so that late packets of the old call do not
/// reach a new one.
#[derive(Debug)]
pub(super) struct PortRange {
    first: u16,
    pairs: Vec<Pair>,
    next: usize,
    rest: Duration,
    /// Pairs that rest, and until when; the first to be ready is in front.
    resting: VecDeque<(Instant, usize)>,
}

/// What a pair of ports is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pair {
    Free,
    Taken,
    Resting,
}

impl PortRange {
    /// `range` holds the lowest and highest port, both included; `start` says where to begin.
    pub(super) fn new(range: (u16, u16), rest: Duration, start: usize) -> Self {
        let first = range.0 + range.0 % 2;
        let pairs = (usize::from(range.1) + 1).saturating_sub(usize::from(first)) / 2;
        Self {
            first,
            pairs: vec![Pair::Free; pairs],
            next: start.checked_rem(pairs).unwrap_or(0),
            rest,
            resting: VecDeque::new(),
        }
    }

    /// The next even port to try; `None` when every pair is taken or rests. It stays free until it is taken: another
    /// program may have it.
    pub(super) fn next(&mut self, now: Instant) -> Option<u16> {
        while let Some(&(until, pair)) = self.resting.front()
            && until <= now
        {
            self.resting.pop_front();
            self.pairs[pair] = Pair::Free;
        }
        let count = self.pairs.len();
        let free = (0..count)
            .map(|step| (self.next + step) % count)
            .find(|&pair| self.pairs[pair] == Pair::Free)?;
        self.next = (free + 1) % count;
        Some(self.first + 2 * free as u16)
    }

    /// A port from [`PortRange::next`] is in use from now on.
    pub(super) fn take(&mut self, port: u16) {
        if let Some(pair) = self.pair(port) {
            self.pairs[pair] = Pair::Taken;
        }
    }

    /// Gives a port back. Odd ones, which go with the even one before, and foreign ones are nothing to it.
    pub(super) fn release(&mut self, now: Instant, port: u16) {
        if let Some(pair) = self.pair(port)
            && self.pairs[pair] == Pair::Taken
        {
            self.pairs[pair] = Pair::Resting;
            self.resting.push_back((now + self.rest, pair));
        }
    }

    fn pair(&self, port: u16) -> Option<usize> {
        let offset = usize::from(port.checked_sub(self.first)?);
        (offset % 2 == 0 && offset / 2 < self.pairs.len()).then_some(offset / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    #[test]
    fn every_even_port_of_the_range_comes_once_before_any_comes_twice() {
        let now = Instant::now();
        let mut range = PortRange::new((10_001, 10_009), REST, 2);
        let ports: Vec<_> = std::iter::from_fn(|| range.next(now)).take(5).collect();
        assert_eq!(ports, [10_006, 10_008, 10_002, 10_004, 10_006]);
    }

    #[test]
    fn a_range_without_a_pair_gives_nothing() {
        let mut range = PortRange::new((10_000, 10_000), REST, 3);
        assert_eq!(range.next(Instant::now()), None);
    }

    #[test]
    fn a_port_in_use_is_not_given_out_and_a_released_one_only_after_its_rest() {
        let now = Instant::now();
        let mut range = PortRange::new((10_000, 10_003), REST, 0);
        for expected in [10_000, 10_002] {
            let port = range.next(now).unwrap();
            assert_eq!(port, expected);
            range.take(port);
        }
        assert_eq!(range.next(now), None);
        range.release(now, 10_002);
        range.release(now, 10_003);
        range.release(now, 9_998);
        assert_eq!(range.next(now + REST - Duration::from_millis(1)), None);
        assert_eq!(range.next(now + REST), Some(10_002));
        assert_eq!(range.next(now + REST), Some(10_002), "not taken yet");
    }
}
