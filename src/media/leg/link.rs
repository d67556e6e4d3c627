//! How a leg reaches the other side: sockets, path and protection as one.

use std::net::SocketAddr;
use std::time::Instant;

use wire::plan::{Connectivity, IceCredentials, LegPlan, Protection, SdesKey};
use wire::rtp::FixedHeader;

use super::handshake::Secured;
use crate::guard::{GuardError, Protector, Unprotector};
use crate::measure::ledger::Dropped;
use crate::path::{IceLitePath, Source, StaticPath};
use crate::send::outbox::{Outbox, SocketId};

/// The way of one leg's datagrams, both directions.
pub(crate) struct Link {
    rtp_socket: SocketId,
    /// The socket of RTCP alone; `None` on the shared port.
    rtcp_socket: Option<SocketId>,
    /// Ours, for a phone that offers ICE; the path itself has a browser's.
    credentials: Option<IceCredentials>,
    pub(super) route: Route,
    pub(super) guard: Guard,
    /// RTP and RTCP on one port.
    mux: bool,
    /// Keys that we sent under before, with the indices used: they must not be used again.
    retired: Vec<(SdesKey, Protector)>,
    /// A foreign source that should be told.
    stranger: Option<SocketAddr>,
}

/// The two kinds of packets, where each has its own port (RFC 8445 calls them components 1 and 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Component {
    /// RTP, and RTCP where they share a port.
    Rtp,
    /// RTCP on its own port.
    Rtcp,
}

/// Where packets come from and go to.
pub(crate) enum Route {
    /// Nothing was agreed yet.
    Unknown,
    /// Signalled addresses.
    Static { rtp: StaticPath, rtcp: StaticPath },
    /// ICE-lite; a path for RTCP only where it has its own port.
    Ice {
        rtp: IceLitePath,
        rtcp: Option<IceLitePath>,
    },
}

/// How media is protected.
pub(crate) enum Guard {
    /// Nothing was agreed yet.
    Unknown,
    /// Not at all.
    Plain,
    /// By keys from SDP.
    Sdes(Box<Keys>),
    /// By keys from a handshake on the path, one for each port in use (RFC 5764 §3).
    Dtls {
        rtp: Box<Secured>,
        rtcp: Option<Box<Secured>>,
    },
}

/// Both directions' contexts, and what they were made from.
pub(crate) struct Keys {
    local: SdesKey,
    remote: Vec<SdesKey>,
    protector: Protector,
    unprotector: Unprotector,
}

impl Keys {
    /// Expands the keys.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`].
    pub(crate) fn new(local: SdesKey, remote: Vec<SdesKey>) -> Result<Self, GuardError> {
        Ok(Self {
            protector: Protector::new(&local)?,
            unprotector: Unprotector::with_keys(&remote)?,
            local,
            remote,
        })
    }

    /// Takes the other side's new keys, if they are.
    fn set_remote(&mut self, remote: &[SdesKey]) -> Result<(), GuardError> {
        if self.remote != remote {
            self.unprotector.rekey(remote)?;
            self.remote = remote.to_vec();
        }
        Ok(())
    }

    /// Goes on under another key of ours; returns the old one with its indices.
    fn set_local(&mut self, local: SdesKey, protector: Protector) -> (SdesKey, Protector) {
        (
            std::mem::replace(&mut self.local, local),
            std::mem::replace(&mut self.protector, protector),
        )
    }
}

/// What a plan cannot be: keys of the wrong length. The signalling peer's fault, refused before the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadPlan;

impl From<GuardError> for BadPlan {
    fn from(_: GuardError) -> Self {
        Self
    }
}

/// What a plan changed that concerns the streams that we send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rekeyed {
    /// They go on.
    No,
    /// They are protected by another key from here on.
    Yes,
}

impl Link {
    /// A phone's pair of sockets.
    pub(crate) fn pair(rtp: SocketId, rtcp: SocketId, credentials: IceCredentials) -> Self {
        Self {
            rtp_socket: rtp,
            rtcp_socket: Some(rtcp),
            credentials: Some(credentials),
            route: Route::Unknown,
            guard: Guard::Unknown,
            mux: false,
            retired: Vec::new(),
            stranger: None,
        }
    }

    /// A browser on the shared socket.
    pub(crate) fn shared(socket: SocketId, credentials: IceCredentials, now: Instant) -> Self {
        Self {
            rtp_socket: socket,
            rtcp_socket: None,
            credentials: None,
            route: Route::Ice {
                rtp: IceLitePath::new(credentials, now),
                rtcp: None,
            },
            guard: Guard::Unknown,
            mux: true,
            retired: Vec::new(),
            stranger: None,
        }
    }

