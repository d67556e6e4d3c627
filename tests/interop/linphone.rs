//! linphone: another stack's SDP, SDES, DTLS and jitter buffer, driven through its console; over every transport,
//! protection and codec that it shares with the server, as caller into a meeting and as the called party.
//!
//! linphone 5.1 takes no calls over TLS (its stack has no TLS server), so there it is a caller only.
//!
//! A bounded share runs with all tests; the whole is its own command, some minutes long:
//!
//! ```text
//! cargo nextest run --test interop --run-ignored only -E 'test(linphone)' --no-capture
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::pace;
use crate::support::peers::peer;
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};
use crate::support::sound::Sound;

/// How a linphone is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    tone: f64,
    /// `udp`, `tcp` or `tls`: where it takes calls. It calls over what the URI says.
    transport: &'static str,
    /// As linphone names it: `none`, `srtp` (SDES) or `dtls`; a call without it then fails.
    protection: &'static str,
    /// Its only codec.
    codec: Codec,
    answers: bool,
}

impl Setup {
    /// The ordinary one: TLS, SDES-SRTP required, Opus.
    pub(crate) fn new(tone: f64) -> Self {
        Self {
            tone,
            transport: "tls",
            protection: "srtp",
            codec: Codec::Opus,
            answers: false,
        }
    }
}

/// A running linphonec that plays a tone and records what it hears.
pub(crate) struct Linphone {
    folder: PathBuf,
    process: Running,
    /// Where it takes calls.
    address: SocketAddr,
}

impl Linphone {
    /// `None` after a loud line when linphone is not installed.
    fn start(folder: &Path, setup: Setup) -> Option<Self> {
        Self::start_with(folder, setup, "")
    }

    /// The same, with more in its configuration.
    pub(crate) fn start_with(folder: &Path, setup: Setup, more: &str) -> Option<Self> {
        let program = peer("linphonec")?;
        for needed in [".local/share/linphone", ".config/linphone", "certificates"] {
            fs::create_dir_all(folder.join(needed)).unwrap();
        }
        Sound::tone(16_000, setup.tone, 60.0, -12.0).write(&folder.join("tone.wav"));
        let (sip, rtp) = (free_port(), free_port() & !1);
        fs::write(
            folder.join("rc"),
            configuration(folder, setup, sip, rtp) + more,
        )
        .unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(folder.join("rc")).env("HOME", folder);
        if setup.answers {
            command.arg("-a");
        }
        let mut process = Running::start("linphonec", &mut command, &folder.join("log"));
        process.wait_for_output("linphonec>", Duration::from_secs(15));
        for line in [
            "ipv6 disable".into(),
            "soundcard use files".into(),
            format!("record {}", folder.join("heard.wav").display()),
        ] {
            process.say(&line);
            sleep(Duration::from_millis(500));
        }
        Some(Self {
            folder: folder.into(),
            process,
            address: (Ipv4Addr::LOCALHOST, sip).into(),
        })
    }

    pub(crate) fn dial(&mut self, uri: &str) {
        self.process.say(&format!("call {uri}"));
        self.talk();
    }

    /// Waits until a call has media, and plays the tone.
    fn talk(&mut self) {
        self.process
            .wait_for_output("Media streams established", Duration::from_secs(15));
        // It can choose what to play only in a call.
        self.process
            .say(&format!("play {}", self.folder.join("tone.wav").display()));
    }

    pub(crate) fn hang_up(&mut self) {
        self.process.say("terminate");
        self.leave();
    }

    /// Waits for the end of its call, and ends it.
    fn leave(&mut self) {
        self.process
            .wait_for_output("ended (", Duration::from_secs(10));
        self.process.say("quit");
        self.process.wait(Duration::from_secs(10));
    }

    pub(crate) fn heard(&self) -> Sound {
        Sound::read(&self.folder.join("heard.wav"))
    }
}

