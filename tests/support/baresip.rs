//! baresip as a phone without a person: plays a tone, records what it hears, takes commands over TCP.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::pace;
use super::peers::peer;
use super::ports::{free_port, free_port_pair};
use super::running::Running;
use super::sound::Sound;
use super::wait_for;

/// Calls are set up over loopback; this is for a machine that is busy.
const ANSWERING: Duration = Duration::from_secs(15);

/// How a phone is set up.
#[derive(Clone, Copy)]
pub(crate) struct Phone {
    /// User part of its address.
    pub(crate) name: &'static str,
    /// The tone that it plays, in Hz.
    pub(crate) tone: f64,
    /// Its only codec.
    pub(crate) codec: Codec,
    /// `tls`, `tcp` or `udp`.
    pub(crate) transport: &'static str,
    /// User and password for those who ask.
    pub(crate) account: Option<(&'static str, &'static str)>,
    /// `srtp-mand`, `srtp` (offers both), `srtp-mandf`, `dtls_srtp`, or empty for plain RTP.
    pub(crate) encryption: &'static str,
    /// Whether it offers ICE.
    pub(crate) ice: bool,
    /// Whether it answers calls by itself.
    pub(crate) answers: bool,
    /// Whether it says what it hears instead of its tone: [`Baresip::said`] is then what came out of all its buffers.
    pub(crate) echoes: bool,
}

impl Phone {
    /// The ordinary one: TLS, SDES-SRTP required.
    pub(crate) fn new(name: &'static str, tone: f64, codec: Codec) -> Self {
        Self {
            name,
            tone,
            codec,
            transport: "tls",
            account: None,
            encryption: "srtp-mand",
            ice: false,
            answers: false,
            echoes: false,
        }
    }
}

/// The codecs that baresip and the server share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Codec {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

impl Codec {
    /// As baresip writes it, with the rate and channels of the sound that it takes.
    fn name(self) -> (&'static str, u32, u16) {
        match self {
            Self::Opus => ("opus/48000/2", 48_000, 2),
            Self::G722 => ("G722/16000/1", 16_000, 1),
            Self::Pcmu => ("PCMU/8000/1", 8_000, 1),
            Self::Pcma => ("PCMA/8000/1", 8_000, 1),
        }
    }
}

/// A running baresip.
pub(crate) struct Baresip {
    folder: PathBuf,
    process: Running,
    control: TcpStream,
    /// Where it takes calls, by its transport.
    pub(crate) address: SocketAddr,
}

impl Baresip {
    /// Starts it in a folder of its own. `None` after a loud line when baresip is not installed.
    pub(crate) fn start(folder: &Path, phone: Phone) -> Option<Self> {
        let program = peer("baresip")?;
        pace::watch();
        fs::create_dir_all(folder).unwrap();
        let (sip, control) = (free_port_pair(), free_port());
        let (codec, rate, channels) = phone.codec.name();
        // Two minutes: the source must not end before the call does.
        if !phone.echoes {
            Sound::tone(rate, phone.tone, 120.0, -12.0)
                .write_channels(&folder.join("tone.wav"), channels);
        }
        let encryption = if phone.encryption.is_empty() {
            String::new()
        } else {
            format!(";mediaenc={}", phone.encryption)
        };
        let nat = if phone.ice { ";medianat=ice" } else { "" };
        let account = phone.account.map_or_else(String::new, |(user, password)| {
            format!(";auth_user={user};auth_pass={password}")
        });
        let answer = if phone.answers { "auto" } else { "manual" };
        fs::write(
            folder.join("accounts"),
            format!(
                "<sip:{}@127.0.0.1;transport={}>;regint=0;audio_codecs={codec};answermode={answer}{encryption}{nat}{account}\n",
                phone.name, phone.transport
            ),
        )
        .unwrap();
        fs::write(folder.join("contacts"), "").unwrap();
        let mut configuration = configuration(folder, sip, control);
        if phone.echoes {
            configuration = configuration
                .replace(
                    &format!("aufile,{}/tone.wav", folder.display()),
                    "aubridge,loop",
                )
                .replace(
                    "audio_player aubridge,nowhere",
                    "audio_player aubridge,loop",
                );
            // Its concealment for codecs without their own; it knows no stereo, and must come before the recorder.
            if channels == 1 {
                configuration =
                    configuration.replace("module sndfile.so", "module plc.so\nmodule sndfile.so");
            }
        }
        fs::write(folder.join("config"), configuration).unwrap();
        certificate(&folder.join("certificate.pem"));

        let mut process = Running::start(
            phone.name,
            Command::new(program).args(["-4", "-s", "-f"]).arg(folder),
            &folder.join("log"),
        );
        process.wait_for_output("baresip is ready", ANSWERING);
        let control = TcpStream::connect((Ipv4Addr::LOCALHOST, control)).unwrap();
        control
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let port = if phone.transport == "tls" {
            sip + 1
        } else {
            sip
        };
        Some(Self {
            folder: folder.into(),
            process,
            control,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
    }

    /// Calls and waits for the answer.
    pub(crate) fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
        self.process.wait_for_output("Call established", ANSWERING);
    }

    /// Calls and waits for the refusal; returns the reason that baresip shows, such as `404 Not Found`.
    pub(crate) fn dial_refused(&mut self, uri: &str) -> String {
        self.command("dial", uri);
        self.wait_for_end()
    }

    /// Waits until a call has ended; returns what baresip says of it.
    pub(crate) fn wait_for_end(&mut self) -> String {
        self.process.wait_for_output("session closed", ANSWERING);
        let output = self.process.output();
        let line = output
            .lines()
            .find(|line| line.contains("session closed"))
            .unwrap_or_default();
        line.rsplit("session closed: ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Presses keys, at the pace of a finger.
    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            sleep(Duration::from_millis(300));
        }
    }

    /// Hangs up, and waits until the recording is complete.
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
        self.process
            .wait_for_output("terminated (duration", ANSWERING);
    }