    /// Sets or replaces what was agreed about path and keys (not DTLS, which the leg starts).
    pub(crate) fn configure(&mut self, now: Instant, plan: &LegPlan) -> Result<Rekeyed, BadPlan> {
        self.mux = plan.rtcp_mux || self.rtcp_socket.is_none();
        let rekeyed = self.set_protection(&plan.protection)?;
        self.set_route(
            now,
            &plan.connectivity,
            plan.protection != Protection::Plain,
        )?;
        Ok(rekeyed)
    }

    fn set_protection(&mut self, protection: &Protection) -> Result<Rekeyed, BadPlan> {
        let Protection::Sdes { local, remote } = protection else {
            let keep = matches!(
                (protection, &self.guard),
                (Protection::Dtls { .. }, Guard::Dtls { .. })
            );
            if !keep {
                let guard = match protection {
                    Protection::Plain => Guard::Plain,
                    _ => Guard::Unknown,
                };
                self.replace_guard(guard);
            }
            return Ok(Rekeyed::No);
        };
        match &mut self.guard {
            // A key that stays keeps its context: begun anew, it would use its indices twice.
            Guard::Sdes(keys) if keys.local == *local => {
                keys.set_remote(remote)?;
                Ok(Rekeyed::No)
            }
            Guard::Sdes(keys) => {
                let protector = match self.retired.iter().position(|(key, _)| key == local) {
                    Some(at) => self.retired.swap_remove(at).1,
                    None => Protector::new(local)?,
                };
                keys.set_remote(remote)?;
                let before = keys.set_local(local.clone(), protector);
                self.retire(before);
                Ok(Rekeyed::Yes)
            }
            _ => {
                let mut keys = Keys::new(local.clone(), remote.clone())?;
                if let Some(at) = self.retired.iter().position(|(key, _)| key == local) {
                    keys.protector = self.retired.swap_remove(at).1;
                }
                self.replace_guard(Guard::Sdes(Box::new(keys)));
                Ok(Rekeyed::No)
            }
        }
    }

    fn replace_guard(&mut self, guard: Guard) {
        if let Guard::Sdes(keys) = std::mem::replace(&mut self.guard, guard) {
            let Keys {
                local, protector, ..
            } = *keys;
            self.retire((local, protector));
        }
    }

    fn retire(&mut self, key: (SdesKey, Protector)) {
        // Keys are drawn at random and each change of key begins another SSRC as well; that one of so long ago
        // comes back is a mistake that this cannot mend for ever.
        if self.retired.len() >= MOST_RETIRED {
            self.retired.remove(0);
        }
        self.retired.push(key);
    }

    fn set_route(
        &mut self,
        now: Instant,
        connectivity: &Connectivity,
        protected: bool,
    ) -> Result<(), BadPlan> {
        match (connectivity, &mut self.route) {
            (
                Connectivity::Static { rtp, rtcp, peer },
                Route::Static {
                    rtp: rtp_path,
                    rtcp: rtcp_path,
                },
            ) => {
                rtp_path.signal(*rtp, *peer, protected);
                rtcp_path.signal(rtcp.or_else(|| rtp.and_then(next_port)), *peer, protected);
            }
            (Connectivity::Static { rtp, rtcp, peer }, route) => {
                let rtcp_to = rtcp.or_else(|| rtp.and_then(next_port));
                *route = Route::Static {
                    rtp: StaticPath::new(*rtp, *peer, protected),
                    rtcp: StaticPath::new(rtcp_to, *peer, protected),
                };
            }
            (Connectivity::IceLite { remote }, Route::Ice { rtp, rtcp }) => {
                rtp.set_remote(remote.clone());
                if let Some(rtcp) = rtcp {
                    rtcp.set_remote(remote.clone());
                }
            }
            (Connectivity::IceLite { remote }, route) => {
                let own = self.credentials.clone().ok_or(BadPlan)?;
                let path = |own: IceCredentials| {
                    let mut path = IceLitePath::lasting(own, now);
                    path.set_remote(remote.clone());
                    path
                };
                *route = Route::Ice {
                    rtcp: (!self.mux).then(|| path(own.clone())),
                    rtp: path(own),
                };
            }
        }
        Ok(())
    }

    /// Which kind of packets a socket is for.
    pub(crate) fn component(&self, socket: SocketId) -> Component {
        if self.rtcp_socket == Some(socket) && !self.mux {
            Component::Rtcp
        } else {
            Component::Rtp
        }
    }

