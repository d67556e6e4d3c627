//! The story of a real call as `campanile trace` tells it, and the secrets that nothing tells.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::capture::tshark;
use crate::support::server::{Server, campanile};
use crate::support::{pace, wait_for};

/// Runs `campanile trace`; returns what it prints.
fn trace(server: &Server, arguments: &[&str]) -> String {
    let output = campanile()
        .arg("trace")
        .args(arguments)
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// One call by TLS and SDES-SRTP into a meeting, hung up by the phone. Its transaction id, once it is over and recorded.
fn call(server: &Server, phone: &mut Baresip, pin: &str) -> String {
    phone.dial(&format!("sip:{pin}@{};transport=tls", server.sip_tls()));
    pace::run_for(Duration::from_secs(6));
    phone.hang_up();
    wait_for("the end of the call", Duration::from_secs(15), || {
        let ended = |line: &Value| line["event"] == "ended";
        let events = server.logs("campanile/CallEvents");
        let line = events.into_iter().rfind(ended)?;
        Some(line["call_id"].as_str()?.to_owned())
    })
}

#[test]
fn a_real_calls_story_is_told_and_its_capture_is_read_by_tshark() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("phone");
    let Some(mut phone) = Baresip::start(&folder, Phone::new("phone", 440.0, Codec::Pcmu)) else {
        return;
    };
    let id = call(&server, &mut phone, &meeting.pin);
    let pcap = folder.join("call.pcap");
    let text = trace(&server, &[&id, "--pcap", &pcap.to_string_lossy()]);
    eprintln!("{text}");
    let mut rest = text.as_str();
    for part in [
        "sip, Outbound: phone → XXXXXXXXXX",
        "INVITE sip:XXXXXXXXXX@",
        "TLS, ",
        "PCMU/8000 [0]",
        "SDES AES_CM_128_HMAC_SHA1_80",
        "200 OK (INVITE)",
        "SDES AES_CM_128_HMAC_SHA1_80",
        "BYE sip:",
        "codec PCMU",
        "= used (audio ",
        "rtcp ",
        "ended after ",
        "by them: hung up (HungUp), SIP status –, Q.850 16",
    ] {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("no {part:?} after that in\n{text}"))..];
    }
    assert!(!text.contains("DOES NOT BALANCE"), "{text}");
    // The same figures as in the metric log.
    let line = server.logs("aws/ChimeVoiceConnectorLogs").pop().unwrap();
    assert!(
        text.contains(&format!(" {} ", line["cust2vc_rtp_packets"])),
        "{text}"
    );

    let fields = [
        "-Y",
        "sip",
        "-T",
        "fields",
        "-e",
        "sip.Method",
        "-e",
        "sip.Status-Code",
    ];
    let Some(seen) = tshark(&pcap, &fields) else {
        return;
    };
    let words: Vec<&str> = seen.split_whitespace().collect();
    let recorded = server
        .logs("aws/ChimeVoiceConnectorSipMessages")
        .iter()
        .filter(|message| message["call_id"] == id.as_str())
        .count();
    assert_eq!(
        words.len(),
        recorded,
        "tshark reads every message: {words:?}"
    );
    let places: Vec<_> = ["INVITE", "200", "ACK", "BYE"]
        .iter()
        .map(|word| words.iter().position(|seen| seen == word))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{words:?}"
    );
    let malformed = tshark(&pcap, &["-Y", "_ws.malformed"]).unwrap();
    assert_eq!(malformed, "", "a malformed packet");
    // Offer and answer are read as SDP.
    let media = tshark(&pcap, &["-Y", "sdp", "-T", "fields", "-e", "sdp.media"]).unwrap();
    assert_eq!(media.matches("audio").count(), 2, "{media}");
}

#[test]
fn a_call_of_which_nothing_is_known_is_said_so_with_exit_code_1() {
    let server = Server::start(&[]);
    for id in ["0b2f6c5e-7a41-4c53-9d0e-5f6b1a2c3d4e", "../../etc/passwd"] {
        let output = campanile()
            .args(["trace", id, "--data"])
            .arg(server.data())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.starts_with("campanile: "), "{words}");
    }
}

