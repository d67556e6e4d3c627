//! What legs tell.

use wire::plan::{LegId, MediaEvent};

use crate::measure::Sample;
use crate::send::outbox::SocketId;

/// What an engine tells the node.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// For `call`.
    Media(MediaEvent),
    /// For the records.
    Sample(Box<Sample>),
    /// Decoded audio of a tapped leg, 20 ms at 48 kHz mono, once per tick.
    Heard {
        /// The leg.
        leg: LegId,
        /// 960 samples.
        samples_48k: Vec<i16>,
    },
    /// A closed leg's own sockets, which the node may close once it has sent what the outbox holds (the goodbye);
    /// follows the leg's `Closed`. Never the shared one.
    SocketsFree {
        /// The sockets.
        sockets: Vec<SocketId>,
    },
}
