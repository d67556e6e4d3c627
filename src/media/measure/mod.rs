//! Figures of a leg: counters, round-trip time, the E-model, samples; and the ledger of every packet.

mod clock;
pub mod emodel;
pub mod ledger;
pub mod reported;
pub mod sample;

pub use clock::NtpClock;
pub use reported::Reported;
pub use sample::{Flow, Sample, VideoSample};
