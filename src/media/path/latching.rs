//! The path of a leg with signalled addresses: symmetric RTP with a latch (RFC 4961, RFC 7362 §4).
//!
//! A phone behind a NAT cannot say where its packets will come from. So the first *good* packet decides:
//! without protection that is the first well-formed RTP packet, and it decides for good; with SRTP it is the
//! first packet that authenticates, and a later authentic source may take over once the former has fallen silent
//! (a NAT that gave the call another port). Until then we send where the other side signalled. When signaling
//! moves a plain leg, packets from the former source are still heard for a second and decide nothing: they
//! were under way, or the other side has not read our answer yet.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the source in use must have been silent before another authentic one takes over.
const QUIET: Duration = Duration::from_millis(500);

/// How long packets from the source before a signalled move decide nothing.
const HANDOVER: Duration = Duration::from_secs(1);

/// The path of one socket of a leg: one for RTP, and one for RTCP where that has its own port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPath {
    signalled: Option<SocketAddr>,
    latched: Option<Latched>,
    /// The source in use before signaling moved a plain leg, and when it was first heard since.
    former: Option<(SocketAddr, Option<Instant>)>,
    protected: bool,
    foreign: u64,
    last_foreign: Option<SocketAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Latched {
    source: SocketAddr,
    heard: Instant,
}

/// What the source of a good packet means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The source in use.
    Known,
    /// The latch closed or moved: send to this source from now on.
    Latched,
    /// Another source; the packet must be dropped. `first` is true once per such source in a row, so that it
    /// can be told without flooding.
    Foreign {
        /// It was not the last foreign source seen.
        first: bool,
    },
}

impl StaticPath {
    /// A path towards a signalled address; `None` while that is unknown. `protected` says that packets are
    /// authenticated before [`StaticPath::good_packet`] is asked.
    #[must_use]
    pub fn new(signalled: Option<SocketAddr>, protected: bool) -> Self {
        Self {
            signalled,
            latched: None,
            former: None,
            protected,
            foreign: 0,
            last_foreign: None,
        }
    }

    /// Sets what was signalled. A *changed* address or protection opens the latch; the same again (a refresh)
    /// does not.
    pub fn signal(&mut self, signalled: Option<SocketAddr>, protected: bool) {
        if self.signalled != signalled || self.protected != protected {
            // Coming back from an unknown address (0.0.0.0) is no move: then the first packet decides.
            let former = match (self.latched, self.signalled, signalled) {
                (Some(latched), Some(_), Some(new)) if latched.source != new => {
                    Some((latched.source, None))
                }
                _ => None,
            };
            *self = Self {
                foreign: self.foreign,
                former,
                ..Self::new(signalled, protected)
            };
        }
    }

    /// Whether a packet from there deserves to be looked at: spares the work of decrypting what a closed latch
    /// would drop. A protected path looks at everything, as any source may be authentic.
    #[must_use]
    pub fn admits(&self, from: SocketAddr) -> bool {
        self.protected || self.latched.is_none_or(|l| l.source == from)
    }

    /// Tells of a good packet: well-formed, and authentic if the path is protected.
    pub fn good_packet(&mut self, now: Instant, from: SocketAddr) -> Source {
        if !self.protected
            && self.latched.is_none()
            && let Some((former, first)) = &mut self.former
            && *former == from
            && now.saturating_duration_since(*first.get_or_insert(now)) < HANDOVER
        {
            return Source::Known;
        }
        match &mut self.latched {
            Some(latched) if latched.source == from => {
                latched.heard = now;
                return Source::Known;
            }
            Some(latched)
                if !self.protected || now.saturating_duration_since(latched.heard) < QUIET =>
            {
                return self.strange_packet(from);
            }
            _ => {}
        }
        self.latched = Some(Latched {
            source: from,
            heard: now,
        });
        self.last_foreign = None;
        self.former = None;
        Source::Latched
    }

    /// Counts a packet from a source that is not admitted.
    pub fn strange_packet(&mut self, from: SocketAddr) -> Source {
        self.foreign = self.foreign.saturating_add(1);
        let first = self.last_foreign.replace(from) != Some(from);
        Source::Foreign { first }
    }

