//! Whom a leg shares its RTP session with: what RFC 3550 §6.3 needs to know of the other side.

use std::time::{Duration, Instant};

/// The other side's sources, as its packets name them.
#[derive(Clone, Debug, Default)]
pub(super) struct Company {
    others: Vec<(u32, Instant)>,
}

impl Company {
    /// A source spoke. Beyond [`MOST`] nobody is remembered: who invents sources gets no memory for them.
    pub(super) fn heard(&mut self, now: Instant, ssrc: u32) {
        let known = self.others.iter_mut().find(|(known, _)| *known == ssrc);
        if let Some((_, last)) = known {
            *last = now;
        } else if self.others.len() < MOST {
            self.others.push((ssrc, now));
        }
    }

    /// A source said goodbye.
    pub(super) fn left(&mut self, ssrc: u32) {
        self.others.retain(|(known, _)| *known != ssrc);
    }

    /// Forgets those that were silent for so long (RFC 3550 §6.3.5).
    pub(super) fn forget_silent(&mut self, now: Instant, silence: Duration) {
        self.others
            .retain(|(_, last)| now.saturating_duration_since(*last) <= silence);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.others.len()
    }
}

const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_once_and_forgotten_when_they_leave_or_fall_silent() {
        let start = Instant::now();
        let mut company = Company::default();
        for ssrc in [1, 2, 1, 3] {
            company.heard(start, ssrc);
        }
        assert_eq!(company.count(), 3);
        company.left(2);
        company.heard(start + Duration::from_secs(20), 3);
        company.forget_silent(start + Duration::from_secs(30), Duration::from_secs(25));
        assert_eq!(company.count(), 1);
        for ssrc in 0..1000 {
            company.heard(start, ssrc);
        }
        assert_eq!(company.count(), MOST);
    }
}
