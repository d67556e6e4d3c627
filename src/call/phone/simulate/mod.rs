//! A caller and the phones of a node, joined in virtual time by a network that delays and loses.

mod authentic;
mod calls;
mod early;
mod elsewhere;
mod forks;
mod hostile;
mod mutants;
mod races;
mod sessions;
mod torture;
mod within;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{LegId, LegPlan, LocalMedia, MediaCommand, MediaEvent};
use wire::sip::{Host, Message, Method, Name, Uri};

use super::{
    Arrival, Caller, CallerInput, CallerOutput, Config, Dial, Input, Output, Phones, SrtpPolicies,
};
use crate::dialog::session_timer::Policy;
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::{Rules, SrtpPolicy};
use crate::note::{Note, TransactionId};
use crate::transaction::{Destination, Flow, FlowId, Transport};

/// Which side sent a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Caller,
    Phones,
}

/// What happens at a certain time besides messages.
#[derive(Debug)]
enum Event {
    Message {
        to: Side,
        bytes: Vec<u8>,
    },
    CallerMedia(MediaEvent),
    PhonesMedia(MediaEvent),
    Phones(Input),
    Caller(CallerInput),
    /// A message that the test wrote, into the caller's dialog.
    FromCallersPhone(Box<Message>),
}

/// What the node does with a call that arrives.
#[derive(Clone, Debug)]
pub(super) enum Decision {
    Accept,
    /// Early media first; what then, the test says.
    Early,
    Refuse(Cause),
    Wait,
}

/// Changes messages on their way, so that a side seems to be another implementation.
pub(super) type Mangle = Box<dyn FnMut(Side, &mut Message)>;

/// Drops messages by script: gets the sender, the message and how many like it (same start) went before.
pub(super) type Loss = Box<dyn FnMut(Side, &Message, usize) -> bool>;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) caller: Caller,
    pub(super) phones: Phones,
    transport: Transport,
    events: BTreeMap<(Instant, u64), Event>,
    next_event: u64,
    random: StdRng,
    /// Percent of messages lost at random.
    pub(super) loss_percent: u32,
    pub(super) loss: Loss,
    pub(super) mangle: Mangle,
    sent: BTreeMap<String, usize>,
    pub(super) decision: Decision,
    /// `caller INVITE`, `phones 200 INVITE` …, in the order of sending, lost ones too.
    pub(super) ladder: Vec<String>,
    pub(super) messages: Vec<(Side, Message)>,
    pub(super) arrived: Vec<Arrival>,
    pub(super) answered_by_phones: usize,
    pub(super) answered: Option<Box<LegPlan>>,
    /// Early media, as the phones and as the caller were told of it.
    pub(super) early_by_phones: usize,
    pub(super) early_plans: Vec<LegPlan>,
    /// Keys pressed by the caller's device.
    pub(super) digits: String,
    pub(super) progress: Vec<u16>,
    pub(super) caller_ended: Vec<Ending>,
    pub(super) phones_ended: Vec<Ending>,
    pub(super) notes: Vec<Note>,
    pub(super) phones_plans: Vec<LegPlan>,
    pub(super) caller_plans: Vec<LegPlan>,
    pub(super) closed_legs: Vec<LegId>,
    /// Connections that were asked for, and what becomes of each; further ones cannot be had.
    pub(super) connects: Vec<(Side, Destination)>,
    pub(super) connections: VecDeque<Flow>,
    /// Other ways to the phones.
    pub(super) ways: VecDeque<Flow>,
    pub(super) kept_alive: Vec<(Side, FlowId, Duration)>,
}

pub(super) fn dial(transport: Transport, srtp: SrtpPolicy) -> Dial {
    Dial {
        target: Uri::parse("sip:1234567890@meet.example.com").unwrap(),
        from: Uri::parse("sip:ann@example.com").unwrap(),
        flow: flow_of(Side::Caller, transport),
        elsewhere: false,
        contact: None,
        user_agent: "test".to_owned(),
        rules: Rules::default(),
        srtp,
        account: None,
        session: Policy::default(),
        leg: LegId(1),
        patience: Duration::from_secs(60),
    }
}

pub(super) fn config() -> Config {
    Config {
        domains: vec![Host::read("meet.example.com").unwrap()],
        srtp: SrtpPolicies {
            udp: SrtpPolicy::Prefer,
            tcp: SrtpPolicy::Prefer,
            tls: SrtpPolicy::Require,
        },
        ..Config::default()
    }
}