    /// Whether RTCP has a port of its own.
    pub(crate) fn has_rtcp_port(&self) -> bool {
        !self.mux
    }

    /// The foreign source that should be told, once.
    pub(crate) fn take_stranger(&mut self) -> Option<SocketAddr> {
        self.stranger.take()
    }

    /// The sockets that are this leg's own.
    pub(crate) fn own_sockets(&self) -> Option<[SocketId; 2]> {
        self.rtcp_socket.map(|rtcp| [self.rtp_socket, rtcp])
    }

    /// The same sockets under other names.
    pub(crate) fn set_own_sockets(&mut self, [rtp, rtcp]: [SocketId; 2]) {
        self.rtp_socket = rtp;
        self.rtcp_socket = Some(rtcp);
    }

    /// The socket for a kind of packets.
    pub(crate) fn socket(&self, component: Component) -> SocketId {
        match component {
            Component::Rtp => self.rtp_socket,
            Component::Rtcp => self.rtcp_socket.unwrap_or(self.rtp_socket),
        }
    }

    /// The other side chose an address that it reaches by this socket. Only the shared port has several.
    pub(crate) fn use_socket(&mut self, socket: SocketId) {
        if self.rtcp_socket.is_none() {
            self.rtp_socket = socket;
        }
    }

    /// Whether media can be sent: there is a destination and, where needed, a key.
    pub(crate) fn can_send(&self) -> bool {
        let keyed = match &self.guard {
            Guard::Unknown => false,
            Guard::Plain | Guard::Sdes(_) => true,
            Guard::Dtls { rtp, .. } => rtp.keys.is_some(),
        };
        keyed && self.destination(Component::Rtp).is_some()
    }

    /// Where a kind of packets goes.
    pub(crate) fn destination(&self, component: Component) -> Option<SocketAddr> {
        match (&self.route, component) {
            (Route::Unknown, _) => None,
            (Route::Static { rtp, .. }, Component::Rtp) => rtp.destination(),
            (Route::Static { rtcp, .. }, Component::Rtcp) => rtcp.destination(),
            (
                Route::Ice {
                    rtcp: Some(path), ..
                },
                Component::Rtcp,
            ) => path.destination(),
            (Route::Ice { rtp, .. }, _) => rtp.destination(),
        }
    }

    /// The path of signalled addresses of a kind of packets.
    pub(crate) fn static_path(&mut self, component: Component) -> Option<&mut StaticPath> {
        match (&mut self.route, component) {
            (Route::Static { rtp, .. }, Component::Rtp) => Some(rtp),
            (Route::Static { rtcp, .. }, Component::Rtcp) => Some(rtcp),
            _ => None,
        }
    }

    /// The ICE path of a kind of packets.
    pub(crate) fn ice_path(&mut self, component: Component) -> Option<&mut IceLitePath> {
        match (&mut self.route, component) {
            (Route::Ice { rtcp, .. }, Component::Rtcp) => rtcp.as_mut(),
            (Route::Ice { rtp, .. }, Component::Rtp) => Some(rtp),
            _ => None,
        }
    }

    /// Whether packets from there are looked at. A source that is not may have to be told.
    fn admit(
        &mut self,
        now: Instant,
        component: Component,
        from: SocketAddr,
    ) -> Result<(), Dropped> {
        let admitted = match (&self.route, component) {
            (Route::Unknown, _) => return Err(Dropped::NotConfigured),
            (Route::Static { rtp, .. }, Component::Rtp) => rtp.admits(from),
            (Route::Static { rtcp, .. }, Component::Rtcp) => rtcp.admits(from),
            (
                Route::Ice {
                    rtcp: Some(path), ..
                },
                Component::Rtcp,
            ) => path.admits(now, from),
            (Route::Ice { rtp, .. }, _) => rtp.admits(now, from),
        };
        if admitted {
            return Ok(());
        }
        if let Some(path) = self.static_path(component) {
            let outcome = path.strange_packet(now, from);
            self.judged(outcome, from)?;
        }
        Err(Dropped::WrongSource)
    }

    fn judged(&mut self, source: Source, from: SocketAddr) -> Result<(), Dropped> {
        match source {
            Source::Known | Source::Latched => Ok(()),
            Source::Foreign { tell } => {
                if tell {
                    self.stranger = Some(from);
                }
                Err(Dropped::WrongSource)
            }
        }
    }

