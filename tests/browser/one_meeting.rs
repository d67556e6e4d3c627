//! The whole of it: a room system, a keypad phone and two browsers in one meeting.

use std::process::Command;
use std::time::Duration;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::page::Page;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};
use crate::support::sound::Sound;

const ADA: f64 = 500.0;
const BOB: f64 = 820.0;
const ROOM: f64 = 1270.0;
const PHONE: f64 = 1930.0;

/// `campanile call` by way of the spoken prompt: it keys the meeting id in, plays its tone and records.
fn keypad_phone(server: &Server, pin: &str) -> (Running, std::path::PathBuf) {
    let folder = server.scratch("keypad");
    let (tone, heard) = (folder.join("tone.wav"), folder.join("heard.wav"));
    Sound::tone(48_000, PHONE, 120.0, -12.0).write(&tone);
    let mut command: Command = campanile();
    command
        .args([
            "call",
            &format!("sip:u@{}", server.sip_tls()),
            "--insecure",
            "--codec",
            "pcmu",
            "--json",
        ])
        .args(["--dtmf", &format!("{pin}#"), "--duration", "120s"])
        .arg("--play")
        .arg(&tone)
        .arg("--record")
        .arg(&heard);
    (
        Running::start("campanile call", &mut command, &folder.join("log")),
        heard,
    )
}

#[test]
fn everybody_hears_everybody_and_the_browsers_see_each_other() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some(mut room) = Baresip::start(
        &server.scratch("room"),
        Phone::new("room", ROOM, Codec::Opus),
    ) else {
        return;
    };
    let Some(mut ada) = Page::open(&server.scratch("Ada"), "Ada", ADA) else {
        return;
    };
    let Some(mut bob) = Page::open(&server.scratch("Bob"), "Bob", BOB) else {
        return;
    };
    ada.join_well(&meeting.join_url, true);
    bob.join_well(&meeting.join_url, true);
    room.dial(&format!(
        "sip:{}@{};transport=tls",
        meeting.pin,
        server.sip_tls()
    ));
    let (mut keypad, keypad_heard) = keypad_phone(&server, &meeting.pin);

    ada.wait_for_moving_picture("Bob");
    bob.wait_for_moving_picture("Ada");
    // The keypad phone is through the prompt when the browsers see four parties.
    crate::support::wait_for(
        "four parties in the roster",
        Duration::from_secs(30),
        || (ada.people().len() == 4).then_some(()),
    );
    let all = [ADA, BOB, ROOM, PHONE];
    ada.wait_until_heard(&[BOB, ROOM, PHONE], &[ADA]);
    bob.wait_until_heard(&[ADA, ROOM, PHONE], &[BOB]);
    ada.screenshot(&std::env::temp_dir().join("campanile-one-meeting.png"));

    room.hang_up();
    keypad.signal("INT");
    let status = keypad.wait(Duration::from_secs(60));
    assert!(status.success(), "{}", keypad.output());
    for (name, sound, own) in [
        ("room", room.heard(), ROOM),
        ("keypad", Sound::read(&keypad_heard), PHONE),
    ] {
        for tone in all {
            let level = sound.tone_dbfs(tone);
            assert_eq!(
                sound.has_tone(tone),
                tone != own,
                "{name} hearing {tone} Hz at {level:.1} dB"
            );
        }
    }
    assert_eq!(ada.leave().ended.as_deref(), Some("left"));
    bob.wait_until_gone("Ada");
    assert_eq!(bob.leave().ended.as_deref(), Some("left"));
    records_join(&server, room.packets());
}

/// One metric line for each of the four, one call record for each of the two SIP calls, and one id for
/// what belongs together. `room` is what baresip counted itself: packets sent and received.
fn records_join(server: &Server, room: (u64, u64)) {
    let lines = crate::support::wait_for("four metric lines", Duration::from_secs(15), || {
        let lines = server.logs("aws/ChimeVoiceConnectorLogs");
        (lines.len() >= 4).then_some(lines)
    });
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for line in &lines {
        assert_eq!(line.as_object().unwrap().len(), 37);
        assert!(line["cust2vc_rtp_packets"].as_u64() > Some(100), "{line:#}");
        assert!(line["vc2cust_rtp_packets"].as_u64() > Some(100), "{line:#}");
        assert!(line["mos_btwn_vc_and_cust"].is_number(), "{line:#}");
        assert!(line["rtt_btwn_vc_and_cust"].is_number(), "{line:#}");
    }
    let of_room = lines
        .iter()
        .find(|line| line["from_sip_user"] == "room")
        .unwrap();
    for (ours, theirs) in [
        ("cust2vc_rtp_packets", room.0),
        ("vc2cust_rtp_packets", room.1),
    ] {
        assert!(
            crate::support::counts_agree(&of_room[ours], theirs),
            "{ours} is {}, by baresip {theirs}",
            of_room[ours]
        );
    }

    let records: Vec<serde_json::Value> = server
        .objects()
        .iter()
        .filter(|(key, _)| key.contains("Amazon-Chime-Voice-Connector-CDRs/json/"))
        .map(|(_, text)| serde_json::from_slice(text).unwrap())
        .collect();
    assert_eq!(records.len(), 2, "one record for each SIP call");
    let messages = server.logs("aws/ChimeVoiceConnectorSipMessages");
    for record in &records {
        let id = &record["TransactionId"];
        assert!(lines.iter().any(|line| line["call_id"] == *id));
        assert!(messages.iter().any(|message| message["call_id"] == *id));
    }
    let video = server.logs("campanile/VideoMetricLogs");
    for direction in ["cust2vc", "vc2cust"] {
        let streams = video.iter().filter(|line| line["direction"] == direction);
        assert!(
            streams
                .clone()
                .any(|line| line["rtp_packets"].as_u64() > Some(100)),
            "no video {direction}: {video:#?}"
        );
    }
}
