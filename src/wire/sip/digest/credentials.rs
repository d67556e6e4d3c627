//! What a client answers: `Authorization` and `Proxy-Authorization`.

use std::fmt;

use super::scan::{Values, quoted};
use super::{Algorithm, DigestError};

/// Credentials. Its `Debug` does not show the digest, from which a weak password can be guessed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub username: String,
    /// From the challenge.
    pub realm: String,
    /// From the challenge.
    pub nonce: String,
    /// The Request-URI that the digest was computed with.
    pub uri: String,
    /// The digest, in lower-case hexadecimal digits.
    pub response: String,
    /// The hash used.
    pub algorithm: Algorithm,
    /// From the challenge.
    pub opaque: Option<String>,
    /// `qop=auth`: the client's own nonce, and how often it has used the server's. `None` by RFC 2069.
    pub auth: Option<(String, u32)>,
}

impl Credentials {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`DigestError`]; [`DigestError::AuthInt`] for `qop=auth-int`.
    pub fn parse(value: &[u8]) -> Result<Self, DigestError> {
        let values = Values::read(value)?;
        let algorithm = Algorithm::read(values.get("algorithm")?)?;
        let response = values.need("response")?.to_ascii_lowercase();
        if response.len() != algorithm.digits() || !is_hexadecimal(&response) {
            return Err(DigestError::Response);
        }
        let auth = match values.get("qop")? {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some((
                values.need("cnonce")?.to_owned(),
                nonce_count(values.need("nc")?)?,
            )),
            Some(qop) if qop.eq_ignore_ascii_case("auth-int") => return Err(DigestError::AuthInt),
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Self {
            username: values.need("username")?.to_owned(),
            realm: values.need("realm")?.to_owned(),
            nonce: values.need("nonce")?.to_owned(),
            uri: values.need("uri")?.to_owned(),
            response,
            algorithm,
            opaque: values.own("opaque")?,
            auth,
        })
    }
}

/// Eight hexadecimal digits (RFC 7616 §3.4), the first use being 1.
fn nonce_count(text: &str) -> Result<u32, DigestError> {
    if text.len() != 8 || !is_hexadecimal(text) {
        return Err(DigestError::NonceCount);
    }
    match u32::from_str_radix(text, 16) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(DigestError::NonceCount),
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest ")?;
        for (name, value) in [
            ("username", &self.username),
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", &self.uri),
            ("response", &self.response),
        ] {
            quoted(f, name, value)?;
            f.write_str(", ")?;
        }
        write!(f, "algorithm={}", self.algorithm)?;
        if let Some((cnonce, count)) = &self.auth {
            f.write_str(", ")?;
            quoted(f, "cnonce", cnonce)?;
            write!(f, ", qop=auth, nc={count:08x}")?;
        }
        if let Some(opaque) = &self.opaque {
            f.write_str(", ")?;
            quoted(f, "opaque", opaque)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
