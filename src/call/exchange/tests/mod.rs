//! Whole meetings in virtual time, with scripted frames and calls.

mod attendance;
mod behaviour;
mod capabilities;
mod phones;
mod video;
mod world;
