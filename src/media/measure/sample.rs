//! The sample: what one leg carried in one minute, as it crosses to the records.

use wire::plan::{AudioCodec, LegId, StreamId};

use super::emodel::Conditions;
use super::ledger::Ledger;

/// What one leg carried since its previous sample. Made every 60 s from the leg's first agreement, and once
/// more when it closes. Unknown is `None`, never zero.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The leg.
    pub leg: LegId,
    /// Whether this is the leg's last sample (it covers the part of a minute since the one before).
    pub last: bool,
    /// The audio codec last received, or agreed for sending while nothing came; `None` without audio.
    pub codec: Option<AudioCodec>,
    /// Audio and its RTCP, from the other side to us; loss and jitter measured by us.
    pub received: Flow,
    /// Audio and its RTCP, from us to the other side; loss and jitter from its receiver reports.
    pub sent: Flow,
    /// Mean round-trip time in microseconds over the minute, from LSR and DLSR (RFC 3550 §6.4.1).
    pub rtt_us: Option<u64>,
    /// ITU-T G.107 estimate, 1.0 to 4.4: the worse of the directions that were measured.
    pub mos: Option<f64>,
    /// What the opinion of the received direction rests on; `None` when nothing was to be received.
    pub inbound: Option<Conditions>,
    /// What the opinion of the sent direction rests on; `None` without a report on it.
    pub outbound: Option<Conditions>,
    /// Where every datagram of the leg went since it began.
    pub ledger: Box<Ledger>,
    /// One entry per video stream of the leg, both directions.
    pub video: Vec<VideoSample>,
}

/// Audio of one direction in one sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// RTP packets in the minute, telephone events included.
    pub rtp_packets: u64,
    /// Their UDP payload octets as they were on the wire (RTP header and SRTP tag included).
    pub rtp_bytes: u64,
    /// RTCP packets (datagrams) in the minute.
    pub rtcp_packets: u64,
    /// Their UDP payload octets.
    pub rtcp_bytes: u64,
    /// Packets lost since the leg began (cumulative); may be negative by the other side's account only
    /// (RFC 3550 §6.4.1 lets duplicates count).
    pub packets_lost: Option<i64>,
    /// Mean interarrival jitter of the minute in microseconds.
    pub jitter_us: Option<u64>,
}

/// One video stream of one direction in one sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VideoSample {
    /// The stream's number in the bridge.
    pub stream: StreamId,
    /// `true`: from the other side to us; `false`: from us to it.
    pub received: bool,
    /// RTP packets in the minute.
    pub packets: u64,
    /// Their UDP payload octets.
    pub bytes: u64,
    /// Packets lost since the stream began (cumulative).
    pub packets_lost: Option<i64>,
    /// Key frames that began in the minute.
    pub key_frames: u64,
    /// Key frame requests in the minute: by us to the sender, or by the viewer to us.
    pub key_frame_requests: u64,
}
