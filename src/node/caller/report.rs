//! What a scripted call tells in the end: a table for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use media::measure::{Flow, Sample};
use serde::Serialize;

/// How a scripted call went.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Whether the call was answered.
    pub answered: bool,
    /// From the INVITE to its 200, in milliseconds.
    pub setup_ms: Option<u64>,
    /// From the answer to the end, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The codec last heard.
    pub codec: Option<&'static str>,
    /// How media was protected.
    pub srtp: Option<&'static str>,
    /// From the server to us, measured by us.
    pub received: Direction,
    /// From us to the server, as its receiver reports tell.
    pub sent: Direction,
    /// Mean round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// The worse of the two directions' G.107 estimates.
    pub mos: Option<f64>,
    /// Loudness of what was heard over the whole call, in dB relative to full scale.
    pub heard_dbfs: Option<f64>,
    /// How the call ended.
    pub ending: String,
    /// The final SIP status of a call that was not answered.
    pub sip_status: Option<u16>,
}

/// One direction's figures over the whole call.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Direction {
    /// RTP packets.
    pub packets: u64,
    /// Their UDP payload octets.
    pub bytes: u64,
    /// RTCP packets.
    pub rtcp_packets: u64,
    /// Packets lost; null when nobody told.
    pub lost: Option<i64>,
    /// Mean interarrival jitter in milliseconds, over the minutes that had one.
    pub jitter_ms: Option<f64>,
}

/// Adds samples up to a report's figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    received: Sum,
    sent: Sum,
    rtt: Mean,
    mos: Option<f64>,
    codec: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    total: Direction,
    jitter: Mean,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.sum += value as f64;
            self.count += 1.0;
        }
    }

    fn milliseconds(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count / 1000.0)
    }
}

impl Sum {
    fn add(&mut self, flow: Flow) {
        self.total.packets += flow.rtp_packets;
        self.total.bytes += flow.rtp_bytes;
        self.total.rtcp_packets += flow.rtcp_packets;
        // Cumulative already: the latest word counts.
        self.total.lost = flow.packets_lost.or(self.total.lost);
        self.jitter.add(flow.jitter_us);
        self.total.jitter_ms = self.jitter.milliseconds();
    }
}

impl Tally {
    pub(super) fn add(&mut self, sample: &Sample) {
        self.received.add(sample.received);
        self.sent.add(sample.sent);
        self.rtt.add(sample.rtt_us);
        self.mos = match (self.mos, sample.mos) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.codec = sample
            .codec
            .map(wire::plan::AudioCodec::encoding_name)
            .or(self.codec);
    }

    pub(super) fn fill(&self, report: &mut Report) {
        report.received = self.received.total;
        report.sent = self.sent.total;
        report.rtt_ms = self.rtt.milliseconds();
        report.mos = self.mos;
        report.codec = self.codec;
    }
}

impl Report {
    /// Answered, and packets with sound in them flowed both ways: the server's receiver reports, where
    /// any came, must not say that it lost all of ours.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let all_lost = self
            .sent
            .lost
            .is_some_and(|lost| lost >= self.sent.packets as i64);
        self.answered && self.received.packets > 0 && self.sent.packets > 0 && !all_lost
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.answered {
            return match self.sip_status {
                Some(status) => writeln!(f, "not answered: {status} {}", self.ending),
                None => writeln!(f, "not answered: {}", self.ending),
            };
        }
        let duration = Duration::from_millis(self.duration_ms.unwrap_or_default());
        writeln!(
            f,
            "{} for {:.1} s, {}, {}; {}",
            if self.is_success() {
                "talked"
            } else {
                "answered without audio both ways"
            },
            duration.as_secs_f64(),
            self.codec.unwrap_or("no audio"),
            self.srtp.unwrap_or("no SRTP"),
            self.ending
        )?;
        writeln!(
            f,
            "{:<12}{:>10}{:>12}{:>8}{:>8}{:>12}",
            "", "packets", "octets", "RTCP", "lost", "jitter ms"
        )?;
        for (name, d) in [("received", self.received), ("sent", self.sent)] {
            let (packets, bytes, rtcp) = (d.packets, d.bytes, d.rtcp_packets);
            let (lost, jitter) = (shown(d.lost), figure(d.jitter_ms, 2));
            writeln!(
                f,
                "{name:<12}{packets:>10}{bytes:>12}{rtcp:>8}{lost:>8}{jitter:>12}"
            )?;
        }
        let (rtt, mos, heard) = (
            figure(self.rtt_ms, 1),
            figure(self.mos, 2),
            figure(self.heard_dbfs, 1),
        );
        writeln!(f, "round trip {rtt} ms, MOS {mos}, heard {heard} dBFS")
    }
}

fn shown(value: Option<i64>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| v.to_string())
}

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
}

#[cfg(test)]
mod tests {
    use wire::plan::{AudioCodec, LegId};

    use super::*;

    fn sample(
        received: u64,
        lost: Option<i64>,
        jitter_us: Option<u64>,
        mos: Option<f64>,
    ) -> Sample {
        Sample {
            leg: LegId(1),
            last: false,
            codec: Some(AudioCodec::Opus),
            received: Flow {
                rtp_packets: received,
                jitter_us,
                ..Flow::default()
            },
            sent: Flow {
                rtp_packets: received,
                packets_lost: lost,
                ..Flow::default()
            },
            rtt_us: None,
            mos,
            inbound: None,
            outbound: None,
            ledger: Box::default(),
            video: Vec::new(),
        }
    }

    fn report(samples: &[Sample]) -> Report {
        let mut tally = Tally::default();
        samples.iter().for_each(|s| tally.add(s));
        let mut report = Report {
            answered: true,
            setup_ms: Some(12),
            duration_ms: Some(1000),
            codec: None,
            srtp: None,
            received: Direction::default(),
            sent: Direction::default(),
            rtt_ms: None,
            mos: None,
            heard_dbfs: None,
            ending: "hung up".into(),
            sip_status: None,
        };
        tally.fill(&mut report);
        report
    }

    #[test]
    fn counts_add_up_while_loss_is_the_latest_word_and_mos_the_worst() {
        let report = report(&[
            sample(100, Some(3), Some(1000), Some(4.4)),
            sample(50, Some(4), Some(3000), Some(4.1)),
        ]);
        assert_eq!((report.received.packets, report.sent.lost), (150, Some(4)));
        assert_eq!(
            (report.received.jitter_ms, report.mos),
            (Some(2.0), Some(4.1))
        );
        assert!(report.rtt_ms.is_none());
    }

    #[test]
    fn a_call_whose_packets_were_all_lost_is_no_success() {
        assert!(report(&[sample(100, Some(0), None, None)]).is_success());
        assert!(report(&[sample(100, None, None, None)]).is_success());
        assert!(!report(&[sample(100, Some(100), None, None)]).is_success());
        assert!(!report(&[sample(0, None, None, None)]).is_success());
    }

    #[test]
    fn what_is_unknown_is_shown_as_a_dash_not_as_zero() {
        let shown = report(&[sample(100, None, None, None)]).to_string();
        assert!(
            shown.contains("round trip – ms, MOS –, heard – dBFS"),
            "{shown}"
        );
    }
}
