//! The metrics of a voice connector, with the names of `spec.md` §4, for Prometheus and for who asks later.
//!
//! Counts are counters. Means and opinions are gauges: the mean of all samples of the last whole minute, and NaN,
//! which is Prometheus's word for null, in a minute that measured nothing.

use std::io;

use call::ending::{Cause, Ending};
use call::note::CallDirection;
use media::measure::{Flow, Sample};
use metrics::{counter, gauge};

use super::figures::Gathered;

/// The metrics of one connector in one region.
#[derive(Debug)]
pub(super) struct ConnectorMetrics {
    connector: String,
    region: String,
    active: [u64; 2],
    /// Since the epoch; that whose means are being gathered.
    minute: Option<u64>,
    gathered: [Mean; GAUGES.len()],
    shown: [Option<f64>; GAUGES.len()],
    kept: Gathered,
    /// The minute whose running calls were counted, and whether there were any.
    counted_active: (u64, [bool; 2]),
}

/// The loss that was counted of one call, both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CountedLoss {
    received: i64,
    sent: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl ConnectorMetrics {
    pub(super) fn new(connector: &str, region: &str, kept: Gathered) -> Self {
        Self {
            connector: connector.to_owned(),
            region: region.to_owned(),
            active: [0; 2],
            minute: None,
            gathered: [Mean::default(); GAUGES.len()],
            shown: [None; GAUGES.len()],
            kept,
            counted_active: (0, [false; 2]),
        }
    }

    /// A call began.
    pub(super) fn attempted(&mut self, direction: CallDirection, at_ms: u64) {
        self.happened(
            pick(direction, ["OutboundCallAttempts", "InboundCallAttempts"]),
            at_ms,
        );
    }

    /// It was answered.
    pub(super) fn answered(&mut self, direction: CallDirection, at_ms: u64) {
        self.happened(
            pick(direction, ["OutboundCallsAnswered", "InboundCallsAnswered"]),
            at_ms,
        );
        self.active[pick(direction, [0, 1])] += 1;
    }

    /// It is over. A call that was never answered has failed, unless the caller gave up.
    pub(super) fn ended(
        &mut self,
        direction: CallDirection,
        answered: bool,
        ending: &Ending,
        at_ms: u64,
    ) {
        if answered {
            let active = &mut self.active[pick(direction, [0, 1])];
            *active = active.saturating_sub(1);
        } else if ending.cause != Cause::Cancelled {
            self.happened(
                pick(direction, ["OutboundCallFailures", "InboundCallFailures"]),
                at_ms,
            );
        }
        if ending.cause == Cause::Overloaded {
            self.happened("Throttles", at_ms);
        }
    }

    /// A SIP message was received or sent; responses are counted by their class.
    pub(super) fn sip_message(&mut self, bytes: &[u8], at_ms: u64) {
        let class = bytes
            .strip_prefix(b"SIP/2.0 ")
            .and_then(|status| status.first())
            .and_then(|digit| usize::from(*digit).checked_sub(usize::from(b'1')))
            .and_then(|class| SIP_CODES.get(class));
        if let Some(name) = class {
            self.happened(name, at_ms);
        }
    }

    /// A leg was measured: the party's side is the customer's.
    pub(super) fn sample(&mut self, sample: &Sample, counted: &mut CountedLoss, at_ms: u64) {
        self.turn(at_ms);
        let (received, sent) = (&sample.received, &sample.sent);
        self.flow("CustomerToVc", received, &mut counted.received, at_ms);
        self.flow("VcToCustomer", sent, &mut counted.sent, at_ms);
        let means = [
            sample.received.jitter_us.map(|us| us as f64),
            sample.sent.jitter_us.map(|us| us as f64),
            None,
            None,
            sample.rtt_us.map(|us| us as f64),
            None,
            sample.mos,
            None,
        ];
        for ((gathered, value), name) in self.gathered.iter_mut().zip(means).zip(GAUGES) {
            if let Some(value) = value {
                self.kept.add(name, value, at_ms);
                gathered.sum += value;
                gathered.count += 1;
            }
        }
    }

    /// Shows everything, also what never happened: a metric that is missing cannot be told from one at zero.
    ///
    /// # Errors
    /// What is to be kept cannot be written; it is tried again.
    pub(super) fn publish(&mut self, now_ms: u64) -> io::Result<()> {
        self.turn(now_ms);
        self.count_active(now_ms);
        for name in COUNTERS.into_iter().chain(SIP_CODES) {
            self.count(name, 0);
        }
        for direction in DIRECTIONS {
            for figure in FIGURES {
                self.count(&format!("{direction}{figure}"), 0);
            }
        }
        for (name, active) in ACTIVE.into_iter().zip(self.active) {
            self.show(name, active as f64);
        }
        for (name, shown) in GAUGES.into_iter().zip(self.shown) {
            self.show(name, shown.unwrap_or(f64::NAN));
        }
        self.kept.on_time(now_ms)
    }

    /// Writes down what is to be kept.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, now_ms: u64) -> io::Result<()> {
        self.kept.write(now_ms)
    }

    /// The running calls, once in a minute that has some, and once more when they are over.
    fn count_active(&mut self, now_ms: u64) {
        let minute = now_ms / 60_000;
        let (counted, had) = self.counted_active;
        if counted == minute {
            return;
        }
        let has = self.active.map(|active| active > 0);
        for ((name, active), at) in ACTIVE.into_iter().zip(self.active).zip(0..) {
            if has.get(at) == Some(&true) || had.get(at) == Some(&true) {
                self.kept.add(name, active as f64, now_ms);
            }
        }
        self.counted_active = (minute, has);
    }

    fn flow(&mut self, direction: &str, flow: &Flow, counted: &mut i64, at_ms: u64) {
        let counts = [
            flow.rtp_packets,
            flow.rtp_bytes,
            flow.rtcp_packets,
            flow.rtcp_bytes,
            // Cumulative over the call; duplicates may take some back, which a counter cannot.
            match flow.packets_lost {
                Some(lost) if lost > *counted => {
                    let more = lost.abs_diff(*counted);
                    *counted = lost;
                    more
                }
                _ => 0,
            },
        ];
        for (figure, count) in FIGURES.into_iter().zip(counts) {
            let name = format!("{direction}{figure}");
            self.count(&name, count);
            // Loss that nobody measured is no loss of zero.
            if figure != "PacketsLost" || flow.packets_lost.is_some() {
                self.kept.add(&name, count as f64, at_ms);
            }
        }
    }

    /// Something was there once.
    fn happened(&mut self, name: &'static str, at_ms: u64) {
        self.count(name, 1);
        self.kept.add(name, 1.0, at_ms);
    }

    /// Closes the minute that is over.
    fn turn(&mut self, now_ms: u64) {
        let minute = now_ms / 60_000;
        let Some(gathering) = self.minute.replace(minute) else {
            return;
        };
        if gathering == minute {
            return;
        }
        for (shown, gathered) in self.shown.iter_mut().zip(&mut self.gathered) {
            // A minute in which nothing came at all lies between.
            let mean = std::mem::take(gathered);
            let of_last_minute = gathering + 1 == minute && mean.count > 0;
            *shown = of_last_minute.then(|| mean.sum / f64::from(mean.count));
        }
    }

    fn count(&self, name: &str, by: u64) {
        counter!(name.to_owned(), "VoiceConnectorId" => self.connector.clone(), "Region" => self.region.clone())
            .increment(by);
    }

    fn show(&self, name: &'static str, value: f64) {
        gauge!(name, "VoiceConnectorId" => self.connector.clone(), "Region" => self.region.clone())
            .set(value);
    }
}