    /// What it heard in its call, from the recorder behind its decoder. Complete once the call is over.
    pub(crate) fn heard(&self) -> Sound {
        Sound::read(&self.recording("-dec.wav"))
    }

    /// What it said in its call, from the recorder before its encoder. Complete once the call is over.
    pub(crate) fn said(&self) -> Sound {
        Sound::read(&self.recording("-enc.wav"))
    }

    /// RTP packets that it counted in its last call: sent, received. Told when the call is over.
    pub(crate) fn packets(&self) -> (u64, u64) {
        let output = self.process.output();
        let line = output
            .lines()
            .rev()
            .find(|line| line.starts_with("packets:"))
            .unwrap();
        let mut figures = line
            .split_whitespace()
            .skip(1)
            .map(|figure| figure.parse().unwrap());
        (figures.next().unwrap(), figures.next().unwrap())
    }

    /// All that it wrote, with every SIP message.
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    fn recording(&self, ending: &str) -> PathBuf {
        let mut found: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().ends_with(ending))
            })
            .collect();
        found.sort();
        found.pop().expect("baresip recorded nothing")
    }

    /// One command in baresip's own words: a netstring with JSON in it.
    fn command(&mut self, command: &str, parameters: &str) {
        let json =
            serde_json::json!({ "command": command, "params": parameters, "token": command })
                .to_string();
        write!(self.control, "{}:{json},", json.len()).unwrap();
        // Its answers and events come back on the same connection; they are in its log, too.
        let mut answer = [0; 4096];
        let token = format!("\"token\":\"{command}\"");
        wait_for(&format!("baresip's answer to {command}"), ANSWERING, || {
            let count = match self.control.read(&mut answer) {
                // As a machine that was stopped does.
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                other => other.unwrap(),
            };
            String::from_utf8_lossy(&answer[..count])
                .replace(' ', "")
                .contains(&token)
                .then_some(())
        });
    }
}

fn configuration(folder: &Path, sip: u16, control: u16) -> String {
    let here = folder.display();
    format!(
        "poll_method epoll
sip_listen 127.0.0.1:{sip}
sip_certificate {here}/certificate.pem
net_interface 127.0.0.1
dns_server 127.0.0.1:53
call_local_timeout 30
audio_source aufile,{here}/tone.wav
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
jitter_buffer_delay 5-10
rtp_stats yes
opus_bitrate 28000
statmode_default off
snd_path {here}
ctrl_tcp_listen 127.0.0.1:{control}
module_path /usr/lib/baresip/modules
module opus.so
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module ice.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
"
    )
}

/// A certificate of its own for its TLS listener, which it wants even to call out.
fn certificate(path: &Path) {
    let key = path.with_extension("key");
    let wanted = path.with_extension("cnf");
    fs::write(&wanted, CERTIFICATE).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config"])
        .arg(&wanted)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(path)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let both = [fs::read(&key).unwrap(), fs::read(path).unwrap()].concat();
    fs::write(path, both).unwrap();
}

/// One that others may believe: it is no authority's.
const CERTIFICATE: &str = "[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = 127.0.0.1
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
";