    /// Where to send: the latched source, else what was signalled.
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        self.latched.map(|l| l.source).or(self.signalled)
    }

    /// Whether a good packet has decided.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.latched.is_some()
    }

    /// Packets that came from other sources.
    #[must_use]
    pub fn foreign_packets(&self) -> u64 {
        self.foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    // The only clock of these tests; everything else is added to it.
    #[allow(clippy::disallowed_methods)]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn until_a_packet_comes_we_send_where_it_was_signalled() {
        let path = StaticPath::new(Some(at(1)), false);
        assert_eq!(path.destination(), Some(at(1)));
        assert!(!path.is_latched());
    }

    #[test]
    fn a_plain_path_locks_to_the_first_good_source_for_good() {
        let now = start();
        let mut path = StaticPath::new(Some(at(1)), false);
        assert!(path.admits(at(2)));
        assert_eq!(path.good_packet(now, at(2)), Source::Latched);
        assert_eq!(path.destination(), Some(at(2)));
        assert!(!path.admits(at(3)));
        let later = now + Duration::from_secs(60);
        assert_eq!(
            path.good_packet(later, at(3)),
            Source::Foreign { first: true }
        );
        assert_eq!(
            path.good_packet(later, at(3)),
            Source::Foreign { first: false }
        );
        assert_eq!(path.destination(), Some(at(2)));
        assert_eq!(path.foreign_packets(), 2);
    }

    #[test]
    fn a_protected_path_follows_an_authentic_source_when_the_old_one_is_silent() {
        let now = start();
        let mut path = StaticPath::new(Some(at(1)), true);
        path.good_packet(now, at(2));
        assert!(path.admits(at(3)));
        let soon = now + Duration::from_millis(20);
        assert_eq!(
            path.good_packet(soon, at(3)),
            Source::Foreign { first: true }
        );
        let later = now + QUIET;
        assert_eq!(path.good_packet(later, at(3)), Source::Latched);
        assert_eq!(path.destination(), Some(at(3)));
    }

    #[test]
    fn only_a_changed_signalled_address_opens_the_latch() {
        let now = start();
        let mut path = StaticPath::new(Some(at(1)), false);
        path.good_packet(now, at(2));
        path.signal(Some(at(1)), false);
        assert_eq!(path.destination(), Some(at(2)));
        path.signal(Some(at(4)), false);
        assert_eq!(path.destination(), Some(at(4)));
        assert_eq!(path.good_packet(now, at(5)), Source::Latched);
    }

    #[test]
    fn packets_under_way_from_before_a_move_do_not_close_the_latch_on_the_old_source() {
        let now = start();
        let mut path = StaticPath::new(Some(at(1)), false);
        path.good_packet(now, at(1));
        path.signal(Some(at(4)), false);
        assert_eq!(path.good_packet(now, at(1)), Source::Known);
        assert_eq!(path.destination(), Some(at(4)));
        let soon = now + Duration::from_millis(100);
        assert_eq!(path.good_packet(soon, at(4)), Source::Latched);
        assert_eq!(
            path.good_packet(soon, at(1)),
            Source::Foreign { first: true }
        );
    }

    #[test]
    fn a_source_that_goes_on_after_a_signalled_move_is_followed_in_the_end() {
        let now = start();
        let mut path = StaticPath::new(Some(at(1)), false);
        path.good_packet(now, at(2));
        path.signal(Some(at(4)), false);
        assert_eq!(path.good_packet(now, at(2)), Source::Known);
        assert_eq!(path.good_packet(now + HANDOVER, at(2)), Source::Latched);
        assert_eq!(path.destination(), Some(at(2)));
    }

    #[test]
    fn a_path_without_signalled_address_knows_none_until_a_packet_comes() {
        let mut path = StaticPath::new(None, false);
        assert_eq!(path.destination(), None);
        path.good_packet(start(), at(9));
        assert_eq!(path.destination(), Some(at(9)));
    }
}
