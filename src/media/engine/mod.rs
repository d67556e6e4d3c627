//! All legs of a shard behind three calls: command or receive, poll, timeout.
//!
//! ```text
//! open / command / receive / timeout   change
//! outbox, poll_event                   then drain both
//! next_timeout                         and come back at that time at the latest
//! ```
//!
//! One engine belongs to one thread. It has no socket and no clock: the node passes datagrams and times in
//! and sends what [`Outbox`] holds. Packets allocate nothing once legs and buffers are set up; commands may.

mod border;
mod ledger;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{IceCredentials, LegId, LegKind, LocalMedia, MediaCommand, MediaEvent, Prompt};

pub use border::{Config, Event, LegSockets, SocketId};
pub use ledger::{Consumed, Dropped, Ledger, Sent, Withheld};

use crate::send::outbox::Outbox;

/// Every leg and bridge of one shard.
#[derive(Debug)]
pub struct Engine {
    legs: HashMap<LegId, LegSockets>,
    outbox: Outbox,
    events: VecDeque<Event>,
    ledger: Ledger,
    rng: StdRng,
    clips: HashMap<Prompt, Arc<[i16]>>,
    taps: Vec<LegId>,
}

impl Engine {
    /// An engine without legs.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            legs: HashMap::new(),
            outbox: Outbox::with_capacity(config.outbox_datagrams),
            events: VecDeque::new(),
            ledger: Ledger::new(),
            rng: StdRng::from_seed(config.seed),
            clips: HashMap::new(),
            taps: Vec::new(),
        }
    }

    /// Makes a leg on sockets that the node has bound: the socket part of [`MediaCommand::Reserve`] is done.
    /// Answered by [`MediaEvent::Ready`].
    pub fn open(&mut self, _now: Instant, leg: LegId, kind: LegKind, sockets: LegSockets) {
        let (rtp, rtcp, candidates) = match &sockets {
            LegSockets::Phone {
                rtp_addr,
                rtcp_addr,
                ..
            } => (*rtp_addr, Some(*rtcp_addr), Vec::new()),
            LegSockets::Browser { candidates, .. } => (
                candidates
                    .first()
                    .copied()
                    .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 9))),
                None,
                candidates.clone(),
            ),
        };
        let ice = (kind == LegKind::Browser).then(|| IceCredentials {
            ufrag: random_text(&mut self.rng, 8),
            pwd: random_text(&mut self.rng, 24),
        });
        let local = LocalMedia {
            rtp,
            rtcp,
            candidates,
            ice,
            fingerprint: None,
            audio_ssrc: self.rng.random(),
            cname: random_text(&mut self.rng, 16),
        };
        self.legs.insert(leg, sockets);
        self.events
            .push_back(Event::Media(MediaEvent::Ready { leg, local }));
    }

    /// Carries out a command of `call`; [`MediaCommand::Reserve`] is the node's and does nothing here.
    pub fn command(&mut self, _now: Instant, command: MediaCommand) {
        if let MediaCommand::Close { leg } = command
            && let Some(sockets) = self.legs.remove(&leg)
        {
            self.events
                .push_back(Event::Media(MediaEvent::Closed { leg }));
            if let LegSockets::Phone { rtp, rtcp, .. } = sockets {
                self.events.push_back(Event::SocketsFree {
                    sockets: vec![rtp, rtcp],
                });
            }
        }
    }

    /// Gives the samples of a prompt: mono, 48 kHz. Replaces those given before.
    pub fn set_clip(&mut self, prompt: Prompt, samples_48k: Arc<[i16]>) {
        self.clips.insert(prompt, samples_48k);
    }

    /// Lets decoded audio of a leg come out as [`Event::Heard`], or stops it. For tools: it allocates.
    pub fn set_tap(&mut self, leg: LegId, on: bool) {
        self.taps.retain(|tapped| *tapped != leg);
        if on {
            self.taps.push(leg);
        }
    }

    /// Takes one datagram. `packet` is decrypted in place.
    pub fn receive(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _from: SocketAddr,
        packet: &mut [u8],
    ) {
        self.ledger
            .count_in(packet.len(), Err(Dropped::UnknownSender));
    }

    /// Does what is due at `now`.
    pub fn timeout(&mut self, _now: Instant) {}

    /// When [`Engine::timeout`] must be called at the latest; `None` while nothing is due ever.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// What waits to be sent. Drain it after each batch of calls.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Where every packet went.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// `len` characters of the ICE alphabet without `+` and `/`, 5.95 bits each.
fn random_text(rng: &mut StdRng, len: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..len)
        .map(|_| {
            let at = rng.random_range(0..ALPHABET.len());
            char::from(ALPHABET.get(at).copied().unwrap_or(b'A'))
        })
        .collect()
}
