//! A leg's minute: what is counted on the way, and the sample that is made of it.

use std::time::{Duration, Instant};

use wire::plan::LegId;

use super::audio::Audio;
use super::video::{VideoIn, VideoOut};
use crate::measure::emodel::{Conditions, burst_ratio, impairment, mos, rating};
use crate::measure::{Flow, Sample};
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
    ) -> Sample {
        let mut sample = Sample {
            leg,
            last,
            codec: None,
            received: std::mem::take(&mut self.received),
            sent: std::mem::take(&mut self.sent),
            rtt_us: None,
            mos: None,
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

    let half_trip_ms = reports.rtt_us.unwrap_or(0) as f64 / 2000.0;
    let packet_ms = f64::from(audio.plan.send.ptime_ms);
    // The other side's jitter buffer is unknown; ours is.
    let inbound_ms = half_trip_ms + packet_ms + f64::from(audio.playout.delay_ms());
    let outbound_ms = half_trip_ms + packet_ms;
    let inbound = opinion(codec, inbound_loss, inbound_ms);
    let outbound = reports
        .loss
        .and_then(|loss| opinion(audio.plan.send.codec, loss, outbound_ms));
    sample.mos = match (inbound, outbound) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    };
}

/// MOS of one direction; `None` when nothing was to be received.
fn opinion(codec: wire::plan::AudioCodec, loss: Loss, delay_ms: f64) -> Option<f64> {
    if loss.expected == 0 {
        return None;
    }
    let conditions = Conditions {
        loss_percent: 100.0 * loss.lost as f64 / loss.expected as f64,
        burst_ratio: burst_ratio(loss.expected, loss.lost, loss.bursts),
        delay_ms,
    };
    Some(mos(rating(impairment(codec), &conditions)))
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use wire::plan::AudioCodec;

    #[test]
    fn nothing_received_has_no_opinion_and_loss_lowers_it() {
        let loss = |expected, lost, bursts| Loss {
            expected,
            lost,
            bursts,
        };
        assert_eq!(opinion(AudioCodec::Pcmu, loss(0, 0, 0), 40.0), None);
        let clean = opinion(AudioCodec::Pcmu, loss(3000, 0, 0), 40.0).unwrap();
        let random = opinion(AudioCodec::Pcmu, loss(3000, 90, 90), 40.0).unwrap();
        let bursty = opinion(AudioCodec::Pcmu, loss(3000, 90, 10), 40.0).unwrap();
        assert!(
            clean > random && random > bursty,
            "{clean} {random} {bursty}"
        );
        assert_eq!(clean, 4.4);
    }
}
