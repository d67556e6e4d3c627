use std::fs;
use std::path::Path;

use super::*;

const ID: &str = "0b2f6c5e-7a41-4c53-9d0e-5f6b1a2c3d4e";

fn write(data: &Path, group: &str, day: &str, lines: &[serde_json::Value]) {
    let folder = data.join("logs").join(group).join("vc");
    fs::create_dir_all(&folder).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.join(format!("{day}.jsonl")), text).unwrap();
}

fn sip(at: u64, call: Option<&str>, text: &str) -> serde_json::Value {
    serde_json::json!({
        "voice_connector_id": "vc", "aws_region": "local", "event_timestamp": at,
        "call_id": call, "sip_message": text,
    })
}

fn event(at: u64, more: serde_json::Value) -> serde_json::Value {
    let mut line = serde_json::json!({
        "voice_connector_id": "vc", "aws_region": "local", "event_timestamp": at, "call_id": ID,
    });
    if let serde_json::Value::Object(more) = more {
        for (name, value) in more {
            line[name] = value;
        }
    }
    line
}

fn way(at: u64, incoming: bool) -> serde_json::Value {
    event(
        at,
        serde_json::json!({"event": "sip", "incoming": incoming, "transport": "TLS",
            "local": "192.0.2.1:5061", "peer": "192.0.2.9:40000"}),
    )
}

const INVITE: &str = "INVITE sip:XXXXXXXXXX@meet.example.org SIP/2.0\r\nCSeq: 1 INVITE\r\n\
    Content-Type: application/sdp\r\nContent-Length: 999\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:XXXX\r\na=sendonly\r\n";
const OK: &str = "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n";

/// A data folder with one call over midnight, another call, and a message of no call.
fn folder() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let other = "11111111-7a41-4c53-9d0e-5f6b1a2c3d4e";
    let group = "aws/ChimeVoiceConnectorSipMessages";
    write(
        data.path(),
        group,
        "2026-11-21",
        &[
            sip(1000, None, "OPTIONS sip:a SIP/2.0\r\n\r\n"),
            sip(1000, Some(ID), INVITE),
            sip(1001, Some(other), OK),
            sip(
                1002,
                Some(ID),
                "SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n",
            ),
        ],
    );
    write(
        data.path(),
        group,
        "2026-11-22",
        &[
            sip(1002, Some(ID), OK),
            sip(61_002, Some(ID), "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n"),
        ],
    );
    write(
        data.path(),
        "campanile/CallEvents",
        "2026-11-22",
        &[
            event(
                1000,
                serde_json::json!({"event": "started", "party": "sip", "direction": "Outbound",
                    "sip_call_id": "a@b", "from_user": "alice", "to_user": "XXXXXXXXXX",
                    "peer": "192.0.2.9:40000"}),
            ),
            way(1000, true),
            way(1002, false),
            way(1002, false),
            event(1003, serde_json::json!({"event": "answered"})),
            way(61_002, true),
            event(
                61_002,
                serde_json::json!({"event": "media", "codec": "PCMU",
                    "inbound": {"loss_percent": 1.5, "burst_ratio": 1.2, "delay_ms": 70.0},
                    "outbound": null, "packets_in": 3010, "used": {"audio": 3000, "rtcp": 8},
                    "dropped": {"late": 2}, "packets_out": 3011}),
            ),
            event(
                61_003,
                serde_json::json!({"event": "ended", "side": "them", "cause": "HungUp",
                    "sip_status": null, "q850": 16, "text": "hung up"}),
            ),
        ],
    );
    write(
        data.path(),
        "aws/ChimeVoiceConnectorLogs",
        "2026-11-22",
        &[event(
            61_002,
            serde_json::json!({"cust2vc_rtp_packets": 3000, "cust2vc_packets_lost": 45,
                "cust2vc_jitter": 1250, "vc2cust_rtp_packets": 2999, "vc2cust_packets_lost": null,
                "vc2cust_jitter": null, "rtt_btwn_vc_and_cust": 40_100,
                "mos_btwn_vc_and_cust": 4.321}),
        )],
    );
    data
}

#[test]
fn a_calls_story_is_told_from_invite_to_ending() {
    let data = folder();
    let trace = Trace::read(data.path(), ID).unwrap();
    let text = trace.to_string();
    let position = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("no {what:?} in\n{text}"))
    };
    let order = [
        "sip, Outbound: alice → XXXXXXXXXX, by 192.0.2.9:40000",
        "INVITE sip:XXXXXXXXXX@meet.example.org─",
        "TLS, 192.0.2.9:40000 → 192.0.2.1:5061",
        "audio 192.0.2.9:4000 RTP/SAVP: PCMU/8000 [0], telephone-event/8000 [101]; SDES AES_CM_128_HMAC_SHA1_80; sendonly",
        "─100 Trying (INVITE)",
        "─200 OK (INVITE)",
        " answered ",
        "BYE sip:b─",
        "3000     45      1.2",
        "40.1  4.32",
        "datagrams in: 3010 = used (audio 3000, rtcp 8) + dropped (late 2); out: 3011",
        "ended after 60.003 s by them: hung up (HungUp), SIP status –, Q.850 16",
    ];
    let positions: Vec<usize> = order.into_iter().map(position).collect();
    assert!(positions.is_sorted(), "{text}");
    assert!(!text.contains("OPTIONS"), "{text}");
    // The answer goes the other way.
    let trying = text.lines().find(|line| line.contains("Trying")).unwrap();
    assert!(trying.contains('◄'), "{trying}");
    assert!(!text.contains("CSeq"), "{text}");
    assert!(Whole(&trace).to_string().contains("│ CSeq: 2 BYE"));
}

#[test]
fn what_is_not_there_is_said_and_not_made_up() {
    let data = folder();
    let missing = "22222222-7a41-4c53-9d0e-5f6b1a2c3d4e";
    assert!(matches!(
        Trace::read(data.path(), missing),
        Err(TraceError::Unknown { .. })
    ));
    assert!(matches!(
        Trace::read(data.path(), "../../etc/passwd"),
        Err(TraceError::NoId(_))
    ));
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(
        Trace::read(nothing.path(), ID),
        Err(TraceError::NoLogs { .. })
    ));
    fs::remove_dir_all(data.path().join("logs/aws")).unwrap();
    let trace = Trace::read(data.path(), ID).unwrap();
    let text = trace.to_string();
    assert!(text.contains("no SIP message was recorded"), "{text}");
    assert!(text.contains("no figures were recorded"), "{text}");
    let refused = trace.write_pcap(Vec::new());
    assert!(matches!(refused, Err(TraceError::NothingCaptured)));
}

#[test]
fn half_a_line_of_a_killed_process_and_a_message_without_its_way_spoil_nothing() {
    let data = folder();
    let path = data
        .path()
        .join("logs/campanile/CallEvents/vc/2026-11-22.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let whole: Vec<&str> = text.lines().collect();
    let cut = format!("{}\n{}", whole[..4].join("\n"), &whole[5][..100]);
    fs::write(&path, cut).unwrap();
    let trace = Trace::read(data.path(), ID).unwrap();
    let text = trace.to_string();
    assert!(text.contains("not ended as far as the logs tell"), "{text}");
    let mut file = Vec::new();
    let captured = trace.write_pcap(&mut file).unwrap();
    assert_eq!((captured.messages, captured.left_out), (3, 1));
}

#[test]
fn the_announced_length_of_a_masked_body_is_its_own() {
    let text = with_true_length(INVITE);
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert!(text.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert_eq!(with_true_length("no head"), "no head");
}
