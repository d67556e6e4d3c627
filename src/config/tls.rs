//! The operator's certificate and key: read, and proved to belong together.

use std::path::PathBuf;

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
