//! The voice connector's call record: one JSON object per SIP call (`reference: voice-connector.md` §1).

use call::ending::{Cause, Ending};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a call from its beginning, as the spool keeps it while the call runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct OpenCall {
    /// UUID.
    pub(super) transaction_id: String,
    /// The SIP `Call-ID`.
    pub(super) sip_call_id: String,
    /// Masked already.
    pub(super) from_user: String,
    /// Masked already.
    pub(super) to_user: String,
    /// The digest user, of a caller who was asked.
    #[serde(default)]
    pub(super) auth_user: Option<String>,
    /// `Outbound`: the customer's side called us, as a PBX calls the PSTN; `Inbound`: we called it.
    pub(super) direction: String,
    /// Milliseconds since the epoch.
    pub(super) started_ms: u64,
    /// Milliseconds since the epoch; `None` while it rings.
    pub(super) answered_ms: Option<u64>,
}

/// Who writes the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer<'a> {
    pub(super) account_id: &'a str,
    pub(super) connector_id: &'a str,
    pub(super) region: &'a str,
}

/// The record, field names and types as the old service wrote them. Unknown is null.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CallRecord {
    aws_account_id: String,
    transaction_id: String,
    /// The SIP `Call-ID`.
    call_id: String,
    voice_connector_id: String,
    /// `Completed` for an answered call, else `Failed`.
    status: &'static str,
    /// `OK`, or how the call ended.
    status_message: String,
    /// The digest user; null where none was asked for.
    sip_auth_user: Option<String>,
    /// From the answer to the end, rounded up to units of six seconds.
    billable_duration_seconds: u64,
    /// The same in tenths of a minute.
    billable_duration_minutes: f64,
    schema_version: &'static str,
    source_phone_number: Option<String>,
    source_country: Option<String>,
    destination_phone_number: Option<String>,
    destination_country: Option<String>,
    usage_type: String,
    service_code: &'static str,
    direction: String,
    start_time_epoch_seconds: u64,
    end_time_epoch_seconds: u64,
    region: String,
    streaming: bool,
}

/// How a call ended, as far as the record is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Closing {
    /// It ended while we watched.
    Ended(Ending),
    /// The process stopped without a word while the call ran; its end is the last moment it was seen.
    Interrupted,
}

impl CallRecord {
    /// The record of a call that ended at `ended_ms`.
    pub(super) fn new(
        call: &OpenCall,
        writer: Writer<'_>,
        closing: &Closing,
        ended_ms: u64,
    ) -> Self {
        let talk_ms = call
            .answered_ms
            .map_or(0, |answered| ended_ms.saturating_sub(answered));
        let units = talk_ms.div_ceil(UNIT_MS);
        Self {
            aws_account_id: writer.account_id.to_owned(),
            transaction_id: call.transaction_id.clone(),
            call_id: call.sip_call_id.clone(),
            voice_connector_id: writer.connector_id.to_owned(),
            status: if call.answered_ms.is_some() {
                "Completed"
            } else {
                "Failed"
            },
            status_message: message(closing),
            sip_auth_user: call.auth_user.clone(),
            billable_duration_seconds: units * UNIT_MS / 1000,
            billable_duration_minutes: units as f64 / 10.0,
            schema_version: "2.0",
            source_phone_number: known(&call.from_user),
            source_country: None,
            destination_phone_number: known(&call.to_user),
            destination_country: None,
            usage_type: format!("{}-meeting-minutes", writer.region),
            service_code: "AmazonChimeVoiceConnector",
            direction: call.direction.clone(),
            start_time_epoch_seconds: call.started_ms / 1000,
            end_time_epoch_seconds: ended_ms / 1000,
            region: writer.region.to_owned(),
            streaming: false,
        }
    }
}

/// The object key of a record, by the time at which the call ended.
pub(super) fn key(connector_id: &str, transaction_id: &str, ended_ms: u64) -> String {
    let time = utc(ended_ms);
    let date = time.strftime("%Y/%m/%d/%H.%M.%S");
    let ms = ended_ms % 1000;
    format!("Amazon-Chime-Voice-Connector-CDRs/json/{connector_id}/{date}.{ms:03}_{transaction_id}")
}

/// A point in time in UTC; one beyond the calendar is its end.
pub(super) fn utc(ms: u64) -> Timestamp {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

fn message(closing: &Closing) -> String {
    match closing {
        Closing::Ended(ending) if matches!(ending.cause, Cause::HungUp | Cause::WeHungUp) => {
            "OK".to_owned()
        }
        Closing::Ended(ending) => format!("{} ({})", ending.text, ending.side.as_str()),
        Closing::Interrupted => "the server stopped during the call (us)".to_owned(),
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Six seconds, the unit of billing.
const UNIT_MS: u64 = 6000;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(answered_ms: Option<u64>) -> OpenCall {
        OpenCall {
            transaction_id: "t".into(),
            sip_call_id: "c@h".into(),
            from_user: "alice".into(),
            to_user: String::new(),
            auth_user: None,
            direction: "Outbound".into(),
            started_ms: 1_000_000,
            answered_ms,
        }
    }

    const WRITER: Writer<'static> = Writer {
        account_id: "123456789012",
        connector_id: "vc",
        region: "local",
    };

    #[test]
    fn talk_time_is_rounded_up_to_six_seconds() {
        let closing = Closing::Ended(Ending::new(Cause::HungUp));
        let record = CallRecord::new(&call(Some(1_002_000)), WRITER, &closing, 1_006_001);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["BillableDurationSeconds"], 6);
        assert_eq!(json["BillableDurationMinutes"], 0.1);
        assert_eq!(json["Status"], "Completed");
        assert_eq!(json["StatusMessage"], "OK");
        assert_eq!(json["StartTimeEpochSeconds"], 1000);
        assert_eq!(json["EndTimeEpochSeconds"], 1006);
        assert!(json["DestinationPhoneNumber"].is_null());
        assert_eq!(json.as_object().unwrap().len(), 21);
    }

    #[test]
    fn a_call_that_was_never_answered_bills_nothing_and_says_why() {
        let closing = Closing::Ended(Ending::new(Cause::UnknownMeeting));
        let record = CallRecord::new(&call(None), WRITER, &closing, 2_000_000);
        assert_eq!(
            (record.billable_duration_seconds, record.status),
            (0, "Failed")
        );
        assert_eq!(record.status_message, "no such meeting (them)");
    }

    #[test]
    fn the_key_names_connector_date_time_and_transaction() {
        let key = key("vc", "t", 1_795_303_072_005);
        assert_eq!(
            key,
            "Amazon-Chime-Voice-Connector-CDRs/json/vc/2026/11/21/23.17.52.005_t"
        );
    }
}
