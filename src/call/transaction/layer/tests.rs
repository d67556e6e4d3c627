//! Messages, ways and time against the whole layer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::sip::{Message, Name, Uri};

use super::super::flow::{Flow, FlowId, Transport};
use super::{ClientId, Destination, Failure, Output, ServerId, Transactions};

struct World {
    layer: Transactions,
    now: Instant,
}

impl World {
    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant has to come from somewhere; only differences count"
    )]
    fn new() -> Self {
        Self {
            layer: Transactions::new(100),
            now: Instant::now(),
        }
    }

    fn receive(&mut self, flow: Flow, text: &str) -> Vec<Output> {
        let message = Message::parse(text.as_bytes()).unwrap();
        self.layer.receive(self.now, flow, message);
        self.told()
    }

    fn told(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.layer.poll()).collect()
    }

    /// Lets time pass, one timer after the other.
    fn later(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        while let Some(at) = self.layer.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.layer.timeout(self.now);
        }
        self.now = end;
        self.told()
    }

    fn request(&mut self, flow: Flow, message: Message) -> (ClientId, Vec<Output>) {
        let id = self.layer.request(self.now, flow, message, None);
        (id, self.told())
    }

    fn respond(&mut self, id: ServerId, request: &str, status: u16) -> Vec<Output> {
        let request = Message::parse(request.as_bytes()).unwrap();
        let response = Message::response_to(&request, status, "X");
        self.layer.respond(self.now, id, &response);
        self.told()
    }
}

fn flow(id: u64, transport: Transport, peer: &str) -> Flow {
    Flow {
        id: FlowId(id),
        transport,
        local: "192.0.2.100:5060".parse().unwrap(),
        peer: peer.parse().unwrap(),
    }
}

fn udp() -> Flow {
    flow(1, Transport::Udp, "192.0.2.1:40000")
}

