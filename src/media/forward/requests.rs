//! Key frame requests to one source: on demand, not too often, and until the key frame comes.

use std::time::{Duration, Instant};

/// Whether a source must be asked for a key frame, and when.
#[derive(Clone, Debug)]
pub struct KeyFrameRequests {
    wanted: bool,
    asked: Option<Instant>,
    wait: Duration,
}

impl KeyFrameRequests {
    /// Nothing is wanted yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: false,
            asked: None,
            wait: SHORTEST,
        }
    }

    /// Somebody needs a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
        self.wait = SHORTEST;
    }

    /// A key frame began: everybody who waited is served.
    pub fn key_frame(&mut self) {
        self.wanted = false;
        self.wait = SHORTEST;
    }

    /// Whether the source must be asked now. Counts as asked if so; until a key frame comes it is asked
    /// again, after 500 ms first and then less and less often.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if !self.wanted {
            return false;
        }
        let since = self.asked.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|since| since < self.wait) {
            return false;
        }
        if since.is_some() {
            self.wait = (self.wait * 2).min(LONGEST);
        }
        self.asked = Some(now);
        true
    }

    /// Whether a key frame is awaited.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }
}

impl Default for KeyFrameRequests {
    fn default() -> Self {
        Self::new()
    }
}

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_at(requests: &mut KeyFrameRequests, start: Instant, until_ms: u64) -> Vec<u64> {
        (0..until_ms)
            .step_by(20)
            .filter(|ms| requests.is_due(start + Duration::from_millis(*ms)))
            .collect()
    }

    #[test]
    fn a_storm_of_wants_asks_at_most_every_half_second() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new();
        let mut asked = Vec::new();
        for ms in (0..2000_u64).step_by(20) {
            requests.want();
            if requests.is_due(start + Duration::from_millis(ms)) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [0, 500, 1000, 1500]);
    }

    #[test]
    fn it_is_asked_again_until_the_key_frame_comes() {
        let start = Instant::now();
        let mut requests = KeyFrameRequests::new();
        requests.want();
        assert_eq!(
            asked_at(&mut requests, start, 8000),
            [0, 500, 1500, 3500, 7500]
        );
        requests.key_frame();
        assert!(!requests.is_due(start + Duration::from_secs(60)));
    }
}
