//! One media shard: a thread that owns sockets and drives a [`media::engine::Engine`].
//!
//! The loop is: wait for packets, a command or a timer; hand all of it to the engine; send what the
//! engine put into its outbox; tell the desk what happened. No lock, no `.await`, no allocation per
//! packet; commands and events, which are rare, go through channels.

mod delays;
mod poll;
mod ports;
mod udp;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use media::engine::{Config, Engine, Event, Ledger, LegSockets, Moving, SocketId};
use tokio::sync::mpsc::UnboundedSender;
use wire::plan::{LegId, LegKind, MediaCommand, MediaEvent, MediaLoss, Prompt, Refused};

use delays::Delays;
pub(crate) use delays::Quantiles;
use poll::{Poll, Waker};
use ports::PortRange;
use udp::{ReceiveBatch, SendBatch, UdpSocket};

/// Where a shard's sockets are and how they are told to others.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Addresses for the shared port of browsers; one socket each, so that answers leave from the
    /// address that was asked.
    pub(crate) shared: Vec<SocketAddr>,
    /// What browsers are told instead of the bound addresses (behind a 1:1 NAT); empty: the bound ones.
    pub(crate) advertised: Vec<IpAddr>,
    /// Address to bind phone legs to, and what phones are told, one per address family.
    pub(crate) phones: Vec<PhonePlace>,
    /// Lowest and highest UDP port of phone legs.
    pub(crate) ports: (u16, u16),
    /// How long a pair of them rests after its call.
    pub(crate) port_rest: Duration,
}

/// One address family of phone legs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhonePlace {
    /// The address to bind.
    pub(crate) bind: IpAddr,
    /// The address to put into SDP.
    pub(crate) advertise: IpAddr,
}

/// What other threads may ask of a shard.
pub(crate) enum ShardCommand {
    /// From `call`.
    Media(MediaCommand),
    /// The sound of a prompt, 48 kHz mono.
    Clip(Prompt, Arc<[i16]>),
    /// Whether decoded audio of a leg comes out as events (for tools).
    Tap(LegId, bool),
    /// A leg is on its way from another shard: commands for it wait until it is here.
    Expect(LegId),
    /// Hand a leg over to the shard that expects it.
    HandOver(LegId, Inlet),
    /// What was expected is here.
    Arrived(LegId, Option<Box<Arrival>>),
    /// A port of this shard's range was freed by the shard that its leg had moved to.
    PortFree(u16),
    /// Answer with the counters.
    Figures(tokio::sync::oneshot::Sender<ShardFigures>),
    /// Leave the loop.
    Stop,
}

/// A leg that comes from another shard, with its RTP and RTCP sockets.
pub(crate) struct Arrival {
    leg: Moving,
    sockets: [UdpSocket; 2],
    /// The shard whose ports they have.
    home: Inlet,
}

/// The way into a shard.
#[derive(Clone, Debug)]
pub(crate) struct Inlet {
    commands: Sender<ShardCommand>,
    waker: Waker,
}

