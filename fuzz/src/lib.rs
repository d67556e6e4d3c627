//! What each fuzz target does with its input; every corpus replays here as an ordinary test.
//!
//! A target panics when a promise is broken: a reader must never panic, and what it accepted must
//! survive being written and read again. Add a target by a function, a row in [`TARGETS`], a file in
//! `fuzz_targets`, a `[[bin]]` in `Cargo.toml` and seeds in `corpus/NAME`.
#![allow(clippy::panic)] // a broken promise is reported by a panic: that is what libFuzzer looks for

mod api;
mod logs;
mod policy;
mod rtp;
mod sdp;
mod signal;
mod sip;
mod sound;
mod srtp;
mod stun;
mod transactions;

pub use api::{api_body, cbor_body, query_form, sigv4};
pub use logs::filter_pattern;
pub use policy::policy;
pub use rtp::{red, rtcp, rtp, telephone_event};
pub use sdp::sdp;
pub use signal::signal_frame;
pub use sip::{sip_digest, sip_message, sip_stream, sip_uri, sip_via};
pub use sound::jitter_buffer;
pub use srtp::srtp_unprotect;
pub use stun::stun;
pub use transactions::transactions;

/// What a target does with one input.
pub type Target = fn(&[u8]);

/// Name and function of every target.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_body", api_body),
    ("cbor_body", cbor_body),
    ("filter_pattern", filter_pattern),
    ("jitter_buffer", jitter_buffer),
    ("policy", policy),
    ("query_form", query_form),
    ("red", red),
    ("rtcp", rtcp),
    ("rtp", rtp),
    ("sdp", sdp),
    ("signal_frame", signal_frame),
    ("sigv4", sigv4),
    ("sip_digest", sip_digest),
    ("sip_message", sip_message),
    ("sip_stream", sip_stream),
    ("sip_uri", sip_uri),
    ("sip_via", sip_via),
    ("srtp_unprotect", srtp_unprotect),
    ("stun", stun),
    ("telephone_event", telephone_event),
    ("transactions", transactions),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{TARGETS, Target};

    /// Every byte string cut out of a seed and every seed with one byte changed, besides the seed itself:
    /// cheap neighbours, so that the replay finds something even where no fuzzer has run.
    fn neighbours(seed: &[u8], run: Target) {
        run(seed);
        let step = (seed.len() / 64).max(1);
        for at in (0..seed.len()).step_by(step) {
            run(&seed[..at]);
            let mut changed = seed.to_vec();
            for byte in [0, b'\r', b'\n', b'"', b'<', b':', 0xFF] {
                changed[at] = byte;
                run(&changed);
            }
        }
    }

    #[test]
    fn every_seed_of_every_corpus_and_its_neighbours_keep_the_promises() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for (name, run) in TARGETS {
            let folder = corpus.join(name);
            let entries =
                std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            let mut seeds = 0;
            for entry in entries {
                let path = entry.unwrap().path();
                let seed = std::fs::read(&path).unwrap();
                neighbours(&seed, *run);
                seeds += 1;
            }
            assert!(seeds > 0, "no seed in {}", folder.display());
        }
    }

    #[test]
    fn every_corpus_folder_and_every_wrapper_has_its_target() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["corpus", "fuzz_targets"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                assert!(
                    TARGETS.iter().any(|(target, _)| *target == name),
                    "{} belongs to no target",
                    path.display()
                );
            }
        }
    }
}