/// Seen from the customer's side, as on a trunk: what a party dials is outbound.
fn pick<T: Copy>(direction: CallDirection, [outbound, inbound]: [T; 2]) -> T {
    match direction {
        CallDirection::Inbound => outbound,
        CallDirection::Outbound => inbound,
    }
}

const COUNTERS: [&str; 7] = [
    "InboundCallAttempts",
    "InboundCallFailures",
    "InboundCallsAnswered",
    "OutboundCallAttempts",
    "OutboundCallFailures",
    "OutboundCallsAnswered",
    "Throttles",
];
const ACTIVE: [&str; 2] = ["OutboundCallsActive", "InboundCallsActive"];
const SIP_CODES: [&str; 6] = [
    "Sip1xxCodes",
    "Sip2xxCodes",
    "Sip3xxCodes",
    "Sip4xxCodes",
    "Sip5xxCodes",
    "Sip6xxCodes",
];
const DIRECTIONS: [&str; 4] = ["CustomerToVc", "VcToCustomer", "RemoteToVc", "VcToRemote"];
const FIGURES: [&str; 5] = [
    "RtpPackets",
    "RtpBytes",
    "RtcpPackets",
    "RtcpBytes",
    "PacketsLost",
];
/// Microseconds, and opinions from 1.0 to 4.4.
const GAUGES: [&str; 8] = [
    "CustomerToVcJitter",
    "VcToCustomerJitter",
    "RemoteToVcJitter",
    "VcToRemoteJitter",
    "RTTBetweenVcAndCustomer",
    "RTTBetweenVcAndRemote",
    "MOSBetweenVcAndCustomer",
    "MOSBetweenVcAndRemote",
];

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use wire::plan::LegId;

    use super::*;

    /// Runs `act` with a recorder of its own; returns the page.
    fn page(act: impl FnOnce(&mut ConnectorMetrics)) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let folder = tempfile::tempdir().unwrap();
            let kept = Gathered::new(folder.path().to_owned(), "vc1");
            act(&mut ConnectorMetrics::new("vc1", "local", kept));
        });
        recorder.handle().render()
    }

    fn value(page: &str, name: &str) -> String {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name}{{")))
            .unwrap_or_else(|| panic!("no {name} in {page}"));
        assert!(line.contains("VoiceConnectorId=\"vc1\"") && line.contains("Region=\"local\""));
        line.rsplit(' ').next().unwrap().to_owned()
    }

    fn sample(lost: i64, jitter_us: u64, mos: f64) -> Sample {
        Sample {
            leg: LegId(1),
            last: false,
            codec: None,
            received: Flow {
                rtp_packets: 3000,
                rtp_bytes: 516_000,
                rtcp_packets: 12,
                rtcp_bytes: 1200,
                packets_lost: Some(lost),
                jitter_us: Some(jitter_us),
            },
            sent: Flow::default(),
            rtt_us: None,
            mos: Some(mos),
            inbound: None,
            outbound: None,
            ledger: Box::default(),
            video: Vec::new(),
        }
    }

    #[test]
    fn every_name_of_the_specification_is_there_from_the_start() {
        let page = page(|metrics| metrics.publish(1_000).unwrap());
        let mut names: Vec<String> = "InboundCallAttempts InboundCallFailures InboundCallsAnswered \
            InboundCallsActive OutboundCallAttempts OutboundCallFailures OutboundCallsAnswered \
            OutboundCallsActive Throttles Sip1xxCodes Sip2xxCodes Sip3xxCodes Sip4xxCodes Sip5xxCodes \
            Sip6xxCodes RTTBetweenVcAndCustomer RTTBetweenVcAndRemote MOSBetweenVcAndCustomer \
            MOSBetweenVcAndRemote"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        for direction in ["CustomerToVc", "VcToCustomer", "RemoteToVc", "VcToRemote"] {
            for figure in "RtpPackets RtpBytes RtcpPackets RtcpBytes PacketsLost Jitter".split(' ')
            {
                names.push(format!("{direction}{figure}"));
            }
        }
        assert_eq!(names.len(), 43);
        for name in names {
            let expected = if name.contains("Jitter") || name.contains("Between") {
                "NaN"
            } else {
                "0"
            };
            assert_eq!(value(&page, &name), expected, "{name}");
        }
    }

    #[test]
    fn calls_are_counted_by_direction_and_outcome() {
        let page = page(|metrics| {
            use CallDirection::{Inbound, Outbound};
            for direction in [Inbound, Inbound, Inbound, Inbound, Outbound] {
                metrics.attempted(direction, 0);
            }
            metrics.answered(Inbound, 0);
            metrics.answered(Inbound, 0);
            metrics.ended(Inbound, true, &Ending::new(Cause::HungUp), 0);
            metrics.ended(Inbound, false, &Ending::new(Cause::Cancelled), 0);
            metrics.ended(Inbound, false, &Ending::new(Cause::Overloaded), 0);
            metrics.ended(Outbound, false, &Ending::new(Cause::Rejected(486)), 0);
            for message in [
                "SIP/2.0 183 P",
                "SIP/2.0 200 OK",
                "SIP/2.0 603 No",
                "INVITE sip:a SIP/2.0",
                "SIP/2.0 999",
            ] {
                metrics.sip_message(message.as_bytes(), 0);
            }
            metrics.publish(0).unwrap();
        });
        for (name, expected) in [
            ("OutboundCallAttempts", "4"),
            ("OutboundCallsAnswered", "2"),
            ("OutboundCallsActive", "1"),
            ("OutboundCallFailures", "1"),
            ("InboundCallAttempts", "1"),
            ("InboundCallFailures", "1"),
            ("InboundCallsActive", "0"),
            ("Throttles", "1"),
            ("Sip1xxCodes", "1"),
            ("Sip2xxCodes", "1"),
            ("Sip6xxCodes", "1"),
            ("Sip4xxCodes", "0"),
        ] {
            assert_eq!(value(&page, name), expected, "{name}");
        }
    }

    #[test]
    fn flows_add_up_and_cumulative_loss_is_counted_once() {
        let page = page(|metrics| {
            let mut counted = CountedLoss::default();
            for (minute, lost) in [(0, 5), (1, 9), (2, 8), (3, 9)] {
                metrics.sample(&sample(lost, 1000, 4.0), &mut counted, minute * 60_000);
            }
            metrics.publish(181_000).unwrap();
        });
        assert_eq!(value(&page, "CustomerToVcRtpPackets"), "12000");
        assert_eq!(value(&page, "CustomerToVcRtcpBytes"), "4800");
        assert_eq!(value(&page, "CustomerToVcPacketsLost"), "9");
        assert_eq!(value(&page, "VcToCustomerPacketsLost"), "0");
    }

    #[test]
    fn means_are_those_of_the_last_whole_minute_and_null_after_an_empty_one() {
        let mut counted = CountedLoss::default();
        let mut gather = |metrics: &mut ConnectorMetrics| {
            metrics.sample(&sample(0, 1000, 4.0), &mut counted, 1_000);
            metrics.sample(&sample(0, 3000, 3.0), &mut counted, 59_000);
        };
        let within = page(|metrics| {
            gather(metrics);
            metrics.publish(59_999).unwrap();
        });
        assert_eq!(value(&within, "CustomerToVcJitter"), "NaN");
        let after = page(|metrics| {
            gather(metrics);
            metrics.publish(60_000).unwrap();
            metrics.publish(119_000).unwrap();
        });
        assert_eq!(value(&after, "CustomerToVcJitter"), "2000");
        assert_eq!(value(&after, "MOSBetweenVcAndCustomer"), "3.5");
        assert_eq!(value(&after, "RTTBetweenVcAndCustomer"), "NaN");
        let empty = page(|metrics| {
            gather(metrics);
            metrics.publish(60_000).unwrap();
            metrics.publish(120_000).unwrap();
        });
        assert_eq!(value(&empty, "CustomerToVcJitter"), "NaN");
    }
}
