//! Who may come in: one typed refusal per rule, and the limit on guessing meeting ids.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use wire::plan::Prompt;

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
    /// A moderator locked the meeting.
    #[error("the meeting is locked")]
    MeetingLocked,
    /// Too many unknown ids came from that address.
    #[error("too many unknown meeting ids")]
    Guessing,
    /// The node is going down.
    #[error("the server is going down")]
    Draining,
    /// Something here went wrong, such as an unreadable store.
    #[error("internal error")]
    Internal,
}

impl PhoneRefusal {
    /// What the call ends with; [`crate::ending::Ending`] knows the SIP status.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::UnknownMeeting => Cause::UnknownMeeting,
            Self::MeetingEnded => Cause::MeetingEnded,
            Self::MeetingFull => Cause::MeetingFull,
            Self::MeetingLocked => Cause::MeetingLocked,
            Self::Guessing => Cause::Forbidden,
            Self::Draining => Cause::Draining,
            Self::Internal => Cause::Internal,
        }
    }

    /// What a person hears about it; `None` where only machines are to be told.
    #[must_use]
    pub fn prompt(self) -> Option<Prompt> {
        match self {
            Self::UnknownMeeting => Some(Prompt::Goodbye),
            Self::MeetingEnded => Some(Prompt::MeetingEnded),
            Self::MeetingFull => Some(Prompt::MeetingFull),
            Self::MeetingLocked => Some(Prompt::MeetingLocked),
            Self::Guessing | Self::Draining | Self::Internal => None,
        }
    }
}

/// Whether a source may have another meeting id looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Turn {
    /// It may, and one look-up of its is under way until [`GuessLimiter::answered`].
    Now,
    /// Should all its look-ups under way miss, it has no try left: it waits until one is answered.
    Later,
    /// It has used up its tries.
    Never,
}

/// Counts unknown meeting ids per source address, so that ids cannot be found by trying.
///
/// A 10-digit id and ten tries per ten minutes: a source needs centuries. Look-ups under way count as if they
/// missed, so that asking many at once gains nothing. Bounded: when the table is full, the address whose last
/// wrong try is longest ago makes room; who has look-ups under way stays, and those are bounded by the calls.
#[derive(Debug)]
pub struct GuessLimiter {
    sources: HashMap<IpAddr, Tries>,
    allowed: usize,
    window: Duration,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Tries {
    missed: VecDeque<Instant>,
    under_way: usize,
}

impl GuessLimiter {
    /// Allows `allowed` unknown ids per source in any `window`; remembers at most `capacity` sources.
    #[must_use]
    pub fn new(allowed: usize, window: Duration, capacity: usize) -> Self {
        Self {
            sources: HashMap::new(),
            allowed,
            window,
            capacity: capacity.max(1),
        }
    }

    /// The source names an id. After [`Turn::Now`] it must be told by [`Self::answered`] what became of it.
    pub fn ask(&mut self, now: Instant, source: IpAddr) -> Turn {
        let source = network_of(source);
        let (missed, under_way) = self.sources.get(&source).map_or((0, 0), |tries| {
            (self.fresh(now, &tries.missed), tries.under_way)
        });
        if missed >= self.allowed {
            return Turn::Never;
        }
        if missed + under_way >= self.allowed {
            return Turn::Later;
        }
        self.entry(now, source).under_way += 1;
        Turn::Now
    }

    /// A look-up of the source was answered: the id is a meeting's, or it `missed`.
    pub fn answered(&mut self, now: Instant, source: IpAddr, missed: bool) {
        let allowed = self.allowed;
        let source = network_of(source);
        let tries = self.entry(now, source);
        tries.under_way = tries.under_way.saturating_sub(1);
        if missed {
            if tries.missed.len() >= allowed {
                tries.missed.pop_front();
            }
            tries.missed.push_back(now);
        }
        if tries.missed.is_empty() && tries.under_way == 0 {
            self.sources.remove(&source);
        }
    }

    /// Drops what is older than the window.
    pub fn forget(&mut self, now: Instant) {
        let window = self.window;
        self.sources.retain(|_, tries| {
            let fresh = |last: &Instant| now.saturating_duration_since(*last) < window;
            if !tries.missed.back().is_some_and(fresh) {
                tries.missed.clear();
            }
            tries.under_way > 0 || !tries.missed.is_empty()
        });
    }

    /// When [`Self::forget`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.sources
            .values()
            .filter_map(|tries| tries.missed.back().map(|last| *last + self.window))
            .min()
    }