fn text(method: &str, via: &str) -> String {
    format!(
        "{method} sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/{via}\r\nFrom: <sip:a@example.com>;tag=f\r\n\
         To: <sip:u@example.com>\r\nCall-ID: c\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of ours, padded to that many octets at least.
fn ours(method: &str, octets: usize) -> Message {
    let mut message =
        Message::parse(text(method, "UDP 192.0.2.100:5060;branch=z9hG4bKours;rport").as_bytes())
            .unwrap();
    message.headers.push(Name::Subject, "x".repeat(octets));
    message
}

fn request_id(told: &[Output]) -> (ServerId, bool, Option<ServerId>) {
    match told {
        [
            Output::Request {
                id,
                merged,
                cancels,
                ..
            },
        ] => (*id, *merged, *cancels),
        other => panic!("{other:?}"),
    }
}

/// Where what was sent went, and its first line.
fn sent(told: &[Output]) -> Vec<(FlowId, SocketAddr, String)> {
    told.iter()
        .filter_map(|output| match output {
            Output::Send {
                flow, to, bytes, ..
            } => {
                let text = String::from_utf8_lossy(bytes);
                let line = text.lines().next().unwrap_or_default();
                Some((*flow, *to, line.to_owned()))
            }
            _ => None,
        })
        .collect()
}

fn via_of(told: &[Output]) -> String {
    told.iter()
        .find_map(|output| match output {
            Output::Send { bytes, .. } => Some(Message::parse(bytes).unwrap()),
            Output::Request { message, .. } => Some(message.clone()),
            _ => None,
        })
        .map(|message| message.headers.via().unwrap().to_string())
        .unwrap()
}

#[test]
fn the_same_request_on_another_way_is_merged_and_a_copy_is_not() {
    let mut world = World::new();
    let one = text("INVITE", "UDP p1.example.com;branch=z9hG4bK1");
    let two = text("INVITE", "UDP p2.example.com;branch=z9hG4bK2");
    assert!(!request_id(&world.receive(udp(), &one)).1);
    assert!(request_id(&world.receive(udp(), &two)).1);
    assert!(matches!(
        world.receive(udp(), &one)[..],
        [Output::Absorbed { .. }]
    ));
}

#[test]
fn a_request_of_ours_that_comes_back_is_a_loop_until_it_is_over() {
    let mut world = World::new();
    let (_, _) = world.request(udp(), ours("OPTIONS", 1));
    let back = |n: u8| {
        text(
            "OPTIONS",
            &format!(
                "UDP p.example.com;branch=z9hG4bKp{n}\r\nVia: SIP/2.0/UDP us;branch=z9hG4bKours"
            ),
        )
    };
    let told = world.receive(flow(1, Transport::Udp, "192.0.2.9:5060"), &back(1));
    assert!(request_id(&told).1, "482");
    world.later(Duration::from_secs(40));
    let told = world.receive(udp(), &back(2).replace("Call-ID: c", "Call-ID: d"));
    assert!(!request_id(&told).1);
}

#[test]
fn a_response_goes_to_the_source_port_where_rport_asks_for_it_and_to_vias_port_where_not() {
    let mut world = World::new();
    let asked = text("OPTIONS", "UDP 10.0.0.1:5070;branch=z9hG4bK1;rport");
    let told = world.receive(udp(), &asked);
    assert_eq!(
        via_of(&told),
        "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport=40000;received=192.0.2.1"
    );
    let told = world.respond(request_id(&told).0, &asked, 200);
    assert_eq!(sent(&told)[0].1, "192.0.2.1:40000".parse().unwrap());
    for (via, port) in [("10.0.0.1:5070", 5070), ("host.example.com", 5060)] {
        let plain = text("OPTIONS", &format!("UDP {via};branch=z9hG4bK{port}"))
            .replace("Call-ID: c", &format!("Call-ID: {port}"));
        let id = request_id(&world.receive(udp(), &plain)).0;
        let told = world.respond(id, &plain, 200);
        assert_eq!(sent(&told)[0].1, SocketAddr::from(([192, 0, 2, 1], port)));
    }
}

#[test]
fn a_request_that_outgrows_datagrams_goes_over_tcp_and_says_so_in_its_via() {
    let mut world = World::new();
    let (id, told) = world.request(udp(), ours("INVITE", 1300));
    let [Output::Connect { id: asked, to, .. }] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((*asked, to), (id, &Destination::Stream(udp().peer)));
    let stream = flow(9, Transport::Tcp, "192.0.2.1:40000");
    world.layer.connected(world.now, id, Some(stream));
    let told = world.told();
    assert_eq!(sent(&told)[0].0, FlowId(9));
    assert!(via_of(&told).starts_with("SIP/2.0/TCP 192.0.2.100:5060;branch=z9hG4bKours"));
    // Nothing is sent again over a stream; its end comes with timer B.
    let told = world.later(Duration::from_secs(33));
    assert!(sent(&told).is_empty());
    assert!(matches!(
        told[..],
        [Output::Failed {
            why: Failure::TimedOut,
            ..
        }]
    ));
    assert!(world.layer.is_empty());
}

#[test]
fn where_tcp_is_not_served_it_goes_as_a_datagram_all_the_same() {
    let mut world = World::new();
    let (id, _) = world.request(udp(), ours("INVITE", 1300));
    world.layer.connected(world.now, id, None);
    let told = world.told();
    assert_eq!(sent(&told)[0].0, FlowId(1));
    assert!(via_of(&told).starts_with("SIP/2.0/UDP"));
    assert_eq!(
        sent(&world.later(Duration::from_millis(600))).len(),
        1,
        "again"
    );
    world.layer.connected(world.now, id, None);
    assert!(world.told().is_empty(), "said twice");
}

#[test]
fn a_connection_of_which_nothing_is_heard_is_given_up_like_an_answer() {
    let mut world = World::new();
    let (_, _) = world.request(udp(), ours("BYE", 1300));
    assert!(world.later(Duration::from_secs(31)).is_empty());
    let told = world.later(Duration::from_secs(2));
    assert!(matches!(
        told[..],
        [Output::Failed {
            why: Failure::TimedOut,
            ..
        }]
    ));
    assert!(world.layer.is_empty());
    assert_eq!(world.layer.next_timeout(), None);
}

#[test]
fn a_small_request_is_a_datagram() {
    let mut world = World::new();
    let (_, told) = world.request(udp(), ours("INVITE", 900));
    assert_eq!(sent(&told).len(), 1);
}

#[test]
fn a_second_cancel_is_not_sent() {
    let mut world = World::new();
    let (id, _) = world.request(udp(), ours("INVITE", 1));
    assert!(world.layer.cancel(world.now, id, None).is_some());
    assert_eq!(world.layer.cancel(world.now, id, None), None);
    assert_eq!(sent(&world.told()).len(), 1);
}

#[test]
fn a_cancel_finds_its_invite_also_when_that_was_accepted_and_only_then() {
    let mut world = World::new();
    let via = "UDP 192.0.2.1;branch=z9hG4bK1";
    let invite = text("INVITE", via);
    let (id, ..) = request_id(&world.receive(udp(), &invite));
    world.respond(id, &invite, 200);
    let (_, _, cancels) = request_id(&world.receive(udp(), &text("CANCEL", via)));
    assert_eq!(cancels, Some(id));
    let other = text("CANCEL", "UDP 192.0.2.1;branch=z9hG4bK2");
    let other = other.replace("Call-ID: c", "Call-ID: d");
    assert_eq!(request_id(&world.receive(udp(), &other)).2, None);
}

#[test]
fn an_ack_is_told_for_a_success_absorbed_for_a_refusal_and_told_when_it_is_late() {
    let mut world = World::new();
    let via = |n| format!("UDP 192.0.2.1;branch=z9hG4bK{n}");
    let invite = text("INVITE", &via(1));
    let (id, ..) = request_id(&world.receive(udp(), &invite));
    world.respond(id, &invite, 404);
    for _ in 0..2 {
        let told = world.receive(udp(), &text("ACK", &via(1)));
        assert!(matches!(told[..], [Output::Absorbed { .. }]), "{told:?}");
    }
    world.later(Duration::from_secs(6));
    assert!(world.layer.is_empty());
    let told = world.receive(udp(), &text("ACK", &via(1)));
    assert!(matches!(told[..], [Output::Ack { .. }]), "late");
    let (id, ..) = request_id(&world.receive(udp(), &invite));
    world.respond(id, &invite, 200);
    // The ACK of a 2xx is a transaction of its own.
    let told = world.receive(udp(), &text("ACK", &via(2)));
    assert!(matches!(told[..], [Output::Ack { .. }]));
}

fn tls(id: u64) -> Flow {
    flow(id, Transport::Tls, "192.0.2.1:40000")
}

fn anew(world: &mut World, uri: &str) -> (ClientId, Vec<Output>) {
    let uri = Uri::parse(uri).unwrap();
    let mut bye = ours("BYE", 1);
    let branch = format!("z9hG4bKbye{}", world.layer.len());
    let mut via = bye.headers.via().unwrap();
    via.params.set("branch", Some(&branch));
    bye.headers.set_top_via(&via);
    let id = world.layer.request_anew(world.now, tls(50), uri, bye, None);
    (id, world.told())
}

#[test]
fn a_connection_with_an_alias_is_used_again_and_no_other() {
    let mut world = World::new();
    let with = |via: &str, call: &str| {
        text("OPTIONS", &format!("TLS {via};branch=z9hG4bK{call}"))
            .replace("Call-ID: c", &format!("Call-ID: {call}"))
    };
    // Without alias, with an address that is not the connection's own, and over TCP: none of these counts.
    world.receive(tls(2), &with("192.0.2.1:5061", "a"));
    world.receive(tls(3), &with("192.0.2.66:5061;alias", "b"));
    world.receive(
        flow(4, Transport::Tcp, "192.0.2.1:40000"),
        &with("192.0.2.1:5061;alias", "c"),
    );
    let (_, told) = anew(&mut world, "sip:a@192.0.2.1");
    assert!(matches!(
        &told[..],
        [Output::Connect {
            to: Destination::Uri(..),
            ..
        }]
    ));
    world.receive(tls(5), &with("192.0.2.1:5061;alias", "d"));
    let (_, told) = anew(&mut world, "sip:a@192.0.2.1");
    assert_eq!(sent(&told)[0].0, FlowId(5));
    assert!(via_of(&told).contains(";alias"));
    let (_, told) = anew(&mut world, "sip:a@192.0.2.1:5099");
    assert!(matches!(told[..], [Output::Connect { .. }]), "another port");
    world.layer.flow_closed(FlowId(5));
    world.told();
    let (_, told) = anew(&mut world, "sip:a@192.0.2.1");
    assert!(matches!(told[..], [Output::Connect { .. }]), "closed");
}

#[test]
fn a_request_whose_connection_cannot_be_opened_again_fails() {
    let mut world = World::new();
    let (id, _) = anew(&mut world, "sip:a@host.example.com");
    world.layer.connected(world.now, id, None);
    assert!(matches!(
        world.told()[..],
        [Output::Failed {
            why: Failure::FlowClosed,
            ..
        }]
    ));
    let (id, _) = anew(&mut world, "sip:a@host.example.com");
    world.layer.connected(world.now, id, Some(tls(8)));
    assert_eq!(sent(&world.told())[0].0, FlowId(8));
}

#[test]
fn an_offer_to_keep_a_stream_alive_is_taken_and_over_datagrams_it_is_not() {
    let mut world = World::new();
    let told = world.receive(
        tls(2),
        &text("OPTIONS", "TLS 192.0.2.1;branch=z9hG4bK1;keep"),
    );
    assert!(via_of(&told).contains(";keep=120"));
    let told = world.receive(udp(), &text("INVITE", "UDP 192.0.2.1;branch=z9hG4bK2;keep"));
    assert!(via_of(&told).ends_with(";keep"));
}