pub(super) fn flow_of(side: Side, transport: Transport) -> Flow {
    let caller: SocketAddr = "192.0.2.1:5070".parse().unwrap();
    let server: SocketAddr = "192.0.2.9:5060".parse().unwrap();
    let (id, local, peer) = match side {
        Side::Caller => (1, caller, server),
        Side::Phones => (7, server, caller),
    };
    Flow {
        id: FlowId(id),
        transport,
        local,
        peer,
    }
}

impl World {
    pub(super) fn new(seed: u8, transport: Transport, srtp: SrtpPolicy) -> Self {
        Self::with(seed, transport, dial(transport, srtp), config())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant has to come from somewhere; only differences count"
    )]
    pub(super) fn with(seed: u8, transport: Transport, dial: Dial, config: Config) -> Self {
        let now = Instant::now();
        let mut world = Self {
            now,
            caller: Caller::new(now, dial, [seed; 32]),
            phones: Phones::new(config, [seed ^ 0xff; 32]),
            transport,
            events: BTreeMap::new(),
            next_event: 0,
            random: StdRng::from_seed([seed; 32]),
            loss_percent: 0,
            loss: Box::new(|_, _, _| false),
            mangle: Box::new(|_, _| {}),
            sent: BTreeMap::new(),
            decision: Decision::Accept,
            ladder: Vec::new(),
            messages: Vec::new(),
            arrived: Vec::new(),
            answered_by_phones: 0,
            answered: None,
            early_by_phones: 0,
            early_plans: Vec::new(),
            digits: String::new(),
            progress: Vec::new(),
            caller_ended: Vec::new(),
            phones_ended: Vec::new(),
            notes: Vec::new(),
            phones_plans: Vec::new(),
            caller_plans: Vec::new(),
            closed_legs: Vec::new(),
            connects: Vec::new(),
            connections: VecDeque::new(),
            ways: VecDeque::new(),
            kept_alive: Vec::new(),
        };
        world.drain();
        world
    }

    /// Lets virtual time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 100_000, "the machines keep each other busy");
            let next = [
                self.events.keys().next().map(|&(at, _)| at),
                self.caller.next_timeout(),
                self.phones.next_timeout(),
            ]
            .into_iter()
            .flatten()
            .min();
            let Some(at) = next.filter(|&at| at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            let due = self
                .events
                .first_key_value()
                .filter(|((at, _), _)| *at <= self.now)
                .map(|(&key, _)| key);
            if let Some(event) = due.and_then(|key| self.events.remove(&key)) {
                self.happen(event);
            } else {
                self.caller.timeout(self.now);
                self.phones.timeout(self.now);
            }
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    pub(super) fn caller_hangs_up(&mut self) {
        self.at(
            Duration::ZERO,
            Event::Caller(CallerInput::HangUp {
                ending: Ending::new(Cause::WeHungUp),
            }),
        );
    }

    pub(super) fn phones_hang_up(&mut self, cause: Cause) {
        let call = self.arrived.last().unwrap().call;
        self.at(
            Duration::ZERO,
            Event::Phones(Input::HangUp {
                call,
                ending: Ending::new(cause),
            }),
        );
    }

    pub(super) fn accept_now(&mut self, call: TransactionId) {
        self.at(Duration::ZERO, Event::Phones(Input::Accept { call }));
    }

    pub(super) fn caller_renegotiates(&mut self) {
        self.at(Duration::ZERO, Event::Caller(CallerInput::Renegotiate));
    }

    pub(super) fn phones_renegotiate(&mut self) {
        let call = self.arrived.last().unwrap().call;
        self.tell_phones(Input::Renegotiate { call });
    }

    /// A message that comes to the caller from somewhere else than the phones.
    pub(super) fn send_to_caller(&mut self, message: &Message) {
        let bytes = message.to_bytes();
        let to = Side::Caller;
        self.at(Duration::ZERO, Event::Message { to, bytes });
    }

    /// A request in the dialog of the answered call, as the caller's device would write it past its machine.
    pub(super) fn within(&self, method: &Method, number: u32) -> Message {
        let ack = self.last(Side::Caller, "ACK");
        let mut request = Message::request(method.clone(), ack.request_uri().unwrap());
        let via = format!("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK{method}{number}");
        request.headers.push(Name::Via, via);
        request.headers.push(Name::MaxForwards, 70);
        for name in [Name::From, Name::To, Name::CallId] {
            request.headers.copy(name, &ack.headers);
        }
        request
            .headers
            .push(Name::CSeq, format!("{number} {method}"));
        request
            .headers
            .push(Name::Contact, "<sip:ann@192.0.2.1:5070>");
        request
    }

    /// The number of the caller's INVITE.
    pub(super) fn number(&self) -> u32 {
        let invite = self.last(Side::Caller, "INVITE");
        invite.headers.cseq().unwrap().number
    }

    pub(super) fn tell_phones(&mut self, input: Input) {
        self.at(Duration::ZERO, Event::Phones(input));
    }

    /// Sends a request of the caller's device past its machine.
    pub(super) fn inject(&mut self, message: Message) {
        self.at(Duration::ZERO, Event::FromCallersPhone(Box::new(message)));
    }

    /// Every call, transaction, timer and map entry is gone on both sides.
    pub(super) fn assert_nothing_left(&mut self) {
        self.run(Duration::from_secs(120));
        assert!(
            self.caller.is_done(),
            "the caller still waits: {:?}",
            self.ladder
        );
        assert_eq!(self.caller.held(), 0, "transactions of the caller");
        assert_eq!(self.phones.held(), 0, "{:?}", self.ladder);
        assert_eq!(self.phones.active(), 0);
        assert_eq!(self.phones.next_timeout(), None);
        assert_eq!(self.caller.next_timeout(), None);
        assert!(self.events.is_empty());
        let started = self.count_notes(|note| matches!(note, Note::CallStarted(_)));
        let ended = self.count_notes(|note| matches!(note, Note::CallEnded { .. }));
        assert_eq!(started, ended, "every call that began has exactly one end");
    }

    pub(super) fn count(&self, line: &str) -> usize {
        self.ladder.iter().filter(|sent| *sent == line).count()
    }

    pub(super) fn count_notes(&self, test: impl Fn(&Note) -> bool) -> usize {
        self.notes.iter().filter(|note| test(note)).count()
    }

    /// The latest message of that kind that a side sent.
    pub(super) fn last(&self, side: Side, line: &str) -> &Message {
        self.messages
            .iter()
            .rev()
            .find(|(from, message)| *from == side && start_of(message) == line)
            .map(|(_, message)| message)
            .unwrap()
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.next_event += 1;
        self.events
            .insert((self.now + after, self.next_event), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Message { to, bytes } => {
                let flow = flow_of(to, self.transport);
                let message = Message::parse(&bytes);
                match to {
                    Side::Caller => self.caller.handle(
                        self.now,
                        CallerInput::Sip {
                            flow,
                            message,
                            bytes,
                        },
                    ),
                    Side::Phones => self.phones.handle(
                        self.now,
                        Input::Sip {
                            flow,
                            message,
                            bytes,
                        },
                    ),
                }
            }
            Event::CallerMedia(event) => {
                self.caller.handle(self.now, CallerInput::Media(event));
            }
            Event::PhonesMedia(event) => self.phones.handle(self.now, Input::Media(event)),
            Event::Phones(input) => self.phones.handle(self.now, input),
            Event::Caller(input) => self.caller.handle(self.now, input),
            Event::FromCallersPhone(message) => self.transmit(Side::Caller, &message.to_bytes()),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.caller.poll() {
            match output {
                CallerOutput::Sip { message, .. } => self.transmit(Side::Caller, &message),
                CallerOutput::Media(command) => {
                    if let MediaCommand::Configure { plan, .. } = &command {
                        self.caller_plans.push((**plan).clone());
                    }
                    if let Some(event) = media(&command, 20_000) {
                        self.at(Duration::from_millis(1), Event::CallerMedia(event));
                    }
                }
                CallerOutput::Connect { id, to } => {
                    self.connects.push((Side::Caller, to));
                    let flow = self.connections.pop_front();
                    let connected = CallerInput::Connected { id, flow };
                    self.at(Duration::ZERO, Event::Caller(connected));
                }
                CallerOutput::KeepAlive { flow, every } => {
                    self.kept_alive.push((Side::Caller, flow, every));
                }
                CallerOutput::NextWay => {
                    let way = CallerInput::Way(self.ways.pop_front());
                    self.at(Duration::ZERO, Event::Caller(way));
                }
                CallerOutput::Progress { status, .. } => self.progress.push(status),
                CallerOutput::EarlyMedia { plan } => self.early_plans.push(*plan),
                CallerOutput::Digit(_) => {}
                CallerOutput::Answered { plan } => self.answered = Some(plan),
                CallerOutput::Ended(ending) => self.caller_ended.push(ending),
                CallerOutput::Note(note) => self.notes.push(note),
            }
        }
        while let Some(output) = self.phones.poll() {
            match output {
                Output::Sip { message, .. } => self.transmit(Side::Phones, &message),
                Output::Media(command) => {
                    match &command {
                        MediaCommand::Configure { plan, .. } => {
                            self.phones_plans.push((**plan).clone());
                        }
                        MediaCommand::Close { leg } => self.closed_legs.push(*leg),
                        _ => {}
                    }
                    if let Some(event) = media(&command, 10_000) {
                        self.at(Duration::from_millis(1), Event::PhonesMedia(event));
                    }
                }
                Output::Connect { id, to } => {
                    self.connects.push((Side::Phones, to));
                    let flow = self.connections.pop_front();
                    let connected = Input::Connected { id, flow };
                    self.at(Duration::ZERO, Event::Phones(connected));
                }
                Output::KeepAlive { flow, every } => {
                    self.kept_alive.push((Side::Phones, flow, every));
                }
                Output::Arrived(arrival) => {
                    let call = arrival.call;
                    self.arrived.push(arrival);
                    let decision = match self.decision.clone() {
                        Decision::Accept => Input::Accept { call },
                        Decision::Early => Input::Early { call },
                        Decision::Refuse(cause) => Input::Refuse {
                            call,
                            ending: Ending::new(cause),
                        },
                        Decision::Wait => continue,
                    };
                    self.at(Duration::from_millis(5), Event::Phones(decision));
                }
                Output::EarlyMedia { .. } => self.early_by_phones += 1,
                Output::Digit { digit, .. } => self.digits.push(digit),
                Output::Answered { .. } => self.answered_by_phones += 1,
                Output::Ended { ending, .. } => self.phones_ended.push(ending),
                Output::Note(note) => self.notes.push(note),
            }
        }
    }

    fn transmit(&mut self, from: Side, bytes: &[u8]) {
        let mut message = Message::parse(bytes).unwrap();
        (self.mangle)(from, &mut message);
        let bytes = message.to_bytes();
        let line = format!(
            "{} {}",
            match from {
                Side::Caller => "caller",
                Side::Phones => "phones",
            },
            start_of(&message)
        );
        let before = self.sent.entry(line.clone()).or_default();
        let nth = *before;
        *before += 1;
        self.ladder.push(line);
        let lost = (self.loss)(from, &message, nth)
            || self.random.random_range(0..100) < self.loss_percent;
        self.messages.push((from, message));
        if lost {
            return;
        }
        let delay = match self.transport {
            Transport::Udp => self.random.random_range(5..40),
            // A stream keeps its order.
            Transport::Tcp | Transport::Tls => 10,
        };
        let to = match from {
            Side::Caller => Side::Phones,
            Side::Phones => Side::Caller,
        };
        self.at(Duration::from_millis(delay), Event::Message { to, bytes });
    }
}

/// `INVITE`, `200 INVITE`: what a message is, in short.
pub(super) fn start_of(message: &Message) -> String {
    let cseq = message.headers.cseq().unwrap();
    match message.status() {
        Some(status) => format!("{status} {}", cseq.method),
        None => message
            .method()
            .map_or_else(String::new, |method: &Method| method.to_string()),
    }
}

/// What a shard answers to a command.
pub(super) fn media(command: &MediaCommand, port: u16) -> Option<MediaEvent> {
    match command {
        MediaCommand::Reserve { leg, .. } => {
            let port = port + u16::try_from(leg.0).unwrap() * 2;
            Some(MediaEvent::Ready {
                leg: *leg,
                local: local_media(port),
            })
        }
        MediaCommand::Close { leg } => Some(MediaEvent::Closed { leg: *leg }),
        _ => None,
    }
}

pub(super) fn local_media(port: u16) -> LocalMedia {
    LocalMedia {
        rtp: SocketAddr::new("203.0.113.5".parse().unwrap(), port),
        rtcp: Some(SocketAddr::new("203.0.113.5".parse().unwrap(), port + 1)),
        candidates: Vec::new(),
        ice: None,
        fingerprint: None,
        audio_ssrc: 77,
        cname: "c".to_owned(),
    }
}
