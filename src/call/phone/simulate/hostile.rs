//! Messages of a real call, damaged at random: whatever comes, nothing panics and nothing is left over.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::sip::Message;

use super::super::{Input, Output, Phones};
use super::{Side, World, config, flow_of, media};
use crate::negotiate::phone::SrtpPolicy;
use crate::note::Note;
use crate::transaction::Transport;

/// What a caller's device sends in a whole call.
fn specimens() -> Vec<Vec<u8>> {
    let mut world = World::new(1, Transport::Udp, SrtpPolicy::Require);
    world.run_ms(1000);
    world.caller_hangs_up();
    world.run_ms(1000);
    world
        .messages
        .iter()
        .filter(|(from, _)| *from == Side::Caller)
        .map(|(_, message)| message.to_bytes())
        .collect()
}

fn damage(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, b"\r\n;,<>\"=: "[random.random_range(0..10)]),
            3 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => bytes.truncate(at.max(40)),
        }
    }
}

#[test]
fn damaged_messages_neither_panic_nor_leave_anything_behind() {
    let specimens = specimens();
    for seed in 0..60 {
        let mut random = StdRng::from_seed([seed; 32]);
        let mut phones = Phones::new(config(), [seed; 32]);
        let flow = flow_of(Side::Phones, Transport::Udp);
        let mut now = World::new(seed, Transport::Udp, SrtpPolicy::Require).now;
        let (mut started, mut ended) = (0, 0);
        for step in 0..200 {
            if step == 180 {
                let deadline = now;
                phones.handle(now, Input::Drain { deadline });
            }
            let mut bytes = specimens[random.random_range(0..specimens.len())].clone();
            damage(&mut bytes, &mut random);
            let message = Message::parse(&bytes);
            let input = Input::Sip {
                flow,
                message,
                bytes,
            };
            phones.handle(now, input);
            now += Duration::from_millis(random.random_range(0..2000));
            phones.timeout(now);
            while let Some(output) = phones.poll() {
                match output {
                    Output::Arrived(arrival) => {
                        let call = arrival.call;
                        phones.handle(now, Input::Accept { call });
                    }
                    Output::Media(command) => {
                        if let Some(event) = media(&command, 10_000) {
                            phones.handle(now, Input::Media(event));
                        }
                    }
                    Output::Note(Note::CallStarted(_)) => started += 1,
                    Output::Note(Note::CallEnded { .. }) => ended += 1,
                    _ => {}
                }
            }
        }
        while let Some(at) = phones.next_timeout() {
            now = at;
            phones.timeout(now);
            while let Some(output) = phones.poll() {
                match output {
                    Output::Media(command) => {
                        if let Some(event) = media(&command, 10_000) {
                            phones.handle(now, Input::Media(event));
                        }
                    }
                    Output::Note(Note::CallEnded { .. }) => ended += 1,
                    _ => {}
                }
            }
        }
        assert_eq!(phones.held(), 0, "seed {seed}");
        assert!(started > 0, "seed {seed}");
        assert_eq!(started, ended, "seed {seed}");
    }
}
