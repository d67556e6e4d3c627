//! Domains as people set them up, and what is tried for them in which order.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wire::sip::Uri;

use super::{Answer, Locate, LocateError, Naptr, Next, Question, Srv};
use crate::transaction::Transport::{self, Tcp, Tls, Udp};

const ALL: [Transport; 3] = [Tls, Tcp, Udp];

/// A name server.
#[derive(Default)]
struct Zone {
    naptr: BTreeMap<String, Vec<Naptr>>,
    srv: BTreeMap<String, Vec<Srv>>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    asked: Vec<String>,
}

impl Zone {
    fn naptr(mut self, name: &str, order: u16, preference: u16, services: &str, to: &str) -> Self {
        self.naptr.entry(name.to_owned()).or_default().push(Naptr {
            order,
            preference,
            flags: "s".to_owned(),
            services: services.to_owned(),
            replacement: to.to_owned(),
        });
        self
    }

    fn srv(mut self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        self.srv.entry(name.to_owned()).or_default().push(Srv {
            priority,
            weight,
            port,
            target: target.to_owned(),
        });
        self
    }

    fn host(mut self, name: &str, address: &str) -> Self {
        let hosts = self.hosts.entry(name.to_owned()).or_default();
        hosts.push(address.parse().unwrap());
        self
    }

    /// Everything that is tried for a URI, as `udp 192.0.2.1:5060`.
    fn tried(&mut self, uri: &str, speaks: &[Transport]) -> Vec<String> {
        self.tried_by(uri, speaks, [0; 32])
    }

    fn tried_by(&mut self, uri: &str, speaks: &[Transport], seed: [u8; 32]) -> Vec<String> {
        let uri = Uri::parse(uri).unwrap();
        let mut locate = Locate::new(&uri, speaks, seed).unwrap();
        let mut hops = Vec::new();
        loop {
            let question = match locate.next() {
                Next::Exhausted => return hops,
                Next::Try(hop) => {
                    assert_eq!(hop.domain, uri.host, "the certificate's name");
                    hops.push(format!("{} {}", hop.transport.uri_name(), hop.address));
                    continue;
                }
                Next::Ask(question) => question,
            };
            self.asked.push(format!("{question:?}"));
            locate.answer(match question {
                Question::Naptr(name) => {
                    Answer::Naptr(self.naptr.get(&name).cloned().unwrap_or_default())
                }
                Question::Srv(name) => {
                    Answer::Srv(self.srv.get(&name).cloned().unwrap_or_default())
                }
                Question::Addresses(name) => {
                    Answer::Addresses(self.hosts.get(&name).cloned().unwrap_or_default())
                }
            });
        }
    }
}

/// The zone of RFC 3263 §4.1 and §4.2's example.
fn example() -> Zone {
    Zone::default()
        .naptr("example.com", 50, 50, "SIPS+D2T", "_sips._tcp.example.com.")
        .naptr("example.com", 90, 50, "SIP+D2T", "_sip._tcp.example.com")
        .naptr("example.com", 100, 50, "SIP+D2U", "_sip._udp.example.com.")
        .srv("_sip._tcp.example.com", 0, 1, 5060, "server1.example.com")
        .srv("_sip._tcp.example.com", 1, 2, 5060, "server2.example.com.")
        .host("server1.example.com", "192.0.2.1")
        .host("server2.example.com", "192.0.2.2")
}

#[test]
fn the_example_of_rfc_3263_leads_to_its_two_servers_over_tcp() {
    let mut zone = example();
    assert_eq!(
        zone.tried("sip:user@example.com", &[Tcp, Udp]),
        ["tcp 192.0.2.1:5060", "tcp 192.0.2.2:5060"]
    );
    assert_eq!(
        zone.asked,
        [
            "Naptr(\"example.com\")",
            "Srv(\"_sip._tcp.example.com\")",
            "Addresses(\"server1.example.com\")",
            "Addresses(\"server2.example.com\")",
            "Srv(\"_sip._udp.example.com\")",
        ]
    );
}

#[test]
fn nothing_is_asked_that_is_not_needed_yet() {
    let uri = Uri::parse("sip:user@example.com").unwrap();
    let mut locate = Locate::new(&uri, &ALL, [0; 32]).unwrap();
    let naptr = Next::Ask(Question::Naptr("example.com".to_owned()));
    assert_eq!(locate.next(), naptr);
    assert_eq!(locate.next(), naptr, "until it is answered");
    locate.answer(Answer::Naptr(Vec::new()));
    let srv = Next::Ask(Question::Srv("_sips._tcp.example.com".to_owned()));
    assert_eq!(locate.next(), srv);
}

#[test]
fn addresses_need_no_dns() {
    let mut zone = Zone::default();
    for (uri, hop) in [
        ("sip:192.0.2.7", "udp 192.0.2.7:5060"),
        ("sip:u@192.0.2.7:5099", "udp 192.0.2.7:5099"),
        ("sips:u@192.0.2.7", "tls 192.0.2.7:5061"),
        (
            "sip:u@[2001:db8::7];transport=tcp",
            "tcp [2001:db8::7]:5060",
        ),
        ("sip:u@192.0.2.7;transport=TLS", "tls 192.0.2.7:5061"),
        ("sips:u@192.0.2.7;transport=tcp", "tls 192.0.2.7:5061"),
        ("sip:u@example.com;maddr=192.0.2.8", "udp 192.0.2.8:5060"),
    ] {
        assert_eq!(zone.tried(uri, &ALL), [hop], "{uri}");
    }
    assert_eq!(zone.tried("sip:192.0.2.7", &[Tls]), ["tls 192.0.2.7:5061"]);
    assert!(zone.asked.is_empty());
}

