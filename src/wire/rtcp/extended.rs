//! Extended reports (RFC 3611): reference times, their echo, and what a VoIP endpoint says of a call.
//!
//! Blocks are read here and not by the library: it gives up a whole report for one block that it cannot read.

use super::packet::RtcpError;

/// One block of an extended report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExtendedBlock {
    /// Receiver reference time (RFC 3611 §4.4), NTP format.
    ReferenceTime(u64),
    /// Delay since the last such (RFC 3611 §4.5).
    Dlrr(Vec<DlrrReport>),
    /// VoIP metrics (RFC 3611 §4.7).
    Voip(VoipMetrics),
    /// Another block type, or one whose length does not fit its type.
    Unknown,
}

/// One sub-block of DLRR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DlrrReport {
    /// The receiver that sent the reference time.
    pub ssrc: u32,
    /// Middle 32 bits of that time; 0 if none came.
    pub last_rr: u32,
    /// Time since it arrived, in 1/65536 s; 0 if none came.
    pub delay_since_last_rr: u32,
}

/// What a VoIP endpoint says about a stream that it receives, from the beginning of reception on (RFC 3611 §4.7).
/// `None` where it said "unavailable".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: u32,
    /// Share of packets lost on the way, in 1/256.
    pub loss_rate: u8,
    /// Share of packets that arrived too late or early, in 1/256.
    pub discard_rate: u8,
    /// Share lost or discarded within bursts, in 1/256.
    pub burst_density: u8,
    /// Share lost or discarded between bursts, in 1/256.
    pub gap_density: u8,
    /// Mean length of bursts in ms.
    pub burst_ms: u16,
    /// Mean length of gaps in ms.
    pub gap_ms: u16,
    /// Round trip in ms; 0 means that it was not measured.
    pub round_trip_ms: u16,
    /// Delay within the endpoint in ms; 0 means that it is not known.
    pub end_system_ms: u16,
    /// Level of speech in dBm0, −127 to 126.
    pub signal_level: Option<i8>,
    /// Level of silence in dBm0.
    pub noise_level: Option<i8>,
    /// Residual echo return loss in dB.
    pub echo_return_loss: Option<u8>,
    /// How many packets in a row must arrive to end a burst; 16 by recommendation.
    pub gmin: u8,
    /// R factor, 0 to 100.
    pub r_factor: Option<u8>,
    /// R factor of a network beyond the endpoint.
    pub external_r_factor: Option<u8>,
    /// Listening MOS in tenths, 10 to 50.
    pub mos_lq_tenths: Option<u8>,
    /// Conversational MOS in tenths, 10 to 50.
    pub mos_cq_tenths: Option<u8>,
    /// Concealment, kind of jitter buffer and its rate, as RFC 3611 §4.7.6 packs them; [`CONCEALS_AND_ADAPTS`] is ours.
    pub receiver: u8,
    /// Nominal jitter buffer delay in ms.
    pub jitter_buffer_ms: u16,
    /// The delay that the jitter buffer would have for the worst packet of late, in ms.
    pub jitter_buffer_most_ms: u16,
    /// The longest delay that it can have at all, in ms.
    pub jitter_buffer_limit_ms: u16,
}

/// Enhanced concealment, adaptive jitter buffer, rate not given (RFC 3611 §4.7.6).
pub const CONCEALS_AND_ADAPTS: u8 = 0b1011_0000;

/// Reads the body of an XR behind its SSRC: every block, in order.
///
/// # Errors
/// [`RtcpError::TooShort`] when a block's length reaches over the end, [`RtcpError::TooMany`] above [`MOST_BLOCKS`].
pub(super) fn read_blocks(mut rest: &[u8]) -> Result<Vec<ExtendedBlock>, RtcpError> {
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let ([kind, _, l0, l1], after) =
            rest.split_first_chunk::<4>().ok_or(RtcpError::TooShort)?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
        let (body, next) = after.split_at_checked(length).ok_or(RtcpError::TooShort)?;
        rest = next;
        if blocks.len() == MOST_BLOCKS {
            return Err(RtcpError::TooMany);
        }
        blocks.push(block(*kind, body));
    }
    Ok(blocks)
}

