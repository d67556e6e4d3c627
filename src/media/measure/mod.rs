//! Figures of a leg: counters, round-trip time, the E-model, samples.

pub mod emodel;
pub mod sample;

pub use sample::{Flow, Sample, VideoSample};
