//! `campanile call`: arguments to a scripted call, and its report to the terminal.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use call::authenticate::{Account, Password};
use call::exchange::Transport;
use call::negotiate::phone::{Keying, SrtpPolicy};
use clap::{Args, ValueEnum};
use wire::plan::{AudioCodec, SrtpProfile};

use crate::node::caller::{self, Options, Trust};

/// What can be said after `campanile call`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Whom to call: sip:<meeting id>@<server>, or sip:u@<server> to be asked for the id.
    uri: String,
    /// How to reach them where the URI does not say; auto: as DNS says.
    #[arg(long, value_enum, default_value_t = Carrier::Tls)]
    transport: Carrier,
    /// Who we are to a server that asks; the password is in CAMPANILE_CALL_PASSWORD, or in a file.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file whose first line is the password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Ask this name server instead of the machine's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    name_server: Option<SocketAddr>,
    /// Whether media is protected: require and dtls insist (with keys in SDP, or from DTLS), prefer takes plain RTP
    /// too, off offers nothing else.
    #[arg(long, value_enum, default_value_t = Srtp::Require)]
    srtp: Srtp,
    /// Offer this crypto suite only, by its name in SDP, such as AES_256_CM_HMAC_SHA1_80.
    #[arg(long, value_parser = suite)]
    suite: Option<SrtpProfile>,
    /// Offer this codec only.
    #[arg(long, value_enum)]
    codec: Option<Codec>,
    /// Say this WAV file over and over (8, 16, 24 or 48 kHz, 16 bits); without it, a tone of 440 Hz.
    #[arg(long, value_name = "FILE")]
    play: Option<PathBuf>,
    /// Keep what is heard as a WAV file (48 kHz).
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Press these keys a second after the answer: 0-9, *, #, A-D.
    #[arg(long, value_name = "DIGITS")]
    dtmf: Option<String>,
    /// How long to talk, such as 10s, 500ms or 2m.
    #[arg(long, default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Believe the certificates in this PEM file.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Believe any certificate.
    #[arg(long)]
    insecure: bool,
    /// Print the report as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Carrier {
    Auto,
    Tls,
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Srtp {
    Require,
    Dtls,
    Prefer,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Codec {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

/// Makes the call. Success means that it was answered and audio flowed both ways.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let json = arguments.json;
    let options = match arguments.into_options() {
        Ok(options) => options,
        Err(why) => return fail(&why),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no event loop: {error}")),
    };
    let report = match runtime.block_on(caller::run(options)) {
        Ok(report) => report,
        Err(error) => return fail(&error.to_string()),
    };
    let text = if json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.to_string()
    };
    // A reader that has gone does not change how the call went.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    if report.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Arguments {
    fn into_options(self) -> Result<Options, String> {
        let account = match self.user {
            None => None,
            Some(user) => Some(Account {
                user,
                password: password(self.password_file.as_deref())?,
            }),
        };
        Ok(Options {
            uri: self.uri,
            account,
            transport: match self.transport {
                Carrier::Auto => None,
                Carrier::Tls => Some(Transport::Tls),
                Carrier::Tcp => Some(Transport::Tcp),
                Carrier::Udp => Some(Transport::Udp),
            },
            name_server: self.name_server,
            srtp: match self.srtp {
                Srtp::Require | Srtp::Dtls => SrtpPolicy::Require,
                Srtp::Prefer => SrtpPolicy::Prefer,
                Srtp::Off => SrtpPolicy::Off,
            },
            keying: match self.srtp {
                Srtp::Dtls => Keying::Dtls,
                _ => Keying::Sdes,
            },
            suite: self.suite,
            codec: self.codec.map(|codec| match codec {
                Codec::Opus => AudioCodec::Opus,
                Codec::G722 => AudioCodec::G722,
                Codec::Pcmu => AudioCodec::Pcmu,
                Codec::Pcma => AudioCodec::Pcma,
            }),
            play: self.play,
            record: self.record,
            dtmf: self.dtmf,
            duration: self.duration,
            trust: match (self.insecure, self.ca) {
                (true, _) => Trust::Nobody,
                (false, Some(path)) => Trust::File(path),
                (false, None) => Trust::System,
            },
            progress: !self.json,
        })
    }
}

/// A password is never an argument: those are seen by everybody on the machine.
fn password(file: Option<&Path>) -> Result<Password, String> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?,
        None => std::env::var(PASSWORD).map_err(|_| {
            format!("--user needs a password: name a file by --password-file, or set {PASSWORD}")
        })?,
    };
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err("the password is empty".to_owned());
    }
    Ok(Password::new(line))
}

/// The environment variable with the password of `--user`.
const PASSWORD: &str = "CAMPANILE_CALL_PASSWORD";

fn suite(text: &str) -> Result<SrtpProfile, String> {
    SrtpProfile::of_suite(text).ok_or_else(|| {
        let names: Vec<_> = SrtpProfile::ALL.iter().map(|p| p.suite_name()).collect();
        format!("one of {}", names.join(", "))
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "a number and a unit, such as 10s".to_owned())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => return Err(format!("{unit:?} is no unit of time here; use ms, s or m")),
    };
    match milliseconds {
        Some(ms @ 1..=86_400_000) => Ok(Duration::from_millis(ms)),
        _ => Err("between 1ms and 24 hours".to_owned()),
    }
}

#[allow(clippy::print_stderr)]
fn fail(why: &str) -> ExitCode {
    eprintln!("campanile: {why}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret: with blanks \nmore\n").unwrap();
        assert_eq!(
            password(Some(&path)),
            Ok(Password::new("secret: with blanks "))
        );
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(password(Some(&path)), Err("the password is empty".into()));
        let missing = folder.path().join("missing");
        assert!(password(Some(&missing)).is_err());
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in [
            "",
            "s",
            "10h",
            "-1s",
            "0s",
            "99999999999999999999s",
            "25000000m",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