fn configuration(folder: &Path, setup: Setup, sip: u16, rtp: u16) -> String {
    let port = |transport| if setup.transport == transport { sip } else { 0 };
    let (udp, tcp, tls) = (port("udp"), port("tcp"), port("tls"));
    let protection = setup.protection;
    let mandatory = u8::from(protection != "none");
    let here = folder.display();
    // Whatever is not listed is on.
    let codecs: String = [
        ("opus", 48_000, Some(Codec::Opus)),
        ("G722", 8_000, Some(Codec::G722)),
        ("PCMU", 8_000, Some(Codec::Pcmu)),
        ("PCMA", 8_000, Some(Codec::Pcma)),
        ("speex", 8_000, None),
        ("speex", 16_000, None),
        ("speex", 32_000, None),
        ("GSM", 8_000, None),
        ("G729", 8_000, None),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (mime, rate, codec))| {
        let on = u8::from(codec == Some(setup.codec));
        format!("[audio_codec_{n}]\nmime={mime}\nrate={rate}\nenabled={on}\n")
    })
    .collect();
    format!(
        "[sip]
verify_server_certs=0
verify_server_cn=0
media_encryption={protection}
media_encryption_mandatory={mandatory}
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
use_ipv6=0
guess_hostname=1
contact=\"linphone\" <sip:linphone@127.0.0.1>
[misc]
user_certificates_path={here}/certificates
[rtp]
audio_rtp_port={rtp}
[video]
capture=0
display=0
automatically_initiate=0
[sound]
echocancellation=0
{codecs}"
    )
}

/// The peer itself, without the server: when this fails, linphone's set-up is at fault.
#[test]
fn linphone_and_baresip_hear_each_other_over_tls_and_sdes() {
    let folder = tempfile::tempdir().unwrap();
    let callee = Phone {
        answers: true,
        ..Phone::new("callee", 1000.0, Codec::Opus)
    };
    let Some(mut callee) = Baresip::start(&folder.path().join("callee"), callee) else {
        return;
    };
    let Some(mut caller) = Linphone::start(&folder.path().join("caller"), Setup::new(440.0)) else {
        return;
    };
    caller.dial(&format!("sip:callee@{};transport=tls", callee.address));
    pace::run_for(Duration::from_secs(4));
    caller.hang_up();
    callee.wait_for_end();
    assert!(
        caller.heard().has_tone(1000.0),
        "linphone did not hear baresip"
    );
    assert!(
        callee.heard().has_tone(440.0),
        "baresip did not hear linphone"
    );
}

#[test]
fn linphone_and_baresip_meet() {
    let server = Server::start(&[]);
    let uri = format!(
        "sip:{}@{};transport=tls",
        server.meeting_create().pin,
        server.sip_tls()
    );
    let Some(mut host) = Baresip::start(
        &server.scratch("host"),
        Phone::new("host", 1000.0, Codec::Opus),
    ) else {
        return;
    };
    let Some(mut guest) = Linphone::start(&server.scratch("guest"), Setup::new(440.0)) else {
        return;
    };
    host.dial(&uri);
    guest.dial(&uri);
    pace::run_for(Duration::from_secs(4));
    guest.hang_up();
    host.hang_up();
    assert!(
        guest.heard().has_tone(1000.0) && !guest.heard().has_tone(440.0),
        "what linphone heard is wrong"
    );
    assert!(
        host.heard().has_tone(440.0) && !host.heard().has_tone(1000.0),
        "what baresip heard is wrong"
    );
}

/// As linphone names it, and as `campanile call --srtp` does.
const PROTECTIONS: [(&str, &str); 3] = [("none", "off"), ("srtp", "require"), ("dtls", "dtls")];
const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
/// None near what the prompts play (520, 660 and 880 Hz), which splatters where a starved machine chops it, and
/// none near what three others make together in a codec (2·1700 − 2300 is 1100).
const TONES: [f64; 4] = [440.0, 1100.0, 1700.0, 2500.0];

