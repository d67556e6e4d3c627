//! The operator's certificates and keys: read, and proved to belong together; and whose certificates of
//! clients are believed.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::TlsFiles;

/// Why a certificate and its key cannot be used.
#[derive(Debug, Error)]
pub enum BadTls {
    /// The certificate file.
    #[error("{path} is not a readable PEM certificate chain: {why}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        why: String,
    },
    /// The key file.
    #[error("{path} is not a readable PEM private key: {why}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        why: String,
    },
    /// The folder of further certificates.
    #[error("{path} cannot be listed: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pair in that folder.
    #[error(transparent)]
    InFolder(Box<BadTls>),
    /// The authorities that sign certificates of clients.
    #[error("{path} is no PEM file of certificate authorities: {why}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        why: String,
    },
    /// Each is fine alone.
    #[error("the key {key} does not belong to the certificate {certificate}")]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
}

impl BadTls {
    /// The configuration key to blame.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "tls.certificate",
            Self::Key { .. } | Self::Mismatch { .. } => "tls.key",
            Self::Folder { .. } | Self::InFolder(_) => "tls.folder",
            Self::Authorities { .. } => "sip.tls.client_authorities",
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => {
                "name a PEM file that this user may read, the server's certificate first"
            }
            Self::Key { .. } => {
                "name a PEM file that this user may read, with an ECDSA or RSA key without passphrase"
            }
            Self::Mismatch { .. } => "name the key that the certificate was made for",
            Self::Folder { .. } => "name a folder that this user may read",
            Self::InFolder(_) => "give each NAME.pem the key that belongs to it as NAME.key",
            Self::Authorities { .. } => {
                "name a PEM file that this user may read, with the certificates of the authorities"
            }
        }
    }
}

/// Reads both files.
///
/// # Errors
/// Unreadable or foreign files, and a key that is another certificate's.
pub fn load(files: &TlsFiles) -> Result<CertifiedKey, BadTls> {
    let bad_certificate = |why: String| BadTls::Certificate {
        path: files.certificate.clone(),
        why,
    };
    let bad_key = |why: String| BadTls::Key {
        path: files.key.clone(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("it holds no certificate".to_owned()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| bad_key(error.to_string()))?;
    let key =
        aws_lc_rs::sign::any_supported_type(&key).map_err(|error| bad_key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(BadTls::Mismatch {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        }),
        Err(error) => Err(bad_certificate(error.to_string())),
    }
}

/// Reads the pairs `NAME.pem` and `NAME.key` of a folder, in the order of their names.
///
/// # Errors
/// A folder that cannot be listed, and the first pair that cannot be used.
pub fn load_folder(folder: &Path) -> Result<Vec<CertifiedKey>, BadTls> {
    let listed = folder_files(folder).map_err(|source| BadTls::Folder {
        path: folder.to_owned(),
        source,
    })?;
    listed
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "pem"))
        .map(|certificate| {
            let key = certificate.with_extension("key");
            load(&TlsFiles { certificate, key }).map_err(|bad| BadTls::InFolder(Box::new(bad)))
        })
        .collect()
}

/// The files `*.pem` and `*.key` of a folder, in the order of their names.
///
/// # Errors
/// What the system says when the folder cannot be listed.
pub fn folder_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|ext| ext == "pem" || ext == "key")
    });
    paths.sort();
    Ok(paths)
}

/// Reads the authorities that sign certificates of clients.
///
/// # Errors
/// An unreadable file, and one without a certificate.
pub fn load_authorities(path: &Path) -> Result<RootCertStore, BadTls> {
    let bad = |why: String| BadTls::Authorities {
        path: path.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    let listed = CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
    for certificate in listed {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
