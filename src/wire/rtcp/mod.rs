//! RTCP compounds (RFC 3550, 4585): reports, feedback, goodbyes.
//!
//! [`read`] walks over a compound packet, [`Packet`] is what it finds, [`Writer`] puts one together in a
//! borrowed buffer. Reduced-size packets (RFC 5506) are read like any other: nothing is required to be first.

mod extended;
mod feedback;
mod packet;
mod read;
mod write;

pub use extended::{CONCEALS_AND_ADAPTS, DlrrReport, ExtendedBlock, VoipMetrics};
pub use feedback::{Arrival, TransportFeedback};
pub use packet::{FirRequest, Packet, ReceptionReport, RtcpError, SdesChunk, SenderInfo};
pub use read::{Packets, read};
pub use write::Writer;

#[cfg(test)]
mod tests;
