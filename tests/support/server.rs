//! The real binary on free ports, with a data folder of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::pace;
use super::postgres;
use super::running::Running;
use super::wait_for;

/// How long a start may take, on a machine that is busy with compiling.
const STARTING: Duration = Duration::from_secs(30);

/// How long the books may seem not to balance, on a machine that is busy.
const BALANCING: Duration = Duration::from_secs(10);

/// What `ready.json` says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) https: Option<SocketAddr>,
    pub(crate) sip_tls: Option<SocketAddr>,
    pub(crate) sip_tcp: Option<SocketAddr>,
    pub(crate) sip_udp: Option<SocketAddr>,
    pub(crate) media: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) meet_domain: String,
    pub(crate) pid: u32,
}

/// What `credentials.json` says.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
}

/// A meeting as `campanile admin meeting create --json` tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Meeting {
    pub(crate) meeting_id: String,
    pub(crate) pin: String,
    pub(crate) dial_string: String,
    pub(crate) join_url: String,
}

/// A running server; it is stopped and its log searched for panics when this goes.
pub(crate) struct Server {
    folder: TempDir,
    overrides: Vec<(String, String)>,
    process: Option<Running>,
    ready: Ready,
}

impl Server {
    /// Starts with every listener on a free loopback port. `overrides` are configuration keys and their
    /// values, such as `("sip.udp.listen", "off")`.
    pub(crate) fn start(overrides: &[(&str, &str)]) -> Self {
        pace::watch();
        let folder = TempDir::with_prefix("campanile-test-").unwrap();
        fs::write(folder.path().join("campanile.toml"), CONFIGURATION).unwrap();
        let database = postgres::database_if_wanted();
        let overrides = overrides
            .iter()
            .copied()
            .chain(database.iter().map(|url| ("store.database", url.as_str())))
            .map(|(key, value)| (environment_name(key), value.to_owned()))
            .collect();
        let (process, ready) = launch(folder.path(), &overrides);
        Self {
            folder,
            overrides,
            process: Some(process),
            ready,
        }
    }

