//! What the tests with real processes stand on: the server, foreign peers, and ears.
//!
//! Every test binary takes it in by `#[path = "../support/mod.rs"] mod support;`.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod baresip;
pub(crate) mod capture;
pub(crate) mod certificates;
pub(crate) mod dialler;
pub(crate) mod dns;
pub(crate) mod held;
pub(crate) mod mutants;
pub(crate) mod pace;
pub(crate) mod page;
pub(crate) mod peers;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod relay;
pub(crate) mod running;
pub(crate) mod scripts;
pub(crate) mod server;
pub(crate) mod shaper;
pub(crate) mod signed;
pub(crate) mod sip;
pub(crate) mod sound;
pub(crate) mod torture;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer, or panics with what was waited for.
///
/// This bounds how long a test may hang; how fast something happened is never asserted by it.
pub(crate) fn wait_for<T>(what: &str, most: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + most;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {most:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Whether a count of ours is a foreign peer's, but for what was on its way when one of them hung up: the
/// sender has counted such a packet and the receiver has not, or the other way round after its last word.
pub(crate) fn counts_agree(ours: &serde_json::Value, theirs: u64) -> bool {
    let meanwhile = pace::longest_stall().as_millis() as u64 / 20;
    ours.as_u64()
        .is_some_and(|ours| ours.abs_diff(theirs) <= ON_THE_WAY + meanwhile)
}

/// Two packets are 40 ms: more than a hang-up takes on one machine, unless that stands still just then.
const ON_THE_WAY: u64 = 2;
