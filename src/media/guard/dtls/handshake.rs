//! One DTLS association, from the first flight to the keys and to its end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Dtls, KeyingMaterial};
use wire::plan::{Fingerprint, MediaLoss, SdesKey, SrtpProfile};

use super::device::{self, Device};
use super::identity::{self, Identity};

/// How long a handshake may take from its first flight.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long we wait for the other side's first flight: as long as an ICE path may take to appear.
const FIRST_FLIGHT: Duration = Duration::from_secs(30);
/// First retransmission; doubles each time. Browsers start at 50 ms, RFC 6347 asks for 1 s; loss in the first
/// flight is silence at the start of a call.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Retransmissions per flight: 250 ms doubled six times covers [`HANDSHAKE`].
const RETRIES: usize = 6;
/// Octets of a datagram that we send: fits any path that carries our media.
const MTU: usize = 1200;

/// A DTLS association of one leg.
pub struct Handshake {
    machine: Machine,
    remote: Fingerprint,
    active: bool,
    deadline: Option<Instant>,
    heard: bool,
    verified: bool,
    keys: Option<(Material, SrtpProfile)>,
    connected: bool,
    failure: Failure,
}

/// Who does the record layer.
enum Machine {
    Browser(Box<Dtls>),
    Device(Box<Device>),
}

/// Keys and salts of both sides, wiped by whoever made them.
enum Material {
    Browser(KeyingMaterial),
    Device(Vec<u8>),
}

impl Material {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Browser(material) => material,
            Self::Device(material) => material,
        }
    }
}

/// How far the telling of a failure is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    None,
    Pending(MediaLoss),
    Told,
}

/// Whom a handshake is with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PeerKind {
    /// A browser, whose address ICE has validated.
    Browser,
    /// A SIP device, which anybody may pretend to be until it has sent back a cookie.
    Device,
}

/// What a [`Handshake`] wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send these many octets of the buffer that was given to [`Handshake::poll`].
    Transmit(usize),
    /// Both sides have keys, and the other side's certificate is the one that was signalled. Told once.
    Connected {
        /// What we protect with.
        local: SdesKey,
        /// What the other side protects with.
        remote: SdesKey,
    },
    /// It is over; nothing more will come. Told once.
    Failed(MediaLoss),
    /// Nothing to do before this instant, unless a datagram comes; `None` when there will be nothing. The last
    /// output of a round of polling.
    Timeout(Option<Instant>),
}

impl Handshake {
    /// A handshake in which we are client (`active`) or server, with a peer whose certificate has this
    /// fingerprint.
    #[must_use]
    pub fn new(
        identity: &Identity,
        kind: PeerKind,
        active: bool,
        remote: Fingerprint,
        now: Instant,
    ) -> Self {
        let mut failure = Failure::None;
        let device = match kind {
            PeerKind::Browser => None,
            PeerKind::Device => match Device::new(identity, active, FIRST_RETRY, MTU, now) {
                Ok(device) => Some(Machine::Device(Box::new(device))),
                Err(_) => {
                    failure = Failure::Pending(MediaLoss::HandshakeFailed);
                    None
                }
            },
        };
        let machine = device.unwrap_or_else(|| {
            // The values are constant and within what the builder takes; the tests build it.
            let config = dimpl::Config::builder()
                .mtu(MTU)
                .flight_start_rto(FIRST_RETRY)
                .flight_retries(RETRIES)
                .handshake_timeout(HANDSHAKE)
                // Only addresses that ICE has validated reach us, so that a cookie would prove nothing new.
                .use_server_cookie(false)
                .build()
                .unwrap_or_default();
            let mut dtls = Dtls::new_auto(Arc::new(config), identity.certificate(), now);
            dtls.set_active(active);
            Machine::Browser(Box::new(dtls))
        });
        let limit = if active { HANDSHAKE } else { FIRST_FLIGHT };
        let mut handshake = Self {
            machine,
            remote,
            active,
            deadline: Some(now + limit),
            heard: active,
            verified: false,
            keys: None,
            connected: false,
            failure,
        };
        handshake.timeout(now);
        handshake
    }

