//! What the server wrote down of a call, against what the foreign phone counted itself.

use std::time::Duration;

use serde_json::Value;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::server::Server;
use crate::support::{counts_agree, pace, wait_for};

/// The 37 fields of the media quality metric log, in the words of the service that is followed.
const FIELDS: [&str; 37] = [
    "voice_connector_id",
    "event_timestamp",
    "call_id",
    "from_sip_user",
    "from_country",
    "to_sip_user",
    "to_country",
    "endpoint_id",
    "aws_region",
    "cust2vc_rtp_packets",
    "cust2vc_rtp_bytes",
    "cust2vc_rtcp_packets",
    "cust2vc_rtcp_bytes",
    "cust2vc_packets_lost",
    "cust2vc_jitter",
    "vc2cust_rtp_packets",
    "vc2cust_rtp_bytes",
    "vc2cust_rtcp_packets",
    "vc2cust_rtcp_bytes",
    "vc2cust_packets_lost",
    "vc2cust_jitter",
    "rtt_btwn_vc_and_cust",
    "mos_btwn_vc_and_cust",
    "rem2vc_rtp_packets",
    "rem2vc_rtp_bytes",
    "rem2vc_rtcp_packets",
    "rem2vc_rtcp_bytes",
    "rem2vc_packets_lost",
    "rem2vc_jitter",
    "vc2rem_rtp_packets",
    "vc2rem_rtp_bytes",
    "vc2rem_rtcp_packets",
    "vc2rem_rtcp_bytes",
    "vc2rem_packets_lost",
    "vc2rem_jitter",
    "rtt_btwn_vc_and_rem",
    "mos_btwn_vc_and_rem",
];

/// The log's lines of calls that are over, once there are as many as that.
fn metric_lines(server: &Server, calls: usize) -> Vec<Value> {
    wait_for("the metric log", Duration::from_secs(15), || {
        let lines = server.logs("aws/ChimeVoiceConnectorLogs");
        (lines.len() >= calls).then_some(lines)
    })
}

/// The call records, once there are as many as that.
fn call_records(server: &Server, calls: usize) -> Vec<Value> {
    let records = wait_for("the call records", Duration::from_secs(15), || {
        let records: Vec<_> = server
            .objects()
            .into_iter()
            .filter(|(key, _)| key.contains("Amazon-Chime-Voice-Connector-CDRs/json/"))
            .collect();
        (records.len() >= calls).then_some(records)
    });
    records
        .iter()
        .map(|(_, text)| serde_json::from_slice(text).unwrap())
        .collect()
}

fn talk(phone: &mut Baresip, server: &Server, pin: &str) {
    phone.dial(&format!("sip:{pin}@{};transport=tls", server.sip_tls()));
    pace::run_for(Duration::from_secs(7));
    phone.hang_up();
}

#[test]
fn a_call_leaves_its_figures_its_messages_and_one_record_all_under_one_id() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("phone");
    let Some(mut phone) = Baresip::start(&folder, Phone::new("phone", 440.0, Codec::Opus)) else {
        return;
    };
    talk(&mut phone, &server, &meeting.pin);

    let lines = metric_lines(&server, 1);
    assert_eq!(
        lines.len(),
        1,
        "a call of less than a minute has one line: {lines:#?}"
    );
    let line = lines[0].as_object().unwrap();
    let mut names: Vec<_> = line.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut expected = FIELDS.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);

    let (sent, received) = phone.packets();
    for (ours, theirs) in [
        ("cust2vc_rtp_packets", sent),
        ("vc2cust_rtp_packets", received),
    ] {
        let ours_counted = &line[ours];
        assert!(
            counts_agree(ours_counted, theirs),
            "{ours} is {ours_counted}, by baresip {theirs}"
        );
    }
    assert_eq!(line["cust2vc_packets_lost"], 0);
    // What a machine that stands still every now and then does to a call is in its figures, as it should be.
    let steady = pace::longest_stall() < Duration::from_millis(50);
    let (most_jitter, least_opinion) = if steady { (20_000.0, 4.0) } else { (1e6, 1.0) };
    let figure = |name: &str| line[name].as_f64().unwrap();
    let (jitter, opinion) = (figure("cust2vc_jitter"), figure("mos_btwn_vc_and_cust"));
    assert!((0.0..most_jitter).contains(&jitter), "{line:#?}");
    assert!((least_opinion..=4.41).contains(&opinion), "{line:#?}");
    for (name, value) in line.iter().filter(|(name, _)| name.contains("rem")) {
        assert!(
            value.is_null(),
            "a meeting has no remote side, yet {name} is {value}"
        );
    }
    let id = line["call_id"].as_str().unwrap();

    let records = call_records(&server, 1);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["TransactionId"], id);
    assert_eq!(records[0]["Status"], "Completed");

    let messages: Vec<_> = server
        .logs("aws/ChimeVoiceConnectorSipMessages")
        .into_iter()
        .filter(|message| message["call_id"] == id)
        .map(|message| message["sip_message"].as_str().unwrap().to_owned())
        .collect();
    for start in ["INVITE ", "SIP/2.0 200 ", "ACK ", "BYE "] {
        assert!(
            messages.iter().any(|message| message.starts_with(start)),
            "no {start}in {messages:#?}"
        );
    }
    assert!(
        messages
            .iter()
            .any(|message| message.contains("XXXXXXXXXX")),
        "the PIN is nowhere masked"
    );
    let key = phone.output().lines().find_map(|line| {
        line.split_once("inline:")
            .map(|(_, key)| key.trim().to_owned())
    });
    let key = key.expect("baresip offered no key");
    let everything = format!("{}{lines:?}{records:?}{messages:?}", server.log());
    assert!(!everything.contains(&key), "an SDES key is in a log");
    assert!(!everything.contains(&meeting.pin), "the PIN is in a log");
}

#[test]
fn a_server_that_was_killed_in_mid_call_still_leaves_one_record_for_the_call() {
    let mut server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("phone");
    let Some(mut phone) = Baresip::start(&folder, Phone::new("phone", 440.0, Codec::Pcmu)) else {
        return;
    };
    phone.dial(&format!(
        "sip:{}@{};transport=tls",
        meeting.pin,
        server.sip_tls()
    ));
    std::thread::sleep(Duration::from_secs(2));
    server.kill();
    server.start_again();
    let records = call_records(&server, 1);
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0]["TransactionId"].is_string());
}
