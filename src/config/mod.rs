//! Typed configuration: defaults, checks, and errors that name file, line, key and remedy.
//!
//! Order of strength: argument, environment (`CAMPANILE__SECTION__KEY`), file, default. A key that
//! nobody knows is refused. Relative paths are relative to the working directory.

pub mod buckets;
mod check;
mod error;
mod keys;
mod read;
mod source;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod users;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use call::authenticate::Users;

pub use buckets::{Bucket, BucketPlace};
pub use error::{ConfigError, EXIT_CODE, Origin};
pub use keys::{KEYS, Key};

use crate::control::inventory::Range;
use crate::store::{Database, KeySource, Secret};
use read::Reader;
use source::{Setting, Settings};

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The deployment.
    pub node: Node,
    /// The HTTPS listener.
    pub http: Http,
    /// The SIP listeners.
    pub sip: Sip,
    /// Media sockets.
    pub media: Media,
    /// Phone numbers.
    pub numbers: Numbers,
    /// Domains that accounts claim.
    pub domains: Domains,
    /// Liveness, readiness and Prometheus.
    pub metrics: Metrics,
    /// Certificates.
    pub tls: Tls,
    /// The key of the secrets at rest.
    pub secrets: Secrets,
    /// The database.
    pub store: Store,
    /// Leaving in good order.
    pub drain: Drain,
    /// Bounds.
    pub limits: Limits,
    /// The program's own log.
    pub log: Log,
    /// What is kept of calls.
    pub record: Record,
    /// Buckets beside the default one.
    pub buckets: Vec<Bucket>,
    origins: HashMap<&'static str, Origin>,
}

/// Section `node`.
#[derive(Clone, Debug)]
pub struct Node {
    /// The folder of everything that outlives the process.
    pub data: PathBuf,
    /// The region's name in answers, records and ARNs.
    pub region: String,
    /// The account's twelve digits; `None` lets the first start choose them.
    pub account_id: Option<String>,
    /// The deployment's domain; room devices dial `meet.<domain>`.
    pub domain: Option<String>,
}

impl Node {
    /// `meet.<domain>` where a domain is configured.
    #[must_use]
    pub fn meet_domain(&self) -> Option<String> {
        self.domain.as_ref().map(|domain| format!("meet.{domain}"))
    }
}

/// Section `http`.
#[derive(Clone, Debug)]
pub struct Http {
    /// HTTPS: API, page, browser signaling.
    pub listen: Listen,
    /// `host` or `host:port` under which browsers reach us, for links; `None` follows the request's Host.
    pub public: Option<String>,
}

/// Section `sip`.
#[derive(Clone, Debug)]
pub struct Sip {
    /// SIP over TLS.
    pub tls: SipListener,
    /// SIP over TCP.
    pub tcp: SipListener,
    /// SIP over UDP.
    pub udp: SipListener,
    /// Whether clients of SIP over TLS show certificates.
    pub client_certificates: ClientCertificates,
    /// What digests are for; `None`: the meet domain, or the product's name.
    pub realm: Option<String>,
    /// How long a digest's nonce may be used.
    pub nonce_lifetime: Duration,
    /// The name server that tells where others are; `None`: those of the machine.
    pub name_server: Option<SocketAddr>,
    /// Whose signature of others' certificates is believed, where we connect to them over TLS; `None`: whose the
    /// system does.
    pub server_authorities: Option<PathBuf>,
}

/// Whether clients are asked for a certificate in the TLS handshake, and the PEM file of the authorities
/// whose signature is believed. A certificate of anybody else is always refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientCertificates {
    /// They are not asked.
    Off,
    /// They are asked, and may have none.
    Request(PathBuf),
    /// Without one there is no connection.
    Require(PathBuf),
}

/// Sections `sip.tls`, `sip.tcp`, `sip.udp`.
#[derive(Clone, Debug)]
pub struct SipListener {
    /// Where.
    pub listen: Listen,
    /// Whether callers must protect their media.
    pub srtp: SrtpPolicy,
    /// Who may call; everybody when there is nobody here and no file.
    pub users: Users,
    /// A file with more of them.
    pub users_file: Option<PathBuf>,
}