impl Inlet {
    /// Sends a command; a stopped shard ignores it.
    fn command(&self, command: ShardCommand) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// What a shard counts.
#[derive(Clone, Debug)]
pub(crate) struct ShardFigures {
    /// Where every packet went.
    pub(crate) ledger: Ledger,
    /// Packets that the kernel would not take.
    pub(crate) refused: u64,
    /// Time in the server of packets that caused others.
    pub(crate) passed: Quantiles,
    /// How late the packets of mixer ticks left.
    pub(crate) ticked: Quantiles,
}

/// A running shard.
#[derive(Debug)]
pub(crate) struct Shard {
    inlet: Inlet,
    shared: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

impl Shard {
    /// Binds the shared sockets and starts the thread, called `name`. Events go to `events` until the shard stops.
    pub(crate) fn start(
        name: &str,
        places: Places,
        config: Config,
        events: UnboundedSender<Event>,
    ) -> Result<Self, ShardError> {
        let poll = Poll::new().map_err(ShardError::Poll)?;
        let waker = poll.waker();
        let (commands, inbox) = channel();
        let inlet = Inlet { commands, waker };
        let mut worker = Worker {
            poll,
            inbox,
            events,
            engine: Engine::new(config),
            sockets: HashMap::new(),
            next_socket: 0,
            shared: Vec::new(),
            ports: PortRange::new(
                places.ports,
                places.port_rest,
                usize::from(std::process::id() as u16),
            ),
            places,
            receive: ReceiveBatch::new(),
            send: SendBatch::new(),
            expected: HashMap::new(),
            guests: HashMap::new(),
            own: inlet.clone(),
            readable: Vec::with_capacity(256),
            delays: Delays::new(),
            told: Instant::now(),
            refused: 0,
        };
        let mut port = None;
        for address in worker.places.shared.clone() {
            // Port 0: the kernel chooses for the first address, and the others follow it, so that one
            // port serves all.
            let wanted = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
            let id = worker.bind(wanted).map_err(|source| ShardError::Bind {
                address: wanted,
                source,
            })?;
            port = Some(worker.sockets[&id.0].local().port());
            worker.shared.push(id);
        }
        let shared = worker
            .shared
            .iter()
            .map(|id| worker.sockets[&id.0].local())
            .collect();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || worker.run())
            .map_err(ShardError::Poll)?;
        Ok(Self {
            inlet,
            shared,
            thread: Some(thread),
        })
    }

    /// Sends a command; a stopped shard ignores it.
    pub(crate) fn command(&self, command: ShardCommand) {
        self.inlet.command(command);
    }

    /// The way in, for another shard.
    pub(crate) fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }

    /// The bound addresses of the shared port.
    pub(crate) fn shared(&self) -> &[SocketAddr] {
        &self.shared
    }

