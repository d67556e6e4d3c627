//! Digest challenges and credentials (RFC 3261 §22, RFC 7616, RFC 8760) as values.
//!
//! A header field holds one challenge or one set of credentials: unlike others these are never joined by
//! commas (RFC 3261 §7.3.1), so read them with [`super::Headers::get_all`]. What they are computed from is not
//! known here.

mod challenge;
mod credentials;
mod scan;

pub use challenge::Challenge;
pub use credentials::Credentials;

use std::fmt;

/// The hash of a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// `MD5`, and what is meant where none is named (RFC 7616 §3.3).
    Md5,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512-256`.
    Sha512_256,
}

impl Algorithm {
    /// The name in header fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// Hexadecimal digits of a hash.
    #[must_use]
    pub fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }

    fn read(name: Option<&str>) -> Result<Self, DigestError> {
        let Some(name) = name else {
            return Ok(Self::Md5);
        };
        [Self::Md5, Self::Sha256, Self::Sha512_256]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
            .ok_or(DigestError::Algorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a header value is no challenge or no credentials that we can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestError {
    /// Another scheme, such as `Basic` or `Bearer`.
    #[error("not the Digest scheme")]
    Scheme,
    /// The list of parameters is malformed.
    #[error("malformed digest parameters")]
    Syntax,
    /// A parameter that must be there is not.
    #[error("no {0} in the digest")]
    Missing(&'static str),
    /// A parameter is there twice: which one counts must not depend on who reads it.
    #[error("two values of {0} in the digest")]
    Repeated(&'static str),
    /// An algorithm that we do not speak.
    #[error("unknown digest algorithm")]
    Algorithm,
    /// `auth-int` and nothing else: proxies change bodies, so it is not offered, and refused when it is used.
    #[error("digest with auth-int is refused")]
    AuthInt,
    /// A quality of protection that nobody knows.
    #[error("unknown quality of protection")]
    Qop,
    /// `nc` is not eight hexadecimal digits above zero.
    #[error("malformed nonce count")]
    NonceCount,
    /// `response` is not as many hexadecimal digits as the algorithm gives.
    #[error("malformed digest response")]
    Response,
}

#[cfg(test)]
mod tests;