#[test]
fn a_port_means_that_host_and_no_records() {
    let mut zone = example()
        .host("example.com", "192.0.2.9")
        .host("example.com", "2001:db8::9");
    assert_eq!(
        zone.tried("sip:user@example.com:5070", &ALL),
        ["udp 192.0.2.9:5070", "udp [2001:db8::9]:5070"]
    );
    assert_eq!(zone.asked, ["Addresses(\"example.com\")"]);
}

#[test]
fn a_stated_transport_asks_for_its_service_and_falls_back_to_the_name() {
    let mut zone = example().host("example.com", "192.0.2.9");
    assert_eq!(
        zone.tried("sip:user@example.com;transport=udp", &ALL),
        ["udp 192.0.2.9:5060"]
    );
    assert_eq!(
        zone.asked,
        [
            "Srv(\"_sip._udp.example.com\")",
            "Addresses(\"example.com\")"
        ]
    );
    assert_eq!(
        zone.tried("sip:user@example.com;transport=tcp", &ALL),
        ["tcp 192.0.2.1:5060", "tcp 192.0.2.2:5060"]
    );
}

#[test]
fn without_naptr_every_service_is_asked_for_and_then_the_name() {
    let mut zone = Zone::default()
        .srv("_sip._udp.example.net", 0, 0, 5080, "a.example.net")
        .host("a.example.net", "192.0.2.3")
        .host("example.net", "192.0.2.4");
    assert_eq!(zone.tried("sip:example.net", &ALL), ["udp 192.0.2.3:5080"]);
    assert_eq!(zone.asked.len(), 5, "{:?}", zone.asked);
    let mut bare = Zone::default().host("example.net", "192.0.2.4");
    assert_eq!(bare.tried("sip:example.net", &ALL), ["udp 192.0.2.4:5060"]);
    assert_eq!(bare.tried("sips:example.net", &ALL), ["tls 192.0.2.4:5061"]);
}

#[test]
fn a_sips_uri_never_leaves_tls() {
    let mut zone = example()
        .srv("_sips._tcp.example.com", 0, 0, 5061, "safe.example.com")
        .host("safe.example.com", "192.0.2.5");
    assert_eq!(
        zone.tried("sips:user@example.com", &ALL),
        ["tls 192.0.2.5:5061"]
    );
    let uri = Uri::parse("sips:user@example.com;transport=udp").unwrap();
    assert_eq!(
        Locate::new(&uri, &ALL, [0; 32]).unwrap_err(),
        LocateError::Insecure
    );
    let uri = Uri::parse("sips:user@example.com").unwrap();
    assert_eq!(
        Locate::new(&uri, &[Udp, Tcp], [0; 32]).unwrap_err(),
        LocateError::Transport
    );
}

#[test]
fn a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere() {
    let mut zone = Zone::default()
        .srv("_sip._udp.example.net", 0, 0, 0, ".")
        .host("example.net", "192.0.2.4");
    assert!(zone.tried("sip:example.net;transport=udp", &ALL).is_empty());
}

#[test]
fn an_address_that_two_records_name_is_tried_once() {
    let mut zone = Zone::default()
        .srv("_sip._udp.example.net", 0, 0, 5060, "a.example.net")
        .srv("_sip._udp.example.net", 1, 0, 5060, "b.example.net")
        .host("a.example.net", "192.0.2.4")
        .host("b.example.net", "192.0.2.4");
    assert_eq!(
        zone.tried("sip:example.net;transport=udp", &ALL),
        ["udp 192.0.2.4:5060"]
    );
}

#[test]
fn lots_follow_the_weights_within_a_priority_and_never_across() {
    let mut zone = Zone::default()
        .srv("_sip._udp.example.net", 10, 30, 5060, "a.example.net")
        .srv("_sip._udp.example.net", 10, 10, 5060, "b.example.net")
        .srv("_sip._udp.example.net", 20, 60_000, 5060, "c.example.net")
        .host("a.example.net", "192.0.2.1")
        .host("b.example.net", "192.0.2.2")
        .host("c.example.net", "192.0.2.3");
    let mut first_is_a = 0;
    for seed in 0..200 {
        let tried = zone.tried_by("sip:example.net;transport=udp", &ALL, [seed; 32]);
        assert_eq!(tried.len(), 3);
        assert_eq!(tried[2], "udp 192.0.2.3:5060");
        first_is_a += usize::from(tried[0] == "udp 192.0.2.1:5060");
    }
    // Three in four, give or take four standard deviations.
    assert!((125..=175).contains(&first_is_a), "{first_is_a}");
}

#[test]
fn what_cannot_be_reached_by_sip_says_so() {
    for (uri, error) in [
        ("tel:+12065550100", LocateError::Scheme),
        ("sip:example.com;transport=sctp", LocateError::Transport),
        ("sip:example.com;maddr=a%20b", LocateError::Maddr),
    ] {
        let uri = Uri::parse(uri).unwrap();
        assert_eq!(Locate::new(&uri, &ALL, [0; 32]).unwrap_err(), error);
    }
}
