//! Our certificate, and how certificates are recognised (RFC 8122).

use std::fmt;

use dimpl::DtlsCertificate;
use sha2::{Digest, Sha256, Sha384, Sha512};
use wire::plan::Fingerprint;

/// A self-signed ECDSA P-256 certificate with its key, made anew for each run of a node.
#[derive(Clone)]
pub struct Identity {
    certificate: DtlsCertificate,
    fingerprint: Fingerprint,
    text: String,
}

/// No certificate could be made; the cryptographic library refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot make a DTLS certificate")]
pub struct IdentityError;

impl Identity {
    /// Makes key and certificate. Draws randomness and reads the clock for the validity, through `dimpl`.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn generate() -> Result<Self, IdentityError> {
        let certificate =
            dimpl::certificate::generate_self_signed_certificate().map_err(|_| IdentityError)?;
        let digest = Sha256::digest(&certificate.certificate).to_vec();
        let hex: Vec<String> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        Ok(Self {
            certificate,
            fingerprint: Fingerprint {
                hash: "sha-256".to_owned(),
                digest,
            },
            text: hex.join(":"),
        })
    }

    /// SHA-256 fingerprint as `a=fingerprint:sha-256` shows it: `AB:CD:…`.
    #[must_use]
    pub fn fingerprint_text(&self) -> &str {
        &self.text
    }

    /// The same as a value.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn certificate(&self) -> DtlsCertificate {
        self.certificate.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity {{ sha-256: {} }}", self.text)
    }
}

/// Whether a certificate (DER) has a fingerprint. SHA-256, SHA-384 and SHA-512 are understood; what is signed
/// by a weaker or unknown hash matches nothing.
#[must_use]
pub fn matches(certificate: &[u8], fingerprint: &Fingerprint) -> bool {
    let is = |hash: &str| fingerprint.hash.eq_ignore_ascii_case(hash);
    if is("sha-256") {
        Sha256::digest(certificate).as_slice() == fingerprint.digest
    } else if is("sha-384") {
        Sha384::digest(certificate).as_slice() == fingerprint.digest
    } else if is("sha-512") {
        Sha512::digest(certificate).as_slice() == fingerprint.digest
    } else {
        false
    }
}