    /// Where it listens.
    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The first administrator's key.
    pub(crate) fn credentials(&self) -> Credentials {
        let text = fs::read(self.data().join("run/credentials.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What is configured for it beside the file, as variables of the environment.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.overrides
    }

    /// Its database: the file, or the URL where the tests run on PostgreSQL.
    pub(crate) fn database(&self) -> String {
        let name = environment_name("store.database");
        let said = self.overrides.iter().find(|(key, _)| *key == name);
        said.map_or_else(
            || self.data().join("campanile.db").display().to_string(),
            |(_, url)| url.clone(),
        )
    }

    /// A folder for the test's own files, which goes with the server.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join("scratch").join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A new meeting.
    pub(crate) fn meeting_create(&self) -> Meeting {
        let output = campanile()
            .args(["admin", "--data"])
            .arg(self.data())
            .args(["meeting", "create", "--json"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "meeting create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Ends a meeting for everybody.
    pub(crate) fn meeting_end(&self, meeting: &Meeting) {
        let output = campanile()
            .args(["admin", "--data"])
            .arg(self.data())
            .args(["meeting", "end", &meeting.meeting_id])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "meeting end: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// A process of the server, for what no method here offers.
    pub(crate) fn process(&mut self) -> &mut Running {
        self.process.as_mut().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal("KILL");
        process.wait(Duration::from_secs(5));
    }

    /// Starts again on the same data folder, after [`Server::kill`] or [`Server::stop`].
    pub(crate) fn start_again(&mut self) {
        let (process, ready) = launch(self.folder.path(), &self.overrides);
        (self.process, self.ready) = (Some(process), ready);
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.process.take().unwrap().stop()
    }

    /// Every line of the log groups whose name contains `group`, such as `ChimeVoiceConnectorLogs`.
    pub(crate) fn logs(&self, group: &str) -> Vec<Value> {
        let root = self.data().join("logs");
        files_below(&root)
            .into_iter()
            .filter(|path| {
                path.strip_prefix(&root)
                    .is_ok_and(|name| name.to_string_lossy().contains(group))
            })
            .flat_map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Every stored object: `<bucket>/<key>` and its octets.
    pub(crate) fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let root = self.data().join("objects");
        files_below(&root)
            .into_iter()
            .map(|path| {
                let key = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                (key, fs::read(&path).unwrap())
            })
            .collect()
    }

    /// The Prometheus page.
    pub(crate) fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.ready.metrics.unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default()
    }

    /// The `host:port` for SIP over TLS.
    pub(crate) fn sip_tls(&self) -> SocketAddr {
        self.ready.sip_tls.unwrap()
    }
}

impl Server {
    /// Conservation, as the server itself publishes it: media packets in = used + dropped by reason, and
    /// out = sent by kind. Asked at the end of every test with a server.
    fn check_books(&self) {
        // A page may be fetched while the figures of one moment are being written down.
        wait_for("the media packets to add up", BALANCING, || {
            let page = self.metrics();
            let total = |name: &str| -> u64 {
                let of_name = page.lines().filter(|line| {
                    let rest = line.strip_prefix(name).unwrap_or_default();
                    rest.starts_with(['{', ' '])
                });
                of_name
                    .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
                    .sum()
            };
            let used = total("campanile_media_packets_consumed_total");
            let dropped = total("campanile_media_packets_dropped_total");
            let sent = total("campanile_media_packets_sent_total");
            let balances = total("campanile_media_packets_in_total") == used + dropped
                && total("campanile_media_packets_out_total") == sent;
            balances.then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking()
            && self.ready.metrics.is_some()
            && self
                .process
                .as_mut()
                .is_some_and(|process| process.ended().is_none())
        {
            self.check_books();
        }
        drop(self.process.take());
        if !std::thread::panicking() {
            let log = self.log();
            assert!(!log.contains("panicked at"), "the server panicked:\n{log}");
            // Neither the ledger of the whole nor that of any leg.
            assert!(
                !log.contains("does not balance"),
                "packets are missing:\n{log}"
            );
        }
    }
}

/// The binary under test: the one just built, or the one that `CAMPANILE_BINARY` names (`tools/load` does).
pub(crate) fn campanile() -> Command {
    let named = std::env::var_os("CAMPANILE_BINARY").filter(|path| !path.is_empty());
    Command::new(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_campanile").into()))
}

fn launch(folder: &Path, overrides: &Vec<(String, String)>) -> (Running, Ready) {
    let data = folder.join("data");
    let ready_file = data.join("run/ready.json");
    // A killed server leaves its file behind.
    let _ = fs::remove_file(&ready_file);
    let mut command = campanile();
    command
        .arg("serve")
        .arg("--config")
        .arg(folder.join("campanile.toml"))
        .arg("--data")
        .arg(&data);
    for (name, value) in overrides {
        command.env(name, value);
    }
    let mut process = Running::start("campanile serve", &mut command, &folder.join("server.log"));
    let ready = wait_for("ready.json", STARTING, || {
        assert!(
            process.ended().is_none(),
            "the server did not start:\n{}",
            process.output()
        );
        serde_json::from_slice(&fs::read(&ready_file).ok()?).ok()
    });
    (process, ready)
}

fn environment_name(key: &str) -> String {
    format!("CAMPANILE__{}", key.to_uppercase().replace('.', "__"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Free ports, loopback only, every transport on, short waits.
const CONFIGURATION: &str = r#"
[http]
listen = "127.0.0.1:0"
[sip.tls]
listen = "127.0.0.1:0"
[sip.tcp]
listen = "127.0.0.1:0"
[sip.udp]
listen = "127.0.0.1:0"
[media]
listen = "127.0.0.1:0"
advertise = ["127.0.0.1"]
[metrics]
listen = "127.0.0.1:0"
[drain]
deadline = "2s"
[log]
level = "campanile=debug,info"
"#;
