//! The tables of RFC 4475 and RFC 5118 against the real binary on real UDP, TCP and TLS sockets.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::support::server::Server;
use crate::support::sip::{Carrier, Line, Loopback, header, status};
use crate::support::torture::{self, Case, Place, Verdict, compare};

/// Every listener takes plain calls: the messages offer plain media.
const PLAIN: (&str, &str) = ("sip.tls.srtp", "prefer");

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server, and the transactions that it has seen: messages of RFC 4475 share branches.
struct Judge<'a> {
    settings: &'a [(&'a str, &'a str)],
    server: Server,
    seen: BTreeSet<String>,
    loopback: Loopback,
    probes: usize,
}

impl<'a> Judge<'a> {
    fn new(settings: &'a [(&'a str, &'a str)]) -> Self {
        Self {
            settings,
            server: Server::start(settings),
            seen: BTreeSet::new(),
            loopback: Loopback::new(),
            probes: 0,
        }
    }

    /// A server that has never seen the transaction of this message.
    fn server_for(&mut self, case: &Case) {
        let text = String::from_utf8_lossy(&case.bytes).into_owned();
        let branch = text
            .split("branch=")
            .nth(1)
            .map(|rest| rest.split([';', '\r', ' ', ',']).next().unwrap_or(rest))
            .unwrap_or_default();
        let method = text.split(' ').next().unwrap_or_default();
        if !self.seen.insert(format!("{method} {branch}")) {
            self.server = Server::start(self.settings);
            self.seen = BTreeSet::from([format!("{method} {branch}")]);
        }
    }

    /// From where to send: over UDP the answer goes to the port that Via names, 5060 where it names none.
    fn address(&mut self, case: &Case, carrier: Carrier) -> SocketAddr {
        let listener = carrier.listener(&self.server);
        let port = if case.name == "quotbal" { 5050 } else { 5060 };
        if listener.is_ipv6() {
            // There is one loopback address only; what has no port in Via is sent with `rport`.
            return SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        }
        SocketAddr::new(self.loopback.take(), port)
    }

    fn judge(&mut self, case: &Case, place: &Place<'_>, carrier: Carrier) -> Verdict {
        self.server_for(case);
        let from = self.address(case, carrier);
        let mut line = Line::open(&self.server, carrier, from);
        line.send(&case.bytes);
        let mut verdict = Verdict::default();
        if case.verdict.waits {
            // The next bytes would be its body.
            let answer = line.next(Duration::from_millis(300));
            verdict.answers.extend(answer.as_deref().and_then(status));
            verdict.waits = verdict.answers.is_empty();
            return verdict;
        }
        if case.verdict.closes {
            while let Some(answer) = line.next(PATIENCE) {
                verdict.answers.extend(status(&answer));
            }
            verdict.closes = line.closes_within(PATIENCE);
            return verdict;
        }
        // The server handles messages in order: once the probe is answered, whatever answer was due has come,
        // but for that of a call, which waits for media.
        self.probes += 1;
        let id = format!("probe{}", self.probes);
        line.send(&torture::probe(place, &id));
        let mut probed = false;
        // Over UDP an answer without its ACK comes again, the same to the octet.
        let mut came = BTreeSet::new();
        while !probed || verdict.answers.len() < case.verdict.answers.len() {
            let Some(answer) = line.next(PATIENCE) else {
                break;
            };
            if !came.insert(answer.clone()) {
                continue;
            }
            let final_status = status(&answer).filter(|status| *status >= 200);
            if header(&answer, "Call-ID").starts_with(&id) {
                assert_eq!(final_status, Some(200), "{}: the probe", case.name);
                probed = true;
            } else {
                verdict.answers.extend(final_status);
            }
        }
        assert!(probed, "{}: the probe was not answered", case.name);
        verdict
    }
}

fn check(
    settings: &[(&str, &str)],
    host: &str,
    carrier: Carrier,
    cases: impl Fn(&Place<'_>) -> Vec<Case>,
) -> usize {
    let place = Place {
        host,
        transport: carrier.name(),
    };
    let mut judge = Judge::new(settings);
    let mut wrong = Vec::new();
    let cases = cases(&place);
    for case in &cases {
        let found = judge.judge(case, &place, carrier);
        wrong.extend(compare(case, place.transport, &found));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    cases.len()
}

#[test]
fn the_messages_of_rfc_4475_get_their_verdicts_from_the_real_server() {
    let here = Place {
        host: "127.0.0.1",
        transport: "UDP",
    };
    if torture::rfc4475(&here).is_none() {
        eprintln!("the 49 messages of RFC 4475 are not at hand: only ours are judged");
        return;
    }
    for carrier in Carrier::ALL {
        let judged = check(&[PLAIN], here.host, carrier, |place| {
            torture::rfc4475(place).unwrap()
        });
        assert_eq!(judged, 49);
        let addressed = check(&[PLAIN], here.host, carrier, |place| {
            torture::rfc4475_to_us(place).unwrap()
        });
        eprintln!(
            "{}: {judged} as they stand, {addressed} to us",
            carrier.name()
        );
    }
}

#[test]
fn our_own_odd_messages_get_their_verdicts_from_the_real_server() {
    for carrier in Carrier::ALL {
        check(&[PLAIN], "127.0.0.1", carrier, |place| {
            torture::own(place, "own")
        });
    }
}

#[test]
fn ipv6_in_every_place_is_read_by_the_real_server_on_ipv6_sockets() {
    let ipv6 = [
        PLAIN,
        ("media.advertise", "[\"127.0.0.1\", \"::1\"]"),
        ("sip.udp.listen", "[::1]:0"),
        ("sip.tcp.listen", "[::1]:0"),
        ("sip.tls.listen", "[::1]:0"),
    ];
    for carrier in Carrier::ALL {
        check(&ipv6, "[::1]", carrier, |place| {
            let mut cases = torture::rfc5118(place, "v6");
            for case in &mut cases {
                ask_for_rport(case);
            }
            cases
        });
    }
}

/// Adds `rport` to the topmost Via, so that the answer comes to the port that the kernel gave us.
fn ask_for_rport(case: &mut Case) {
    let mark = b";branch=z9hG4bK";
    let at = case
        .bytes
        .windows(mark.len())
        .position(|window| window == mark)
        .unwrap();
    case.bytes.splice(at..at, *b";rport");
}
