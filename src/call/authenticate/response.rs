//! What a digest is computed from.

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};
use wire::sip::Method;
use wire::sip::digest::{Algorithm, Credentials};

/// A password. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes it as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The digest that these credentials should have with that password, in lower-case hexadecimal digits (RFC 7616
/// §3.4.1; RFC 2617 §3.2.2.1 where there is no `qop`). The one that is in them is not looked at.
pub(super) fn response(credentials: &Credentials, password: &Password, method: &Method) -> String {
    let hash = |parts: &[&str]| hash(credentials.algorithm, parts);
    let who = hash(&[&credentials.username, &credentials.realm, &password.0]);
    let what = hash(&[method.as_str(), &credentials.uri]);
    match &credentials.auth {
        None => hash(&[&who, &credentials.nonce, &what]),
        Some((cnonce, count)) => {
            let count = format!("{count:08x}");
            hash(&[&who, &credentials.nonce, &count, cnonce, "auth", &what])
        }
    }
}

/// The hash of the parts with colons between them, in lower-case hexadecimal digits.
fn hash(algorithm: Algorithm, parts: &[&str]) -> String {
    let text = parts.join(":");
    match algorithm {
        Algorithm::Md5 => hexadecimal(&Md5::digest(text)),
        Algorithm::Sha256 => hexadecimal(&Sha256::digest(text)),
        Algorithm::Sha512_256 => hexadecimal(&Sha512_256::digest(text)),
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .filter_map(|digit| DIGITS.get(usize::from(digit)))
        .map(|&digit| char::from(digit))
        .collect()
}
