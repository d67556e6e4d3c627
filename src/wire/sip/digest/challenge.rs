//! What a server asks for: `WWW-Authenticate` and `Proxy-Authenticate`.

use std::fmt;

use super::scan::{Values, quoted};
use super::{Algorithm, DigestError};

/// A challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge {
    /// What the credentials are for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// The hash to use.
    pub algorithm: Algorithm,
    /// The nonce of the request was too old, but its digest was right: the same credentials will do.
    pub stale: bool,
    /// Whether the challenge asks for `qop=auth`; one without any `qop` is of RFC 2069's kind.
    pub qop: bool,
}

impl Challenge {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`DigestError`]; [`DigestError::AuthInt`] when it offers no other quality of protection than that.
    pub fn parse(value: &[u8]) -> Result<Self, DigestError> {
        let values = Values::read(value)?;
        Ok(Self {
            realm: values.need("realm")?.to_owned(),
            nonce: values.need("nonce")?.to_owned(),
            opaque: values.own("opaque")?,
            algorithm: Algorithm::read(values.get("algorithm")?)?,
            stale: values
                .get("stale")?
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            qop: match values.get("qop")? {
                None => false,
                Some(offered) => offers_auth(offered)?,
            },
        })
    }
}

/// Whether a list such as `auth,auth-int` has `auth` in it.
fn offers_auth(offered: &str) -> Result<bool, DigestError> {
    let has = |wanted: &str| {
        offered
            .split(',')
            .any(|qop| qop.trim().eq_ignore_ascii_case(wanted))
    };
    if has("auth") {
        Ok(true)
    } else if has("auth-int") {
        Err(DigestError::AuthInt)
    } else {
        Err(DigestError::Qop)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest ")?;
        quoted(f, "realm", &self.realm)?;
        f.write_str(", ")?;
        quoted(f, "nonce", &self.nonce)?;
        if let Some(opaque) = &self.opaque {
            f.write_str(", ")?;
            quoted(f, "opaque", opaque)?;
        }
        write!(f, ", algorithm={}", self.algorithm)?;
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if self.qop {
            f.write_str(", qop=\"auth\"")?;
        }
        Ok(())
    }
}
