//! One line of the media quality metric log: exactly the 37 fields of `spec.md` §4, in their order.

use media::measure::{Flow, Sample};
use serde::Serialize;

/// A minute of one call. `cust` is the party's side; a call into a meeting has no `rem` side.
#[derive(Serialize, Debug)]
pub(super) struct MetricLine<'a> {
    voice_connector_id: &'a str,
    /// Milliseconds since the epoch, UTC.
    event_timestamp: u64,
    call_id: &'a str,
    from_sip_user: Option<&'a str>,
    from_country: Option<&'a str>,
    to_sip_user: Option<&'a str>,
    to_country: Option<&'a str>,
    endpoint_id: &'a str,
    aws_region: &'a str,
    cust2vc_rtp_packets: Option<u64>,
    cust2vc_rtp_bytes: Option<u64>,
    cust2vc_rtcp_packets: Option<u64>,
    cust2vc_rtcp_bytes: Option<u64>,
    cust2vc_packets_lost: Option<i64>,
    /// Microseconds.
    cust2vc_jitter: Option<u64>,
    vc2cust_rtp_packets: Option<u64>,
    vc2cust_rtp_bytes: Option<u64>,
    vc2cust_rtcp_packets: Option<u64>,
    vc2cust_rtcp_bytes: Option<u64>,
    vc2cust_packets_lost: Option<i64>,
    vc2cust_jitter: Option<u64>,
    /// Microseconds.
    rtt_btwn_vc_and_cust: Option<u64>,
    /// 1.0 to 4.4.
    mos_btwn_vc_and_cust: Option<f64>,
    rem2vc_rtp_packets: Option<u64>,
    rem2vc_rtp_bytes: Option<u64>,
    rem2vc_rtcp_packets: Option<u64>,
    rem2vc_rtcp_bytes: Option<u64>,
    rem2vc_packets_lost: Option<i64>,
    rem2vc_jitter: Option<u64>,
    vc2rem_rtp_packets: Option<u64>,
    vc2rem_rtp_bytes: Option<u64>,
    vc2rem_rtcp_packets: Option<u64>,
    vc2rem_rtcp_bytes: Option<u64>,
    vc2rem_packets_lost: Option<i64>,
    vc2rem_jitter: Option<u64>,
    rtt_btwn_vc_and_rem: Option<u64>,
    mos_btwn_vc_and_rem: Option<f64>,
}

/// Whose minute it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) connector_id: &'a str,
    pub(super) region: &'a str,
    pub(super) call_id: &'a str,
    pub(super) from_user: &'a str,
    pub(super) to_user: &'a str,
    pub(super) endpoint_id: &'a str,
}

impl<'a> MetricLine<'a> {
    /// The line of a call into a meeting: the party is the customer side, nothing is remote.
    pub(super) fn of_party(whose: Whose<'a>, sample: &Sample, at_ms: u64) -> Self {
        let Flow {
            rtp_packets,
            rtp_bytes,
            rtcp_packets,
            rtcp_bytes,
            packets_lost,
            jitter_us,
        } = sample.received;
        let sent = sample.sent;
        Self {
            voice_connector_id: whose.connector_id,
            event_timestamp: at_ms,
            call_id: whose.call_id,
            from_sip_user: some(whose.from_user),
            from_country: None,
            to_sip_user: some(whose.to_user),
            to_country: None,
            endpoint_id: whose.endpoint_id,
            aws_region: whose.region,
            cust2vc_rtp_packets: Some(rtp_packets),
            cust2vc_rtp_bytes: Some(rtp_bytes),
            cust2vc_rtcp_packets: Some(rtcp_packets),
            cust2vc_rtcp_bytes: Some(rtcp_bytes),
            cust2vc_packets_lost: packets_lost,
            cust2vc_jitter: jitter_us,
            vc2cust_rtp_packets: Some(sent.rtp_packets),
            vc2cust_rtp_bytes: Some(sent.rtp_bytes),
            vc2cust_rtcp_packets: Some(sent.rtcp_packets),
            vc2cust_rtcp_bytes: Some(sent.rtcp_bytes),
            vc2cust_packets_lost: sent.packets_lost,
            vc2cust_jitter: sent.jitter_us,
            rtt_btwn_vc_and_cust: sample.rtt_us,
            mos_btwn_vc_and_cust: sample.mos.map(|mos| (mos * 1000.0).round() / 1000.0),
            rem2vc_rtp_packets: None,
            rem2vc_rtp_bytes: None,
            rem2vc_rtcp_packets: None,
            rem2vc_rtcp_bytes: None,
            rem2vc_packets_lost: None,
            rem2vc_jitter: None,
            vc2rem_rtp_packets: None,
            vc2rem_rtp_bytes: None,
            vc2rem_rtcp_packets: None,
            vc2rem_rtcp_bytes: None,
            vc2rem_packets_lost: None,
            vc2rem_jitter: None,
            rtt_btwn_vc_and_rem: None,
            mos_btwn_vc_and_rem: None,
        }
    }
}

