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
mod commands;
mod inbound;
mod moving;
mod ticks;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{BridgeId, LegId, LegKind, MediaCommand, Prompt};

pub use crate::leg::Event;
pub use crate::measure::ledger::{Consumed, Dropped, Ledger, Sent, Withheld};
pub use crate::send::outbox::{Outbox, Run, SocketId};
pub use border::{Config, LegSockets};
pub use moving::Moving;

use crate::bridge::{Bridge, Legs};
use crate::demux::Demux;
use crate::guard::dtls::Identity;
use crate::leg::Surroundings;
use crate::measure::NtpClock;
use ticks::Ticks;

/// Every leg and bridge of one shard.
pub struct Engine {
    legs: Legs,
    /// Where a leg is, and what the engine knows of it.
    places: HashMap<LegId, Place, Fixed>,
    bridges: Vec<Option<Bridge>>,
    bridge_places: HashMap<BridgeId, usize, Fixed>,
    /// Sockets that belong to one leg each.
    own_sockets: HashMap<SocketId, usize, Fixed>,
    /// The tables of the shared port.
    shared_port: Demux,
    around: Surroundings,
    clips: HashMap<Prompt, Arc<[i16]>, Fixed>,
    identity: Identity,
    loudest: usize,
    ticks: Ticks,
    /// Number of the next run of a video source.
    next_run: u64,
}

/// What the engine knows of a leg without looking at it.
#[derive(Clone, Copy, Debug)]
struct Place {
    leg: usize,
    bridge: usize,
    muted: bool,
    deaf: bool,
}

/// Hashing with fixed keys, so that runs repeat. The keys of all tables here are given by the node.
type Fixed = BuildHasherDefault<DefaultHasher>;

/// The bridge of all legs that are in none.
const LOBBY: usize = 0;

impl Engine {
    /// An engine without legs.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            legs: Vec::new(),
            places: HashMap::default(),
            bridges: vec![Some(Bridge::new(None, 1))],
            bridge_places: HashMap::default(),
            own_sockets: HashMap::default(),
            shared_port: Demux::new(),
            around: Surroundings {
                outbox: Outbox::with_capacity(config.outbox_datagrams),
                events: VecDeque::with_capacity(256),
                ledger: Ledger::new(),
                rng: StdRng::from_seed(config.seed),
                ntp: NtpClock::new(config.epoch),
                media_timeout: config.media_timeout,
                held_timeout: config.held_timeout,
                key_frames_wanted: Vec::with_capacity(32),
            },
            clips: HashMap::default(),
            identity: config.identity,
            loudest: config.loudest,
            ticks: Ticks::default(),
            next_run: 0,
        }
    }

    /// Makes a leg on sockets that the node has bound: the socket part of [`MediaCommand::Reserve`] is done.
    /// Answered by [`MediaEvent::Ready`](wire::plan::MediaEvent::Ready). An id that is in use, or a kind that does not
    /// go with its sockets, is answered by `Refused`.
    pub fn open(&mut self, now: Instant, leg: LegId, kind: LegKind, sockets: LegSockets) {
        self.open_leg(now, leg, kind, sockets);
    }

    /// Carries out a command of `call`; [`MediaCommand::Reserve`] is the node's and does nothing here. A command for
    /// a leg that does not exist does nothing: it may cross with the leg's end.
    pub fn command(&mut self, now: Instant, command: MediaCommand) {
        self.carry_out(now, command);
    }

    /// Gives the samples of a prompt: mono, 48 kHz. Replaces those given before.
    pub fn set_clip(&mut self, prompt: Prompt, samples_48k: Arc<[i16]>) {
        self.clips.insert(prompt, samples_48k);
    }

    /// Lets decoded audio of a leg come out as [`Event::Heard`], or stops it. For tools: it allocates.
    pub fn set_tap(&mut self, leg: LegId, on: bool) {
        if let Some(place) = self.places.get(&leg)
            && let Some(Some(leg)) = self.legs.get_mut(place.leg)
        {
            leg.set_tapped(on);
        }
    }

    /// Takes one datagram. `packet` is decrypted in place.
    pub fn receive(&mut self, now: Instant, socket: SocketId, from: SocketAddr, packet: &mut [u8]) {
        let bytes = packet.len();
        let outcome = self.take_in(now, socket, from, packet);
        self.around.ledger.count_in(bytes, outcome);
    }

    /// Counts a datagram that the node could not even read, because it was longer than any that we take.
    pub fn unreadable(&mut self) {
        self.around.ledger.count_in(0, Err(Dropped::TooLong));
    }

    /// Does what is due at `now`.
    pub fn timeout(&mut self, now: Instant) {
        self.run_ticks(now);
    }

    /// When [`Engine::timeout`] must be called at the latest; `None` while there is no leg.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.ticks.next()
    }

    /// What waits to be sent. Drain it after each batch of calls.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.around.outbox
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.around.events.pop_front()
    }

    /// Where every packet went.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.around.ledger
    }

    /// Where every packet of one leg went; `None` when there is no such leg.
    #[must_use]
    pub fn ledger_of(&self, leg: LegId) -> Option<&Ledger> {
        let place = self.places.get(&leg)?;
        let leg = self.legs.get(place.leg)?.as_ref()?;
        Some(leg.ledger())
    }

    /// Number of legs.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.places.len()
    }

    /// Number of bridges with somebody in them.
    #[must_use]
    pub fn bridges(&self) -> usize {
        self.bridge_places.len()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("legs", &self.legs())
            .field("bridges", &self.bridges())
            .finish_non_exhaustive()
    }
}
