//! The server's side: who is asked, and who is believed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use subtle::ConstantTimeEq;
use wire::sip::digest::{Algorithm, Challenge, Credentials, DigestError};
use wire::sip::{Message, Method, Name, Uri};

use super::nonce::{Nonces, Standing};
use super::response::{Ha1, Password, Secret, response};

/// Who may call, and what is known of their passwords.
pub type Users = BTreeMap<String, Secret>;

/// The algorithms to ask these users for, the one that is preferred first (RFC 8760 §2.4): those that every one of
/// them can be checked by, since a challenge does not know whom it will reach.
#[must_use]
pub fn algorithms(users: &Users) -> Vec<Algorithm> {
    [Algorithm::Sha256, Algorithm::Md5]
        .into_iter()
        .filter(|algorithm| users.values().all(|secret| secret.has(*algorithm)))
        .collect()
}

/// Asks callers of one realm who they are. A challenge leaves nothing behind here; a nonce is remembered, until
/// it ends, once somebody used it who knows a password.
pub struct Challenger {
    realm: String,
    users: Users,
    algorithms: Vec<Algorithm>,
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
    /// The digest was computed for a URI of somebody else's.
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

    /// The word used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Wrong => "wrong",
            Self::OtherUri => "other_uri",
            Self::Unusable(_) => "unusable",
        }
    }
}

impl Challenger {
    /// `realm` is shown to people; a nonce may be used for `lifetime`; `random` gives the key that seals nonces.
    #[must_use]
    pub fn new(
        now: Instant,
        realm: &str,
        users: Users,
        lifetime: Duration,
        random: &mut StdRng,
    ) -> Self {
        Self {
            realm: realm.to_owned(),
            algorithms: algorithms(&users),
            users,
            nonces: Nonces::new(now, lifetime, random),
        }
    }

    /// The challenges of a 401, the one that is preferred first (RFC 8760 §2.4), each a field of its own.
    #[must_use]
    pub fn challenges(&self, now: Instant, denial: Denial, random: &mut StdRng) -> Vec<Challenge> {
        let nonce = self.nonces.make(now, random);
        self.algorithms
            .iter()
            .map(|algorithm| Challenge {
                realm: self.realm.clone(),
                nonce: nonce.clone(),
                opaque: None,
                algorithm: *algorithm,
                stale: denial == Denial::Stale,
                qop: true,
            })
            .collect()
    }

    /// The user that a request comes from. The digest may be for another URI than the Request-URI, which a proxy may
    /// have changed, but only for one that we serve (RFC 3261 §22.4).
    ///
    /// # Errors
    /// [`Denial`]; then nothing is remembered of it.
    pub fn check(
        &mut self,
        now: Instant,
        request: &Message,
        serves: impl Fn(&Uri) -> bool,
    ) -> Result<&str, Denial> {
        let credentials = self.credentials(request)?;
        let method = request.method().ok_or(Denial::Missing)?;
        let uri = request.request_uri().unwrap_or_default();
        if credentials.uri != uri && !Uri::parse(&credentials.uri).is_ok_and(|uri| serves(&uri)) {
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
        let (user, algorithm) = (&credentials.username, credentials.algorithm);
        let known = self
            .users
            .get(user)
            .filter(|_| self.algorithms.contains(&algorithm))
            .and_then(|secret| secret.ha1(algorithm, user, &self.realm));
        let is_known = known.is_some();
        let who = known
            .unwrap_or_else(|| Ha1::new(algorithm, user, &self.realm, &Password::new("nobody")));
        let expected = response(credentials, &who, method);
        let same = expected.as_bytes().ct_eq(credentials.response.as_bytes());
        bool::from(same) && is_known
    }
}
