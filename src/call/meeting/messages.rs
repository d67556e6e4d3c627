//! Data messages between attendees: what is valid, how often, and what is kept for late comers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::signal::SdkDataMessagePayload;

/// The most octets in one message.
const MAX_DATA: usize = 2048;
/// The most characters of a topic.
const MAX_TOPIC: usize = 36;
/// The longest that a message is kept.
const MAX_LIFETIME: Duration = Duration::from_secs(300);
/// The most messages kept per meeting; the oldest goes first.
const MAX_KEPT: usize = 1024;

/// Why a message is not passed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum BadMessage {
    /// The topic is not 1 to 36 of `a-z`, `A-Z`, `0-9`, `_`, `-`.
    #[error("data message: the topic must be 1 to 36 letters, digits, _ or -")]
    Topic,
    /// More than 2048 octets.
    #[error("data message: more than 2048 octets")]
    TooLarge,
}

/// Checks what a client sent.
///
/// # Errors
/// As [`BadMessage`] says.
pub(super) fn check(message: &SdkDataMessagePayload) -> Result<(), BadMessage> {
    let topic = message.topic.as_deref().unwrap_or_default();
    let well_formed = topic
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'));
    if topic.is_empty() || topic.len() > MAX_TOPIC || !well_formed {
        return Err(BadMessage::Topic);
    }
    if message.data.as_ref().map_or(0, Vec::len) > MAX_DATA {
        return Err(BadMessage::TooLarge);
    }
    Ok(())
}

/// Messages with a lifetime, for those who come later.
#[derive(Debug, Default)]
pub(super) struct Kept {
    messages: VecDeque<KeptMessage>,
}

#[derive(Debug)]
struct KeptMessage {
    came: Instant,
    until: Instant,
    message: SdkDataMessagePayload,
}

impl Kept {
    /// Keeps a message for its lifetime, if it has one.
    pub(super) fn keep(&mut self, now: Instant, message: &SdkDataMessagePayload) {
        let lifetime = Duration::from_millis(message.lifetime_ms.unwrap_or(0).into());
        if lifetime.is_zero() {
            return;
        }
        self.forget(now);
        if self.messages.len() >= MAX_KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back(KeptMessage {
            came: now,
            until: now + lifetime.min(MAX_LIFETIME),
            message: message.clone(),
        });
    }

    /// What somebody who was away since `since` (or was never here) has missed, but for what it sent itself.
    pub(super) fn missed(
        &self,
        now: Instant,
        since: Option<Instant>,
        by: &str,
    ) -> Vec<SdkDataMessagePayload> {
        self.messages
            .iter()
            .filter(|kept| kept.until > now && since.is_none_or(|since| kept.came >= since))
            .map(|kept| &kept.message)
            .filter(|message| message.sender_attendee_id.as_deref() != Some(by))
            .cloned()
            .collect()
    }

    /// Drops what has outlived itself.
    pub(super) fn forget(&mut self, now: Instant) {
        self.messages.retain(|kept| kept.until > now);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.messages.iter().map(|kept| kept.until).min()
    }
}

/// A bucket of tokens: how often somebody may do something that costs others.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    tokens: f64,
    burst: f64,
    per_second: f64,
    at: Instant,
}

impl Budget {
    /// A full bucket of `burst` tokens that fills by `per_second`.
    #[must_use]
    pub fn new(now: Instant, burst: u32, per_second: u32) -> Self {
        Self {
            tokens: burst.into(),
            burst: burst.into(),
            per_second: per_second.into(),
            at: now,
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn message(topic: &str, octets: usize, lifetime_ms: u32) -> SdkDataMessagePayload {
        SdkDataMessagePayload {
            topic: Some(topic.to_owned()),
            data: Some(vec![0; octets]),
            lifetime_ms: Some(lifetime_ms),
            sender_attendee_id: Some("sender".to_owned()),
            ..SdkDataMessagePayload::default()
        }
    }

    #[test]
    fn topics_and_sizes_have_their_limits() {
        assert_eq!(check(&message("chat_1-A", 2048, 0)), Ok(()));
        assert_eq!(check(&message(&"t".repeat(36), 0, 0)), Ok(()));
        for bad in ["", "with space", "a:b", "ä", &"t".repeat(37)] {
            assert_eq!(check(&message(bad, 1, 0)), Err(BadMessage::Topic), "{bad}");
        }
        assert_eq!(check(&message("chat", 2049, 0)), Err(BadMessage::TooLarge));
    }

    #[test]
    fn a_message_is_kept_for_its_lifetime_and_not_shown_to_its_sender() {
        let now = start();
        let mut kept = Kept::default();
        kept.keep(now, &message("a", 1, 5000));
        kept.keep(now, &message("b", 1, 0));
        let later = now + Duration::from_millis(4999);
        assert_eq!(kept.missed(later, None, "other").len(), 1);
        assert!(kept.missed(later, None, "sender").is_empty());
        assert!(kept.missed(later, Some(later), "other").is_empty());
        let end = now + Duration::from_millis(5000);
        assert_eq!(kept.next_timeout(), Some(end));
        assert!(kept.missed(end, None, "other").is_empty());
        kept.forget(end);
        assert_eq!(kept.next_timeout(), None);
    }

    #[test]
    fn no_more_than_1024_messages_are_kept_and_none_longer_than_five_minutes() {
        let now = start();
        let mut kept = Kept::default();
        for _ in 0..1030 {
            kept.keep(now, &message("a", 1, u32::MAX));
        }
        assert_eq!(kept.missed(now, None, "other").len(), 1024);
        assert!(kept.missed(now + MAX_LIFETIME, None, "other").is_empty());
    }

    #[test]
    fn a_budget_allows_its_burst_and_then_its_rate() {
        let now = start();
        let mut budget = Budget::new(now, 2, 10);
        assert!(budget.take(now) && budget.take(now));
        assert!(!budget.take(now));
        assert!(budget.take(now + Duration::from_millis(100)));
        assert!(!budget.take(now + Duration::from_millis(100)));
    }
}
