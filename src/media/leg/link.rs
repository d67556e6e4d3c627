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
    pub(super) route: Route,
    pub(super) guard: Guard,
    /// RTP and RTCP on one port.
    mux: bool,
}

/// Where packets come from and go to.
pub(crate) enum Route {
    /// Nothing was agreed yet.
    Unknown,
    /// Signalled addresses.
    Static { rtp: StaticPath, rtcp: StaticPath },
    /// ICE-lite.
    Ice(IceLitePath),
}

/// How media is protected.
pub(crate) enum Guard {
    /// Nothing was agreed yet.
    Unknown,
    /// Not at all.
    Plain,
    /// By keys from SDP.
    Sdes(Box<Keys>),
    /// By keys from a handshake on the path.
    Dtls(Box<Secured>),
}

/// Both directions' contexts, and what they were made from.
pub(crate) struct Keys {
    local: SdesKey,
    remote: SdesKey,
    protector: Protector,
    unprotector: Unprotector,
}

impl Keys {
    /// Expands both keys.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`].
    pub(crate) fn new(local: SdesKey, remote: SdesKey) -> Result<Self, GuardError> {
        Ok(Self {
            protector: Protector::new(&local)?,
            unprotector: Unprotector::new(&remote)?,
            local,
            remote,
        })
    }

    /// Takes the other side's new key, if it is one; ours goes on where it is.
    fn set_remote(&mut self, remote: &SdesKey) -> Result<(), GuardError> {
        if self.remote != *remote {
            self.unprotector = Unprotector::new(remote)?;
            self.remote = remote.clone();
        }
        Ok(())
    }
}

/// What a plan cannot be: keys of the wrong length. The signalling peer's fault, refused before the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadPlan;

impl Link {
    /// A phone's pair of sockets.
    pub(crate) fn pair(rtp: SocketId, rtcp: SocketId) -> Self {
        Self {
            rtp_socket: rtp,
            rtcp_socket: Some(rtcp),
            route: Route::Unknown,
            guard: Guard::Unknown,
            mux: false,
        }
    }

    /// A browser on the shared socket.
    pub(crate) fn shared(socket: SocketId, credentials: IceCredentials, now: Instant) -> Self {
        Self {
            rtp_socket: socket,
            rtcp_socket: None,
            route: Route::Ice(IceLitePath::new(credentials, now)),
            guard: Guard::Unknown,
            mux: true,
        }
    }

    /// Sets or replaces what was agreed about path and keys (not DTLS, which the leg starts).
    pub(crate) fn configure(&mut self, plan: &LegPlan) -> Result<(), BadPlan> {
        self.mux = plan.rtcp_mux || self.rtcp_socket.is_none();
        match &plan.protection {
            Protection::Plain => self.guard = Guard::Plain,
            Protection::Sdes { local, remote } => {
                // A key that stays keeps its context: begun anew, it would use its indices twice.
                match &mut self.guard {
                    Guard::Sdes(keys) if keys.local == *local => {
                        keys.set_remote(remote).map_err(|_| BadPlan)?;
                    }
                    _ => {
                        let keys = Keys::new(local.clone(), remote.clone()).map_err(|_| BadPlan)?;
                        self.guard = Guard::Sdes(Box::new(keys));
                    }
                }
            }
            Protection::Dtls { .. } => {
                if !matches!(self.guard, Guard::Dtls(_)) {
                    self.guard = Guard::Unknown;
                }
            }
        }
        let protected = plan.protection != Protection::Plain;
        match (&plan.connectivity, &mut self.route) {
            (Connectivity::Static { rtp, rtcp }, route) => {
                let rtcp_to = rtcp.or_else(|| rtp.and_then(next_port));
                if let Route::Static {
                    rtp: rtp_path,
                    rtcp: rtcp_path,
                } = route
                {
                    rtp_path.signal(*rtp, protected);
                    rtcp_path.signal(rtcp_to, protected);
                } else {
                    *route = Route::Static {
                        rtp: StaticPath::new(*rtp, protected),
                        rtcp: StaticPath::new(rtcp_to, protected),
                    };
                }
            }
            (Connectivity::IceLite { remote }, Route::Ice(path)) => path.set_remote(remote.clone()),
            // ICE towards a phone's own port pair was never offered; its plan cannot name it.
            (Connectivity::IceLite { .. }, _) => return Err(BadPlan),
        }
        Ok(())
    }

    /// The sockets that are this leg's own.
    pub(crate) fn own_sockets(&self) -> Option<[SocketId; 2]> {
        self.rtcp_socket.map(|rtcp| [self.rtp_socket, rtcp])
    }

    /// The socket for RTP, and of everything on the shared port.
    pub(crate) fn rtp_socket(&self) -> SocketId {
        self.rtp_socket
    }

