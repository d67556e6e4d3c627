//! Reads compound and reduced-size RTCP packets (RFC 3550 §6, RFC 4585 §6, RFC 5506).

use super::feedback;
use super::packet::{
    DlrrReport, ExtendedBlock, FirRequest, Packet, ReceptionReport, RtcpError, SdesChunk,
    SenderInfo, VoipMetrics,
};

/// The packets of a datagram, one after the other. Ends after the first error: what follows a packet
/// with a wrong length cannot be found.
#[must_use]
pub fn read(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

/// Iterates over a compound; see [`read`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl Iterator for Packets<'_> {
    type Item = Result<Packet, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
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

fn packet(head: Head, body: &[u8]) -> Result<Packet, RtcpError> {
    let mut r = Reader(body);
    let count = usize::from(head.format);
    Ok(match (head.packet_type, head.format) {
        (SR, _) => Packet::SenderReport {
            ssrc: r.u32()?,
            info: SenderInfo {
                ntp: r.u64()?,
                rtp: r.u32()?,
                packets: r.u32()?,
                octets: r.u32()?,
            },
            reports: reports(&mut r, count)?,
        },
        (RR, _) => Packet::ReceiverReport {
            ssrc: r.u32()?,
            reports: reports(&mut r, count)?,
        },
        (SDES, _) => Packet::Sdes(sdes(&mut r, count)?),
        (BYE, _) => Packet::Bye {
            ssrcs: (0..count).map(|_| r.u32()).collect::<Result<_, _>>()?,
        },
        (RTPFB, NACK) => Packet::Nack {
            sender: r.u32()?,
            media: r.u32()?,
            lost: nack(r.0),
        },
        (RTPFB, TWCC) => Packet::Twcc(feedback::read(&mut r)?),
        (PSFB, PLI) => Packet::Pli {
            sender: r.u32()?,
            media: r.u32()?,
        },
        (PSFB, FIR) => {
            let sender = r.u32()?;
            r.u32()?;
            let requests = r.0.as_chunks::<8>().0.iter();
            Packet::Fir {
                sender,
                requests: requests
                    .map(|&[s0, s1, s2, s3, sequence, ..]| FirRequest {
                        ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
                        sequence,
                    })
                    .collect(),
            }
        }
        (PSFB, AFB) if body.get(8..12) == Some(b"REMB") => remb(&mut r)?,
        (XR, _) => Packet::Xr {
            ssrc: r.u32()?,
            blocks: extended(&mut r)?,
        },
        _ => Packet::Unknown {
            packet_type: head.packet_type,
            format: head.format,
        },
    })
}

fn reports(r: &mut Reader<'_>, count: usize) -> Result<Vec<ReceptionReport>, RtcpError> {
    (0..count)
        .map(|_| {
            let ssrc = r.u32()?;
            let [fraction_lost, l0, l1, l2] = r.take()?;
            Ok(ReceptionReport {
                ssrc,
                fraction_lost,
                // Sign-extends 24 bits.
                total_lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
                highest_sequence: r.u32()?,
                jitter: r.u32()?,
                last_sr: r.u32()?,
                delay_since_last_sr: r.u32()?,
            })
        })
        .collect()
}

fn sdes(r: &mut Reader<'_>, count: usize) -> Result<Vec<SdesChunk>, RtcpError> {
    (0..count)
        .map(|_| {
            let before = r.0.len();
            let mut chunk = SdesChunk {
                ssrc: r.u32()?,
                cname: None,
            };
            loop {
                let [kind] = r.take()?;
                if kind == 0 {
                    break;
                }
                let [len] = r.take()?;
                let text = r.slice(usize::from(len))?;
                if kind == 1 && chunk.cname.is_none() {
                    chunk.cname = std::str::from_utf8(text).ok().map(str::to_owned);
                }
            }
            // Chunks end on 32-bit borders; some senders leave the last one's filling out.
            let used = before - r.0.len();
            let filling = used.next_multiple_of(4) - used;
            r.slice(filling.min(r.0.len()))?;
            Ok(chunk)
        })
        .collect()
}

/// Each entry names one packet and, bit by bit, the sixteen after it.
fn nack(entries: &[u8]) -> Vec<u16> {
    let mut lost = Vec::new();
    for &[p0, p1, m0, m1] in entries.as_chunks::<4>().0 {
        let first = u16::from_be_bytes([p0, p1]);
        let following = u16::from_be_bytes([m0, m1]);
        lost.push(first);
        lost.extend(
            (0..16u16)
                .filter(|bit| following >> bit & 1 == 1)
                .map(|bit| first.wrapping_add(bit + 1)),
        );
    }
    lost
}

fn remb(r: &mut Reader<'_>) -> Result<Packet, RtcpError> {
    let sender = r.u32()?;
    r.u64()?;
    let [count, b0, b1, b2] = r.take()?;
    let exponent = u32::from(b0 >> 2);
    let mantissa = u64::from(u32::from_be_bytes([0, b0 & 3, b1, b2]));
    Ok(Packet::Remb {
        sender,
        // 18 bits shifted by up to 63: more than any link carries counts as the most.
        bitrate: mantissa.saturating_mul(1 << exponent),
        ssrcs: (0..count).map(|_| r.u32()).collect::<Result<_, _>>()?,
    })
}

fn extended(r: &mut Reader<'_>) -> Result<Vec<ExtendedBlock>, RtcpError> {
    let mut blocks = Vec::new();
    while !r.0.is_empty() {
        let [kind, _, l0, l1] = r.take()?;
        let body = r.slice(usize::from(u16::from_be_bytes([l0, l1])) * 4)?;
        let mut b = Reader(body);
        blocks.push(match kind {
            4 => ExtendedBlock::ReferenceTime(b.u64()?),
            5 => ExtendedBlock::Dlrr(dlrr(body)),
            7 => ExtendedBlock::Voip(voip(&mut b)?),
            other => ExtendedBlock::Unknown(other),
        });
    }
    Ok(blocks)
}

fn dlrr(body: &[u8]) -> Vec<DlrrReport> {
    let sub_blocks = body.as_chunks::<12>().0.iter();
    sub_blocks
        .map(|&[a, b, c, d, e, f, g, h, i, j, k, l]| DlrrReport {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            last_rr: u32::from_be_bytes([e, f, g, h]),
            delay_since_last_rr: u32::from_be_bytes([i, j, k, l]),
        })
        .collect()
}

fn voip(b: &mut Reader<'_>) -> Result<VoipMetrics, RtcpError> {
    let known = |value: u8| (value != 127).then_some(value);
    let ssrc = b.u32()?;
    let [loss_rate, discard_rate, burst_density, gap_density] = b.take()?;
    let (burst_ms, gap_ms) = (b.u16()?, b.u16()?);
    let (round_trip_ms, end_system_ms) = (b.u16()?, b.u16()?);
    let [_signal, _noise, _echo, _gmin] = b.take()?;
    let [r_factor, _external, mos_lq, mos_cq] = b.take()?;
    let [_config, _reserved] = b.take()?;
    Ok(VoipMetrics {
        ssrc,
        loss_rate,
        discard_rate,
        burst_density,
        gap_density,
        burst_ms,
        gap_ms,
        round_trip_ms,
        end_system_ms,
        r_factor: known(r_factor),
        mos_lq_tenths: known(mos_lq),
        mos_cq_tenths: known(mos_cq),
        jitter_buffer_ms: b.u16()?,
    })
}

/// Takes big-endian numbers off a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], RtcpError> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(RtcpError::TooShort)?;
        self.0 = rest;
        Ok(*chunk)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], RtcpError> {
        let (slice, rest) = self.0.split_at_checked(len).ok_or(RtcpError::TooShort)?;
        self.0 = rest;
        Ok(slice)
    }

    pub(super) fn u16(&mut self) -> Result<u16, RtcpError> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, RtcpError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RtcpError> {
        self.take().map(u64::from_be_bytes)
    }
}

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2).
pub(super) const SR: u8 = 200;
pub(super) const RR: u8 = 201;
pub(super) const SDES: u8 = 202;
pub(super) const BYE: u8 = 203;
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;
pub(super) const XR: u8 = 207;
/// Formats of transport feedback.
pub(super) const NACK: u8 = 1;
const TWCC: u8 = 15;
/// Formats of payload feedback.
pub(super) const PLI: u8 = 1;
pub(super) const FIR: u8 = 4;
const AFB: u8 = 15;
