//! The path of a leg whose other side runs ICE against us: we answer checks and follow its nomination.
//!
//! A lite agent (RFC 8445 §2.5) sends no checks. An address is valid when a check from it carried our
//! password; the selected one is the last that the other side nominated, or before any nomination the first
//! valid one. The path expires when no valid check came for [`EXPIRY`]: the other side's own consent checks
//! (RFC 7675) keep it alive.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::plan::IceCredentials;
use wire::stun::answer::{self, Refusal};
use wire::stun::{BindingRequest, IceRole};

/// How long a path lives without a valid check.
pub const EXPIRY: Duration = Duration::from_secs(30);
/// Addresses remembered per leg. A browser shows a handful; the least recently checked makes way.
pub const MAX_ADDRESSES: usize = 8;

/// The ICE state of one leg.
#[derive(Clone, Debug)]
pub struct IceLitePath {
    local: IceCredentials,
    remote: Option<IceCredentials>,
    valid: Vec<Valid>,
    selected: Option<SocketAddr>,
    nominated: bool,
    last_check: Instant,
    /// Checks need not go on.
    lasting: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Valid {
    address: SocketAddr,
    checked: Instant,
}

/// What came of a datagram that looked like STUN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Octets of the answer, to be sent back to where the datagram came from; 0 for none.
    pub answer_len: usize,
    /// What it meant.
    pub verdict: Verdict,
}

/// What a check meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The address is valid.
    Valid {
        /// It was not before: enter it into the demultiplexer.
        new: bool,
        /// The address that made way for it, to be taken out there.
        displaced: Option<SocketAddr>,
        /// The destination of what we send changed.
        selected: bool,
    },
    /// Refused, and the answer says why.
    Refused(Refusal),
    /// Not a binding request, or malformed: nothing to answer.
    Ignored,
}

impl IceLitePath {
    /// A path with our credentials. `now` starts the first [`EXPIRY`].
    #[must_use]
    pub fn new(local: IceCredentials, now: Instant) -> Self {
        Self {
            local,
            remote: None,
            valid: Vec::with_capacity(MAX_ADDRESSES),
            selected: None,
            nominated: false,
            last_check: now,
            lasting: false,
        }
    }

    /// The same towards a peer that need not go on checking once it has nominated: consent (RFC 7675) is asked of
    /// browsers, while a SIP device keeps its way open by whatever it sends (RFC 8445 §11). The path does not
    /// expire.
    #[must_use]
    pub fn lasting(local: IceCredentials, now: Instant) -> Self {
        Self {
            lasting: true,
            ..Self::new(local, now)
        }
    }

    /// Sets the other side's credentials. Checks that came before were judged by our password alone; a
    /// *changed* fragment is an ICE restart: the next nomination decides anew, while media keeps its way
    /// until then (RFC 8445 §9).
    pub fn set_remote(&mut self, remote: IceCredentials) {
        let changed = self
            .remote
            .as_ref()
            .is_some_and(|r| r.ufrag != remote.ufrag);
        if changed {
            self.nominated = false;
        }
        self.remote = Some(remote);
    }

    /// Our credentials.
    #[must_use]
    pub fn local(&self) -> &IceCredentials {
        &self.local
    }

    /// Judges a datagram of class STUN and writes the answer to `out`, which must hold
    /// [`answer::MAX_ANSWER`] octets.
    pub fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> Checked {
        let Ok(request) = BindingRequest::parse(datagram) else {
            return Checked {
                answer_len: 0,
                verdict: Verdict::Ignored,
            };
        };
        let transaction = request.transaction();
        let pwd = self.local.pwd.as_bytes();
        match self.judge(&request) {
            Err(refusal) => {
                // Only what came after authentication is answered with it.
                let key = matches!(
                    refusal,
                    Refusal::RoleConflict | Refusal::UnknownAttribute(_)
                );
                let written = answer::refuse(out, &transaction, refusal, key.then_some(pwd));
                Checked {
                    answer_len: written.unwrap_or(0),
                    verdict: Verdict::Refused(refusal),
                }
            }
            Ok(()) => {
                let written = answer::success(out, &transaction, from, pwd);
                Checked {
                    answer_len: written.unwrap_or(0),
                    verdict: self.validated(now, from, request.use_candidate),
                }
            }
        }
    }