    /// Takes a datagram of class DTLS. Poll after it.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        if self.failure != Failure::None {
            return;
        }
        if !self.heard {
            self.heard = true;
            self.deadline = Some(now + HANDSHAKE);
        }
        let fed = match &mut self.machine {
            Machine::Browser(dtls) => dtls
                .handle_timeout(now)
                .and_then(|()| dtls.handle_packet(datagram))
                .is_ok(),
            Machine::Device(device) => {
                device.timeout(now);
                device.handle(now, datagram);
                true
            }
        };
        if !fed {
            self.fail();
        }
    }

    /// Lets time pass. Poll after it.
    pub fn timeout(&mut self, now: Instant) {
        if self.failure != Failure::None {
            return;
        }
        let late = self.deadline.is_some_and(|deadline| now >= deadline);
        let broken = match &mut self.machine {
            Machine::Browser(dtls) => dtls.handle_timeout(now).is_err(),
            Machine::Device(device) => {
                device.timeout(now);
                false
            }
        };
        if late || broken {
            self.fail();
        }
    }

    /// Tells the other side that we close; poll for what to send. Its own end is told by
    /// [`Output::Failed`] with [`MediaLoss::ClosedByPeer`].
    pub fn close(&mut self) {
        let closes = match &mut self.machine {
            Machine::Browser(dtls) => dtls.close().is_ok(),
            Machine::Device(device) => device.close().is_ok(),
        };
        if self.failure == Failure::None && !closes {
            self.failure = Failure::Told;
        }
    }

    /// What to do next; call until [`Output::Timeout`]. `buf` takes datagrams to send: 2048 octets are enough.
    pub fn poll(&mut self, buf: &mut [u8]) -> Output {
        loop {
            match self.failure {
                Failure::Pending(why) => {
                    self.failure = Failure::Told;
                    return Output::Failed(why);
                }
                Failure::Told => return Output::Timeout(None),
                Failure::None => {}
            }
            if let Some(output) = self.step(buf) {
                return output;
            }
            if self.connected
                && self.verified
                && let Some((material, profile)) = self.keys.take()
            {
                self.deadline = None;
                match split(material.octets(), profile, self.active) {
                    Some((local, remote)) => return Output::Connected { local, remote },
                    None => self.fail(),
                }
            }
        }
    }

    /// One output of the record layer: taken in, or passed on.
    fn step(&mut self, buf: &mut [u8]) -> Option<Output> {
        let dtls = match &mut self.machine {
            Machine::Browser(dtls) => dtls,
            Machine::Device(device) => {
                let output = device.poll(buf);
                return self.step_device(output);
            }
        };
        match dtls.poll_output(buf) {
            dimpl::Output::Packet(packet) => return Some(Output::Transmit(packet.len())),
            dimpl::Output::Timeout(at) => {
                let soonest = self.deadline.map_or(at, |deadline| deadline.min(at));
                return Some(Output::Timeout(Some(soonest)));
            }
            dimpl::Output::PeerCert(der) => {
                if identity::matches(der, &self.remote) {
                    self.verified = true;
                } else {
                    self.failure = Failure::Pending(MediaLoss::WrongFingerprint);
                }
            }
            dimpl::Output::KeyingMaterial(material, profile) => match known(profile) {
                Some(profile) => self.keys = Some((Material::Browser(material), profile)),
                None => self.fail(),
            },
            dimpl::Output::Connected => self.connected = true,
            dimpl::Output::CloseNotify => {
                self.failure = Failure::Pending(MediaLoss::ClosedByPeer);
            }
            dimpl::Output::BufferTooSmall { .. } => self.fail(),
            // Data channels are not offered; whatever a peer sends in one is dropped.
            _ => {}
        }
        None
    }

    fn step_device(&mut self, output: device::Output) -> Option<Output> {
        match output {
            device::Output::Transmit(len) => return Some(Output::Transmit(len)),
            device::Output::Timeout(at) => {
                let soonest = self.deadline.into_iter().chain(at).min();
                return Some(Output::Timeout(soonest));
            }
            device::Output::Complete(secrets) => {
                if identity::matches(&secrets.certificate, &self.remote) {
                    self.verified = true;
                    self.connected = true;
                    self.keys = Some((Material::Device(secrets.material), secrets.profile));
                } else {
                    self.failure = Failure::Pending(MediaLoss::WrongFingerprint);
                }
            }
            device::Output::Closed => {
                self.failure = Failure::Pending(MediaLoss::ClosedByPeer);
            }
        }
        None
    }

    fn fail(&mut self) {
        // An association that breaks after the keys were given is the peer's doing.
        let why = if self.deadline.is_some() {
            MediaLoss::HandshakeFailed
        } else {
            MediaLoss::ClosedByPeer
        };
        self.failure = Failure::Pending(why);
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("active", &self.active)
            .field("verified", &self.verified)
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}

fn known(profile: dimpl::SrtpProfile) -> Option<SrtpProfile> {
    match profile {
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpProfile::AesCm128HmacSha1_80),
        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(SrtpProfile::AeadAes128Gcm),
        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(SrtpProfile::AeadAes256Gcm),
        _ => None,
    }
}

/// Client key, server key, client salt, server salt (RFC 5764 §4.2); returns ours and theirs.
fn split(material: &[u8], profile: SrtpProfile, client: bool) -> Option<(SdesKey, SdesKey)> {
    let (keys, salts) = material.split_at_checked(2 * profile.key_len())?;
    let (client_key, server_key) = keys.split_at_checked(profile.key_len())?;
    let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len())?;
    if server_salt.len() != profile.salt_len() {
        return None;
    }
    let of_client = SdesKey::new(profile, [client_key, client_salt].concat());
    let of_server = SdesKey::new(profile, [server_key, server_salt].concat());
    Some(if client {
        (of_client, of_server)
    } else {
        (of_server, of_client)
    })
}
