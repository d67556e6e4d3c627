//! The sequence space of one SSRC (RFC 3550 A.1), with a memory of what was seen.

use super::{Arrival, NotAccepted, SETTLING, Settled};
use crate::measure::bursts::Fate;

/// One synchronisation source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    ssrc: u32,
    /// Extended number of the first packet of the present run.
    base: u64,
    highest: u64,
    received: u64,
    /// Loss of runs before a jump.
    lost_before: i64,
    received_before: u64,
    /// The sequence number that would confirm a jump.
    jump_next: Option<u16>,
    /// What came, by extended number modulo [`WINDOW`].
    seen: Bits,
    /// What came in time.
    useful: Bits,
    /// The first number whose fate is not settled yet.
    unsettled: u64,
    expected_at_report: u64,
    received_at_report: u64,
}

impl Source {
    /// A source that begins with `sequence`; its extended numbers are at least `floor`.
    pub(super) fn new(ssrc: u32, sequence: u16, floor: u64) -> Self {
        // One cycle of head room, so that a packet older than the first has a number too.
        let first = floor + CYCLE + u64::from(sequence);
        let mut source = Self {
            ssrc,
            base: first,
            highest: first,
            received: 1,
            lost_before: 0,
            received_before: 0,
            jump_next: None,
            seen: Bits::default(),
            useful: Bits::default(),
            unsettled: first,
            expected_at_report: 0,
            received_at_report: 0,
        };
        source.seen.set(first, true);
        source.useful.set(first, true);
        source
    }

    pub(super) fn first_arrival(&self) -> Arrival {
        Arrival {
            sequence: self.highest,
            restarted: true,
            gap: false,
            newest: true,
        }
    }

    pub(super) fn packet(
        &mut self,
        sequence: u16,
        settled: &mut Settled,
    ) -> Result<Arrival, NotAccepted> {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        if (1..MAX_DROPOUT).contains(&ahead) {
            self.jump_next = None;
            for _ in 0..ahead {
                self.highest += 1;
                self.seen.set(self.highest, false);
                self.useful.set(self.highest, false);
                self.settle(self.highest.saturating_sub(SETTLING), settled);
            }
            self.accept(self.highest);
            return Ok(Arrival {
                sequence: self.highest,
                restarted: false,
                gap: ahead > 1,
                newest: true,
            });
        }
        if (-MAX_MISORDER..=0).contains(&ahead) {
            let number = self.highest - u64::from(ahead.unsigned_abs());
            if number < self.base {
                // Older than the first one: the run began earlier than we thought.
                for missing in number..self.base {
                    self.seen.set(missing, false);
                    self.useful.set(missing, false);
                }
                if self.unsettled == self.base {
                    self.unsettled = number;
                }
                self.base = number;
            }
            if self.seen.get(number) {
                return Err(NotAccepted::Duplicate);
            }
            self.accept(number);
            return Ok(Arrival {
                sequence: number,
                restarted: false,
                gap: false,
                newest: false,
            });
        }
        if self.jump_next == Some(sequence) {
            return Ok(self.restart(sequence, settled));
        }
        self.jump_next = Some(sequence.wrapping_add(1));
        Err(NotAccepted::OnProbation)
    }

    pub(super) fn too_late(&mut self, number: u64) {
        if number >= self.unsettled && number <= self.highest {
            self.useful.set(number, false);
        }
    }

    pub(super) fn recovered(&mut self, number: u64) {
        if number >= self.unsettled && number <= self.highest {
            self.useful.set(number, true);
        }
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn received(&self) -> u64 {
        self.received_before + self.received
    }

    pub(super) fn lost(&self) -> i64 {
        self.lost_before + self.lost_in_run()
    }

    /// RFC 3550 A.3, since the previous call.
    pub(super) fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected();
        let expected_interval = expected.saturating_sub(self.expected_at_report);
        let received_interval = self.received.saturating_sub(self.received_at_report);
        self.expected_at_report = expected;
        self.received_at_report = self.received;
        let lost = expected_interval.saturating_sub(received_interval);
        (lost * 256)
            .checked_div(expected_interval)
            .map_or(0, |fraction| fraction.min(255) as u8)
    }

