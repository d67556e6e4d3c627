//! Bursts and gaps in what was lost or came too late (RFC 3611 §4.7.2), as VoIP metrics tell them.

/// What became of a packet that was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It came in time.
    Played,
    /// It came, but not in time to be played.
    Discarded,
    /// It did not come.
    Lost,
}

/// The bursts of one stream since its beginning.
///
/// A burst begins and ends with a packet that was not played, has at least two such, and nowhere [`GMIN`] played
/// ones in a row. All else is gaps, a packet missing alone included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bursts {
    expected: u64,
    lost: u64,
    discarded: u64,
    bursts: u64,
    burst_packets: u64,
    burst_missing: u64,
    gaps: u64,
    gap_packets: u64,
    gap_missing: u64,
    /// Whether the last thing closed was a gap.
    in_gap: bool,
    /// Packets from the first to the last missing one of what may be a burst, and how many are missing in it.
    open: (u64, u64),
    /// Played ones since.
    run: u64,
}

/// The figures of a VoIP metrics block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BurstFigures {
    /// Share lost on the way, in 1/256.
    pub loss_rate: u8,
    /// Share that came too late, in 1/256.
    pub discard_rate: u8,
    /// Share missing within bursts, in 1/256.
    pub burst_density: u8,
    /// Share missing in gaps, in 1/256.
    pub gap_density: u8,
    /// Mean length of a burst, in packets times 256.
    pub burst_length: u64,
    /// Mean length of a gap, in packets times 256.
    pub gap_length: u64,
}

impl Bursts {
    /// Takes note of the next packet, in the order of sequence numbers.
    pub fn packet(&mut self, fate: Fate) {
        self.expected += 1;
        match fate {
            Fate::Played => {
                self.run += 1;
                return;
            }
            Fate::Lost => self.lost += 1,
            Fate::Discarded => self.discarded += 1,
        }
        if self.open.1 > 0 && self.run < GMIN {
            self.open = (self.open.0 + self.run + 1, self.open.1 + 1);
        } else {
            self.close();
            self.open = (1, 1);
        }
        self.run = 0;
    }

    /// Packets that should have come.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The figures so far. What is open counts as if it ended here.
    #[must_use]
    pub fn figures(&self) -> BurstFigures {
        let mut whole = *self;
        whole.close();
        BurstFigures {
            loss_rate: share(whole.lost, whole.expected),
            discard_rate: share(whole.discarded, whole.expected),
            burst_density: share(whole.burst_missing, whole.burst_packets),
            gap_density: share(whole.gap_missing, whole.gap_packets),
            burst_length: mean_256(whole.burst_packets, whole.bursts),
            gap_length: mean_256(whole.gap_packets, whole.gaps),
        }
    }

    /// What may have been a burst has ended, and the played packets after it belong to a gap.
    fn close(&mut self) {
        let (packets, missing) = std::mem::take(&mut self.open);
        if missing > 1 {
            self.bursts += 1;
            self.burst_packets += packets;
            self.burst_missing += missing;
            self.in_gap = false;
        }
        let alone = u64::from(missing == 1);
        if self.run + alone > 0 {
            self.gaps += u64::from(!self.in_gap);
            self.in_gap = true;
            self.gap_packets += self.run + alone;
            self.gap_missing += alone;
        }
    }
}

/// Played packets in a row that end a burst: the value that RFC 3611 §4.7.2 recommends.
pub const GMIN: u64 = 16;

fn share(part: u64, whole: u64) -> u8 {
    (part * 256)
        .checked_div(whole)
        .map_or(0, |share| share.min(255) as u8)
}

fn mean_256(packets: u64, runs: u64) -> u64 {
    (packets * 256).checked_div(runs).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` played, `x` lost, `d` discarded; a number repeats the letter before it.
    fn fed(pattern: &[(char, usize)]) -> BurstFigures {
        let mut bursts = Bursts::default();
        for &(letter, count) in pattern {
            for _ in 0..count {
                bursts.packet(match letter {
                    'x' => Fate::Lost,
                    'd' => Fate::Discarded,
                    _ => Fate::Played,
                });
            }
        }
        bursts.figures()
    }

    #[test]
    fn losses_far_apart_are_gaps_only() {
        let figures = fed(&[('.', 50), ('x', 1), ('.', 16), ('x', 1), ('.', 32)]);
        assert_eq!(figures.loss_rate, 5);
        assert_eq!((figures.burst_density, figures.burst_length), (0, 0));
        assert_eq!(figures.gap_density, 5);
        assert_eq!(figures.gap_length, 100 * 256);
    }

    #[test]
    fn losses_close_together_are_a_burst_with_what_was_played_between() {
        // Two bursts: four of ten missing, and three in a row; 15 played do not end one, 16 do.
        let figures = fed(&[
            ('.', 100),
            ('x', 1),
            ('.', 3),
            ('d', 2),
            ('.', 3),
            ('x', 1),
            ('.', 87),
            ('x', 3),
            ('.', 200),
        ]);
        assert_eq!(figures.burst_length, (10 + 3) * 256 / 2);
        assert_eq!(figures.burst_density, (7 * 256 / 13) as u8);
        assert_eq!(figures.gap_length, 387 * 256 / 3);
        assert_eq!(figures.gap_density, 0);
        assert_eq!(figures.loss_rate, (5 * 256 / 400) as u8);
        assert_eq!(figures.discard_rate, (2 * 256 / 400) as u8);
    }

    #[test]
    fn fifteen_played_packets_do_not_end_a_burst_and_sixteen_do() {
        let joined = fed(&[('x', 2), ('.', 15), ('x', 2)]);
        assert_eq!(joined.burst_length, 19 * 256);
        let apart = fed(&[('x', 2), ('.', 16), ('x', 2)]);
        assert_eq!(apart.burst_length, 2 * 256);
        assert_eq!(apart.gap_length, 16 * 256);
    }

    #[test]
    fn nothing_expected_says_nothing() {
        assert_eq!(fed(&[]), BurstFigures::default());
    }
}
