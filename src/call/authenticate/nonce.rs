//! Nonces that need no memory until somebody has proved to know a password: the time and its seal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use rand::rngs::StdRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Makes nonces, tells ours from others, and counts their uses.
pub(super) struct Nonces {
    key: [u8; 32],
    epoch: Instant,
    lifetime: Duration,
    /// The highest count used of each that was used rightly.
    used: BTreeMap<String, u32>,
    /// When those end, the first to do so first.
    ends: BTreeSet<(Instant, String)>,
}

/// What is known of a nonce that came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Ours, young enough, and this count is above every one before it.
    Good,
    /// Ours once: too old, or this count was used. Or another's: of this node before it started again.
    Stale,
}

impl Nonces {
    pub(super) fn new(now: Instant, lifetime: Duration, random: &mut StdRng) -> Self {
        Self {
            key: random.random(),
            epoch: now,
            lifetime,
            used: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// A new one: milliseconds since the start, eight random octets, and the seal of both.
    pub(super) fn make(&self, now: Instant, random: &mut StdRng) -> String {
        let age = now.saturating_duration_since(self.epoch).as_millis();
        let mut octets = u64::try_from(age)
            .unwrap_or(u64::MAX)
            .to_be_bytes()
            .to_vec();
        octets.extend(random.random::<[u8; 8]>());
        let seal = self.seal(&octets);
        octets.extend(seal);
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// Looks at one that came back, without noting its use.
    pub(super) fn standing(&self, now: Instant, nonce: &str, count: u32) -> Standing {
        let fresh = self
            .made_at(nonce)
            .is_some_and(|at| now.saturating_duration_since(at) < self.lifetime);
        let used = self.used.get(nonce).is_some_and(|last| count <= *last);
        if fresh && !used {
            Standing::Good
        } else {
            Standing::Stale
        }
    }

    /// Notes that a nonce in good standing was used with this count by somebody who knows a password.
    pub(super) fn note(&mut self, now: Instant, nonce: &str, count: u32) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now)
            && let Some((_, ended)) = self.ends.pop_first()
        {
            self.used.remove(&ended);
        }
        let end = self.made_at(nonce).unwrap_or(now) + self.lifetime;
        self.ends.insert((end, nonce.to_owned()));
        self.used.insert(nonce.to_owned(), count);
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// When it was made, if it is ours.
    fn made_at(&self, nonce: &str) -> Option<Instant> {
        let octets = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (sealed, seal) = octets.split_at_checked(16)?;
        if !bool::from(self.seal(sealed).ct_eq(seal)) {
            return None;
        }
        let age: [u8; 8] = sealed.get(..8)?.try_into().ok()?;
        self.epoch
            .checked_add(Duration::from_millis(u64::from_be_bytes(age)))
    }

    fn seal(&self, octets: &[u8]) -> Vec<u8> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            // HMAC takes a key of any length.
            return Vec::new();
        };
        mac.update(octets);
        let mut seal = mac.finalize().into_bytes().to_vec();
        seal.truncate(16);
        seal
    }
}