    /// Stops the thread and waits for it.
    pub(crate) fn stop(&mut self) {
        self.command(ShardCommand::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the media thread had panicked");
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Why a shard could not start.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// A shared address could not be bound.
    #[error("cannot bind UDP {address} for media: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No epoll or thread.
    #[error("cannot start the media thread: {0}")]
    Poll(io::Error),
}

/// What the thread owns.
struct Worker {
    poll: Poll,
    inbox: Receiver<ShardCommand>,
    events: UnboundedSender<Event>,
    engine: Engine,
    sockets: HashMap<u32, UdpSocket>,
    next_socket: u32,
    shared: Vec<SocketId>,
    places: Places,
    ports: PortRange,
    receive: ReceiveBatch,
    send: SendBatch,
    /// Legs on their way here, and what is to be done with them then.
    expected: HashMap<LegId, Vec<MediaCommand>>,
    /// RTP sockets that came from another shard, and whose ports they have.
    guests: HashMap<u32, Inlet>,
    own: Inlet,
    readable: Vec<u32>,
    delays: Delays,
    /// The latest time that the engine was told: it never goes back.
    told: Instant,
    /// Packets that the kernel would not take.
    refused: u64,
}

impl Worker {
    fn run(mut self) {
        loop {
            let wait = self
                .engine
                .next_timeout()
                .map(|at| at.saturating_duration_since(Instant::now()));
            self.readable.clear();
            let readable = &mut self.readable;
            if let Err(error) = self
                .poll
                .wait(wait.or(Some(IDLE)), |token| readable.push(token as u32))
            {
                tracing::error!(%error, "epoll failed; the media thread ends");
                return;
            }
            let now = Instant::now();
            for i in 0..self.readable.len() {
                self.read(self.readable[i]);
            }
            let now = now.max(self.told);
            if !self.take_commands(now) {
                return;
            }
            let due = self.engine.next_timeout().filter(|due| *due <= now);
            self.told = now;
            self.engine.timeout(now);
            self.tell(now);
            self.flush();
            if let Some(due) = due {
                self.delays.ticked(due, Instant::now());
            }
        }
    }

    /// Reads a socket until it is empty, yet not for ever: a flood on one must not starve the others.
    fn read(&mut self, id: u32) {
        for _ in 0..BATCHES_PER_TURN {
            let Some(socket) = self.sockets.get(&id) else {
                return;
            };
            let count = match self.receive.receive(socket) {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) => {
                    tracing::warn!(%error, local = %socket.local(), "receive failed");
                    return;
                }
            };
            let clocks = (Instant::now(), SystemTime::now());
            for i in 0..count {
                // The network's delay ends where the kernel takes the packet; that we were busy is no jitter.
                let arrived = self.receive.arrived(i, clocks).max(self.told);
                self.told = arrived;
                match self.receive.packet(i) {
                    Some((from, packet)) => {
                        let before = self.engine.outbox().len();
                        self.engine.receive(arrived, SocketId(id), from, packet);
                        if self.engine.outbox().len() > before {
                            self.delays.caused(arrived);
                        }
                    }
                    None => self.engine.unreadable(),
                }
            }
            self.flush();
        }
    }

    fn take_commands(&mut self, now: Instant) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(ShardCommand::Media(command)) => self.media(now, command),
                Ok(ShardCommand::Clip(prompt, samples)) => self.engine.set_clip(prompt, samples),
                Ok(ShardCommand::Tap(leg, on)) => self.engine.set_tap(leg, on),
                Ok(ShardCommand::Expect(leg)) => {
                    self.expected.insert(leg, Vec::new());
                }
                Ok(ShardCommand::HandOver(leg, to)) => self.hand_over(leg, &to),
                Ok(ShardCommand::Arrived(leg, arrival)) => self.arrived(now, leg, arrival),
                Ok(ShardCommand::PortFree(port)) => self.ports.release(now, port),
                Ok(ShardCommand::Figures(reply)) => {
                    let [passed, ticked] = self.delays.quantiles();
                    // The asker may have gone; then nobody misses the answer.
                    let _ = reply.send(ShardFigures {
                        ledger: self.engine.ledger().clone(),
                        refused: self.refused,
                        passed,
                        ticked,
                    });
                }
                Ok(ShardCommand::Stop) | Err(TryRecvError::Disconnected) => {
                    self.flush();
                    return false;
                }
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn media(&mut self, now: Instant, command: MediaCommand) {
        if let Some(waiting) = self.expected.get_mut(&command.leg()) {
            waiting.push(command);
            return;
        }
        match command {
            MediaCommand::Reserve { leg, kind, .. } => self.reserve(now, leg, kind),
            command => self.engine.command(now, command),
        }
    }

    /// Takes a leg out and sends it on its way. What arrives meanwhile waits in its sockets.
    fn hand_over(&mut self, id: LegId, to: &Inlet) {
        let arrival = self.engine.take_out(id).and_then(|(leg, sockets)| {
            // What the engine wrote for these sockets must leave before they do.
            self.flush();
            let [rtp, _] = sockets;
            let home = self
                .guests
                .remove(&rtp.0)
                .unwrap_or_else(|| self.own.clone());
            let [rtp, rtcp] = sockets.map(|socket| self.sockets.remove(&socket.0));
            let sockets = [rtp?, rtcp?];
            for socket in &sockets {
                if let Err(error) = self.poll.remove(socket.as_raw_fd()) {
                    tracing::warn!(%error, "a socket that moves stays in its old epoll");
                }
            }
            Some(Box::new(Arrival { leg, sockets, home }))
        });
        to.command(ShardCommand::Arrived(id, arrival));
    }

    fn arrived(&mut self, now: Instant, id: LegId, arrival: Option<Box<Arrival>>) {
        if let Some(arrival) = arrival {
            let Arrival { leg, sockets, home } = *arrival;
            match sockets.map(|socket| self.adopt(socket)) {
                [Ok(rtp), Ok(rtcp)] => {
                    self.guests.insert(rtp.0, home);
                    self.engine.put_in(now, leg, [rtp, rtcp]);
                }
                // Out of kernel memory: the call is told that its media has ended.
                [_, _] => {
                    let why = MediaLoss::PathExpired;
                    self.send_event(Event::Media(MediaEvent::Lost { leg: id, why }));
                    self.send_event(Event::Media(MediaEvent::Closed { leg: id }));
                }
            }
        }
        for command in self.expected.remove(&id).unwrap_or_default() {
            self.media(now, command);
        }
    }

    fn reserve(&mut self, now: Instant, leg: LegId, kind: LegKind) {
        let sockets = match kind {
            LegKind::Browser => self.browser_sockets(),
            LegKind::Phone { ipv6 } => self.phone_sockets(now, ipv6),
        };
        match sockets {
            Ok(sockets) => self.engine.open(now, leg, kind, sockets),
            Err(why) => self.send_event(Event::Media(MediaEvent::Refused { leg, why })),
        }
    }

    fn browser_sockets(&self) -> Result<LegSockets, Refused> {
        let first = *self.shared.first().ok_or(Refused::NoAddress)?;
        let port = self.sockets[&first.0].local().port();
        let candidates = if self.places.advertised.is_empty() {
            self.shared
                .iter()
                .map(|id| self.sockets[&id.0].local())
                .collect()
        } else {
            self.places
                .advertised
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect()
        };
        Ok(LegSockets::Browser {
            shared: first,
            candidates,
        })
    }

    fn phone_sockets(&mut self, now: Instant, ipv6: bool) -> Result<LegSockets, Refused> {
        let place = *self
            .places
            .phones
            .iter()
            .find(|p| p.bind.is_ipv6() == ipv6)
            .ok_or(Refused::NoAddress)?;
        for _ in 0..PORT_TRIES {
            let Some(port) = self.ports.next(now) else {
                break;
            };
            let Ok(rtp) = self.bind(SocketAddr::new(place.bind, port)) else {
                continue;
            };
            let Ok(rtcp) = self.bind(SocketAddr::new(place.bind, port + 1)) else {
                self.sockets.remove(&rtp.0);
                continue;
            };
            self.ports.take(port);
            return Ok(LegSockets::Phone {
                rtp,
                rtcp,
                rtp_addr: SocketAddr::new(place.advertise, port),
                rtcp_addr: SocketAddr::new(place.advertise, port + 1),
            });
        }
        Err(Refused::NoPorts)
    }

    fn bind(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        self.adopt(UdpSocket::bind(address)?)
    }

    fn adopt(&mut self, socket: UdpSocket) -> io::Result<SocketId> {
        let id = self.next_socket;
        self.next_socket = self.next_socket.wrapping_add(1);
        self.poll.add(socket.as_raw_fd(), u64::from(id))?;
        self.sockets.insert(id, socket);
        Ok(SocketId(id))
    }

    fn tell(&mut self, now: Instant) {
        while let Some(event) = self.engine.poll_event() {
            if let Event::SocketsFree { sockets } = &event {
                // The goodbye that the engine wrote for these sockets must leave before they close.
                let sockets = sockets.clone();
                self.flush();
                for socket in sockets {
                    let Some(closed) = self.sockets.remove(&socket.0) else {
                        continue;
                    };
                    let port = closed.local().port();
                    match self.guests.remove(&socket.0) {
                        Some(home) => home.command(ShardCommand::PortFree(port)),
                        None => self.ports.release(now, port),
                    }
                }
            } else {
                self.send_event(event);
            }
        }
    }

    fn send_event(&self, event: Event) {
        if self.events.send(event).is_err() {
            tracing::debug!("the desk has gone; a media event is dropped");
        }
    }

    /// Sends everything in the outbox, in order, a run of packets of one socket at a time.
    fn flush(&mut self) {
        let outbox = self.engine.outbox();
        let mut packets = outbox.iter().peekable();
        while let Some(&(socket, _, _)) = packets.peek() {
            let run = std::iter::from_fn(|| {
                packets
                    .next_if(|(s, _, _)| *s == socket)
                    .map(|(_, to, bytes)| (to, bytes))
            });
            let Some(udp) = self.sockets.get(&socket.0) else {
                // The engine never writes for a socket that it has given back.
                debug_assert!(false, "a packet for a closed socket");
                run.for_each(drop);
                continue;
            };
            let sent = self.send.send(udp, run);
            if sent.refused > 0 {
                self.refused += sent.refused as u64;
                tracing::debug!(refused = sent.refused, local = %udp.local(), "the kernel refused packets");
            }
        }
        drop(packets);
        outbox.clear();
        self.delays.sent(Instant::now());
    }
}

/// How long a shard without timers sleeps.
const IDLE: Duration = Duration::from_secs(1);
/// Batches read from one socket before the others have their turn.
const BATCHES_PER_TURN: usize = 8;
/// Port pairs tried before a leg is refused.
const PORT_TRIES: usize = 200;
