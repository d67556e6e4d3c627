//! linphone: another stack's SDP, SDES and jitter buffer, driven through its console.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::peers::peer;
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::sound::Sound;

/// A running linphonec that plays a tone and records what it hears.
pub(crate) struct Linphone {
    folder: PathBuf,
    process: Running,
}

impl Linphone {
    /// `None` after a loud line when linphone is not installed.
    fn start(folder: &Path, tone: f64) -> Option<Self> {
        Self::start_with(folder, tone, "")
    }

    /// The same, with more in its configuration.
    pub(crate) fn start_with(folder: &Path, tone: f64, more: &str) -> Option<Self> {
        let program = peer("linphonec")?;
        for needed in [".local/share/linphone", ".config/linphone"] {
            fs::create_dir_all(folder.join(needed)).unwrap();
        }
        Sound::tone(16_000, tone, 60.0, -12.0).write(&folder.join("tone.wav"));
        let (tls, rtp) = (free_port(), free_port() & !1);
        fs::write(folder.join("rc"), configuration(tls, rtp) + more).unwrap();
        let mut process = Running::start(
            "linphonec",
            Command::new(program)
                .arg("-c")
                .arg(folder.join("rc"))
                .env("HOME", folder),
            &folder.join("log"),
        );
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
        })
    }

    pub(crate) fn dial(&mut self, uri: &str) {
        self.process.say(&format!("call {uri}"));
        self.process
            .wait_for_output("Media streams established", Duration::from_secs(15));
        // It can choose what to play only in a call.
        self.process
            .say(&format!("play {}", self.folder.join("tone.wav").display()));
    }

    pub(crate) fn hang_up(&mut self) {
        self.process.say("terminate");
        self.process
            .wait_for_output("ended (", Duration::from_secs(10));
        self.process.say("quit");
        self.process.wait(Duration::from_secs(10));
    }

    pub(crate) fn heard(&self) -> Sound {
        Sound::read(&self.folder.join("heard.wav"))
    }
}

fn configuration(tls: u16, rtp: u16) -> String {
    format!(
        "[sip]
verify_server_certs=0
verify_server_cn=0
media_encryption=srtp
media_encryption_mandatory=1
sip_port=0
sip_tcp_port=0
sip_tls_port={tls}
use_ipv6=0
guess_hostname=1
contact=\"linphone\" <sip:linphone@127.0.0.1>
[rtp]
audio_rtp_port={rtp}
[video]
capture=0
display=0
automatically_initiate=0
[sound]
echocancellation=0
"
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
    let Some(mut caller) = Linphone::start(&folder.path().join("caller"), 440.0) else {
        return;
    };
    caller.dial(&format!("sip:callee@{};transport=tls", callee.address));
    sleep(Duration::from_secs(4));
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
    let Some(mut guest) = Linphone::start(&server.scratch("guest"), 440.0) else {
        return;
    };
    host.dial(&uri);
    guest.dial(&uri);
    sleep(Duration::from_secs(4));
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
