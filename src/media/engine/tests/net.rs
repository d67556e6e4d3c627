//! The network in memory: engines, foreign parties, and the datagrams between them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use network::{Clock, Fate, Network};
use wire::plan::{
    AudioCodec, AudioFormat, AudioPlan, Connectivity, Direction, ExtensionIds, LegId, LegKind,
    LegPlan, LocalMedia, MediaCommand, MediaEvent, Protection, RtcpFeatures, SdesKey, SrtpProfile,
    TelephoneEvent,
};

use crate::engine::{Config, Engine, Event, LegSockets, SocketId};
use crate::guard::dtls::Identity;
use crate::measure::Sample;

/// What a datagram on its way suffers.
pub(super) type Weather = Box<dyn FnMut(u64, SocketAddr, &[u8]) -> Vec<Duration>>;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) engines: Vec<Engine>,
    /// Which engine's socket an address is.
    addresses: HashMap<SocketAddr, (usize, SocketId)>,
    sockets: HashMap<(usize, SocketId), SocketAddr>,
    /// Datagrams for addresses that are no engine's.
    pub(super) foreign: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(super) events: Vec<Vec<MediaEvent>>,
    pub(super) samples: Vec<Sample>,
    pub(super) heard: HashMap<LegId, Vec<i16>>,
    under_way: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    number: u64,
    /// Datagrams sent so far: what the weather goes by.
    sent: u64,
    pub(super) weather: Weather,
    /// Rules instead of the weather when there is one.
    pub(super) network: Option<Network>,
    /// The clock of each engine: what it is told of time.
    clocks: Vec<Clock>,
    /// Every datagram sent, once somebody wants to know: [`World::keep_journal`].
    pub(super) journal: Option<Vec<Journey>>,
    /// Datagrams handed to each socket, and taken out of each engine.
    handed_in: HashMap<(usize, SocketId), u64>,
    /// Where each phone leg is, and every socket that it had on any engine.
    phones: HashMap<LegId, (usize, Vec<(usize, SocketId)>)>,
    taken_out: Vec<u64>,
    next_port: u16,
    next_socket: u32,
}

/// One datagram's way.
pub(super) struct Journey {
    pub(super) sent: Instant,
    pub(super) to: SocketAddr,
    /// When it arrived; twice for a duplicate, never for a lost one.
    pub(super) arrived: Vec<Instant>,
    pub(super) bytes: Vec<u8>,
}

impl World {
    pub(super) fn new(engines: usize) -> Self {
        let start = Instant::now();
        let engine = |n: usize| {
            Engine::new(Config {
                epoch: (start, UNIX_EPOCH),
                seed: [n as u8 + 1; 32],
                identity: Identity::generate().unwrap(),
                media_timeout: Duration::from_secs(30),
                held_timeout: Duration::from_secs(1800),
                loudest: 6,
                outbox_datagrams: 64,
            })
        };
        Self {
            now: start,
            engines: (0..engines).map(engine).collect(),
            addresses: HashMap::new(),
            sockets: HashMap::new(),
            foreign: VecDeque::new(),
            events: vec![Vec::new(); engines],
            samples: Vec::new(),
            heard: HashMap::new(),
            under_way: BTreeMap::new(),
            number: 0,
            sent: 0,
            weather: Box::new(|_, _, _| vec![Duration::from_millis(5)]),
            network: None,
            clocks: vec![Clock::new(start, 0.0); engines],
            journal: None,
            handed_in: HashMap::new(),
            phones: HashMap::new(),
            taken_out: vec![0; engines],
            next_port: 10_000,
            next_socket: 1,
        }
    }

    pub(super) fn bind(&mut self, engine: usize) -> (SocketId, SocketAddr) {
        let address = SocketAddr::from(([10, 0, 0, engine as u8], self.next_port));
        let socket = SocketId(self.next_socket);
        self.next_port += 1;
        self.next_socket += 1;
        self.addresses.insert(address, (engine, socket));
        self.sockets.insert((engine, socket), address);
        (socket, address)
    }

