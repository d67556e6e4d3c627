//! What becomes of packets after they were taken in, for those who count losses.

/// What became of a packet after the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It never came, and was recovered from what a later packet carries (in-band FEC).
    Recovered(u64),
    /// It came, and was never played: the delay had to be caught up, or the buffer was full.
    Dropped(u64),
}

/// The latest of them, in memory that never grows: what nobody asks for is forgotten.
#[derive(Clone, Copy)]
pub(super) struct Fates {
    waiting: [Option<Fate>; MOST],
    count: usize,
}

impl Fates {
    pub(super) fn recovered(&mut self, sequence: u64) {
        self.tell(Fate::Recovered(sequence));
    }

    pub(super) fn dropped(&mut self, sequence: u64) {
        self.tell(Fate::Dropped(sequence));
    }

    pub(super) fn poll(&mut self) -> Option<Fate> {
        self.count = self.count.checked_sub(1)?;
        self.waiting.get_mut(self.count)?.take()
    }

    fn tell(&mut self, fate: Fate) {
        if let Some(slot) = self.waiting.get_mut(self.count) {
            *slot = Some(fate);
            self.count += 1;
        }
    }
}

impl Default for Fates {
    fn default() -> Self {
        Self {
            waiting: [None; MOST],
            count: 0,
        }
    }
}

/// As many as the buffer holds packets, and some.
const MOST: usize = 64;