impl SipListener {
    /// All who may call; empty where everybody may.
    ///
    /// # Errors
    /// A file that cannot be used, and users who have no algorithm in common.
    pub fn all_users(&self) -> Result<Users, users::UsersError> {
        users::all(&self.users, self.users_file.as_deref())
    }
}

/// Whether media must be protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SrtpPolicy {
    /// A plain offer is refused with 488.
    Require,
    /// Plain and protected offers are both taken, each answered in kind.
    Prefer,
    /// A protected offer is refused with 488.
    Off,
}

/// Phone numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// Those that can be ordered.
    pub inventory: Vec<Range>,
}

/// Section `domains`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domains {
    /// The name server that is asked for the records that prove domains; `None`: those of the machine.
    pub name_server: Option<SocketAddr>,
    /// From a claim to the first time that its record is looked for unasked; then ever more seldom.
    pub first_check: Duration,
}

/// Section `media`.
#[derive(Clone, Debug)]
pub struct Media {
    /// The one UDP port of all browsers.
    pub listen: Listen,
    /// UDP ports of SIP media; RTP takes the even ones.
    pub ports: PortRange,
    /// Addresses told to others; empty means the machine's own.
    pub advertise: Vec<IpAddr>,
    /// How long a port of SIP media rests before it is used again.
    pub port_rest: Duration,
    /// A leg that stays silent for so long is ended.
    pub timeout: Duration,
    /// The same while it is held or muted.
    pub held_timeout: Duration,
    /// How many of the loudest are mixed.
    pub loudest: usize,
    /// Media threads.
    pub shards: u16,
}

/// An inclusive range of ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// Section `metrics`.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Plain HTTP: `/live`, `/ready`, `/metrics`.
    pub listen: Listen,
}

/// Section `tls`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The certificate; `None` means a self-signed one kept in the data folder.
    pub files: Option<TlsFiles>,
    /// A folder of further ones, chosen by the name that a client asks for (SNI).
    pub folder: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate chain, PEM, our own first.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Section `secrets`.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Where the master key comes from.
    pub key: KeySource,
}

/// The environment variable that may hold the master key itself.
pub const SECRETS_KEY: &str = "CAMPANILE_SECRETS_KEY";

/// Section `store`.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where the database is, and how to get in.
    pub database: Database,
    /// The file with the password that [`Config::load`] gave it.
    pub password_file: Option<PathBuf>,
}

/// The environment variable that may hold the password of the database.
pub const STORE_PASSWORD: &str = "CAMPANILE_STORE_PASSWORD";

/// Section `drain`.
#[derive(Clone, Debug)]
pub struct Drain {
    /// How long calls may go on after SIGTERM.
    pub deadline: Duration,
}

/// Section `limits`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Attendees of one meeting.
    pub attendees: usize,
    /// How long a meeting goes on that nobody is in any more.
    pub empty_meeting: Duration,
    /// Video streams that one attendee is sent at once.
    pub video: usize,
    /// Octets of a request's body.
    pub http_body: usize,
    /// Open HTTPS connections.
    pub http_connections: usize,
    /// How long a client may take for its TLS handshake, and then for its request's head.
    pub http_header_timeout: Duration,
    /// Requests of the API that each access key may send per second; at once, twice as many.
    pub api_requests_per_second: u32,
    /// Tries to join by PIN, per source address and minute.
    pub joins_per_minute: u32,
    /// SIP calls at once.
    pub calls: usize,
    /// Open SIP connections (TCP and TLS together).
    pub sip_connections: usize,
    /// Open SIP connections of one source address.
    pub sip_connections_per_source: usize,
}

/// Section `log`.
#[derive(Clone, Debug)]
pub struct Log {
    /// What is shown, as `tracing` filters are written: `info`, `campanile=debug,info`.
    pub level: String,
    /// How.
    pub format: LogFormat,
}

/// The form of the program's own log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Section `record`.
#[derive(Clone, Debug)]
pub struct Record {
    /// Write the media quality metric log.
    pub media_metrics: bool,
    /// Write the SIP message log.
    pub sip_messages: bool,
    /// Write call records.
    pub call_records: bool,
    /// The bucket of call records.
    pub bucket: String,
    /// How long entries of the audit trail are gathered for one object.
    pub audit_batch: Duration,
}

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// Every address of the machine, loopback included. Port 0 lets the kernel choose.
    All(u16),
    /// One address. Port 0 lets the kernel choose.
    At(SocketAddr),
}

