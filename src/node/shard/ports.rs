//! Even ports for phone legs, each given out as late as possible after its last use.

/// Walks the even ports of a range in order, from a start that differs between processes.
///
/// Going round the whole range keeps a port that was just freed out of use for as long as the range
/// allows, so that late packets of the old call do not reach a new one.
#[derive(Debug)]
pub(super) struct PortRange {
    first: u16,
    pairs: usize,
    next: usize,
}

impl PortRange {
    /// `range` holds the lowest and highest port, both included; `start` says where to begin.
    pub(super) fn new(range: (u16, u16), start: usize) -> Self {
        let first = range.0 + range.0 % 2;
        let pairs = (usize::from(range.1) + 1).saturating_sub(usize::from(first)) / 2;
        Self {
            first,
            pairs,
            next: start.checked_rem(pairs).unwrap_or(0),
        }
    }

    /// The next even port to try; `None` when the range holds no pair.
    pub(super) fn next(&mut self) -> Option<u16> {
        if self.pairs == 0 {
            return None;
        }
        let port = self.first + 2 * self.next as u16;
        self.next = (self.next + 1) % self.pairs;
        Some(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_even_port_of_the_range_comes_once_before_any_comes_twice() {
        let mut range = PortRange::new((10_001, 10_009), 2);
        let ports: Vec<_> = std::iter::from_fn(|| range.next()).take(5).collect();
        assert_eq!(ports, [10_006, 10_008, 10_002, 10_004, 10_006]);
    }

    #[test]
    fn a_range_without_a_pair_gives_nothing() {
        assert_eq!(PortRange::new((10_000, 10_000), 3).next(), None);
    }
}
