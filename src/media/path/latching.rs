//! The path of a leg with signalled addresses: symmetric RTP with a latch (RFC 4961, RFC 7362 §4).
//!
//! A phone behind a NAT cannot say where its packets will come from. So the first *good* packet decides; until then
//! we send where the other side signalled.
//!
//! With SRTP a good packet is one that authenticates, and a later authentic source may take over once the former
//! has fallen silent (a NAT that gave the call another port).
//!
//! Without protection a good packet is a well-formed one of the agreed kind, and how near its source is says how
//! much that is worth ([`Nearness`]). The signalled address decides at once and for good. So does the host that
//! signaling comes from, where the signalled address names another one: that is a phone behind a NAT. A stranger
//! decides only when neither has spoken for a while after it began, and gives way when one of them does: what an
//! attacker sprays at our ports before the phone has begun to speak brings it nothing.
//!
//! When signaling moves a plain leg, packets from the former source are still heard for a second and decide
//! nothing: they were under way, or the other side has not read our answer yet.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long the source in use must have been silent before another authentic one takes over.
const QUIET: Duration = Duration::from_millis(500);

/// How long packets from the source before a signalled move decide nothing.
const HANDOVER: Duration = Duration::from_secs(1);

/// How long a stranger must have been the only one to send before it is believed.
const PROBATION: Duration = Duration::from_secs(1);

/// How often foreign sources are told at most.
const TELL: Duration = Duration::from_secs(10);

/// The path of one socket of a leg: one for RTP, and one for RTCP where that has its own port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPath {
    signalled: Option<SocketAddr>,
    /// Where signaling comes from.
    peer: Option<IpAddr>,
    latched: Option<Latched>,
    /// The source in use before signaling moved a plain leg, and when it was first heard since.
    former: Option<(SocketAddr, Option<Instant>)>,
    protected: bool,
    /// When a stranger was first heard while nobody nearer was.
    probation: Option<Instant>,
    foreign: u64,
    last_foreign: Option<SocketAddr>,
    told: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Latched {
    source: SocketAddr,
    nearness: Nearness,
    heard: Instant,
}

/// How much a source on a path without protection is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Nearness {
    /// Any other.
    Stranger,
    /// The host that signaling comes from, while the signalled address names another: the phone behind a NAT.
    Neighbour,
    /// The signalled address itself.
    Signalled,
}

/// What the source of a good packet means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The source in use.
    Known,
    /// The latch closed or moved: send to this source from now on.
    Latched,
    /// Another source; the packet must be dropped. `tell` is true where it should be told: not more often than
    /// every ten seconds, and not twice in a row for one source.
    Foreign {
        /// It should be told.
        tell: bool,
    },
}

impl StaticPath {
    /// A path towards a signalled address; `None` while that is unknown. `peer` is where signaling comes from.
    /// `protected` says that packets are authenticated before [`StaticPath::good_packet`] is asked.
    #[must_use]
    pub fn new(signalled: Option<SocketAddr>, peer: Option<IpAddr>, protected: bool) -> Self {
        Self {
            signalled,
            peer,
            latched: None,
            former: None,
            protected,
            probation: None,
            foreign: 0,
            last_foreign: None,
            told: None,
        }
    }

    /// Sets what was signalled. A *changed* address or protection opens the latch; the same again (a refresh)
    /// does not.
    pub fn signal(&mut self, signalled: Option<SocketAddr>, peer: Option<IpAddr>, protected: bool) {
        self.peer = peer;
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
                told: self.told,
                former,
                ..Self::new(signalled, peer, protected)
            };
        }
    }

    /// Whether a packet from there deserves to be looked at: spares the work of reading what a closed latch
    /// would drop. A protected path looks at everything, as any source may be authentic.
    #[must_use]
    pub fn admits(&self, from: SocketAddr) -> bool {
        let gives_way = |latched: Latched| self.nearness(from) > latched.nearness;
        self.protected
            || self
                .latched
                .is_none_or(|latched| latched.source == from || gives_way(latched))
    }

    /// Tells of a good packet: well-formed, and authentic if the path is protected.
    pub fn good_packet(&mut self, now: Instant, from: SocketAddr) -> Source {
        if let Some(latched) = &mut self.latched
            && latched.source == from
        {
            latched.heard = now;
            return Source::Known;
        }
        let nearness = self.nearness(from);
        let decides = match self.latched {
            Some(latched) if self.protected => {
                now.saturating_duration_since(latched.heard) >= QUIET
            }
            Some(latched) => nearness > latched.nearness,
            None if self.protected || nearness > Nearness::Stranger => true,
            None => match &mut self.former {
                Some((former, first)) if *former == from => {
                    let first = *first.get_or_insert(now);
                    if now.saturating_duration_since(first) < HANDOVER {
                        return Source::Known;
                    }
                    true
                }
                _ => {
                    let since = *self.probation.get_or_insert(now);
                    now.saturating_duration_since(since) >= PROBATION
                }
            },
        };
        if !decides {
            return self.strange_packet(now, from);
        }
        self.latched = Some(Latched {
            source: from,
            nearness,
            heard: now,
        });
        self.last_foreign = None;
        self.former = None;
        Source::Latched
    }

    /// Counts a packet from a source that is not admitted.
    pub fn strange_packet(&mut self, now: Instant, from: SocketAddr) -> Source {
        self.foreign = self.foreign.saturating_add(1);
        let new = self.last_foreign.replace(from) != Some(from);
        let due = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= TELL);
        let tell = new && due;
        if tell {
            self.told = Some(now);
        }
        Source::Foreign { tell }
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

    /// How near a source is.
    #[must_use]
    pub fn nearness(&self, from: SocketAddr) -> Nearness {
        if self.signalled == Some(from) {
            return Nearness::Signalled;
        }
        let behind_nat = self
            .peer
            .is_some_and(|peer| self.signalled.map(|s| s.ip()) != Some(peer));
        if behind_nat && self.peer == Some(from.ip().to_canonical()) {
            Nearness::Neighbour
        } else {
            Nearness::Stranger
        }
    }
}

#[cfg(test)]
mod tests;
