//! baresip over every transport, protection and codec that it shares with the server: as caller into a meeting, and
//! as the called party of `campanile call`. What counts is what baresip heard.
//!
//! A bounded share runs with all tests; the whole is its own command, some minutes long:
//!
//! ```text
//! cargo nextest run -p campanile --test interop --run-ignored only -E 'test(matrix)' --no-capture
//! ```

use std::time::Duration;

use serde_json::Value;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::pace;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};
use crate::support::sound::Sound;

const TRANSPORTS: [&str; 3] = ["udp", "tcp", "tls"];
const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
/// As baresip names it, and as `campanile call --srtp` does.
const PROTECTIONS: [(&str, &str); 4] = [
    ("", "off"),
    ("srtp", "prefer"),
    ("srtp-mand", "require"),
    ("dtls_srtp", "dtls"),
];

/// One way to be reached.
#[derive(Clone, Copy, Debug)]
struct Way {
    transport: &'static str,
    protection: (&'static str, &'static str),
    codec: Codec,
}

fn ways() -> impl Iterator<Item = Way> {
    TRANSPORTS.into_iter().flat_map(|transport| {
        PROTECTIONS.into_iter().flat_map(move |protection| {
            CODECS.into_iter().map(move |codec| Way {
                transport,
                protection,
                codec,
            })
        })
    })
}

/// A way of each transport, protection and codec.
fn share() -> [Way; 4] {
    let way = |transport, protection: usize, codec| Way {
        transport,
        protection: PROTECTIONS[protection],
        codec,
    };
    [
        way("udp", 0, Codec::Pcmu),
        way("tcp", 1, Codec::Pcma),
        way("tls", 2, Codec::G722),
        way("udp", 3, Codec::Opus),
    ]
}

fn server() -> Server {
    Server::start(&[("sip.tls.srtp", "prefer")])
}

fn uri(server: &Server, pin: &str, transport: &str) -> String {
    let ready = server.ready();
    let address = match transport {
        "udp" => ready.sip_udp,
        "tcp" => ready.sip_tcp,
        _ => ready.sip_tls,
    };
    format!("sip:{pin}@{};transport={transport}", address.unwrap())
}

fn phone(name: &'static str, tone: f64, way: Way) -> Phone {
    Phone {
        transport: way.transport,
        encryption: way.protection.0,
        ..Phone::new(name, tone, way.codec)
    }
}

/// Phones with tones of their own in one meeting; each must hear all others, and not itself.
fn meet(server: &Server, ways: &[Way]) -> Option<()> {
    const NAMES: [&str; 4] = ["first", "second", "third", "fourth"];
    /// None near what the prompts play (520, 660 and 880 Hz), which splatters where a starved machine chops it, and
    /// none near what three others make together in a codec (2·1700 − 2300 is 1100).
    const TONES: [f64; 4] = [440.0, 1100.0, 1700.0, 2500.0];
    let meeting = server.meeting_create();
    let mut phones = Vec::new();
    for ((name, tone), way) in NAMES.into_iter().zip(TONES).zip(ways) {
        let folder = server.scratch(&format!("{name}-{}", meeting.pin));
        let mut phone = Baresip::start(&folder, phone(name, tone, *way))?;
        phone.dial(&uri(server, &meeting.pin, way.transport));
        phones.push(phone);
    }
    pace::run_for(Duration::from_secs(4));
    for phone in &mut phones {
        phone.hang_up();
    }
    for (own, phone) in phones.iter().enumerate() {
        let heard = phone.heard();
        for other in 0..phones.len() {
            assert_eq!(
                heard.has_tone(TONES[other]),
                other != own,
                "{:?} hearing {:?}: {}",
                ways[own],
                ways[other],
                phone.output()
            );
        }
        let protected = !ways[own].protection.0.is_empty();
        let output = phone.output();
        let says = output.contains("SRTP is Enabled") || output.contains("DTLS-SRTP complete");
        assert_eq!(says, protected, "{:?}: {output}", ways[own]);
    }
    Some(())
}

/// `campanile call` reaches a baresip that answers by itself: it must hear our tone, and we its.
fn called(folder: &std::path::Path, way: Way) -> Option<()> {
    let callee = Phone {
        answers: true,
        ..phone("callee", 1000.0, way)
    };
    let mut callee = Baresip::start(&folder.join("callee"), callee)?;
    let target = format!("sip:callee@{}", callee.address);
    let heard = folder.join("heard.wav");
    let codec = format!("{:?}", way.codec).to_lowercase();
    let mut command = campanile();
    command
        .args(["call", &target, "--insecure", "--json", "--duration", "4s"])
        .args(["--transport", way.transport, "--srtp", way.protection.1])
        .args(["--codec", &codec, "--record"])
        .arg(&heard);
    let mut call = Running::start("call", &mut command, &folder.join("report.json"));
    let success = call.wait(Duration::from_secs(30)).success();
    assert!(success, "{way:?}: {}\n{}", call.output(), callee.output());
    callee.wait_for_end();
    let report: Value = serde_json::from_str(&call.output()).unwrap();
    assert_eq!(
        report["srtp"].is_null(),
        way.protection.0.is_empty(),
        "{way:?}: {report:#}"
    );
    let at_callee = callee.heard();
    assert!(
        at_callee.has_tone(440.0) && !at_callee.has_tone(1000.0),
        "{way:?}: what baresip heard is wrong: {}",
        callee.output()
    );
    assert!(Sound::read(&heard).has_tone(1000.0), "{way:?}: {report:#}");
    Some(())
}

#[test]
fn callers_of_each_transport_protection_and_codec_hear_each_other() {
    meet(&server(), &share());
}

#[test]
fn called_parties_of_each_transport_protection_and_codec_hear_us() {
    for way in share() {
        let folder = tempfile::tempdir().unwrap();
        if called(folder.path(), way).is_none() {
            return;
        }
    }
}

#[test]
fn a_phone_that_offers_ice_is_answered_as_by_a_lite_agent_and_heard() {
    let server = server();
    let meeting = server.meeting_create();
    let way = Way {
        transport: "udp",
        protection: PROTECTIONS[0],
        codec: Codec::Pcmu,
    };
    let with_ice = Phone {
        ice: true,
        ..phone("ice", 440.0, way)
    };
    let Some(mut with_ice) = Baresip::start(&server.scratch("ice"), with_ice) else {
        return;
    };
    let Some(mut other) = Baresip::start(&server.scratch("other"), phone("other", 1000.0, way))
    else {
        return;
    };
    other.dial(&uri(&server, &meeting.pin, "udp"));
    with_ice.dial(&uri(&server, &meeting.pin, "udp"));
    pace::run_for(Duration::from_secs(5));
    with_ice.hang_up();
    other.hang_up();
    let output = with_ice.output();
    assert!(output.contains("a=ice-lite"), "{output}");
    assert!(with_ice.heard().has_tone(1000.0), "{output}");
    assert!(other.heard().has_tone(440.0), "{output}");
}

#[test]
#[ignore = "every way takes some minutes"]
fn matrix_of_all_ways_as_caller_and_called() {
    let server = server();
    for way in ways() {
        if meet(&server, &[way, way]).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        called(folder.path(), way);
        eprintln!("heard both ways, as caller and as called: {way:?}");
    }
}
