//! SIPp: a phone that does exactly what its scenario says, over UDP, TCP, and TLS by stunnel.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::sound::Sound;
use crate::support::wait_for;

/// RTP packets in the three seconds that are played, 20 ms each.
const PLAYED: u64 = 150;

/// What SIPp is to do.
pub(crate) enum Scenario {
    /// Call, play, hang up.
    Call,
    /// The same for so many seconds, with media that comes to the server from another address than SIPp's, which
    /// the offer names.
    CallFrom(SocketAddr, f64),
    /// Call and be refused with this status.
    Refused(u16),
    /// Call and be refused because there is no room, with the seconds after which to try again.
    Full,
    /// Be asked for the password of `ann`, answer with this one, call and hang up.
    Digest(&'static str),
    /// The same, and be refused.
    DigestRefused(&'static str),
}

/// Runs SIPp once. `None` when it is missing; else whether every step went as the scenario says, with its words.
pub(crate) fn sipp(
    folder: &Path,
    scenario: &Scenario,
    transport: &str,
    to: SocketAddr,
    user: &str,
) -> Option<(bool, String)> {
    let program = peer("sipp")?;
    let sources = repository().join("tests/interop");
    let call = |seconds: f64| {
        let sound = folder.join("sound.ul");
        fs::write(&sound, mu_law(&Sound::tone(8000, 440.0, seconds, -12.0))).unwrap();
        // One second more, in which the last packets arrive.
        let pause = (seconds * 1000.0) as u64 + 1000;
        fs::read_to_string(sources.join("sipp-call.xml"))
            .unwrap()
            .replace("\"SOUND,", &format!("\"{},", sound.display()))
            .replace("\"PAUSE\"", &format!("\"{pause}\""))
    };
    let text = match scenario {
        Scenario::Call => call(3.0),
        Scenario::CallFrom(media, seconds) => call(*seconds)
            .replace("IP4 [media_ip]", &format!("IP4 {}", media.ip()))
            .replace(
                "audio [rtpstream_audio_port]",
                &format!("audio {}", media.port()),
            ),
        Scenario::Refused(status) => fs::read_to_string(sources.join("sipp-refused.xml"))
            .unwrap()
            .replace("STATUS", &status.to_string()),
        Scenario::Full => fs::read_to_string(sources.join("sipp-refused.xml"))
            .unwrap()
            .replace("<recv response=\"STATUS\" />", FULL)
            .replace(
                "</scenario>",
                "<Reference variables=\"after\" /></scenario>",
            ),
        Scenario::Digest(password) => fs::read_to_string(sources.join("sipp-digest.xml"))
            .unwrap()
            .replace("PASSWORD", password),
        Scenario::DigestRefused(password) => {
            fs::read_to_string(sources.join("sipp-digest-refused.xml"))
                .unwrap()
                .replace("PASSWORD", password)
        }
    };
    let file = folder.join("scenario.xml");
    fs::write(&file, text).unwrap();
    let (local, media) = (free_port(), free_port() & !1);
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args([
            "-t",
            transport,
            "-i",
            "127.0.0.1",
            "-mi",
            "127.0.0.1",
            "-m",
            "1",
            "-nostdin",
        ])
        .args([
            "-p",
            &local.to_string(),
            "-mp",
            &media.to_string(),
            "-s",
            user,
        ])
        .args([
            "-recv_timeout",
            "10000",
            "-timeout",
            "60",
            "-timeout_error",
            "-trace_err",
        ])
        .arg("-sf")
        .arg(&file)
        .arg(to.to_string());
    let log = folder.join("sipp.log");
    let mut running = Running::start("sipp", &mut command, &log);
    let status = running.wait(Duration::from_secs(70));
    let mut words = running.output();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("_errors.log") {
            words.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    Some((status.success(), words))
}

/// 503 with the seconds of Retry-After.
const FULL: &str = r#"<recv response="503"><action>
  <ereg regexp="^ *[1-9][0-9]*" search_in="hdr" header="Retry-After:" check_it="true" assign_to="after" />
</action></recv>"#;

/// G.711 µ-law of 8 kHz sound (ITU-T G.711), octet by octet.
pub(crate) fn mu_law(sound: &Sound) -> Vec<u8> {
    let encode = |sample: &f64| {
        let magnitude = ((sample.abs() * 8159.0) as u32).min(8158) + 33;
        let segment = 31 - magnitude.leading_zeros() - 5;
        let step = (magnitude >> (segment + 1)) & 0x0f;
        let sign = if *sample < 0.0 { 0x00 } else { 0x80 };
        !((segment << 4 | step) as u8) & 0x7f | sign
    };
    sound.samples.iter().map(encode).collect()
}

/// A TLS client in front of SIPp, which has TLS of its own only in other builds. `None` when it is missing.
pub(crate) fn stunnel(folder: &Path, to: SocketAddr) -> Option<(Running, SocketAddr)> {
    let program = peer("stunnel4")?;
    let here: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let file = folder.join("stunnel.conf");
    fs::write(
        &file,
        format!("foreground = yes\npid =\n[sip]\nclient = yes\naccept = {here}\nconnect = {to}\nsslVersionMin = TLSv1.2\n"),
    )
    .unwrap();
    let mut running = Running::start(
        "stunnel",
        Command::new(program).arg(&file),
        &folder.join("stunnel.log"),
    );
    running.wait_for_output("Configuration successful", Duration::from_secs(10));
    Some((running, here))
}

/// RTP packets of all parties that the server says it received, once the call's last line is there.
fn packets_in_the_log(server: &Server) -> u64 {
    wait_for(
        "the metric log of the call",
        Duration::from_secs(15),
        || {
            let lines = server.logs("ChimeVoiceConnectorLogs");
            let total = lines
                .iter()
                .filter_map(|line| line["cust2vc_rtp_packets"].as_u64())
                .sum();
            (!lines.is_empty()).then_some(total)
        },
    )
}

#[test]
fn a_plain_phone_over_udp_talks_and_every_packet_is_counted() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let Some((well, words)) = sipp(
        &folder,
        &Scenario::Call,
        "u1",
        server.ready().sip_udp.unwrap(),
        &meeting.pin,
    ) else {
        return;
    };
    assert!(well, "{words}");
    assert_eq!(packets_in_the_log(&server), PLAYED);
}

#[test]
fn a_plain_phone_over_tcp_talks() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let Some((well, words)) = sipp(
        &folder,
        &Scenario::Call,
        "t1",
        server.ready().sip_tcp.unwrap(),
        &meeting.pin,
    ) else {
        return;
    };
    assert!(well, "{words}");
    assert_eq!(packets_in_the_log(&server), PLAYED);
}

#[test]
fn over_tls_a_call_in_the_clear_is_taken_only_where_that_is_configured() {
    let server = Server::start(&[("sip.tls.srtp", "prefer")]);
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let Some((_stunnel, tls)) = stunnel(&folder, server.sip_tls()) else {
        return;
    };
    let Some((well, words)) = sipp(&folder, &Scenario::Call, "t1", tls, &meeting.pin) else {
        return;
    };
    assert!(well, "{words}");
}

#[test]
fn over_tls_a_call_in_the_clear_is_refused_with_488() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let Some((_stunnel, tls)) = stunnel(&folder, server.sip_tls()) else {
        return;
    };
    let Some((well, words)) = sipp(&folder, &Scenario::Refused(488), "t1", tls, &meeting.pin)
    else {
        return;
    };
    assert!(well, "{words}");
}

#[test]
fn an_unknown_meeting_is_404() {
    let server = Server::start(&[]);
    let folder = server.scratch("sipp");
    let refused = Scenario::Refused(404);
    let Some((well, words)) = sipp(
        &folder,
        &refused,
        "u1",
        server.ready().sip_udp.unwrap(),
        "0000000000",
    ) else {
        return;
    };
    assert!(well, "{words}");
}