fn block(kind: u8, body: &[u8]) -> ExtendedBlock {
    let read = match kind {
        REFERENCE_TIME => <[u8; 8]>::try_from(body)
            .ok()
            .map(|ntp| ExtendedBlock::ReferenceTime(u64::from_be_bytes(ntp))),
        DLRR => body.len().is_multiple_of(12).then(|| {
            let reports = body.chunks_exact(12).filter_map(|report| {
                Some(DlrrReport {
                    ssrc: u32_at(report, 0)?,
                    last_rr: u32_at(report, 4)?,
                    delay_since_last_rr: u32_at(report, 8)?,
                })
            });
            ExtendedBlock::Dlrr(reports.collect())
        }),
        VOIP => voip(body).map(ExtendedBlock::Voip),
        _ => None,
    };
    read.unwrap_or(ExtendedBlock::Unknown)
}

fn voip(body: &[u8]) -> Option<VoipMetrics> {
    let b = <&[u8; 32]>::try_from(body).ok()?;
    let known = |value: u8| (value != UNAVAILABLE).then_some(value);
    let level = |value: u8| known(value).map(|value| value as i8);
    let ms = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Some(VoipMetrics {
        ssrc: u32_at(b, 0)?,
        loss_rate: b[4],
        discard_rate: b[5],
        burst_density: b[6],
        gap_density: b[7],
        burst_ms: ms(b[8], b[9]),
        gap_ms: ms(b[10], b[11]),
        round_trip_ms: ms(b[12], b[13]),
        end_system_ms: ms(b[14], b[15]),
        signal_level: level(b[16]),
        noise_level: level(b[17]),
        echo_return_loss: known(b[18]),
        gmin: b[19],
        r_factor: known(b[20]),
        external_r_factor: known(b[21]),
        mos_lq_tenths: known(b[22]),
        mos_cq_tenths: known(b[23]),
        receiver: b[24],
        jitter_buffer_ms: ms(b[26], b[27]),
        jitter_buffer_most_ms: ms(b[28], b[29]),
        jitter_buffer_limit_ms: ms(b[30], b[31]),
    })
}

/// Hands the octets of one block to `put`, head included.
///
/// # Errors
/// [`RtcpError::TooMany`] for more reports than a block's length can say; [`ExtendedBlock::Unknown`] writes nothing.
pub(super) fn write_block(
    block: &ExtendedBlock,
    mut put: impl FnMut(&[u8]) -> Result<(), RtcpError>,
) -> Result<(), RtcpError> {
    match block {
        ExtendedBlock::ReferenceTime(ntp) => {
            put(&[REFERENCE_TIME, 0, 0, 2])?;
            put(&ntp.to_be_bytes())
        }
        ExtendedBlock::Dlrr(reports) => {
            let words = u16::try_from(reports.len() * 3).map_err(|_| RtcpError::TooMany)?;
            let [l0, l1] = words.to_be_bytes();
            put(&[DLRR, 0, l0, l1])?;
            reports.iter().try_for_each(|report| {
                put(&report.ssrc.to_be_bytes())?;
                put(&report.last_rr.to_be_bytes())?;
                put(&report.delay_since_last_rr.to_be_bytes())
            })
        }
        ExtendedBlock::Voip(m) => {
            let known = |value: Option<u8>| value.unwrap_or(UNAVAILABLE);
            let level = |value: Option<i8>| value.map_or(UNAVAILABLE, |value| value as u8);
            put(&[VOIP, 0, 0, 8])?;
            put(&m.ssrc.to_be_bytes())?;
            put(&[m.loss_rate, m.discard_rate, m.burst_density, m.gap_density])?;
            for ms in [m.burst_ms, m.gap_ms, m.round_trip_ms, m.end_system_ms] {
                put(&ms.to_be_bytes())?;
            }
            put(&[
                level(m.signal_level),
                level(m.noise_level),
                known(m.echo_return_loss),
                m.gmin,
                known(m.r_factor),
                known(m.external_r_factor),
                known(m.mos_lq_tenths),
                known(m.mos_cq_tenths),
                m.receiver,
                0,
            ])?;
            put(&m.jitter_buffer_ms.to_be_bytes())?;
            put(&m.jitter_buffer_most_ms.to_be_bytes())?;
            put(&m.jitter_buffer_limit_ms.to_be_bytes())
        }
        ExtendedBlock::Unknown => Ok(()),
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// "Not available" in octets of a VoIP block.
const UNAVAILABLE: u8 = 127;
/// Block types (RFC 3611 §4).
const REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const VOIP: u8 = 7;
/// Blocks in one report. There are seven types, and a block may stand there once per stream.
const MOST_BLOCKS: usize = 64;
