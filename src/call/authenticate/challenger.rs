//! The server's side: who is asked, and who is believed.

use std::collections::BTreeMap;
use std::time::Instant;

use rand::rngs::StdRng;
use subtle::ConstantTimeEq;
use wire::sip::digest::{Algorithm, Challenge, Credentials, DigestError};
use wire::sip::{Message, Method, Name, Uri};

use super::nonce::{Nonces, Standing};
use super::response::{Password, response};

/// Who may call, and their passwords.
pub type Users = BTreeMap<String, Password>;

/// Asks callers of one realm who they are. A challenge leaves nothing behind here; a nonce is remembered, until
/// it ends, once somebody used it who knows a password.
pub struct Challenger {
    realm: String,
    users: Users,
    nonces: Nonces,
}

/// Why a request is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denial {
    /// It has no credentials for our realm.
    #[error("credentials are needed")]
    Missing,
    /// The digest is right, but the nonce is too old or was used with this count: ask again.
    #[error("the nonce is stale")]
    Stale,
    /// No such user, or another password.
    #[error("wrong credentials")]
    Wrong,
    /// The digest was computed for another Request-URI.
    #[error("the digest is for another URI")]
    OtherUri,
    /// The credentials cannot be read, or are of a kind that is refused.
    #[error("{0}")]
    Unusable(DigestError),
}

impl Denial {
    /// The status that answers it: a new challenge, or 400 where asking again would not help (RFC 7616 §3.4.6).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Missing | Self::Stale | Self::Wrong => 401,
            Self::OtherUri | Self::Unusable(_) => 400,
        }
    }
}

impl Challenger {
    /// `realm` is shown to people; `random` gives the key that seals nonces.
    #[must_use]
    pub fn new(now: Instant, realm: &str, users: Users, random: &mut StdRng) -> Self {
        Self {
            realm: realm.to_owned(),
            users,
            nonces: Nonces::new(now, random),
        }
    }

    /// The challenges of a 401, the one that is preferred first (RFC 8760 §2.4), each a field of its own.
    #[must_use]
    pub fn challenges(&self, now: Instant, denial: Denial, random: &mut StdRng) -> Vec<Challenge> {
        let nonce = self.nonces.make(now, random);
        [Algorithm::Sha256, Algorithm::Md5]
            .into_iter()
            .map(|algorithm| Challenge {
                realm: self.realm.clone(),
                nonce: nonce.clone(),
                opaque: None,
                algorithm,
                stale: denial == Denial::Stale,
                qop: true,
            })
            .collect()
    }

    /// The user that a request comes from.
    ///
    /// # Errors
    /// [`Denial`]; then nothing is remembered of it.
    pub fn check(&mut self, now: Instant, request: &Message) -> Result<&str, Denial> {
        let credentials = self.credentials(request)?;
        let method = request.method().ok_or(Denial::Missing)?;
        let uri = request.request_uri().unwrap_or_default();
        if !same_uri(&credentials.uri, uri) {
            return Err(Denial::OtherUri);
        }
        // Without a count a digest could be used again: RFC 2069's kind is not taken.
        let Some((_, count)) = &credentials.auth else {
            return Err(Denial::Unusable(DigestError::Missing("qop")));
        };
        if !self.knows(&credentials, method) {
            return Err(Denial::Wrong);
        }
        match self.nonces.standing(now, &credentials.nonce, *count) {
            Standing::Stale => return Err(Denial::Stale),
            Standing::Good => self.nonces.note(now, &credentials.nonce, *count),
        }
        self.users
            .get_key_value(&credentials.username)
            .map(|(name, _)| name.as_str())
            .ok_or(Denial::Wrong)
    }

    /// Nonces that are remembered.
    #[must_use]
    pub fn held(&self) -> usize {
        self.nonces.len()
    }

    /// The credentials for our realm; those for others are none of our business.
    fn credentials(&self, request: &Message) -> Result<Credentials, Denial> {
        let mut unusable = Denial::Missing;
        for value in request.headers.get_all(Name::Authorization) {
            match Credentials::parse(value) {
                Ok(credentials) if credentials.realm == self.realm => return Ok(credentials),
                Ok(_) | Err(DigestError::Scheme) => {}
                Err(error) => unusable = Denial::Unusable(error),
            }
        }
        Err(unusable)
    }

    /// Whether the digest is that of the user's password. Of a user that nobody knows one is computed as well, so
    /// that the time taken does not tell names.
    fn knows(&self, credentials: &Credentials, method: &Method) -> bool {
        let nobody = Password::new("");
        let password = self.users.get(&credentials.username);
        let expected = response(credentials, password.unwrap_or(&nobody), method);
        let same = expected.as_bytes().ct_eq(credentials.response.as_bytes());
        bool::from(same) && password.is_some()
    }
}

/// Whether a digest's URI is the Request-URI: proxies may have rewritten how it is spelt.
fn same_uri(digest: &str, request: &str) -> bool {
    digest == request
        || matches!(
            (Uri::parse(digest), Uri::parse(request)),
            (Ok(a), Ok(b)) if a.is_equivalent(&b)
        )
}
