//! The DTLS association of a leg, from its agreement to its keys.

use std::time::Instant;

use wire::plan::Fingerprint;

use super::link::Keys;
use crate::guard::dtls::{Handshake, Identity};

/// A leg's DTLS: the handshake, and the keys that came out of it.
pub(crate) struct Secured {
    pub(super) keys: Option<Keys>,
    pub(super) handshake: Option<Handshake>,
    /// When the handshake wants to be called again.
    pub(super) next: Option<Instant>,
    active: bool,
    remote: Fingerprint,
}

impl Secured {
    /// A passive side waits from now on; an active one begins when there is somewhere to send to.
    pub(super) fn new(
        now: Instant,
        identity: &Identity,
        active: bool,
        remote: Fingerprint,
        reachable: bool,
    ) -> Self {
        let mut secured = Self {
            keys: None,
            handshake: None,
            next: None,
            active,
            remote,
        };
        if !active || reachable {
            secured.begin(now, identity);
        }
        secured
    }

    /// Whether a later agreement means this same association.
    pub(super) fn is_for(&self, remote: &Fingerprint) -> bool {
        self.remote == *remote
    }

    /// Begins the handshake unless it has begun.
    pub(super) fn begin(&mut self, now: Instant, identity: &Identity) {
        if self.handshake.is_none() {
            let handshake = Handshake::new(identity, self.active, self.remote.clone(), now);
            self.handshake = Some(handshake);
            self.next = Some(now);
        }
    }
}
