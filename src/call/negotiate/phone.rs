//! Offer and answer with SIP parties: which audio, where to, how protected.

mod rules;

pub use rules::{Refusal, Rules, SrtpPolicy};
