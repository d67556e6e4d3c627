//! What a digest is computed from.

use std::collections::BTreeMap;
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

/// The hash of user, realm and password that stands for the password in one realm (RFC 7616 §3.4.2), in lower-case
/// hexadecimal digits. Who has it can call as the user: it is never shown either.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(String);

impl Ha1 {
    /// Reads hexadecimal digits; `None` when they are not as many as the algorithm gives.
    #[must_use]
    pub fn read(algorithm: Algorithm, digits: &str) -> Option<Self> {
        let is_hash =
            digits.len() == algorithm.digits() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hash.then(|| Self(digits.to_ascii_lowercase()))
    }

    /// Computes it.
    #[must_use]
    pub fn new(algorithm: Algorithm, user: &str, realm: &str, password: &Password) -> Self {
        Self(hash(algorithm, &[user, realm, &password.0]))
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(…)")
    }
}

/// What a server knows of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Secret {
    /// The password.
    Password(Password),
    /// Only what stands for it in the server's realm, by algorithm.
    Hashed(BTreeMap<Algorithm, Ha1>),
}

impl Secret {
    /// Whether digests of that algorithm can be checked with it.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Hashed(hashes) => hashes.contains_key(&algorithm),
        }
    }

    /// What digests of an algorithm are computed from; `None` when that cannot be told.
    pub(super) fn ha1(&self, algorithm: Algorithm, user: &str, realm: &str) -> Option<Ha1> {
        match self {
            Self::Password(password) => Some(Ha1::new(algorithm, user, realm, password)),
            Self::Hashed(hashes) => hashes.get(&algorithm).cloned(),
        }
    }
}

/// The digest that these credentials should have, in lower-case hexadecimal digits (RFC 7616 §3.4.1; RFC 2617
/// §3.2.2.1 where there is no `qop`). The one that is in them is not looked at.
pub(super) fn response(credentials: &Credentials, who: &Ha1, method: &Method) -> String {
    let hash = |parts: &[&str]| hash(credentials.algorithm, parts);
    let what = hash(&[method.as_str(), &credentials.uri]);
    match &credentials.auth {
        None => hash(&[&who.0, &credentials.nonce, &what]),
        Some((cnonce, count)) => {
            let count = format!("{count:08x}");
            hash(&[&who.0, &credentials.nonce, &count, cnonce, "auth", &what])
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
