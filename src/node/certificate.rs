//! The certificate of the TLS listeners: the operator's, or one of our own kept in the data folder.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::config::TlsFiles;
use crate::config::tls::{self, BadTls};

/// The certificate to show. Without files of the operator's, one is made for `names`, kept under
/// `<data>/tls`, and renewed when it is a year old.
///
/// # Errors
/// [`CertificateError`] when files cannot be read or written.
pub(crate) fn load(
    files: Option<&TlsFiles>,
    data: &Path,
    names: Vec<String>,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    let own = own_files(data);
    let files = match files {
        Some(files) => files,
        None => {
            if !is_fresh(&own.certificate) || !own.key.exists() {
                make(&own, names)?;
            }
            &own
        }
    };
    Ok(Arc::new(tls::load(files)?))
}

/// TLS 1.2 and 1.3; all suites of the provider are forward-secret.
pub(crate) fn server_config(
    key: Arc<CertifiedKey>,
    protocols: &[&str],
) -> Result<ServerConfig, CertificateError> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(key));
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    Ok(config)
}

/// The names and addresses that a certificate of our own is for.
pub(crate) fn own_names(meet_domain: Option<&str>, addresses: &[IpAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(meet_domain.map(str::to_owned));
    names.extend(addresses.iter().map(ToString::to_string));
    names
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Files that cannot be used.
    #[error(transparent)]
    Files(#[from] BadTls),
    /// A certificate of our own could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate of our own could not be kept.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn own_files(data: &Path) -> TlsFiles {
    TlsFiles {
        certificate: data.join("tls/certificate.pem"),
        key: data.join("tls/key.pem"),
    }
}

fn is_fresh(certificate: &Path) -> bool {
    let age = fs::metadata(certificate)
        .and_then(|m| m.modified())
        .map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age < RENEW_AFTER)
}

fn make(files: &TlsFiles, names: Vec<String>) -> Result<(), CertificateError> {
    let made = rcgen::generate_simple_self_signed(names)?;
    let folder = files.key.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| CertificateError::Write {
        path: folder.to_owned(),
        source,
    })?;
    write(
        &files.key,
        made.signing_key.serialize_pem().as_bytes(),
        0o600,
    )?;
    write(&files.certificate, made.cert.pem().as_bytes(), 0o644)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CertificateError> {
    let beside = path.with_extension("new");
    let written = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| io::Write::write_all(&mut file, bytes))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| CertificateError::Write {
        path: path.to_owned(),
        source,
    })
}

const RENEW_AFTER: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_its_key_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = own_names(Some("meet.example.org"), &[IpAddr::from([127, 0, 0, 1])]);
        let first = load(None, folder.path(), names.clone()).unwrap();
        let second = load(None, folder.path(), names).unwrap();
        assert_eq!(first.cert, second.cert);
        let mode = fs::metadata(folder.path().join("tls/key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
