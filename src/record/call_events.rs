//! What happened to a call beside its SIP messages and its figures: a log of its own, from which `campanile trace`
//! tells the call's story. One JSON object per line, log group `/campanile/CallEvents/<connector>`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use media::measure::Sample;
use media::measure::emodel::Conditions;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CallEvent {
    pub(crate) voice_connector_id: String,
    pub(crate) aws_region: String,
    /// Milliseconds since the epoch.
    pub(crate) event_timestamp: u64,
    /// The transaction id.
    pub(crate) call_id: String,
    #[serde(flatten)]
    pub(crate) event: What,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum What {
    /// The call began.
    Started {
        /// `sip` or `browser`.
        party: String,
        /// `Outbound`: the party called us; `Inbound`: we called it.
        direction: String,
        sip_call_id: String,
        from_user: String,
        to_user: String,
        peer: SocketAddr,
    },
    /// How a message of the SIP message log travelled; it has the same time and place in order.
    Sip {
        incoming: bool,
        /// `UDP`, `TCP`, `TLS`; absent when its connection is gone.
        transport: Option<String>,
        local: Option<SocketAddr>,
        peer: SocketAddr,
    },
    /// It was answered.
    Answered,
    /// It is in a meeting.
    JoinedMeeting {
        meeting_id: String,
        attendee_id: String,
    },
    /// Something worth telling.
    Noted { what: String },
    /// Something was given up.
    GaveUp { what: String },
    /// A minute of media: what stands behind the line of the metric log with the same time.
    Media(Box<MediaMinute>),
    /// The one ending.
    Ended {
        side: String,
        cause: String,
        sip_status: Option<u16>,
        q850: Option<u8>,
        text: String,
    },
}

/// What a minute's figures rest on.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MediaMinute {
    pub(crate) codec: Option<String>,
    /// Conditions behind the opinion of what came in, and of what went out.
    pub(crate) inbound: Option<Behind>,
    pub(crate) outbound: Option<Behind>,
    /// Datagrams of this leg since it began, and what became of them: packets_in = used + dropped.
    pub(crate) packets_in: u64,
    pub(crate) used: BTreeMap<String, u64>,
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) packets_out: u64,
}

/// Loss after the jitter buffer, its bursts, and the delay (`spec.md` §4: Ppl, BurstR, Ta).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Behind {
    pub(crate) loss_percent: f64,
    pub(crate) burst_ratio: f64,
    pub(crate) delay_ms: f64,
}

impl MediaMinute {
    pub(super) fn of(sample: &Sample) -> Self {
        let some = |all: &mut dyn Iterator<Item = (&'static str, u64)>| {
            all.filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.to_owned(), count))
                .collect()
        };
        Self {
            codec: sample.codec.map(|codec| codec.encoding_name().to_owned()),
            inbound: sample.inbound.map(Behind::from),
            outbound: sample.outbound.map(Behind::from),
            packets_in: sample.ledger.packets_in(),
            used: some(&mut sample.ledger.consumption()),
            dropped: some(&mut sample.ledger.drops()),
            packets_out: sample.ledger.packets_out(),
        }
    }

    /// Whether every datagram is accounted for.
    pub(crate) fn balances(&self) -> bool {
        self.used.values().chain(self.dropped.values()).sum::<u64>() == self.packets_in
    }
}

impl From<Conditions> for Behind {
    fn from(conditions: Conditions) -> Self {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            loss_percent: round(conditions.loss_percent),
            burst_ratio: round(conditions.burst_ratio),
            delay_ms: round(conditions.delay_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_object_and_is_read_back() {
        let line = CallEvent {
            voice_connector_id: "vc".into(),
            aws_region: "local".into(),
            event_timestamp: 5,
            call_id: "c".into(),
            event: What::Ended {
                side: "them".into(),
                cause: "HungUp".into(),
                sip_status: None,
                q850: Some(16),
                text: "hung up".into(),
            },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(
            text,
            r#"{"voice_connector_id":"vc","aws_region":"local","event_timestamp":5,"call_id":"c","event":"ended","side":"them","cause":"HungUp","sip_status":null,"q850":16,"text":"hung up"}"#
        );
        assert_eq!(serde_json::from_str::<CallEvent>(&text).unwrap(), line);
        let minute = CallEvent {
            event: What::Media(Box::default()),
            ..line
        };
        let text = serde_json::to_string(&minute).unwrap();
        assert_eq!(serde_json::from_str::<CallEvent>(&text).unwrap(), minute);
    }
}
