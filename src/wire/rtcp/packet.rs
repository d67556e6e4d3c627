//! The RTCP packets that we understand, as values.

use super::extended::ExtendedBlock;
use super::feedback::TransportFeedback;

/// Why bytes are not RTCP, or could not be written as such.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RtcpError {
    /// A length that reaches over the end, or contents shorter than their counts say.
    #[error("RTCP packet is cut short")]
    TooShort,
    /// The version field is not 2.
    #[error("RTCP version is not 2")]
    Version,
    /// The padding count is zero, not a multiple of four, or larger than the packet.
    #[error("RTCP padding count is impossible")]
    Padding,
    /// The buffer to write into is too small.
    #[error("no room for the RTCP packet")]
    NoRoom,
    /// More items than one packet may have: more than 31 where a count has five bits, text of more than 255 octets,
    /// or more than our limits let anybody make us read.
    #[error("too many items for one RTCP packet")]
    TooMany,
}

/// One packet of a compound.
#[derive(Clone, PartialEq, Debug)]
pub enum Packet {
    /// SR (RFC 3550 §6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// What it received.
        reports: Vec<ReceptionReport>,
    },
    /// RR (RFC 3550 §6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it received.
        reports: Vec<ReceptionReport>,
    },
    /// SDES (RFC 3550 §6.5), of which we read the CNAME.
    Sdes(Vec<SdesChunk>),
    /// BYE (RFC 3550 §6.6).
    Bye {
        /// Who leaves.
        ssrcs: Vec<u32>,
    },
    /// Picture loss indication (RFC 4585 §6.3.1).
    Pli {
        /// Who asks.
        sender: u32,
        /// The stream that shall send a key frame.
        media: u32,
    },
    /// Full intra request (RFC 5104 §4.3.1).
    Fir {
        /// Who asks.
        sender: u32,
        /// The streams that shall send a key frame.
        requests: Vec<FirRequest>,
    },
    /// Generic NACK (RFC 4585 §6.2.1).
    Nack {
        /// Who asks.
        sender: u32,
        /// The stream whose packets are missing.
        media: u32,
        /// Their sequence numbers.
        lost: Vec<u16>,
    },
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb).
    Remb {
        /// Who estimates.
        sender: u32,
        /// The estimate in bit/s.
        bitrate: u64,
        /// The streams that it is for.
        ssrcs: Vec<u32>,
    },
    /// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    Twcc(TransportFeedback),
    /// Extended report (RFC 3611).
    Xr {
        /// Who reports.
        ssrc: u32,
        /// The blocks, in order.
        blocks: Vec<ExtendedBlock>,
    },
    /// Well-formed, and of no interest.
    Unknown {
        /// Packet type.
        packet_type: u8,
        /// The five bits of count or format.
        format: u8,
    },
}

/// The sender's part of an SR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SenderInfo {
    /// Wall clock as NTP writes it: seconds since 1900 in the upper 32 bits, fraction in the lower.
    pub ntp: u64,
    /// The same instant in the stream's RTP timestamp.
    pub rtp: u32,
    /// Packets sent since the start, modulo 2³².
    pub packets: u32,
    /// Payload octets sent since the start, modulo 2³².
    pub octets: u32,
}

impl SenderInfo {
    /// The middle 32 bits of the NTP time, as a receiver's LSR repeats them.
    #[must_use]
    pub fn middle_ntp(&self) -> u32 {
        u32::try_from((self.ntp >> 16) & 0xffff_ffff).unwrap_or_default()
    }
}

/// One report block of an SR or RR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceptionReport {
    /// The stream reported on.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; 24 bits with sign on the wire, held to that range when written.
    pub total_lost: i32,
    /// Highest sequence number received, with cycles in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last SR received; 0 if none.
    pub last_sr: u32,
    /// Time since that SR arrived, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// One source of an SDES packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SdesChunk {
    /// The source.
    pub ssrc: u32,
    /// Its canonical name, where it is given and UTF-8.
    pub cname: Option<String>,
}

/// One stream of a FIR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirRequest {
    /// The stream.
    pub ssrc: u32,
    /// Number of the request; the same number again is the same request.
    pub sequence: u8,
}