/// Secrets that only these tests know, in every place of a SIP message where one may stand.
const PLANTED: &str = "OPTIONS sip:SERVER SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1:PORT;branch=z9hG4bKplanted\r\n\
    Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:SERVER>\r\n\
    Call-ID: planted@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n\
    Authorization: Digest username=\"planteduser\", realm=\"r\", nonce=\"plantednonce\", uri=\"sip:x\", \
    response=\"plantedresponse\", cnonce=\"plantedcnonce\"\r\n\
    Proxy-Authorization : Digest response=\"plantedproxy\"\r\n\
    Content-Type: application/sdp\r\nContent-Length: LENGTH\r\n\r\n";
const PLANTED_BODY: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    k=clear:plantedkline\r\nm=audio 4000 RTP/SAVP 0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:plantedicepasswordplanted\r\na=key-mgmt:mikey plantedmikey\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:plantedcryptokeyplantedcryptokeyplantedx|2^20|1:4\r\n";

/// Of a listener: a password, and the hash of one.
const PLANTED_USERS: &str =
    r#"["planted:plantedlistenerpassword", "other:{MD5}0123456789ABCDEF0123456789abcdef"]"#;

#[test]
fn no_secret_of_a_whole_call_is_in_any_output() {
    let server = Server::start(&[("log.level", "trace"), ("sip.tcp.users", PLANTED_USERS)]);
    let meeting = server.meeting_create();
    let folder = server.scratch("phone");
    let Some(mut phone) = Baresip::start(&folder, Phone::new("phone", 440.0, Codec::Opus)) else {
        return;
    };
    let sip = server.ready().sip_udp.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = PLANTED
        .replace("SERVER", &sip.to_string())
        .replace("PORT", &socket.local_addr().unwrap().port().to_string())
        .replace("LENGTH", &PLANTED_BODY.len().to_string());
    let message = format!("{text}{PLANTED_BODY}");
    socket.send_to(message.as_bytes(), sip).unwrap();
    // The same as something that cannot be read at all.
    let broken = message.replace("SIP/2.0\r\nVia", "SIP/7\r\nVia");
    socket.send_to(broken.as_bytes(), sip).unwrap();

    let id = call(&server, &mut phone, &meeting.pin);
    let pcap = folder.join("call.pcap");
    let trace = trace(
        &server,
        &[&id, "--messages", "--pcap", &pcap.to_string_lossy()],
    );
    wait_for(
        "the planted message in the log",
        Duration::from_secs(10),
        || {
            let planted = |line: &Value| {
                line["sip_message"]
                    .as_str()
                    .is_some_and(|m| m.contains("z9hG4bKplanted"))
            };
            let all = server.logs("aws/ChimeVoiceConnectorSipMessages");
            (all.iter().filter(|line| planted(line)).count() >= 2).then_some(())
        },
    );

    let mut secrets: Vec<String> = [
        "planteduser",
        "plantednonce",
        "plantedresponse",
        "plantedcnonce",
        "plantedproxy",
        "plantedkline",
        "plantedicepassword",
        "plantedmikey",
        "plantedcryptokey",
        "plantedlistenerpassword",
        "0123456789ABCDEF",
        "0123456789abcdef",
    ]
    .map(str::to_owned)
    .into();
    // Both sides' keys of the real call, as the phone saw them.
    let keys: Vec<String> = phone
        .output()
        .split("inline:")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| !c.is_whitespace() && *c != '|')
                .collect()
        })
        .collect();
    assert!(keys.len() >= 2, "the phone saw {} keys", keys.len());
    secrets.extend(keys);
    secrets.push(meeting.pin.clone());
    secrets.push(server.credentials().secret_access_key);

    let mut outputs: Vec<(String, Vec<u8>)> = vec![
        ("the server's log".into(), server.log().into_bytes()),
        ("campanile trace".into(), trace.into_bytes()),
        ("the capture".into(), fs::read(&pcap).unwrap()),
        ("/metrics".into(), server.metrics().into_bytes()),
    ];
    for part in ["logs", "objects", "spool"] {
        collect(&server.data().join(part), &mut outputs);
    }
    assert!(outputs.len() >= 8, "{}", outputs.len());
    let size: usize = outputs.iter().map(|(_, bytes)| bytes.len()).sum();
    eprintln!(
        "{} secrets searched for in {} outputs of {size} octets",
        secrets.len(),
        outputs.len()
    );
    for secret in &secrets {
        assert!(
            secret.len() >= 9,
            "{secret:?} is too short to be searched for"
        );
        for (name, bytes) in &outputs {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

fn collect(path: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), into);
        }
    } else if let Ok(bytes) = fs::read(path) {
        into.push((path.display().to_string(), bytes));
    }
}
