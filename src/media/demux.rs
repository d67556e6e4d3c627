//! Finds the leg that a packet on a shared port belongs to.
//!
//! A user fragment is entered when a leg is reserved, an address only when the leg's
//! [path](crate::path::IceLitePath) has validated it: nobody can have packets from an address taken as
//! somebody's by sending first.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;

use wire::plan::LegId;

/// The tables of one shared port.
///
/// The hashers have fixed keys, so that runs repeat. No stranger chooses what is entered: user fragments are
/// our own random text, and addresses have answered to a password.
#[derive(Debug, Default)]
pub struct Demux {
    by_address: HashMap<SocketAddr, LegId, Fixed>,
    by_ufrag: HashMap<Box<str>, LegId, Fixed>,
}

type Fixed = BuildHasherDefault<DefaultHasher>;

impl Demux {
    /// Empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters the user fragment of a leg that was just reserved.
    pub fn reserve(&mut self, ufrag: &str, leg: LegId) {
        self.by_ufrag.insert(ufrag.into(), leg);
    }

    /// The leg whose fragment is the first half of a check's USERNAME.
    #[must_use]
    pub fn leg_of_ufrag(&self, ufrag: &str) -> Option<LegId> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Enters an address that the leg has validated. A browser that opens a second session from the port of
    /// its first moves over: the leg that had the address is returned.
    pub fn validated(&mut self, address: SocketAddr, leg: LegId) -> Option<LegId> {
        let before = self.by_address.insert(address, leg);
        before.filter(|other| *other != leg)
    }

    /// Takes out an address that a leg has given up, if it is still that leg's.
    pub fn forget_address(&mut self, address: SocketAddr, leg: LegId) {
        if self.by_address.get(&address) == Some(&leg) {
            self.by_address.remove(&address);
        }
    }

    /// The leg that has validated this address.
    #[must_use]
    pub fn leg_at(&self, address: SocketAddr) -> Option<LegId> {
        self.by_address.get(&address).copied()
    }

    /// Takes out everything of a leg. Looks at every entry: for closing, not for packets.
    pub fn forget(&mut self, leg: LegId) {
        self.by_address.retain(|_, l| *l != leg);
        self.by_ufrag.retain(|_, l| *l != leg);
    }

    /// How many addresses and user fragments are entered.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.by_address.len(), self.by_ufrag.len())
    }

    /// Nothing is entered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty() && self.by_ufrag.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_reserved_leg_is_found_by_fragment_and_not_yet_by_address() {
        let mut demux = Demux::new();
        demux.reserve("abcd", LegId(1));
        assert_eq!(demux.leg_of_ufrag("abcd"), Some(LegId(1)));
        assert_eq!(demux.leg_of_ufrag("abc"), None);
        assert_eq!(demux.leg_at(address(5)), None);
    }

    #[test]
    fn an_address_that_another_leg_validates_moves_over() {
        let mut demux = Demux::new();
        assert_eq!(demux.validated(address(5), LegId(1)), None);
        assert_eq!(demux.validated(address(5), LegId(1)), None);
        assert_eq!(demux.validated(address(5), LegId(2)), Some(LegId(1)));
        assert_eq!(demux.leg_at(address(5)), Some(LegId(2)));
        demux.forget_address(address(5), LegId(1));
        assert_eq!(demux.leg_at(address(5)), Some(LegId(2)));
    }

    #[test]
    fn a_forgotten_leg_leaves_nothing_behind() {
        let mut demux = Demux::new();
        demux.reserve("abcd", LegId(1));
        demux.validated(address(5), LegId(1));
        demux.validated(address(6), LegId(1));
        demux.forget(LegId(1));
        assert!(demux.is_empty());
    }
}
