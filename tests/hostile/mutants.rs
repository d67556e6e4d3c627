//! Thousands of INVITEs with one thing wrong in each, to the real server over UDP, TCP and TLS: an OPTIONS after
//! each is answered, and memory does not grow.
//!
//! The ordinary suite sends a few hundred per transport. All of them, with the bounds of `quality-bar.md` 2:
//! `cargo nextest run --test hostile --run-ignored only -E 'test(mutated)' --no-capture`.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::held::{FRESH, Held};
use crate::support::mutants::{Base, Mutants};
use crate::support::server::Server;
use crate::support::sip::{Carrier, Line, header, status};
use crate::support::wait_for;

/// Calls that a mutant set up are ended at once, so that none is left to be counted as memory.
struct Attacker<'a> {
    server: &'a Server,
    carrier: Carrier,
    mutants: Mutants,
    probe: Line,
    slowest: Duration,
    probes: usize,
}

impl<'a> Attacker<'a> {
    fn new(server: &'a Server, carrier: Carrier) -> Self {
        Self {
            server,
            carrier,
            mutants: Mutants::new(),
            probe: Line::open(server, carrier, ANY.parse().unwrap()),
            slowest: Duration::ZERO,
            probes: 0,
        }
    }

    /// Sends one mutant on a line of its own, then asks whether the server still answers.
    fn attack(&mut self, n: usize, salt: &str) {
        let mut line = Line::open(self.server, self.carrier, ANY.parse().unwrap());
        let local = line.local().to_string();
        let base = Base {
            host: "127.0.0.1",
            transport: self.carrier.name(),
            local: &local,
            salt,
        };
        let (what, bytes) = self.mutants.mutant(&base, n);
        line.send(&bytes);
        self.probe(&what);
        // What was due has come by now, but for the 200 of a call, which waits for media.
        let mut wait = Duration::from_millis(1);
        while let Some(answer) = line.next(wait) {
            match status(&answer) {
                Some(100..200) => wait = Duration::from_secs(2),
                Some(200..300) => {
                    hang_up(&mut line, &answer, &local, self.carrier);
                    wait = Duration::from_millis(1);
                }
                Some(_) => acknowledge(&mut line, &answer),
                None => {}
            }
        }
    }

    fn probe(&mut self, what: &str) {
        self.probes += 1;
        let (name, number) = (self.carrier.name(), self.probes);
        let local = self.probe.local();
        let text = format!(
            "OPTIONS sip:u@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{name} {local};branch=z9hG4bKp{name}{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:p@{local}>;tag=p\r\nTo: <sip:u@127.0.0.1>\r\nCall-ID: p{name}{number}\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let asked = Instant::now();
        self.probe.send(text.as_bytes());
        let answer = self.probe.next(Duration::from_secs(5));
        let took = asked.elapsed();
        self.slowest = self.slowest.max(took);
        let answer = answer.unwrap_or_else(|| panic!("after {what} nothing is answered"));
        assert_eq!(status(&answer), Some(200), "after {what}: {answer}");
        assert_eq!(
            header(&answer, "Call-ID"),
            format!("p{name}{number}"),
            "{what}"
        );
    }
}

/// ACK and BYE for a call that was answered.
fn hang_up(line: &mut Line, answer: &str, local: &str, carrier: Carrier) {
    let target = header(answer, "Contact").trim_matches(['<', '>']);
    let number = header(answer, "CSeq").split(' ').next().unwrap_or("1");
    let number: u32 = number.parse().unwrap_or(1);
    for (method, cseq) in [("ACK", number), ("BYE", number.saturating_add(1))] {
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {local};branch=z9hG4bK{method}{};rport\r\n\
             Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n",
            carrier.name(),
            header(answer, "Call-ID").len(),
            header(answer, "From"),
            header(answer, "To"),
            header(answer, "Call-ID"),
        );
        line.send(text.as_bytes());
    }
}

/// ACK for a refusal, so that it is not sent again.
fn acknowledge(line: &mut Line, answer: &str) {
    let cseq = header(answer, "CSeq");
    if !cseq.ends_with("INVITE") {
        return;
    }
    let number = cseq.split(' ').next().unwrap_or("1");
    let text = format!(
        "ACK sip:u@127.0.0.1 SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} ACK\r\n\
         Content-Length: 0\r\n\r\n",
        header(answer, "Via"),
        header(answer, "From"),
        header(answer, "To"),
        header(answer, "Call-ID"),
    );
    line.send(text.as_bytes());
}

/// Resident memory of the server, in KiB.
fn resident(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.ready().pid)).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until the server holds neither call nor transaction, then says how much memory it has.
fn at_rest(server: &Server) -> u64 {
    let last = wait_for("rest", Duration::from_secs(150), || {
        std::thread::sleep(FRESH);
        let held = Held::by(server);
        held.is_idle().then_some(held)
    });
    eprintln!("at rest: {last:?}, {} KiB", resident(server));
    resident(server)
}

fn start() -> Server {
    Server::start(&[("sip.tls.srtp", "prefer"), ("log.level", "warn")])
}

#[test]
fn after_each_of_some_hundred_mutated_invites_a_probe_is_answered_over_every_transport() {
    let server = start();
    for carrier in Carrier::ALL {
        let mut attacker = Attacker::new(&server, carrier);
        // A step that shares no factor with the number of elements reaches all of them.
        let step = attacker.mutants.count() / 300;
        for n in (0..attacker.mutants.count()).step_by(step | 1) {
            attacker.attack(n, "some");
        }
        assert!(attacker.probes >= 280, "{}", attacker.probes);
        eprintln!(
            "{}: {} mutants, slowest probe {:?}",
            carrier.name(),
            attacker.probes,
            attacker.slowest
        );
    }
}

/// The whole of quality-bar 2 over one transport.
fn every_mutant(carrier: Carrier) {
    let server = start();
    let mut attacker = Attacker::new(&server, carrier);
    let count = attacker.mutants.count();
    assert!(count >= 4_500);
    // What is allocated once is allocated now; the allocator's own holes need a second time.
    for salt in ["warm", "hot"] {
        for n in 0..count {
            attacker.attack(n, salt);
        }
        at_rest(&server);
    }
    let before = at_rest(&server);
    attacker.slowest = Duration::ZERO;
    for n in 0..count {
        attacker.attack(n, "full");
    }
    let after = at_rest(&server);
    eprintln!(
        "{}: {count} mutants, slowest probe {:?}, memory {before} -> {after} KiB",
        carrier.name(),
        attacker.slowest
    );
    assert!(
        attacker.slowest < Duration::from_millis(100),
        "{:?}",
        attacker.slowest
    );
    assert!(after < before + 1024, "{before} -> {after} KiB");
}

#[test]
#[ignore = "takes minutes: the whole of quality-bar 2"]
fn after_each_of_all_mutated_invites_over_udp_a_probe_is_answered_in_100_ms_and_memory_stays() {
    every_mutant(Carrier::Udp);
}

#[test]
#[ignore = "takes minutes: the whole of quality-bar 2"]
fn after_each_of_all_mutated_invites_over_tcp_a_probe_is_answered_in_100_ms_and_memory_stays() {
    every_mutant(Carrier::Tcp);
}

#[test]
#[ignore = "takes minutes: the whole of quality-bar 2"]
fn after_each_of_all_mutated_invites_over_tls_a_probe_is_answered_in_100_ms_and_memory_stays() {
    every_mutant(Carrier::Tls);
}

const ANY: &str = "127.0.0.1:0";
