//! Which packet indices were used: the highest, and a bitmap of those just below it (RFC 3711 §3.3.2).

use super::GuardError;

/// Indices below the highest that are still told apart. More than the 64 that RFC 3711 asks for, because
/// retransmitted and reordered video lies further back.
pub(super) const SPAN: u64 = 512;
const WORDS: usize = (SPAN / 64) as usize;

/// The window of one stream. Bit `i % SPAN` tells whether index `i` was used.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    bits: [u64; WORDS],
}

impl Window {
    /// The highest index used.
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether an index may be used; changes nothing.
    pub(super) fn check(&self, index: u64) -> Result<(), GuardError> {
        let Some(highest) = self.highest else {
            return Ok(());
        };
        if index > highest {
            return Ok(());
        }
        if highest - index >= SPAN || self.bit(index) {
            return Err(GuardError::Replay);
        }
        Ok(())
    }

    /// Marks an index that was checked as used.
    pub(super) fn mark(&mut self, index: u64) {
        let highest = self.highest.unwrap_or(index);
        if index > highest {
            if index - highest >= SPAN {
                self.bits = [0; WORDS];
            } else {
                for skipped in highest + 1..index {
                    self.set(skipped, false);
                }
            }
        }
        self.highest = Some(highest.max(index));
        self.set(index, true);
    }

    fn bit(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.bits.get(word).is_some_and(|w| w >> bit & 1 == 1)
    }

    fn set(&mut self, index: u64, used: bool) {
        let (word, bit) = place(index);
        if let Some(w) = self.bits.get_mut(word) {
            *w = *w & !(1 << bit) | u64::from(used) << bit;
        }
    }
}

fn place(index: u64) -> (usize, u32) {
    let at = index % SPAN;
    // Both are below 512.
    ((at / 64) as usize, (at % 64) as u32)
}

/// The 48-bit index that a sequence number most likely stands for, given the highest so far
/// (RFC 3711 §3.3.1, appendix A).
pub(super) fn estimate(highest: Option<u64>, sequence: u16) -> Result<u64, GuardError> {
    let Some(highest) = highest else {
        return Ok(u64::from(sequence));
    };
    let rollover = highest >> 16;
    let last = highest & 0xffff;
    let sequence = u64::from(sequence);
    let rollover = if last < 0x8000 {
        if sequence > last + 0x8000 {
            // Before the first index ever: no sender can have used it.
            rollover.checked_sub(1).ok_or(GuardError::Replay)?
        } else {
            rollover
        }
    } else if sequence < last - 0x8000 {
        rollover + 1
    } else {
        rollover
    };
    if rollover > u64::from(u32::MAX) {
        return Err(GuardError::IndexExhausted);
    }
    Ok(rollover << 16 | sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn the_sequence_number_wraps_into_the_next_rollover() {
        assert_eq!(estimate(Some(0xfffe), 1), Ok(0x1_0001));
        assert_eq!(estimate(Some(0x1_0001), 0xffff), Ok(0xffff));
        assert_eq!(estimate(Some(0x1_0001), 2), Ok(0x1_0002));
        assert_eq!(estimate(None, 0xffff), Ok(0xffff));
    }

    #[test]
    fn nothing_lies_before_the_first_rollover() {
        assert_eq!(estimate(Some(1), 0xffff), Err(GuardError::Replay));
    }

    #[test]
    fn the_last_rollover_is_followed_by_none() {
        let highest = u64::from(u32::MAX) << 16 | 0xffff;
        assert_eq!(estimate(Some(highest), 0), Err(GuardError::IndexExhausted));
    }

    #[test]
    fn an_index_too_far_back_counts_as_used() {
        let mut window = Window::default();
        window.mark(1000);
        assert_eq!(window.check(1000 - SPAN), Err(GuardError::Replay));
        assert_eq!(window.check(1000 - SPAN + 1), Ok(()));
        assert_eq!(window.check(1000), Err(GuardError::Replay));
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set_of_everything_used(
            steps in prop::collection::vec(-700i64..900, 1..400)
        ) {
            let mut window = Window::default();
            let mut used = HashSet::new();
            let mut highest = None::<u64>;
            for step in steps {
                let index = highest.unwrap_or(10_000).saturating_add_signed(step);
                let allowed = highest.is_none_or(|h| index > h || (h - index < SPAN && !used.contains(&index)));
                prop_assert_eq!(window.check(index).is_ok(), allowed);
                if allowed {
                    window.mark(index);
                    used.insert(index);
                    highest = Some(highest.map_or(index, |h| h.max(index)));
                }
                prop_assert_eq!(window.highest(), highest);
            }
        }
    }
}
