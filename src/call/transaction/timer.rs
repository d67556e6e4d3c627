//! The timers of RFC 3261 §17 with their values, and a schedule that knows which is due next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Estimate of a round trip (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest interval between retransmissions of requests other than INVITE and of responses to INVITE.
pub const T2: Duration = Duration::from_secs(4);
/// Longest time that a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// `64*T1`: after this a transaction without progress has failed.
pub const GIVE_UP: Duration = Duration::from_secs(32);

/// The timers of RFC 3261 §17 and RFC 6026. Timer C is a proxy's and absent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Timer {
    /// INVITE client: send the request again, doubling.
    A,
    /// INVITE client: no response came.
    B,
    /// INVITE client: no further failure response can come.
    D,
    /// Other client: send the request again.
    E,
    /// Other client: no final response came.
    F,
    /// INVITE server: send the failure response again.
    G,
    /// INVITE server: no ACK came.
    H,
    /// INVITE server: no further ACK can come.
    I,
    /// Other server: no further request can come.
    J,
    /// Other client: no further response can come.
    K,
    /// INVITE server: no further retransmission of an accepted INVITE can come (RFC 6026 §8.1).
    L,
    /// INVITE client: no further 2xx can come (RFC 6026 §8.4).
    M,
}

impl Timer {
    pub(crate) const FIRST: Self = Self::A;
    pub(crate) const LAST: Self = Self::M;
}

/// Deadlines by key; each key has at most one.
#[derive(Debug)]
pub(crate) struct Schedule<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K: Ord + Copy> Schedule<K> {
    pub(crate) fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }

    /// Sets or moves the deadline of `key`.
    pub(crate) fn arm(&mut self, key: K, at: Instant) {
        self.disarm(key);
        self.by_key.insert(key, at);
        self.by_time.insert((at, key));
    }

    /// Takes the deadline of `key` away, if it has one.
    pub(crate) fn disarm(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Takes away the deadlines of all keys from `first` to `last`, both included.
    pub(crate) fn disarm_range(&mut self, first: K, last: K) {
        while let Some((&key, _)) = self.by_key.range(first..=last).next() {
            self.disarm(key);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Takes out the earliest deadline that has come, with the time for which it was set.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        let &(at, key) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.disarm(key);
        Some((at, key))
    }
}
