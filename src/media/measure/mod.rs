//! Figures of a leg: counters, round-trip time, the E-model, samples.
