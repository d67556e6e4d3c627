//! A leg's minute: what is counted on the way, and the sample that is made of it.

use std::time::{Duration, Instant};

use wire::plan::LegId;

use super::audio::Audio;
use super::video::{VideoIn, VideoOut};
use crate::measure::emodel::{Conditions, burst_ratio, impairment, mos, rating};
use crate::measure::ledger::Ledger;
use crate::measure::{FarEnd, Flow, Sample};
use crate::receive::Loss;

/// Counters of the running minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    received: Flow,
    sent: Flow,
    next: Option<Instant>,
}

impl Figures {
    /// The leg was configured: minutes run from the first time.
    pub(super) fn start(&mut self, now: Instant) {
        self.next.get_or_insert(now + MINUTE);
    }

    /// Whether a minute is over; begins the next if so.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        match &mut self.next {
            Some(next) if now >= *next => {
                *next += MINUTE;
                true
            }
            _ => false,
        }
    }

    /// Whether the leg was ever configured.
    pub(super) fn is_started(&self) -> bool {
        self.next.is_some()
    }

    pub(super) fn rtp_received(&mut self, bytes: usize) {
        self.received.rtp_packets += 1;
        self.received.rtp_bytes += bytes as u64;
    }

    pub(super) fn rtcp_received(&mut self, bytes: usize) {
        self.received.rtcp_packets += 1;
        self.received.rtcp_bytes += bytes as u64;
    }

    pub(super) fn rtp_sent(&mut self, bytes: usize) {
        self.sent.rtp_packets += 1;
        self.sent.rtp_bytes += bytes as u64;
    }

    pub(super) fn rtcp_sent(&mut self, bytes: usize) {
        self.sent.rtcp_packets += 1;
        self.sent.rtcp_bytes += bytes as u64;
    }

    /// The sample of the minute (or of what there is of it), and new counters.
    pub(super) fn take(
        &mut self,
        leg: LegId,
        last: bool,
        audio: Option<&mut Audio>,
        video_in: &mut [VideoIn],
        video_out: &mut [VideoOut],
        ledger: &Ledger,
    ) -> Sample {
        let mut sample = Sample {
            leg,
            last,
            codec: None,
            received: std::mem::take(&mut self.received),
            sent: std::mem::take(&mut self.sent),
            rtt_us: None,
            mos: None,
            inbound: None,
            outbound: None,
            ledger: Box::new(ledger.clone()),
            video: video_in
                .iter_mut()
                .map(VideoIn::sample)
                .chain(video_out.iter_mut().map(VideoOut::sample))
                .collect(),
        };
        if let Some(audio) = audio {
            measure_audio(audio, &mut sample);
        }
        sample
    }
}

fn measure_audio(audio: &mut Audio, sample: &mut Sample) {
    let codec = audio.codec.unwrap_or(audio.plan.send.codec);
    let reports = audio.reported.take();
    let inbound_loss = audio.reception.take_loss(sample.last);
    sample.codec = Some(codec);
    sample.rtt_us = reports.rtt_us;
    sample.received.packets_lost = audio.reception.lost();
    sample.received.jitter_us = audio.reception.take_jitter_us();
    sample.sent.packets_lost = audio.reported.lost();
    sample.sent.jitter_us = reports.jitter_us;

    // The minute's round trip, or what is known from before: a path does not shrink to nothing for want of a report.
    let rtt_us = reports.rtt_us.or(audio.reported.last_rtt_us());
    let half_trip_ms = rtt_us.unwrap_or(0) as f64 / 2000.0;
    let inbound_ms = half_trip_ms + audio.packet_ms() + f64::from(audio.playout.delay_ms());
    audio.spacing.next_interval();
    sample.inbound = conditions(inbound_loss, inbound_ms);
    // The other side's jitter buffer is known by its extended reports only.
    let buffer_ms = reports.far_end.map_or(0.0, |far| f64::from(far.buffer_ms));
    let outbound_ms = half_trip_ms + f64::from(audio.plan.send.ptime_ms) + buffer_ms;
    sample.outbound = reports
        .loss
        .map(|loss| behind_the_buffer(loss, reports.far_end))
        .and_then(|loss| conditions(loss, outbound_ms));
    let opinion = |codec, conditions: &Conditions| mos(rating(impairment(codec), conditions));
    let inbound = sample.inbound.map(|c| opinion(codec, &c));
    let outbound = sample.outbound.map(|c| opinion(audio.plan.send.codec, &c));
    sample.mos = match (inbound, outbound) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    };
}

/// Loss on the way and what the other side's jitter buffer had to leave out.
fn behind_the_buffer(loss: Loss, far_end: Option<FarEnd>) -> Loss {
    let rate = far_end.map_or(0, |far| u64::from(far.discard_rate));
    let discarded = loss.expected * rate / 256;
    Loss {
        lost: (loss.lost + discarded).min(loss.expected),
        bursts: loss.bursts + discarded,
        ..loss
    }
}

/// What one direction went through; `None` when nothing was to be received.
fn conditions(loss: Loss, delay_ms: f64) -> Option<Conditions> {
    (loss.expected > 0).then(|| Conditions {
        loss_percent: 100.0 * loss.lost as f64 / loss.expected as f64,
        burst_ratio: burst_ratio(loss.expected, loss.lost, loss.bursts),
        delay_ms,
    })
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_received_has_no_conditions_and_late_packets_of_the_far_end_count_as_lost() {
        let loss = |expected, lost, bursts| Loss {
            expected,
            lost,
            bursts,
        };
        assert_eq!(conditions(loss(0, 0, 0), 40.0), None);
        let bursty = conditions(loss(3000, 90, 10), 40.0).unwrap();
        assert_eq!(bursty.loss_percent, 3.0);
        assert!((bursty.burst_ratio - 9.0 * 0.97).abs() < 1e-9);
        let far_end = FarEnd {
            discard_rate: 8,
            buffer_ms: 60,
        };
        let behind = behind_the_buffer(loss(3200, 32, 32), Some(far_end));
        assert_eq!(behind, loss(3200, 132, 132));
        assert_eq!(behind_the_buffer(behind, None), behind);
    }
}
