//! Provisional responses that are acknowledged (RFC 3262): numbers and their PRACK, both roles.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::sip::{Message, Method, Name};

use crate::transaction::{GIVE_UP, T1};

/// The option tag (RFC 3262 §8.1).
pub const RELIABLE: &str = "100rel";

/// `RAck` (RFC 3262 §7.2): which response a PRACK acknowledges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RAck {
    /// `RSeq` of the response.
    pub rseq: u32,
    /// `CSeq` number of the response.
    pub cseq: u32,
    /// `CSeq` method of the response.
    pub method: Method,
}

impl RAck {
    /// Reads the header of a PRACK; `None` when it is missing or malformed.
    #[must_use]
    pub fn of(prack: &Message) -> Option<Self> {
        let text = prack.headers.text(Name::RAck)?;
        let mut parts = text.split_ascii_whitespace();
        let rack = Self {
            rseq: parts.next()?.parse().ok()?,
            cseq: parts.next()?.parse().ok()?,
            method: Method::from_token(parts.next()?),
        };
        parts.next().is_none().then_some(rack)
    }
}

impl std::fmt::Display for RAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Whether a request may be answered by reliable provisional responses, or must be.
#[must_use]
pub fn is_wanted(request: &Message) -> bool {
    request.headers.lists(Name::Supported, RELIABLE)
        || request.headers.lists(Name::Require, RELIABLE)
}

/// A provisional response of ours that waits for its PRACK: one at a time (RFC 3262 §3).
#[derive(Debug)]
pub struct Unpracked {
    rack: RAck,
    /// The response, to be sent again.
    pub response: Message,
    /// It carries our offer: the answer comes in the PRACK.
    pub offered: bool,
    interval: Duration,
    due: Instant,
    give_up: Instant,
}

/// What a time-out means for a response that waits for its PRACK.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Overdue {
    /// Send it again.
    Again,
    /// Nobody acknowledges it: the INVITE is refused (RFC 3262 §3).
    GivenUp,
}

impl Unpracked {
    /// Numbers a response and demands its acknowledgement.
    #[must_use]
    pub fn new(now: Instant, mut response: Message, rseq: u32) -> Self {
        response.headers.push(Name::Require, RELIABLE);
        response.headers.push(Name::RSeq, rseq);
        let cseq = response.headers.cseq().ok();
        Self {
            rack: RAck {
                rseq,
                cseq: cseq.as_ref().map_or(0, |cseq| cseq.number),
                method: cseq.map_or(Method::Invite, |cseq| cseq.method),
            },
            response,
            offered: false,
            interval: T1,
            due: now + T1,
            give_up: now + GIVE_UP,
        }
    }

    /// A first number, in the lower half of the range that RFC 3262 §3 allows, with room to count.
    pub fn first_number(random: &mut StdRng) -> u32 {
        random.random_range(1..1 << 30)
    }

    /// Whether a PRACK is for it.
    #[must_use]
    pub fn is_acknowledged_by(&self, prack: &Message) -> bool {
        RAck::of(prack).is_some_and(|rack| rack == self.rack)
    }

    /// When [`Unpracked::timeout`] has something to say.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.due.min(self.give_up)
    }

    /// What is due.
    pub fn timeout(&mut self, now: Instant) -> Option<Overdue> {
        if self.give_up <= now {
            return Some(Overdue::GivenUp);
        }
        if self.due > now {
            return None;
        }
        self.interval *= 2;
        self.due = now + self.interval;
        Some(Overdue::Again)
    }
}

/// What a caller knows of the reliable responses in one early dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Received {
    last: Option<u32>,
}

impl Received {
    /// Takes a provisional response: the acknowledgement that it wants, unless it is unreliable, a copy, or ahead of
    /// one that has not come (RFC 3262 §4).
    pub fn take(&mut self, response: &Message) -> Option<RAck> {
        if !response.headers.lists(Name::Require, RELIABLE) {
            return None;
        }
        let rseq = response.headers.number(Name::RSeq).ok().flatten()?;
        let rseq = u32::try_from(rseq).ok()?;
        let cseq = response.headers.cseq().ok()?;
        if self
            .last
            .is_some_and(|last| last.checked_add(1) != Some(rseq))
        {
            return None;
        }
        self.last = Some(rseq);
        Some(RAck {
            rseq,
            cseq: cseq.number,
            method: cseq.method,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn provisional(rseq: Option<u32>) -> Message {
        let invite = Message::parse(
            b"INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
              From: <sip:a@192.0.2.2>;tag=a\r\nTo: <sip:b@192.0.2.1>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
              Content-Length: 0\r\n\r\n",
        )
        .unwrap();
        let mut response = Message::response_to(&invite, 183, "Session Progress");
        if let Some(rseq) = rseq {
            response.headers.push(Name::Require, RELIABLE);
            response.headers.push(Name::RSeq, rseq);
        }
        response
    }

    fn prack(rack: &str) -> Message {
        let mut prack = Message::request(Method::Prack, "sip:b@192.0.2.1");
        prack.headers.push(Name::RAck, rack);
        prack
    }

    #[test]
    fn a_rack_is_read_with_any_white_space_and_nothing_else() {
        let read = RAck::of(&prack("776656  1\t INVITE")).unwrap();
        assert_eq!((read.rseq, read.cseq), (776_656, 1));
        assert_eq!(read.to_string(), "776656 1 INVITE");
        for bad in [
            "",
            "1",
            "1 2",
            "1 2 INVITE x",
            "4294967296 1 INVITE",
            "a 1 INVITE",
        ] {
            assert_eq!(RAck::of(&prack(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_response_is_acknowledged_by_its_own_numbers_only() {
        let waiting = Unpracked::new(start(), provisional(None), 500);
        assert!(waiting.is_acknowledged_by(&prack("500 7 INVITE")));
        for other in ["501 7 INVITE", "500 8 INVITE", "500 7 UPDATE"] {
            assert!(!waiting.is_acknowledged_by(&prack(other)), "{other}");
        }
        assert_eq!(waiting.response.headers.get(Name::RSeq), Some(&b"500"[..]));
    }

    #[test]
    fn it_is_sent_again_at_doubling_intervals_and_given_up_after_64_t1() {
        let begin = start();
        let mut waiting = Unpracked::new(begin, provisional(None), 1);
        let mut sent_at = Vec::new();
        let given_up = loop {
            let now = waiting.next_timeout();
            match waiting.timeout(now) {
                Some(Overdue::Again) => sent_at.push(now.duration_since(begin).as_millis()),
                Some(Overdue::GivenUp) => break now,
                None => panic!("nothing was due"),
            }
        };
        assert_eq!(sent_at, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert_eq!(given_up.duration_since(begin), GIVE_UP);
    }

    #[test]
    fn a_caller_acknowledges_in_order_and_each_once() {
        let mut received = Received::default();
        assert_eq!(received.take(&provisional(None)), None);
        assert_eq!(
            received.take(&provisional(Some(9))).unwrap().to_string(),
            "9 7 INVITE"
        );
        assert_eq!(received.take(&provisional(Some(9))), None);
        assert_eq!(received.take(&provisional(Some(11))), None);
        assert_eq!(received.take(&provisional(Some(10))).unwrap().rseq, 10);
    }
}
