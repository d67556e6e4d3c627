//! How many connections may be open, in all and for one source.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts who is in. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    inside: Arc<Mutex<Inside>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    /// Sources with at least one connection.
    sources: HashMap<IpAddr, usize>,
}

/// Leave to stay connected, given back when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    door: Door,
    source: IpAddr,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Full {
    /// All places are taken.
    #[error("limits.sip_connections are open")]
    All,
    /// This source has all that one may have.
    #[error("limits.sip_connections_per_source are open from this address")]
    Source,
}

impl Door {
    /// Lets in at most `most` connections, and at most `most_of_one` of one source.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            inside: Arc::default(),
            most,
            most_of_one,
        }
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// [`Full`], and which limit it is.
    pub(super) fn enter(&self, source: IpAddr) -> Result<Pass, Full> {
        let source = network(source);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.all >= self.most {
            return Err(Full::All);
        }
        let of_source = inside.sources.entry(source).or_default();
        if *of_source >= self.most_of_one {
            return Err(Full::Source);
        }
        *of_source += 1;
        inside.all += 1;
        Ok(Pass {
            door: self.clone(),
            source,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self
            .door
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        if let Entry::Occupied(mut of_source) = inside.sources.entry(self.source) {
            *of_source.get_mut() -= 1;
            if *of_source.get() == 0 {
                of_source.remove();
            }
        }
    }
}

/// A host of IPv6 has a whole /64 of addresses to come from (RFC 4291 §2.5.4): they count as one.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            const PREFIX: u128 = !0 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & PREFIX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_all_places_and_leaving_gives_them_back() {
        let door = Door::new(3, 2);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let first = door.enter(one).unwrap();
        let second = door.enter("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(door.enter(one).unwrap_err(), Full::Source);
        let third = door.enter(other).unwrap();
        assert_eq!(door.enter(other).unwrap_err(), Full::All);
        drop(first);
        let again = door.enter(one).unwrap();
        drop((second, third, again));
        assert!(door.inside.lock().unwrap().sources.is_empty());
        assert_eq!(door.inside.lock().unwrap().all, 0);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let door = Door::new(9, 1);
        let _first = door.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert_eq!(
            door.enter("2001:db8::2:1".parse().unwrap()).unwrap_err(),
            Full::Source
        );
        assert!(door.enter("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