    /// The extended highest sequence number with cycles counted from the present run.
    pub(super) fn highest_reported(&self) -> u32 {
        (self.highest - self.base / CYCLE * CYCLE) as u32
    }

    /// Settles everything up to the newest packet.
    pub(super) fn settle_all(&mut self, settled: &mut Settled) {
        self.settle(self.highest + 1, settled);
    }

    /// A number above everything of this source with which the next one may begin.
    pub(super) fn next_era(&self) -> u64 {
        (self.highest / CYCLE + 1) * CYCLE
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    fn lost_in_run(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    fn accept(&mut self, number: u64) {
        self.seen.set(number, true);
        self.useful.set(number, true);
        self.received += 1;
    }

    fn restart(&mut self, sequence: u16, settled: &mut Settled) -> Arrival {
        self.settle_all(settled);
        settled.restart();
        let lost_before = self.lost();
        let received_before = self.received();
        *self = Self::new(self.ssrc, sequence, self.next_era());
        self.lost_before = lost_before;
        self.received_before = received_before;
        self.first_arrival()
    }

    /// Decides the fate of every number below `end`.
    fn settle(&mut self, end: u64, settled: &mut Settled) {
        while self.unsettled < end {
            let number = self.unsettled;
            settled.packet(if self.useful.get(number) {
                Fate::Played
            } else if self.seen.get(number) {
                Fate::Discarded
            } else {
                Fate::Lost
            });
            self.unsettled += 1;
        }
    }
}

/// One bit per number, for the latest [`WINDOW`] numbers.
#[derive(Clone, Debug, Default)]
struct Bits([u64; WINDOW as usize / 64]);

impl Bits {
    fn get(&self, number: u64) -> bool {
        let (word, mask) = Self::place(number);
        self.0.get(word).is_some_and(|bits| bits & mask != 0)
    }

    fn set(&mut self, number: u64, on: bool) {
        let (word, mask) = Self::place(number);
        if let Some(bits) = self.0.get_mut(word) {
            if on {
                *bits |= mask;
            } else {
                *bits &= !mask;
            }
        }
    }

    fn place(number: u64) -> (usize, u64) {
        ((number % WINDOW / 64) as usize, 1 << (number % 64))
    }
}

/// Numbers remembered; more than [`MAX_MISORDER`] + [`SETTLING`].
const WINDOW: u64 = 512;
const CYCLE: u64 = 1 << 16;
/// RFC 3550 A.1: a gap of this many packets or more is a jump.
const MAX_DROPOUT: i16 = 3000;
/// RFC 3550 A.1: a packet this far behind or more is a jump.
const MAX_MISORDER: i16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_taken_only_when_the_next_packet_follows_it() {
        let mut loss = Settled::default();
        let mut source = Source::new(1, 100, 0);
        assert_eq!(
            source.packet(30_000, &mut loss),
            Err(NotAccepted::OnProbation)
        );
        assert_eq!(
            source.packet(101, &mut loss).map(|a| a.restarted),
            Ok(false)
        );
        assert_eq!(
            source.packet(30_000, &mut loss),
            Err(NotAccepted::OnProbation)
        );
        assert_eq!(
            source.packet(30_001, &mut loss).map(|a| a.restarted),
            Ok(true)
        );
        assert_eq!(source.lost(), 0);
        assert_eq!(source.received(), 3);
    }

    #[test]
    fn a_packet_older_than_the_first_extends_the_run() {
        let mut loss = Settled::default();
        let mut source = Source::new(1, 2, 0);
        assert!(source.packet(65_535, &mut loss).is_ok());
        assert_eq!(source.lost(), 2);
        assert!(source.packet(0, &mut loss).is_ok());
        assert!(source.packet(1, &mut loss).is_ok());
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn a_number_a_whole_window_later_is_no_duplicate() {
        let mut loss = Settled::default();
        let mut source = Source::new(1, 0, 0);
        for step in 1..40_u32 {
            let sequence = (step * WINDOW as u32) as u16;
            assert!(source.packet(sequence, &mut loss).is_ok());
        }
    }
}
