//! Extended reports of a leg (RFC 3611): what it tells of the call it hears, and what it learns from the other side.

use std::time::Instant;

use wire::rtcp::{CONCEALS_AND_ADAPTS, DlrrReport, ExtendedBlock, VoipMetrics};

use super::audio::Audio;
use super::{Leg, Surroundings};
use crate::measure::bursts::GMIN;
use crate::measure::emodel::{Conditions, burst_ratio, impairment, mos, rating};
use crate::smooth::MAX_DELAY_MS;

/// The other side's latest reference time: its SSRC, the middle 32 bits, when it came.
pub(super) type Reference = (u32, u32, Instant);

impl Leg {
    /// The blocks of an extended report made now; none where nothing was agreed or asked.
    pub(super) fn extended_blocks(
        &mut self,
        now: Instant,
        around: &Surroundings,
    ) -> Vec<ExtendedBlock> {
        let mut blocks = Vec::new();
        if self.rtcp.reference_time {
            blocks.push(ExtendedBlock::ReferenceTime(around.ntp.ntp(now)));
        }
        // Whoever sends a reference time wants it back, whether or not that was signalled. Each is answered once.
        if let Some((ssrc, last_rr, at)) = self.reference.take() {
            let delay = now.saturating_duration_since(at).as_nanos() << 16;
            blocks.push(ExtendedBlock::Dlrr(vec![DlrrReport {
                ssrc,
                last_rr,
                delay_since_last_rr: u32::try_from(delay / 1_000_000_000).unwrap_or(u32::MAX),
            }]));
        }
        if self.rtcp.voip_metrics
            && let Some(metrics) = self.audio.as_ref().and_then(voip_metrics)
        {
            blocks.push(ExtendedBlock::Voip(metrics));
        }
        blocks
    }

    /// Takes the other side's extended report.
    pub(super) fn take_extended(
        &mut self,
        now: Instant,
        from: u32,
        blocks: &[ExtendedBlock],
        around: &Surroundings,
    ) {
        let middle = around.ntp.middle(now);
        for block in blocks {
            match block {
                ExtendedBlock::ReferenceTime(ntp) => {
                    self.reference = Some((from, (ntp >> 16) as u32, now));
                }
                ExtendedBlock::Dlrr(reports) => {
                    let ours = reports.iter().filter(|report| report.ssrc == self.ssrc);
                    for report in ours {
                        if let Some(audio) = &mut self.audio {
                            audio.reported.echo(middle, report);
                        }
                    }
                }
                ExtendedBlock::Voip(metrics) => {
                    if let Some(audio) = &mut self.audio
                        && metrics.ssrc == self.ssrc
                    {
                        audio.reported.extended(metrics);
                    }
                }
                ExtendedBlock::Unknown => {}
            }
        }
    }
}

/// What we say of the stream that we hear, from its beginning on; `None` before its first packet.
fn voip_metrics(audio: &Audio) -> Option<VoipMetrics> {
    let ssrc = audio.reception.ssrc()?;
    let codec = audio.codec.unwrap_or(audio.plan.send.codec);
    let bursts = audio.reception.bursts();
    let loss = audio.reception.loss_of_all();
    let packet_ms = audio.packet_ms();
    let buffer_ms = audio.playout.delay_ms();
    let round_trip_us = audio.reported.last_rtt_us();
    let in_ms = |length_256: u64| (length_256 as f64 / 256.0 * packet_ms).round() as u16;
    // Zero would say that nothing was measured.
    let round_trip_ms = round_trip_us.map_or(0, |us| short(((us + 500) / 1000).max(1)));
    let end_system_ms = short(u64::from(buffer_ms) + packet_ms as u64 + TICK_MS);

    let heard = loss.expected > 0;
    let conditions = |delay_ms| Conditions {
        loss_percent: 100.0 * loss.lost as f64 / loss.expected as f64,
        burst_ratio: burst_ratio(loss.expected, loss.lost, loss.bursts),
        delay_ms,
    };
    let codec = impairment(codec);
    let listening = rating(codec, &conditions(0.0));
    let delay_ms = round_trip_us.unwrap_or(0) as f64 / 2000.0 + packet_ms + f64::from(buffer_ms);
    let conversation = rating(codec, &conditions(delay_ms));
    let tenths = |rating: f64| (mos(rating) * 10.0).round() as u8;
    Some(VoipMetrics {
        ssrc,
        loss_rate: bursts.loss_rate,
        discard_rate: bursts.discard_rate,
        burst_density: bursts.burst_density,
        gap_density: bursts.gap_density,
        burst_ms: in_ms(bursts.burst_length),
        gap_ms: in_ms(bursts.gap_length),
        round_trip_ms,
        end_system_ms,
        signal_level: None,
        noise_level: None,
        echo_return_loss: None,
        gmin: GMIN as u8,
        r_factor: heard.then(|| conversation.clamp(0.0, 100.0).round() as u8),
        external_r_factor: None,
        mos_lq_tenths: heard.then(|| tenths(listening)),
        mos_cq_tenths: heard.then(|| tenths(conversation)),
        receiver: CONCEALS_AND_ADAPTS,
        jitter_buffer_ms: short(u64::from(buffer_ms)),
        jitter_buffer_most_ms: short(u64::from(MAX_DELAY_MS)),
        jitter_buffer_limit_ms: short(u64::from(MAX_DELAY_MS)),
    })
}

fn short(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// What a mixer tick adds to the way through us.
const TICK_MS: u64 = 20;