    pub(super) fn open_phone(&mut self, engine: usize, leg: LegId) -> LocalMedia {
        let (rtp, rtp_addr) = self.bind(engine);
        let (rtcp, rtcp_addr) = self.bind(engine);
        let sockets = LegSockets::Phone {
            rtp,
            rtcp,
            rtp_addr,
            rtcp_addr,
        };
        let now = self.local(engine);
        self.phones
            .insert(leg, (engine, vec![(engine, rtp), (engine, rtcp)]));
        self.engines[engine].open(now, leg, LegKind::Phone { ipv6: false }, sockets);
        self.ready(engine, leg)
    }

    /// Moves a leg from one engine to another, its sockets with it; whether it went.
    pub(super) fn move_leg(&mut self, from: usize, to: usize, leg: LegId) -> bool {
        let Some((moving, sockets)) = self.engines[from].take_out(leg) else {
            return false;
        };
        self.drain(from);
        let sockets = sockets.map(|socket| {
            let address = self.sockets.remove(&(from, socket)).unwrap();
            let renamed = SocketId(self.next_socket);
            self.next_socket += 1;
            self.addresses.insert(address, (to, renamed));
            self.sockets.insert((to, renamed), address);
            renamed
        });
        let phone = self.phones.get_mut(&leg).unwrap();
        phone.0 = to;
        phone.1.extend(sockets.map(|socket| (to, socket)));
        let now = self.local(to);
        self.engines[to].put_in(now, moving, sockets);
        true
    }

    pub(super) fn open_browser(
        &mut self,
        engine: usize,
        leg: LegId,
        shared: (SocketId, SocketAddr),
    ) -> LocalMedia {
        let sockets = LegSockets::Browser {
            shared: shared.0,
            candidates: vec![shared.1],
        };
        let now = self.local(engine);
        self.engines[engine].open(now, leg, LegKind::Browser, sockets);
        self.ready(engine, leg)
    }

    fn ready(&mut self, engine: usize, wanted: LegId) -> LocalMedia {
        self.drain(engine);
        self.events[engine]
            .iter()
            .find_map(|event| match event {
                MediaEvent::Ready { leg, local } if *leg == wanted => Some(local.clone()),
                _ => None,
            })
            .unwrap()
    }

    pub(super) fn command(&mut self, engine: usize, command: MediaCommand) {
        let now = self.local(engine);
        self.engines[engine].command(now, command);
        self.drain(engine);
    }

    pub(super) fn configure(&mut self, engine: usize, leg: LegId, plan: LegPlan) {
        let plan = Box::new(plan);
        self.command(engine, MediaCommand::Configure { leg, plan });
    }

    /// Sends a datagram from a foreign address.
    pub(super) fn inject(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        self.sent += 1;
        let now = self.now;
        let arrived: Vec<Instant> = match &mut self.network {
            Some(network) => match network.pass(now, from, to, datagram.len()) {
                Fate::Lost(_) => Vec::new(),
                Fate::Arrives { at, twice } => vec![at; 1 + usize::from(twice)],
            },
            None => (self.weather)(self.sent, to, datagram)
                .into_iter()
                .map(|delay| now + delay)
                .collect(),
        };
        for at in &arrived {
            self.number += 1;
            let key = (*at, self.number);
            self.under_way.insert(key, (from, to, datagram.to_vec()));
        }
        if let Some(journal) = &mut self.journal {
            journal.push(Journey {
                sent: now,
                to,
                arrived,
                bytes: datagram.to_vec(),
            });
        }
    }

    /// Remembers every datagram from now on.
    pub(super) fn keep_journal(&mut self) {
        self.journal = Some(Vec::new());
    }

    /// Lets an engine's clock gain `ppm` (negative: lose) from now on. Call it once, before time passes.
    pub(super) fn skew(&mut self, engine: usize, ppm: f64) {
        self.clocks[engine] = Clock::new(self.now, ppm);
    }

