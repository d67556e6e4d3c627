//! Engines joined by a network in memory, in virtual time.

mod audio;
mod figures;
mod net;
