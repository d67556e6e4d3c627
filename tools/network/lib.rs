//! A network for tests: what happens to datagrams between two addresses, decided by a seed.
//!
//! ```text
//! Conditions   what a direction does: loss, delay, order, duplicates, rate, drift
//! Link         one direction under such conditions: when does this datagram arrive, if at all
//! Network      a link for every pair of addresses
//! Clock        the clock of a party that runs too fast or too slow
//! ```
//!
//! Time is an argument. So the same network serves tests in virtual time, where a whole call takes
//! milliseconds, and a shaper between real sockets. The same seed and the same datagrams have the same fate.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)
)]

mod clock;
mod delay;
mod link;
mod loss;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

pub use clock::Clock;
pub use delay::Delay;
pub use link::{Conditions, Fate, Link, Rate, Reorder, Tally, Why};
pub use loss::Loss;

/// Links between any addresses, made when their first datagram comes.
#[derive(Debug)]
pub struct Network {
    seed: u64,
    rules: Vec<(Where, Conditions)>,
    links: HashMap<(SocketAddr, SocketAddr), Link>,
}

/// Which direction a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Where {
    Everywhere,
    To(SocketAddr),
    From(SocketAddr),
}

impl Network {
    /// A network in which every direction has these conditions.
    #[must_use]
    pub fn new(seed: u64, everywhere: Conditions) -> Self {
        Self {
            seed,
            rules: vec![(Where::Everywhere, everywhere)],
            links: HashMap::new(),
        }
    }

    /// Other conditions towards one address. Rules made later rule.
    #[must_use]
    pub fn towards(mut self, address: SocketAddr, conditions: Conditions) -> Self {
        self.rules.push((Where::To(address), conditions));
        self
    }

    /// Other conditions for what one address sends.
    #[must_use]
    pub fn out_of(mut self, address: SocketAddr, conditions: Conditions) -> Self {
        self.rules.push((Where::From(address), conditions));
        self
    }

    /// What becomes of a datagram of `octets` of UDP payload that is sent now.
    pub fn pass(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, octets: usize) -> Fate {
        // Every link has dice of its own: traffic elsewhere does not change what happens here.
        let seed = self.seed.wrapping_add(self.links.len() as u64);
        let rules = &self.rules;
        self.links
            .entry((from, to))
            .or_insert_with(|| {
                let rule = rules.iter().rev().find(|(place, _)| match *place {
                    Where::Everywhere => true,
                    Where::To(address) => address == to,
                    Where::From(address) => address == from,
                });
                let conditions = rule.map_or_else(Conditions::default, |rule| rule.1.clone());
                Link::new(seed, conditions, now)
            })
            .pass(now, octets)
    }

    /// What has happened from one address to another so far.
    #[must_use]
    pub fn tally(&self, from: SocketAddr, to: SocketAddr) -> Tally {
        self.links
            .get(&(from, to))
            .map_or_else(Tally::default, Link::tally)
    }
}