impl Listen {
    /// The address to bind, `None` when off. For [`Listen::All`] it is `[::]`, to be bound with
    /// `IPV6_V6ONLY` off; a machine without IPv6 wants `0.0.0.0` instead.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::All(port) => Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
            Self::At(address) => Some(address),
        }
    }

    /// The port, `None` when off; 0 means the kernel's choice.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        self.address().map(|address| address.port())
    }

    /// Whether both would take the same port of the same address. Kernel-chosen ports never clash.
    fn clashes(self, other: Self) -> bool {
        let (Some(a), Some(b)) = (self.address(), other.address()) else {
            return false;
        };
        let wide = a.ip().is_unspecified() || b.ip().is_unspecified();
        a.port() != 0 && a.port() == b.port() && (wide || a.ip() == b.ip())
    }
}

/// What the command line and the environment say.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data`, stronger than every other word about `node.data`.
    pub data: Option<PathBuf>,
    /// The process's environment; only `CAMPANILE__…`, [`SECRETS_KEY`], [`STORE_PASSWORD`] and the AWS tools'
    /// credentials are looked at.
    pub environment: Vec<(String, String)>,
}

impl Config {
    /// Reads and checks everything that can be checked without touching sockets.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut settings = source::defaults();
        if let Some(path) = &sources.file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                ConfigError::new(
                    Origin::Argument("--config"),
                    path.display().to_string(),
                    format!("cannot be read: {error}"),
                    "name a readable TOML file, or leave --config out for the defaults",
                )
            })?;
            source::add_file(&mut settings, path, &text)?;
        }
        source::add_environment(&mut settings, sources.environment.iter().cloned())?;
        if let Some(data) = &sources.data {
            let value = toml::Value::String(data.to_string_lossy().into_owned());
            let origin = Origin::Argument("--data");
            settings.insert(
                "node.data",
                Setting {
                    value,
                    raw: None,
                    origin,
                },
            );
        }
        let mut config = Self::from_settings(&settings)?;
        let secret = |wanted: &str| {
            let mut said = sources.environment.iter().rev();
            let found = said.find(|(name, _)| name == wanted);
            found.map(|(_, text)| Secret::new(text.clone()))
        };
        if let Some(key) = secret(SECRETS_KEY) {
            config.secrets.key = KeySource::Text(key);
        }
        config.give_password(secret(STORE_PASSWORD))?;
        let keys = buckets::keys(|name| {
            let mut named = sources.environment.iter().rev();
            named
                .find(|(said, _)| said == name)
                .map(|(_, value)| value.clone())
        });
        for bucket in &mut config.buckets {
            if let BucketPlace::S3(s3) = &mut bucket.place
                && let buckets::Credentials::Environment(known) = &mut s3.credentials
            {
                known.clone_from(&keys);
            }
        }
        Ok(config)
    }

    /// Gives the database the password from its file, or the stronger one from the environment.
    fn give_password(&mut self, said: Option<Secret>) -> Result<(), ConfigError> {
        let key = "store.password_file";
        let from_file = self.store.password_file.as_ref().map(|path| {
            std::fs::read_to_string(path).map_err(|error| {
                let problem = format!("{} cannot be read: {error}", path.display());
                self.refuse(key, problem, "name a file that this user may read")
            })
        });
        let origin = match said {
            Some(_) => Origin::Environment(STORE_PASSWORD.to_owned()),
            None => self.origins.get(key).cloned().unwrap_or(Origin::Default),
        };
        let from_file = from_file.transpose()?.map(Secret::new);
        let Some(password) = said.or(from_file) else {
            return Ok(());
        };
        self.store.database.set_password(&password).map_err(|bad| {
            let remedy = "set store.database to the URL of a PostgreSQL database too";
            ConfigError::new(origin, key, bad.to_string(), remedy)
        })
    }

    /// The defaults alone.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::from_settings(&source::defaults())
    }

    /// An error about a key's value that shows only in use, such as a port that is taken.
    #[must_use]
    pub fn refuse(
        &self,
        key: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let origin = self.origins.get(key).cloned().unwrap_or(Origin::Default);
        ConfigError::new(origin, key, problem, remedy)
    }

    /// An error about the master key, told of where it came from.
    #[must_use]
    pub fn refuse_secrets_key(&self, problem: impl Into<String>) -> ConfigError {
        let key = "secrets.key_file";
        let remedy = "give the key that this data folder was first started with";
        match self.secrets.key {
            KeySource::Text(_) => {
                let origin = Origin::Environment(SECRETS_KEY.to_owned());
                ConfigError::new(origin, key, problem, remedy)
            }
            KeySource::File(_) | KeySource::DataFolder => self.refuse(key, problem, remedy),
        }
    }

    /// Checks what lies on disk: certificate and key fit each other, files of users can be read, the data folder
    /// can be written.
    /// The data folder is made where it is missing, readable by its owner only.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        self.check_tls()
            .map_err(|bad| self.refuse(bad.key(), bad.to_string(), bad.remedy()))?;
        for (key, file, listener) in [
            ("sip.tls.users", "sip.tls.users_file", &self.sip.tls),
            ("sip.tcp.users", "sip.tcp.users_file", &self.sip.tcp),
            ("sip.udp.users", "sip.udp.users_file", &self.sip.udp),
        ] {
            if let Err(bad) = listener.all_users() {
                let key = if bad.is_of_file() { file } else { key };
                return Err(self.refuse(key, bad.to_string(), bad.remedy()));
            }
        }
        for bucket in &self.buckets {
            self.check_bucket(bucket)?;
        }
        check::writable(&self.node.data).map_err(|error| {
            self.refuse(
                "node.data",
                format!("{} cannot be written: {error}", self.node.data.display()),
                "name a folder that this user may write, with --data or node.data",
            )
        })
    }

    fn check_bucket(&self, bucket: &Bucket) -> Result<(), ConfigError> {
        let BucketPlace::S3(s3) = &bucket.place else {
            return Ok(());
        };
        let refuse = |problem: String, remedy| {
            let problem = format!("bucket {:?}: {problem}", bucket.name);
            Err(self.refuse("objects.buckets", problem, remedy))
        };
        match &s3.credentials {
            buckets::Credentials::Environment(Some(_)) => Ok(()),
            buckets::Credentials::Environment(None) => refuse(
                "nothing says who we are there".to_owned(),
                "name a file in credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            buckets::Credentials::File(path) => match buckets::read_credentials(path) {
                Ok(_) => Ok(()),
                Err(bad) => refuse(bad.to_string(), "name a file as the AWS tools write it"),
            },
        }
    }

    fn check_tls(&self) -> Result<(), tls::BadTls> {
        if let Some(files) = &self.tls.files {
            tls::load(files)?;
        }
        if let Some(folder) = &self.tls.folder {
            tls::load_folder(folder)?;
        }
        if let ClientCertificates::Request(path) | ClientCertificates::Require(path) =
            &self.sip.client_certificates
        {
            tls::load_authorities(path)?;
        }
        Ok(())
    }

    fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let read = Reader { settings };
        let seconds = Duration::from_secs;
        let srtp = [
            ("require", SrtpPolicy::Require),
            ("prefer", SrtpPolicy::Prefer),
            ("off", SrtpPolicy::Off),
        ];
        let config = Self {
            node: Node {
                data: read.text("node.data")?.into(),
                region: read.text("node.region")?,
                account_id: read.optional_text("node.account_id")?,
                domain: read.optional_text("node.domain")?,
            },
            http: Http {
                listen: read.listen("http.listen")?,
                public: read.optional_text("http.public")?,
            },
            sip: Sip {
                tls: SipListener {
                    listen: read.listen("sip.tls.listen")?,
                    srtp: read.choice("sip.tls.srtp", &srtp)?,
                    users: read.users("sip.tls.users")?,
                    users_file: read.optional_text("sip.tls.users_file")?.map(PathBuf::from),
                },
                tcp: SipListener {
                    listen: read.listen("sip.tcp.listen")?,
                    srtp: read.choice("sip.tcp.srtp", &srtp)?,
                    users: read.users("sip.tcp.users")?,
                    users_file: read.optional_text("sip.tcp.users_file")?.map(PathBuf::from),
                },
                udp: SipListener {
                    listen: read.listen("sip.udp.listen")?,
                    srtp: read.choice("sip.udp.srtp", &srtp)?,
                    users: read.users("sip.udp.users")?,
                    users_file: read.optional_text("sip.udp.users_file")?.map(PathBuf::from),
                },
                client_certificates: check::client_certificates(&read)?,
                realm: read.optional_text("sip.realm")?,
                server_authorities: read
                    .optional_text("sip.tls.server_authorities")?
                    .map(PathBuf::from),
                name_server: read.optional_address("sip.name_server")?,
                nonce_lifetime: read.duration("sip.nonce_lifetime", seconds(1), seconds(86_400))?,
            },
            numbers: Numbers {
                inventory: read.inventory("numbers.inventory")?,
            },
            domains: Domains {
                name_server: read.optional_address("domains.name_server")?,
                first_check: read.duration("domains.first_check", seconds(1), seconds(86_400))?,
            },
            media: Media {
                listen: read.listen("media.listen")?,
                ports: read.port_range("media.ports")?,
                advertise: read.addresses("media.advertise")?,
                port_rest: read.duration("media.port_rest", seconds(0), seconds(3600))?,
                timeout: read.duration("media.timeout", seconds(1), seconds(86_400))?,
                held_timeout: read.duration("media.held_timeout", seconds(1), seconds(86_400))?,
                loudest: read.number("media.loudest", 1, 32)?,
                shards: read.number("media.shards", 1, 64)?,
            },
            metrics: Metrics {
                listen: read.listen("metrics.listen")?,
            },
            tls: Tls {
                files: check::tls_files(&read)?,
                folder: read.optional_text("tls.folder")?.map(PathBuf::from),
            },
            secrets: Secrets {
                key: match read.optional_text("secrets.key_file")? {
                    Some(path) => KeySource::File(path.into()),
                    None => KeySource::DataFolder,
                },
            },
            store: Store {
                database: check::database(&read)?,
                password_file: read
                    .optional_text("store.password_file")?
                    .map(PathBuf::from),
            },
            drain: Drain {
                deadline: read.duration("drain.deadline", seconds(0), seconds(86_400))?,
            },
            limits: Limits {
                attendees: read.number("limits.attendees", 1, 250)?,
                empty_meeting: read.duration(
                    "limits.empty_meeting",
                    seconds(1),
                    seconds(86_400),
                )?,
                video: read.number("limits.video", 0, 25)?,
                http_body: read.number("limits.http_body", 1024, 64 << 20)?,
                http_connections: read.number("limits.http_connections", 1, 1 << 20)?,
                http_header_timeout: read.duration(
                    "limits.http_header_timeout",
                    Duration::from_millis(100),
                    seconds(300),
                )?,
                api_requests_per_second: read.number(
                    "limits.api_requests_per_second",
                    1,
                    1_000_000,
                )?,
                joins_per_minute: read.number("limits.joins_per_minute", 1, 1_000_000)?,
                calls: read.number("limits.calls", 1, 1 << 20)?,
                sip_connections: read.number("limits.sip_connections", 1, 1 << 20)?,
                sip_connections_per_source: read.number(
                    "limits.sip_connections_per_source",
                    1,
                    1 << 20,
                )?,
            },
            log: Log {
                level: read.text("log.level")?,
                format: read.choice(
                    "log.format",
                    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                )?,
            },
            record: Record {
                media_metrics: read.flag("record.media_metrics")?,
                sip_messages: read.flag("record.sip_messages")?,
                call_records: read.flag("record.call_records")?,
                bucket: read.text("record.bucket")?,
                audit_batch: read.duration("record.audit_batch", seconds(1), seconds(3600))?,
            },
            buckets: read.buckets("objects.buckets")?,
            origins: settings
                .iter()
                .map(|(key, setting)| (*key, setting.origin.clone()))
                .collect(),
        };
        check::values(&config, &read)?;
        Ok(config)
    }

    /// Where logs are kept: `<data>/logs`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.node.data.join("logs")
    }

    /// Where objects are kept: `<data>/objects`.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.node.data.join("objects")
    }

    /// The folder of a running server's socket, `ready.json` and `credentials.json`: `<data>/run`.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        run_folder(&self.node.data)
    }
}

/// The folder `run` of a data folder.
#[must_use]
pub fn run_folder(data: &Path) -> PathBuf {
    data.join("run")
}