    /// Whether media and DTLS may come from there.
    #[must_use]
    pub fn admits(&self, now: Instant, from: SocketAddr) -> bool {
        self.valid
            .iter()
            .any(|v| v.address == from && (self.lasting || is_fresh(v.checked, now)))
    }

    /// Where to send.
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Every valid address, for the demultiplexer.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.valid.iter().map(|v| v.address)
    }

    /// When the path expires unless a valid check comes; `None` for one that lasts.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        (!self.lasting).then(|| self.last_check + EXPIRY)
    }

    /// Whether it has expired.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at().is_some_and(|at| now >= at)
    }

    /// Whether checks must go on for it to live.
    #[must_use]
    pub fn can_expire(&self) -> bool {
        !self.lasting
    }

    /// The order of RFC 8489 §9.1.3, then the role (RFC 8445 §7.3.1.1).
    fn judge(&self, request: &BindingRequest<'_>) -> Result<(), Refusal> {
        if !request.has_integrity || request.username.is_none() {
            return Err(Refusal::BadRequest);
        }
        let ours = request.ufrags().is_some_and(|(first, second)| {
            let remote = self.remote.as_ref();
            first == self.local.ufrag && remote.is_none_or(|r| r.ufrag == second)
        });
        if !ours || !request.is_authentic(self.local.pwd.as_bytes()) {
            return Err(Refusal::Unauthenticated);
        }
        if let Some(kind) = request.unknown {
            return Err(Refusal::UnknownAttribute(kind));
        }
        // A lite agent is always controlled (RFC 8445 §6.1.1) and cannot switch, whatever the tie-breakers say.
        if matches!(request.role, Some(IceRole::Controlled(_))) {
            return Err(Refusal::RoleConflict);
        }
        Ok(())
    }

    fn validated(&mut self, now: Instant, from: SocketAddr, nominates: bool) -> Verdict {
        self.last_check = now;
        let mut displaced = None;
        let known = self.valid.iter_mut().find(|v| v.address == from);
        let new = known.is_none();
        if let Some(known) = known {
            known.checked = now;
        } else {
            if self.valid.len() >= MAX_ADDRESSES {
                displaced = self.displace();
            }
            self.valid.push(Valid {
                address: from,
                checked: now,
            });
        }
        let before = self.selected;
        let stale = |selected: SocketAddr| {
            !self
                .valid
                .iter()
                .any(|v| v.address == selected && (self.lasting || is_fresh(v.checked, now)))
        };
        if nominates {
            self.selected = Some(from);
            self.nominated = true;
        } else if before.is_none_or(stale) {
            // Nothing selected, or what was selected has died while this address lives.
            self.selected = Some(from);
            self.nominated = false;
        }
        Verdict::Valid {
            new,
            displaced,
            selected: self.selected != before,
        }
    }

    /// Forgets the address that was checked longest ago, but never the selected one.
    fn displace(&mut self) -> Option<SocketAddr> {
        let oldest = self
            .valid
            .iter()
            .enumerate()
            .filter(|(_, v)| Some(v.address) != self.selected)
            .min_by_key(|(_, v)| v.checked)
            .map(|(at, _)| at)?;
        Some(self.valid.swap_remove(oldest).address)
    }

    /// Whether the other side has nominated an address since the path began or ICE restarted.
    #[must_use]
    pub fn is_nominated(&self) -> bool {
        self.nominated
    }
}

fn is_fresh(checked: Instant, now: Instant) -> bool {
    now.saturating_duration_since(checked) < EXPIRY
}

#[cfg(test)]
mod tests;
