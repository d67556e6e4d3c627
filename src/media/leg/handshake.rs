//! The DTLS association of one port of a leg, from its agreement to its keys.
//!
//! Towards a browser ICE has said who may send; there is one handshake, and its datagrams go wherever the path goes.
//! Towards signalled addresses anybody can send a ClientHello. So each source that begins has a handshake of its own,
//! at most one for each degree of nearness, and whoever shows the signalled certificate first wins. What a
//! stranger's handshake comes to is nobody's loss.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::plan::{Fingerprint, MediaLoss};

use super::link::Keys;
use crate::guard::dtls::{Handshake, Identity, Output, PeerKind};
use crate::measure::ledger::Dropped;
use crate::path::Nearness;

/// One port's DTLS: the handshakes under way, and the keys that came out of one.
pub(crate) struct Secured {
    pub(super) keys: Option<Keys>,
    tries: Vec<Try>,
    kind: PeerKind,
    active: bool,
    remote: Fingerprint,
    /// When an association must be there; `None` once it is, or where the handshake itself watches the time.
    deadline: Option<Instant>,
    failed: Option<MediaLoss>,
}

/// One handshake.
struct Try {
    /// With whom; `None` where the path says so.
    peer: Option<SocketAddr>,
    nearness: Nearness,
    handshake: Handshake,
    begun: Instant,
    /// When it wants to be called again.
    next: Option<Instant>,
}

/// What became of an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// There are keys. `Some`: this source has shown the signalled certificate.
    Connected(Option<SocketAddr>),
    /// There will be none, or no longer.
    Lost(MediaLoss),
}

impl Secured {
    /// An association that waits for its first datagram, or for somewhere to send to.
    pub(super) fn new(now: Instant, kind: PeerKind, active: bool, remote: Fingerprint) -> Self {
        Self {
            keys: None,
            tries: Vec::new(),
            kind,
            active,
            remote,
            deadline: (kind == PeerKind::Device).then(|| now + PATIENCE),
            failed: None,
        }
    }

    /// Whether a later agreement means this same association.
    pub(super) fn is_for(&self, remote: &Fingerprint) -> bool {
        self.remote == *remote
    }

    /// Whether we send the ClientHello.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether a handshake has begun.
    pub(super) fn has_begun(&self) -> bool {
        !self.tries.is_empty()
    }

    /// Begins the handshake with the peer that the path leads to, or with the one address that was signalled.
    pub(super) fn begin(&mut self, now: Instant, identity: &Identity, peer: Option<SocketAddr>) {
        if self.tries.is_empty() {
            self.start(now, identity, peer, Nearness::Signalled);
        }
    }

    /// Takes a datagram that the path of an ICE leg admits.
    pub(super) fn take(&mut self, now: Instant, datagram: &[u8]) -> Result<(), Dropped> {
        let only = self.tries.first_mut().ok_or(Dropped::UnexpectedDtls)?;
        only.handshake.handle(now, datagram);
        Ok(())
    }

    /// Takes a datagram from a source that nothing vouches for.
    pub(super) fn take_from(
        &mut self,
        now: Instant,
        identity: &Identity,
        from: SocketAddr,
        nearness: Nearness,
        datagram: &[u8],
    ) -> Result<(), Dropped> {
        let known = self.tries.iter_mut().find(|t| t.peer == Some(from));
        if let Some(known) = known {
            known.handshake.handle(now, datagram);
            return Ok(());
        }
        if self.active || self.keys.is_some() || !begins_handshake(datagram) {
            return Err(Dropped::UnexpectedDtls);
        }
        if let Some(at) = self.tries.iter().position(|t| t.nearness == nearness) {
            let young = |t: &Try| now.saturating_duration_since(t.begun) < STALE;
            if self.tries.get(at).is_some_and(young) {
                return Err(Dropped::UnexpectedDtls);
            }
            self.tries.remove(at);
        }
        self.start(now, identity, Some(from), nearness);
        if let Some(fresh) = self.tries.last_mut() {
            fresh.handshake.handle(now, datagram);
        }
        Ok(())
    }

    /// Lets time pass where it is due.
    pub(super) fn timeout(&mut self, now: Instant) -> bool {
        let mut due = self.deadline.is_some_and(|at| now >= at);
        if due && self.keys.is_none() {
            self.deadline = None;
            self.failed.get_or_insert(MediaLoss::HandshakeFailed);
            self.tries.clear();
        }
        for one in &mut self.tries {
            if one.next.is_some_and(|next| now >= next) {
                one.handshake.timeout(now);
                due = true;
            }
        }
        due
    }

    /// Tells the other side that we close.
    pub(super) fn close(&mut self) {
        for one in &mut self.tries {
            one.handshake.close();
        }
    }

    /// Takes the handshakes as far as they go now. `send` gets each datagram with its destination, where that is
    /// not the path's.
    pub(super) fn drive(
        &mut self,
        mut send: impl FnMut(Option<SocketAddr>, &[u8]),
    ) -> Option<Outcome> {
        let mut outcome = None;
        let mut won = None;
        let mut buffer = [0; 2048];
        for (at, one) in self.tries.iter_mut().enumerate() {
            loop {
                match one.handshake.poll(&mut buffer) {
                    Output::Transmit(len) => {
                        if let Some(datagram) = buffer.get(..len) {
                            send(one.peer, datagram);
                        }
                    }
                    Output::Connected { local, remote } => match Keys::new(local, vec![remote]) {
                        Ok(keys) => {
                            self.keys = Some(keys);
                            outcome = Some(Outcome::Connected(one.peer));
                            won = Some(at);
                        }
                        Err(_) => outcome = Some(Outcome::Lost(MediaLoss::HandshakeFailed)),
                    },
                    Output::Failed(why) => {
                        let counts = one.nearness > Nearness::Stranger || self.keys.is_some();
                        if counts {
                            outcome = Some(Outcome::Lost(why));
                        } else {
                            self.failed = Some(why);
                        }
                        one.next = None;
                        break;
                    }
                    Output::Timeout(next) => {
                        one.next = next;
                        break;
                    }
                }
            }
        }
        if let Some(at) = won {
            self.deadline = None;
            self.failed = None;
            self.tries.swap(0, at);
            self.tries.truncate(1);
        }
        if outcome.is_none() && self.deadline.is_none() && self.keys.is_none() {
            outcome = self.failed.take().map(Outcome::Lost);
        }
        outcome
    }

    fn start(
        &mut self,
        now: Instant,
        identity: &Identity,
        peer: Option<SocketAddr>,
        nearness: Nearness,
    ) {
        let remote = self.remote.clone();
        self.tries.push(Try {
            peer,
            nearness,
            handshake: Handshake::new(identity, self.kind, self.active, remote, now),
            begun: now,
            next: Some(now),
        });
    }
}

/// Whether a datagram is a plain handshake record that begins with a ClientHello (RFC 6347 §4.1, §4.2.2).
fn begins_handshake(datagram: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    const RECORD_HEADER: usize = 13;
    datagram.first() == Some(&HANDSHAKE) && datagram.get(RECORD_HEADER) == Some(&CLIENT_HELLO)
}

/// How long a device may take until there are keys.
const PATIENCE: Duration = Duration::from_secs(30);
/// A handshake that is older and has come to nothing makes way for the next one as near.
const STALE: Duration = Duration::from_secs(3);
