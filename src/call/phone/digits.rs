//! Each key press once, although some devices tell it twice: by RTP (RFC 4733) and by INFO.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a key press was told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Told {
    /// In the media.
    ByMedia,
    /// In the signaling.
    ByInfo,
}

/// How far apart the two may be.
const APART: Duration = Duration::from_secs(2);

/// The key presses of one call that were told one way, and may yet be told the other.
#[derive(Debug, Default)]
pub(super) struct Digits {
    single: VecDeque<(Instant, Told, char)>,
}

impl Digits {
    /// Whether this is a new key press. One that pairs with an earlier one, of the same key and told the other way, is
    /// the same press: so two quick presses of a key told both ways are two.
    pub(super) fn is_new(&mut self, now: Instant, told: Told, key: char) -> bool {
        self.single
            .retain(|(at, ..)| now.saturating_duration_since(*at) < APART);
        let pair = self
            .single
            .iter()
            .position(|(_, before, same)| *before != told && *same == key);
        if let Some(at) = pair {
            self.single.remove(at);
            return false;
        }
        if self.single.len() >= MOST {
            self.single.pop_front();
        }
        self.single.push_back((now, told, key));
        true
    }
}

/// More keys than anybody presses in that time.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn pressed(events: &[(u64, Told, char)]) -> String {
        let begin = start();
        let mut digits = Digits::default();
        events
            .iter()
            .filter(|(ms, told, key)| {
                digits.is_new(begin + Duration::from_millis(*ms), *told, *key)
            })
            .map(|(_, _, key)| *key)
            .collect()
    }

    use Told::{ByInfo, ByMedia};

    #[test]
    fn keys_told_one_way_all_count() {
        let keys = [(0, ByMedia, '1'), (100, ByMedia, '1'), (200, ByMedia, '2')];
        assert_eq!(pressed(&keys), "112");
    }

    #[test]
    fn keys_told_both_ways_count_once_in_whatever_order() {
        let keys = [
            (0, ByMedia, '1'),
            (90, ByInfo, '1'),
            (200, ByInfo, '1'),
            (260, ByMedia, '1'),
            (400, ByMedia, '2'),
            (500, ByMedia, '3'),
            (510, ByInfo, '2'),
            (520, ByInfo, '3'),
        ];
        assert_eq!(pressed(&keys), "1123");
    }

    #[test]
    fn the_same_key_much_later_is_another_press() {
        let keys = [(0, ByMedia, '1'), (2500, ByInfo, '1')];
        assert_eq!(pressed(&keys), "11");
    }
}
