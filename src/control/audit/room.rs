//! How much of what nobody may do at will goes into the trail: without an end to it anybody could fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Entries of one kind, counted by the minute: some of each source, and some of all together, so that one who asks
/// without end leaves room for others.
#[derive(Debug)]
pub(super) struct Room {
    /// Whose entries these are, for the log.
    of: &'static str,
    each: u32,
    all: u32,
    known: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    /// Never more sources than entries.
    sources: HashMap<String, u32>,
    all: u32,
    left_out: u64,
}

impl Room {
    pub(super) fn new(of: &'static str, each: u32, all: u32) -> Self {
        Self {
            of,
            each,
            all,
            known: Mutex::default(),
        }
    }

    /// Whether one more entry of that source may be kept; if so, it is counted.
    pub(super) fn take(&self, source: &str, now_ms: i64) -> bool {
        // Its state is whole even if a thread died holding it.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now_ms.div_euclid(60_000);
        if known.number != number {
            let before = std::mem::take(&mut *known);
            known.number = number;
            if before.left_out > 0 {
                tracing::warn!(
                    of = self.of,
                    left_out = before.left_out,
                    "requests of a minute were too many to be kept in the audit trail"
                );
            }
        }
        let taken = known.sources.get(source).copied().unwrap_or_default();
        if taken >= self.each || known.all >= self.all {
            known.left_out += 1;
            metrics::counter!("campanile_audit_left_out_total", "of" => self.of).increment(1);
            return false;
        }
        known.all += 1;
        known.sources.insert(source.to_owned(), taken + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_without_end_leaves_room_for_others_and_all_together_have_an_end() {
        let room = Room::new("strangers", 3, 10);
        let taken = |source: &str, at_ms| (0..50).filter(|_| room.take(source, at_ms)).count();
        assert_eq!(taken("a", 60_000), 3);
        assert_eq!(taken("b", 60_001), 3);
        assert_eq!(taken("c", 119_999), 3);
        assert_eq!(taken("d", 119_999), 1);
        assert_eq!(taken("e", 119_999), 0);
        assert_eq!(taken("a", 120_000), 3, "the next minute");
    }
}