    /// The other side chose an address that it reaches by this socket of the shared port.
    pub(crate) fn use_socket(&mut self, socket: SocketId) {
        self.rtp_socket = socket;
    }

    /// Whether media can be sent: there is a destination and, where needed, a key.
    pub(crate) fn can_send(&self) -> bool {
        let keyed = match &self.guard {
            Guard::Unknown => false,
            Guard::Plain | Guard::Sdes(_) => true,
            Guard::Dtls(secured) => secured.keys.is_some(),
        };
        keyed && self.rtp_destination().is_some()
    }

    /// Where RTP goes.
    pub(crate) fn rtp_destination(&self) -> Option<SocketAddr> {
        match &self.route {
            Route::Unknown => None,
            Route::Static { rtp, .. } => rtp.destination(),
            Route::Ice(path) => path.destination(),
        }
    }

    /// Checks, authenticates and decrypts RTP in place; returns its length in the clear.
    pub(crate) fn open_rtp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Dropped> {
        let admitted = match &self.route {
            Route::Unknown => return Err(Dropped::NotConfigured),
            Route::Static { rtp, .. } => rtp.admits(from),
            Route::Ice(path) => path.admits(now, from),
        };
        if !admitted {
            return Err(Dropped::WrongSource);
        }
        match &mut self.guard {
            Guard::Unknown => Err(Dropped::NotConfigured),
            Guard::Plain => Ok(packet.len()),
            Guard::Sdes(keys) => keys.unprotector.unprotect_rtp(packet).map_err(reason),
            Guard::Dtls(secured) => match &mut secured.keys {
                Some(keys) => keys.unprotector.unprotect_rtp(packet).map_err(reason),
                None => Err(Dropped::NoKeys),
            },
        }
    }

    /// Tells the path that an RTP packet was good: authentic where protected, and of a kind that was agreed.
    pub(crate) fn good_rtp(&mut self, now: Instant, from: SocketAddr) -> Result<(), Dropped> {
        match &mut self.route {
            Route::Static { rtp, .. } => match rtp.good_packet(now, from) {
                Source::Known | Source::Latched => Ok(()),
                Source::Foreign { .. } => Err(Dropped::WrongSource),
            },
            Route::Ice(_) | Route::Unknown => Ok(()),
        }
    }

    /// Checks, authenticates and decrypts RTCP in place; returns its length in the clear.
    pub(crate) fn open_rtcp(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Dropped> {
        let on_rtp_port = socket == self.rtp_socket;
        let admitted = match &self.route {
            Route::Unknown => return Err(Dropped::NotConfigured),
            Route::Static { rtp, .. } if on_rtp_port => rtp.admits(from),
            Route::Static { rtcp, .. } => rtcp.admits(from),
            Route::Ice(path) => path.admits(now, from),
        };
        if !admitted {
            return Err(Dropped::WrongSource);
        }
        let len = match &mut self.guard {
            Guard::Unknown => return Err(Dropped::NotConfigured),
            Guard::Plain => packet.len(),
            Guard::Sdes(keys) => keys.unprotector.unprotect_rtcp(packet).map_err(reason)?,
            Guard::Dtls(secured) => match &mut secured.keys {
                Some(keys) => keys.unprotector.unprotect_rtcp(packet).map_err(reason)?,
                None => return Err(Dropped::NoKeys),
            },
        };
        // Only RTP moves the latch of the RTP port; RTCP's own port has its own.
        if let Route::Static { rtcp, .. } = &mut self.route
            && !on_rtp_port
            && matches!(rtcp.good_packet(now, from), Source::Foreign { .. })
        {
            return Err(Dropped::WrongSource);
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
        let to = self.rtp_destination()?;
        let guard = &mut self.guard;
        outbox.push_with(self.rtp_socket, to, |room| {
            let head = header.write(room, extensions).ok()?;
            let len = head + payload.len();
            room.get_mut(head..len)?.copy_from_slice(payload);
            match guard {
                Guard::Unknown => None,
                Guard::Plain => Some(len),
                Guard::Sdes(keys) => keys.protector.protect_rtp(room, len).ok(),
                Guard::Dtls(secured) => {
                    let keys = secured.keys.as_mut()?;
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
        let (socket, to) = match (&self.route, self.rtcp_socket) {
            (Route::Static { rtcp, .. }, Some(socket)) if !self.mux => {
                (socket, rtcp.destination()?)
            }
            _ => (self.rtp_socket, self.rtp_destination()?),
        };
        let guard = &mut self.guard;
        outbox.push_with(socket, to, |room| {
            let len = write(room)?;
            match guard {
                Guard::Unknown => None,
                Guard::Plain => Some(len),
                Guard::Sdes(keys) => keys.protector.protect_rtcp(room, len).ok(),
                Guard::Dtls(secured) => {
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
        | GuardError::IndexExhausted
        | GuardError::KeyLength
        | GuardError::NoRoom => Dropped::Unauthentic,
    }
}
