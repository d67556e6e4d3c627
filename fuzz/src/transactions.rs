//! The transaction layer under any order of messages, answers, timers and closed connections.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use call::exchange::{Flow, FlowId, Transport};
use call::transaction::{ClientId, Output, ServerId, Transactions};
use wire::sip::{Message, Method};

/// Two octets are one step: what happens, and to which of the few messages, answers or flows there are.
///
/// Each request is told once and can be answered; copies make no new ones; in the end everything is over,
/// however it came.
pub fn transactions(data: &[u8]) {
    let mut world = World {
        layer: Transactions::new(16),
        now: Instant::now(),
        told: BTreeSet::new(),
        open: Vec::new(),
        clients: Vec::new(),
        ended: BTreeSet::new(),
    };
    for step in data.chunks_exact(2).take(400) {
        let (what, which) = (step[0], step[1]);
        match what % 8 {
            0 | 1 => world.receive(request(which), which),
            2 => world.respond(what, which),
            3 => world.request(which),
            4 => world.response(what, which),
            5 => world.cancel(which),
            6 => world.later(Duration::from_millis(u64::from(which) * 97)),
            _ => world.layer.flow_closed(flow(which).id),
        }
        world.drain();
    }
    world.end();
}

struct World {
    layer: Transactions,
    now: Instant,
    told: BTreeSet<ServerId>,
    open: Vec<(ServerId, Message)>,
    clients: Vec<(ClientId, Message)>,
    ended: BTreeSet<ClientId>,
}

impl World {
    fn receive(&mut self, message: Message, which: u8) {
        self.layer.receive(self.now, flow(which), message);
    }

    fn respond(&mut self, what: u8, which: u8) {
        let Some((id, request)) = self.open.get(usize::from(which) % self.open.len().max(1)) else {
            return;
        };
        let status = [100, 180, 200, 404, 487, 503][usize::from(what >> 3) % 6];
        let response = Message::response_to(request, status, "X");
        self.layer.respond(self.now, *id, &response);
    }

    fn request(&mut self, which: u8) {
        if self.clients.len() >= 64 {
            return;
        }
        let mut message = request(which & 0x3f);
        let number = self.clients.len();
        if let Ok(mut via) = message.headers.via() {
            via.params
                .set("branch", Some(&format!("z9hG4bKours{number}")));
            message.headers.set_top_via(&via);
        }
        if message.method() == Some(&Method::Ack) {
            return;
        }
        let id = self
            .layer
            .request(self.now, flow(which), message.clone(), None);
        self.clients.push((id, message));
    }

    fn response(&mut self, what: u8, which: u8) {
        let count = self.clients.len().max(1);
        let Some((_, request)) = self.clients.get(usize::from(which) % count) else {
            return;
        };
        let status = [100, 183, 200, 302, 486, 600][usize::from(what >> 3) % 6];
        let response = Message::response_to(request, status, "X");
        self.layer.receive(self.now, flow(which), response);
    }

    fn cancel(&mut self, which: u8) {
        let count = self.clients.len().max(1);
        if let Some((id, _)) = self.clients.get(usize::from(which) % count) {
            self.layer.cancel(self.now, *id, None);
        }
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
        self.layer.timeout(self.now);
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll() {
            match output {
                Output::Request { id, message, .. } => {
                    assert!(self.told.insert(id), "a request was told twice");
                    assert!(self.layer.is_open(id));
                    self.open.push((id, message));
                }
                Output::Failed { id, .. } => {
                    assert!(self.ended.insert(id), "a request failed twice");
                }
                Output::Send { bytes, .. } => {
                    if let Err(error) = Message::parse(&bytes) {
                        panic!("we sent what we refuse: {error}");
                    }
                }
                _ => {}
            }
        }
        assert!(self.layer.len() <= 16 + 2 * 64, "{}", self.layer.len());
    }

    /// Whatever is open is answered; then time alone ends everything.
    fn end(mut self) {
        for (id, request) in std::mem::take(&mut self.open) {
            if self.layer.is_open(id) {
                let response = Message::response_to(&request, 500, "X");
                self.layer.respond(self.now, id, &response);
            }
            assert!(!self.layer.is_open(id));
        }
        for _ in 0..10_000 {
            self.drain();
            let Some(at) = self.layer.next_timeout() else {
                // An INVITE of ours that got a provisional response waits for ever: that is its user's affair.
                for which in 0..4 {
                    self.layer.flow_closed(flow(which).id);
                }
                self.drain();
                assert!(self.layer.is_empty(), "{} are left", self.layer.len());
                assert_eq!(self.layer.next_timeout(), None);
                return;
            };
            self.now = self.now.max(at);
            self.layer.timeout(self.now);
        }
        panic!("the timers never end");
    }
}

fn flow(which: u8) -> Flow {
    let number = which & 3;
    let peer = SocketAddr::from(([192, 0, 2, number + 1], 5060));
    Flow {
        id: FlowId(u64::from(number)),
        transport: [
            Transport::Udp,
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
        ][usize::from(number)],
        local: SocketAddr::from(([192, 0, 2, 100], 5060)),
        peer,
    }
}

/// One of a few requests: two calls of two branches each, and an RFC 2543 element's.
fn request(which: u8) -> Message {
    let method = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"][usize::from(which >> 2) % 5];
    let (call, branch) = (which >> 5 & 1, which >> 6);
    let branch = if branch == 3 {
        String::new()
    } else {
        format!(";branch=z9hG4bK{branch}")
    };
    let text = format!(
        "{method} sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1{branch}\r\n\
         From: <sip:a@example.com>;tag=f\r\nTo: <sip:u@example.com>\r\nCall-ID: c{call}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
}
