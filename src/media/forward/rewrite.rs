//! A viewer's own numbering: sequence numbers and timestamps stay continuous whatever the source does.

use std::time::Instant;

use crate::send::stream::timestamp_at;

/// Maps the numbers of a source's packets to those of one viewer's stream.
#[derive(Clone, Debug)]
pub struct Rewriter {
    /// Extended source number of the first packet of the present run, and the number it was given.
    base: (u64, u64),
    timestamp_offset: u32,
    /// The highest number given so far; `None` before the first packet.
    highest: Option<u64>,
    first: u16,
    /// The newest timestamp given, and when.
    latest: (u32, Instant),
}

/// The numbers of one packet to a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
}

impl Rewriter {
    /// A stream whose first packet gets these numbers.
    #[must_use]
    pub fn new(now: Instant, sequence: u16, timestamp: u32) -> Self {
        Self {
            base: (0, 0),
            timestamp_offset: 0,
            highest: None,
            first: sequence,
            latest: (timestamp, now),
        }
    }

    /// Begins a run: the packet with this extended number and timestamp follows directly whatever was
    /// sent before, as much later as time has passed.
    pub fn begin_run(&mut self, now: Instant, source_number: u64, source_timestamp: u32) {
        let timestamp = match self.highest {
            None => self.latest.0,
            Some(_) => {
                let passed = timestamp_at(self.latest.0, VIDEO_CLOCK, self.latest.1, now);
                // Two pictures never share a timestamp.
                if passed.wrapping_sub(self.latest.0) == 0 {
                    passed.wrapping_add(1)
                } else {
                    passed
                }
            }
        };
        let number = match self.highest {
            None => (1 << 16) + u64::from(self.first),
            Some(highest) => highest + 1,
        };
        self.base = (source_number, number);
        self.timestamp_offset = timestamp.wrapping_sub(source_timestamp);
    }

    /// The numbers of a packet of the present run; `None` if it is older than the run.
    pub fn rewrite(
        &mut self,
        now: Instant,
        source_number: u64,
        source_timestamp: u32,
    ) -> Option<Numbers> {
        let number = self.base.1 + source_number.checked_sub(self.base.0)?;
        let timestamp = source_timestamp.wrapping_add(self.timestamp_offset);
        if self.highest.is_none_or(|highest| number > highest) {
            self.highest = Some(number);
            self.latest = (timestamp, now);
        }
        Some(Numbers {
            sequence: number as u16,
            timestamp,
        })
    }

    /// The timestamp of what would be shown now, for sender reports.
    #[must_use]
    pub fn timestamp_now(&self, now: Instant) -> u32 {
        timestamp_at(self.latest.0, VIDEO_CLOCK, self.latest.1, now)
    }
}

/// The RTP clock of every video codec, in Hz.
pub const VIDEO_CLOCK: u32 = 90_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn gaps_and_reordering_within_a_run_are_kept() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(now, 65_534, 7000);
        rewriter.begin_run(now, 100, 900);
        let sequences: Vec<_> = [100, 101, 104, 103]
            .map(|n| rewriter.rewrite(now, n, 900).unwrap().sequence)
            .to_vec();
        assert_eq!(sequences, [65_534, 65_535, 2, 1]);
        assert_eq!(rewriter.rewrite(now, 99, 900), None);
    }

    #[test]
    fn another_source_follows_directly_and_as_much_later_as_time_passed() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(now, 10, 1000);
        rewriter.begin_run(now, 500, 90_000);
        let last = rewriter.rewrite(now, 510, 93_000).unwrap();
        assert_eq!((last.sequence, last.timestamp), (20, 4000));
        let later = now + Duration::from_millis(100);
        rewriter.begin_run(later, 77, 5);
        let next = rewriter.rewrite(later, 77, 5).unwrap();
        assert_eq!((next.sequence, next.timestamp), (21, 13_000));
    }
}
