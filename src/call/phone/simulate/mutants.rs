//! Thousands of INVITEs with one thing wrong in each: whatever comes, the next request is answered.

#[path = "../../../../tests/support/mutants.rs"]
mod generator;

use std::collections::BTreeMap;

use super::torture::{LOCAL, PEER, Stack, TRANSPORTS};
use crate::transaction::Transport;

#[test]
fn after_each_of_7000_mutated_invites_per_transport_a_probe_is_answered_and_nothing_is_left() {
    let mutants = generator::Mutants::new();
    assert!(mutants.count() >= 4_500, "{}", mutants.count());
    let mut statuses = BTreeMap::<u16, usize>::new();
    for transport in TRANSPORTS {
        let base = generator::Base {
            host: "meet.example.com",
            transport: transport.via_name(),
            local: PEER,
            salt: "m",
        };
        let mut stack = Stack::new(transport, LOCAL, PEER);
        for n in 0..mutants.count() {
            let (what, bytes) = mutants.mutant(&base, n);
            stack.arrive(&bytes);
            for status in std::mem::take(&mut stack.verdict).answers {
                *statuses.entry(status).or_default() += 1;
            }
            // A mutant may have taken the stream with it: the probe comes on another.
            stack.reconnect();
            stack.arrive(&probe(transport, n));
            assert_eq!(stack.verdict.answers, [200], "{transport:?} {what}");
            stack.verdict.answers.clear();
            if n % 500 == 499 {
                stack = stack.end();
            }
        }
        stack.end();
    }
    println!("answers by status: {statuses:?}");
    // Not all the same door: some are answered, some cannot be read, some ask for what is not there.
    for status in [200, 400, 404, 415, 416, 488, 501, 505] {
        assert!(statuses.contains_key(&status), "no {status}: {statuses:?}");
    }
}

fn probe(transport: Transport, n: usize) -> Vec<u8> {
    let via = transport.via_name();
    format!(
        "OPTIONS sip:u@meet.example.com SIP/2.0\r\nVia: SIP/2.0/{via} {PEER};branch=z9hG4bKp{n};rport\r\n\
         From: <sip:p@example.net>;tag=p\r\nTo: <sip:u@meet.example.com>\r\nCall-ID: probe{n}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
