//! Engines joined by a network in memory, in virtual time.

mod audio;
mod browser;
mod devices;
mod figures;
mod hostile;
mod moving;
mod net;
mod reports;
mod sound;
mod truth;
mod video;
