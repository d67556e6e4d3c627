//! Reads compound and reduced-size RTCP packets (RFC 3550 §6, RFC 4585 §6, RFC 5506).
//!
//! Compounds are cut into packets here, so that one malformed packet does not hide the others, and each is
//! read by `rtc-rtcp`. Its values are turned into ours at once: nothing else knows the library.

use std::any::Any;

use bytes::Buf as _;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{SdesType, SourceDescription};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::extended::{read_blocks, u32_at};
use super::feedback::TransportFeedback;
use super::packet::{FirRequest, Packet, ReceptionReport, RtcpError, SdesChunk, SenderInfo};

/// The packets of a datagram, one after the other. Ends after the first error: what follows a packet
/// with a wrong length cannot be found. The same holds after 64 packets: nobody needs more, and reading them costs.
#[must_use]
pub fn read(datagram: &[u8]) -> Packets<'_> {
    Packets {
        rest: datagram,
        count: 0,
    }
}

/// Iterates over a compound; see [`read`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
    count: usize,
}

impl Iterator for Packets<'_> {
    type Item = Result<Packet, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if self.count == MOST_PACKETS {
            self.rest = &[];
            return Some(Err(RtcpError::TooMany));
        }
        self.count += 1;
        match split(self.rest) {
            Ok((head, body, rest)) => {
                // A malformed body does not hide where the next packet begins.
                self.rest = rest;
                Some(packet(head, body))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Packet type and count of one packet of a compound.
#[derive(Clone, Copy)]
struct Head {
    format: u8,
    packet_type: u8,
}

/// Cuts the first packet off: its head, its body without padding, the rest of the compound.
fn split(datagram: &[u8]) -> Result<(Head, &[u8], &[u8]), RtcpError> {
    let ([b0, packet_type, l0, l1], after) = datagram
        .split_first_chunk::<4>()
        .ok_or(RtcpError::TooShort)?;
    if b0 >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
    let (mut body, rest) = after.split_at_checked(length).ok_or(RtcpError::TooShort)?;
    if b0 & 0x20 != 0 {
        let count = body.last().copied().map_or(0, usize::from);
        if count == 0 || count % 4 != 0 || count > body.len() {
            return Err(RtcpError::Padding);
        }
        body = body.get(..body.len() - count).unwrap_or_default();
    }
    let head = Head {
        format: b0 & 0x1f,
        packet_type: *packet_type,
    };
    Ok((head, body, rest))
}

/// Has `rtc-rtcp` read one packet. It is given head and body without padding: it would take padding of feedback for
/// entries, and padding of descriptions for an error.
fn packet(head: Head, body: &[u8]) -> Result<Packet, RtcpError> {
    if head.packet_type == XR {
        let ssrc = u32_at(body, 0).ok_or(RtcpError::TooShort)?;
        let blocks = read_blocks(body.get(4..).unwrap_or_default())?;
        return Ok(Packet::Xr { ssrc, blocks });
    }
    if (head.packet_type, head.format) == (RTPFB, TWCC)
        && let Some([c0, c1]) = body.get(10..12)
        && u16::from_be_bytes([*c0, *c1]) > MOST_ARRIVALS
    {
        return Err(RtcpError::TooMany);
    }
    let words = u16::try_from(body.len() / 4).map_err(|_| RtcpError::TooShort)?;
    let [l0, l1] = words.to_be_bytes();
    let start = [0x80 | head.format, head.packet_type, l0, l1];
    let mut whole = start.as_slice().chain(body);
    let packets = rtc_rtcp::packet::unmarshal(&mut whole).map_err(|_| RtcpError::TooShort)?;
    let unknown = Packet::Unknown {
        packet_type: head.packet_type,
        format: head.format,
    };
    let read = packets.first().and_then(|p| convert(p.as_any()));
    Ok(read.unwrap_or(unknown))
}

/// From the library's value to ours; `None` for what we do not use.
fn convert(packet: &dyn Any) -> Option<Packet> {
    if let Some(p) = packet.downcast_ref::<SenderReport>() {
        return Some(Packet::SenderReport {
            ssrc: p.ssrc,
            info: SenderInfo {
                ntp: p.ntp_time,
                rtp: p.rtp_time,
                packets: p.packet_count,
                octets: p.octet_count,
            },
            reports: p.reports.iter().map(report).collect(),
        });
    }
    if let Some(p) = packet.downcast_ref::<ReceiverReport>() {
        return Some(Packet::ReceiverReport {
            ssrc: p.ssrc,
            reports: p.reports.iter().map(report).collect(),
        });
    }
    if let Some(p) = packet.downcast_ref::<SourceDescription>() {
        return Some(Packet::Sdes(p.chunks.iter().map(chunk).collect()));
    }
    if let Some(p) = packet.downcast_ref::<Goodbye>() {
        return Some(Packet::Bye {
            ssrcs: p.sources.clone(),
        });
    }
    if let Some(p) = packet.downcast_ref::<TransportLayerNack>() {
        return Some(Packet::Nack {
            sender: p.sender_ssrc,
            media: p.media_ssrc,
            lost: p.nacks.iter().flat_map(|pair| pair.into_iter()).collect(),
        });
    }
    if let Some(p) = packet.downcast_ref::<PictureLossIndication>() {
        return Some(Packet::Pli {
            sender: p.sender_ssrc,
            media: p.media_ssrc,
        });
    }
    if let Some(p) = packet.downcast_ref::<FullIntraRequest>() {
        let requests = p.fir.iter().map(|entry| FirRequest {
            ssrc: entry.ssrc,
            sequence: entry.sequence_number,
        });
        return Some(Packet::Fir {
            sender: p.sender_ssrc,
            requests: requests.collect(),
        });
    }
    if let Some(p) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
        return Some(Packet::Remb {
            sender: p.sender_ssrc,
            // Never negative; more than a u64 holds counts as the most.
            bitrate: p.bitrate as u64,
            ssrcs: p.ssrcs.clone(),
        });
    }
    if let Some(p) = packet.downcast_ref::<TransportLayerCc>() {
        return Some(Packet::Twcc(TransportFeedback::from_library(p)));
    }
    None
}

fn report(r: &rtc_rtcp::reception_report::ReceptionReport) -> ReceptionReport {
    let [_, l0, l1, l2] = r.total_lost.to_be_bytes();
    ReceptionReport {
        ssrc: r.ssrc,
        fraction_lost: r.fraction_lost,
        // The library leaves the 24 bits unsigned; duplicates make the count negative (RFC 3550 §6.4.1).
        total_lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
        highest_sequence: r.last_sequence_number,
        jitter: r.jitter,
        last_sr: r.last_sender_report,
        delay_since_last_sr: r.delay,
    }
}

fn chunk(c: &rtc_rtcp::source_description::SourceDescriptionChunk) -> SdesChunk {
    let cname = c.items.iter().find(|i| i.sdes_type == SdesType::SdesCname);
    SdesChunk {
        ssrc: c.source,
        cname: cname.and_then(|i| std::str::from_utf8(&i.text).ok().map(str::to_owned)),
    }
}

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1).
pub(super) const SR: u8 = 200;
pub(super) const RR: u8 = 201;
pub(super) const SDES: u8 = 202;
pub(super) const BYE: u8 = 203;
pub(super) const XR: u8 = 207;
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;
/// Formats of transport feedback.
pub(super) const NACK: u8 = 1;
const TWCC: u8 = 15;
/// Formats of payload feedback.
pub(super) const PLI: u8 = 1;
pub(super) const FIR: u8 = 4;

/// Packets in one datagram. A compound of ours has at most two for each of 25 video streams; 2048 octets of empty
/// reports would be 256.
const MOST_PACKETS: usize = 64;
/// Arrivals in one transport-wide report: 20 octets may claim 65,535, and each is spelt out.
const MOST_ARRIVALS: u16 = 8192;