    /// What an engine's clock shows.
    fn local(&self, engine: usize) -> Instant {
        self.clocks[engine].shows(self.now)
    }

    /// The true time at which an engine wants to be called.
    fn due(&self, engine: usize) -> Option<Instant> {
        let local = self.engines[engine].next_timeout()?;
        Some(self.clocks[engine].truth(local))
    }

    /// Lets time pass, event by event.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timers = (0..self.engines.len()).filter_map(|engine| self.due(engine));
            let arrival = self.under_way.keys().next().map(|key| key.0);
            let Some(next) = timers.chain(arrival).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.under_way.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (from, to, mut datagram) = entry.remove();
                match self.addresses.get(&to).copied() {
                    Some((engine, socket)) => {
                        *self.handed_in.entry((engine, socket)).or_default() += 1;
                        let now = self.local(engine);
                        self.engines[engine].receive(now, socket, from, &mut datagram);
                        self.drain(engine);
                    }
                    None => self.foreign.push_back((from, to, datagram)),
                }
            }
            for engine in 0..self.engines.len() {
                if self.due(engine).is_some_and(|due| due <= self.now) {
                    let now = self.local(engine);
                    self.engines[engine].timeout(now);
                    self.drain(engine);
                }
            }
        }
        self.now = end;
    }

    fn drain(&mut self, engine: usize) {
        let waiting: Vec<(SocketId, SocketAddr, Vec<u8>)> = self.engines[engine]
            .outbox()
            .iter()
            .map(|(socket, to, bytes)| (socket, to, bytes.to_vec()))
            .collect();
        self.engines[engine].outbox().clear();
        self.taken_out[engine] += waiting.len() as u64;
        for (socket, to, datagram) in waiting {
            let from = self.sockets[&(engine, socket)];
            self.inject(from, to, &datagram);
        }
        while let Some(event) = self.engines[engine].poll_event() {
            match event {
                Event::Media(event) => self.events[engine].push(event),
                Event::Sample(sample) => self.samples.push(*sample),
                Event::Heard { leg, samples_48k } => {
                    self.heard.entry(leg).or_default().extend(samples_48k);
                }
                Event::SocketsFree { .. } => {}
            }
        }
    }

    /// Conservation: every datagram that this network handed in was consumed, or dropped for a reason, of the leg that
    /// its socket belongs to; every one that came out was counted. Asked at the end of every test, and whenever wanted.
    pub(super) fn check_books(&self) {
        for (at, engine) in self.engines.iter().enumerate() {
            let ledger = engine.ledger();
            assert!(ledger.balances(), "engine {at}: {ledger:?}");
            let of_engine =
                |((owner, _), count): (&(usize, SocketId), &u64)| (*owner == at).then_some(*count);
            let handed_in: u64 = self.handed_in.iter().filter_map(of_engine).sum();
            assert_eq!(ledger.packets_in(), handed_in, "engine {at}: {ledger:?}");
            assert_eq!(ledger.packets_out(), self.taken_out[at], "engine {at}");
        }
        for (leg, (engine, sockets)) in &self.phones {
            let count = |socket| self.handed_in.get(&socket).copied().unwrap_or(0);
            let handed_in: u64 = sockets.iter().copied().map(count).sum();
            let last = || self.samples.iter().rev().find(|s| s.leg == *leg && s.last);
            let open = self.engines[*engine].ledger_of(*leg);
            let Some(ledger) = open.or_else(|| last().map(|sample| &*sample.ledger)) else {
                // Closed before anything was agreed: it has no sample.
                continue;
            };
            assert!(ledger.balances(), "{leg:?}: {ledger:?}");
            // What comes after the end of a leg finds its socket closed.
            let in_time =
                |counted: u64| counted == handed_in || (open.is_none() && counted < handed_in);
            assert!(
                in_time(ledger.packets_in()),
                "{leg:?}: {handed_in} in, {ledger:?}"
            );
        }
    }

    pub(super) fn digits(&self, engine: usize, wanted: LegId) -> String {
        let events = self.events[engine].iter();
        events
            .filter_map(|event| match event {
                MediaEvent::Digit { leg, digit } if *leg == wanted => Some(*digit),
                _ => None,
            })
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_books();
        }
    }
}

