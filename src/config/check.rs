//! Checks that need more than one value, or the disk.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::read::Reader;
use super::{ClientCertificates, Config, Listen, TlsFiles};
use crate::store::{Database, PostgresUrl};

/// Both files or neither.
pub(super) fn tls_files(read: &Reader<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    match (
        read.optional_text("tls.certificate")?,
        read.optional_text("tls.key")?,
    ) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: certificate.into(),
            key: key.into(),
        })),
        (Some(_), None) => Err(read.refuse(
            "tls.certificate",
            "it stands without tls.key",
            "set tls.key too",
        )),
        (None, Some(_)) => Err(read.refuse(
            "tls.key",
            "it stands without tls.certificate",
            "set tls.certificate too",
        )),
    }
}

/// SQLite where nothing else is said. No error shows the URL, as a password may stand in it.
pub(super) fn database(read: &Reader<'_>) -> Result<Database, ConfigError> {
    let key = "store.database";
    Ok(match read.optional_text(key)? {
        None => Database::DataFolder,
        Some(text) => Database::Postgres(PostgresUrl::new(&text).map_err(|bad| {
            let remedy = "write \"postgres://user@host/database\", for a network that others cannot listen to, or \
                          \"postgres://user@localhost/database?host=/run/postgresql\" for a Unix socket";
            read.refuse(key, bad.to_string(), remedy)
        })?),
    })
}

/// Asking for certificates needs to know whose are believed.
pub(super) fn client_certificates(read: &Reader<'_>) -> Result<ClientCertificates, ConfigError> {
    let key = "sip.tls.client_certificates";
    let must = read.choice(
        key,
        &[
            ("off", None),
            ("request", Some(false)),
            ("require", Some(true)),
        ],
    )?;
    let authorities = read.optional_text("sip.tls.client_authorities")?;
    match (must, authorities.map(PathBuf::from)) {
        (None, _) => Ok(ClientCertificates::Off),
        (Some(false), Some(path)) => Ok(ClientCertificates::Request(path)),
        (Some(true), Some(path)) => Ok(ClientCertificates::Require(path)),
        (Some(_), None) => Err(read.refuse(
            key,
            "nothing says whose certificates are believed",
            "set sip.tls.client_authorities to a PEM file of their authorities",
        )),
    }
}

/// What one value alone cannot show.
pub(super) fn values(config: &Config, read: &Reader<'_>) -> Result<(), ConfigError> {
    if let Some(id) = &config.node.account_id
        && !account_id(id)
    {
        return Err(read.refuse(
            "node.account_id",
            format!("{id:?} is not twelve digits"),
            "write \"123456789012\"",
        ));
    }
    let region = &config.node.region;
    if region.len() < 2
        || region.len() > 64
        || !region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(read.refuse(
            "node.region",
            format!("{region:?} is no region name"),
            "write 2 to 64 of a-z, 0-9 and -, such as \"eu-central-1\"",
        ));
    }
    if let Some(domain) = &config.node.domain
        && !host_name(domain)
    {
        return Err(read.refuse(
            "node.domain",
            format!("{domain:?} is no domain name"),
            "write \"example.org\"",
        ));
    }
    if let Some(public) = &config.http.public
        && !host_and_port(public)
    {
        return Err(read.refuse(
            "http.public",
            format!("{public:?} is no host name with perhaps a port"),
            "write \"meet.example.org\" or \"meet.example.org:8443\"",
        ));
    }
    if let Some(realm) = &config.sip.realm
        && (realm.is_empty() || realm.chars().any(char::is_control))
    {
        return Err(read.refuse(
            "sip.realm",
            format!("{realm:?} is nothing that a person could be shown"),
            "write \"example.org\"",
        ));
    }
    if config.http.listen == Listen::Off {
        return Err(read.refuse(
            "http.listen",
            "the server cannot run without it",
            "write an address such as \":8443\"",
        ));
    }
    if config.media.listen == Listen::Off {
        return Err(read.refuse(
            "media.listen",
            "the server cannot run without it",
            "write an address such as \":3478\"",
        ));
    }
    let bucket = &config.record.bucket;
    if !bucket_name(bucket) {
        return Err(read.refuse(
            "record.bucket",
            format!("{bucket:?} is no bucket name"),
            "write 3 to 63 of a-z, 0-9, - and .",
        ));
    }
    clashes(config, read)
}

fn clashes(config: &Config, read: &Reader<'_>) -> Result<(), ConfigError> {
    let streams = [
        ("http.listen", config.http.listen),
        ("sip.tls.listen", config.sip.tls.listen),
        ("sip.tcp.listen", config.sip.tcp.listen),
        ("metrics.listen", config.metrics.listen),
    ];
    let datagrams = [
        ("media.listen", config.media.listen),
        ("sip.udp.listen", config.sip.udp.listen),
    ];
    for listeners in [streams.as_slice(), datagrams.as_slice()] {
        for (i, (key, listen)) in listeners.iter().enumerate() {
            for (earlier, other) in listeners.iter().take(i) {
                if listen.clashes(*other) {
                    return Err(read.refuse(
                        key,
                        format!("it takes the port of {earlier}"),
                        "give each a port of its own",
                    ));
                }
            }
        }
    }
    let range = config.media.ports.first..=config.media.ports.last;
    for (key, listen) in datagrams {
        if listen.port().is_some_and(|port| range.contains(&port)) {
            return Err(read.refuse(key, "its port lies within media.ports", "move one of them"));
        }
    }
    shards(config, read)
}

/// Each shard wants a port for browsers and at least one pair for phones.
fn shards(config: &Config, read: &Reader<'_>) -> Result<(), ConfigError> {
    let key = "media.shards";
    let count = config.media.shards;
    let range = config.media.ports;
    if (u32::from(range.last) + 1 - u32::from(range.first)) / 2 < u32::from(count) {
        return Err(read.refuse(key, "media.ports has no pair for each", "widen media.ports"));
    }
    let Some(first) = config.media.listen.port().filter(|port| *port != 0) else {
        return Ok(());
    };
    let Some(last) = first.checked_add(count - 1) else {
        return Err(read.refuse(
            key,
            format!("there are no {count} ports from {first} on"),
            "lower media.listen",
        ));
    };
    let taken = first..=last;
    if taken.contains(&range.first) || (range.first..=range.last).contains(&last) {
        let problem = format!("ports {first} to {last} reach into media.ports");
        return Err(read.refuse(key, problem, "move one of them"));
    }
    if config
        .sip
        .udp
        .listen
        .port()
        .is_some_and(|port| taken.contains(&port))
    {
        let problem = format!("ports {first} to {last} take the port of sip.udp.listen");
        return Err(read.refuse(key, problem, "move one of them"));
    }
    Ok(())
}

/// Twelve digits.
pub(super) fn account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What S3 takes for a bucket's name, and a folder for its own.
pub(super) fn bucket_name(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && !text.starts_with('.')
}

/// A DNS name: labels of letters, digits and inner hyphens.
fn host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn host_and_port(text: &str) -> bool {
    if text.parse::<std::net::SocketAddr>().is_ok() || text.parse::<std::net::Ipv4Addr>().is_ok() {
        return true;
    }
    match text.rsplit_once(':') {
        Some((host, port)) => host_name(host) && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => host_name(text),
    }
}

/// Makes the folder where missing, and proves that a file can be made in it.
pub(super) fn writable(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::File::create(&probe)?;
    std::fs::remove_file(&probe)
}
