//! Who may come in: one typed refusal per rule, and the limit on guessing meeting ids.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::ending::Cause;

/// Why a browser's signaling connection is not admitted. Told to it after its JOIN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum SignalRefusal {
    /// The join token is no attendee's.
    #[error("the join token is not valid")]
    BadToken,
    /// The token is valid, but does not allow this connection, such as a content share by one who may not share.
    #[error("the attendee may not do this")]
    Forbidden,
    /// There is no such meeting.
    #[error("no such meeting")]
    UnknownMeeting,
    /// The meeting was there and has ended.
    #[error("the meeting has ended")]
    MeetingEnded,
    /// The meeting has all the attendees it can hold.
    #[error("the meeting is full")]
    MeetingFull,
    /// The node holds all the connections that it may.
    #[error("too many connections")]
    Overloaded,
    /// The node is going down.
    #[error("the server is going down")]
    Draining,
    /// Something here went wrong, such as an unreadable store.
    #[error("internal error")]
    Internal,
}

impl SignalRefusal {
    /// The status of the error in JOIN_ACK.
    #[must_use]
    pub fn status(self) -> u32 {
        match self {
            Self::BadToken | Self::Forbidden => 403,
            Self::UnknownMeeting => 404,
            Self::MeetingEnded => 410,
            Self::MeetingFull => 409,
            Self::Internal => 500,
            Self::Overloaded | Self::Draining => 503,
        }
    }

    /// The WebSocket close code. 4410 tells the client that the meeting ended; 4500 to 4599 let it try
    /// again; any other before INDEX is final.
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::BadToken | Self::Forbidden => 4403,
            Self::UnknownMeeting => 4404,
            Self::MeetingEnded => 4410,
            Self::MeetingFull => 4409,
            Self::Internal => 4500,
            Self::Overloaded | Self::Draining => 4503,
        }
    }
}

/// Why a phone is not let into a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum PhoneRefusal {
    /// No meeting has the id.
    #[error("no such meeting")]
    UnknownMeeting,
    /// The meeting was there and has ended.
    #[error("the meeting has ended")]
    MeetingEnded,
    /// The meeting has all the attendees it can hold.
    #[error("the meeting is full")]
    MeetingFull,
    /// Too many unknown ids came from that address.
    #[error("too many unknown meeting ids")]
    Guessing,
    /// The node is going down.
    #[error("the server is going down")]
    Draining,
}

impl PhoneRefusal {
    /// What the call ends with; [`crate::ending::Ending`] knows the SIP status.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::UnknownMeeting => Cause::UnknownMeeting,
            Self::MeetingEnded => Cause::MeetingEnded,
            Self::MeetingFull => Cause::MeetingFull,
            Self::Guessing => Cause::Forbidden,
            Self::Draining => Cause::Draining,
        }
    }
}

/// Counts unknown meeting ids per source address, so that ids cannot be found by trying.
///
/// A 10-digit id and ten tries per ten minutes: a source needs centuries. Bounded: when the table is
/// full, the address whose last wrong try is longest ago makes room.
#[derive(Debug)]
pub struct GuessLimiter {
    tries: HashMap<IpAddr, VecDeque<Instant>>,
    allowed: usize,
    window: Duration,
    capacity: usize,
}

impl GuessLimiter {
    /// Allows `allowed` unknown ids per source in any `window`; remembers at most `capacity` sources.
    #[must_use]
    pub fn new(allowed: usize, window: Duration, capacity: usize) -> Self {
        Self {
            tries: HashMap::new(),
            allowed,
            window,
            capacity: capacity.max(1),
        }
    }

    /// Whether the source may name another id now.
    #[must_use]
    pub fn may_try(&self, now: Instant, source: IpAddr) -> bool {
        self.tries
            .get(&network_of(source))
            .is_none_or(|times| self.fresh(now, times) < self.allowed)
    }

    /// The source named an id that no meeting has.
    pub fn missed(&mut self, now: Instant, source: IpAddr) {
        self.forget(now);
        let source = network_of(source);
        if !self.tries.contains_key(&source) && self.tries.len() >= self.capacity {
            let oldest = self
                .tries
                .iter()
                .min_by_key(|(address, times)| (times.back().copied(), **address))
                .map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.tries.remove(&oldest);
            }
        }
        let times = self.tries.entry(source).or_default();
        if times.len() >= self.allowed {
            times.pop_front();
        }
        times.push_back(now);
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Instant) {
        let window = self.window;
        self.tries.retain(|_, times| {
            times
                .back()
                .is_some_and(|last| now.saturating_duration_since(*last) < window)
        });
    }

    /// When [`Self::forget`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.tries
            .values()
            .filter_map(|times| times.back().map(|last| *last + self.window))
            .min()
    }

    /// Sources remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tries.len()
    }

    /// Whether no source is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tries.is_empty()
    }

    fn fresh(&self, now: Instant, times: &VecDeque<Instant>) -> usize {
        times
            .iter()
            .filter(|time| now.saturating_duration_since(**time) < self.window)
            .count()
    }
}

/// One IPv4 address, or the /64 that one IPv6 subscriber owns: there, addresses cost nothing.
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_is_stopped_after_its_wrong_tries_and_let_in_when_they_are_old() {
        let start = start();
        let mut limiter = GuessLimiter::new(3, Duration::from_secs(600), 10);
        for minute in 0..3 {
            let now = start + Duration::from_secs(60 * minute);
            assert!(limiter.may_try(now, address(1)));
            limiter.missed(now, address(1));
        }
        let now = start + Duration::from_secs(180);
        assert!(!limiter.may_try(now, address(1)));
        assert!(limiter.may_try(now, address(2)));
        // The first of the three is ten minutes old.
        assert!(limiter.may_try(start + Duration::from_secs(600), address(1)));
    }

    #[test]
    fn the_table_never_grows_beyond_its_capacity_and_the_longest_quiet_source_goes_first() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, Duration::from_secs(600), 2);
        for second in 0..3u8 {
            limiter.missed(start + Duration::from_secs(second.into()), address(second));
        }
        let now = start + Duration::from_secs(5);
        assert_eq!(limiter.len(), 2);
        assert!(limiter.may_try(now, address(0)));
        assert!(!limiter.may_try(now, address(2)));
    }

    #[test]
    fn addresses_of_one_ipv6_subscriber_count_together() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, Duration::from_secs(600), 10);
        limiter.missed(start, "2001:db8:1:2::1".parse().unwrap());
        assert!(!limiter.may_try(start, "2001:db8:1:2:ffff::9".parse().unwrap()));
        assert!(limiter.may_try(start, "2001:db8:1:3::1".parse().unwrap()));
    }

    #[test]
    fn nothing_is_remembered_after_the_window() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, Duration::from_secs(600), 10);
        limiter.missed(start, address(1));
        assert_eq!(
            limiter.next_timeout(),
            Some(start + Duration::from_secs(600))
        );
        limiter.forget(start + Duration::from_secs(600));
        assert!(limiter.is_empty());
        assert_eq!(limiter.next_timeout(), None);
    }
}