    /// Sources remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no source is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The entry of a source, made in a table that has room for it.
    fn entry(&mut self, now: Instant, source: IpAddr) -> &mut Tries {
        if !self.sources.contains_key(&source) {
            self.forget(now);
            if self.sources.len() >= self.capacity {
                let oldest = self
                    .sources
                    .iter()
                    .filter(|(_, tries)| tries.under_way == 0)
                    .min_by_key(|(address, tries)| (tries.missed.back().copied(), **address))
                    .map(|(address, _)| *address);
                if let Some(oldest) = oldest {
                    self.sources.remove(&oldest);
                }
            }
        }
        self.sources.entry(source).or_default()
    }

    fn fresh(&self, now: Instant, times: &VecDeque<Instant>) -> usize {
        times
            .iter()
            .filter(|time| now.saturating_duration_since(**time) < self.window)
            .count()
    }
}

/// One IPv4 address, or the /64 that one IPv6 subscriber owns: there, addresses cost nothing.
#[must_use]
pub fn network_of(source: IpAddr) -> IpAddr {
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

    const WINDOW: Duration = Duration::from_secs(600);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Names an unknown id and learns that it is.
    fn miss(limiter: &mut GuessLimiter, now: Instant, source: IpAddr) {
        assert_eq!(limiter.ask(now, source), Turn::Now);
        limiter.answered(now, source, true);
    }

    #[test]
    fn a_source_is_stopped_after_its_wrong_tries_and_let_in_when_they_are_old() {
        let start = start();
        let mut limiter = GuessLimiter::new(3, WINDOW, 10);
        for minute in 0..3 {
            miss(
                &mut limiter,
                start + Duration::from_secs(60 * minute),
                address(1),
            );
        }
        let now = start + Duration::from_secs(180);
        assert_eq!(limiter.ask(now, address(1)), Turn::Never);
        assert_eq!(limiter.ask(now, address(2)), Turn::Now);
        // The first of the three is ten minutes old.
        assert_eq!(limiter.ask(start + WINDOW, address(1)), Turn::Now);
    }

    #[test]
    fn look_ups_under_way_count_until_they_are_answered() {
        let start = start();
        let mut limiter = GuessLimiter::new(2, WINDOW, 10);
        assert_eq!(limiter.ask(start, address(1)), Turn::Now);
        assert_eq!(limiter.ask(start, address(1)), Turn::Now);
        assert_eq!(limiter.ask(start, address(1)), Turn::Later);
        limiter.answered(start, address(1), false);
        assert_eq!(limiter.ask(start, address(1)), Turn::Now);
        limiter.answered(start, address(1), true);
        limiter.answered(start, address(1), true);
        assert_eq!(limiter.ask(start, address(1)), Turn::Never);
    }

    #[test]
    fn who_only_names_meetings_is_not_remembered() {
        let start = start();
        let mut limiter = GuessLimiter::new(2, WINDOW, 10);
        for _ in 0..20 {
            assert_eq!(limiter.ask(start, address(1)), Turn::Now);
            limiter.answered(start, address(1), false);
        }
        assert!(limiter.is_empty());
    }

    #[test]
    fn the_table_never_grows_beyond_its_capacity_and_the_longest_quiet_source_goes_first() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, WINDOW, 2);
        for second in 0..3u8 {
            let now = start + Duration::from_secs(second.into());
            miss(&mut limiter, now, address(second));
        }
        let now = start + Duration::from_secs(5);
        assert_eq!(limiter.len(), 2);
        assert_eq!(limiter.ask(now, address(2)), Turn::Never);
        assert_eq!(limiter.ask(now, address(0)), Turn::Now);
    }

    #[test]
    fn a_source_with_a_look_up_under_way_is_not_pushed_out_of_the_table() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, WINDOW, 1);
        assert_eq!(limiter.ask(start, address(1)), Turn::Now);
        miss(&mut limiter, start, address(2));
        assert_eq!(limiter.ask(start, address(1)), Turn::Later);
    }

    #[test]
    fn addresses_of_one_ipv6_subscriber_count_together() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, WINDOW, 10);
        let at = |text: &str| text.parse().unwrap();
        miss(&mut limiter, start, at("2001:db8:1:2::1"));
        assert_eq!(limiter.ask(start, at("2001:db8:1:2:ffff::9")), Turn::Never);
        assert_eq!(limiter.ask(start, at("2001:db8:1:3::1")), Turn::Now);
    }

    #[test]
    fn nothing_is_remembered_after_the_window() {
        let start = start();
        let mut limiter = GuessLimiter::new(1, WINDOW, 10);
        miss(&mut limiter, start, address(1));
        assert_eq!(limiter.next_timeout(), Some(start + WINDOW));
        limiter.forget(start + WINDOW);
        assert!(limiter.is_empty());
        assert_eq!(limiter.next_timeout(), None);
    }
}
