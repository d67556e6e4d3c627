//! What every leg of an engine shares: the way out, the books, the clock, the dice.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::StdRng;
use wire::plan::StreamId;

use super::Event;
use crate::measure::NtpClock;
use crate::measure::ledger::Ledger;
use crate::send::outbox::Outbox;

/// Handed to a leg with every call.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) outbox: Outbox,
    pub(crate) events: VecDeque<Event>,
    pub(crate) ledger: Ledger,
    pub(crate) rng: StdRng,
    pub(crate) ntp: NtpClock,
    pub(crate) media_timeout: Duration,
    pub(crate) held_timeout: Duration,
    /// Streams for which a viewer asked for a key frame in the packet being read.
    pub(crate) key_frames_wanted: Vec<StreamId>,
}
