//! Figures of a leg: counters, bursts, round-trip time, the E-model, samples; and the ledger of every packet.

pub mod bursts;
mod clock;
pub mod emodel;
pub mod ledger;
pub mod reported;
pub mod sample;
mod spacing;

pub use clock::NtpClock;
pub use reported::{FarEnd, Reported};
pub use sample::{Flow, Sample, VideoSample};
pub use spacing::Spacing;