    /// Checks, authenticates and decrypts RTP in place; returns its length in the clear.
    pub(crate) fn open_rtp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Dropped> {
        self.admit(now, Component::Rtp, from)?;
        match &mut self.guard {
            Guard::Unknown => Err(Dropped::NotConfigured),
            Guard::Plain => Ok(packet.len()),
            Guard::Sdes(keys) => keys.unprotector.unprotect_rtp(packet).map_err(reason),
            Guard::Dtls { rtp, .. } => match &mut rtp.keys {
                Some(keys) => keys.unprotector.unprotect_rtp(packet).map_err(reason),
                None => Err(Dropped::NoKeys),
            },
        }
    }

    /// Tells the path that an RTP packet was good: authentic where protected, and of a kind that was agreed.
    pub(crate) fn good_rtp(&mut self, now: Instant, from: SocketAddr) -> Result<(), Dropped> {
        let Route::Static { rtp, .. } = &mut self.route else {
            return Ok(());
        };
        let outcome = rtp.good_packet(now, from);
        self.judged(outcome, from)
    }

    /// Checks, authenticates and decrypts RTCP in place; returns its length in the clear.
    pub(crate) fn open_rtcp(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Dropped> {
        let component = self.component(socket);
        self.admit(now, component, from)?;
        let len = match (&mut self.guard, component) {
            (Guard::Unknown, _) => return Err(Dropped::NotConfigured),
            (Guard::Plain, _) => packet.len(),
            (Guard::Sdes(keys), _) => keys.unprotector.unprotect_rtcp(packet).map_err(reason)?,
            (Guard::Dtls { rtp, rtcp }, component) => {
                let secured = match (component, rtcp) {
                    (Component::Rtcp, Some(own)) => own,
                    _ => rtp,
                };
                match &mut secured.keys {
                    Some(keys) => keys.unprotector.unprotect_rtcp(packet).map_err(reason)?,
                    None => return Err(Dropped::NoKeys),
                }
            }
        };
        // Only RTP moves the latch of the RTP port; RTCP's own port has its own.
        if let (Route::Static { rtcp, .. }, Component::Rtcp) = (&mut self.route, component) {
            let outcome = rtcp.good_packet(now, from);
            self.judged(outcome, from)?;
        }
        Ok(len)
    }

    /// Protects and sends one RTP packet; returns the octets on the wire.
    pub(crate) fn send_rtp(
        &mut self,
        outbox: &mut Outbox,
        header: &FixedHeader,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
    ) -> Option<usize> {
        let to = self.destination(Component::Rtp)?;
        let guard = &mut self.guard;
        outbox.push_with(self.rtp_socket, to, |room| {
            let head = header.write(room, extensions).ok()?;
            let len = head + payload.len();
            room.get_mut(head..len)?.copy_from_slice(payload);
            match guard {
                Guard::Unknown => None,
                Guard::Plain => Some(len),
                Guard::Sdes(keys) => keys.protector.protect_rtp(room, len).ok(),
                Guard::Dtls { rtp, .. } => {
                    let keys = rtp.keys.as_mut()?;
                    keys.protector.protect_rtp(room, len).ok()
                }
            }
        })
    }

    /// Protects and sends one RTCP compound, which `write` makes; returns the octets on the wire.
    pub(crate) fn send_rtcp(
        &mut self,
        outbox: &mut Outbox,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let component = if self.mux {
            Component::Rtp
        } else {
            Component::Rtcp
        };
        let (socket, to) = (self.socket(component), self.destination(component)?);
        let guard = &mut self.guard;
        outbox.push_with(socket, to, |room| {
            let len = write(room)?;
            match guard {
                Guard::Unknown => None,
                Guard::Plain => Some(len),
                Guard::Sdes(keys) => keys.protector.protect_rtcp(room, len).ok(),
                Guard::Dtls { rtp, rtcp } => {
                    let secured = rtcp.as_mut().unwrap_or(rtp);
                    let keys = secured.keys.as_mut()?;
                    keys.protector.protect_rtcp(room, len).ok()
                }
            }
        })
    }
}

fn next_port(address: SocketAddr) -> Option<SocketAddr> {
    let port = address.port().checked_add(1)?;
    Some(SocketAddr::new(address.ip(), port))
}

fn reason(error: GuardError) -> Dropped {
    match error {
        GuardError::Replay => Dropped::Replayed,
        GuardError::TooManySsrcs => Dropped::TooManySources,
        GuardError::TooShort => Dropped::Malformed,
        GuardError::Auth
        | GuardError::UnknownKey
        | GuardError::IndexExhausted
        | GuardError::KeyLength
        | GuardError::NoRoom => Dropped::Unauthentic,
    }
}

/// Keys of ours whose indices are remembered after a change.
const MOST_RETIRED: usize = 8;

#[cfg(test)]
mod tests;