/// A minute of one video stream of a browser, in a log of its own.
#[derive(Serialize, Debug)]
pub(super) struct VideoLine<'a> {
    pub(super) voice_connector_id: &'a str,
    pub(super) event_timestamp: u64,
    pub(super) call_id: &'a str,
    pub(super) endpoint_id: &'a str,
    pub(super) aws_region: &'a str,
    pub(super) stream_id: u32,
    /// `cust2vc`: from the browser; `vc2cust`: to it.
    pub(super) direction: &'static str,
    pub(super) rtp_packets: u64,
    pub(super) rtp_bytes: u64,
    /// Since the stream began; null where not measured.
    pub(super) packets_lost: Option<i64>,
    pub(super) key_frames: u64,
    pub(super) key_frame_requests: u64,
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use wire::plan::LegId;

    use super::*;

    #[test]
    fn a_line_has_the_37_fields_in_the_order_of_the_format() {
        let sample = Sample {
            leg: LegId(1),
            last: false,
            codec: None,
            received: Flow {
                rtp_packets: 3000,
                jitter_us: Some(125),
                packets_lost: Some(2),
                ..Flow::default()
            },
            sent: Flow::default(),
            rtt_us: None,
            mos: Some(4.399_6),
            inbound: None,
            outbound: None,
            ledger: Box::default(),
            video: Vec::new(),
        };
        let whose = Whose {
            connector_id: "abcdefghijklmnopqrstuv",
            region: "local",
            call_id: "1",
            from_user: "",
            to_user: "XXXXXXXXXX",
            endpoint_id: "e",
        };
        let line = serde_json::to_string(&MetricLine::of_party(whose, &sample, 1)).unwrap();
        let keys: Vec<&str> = line
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|k| k.contains('_'))
            .collect();
        let mut expected =
            "voice_connector_id event_timestamp call_id from_sip_user from_country to_sip_user \
            to_country endpoint_id aws_region"
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        for (inward, outward, side) in [("cust2vc", "vc2cust", "cust"), ("rem2vc", "vc2rem", "rem")]
        {
            for direction in [inward, outward] {
                for figure in [
                    "rtp_packets",
                    "rtp_bytes",
                    "rtcp_packets",
                    "rtcp_bytes",
                    "packets_lost",
                    "jitter",
                ] {
                    expected.push(format!("{direction}_{figure}"));
                }
            }
            expected.push(format!("rtt_btwn_vc_and_{side}"));
            expected.push(format!("mos_btwn_vc_and_{side}"));
        }
        assert_eq!(expected.len(), 37);
        assert_eq!(keys, expected);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["cust2vc_jitter"], 125);
        assert_eq!(value["mos_btwn_vc_and_cust"], 4.4);
        assert!(value["from_sip_user"].is_null());
        assert!(value["rem2vc_rtp_packets"].is_null());
    }
}