pub(super) fn format(codec: AudioCodec) -> AudioFormat {
    AudioFormat {
        codec,
        payload_type: match codec {
            AudioCodec::Pcmu => 0,
            AudioCodec::Pcma => 8,
            AudioCodec::G722 => 9,
            AudioCodec::Opus => 111,
        },
        ptime_ms: 20,
        max_bitrate: None,
        inband_fec: false,
    }
}

pub(super) fn audio_plan(codec: AudioCodec) -> AudioPlan {
    AudioPlan {
        direction: Direction::SendRecv,
        send: format(codec),
        receive: vec![format(codec)],
        telephone_events: vec![TelephoneEvent {
            payload_type: 101,
            clock_rate: codec.rtp_clock(),
        }],
        redundancy: None,
        comfort_noise: None,
    }
}

pub(super) fn phone_plan(
    codec: AudioCodec,
    protection: Protection,
    rtp: SocketAddr,
    rtcp: Option<SocketAddr>,
) -> LegPlan {
    LegPlan {
        connectivity: Connectivity::Static {
            rtp: Some(rtp),
            rtcp,
            peer: Some(rtp.ip()),
        },
        protection,
        rtcp_mux: false,
        rtcp: RtcpFeatures::default(),
        audio: Some(audio_plan(codec)),
        video_receive: Vec::new(),
        video_send: Vec::new(),
        extensions: ExtensionIds::default(),
    }
}

pub(super) fn key(profile: SrtpProfile, fill: u8) -> SdesKey {
    SdesKey::new(profile, vec![fill; profile.key_len() + profile.salt_len()])
}

/// Both sides' view of one SDES exchange.
pub(super) fn sdes(profile: SrtpProfile, fill: u8) -> (Protection, Protection) {
    let (ours, theirs) = (key(profile, fill), key(profile, fill ^ 0x55));
    (
        Protection::Sdes {
            local: ours.clone(),
            remote: vec![theirs.clone()],
        },
        Protection::Sdes {
            local: theirs,
            remote: vec![ours],
        },
    )
}

/// A sine at 48 kHz, a quarter of full scale.
pub(super) fn tone(hz: f64, duration: Duration) -> Arc<[i16]> {
    let samples = (duration.as_secs_f64() * 48_000.0) as usize;
    (0..samples)
        .map(|n| {
            let phase = n as f64 * hz * std::f64::consts::TAU / 48_000.0;
            (phase.sin() * 8192.0) as i16
        })
        .collect()
}

/// The share of a tone in the power of a recording at 48 kHz, 0 to 1 (Goertzel, in windows of 100 ms so that
/// small changes of delay do not blur it).
pub(super) fn share_of_tone(samples: &[i16], hz: f64) -> f64 {
    let mut tone = 0.0;
    let mut total = 0.0;
    for window in samples.chunks_exact(4800) {
        let coefficient = 2.0 * (std::f64::consts::TAU * hz / 48_000.0).cos();
        let (mut s1, mut s2) = (0.0, 0.0);
        for &sample in window {
            let s0 = f64::from(sample) + coefficient * s1 - s2;
            (s2, s1) = (s1, s0);
        }
        let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
        tone += 2.0 * power / window.len() as f64;
        total += window
            .iter()
            .map(|&s| f64::from(s) * f64::from(s))
            .sum::<f64>();
    }
    if total == 0.0 { 0.0 } else { tone / total }
}

/// Root of the mean square.
pub(super) fn loudness(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}