/// linphones with tones of their own in one meeting, one of each of these ways; each must hear all others.
fn meet(ways: [(&'static str, &'static str, Codec); 4]) -> Option<()> {
    let server = Server::start(&[("sip.tls.srtp", "prefer")]);
    let pin = server.meeting_create().pin;
    let mut phones = Vec::new();
    for ((transport, protection, codec), tone) in ways.into_iter().zip(TONES) {
        let setup = Setup {
            tone,
            transport,
            protection,
            codec,
            answers: false,
        };
        let mut phone = Linphone::start(&server.scratch(&format!("{tone}")), setup)?;
        let ready = server.ready();
        let address = match transport {
            "udp" => ready.sip_udp,
            "tcp" => ready.sip_tcp,
            _ => ready.sip_tls,
        };
        phone.dial(&format!(
            "sip:{pin}@{};transport={transport}",
            address.unwrap()
        ));
        phones.push(phone);
    }
    // The last one's DTLS handshake begins only now, and a lost turn of it costs a second.
    pace::run_for(Duration::from_secs(7));
    for phone in &mut phones {
        phone.hang_up();
    }
    for (own, phone) in phones.iter().enumerate() {
        let heard = phone.heard();
        for (other, tone) in TONES.into_iter().enumerate() {
            assert_eq!(
                heard.has_tone(tone),
                other != own,
                "{:?} hearing {:?}: {}",
                ways[own],
                ways[other],
                phone.process.output()
            );
        }
    }
    Some(())
}

/// `campanile call` reaches a linphone that answers by itself: it must hear our tone, and we its.
fn called(transport: &'static str, protection: (&'static str, &str), codec: Codec) -> Option<()> {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        tone: 1000.0,
        transport,
        protection: protection.0,
        codec,
        answers: true,
    };
    let way = format!("{transport} {} {codec:?}", protection.0);
    let mut callee = Linphone::start(&folder.path().join("callee"), setup)?;
    let heard = folder.path().join("heard.wav");
    let mut command = campanile();
    command
        .args([
            "call",
            &format!("sip:linphone@{}", callee.address),
            "--json",
        ])
        .args(["--duration", "5s", "--transport", transport])
        .args(["--srtp", protection.1, "--codec"])
        .arg(format!("{codec:?}").to_lowercase())
        .arg("--record")
        .arg(&heard);
    let mut call = Running::start("call", &mut command, &folder.path().join("report.json"));
    callee.talk();
    let success = call.wait(Duration::from_secs(30)).success();
    let said = call.output();
    assert!(success, "{way}: {said}\n{}", callee.process.output());
    callee.leave();
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        report["srtp"].is_null(),
        protection.0 == "none",
        "{way}: {report:#}"
    );
    let at_callee = callee.heard();
    assert!(
        at_callee.has_tone(440.0) && !at_callee.has_tone(1000.0),
        "{way}: what linphone heard is wrong: {}",
        callee.process.output()
    );
    assert!(Sound::read(&heard).has_tone(1000.0), "{way}: {report:#}");
    Some(())
}

#[test]
fn linphones_of_each_transport_protection_and_codec_hear_each_other() {
    meet([
        ("udp", "none", Codec::Pcmu),
        ("tcp", "srtp", Codec::G722),
        ("tls", "dtls", Codec::Opus),
        ("tls", "srtp", Codec::Pcma),
    ]);
}

#[test]
fn a_called_linphone_hears_us_in_the_clear_and_by_srtp_of_either_kind() {
    for (transport, protection, codec) in [
        ("udp", PROTECTIONS[0], Codec::G722),
        ("tcp", PROTECTIONS[1], Codec::Pcma),
        ("udp", PROTECTIONS[2], Codec::Opus),
    ] {
        if called(transport, protection, codec).is_none() {
            return;
        }
    }
}

#[test]
#[ignore = "every way takes some minutes"]
fn matrix_of_all_ways_of_linphone_as_caller_and_called() {
    for transport in ["udp", "tcp", "tls"] {
        for protection in PROTECTIONS {
            if meet(CODECS.map(|codec| (transport, protection.0, codec))).is_none() {
                return;
            }
            eprintln!(
                "callers hear each other: {transport} {} {CODECS:?}",
                protection.0
            );
            if transport == "tls" {
                continue;
            }
            thread::scope(|scope| {
                for codec in CODECS {
                    scope.spawn(move || called(transport, protection, codec));
                }
            });
            eprintln!(
                "called, heard both ways: {transport} {} {CODECS:?}",
                protection.0
            );
        }
    }
}
