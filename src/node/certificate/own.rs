//! A certificate of our own, for a node whose operator gave none: made once, kept in the data folder.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::CertificateError;
use crate::config::TlsFiles;

/// The files under `<data>/tls`, made for `names` where they are missing or a year old.
///
/// # Errors
/// [`CertificateError`] when they cannot be made or written.
pub(super) fn files(data: &Path, names: Vec<String>) -> Result<TlsFiles, CertificateError> {
    let own = TlsFiles {
        certificate: data.join("tls/certificate.pem"),
        key: data.join("tls/key.pem"),
    };
    if !is_fresh(&own.certificate) || !own.key.exists() {
        make(&own, names)?;
    }
    Ok(own)
}

/// The names and addresses that a certificate of our own is for.
pub(crate) fn names(meet_domain: Option<&str>, addresses: &[IpAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(meet_domain.map(str::to_owned));
    names.extend(addresses.iter().map(ToString::to_string));
    names
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
    use crate::config::tls;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_its_key_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = names(Some("meet.example.org"), &[IpAddr::from([127, 0, 0, 1])]);
        let first = tls::load(&files(folder.path(), names.clone()).unwrap()).unwrap();
        let second = tls::load(&files(folder.path(), names).unwrap()).unwrap();
        assert_eq!(first.cert, second.cert);
        let mode = fs::metadata(folder.path().join("tls/key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
