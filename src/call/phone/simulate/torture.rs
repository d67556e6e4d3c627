//! What the whole stack answers to messages that are hard to read, over every transport.

#[path = "../../../../tests/support/torture/mod.rs"]
mod messages;

use std::time::{Duration, Instant};

use wire::sip::{Host, Limits, Message, SipError, StreamItem, StreamReader};

use self::messages::{Case, Place, Verdict, compare};
use super::super::{Config, Input, Output, Phones, SrtpPolicies};
use super::media;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::{Flow, FlowId, Transport};

pub(super) const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// A node's phones with one flow, and what they sent.
pub(super) struct Stack {
    phones: Phones,
    flow: Flow,
    now: Instant,
    reader: StreamReader,
    pub(super) verdict: Verdict,
}

impl Stack {
    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant has to come from somewhere; only differences count"
    )]
    pub(super) fn new(transport: Transport, local: &str, peer: &str) -> Self {
        let config = Config {
            domains: vec![Host::read("meet.example.com").unwrap()],
            srtp: SrtpPolicies {
                udp: SrtpPolicy::Prefer,
                tcp: SrtpPolicy::Prefer,
                tls: SrtpPolicy::Prefer,
            },
            ..Config::default()
        };
        Self {
            phones: Phones::new(config, [1; 32]),
            flow: Flow {
                id: FlowId(7),
                transport,
                local: local.parse().unwrap(),
                peer: peer.parse().unwrap(),
            },
            now: Instant::now(),
            reader: StreamReader::new(Limits::default()),
            verdict: Verdict::default(),
        }
    }

    pub(super) fn arrive(&mut self, bytes: &[u8]) {
        if self.flow.transport == Transport::Udp {
            return self.message(Message::parse(bytes));
        }
        self.reader.push(bytes);
        loop {
            match self.reader.next() {
                Ok(None) => break,
                Ok(Some(StreamItem::Message(message))) => self.message(Ok(message)),
                Ok(Some(StreamItem::Invalid(error))) => self.message(Err(error)),
                Ok(Some(StreamItem::Ping | StreamItem::Pong)) => {}
                Err(error) => {
                    if let Some(error) = error.error {
                        self.message(Err(error));
                    }
                    self.verdict.closes = true;
                    return;
                }
            }
        }
        self.verdict.waits = self.reader.is_within_message();
    }

    fn message(&mut self, message: Result<Message, SipError>) {
        let sip = Input::Sip {
            flow: self.flow,
            message,
            bytes: Vec::new(),
        };
        self.phones.handle(self.now, sip);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.phones.poll() {
            match output {
                Output::Sip {
                    flow, to, message, ..
                } => {
                    assert_eq!(flow, self.flow.id);
                    // Whatever Via says, nobody but the sender hears of it.
                    assert_eq!(to.ip(), self.flow.peer.ip());
                    // What could not be read is sent back as it came: only the status counts.
                    let text = String::from_utf8_lossy(&message).into_owned();
                    let status = text.strip_prefix("SIP/2.0 ").and_then(|t| t.get(..3));
                    match status.map(|status| status.parse::<u16>().unwrap()) {
                        Some(status @ 200..) => self.verdict.answers.push(status),
                        Some(_) => {}
                        None => assert!(text.starts_with("BYE "), "{text}"),
                    }
                }
                Output::Arrived(arrival) => {
                    let call = arrival.call;
                    self.phones.handle(self.now, Input::Accept { call });
                }
                Output::Media(command) => {
                    if let Some(event) = media(&command, 10_000) {
                        self.phones.handle(self.now, Input::Media(event));
                    }
                }
                _ => {}
            }
        }
    }

    /// What arrives next comes on a stream of its own.
    pub(super) fn reconnect(&mut self) {
        self.reader = StreamReader::new(Limits::default());
        self.verdict = Verdict::default();
    }

    /// Everything that came so far ends by itself. Gives a new stack for what comes then.
    pub(super) fn end(mut self) -> Self {
        let deadline = self.now;
        self.phones.handle(self.now, Input::Drain { deadline });
        let last = self.now + Duration::from_secs(200);
        while let Some(at) = self.phones.next_timeout() {
            assert!(at < last, "it never ends");
            self.now = self.now.max(at);
            self.phones.timeout(self.now);
            self.drain();
        }
        assert_eq!(self.phones.held(), 0);
        Self::new(
            self.flow.transport,
            &self.flow.local.to_string(),
            &self.flow.peer.to_string(),
        )
    }
}

/// The verdict of a stack that has seen nothing before, and that answers the next message as ever.
fn judge(case: &Case, place: &Place<'_>, transport: Transport, local: &str, peer: &str) -> Verdict {
    let mut stack = Stack::new(transport, local, peer);
    stack.arrive(&case.bytes);
    let verdict = std::mem::take(&mut stack.verdict);
    if !verdict.closes && !verdict.waits {
        stack.arrive(&messages::probe(place, "probe"));
        assert_eq!(stack.verdict.answers, [200], "{}: the probe", case.name);
    }
    stack.end();
    verdict
}

/// Every case of a table over every transport; all that differ are told.
fn check(host: &str, local: &str, peer: &str, cases: impl Fn(&Place<'_>) -> Vec<Case>) -> usize {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for transport in TRANSPORTS {
        let place = Place {
            host,
            transport: transport.via_name(),
        };
        for case in cases(&place) {
            let found = judge(&case, &place, transport, local, peer);
            wrong.extend(compare(&case, place.transport, &found));
            judged += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    judged
}

#[test]
fn every_message_of_rfc_4475_gets_its_verdict_over_every_transport() {
    let here = Place {
        host: "meet.example.com",
        transport: "UDP",
    };
    if messages::rfc4475(&here).is_none() {
        println!("the 49 messages of RFC 4475 are not at hand: only ours are judged");
        return;
    }
    let as_they_stand = check(here.host, LOCAL, PEER, |place| {
        messages::rfc4475(place).unwrap()
    });
    assert_eq!(as_they_stand, 49 * 3);
    check(here.host, LOCAL, PEER, |place| {
        messages::rfc4475_to_us(place).unwrap()
    });
}

#[test]
fn every_message_of_our_own_gets_its_verdict_over_every_transport() {
    let judged = check("meet.example.com", LOCAL, PEER, |place| {
        messages::own(place, "s")
    });
    assert!(judged >= 60 * 3, "{judged}");
}

#[test]
fn addresses_of_rfc_5118_are_read_in_every_place_where_they_may_stand() {
    let judged = check(
        "[2001:db8:9::1]",
        "[2001:db8:9::1]:5060",
        "[2001:db8:1::9]:5060",
        |place| messages::rfc5118(place, "v6"),
    );
    assert!(judged >= 16 * 3, "{judged}");
}

pub(super) const LOCAL: &str = "192.0.2.200:5060";
pub(super) const PEER: &str = "192.0.2.77:40000";
