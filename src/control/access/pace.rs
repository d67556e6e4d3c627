//! How fast each user and role may ask: a bucket of tokens for every one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use call::meeting::Budget;

/// The buckets of those who asked lately.
#[derive(Debug)]
pub struct Pace {
    per_second: u32,
    buckets: Mutex<HashMap<String, (Budget, Instant)>>,
}

impl Pace {
    /// So many requests per second for each, and twice as many at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            buckets: Mutex::default(),
        }
    }

    /// Whether the principal of that id may ask now; if so, this counts. Ask only once a signature was good: nobody
    /// spends what is another's.
    pub fn take(&self, principal_id: &str, now: Instant) -> bool {
        // Its state is whole even if a thread died holding it.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(principal_id) {
            // Whoever asked nothing for that long has a full bucket again.
            buckets.retain(|_, (_, asked)| now.saturating_duration_since(*asked) < FULL_AGAIN);
        }
        let burst = self.per_second.saturating_mul(2);
        let (bucket, asked) = buckets
            .entry(principal_id.to_owned())
            .or_insert_with(|| (Budget::new(now, burst, self.per_second), now));
        *asked = now;
        bucket.take(now)
    }
}

/// Twice a second's tokens are back after two seconds.
const FULL_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Buckets from which on those are dropped that have filled up.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_key_has_a_pace_of_its_own_and_gets_it_back() {
        let pace = Pace::new(5);
        let now = Instant::now();
        let asked = |key: &str, at| (0..20).filter(|_| pace.take(key, at)).count();
        assert_eq!(asked("A", now), 10);
        assert_eq!(asked("B", now), 10);
        assert_eq!(asked("A", now + Duration::from_secs(1)), 5);
        assert_eq!(asked("A", now + Duration::from_secs(60)), 10);
    }

    #[test]
    fn keys_that_rest_are_forgotten() {
        let pace = Pace::new(1);
        let now = Instant::now();
        for key in 0..MOST {
            assert!(pace.take(&key.to_string(), now));
        }
        assert!(pace.take("late", now + FULL_AGAIN));
        assert_eq!(pace.buckets.lock().unwrap().len(), 1);
    }
}
