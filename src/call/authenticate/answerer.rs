//! The client's side: how a 401 or 407 is answered.

use std::collections::BTreeMap;

use wire::sip::digest::{Challenge, Credentials, DigestError};
use wire::sip::{Message, Name};

use super::response::{Ha1, Password, response};

/// Who we are to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// Answers challenges, and keeps answering in requests after that (RFC 3261 §22.2, §22.3).
#[derive(Debug)]
pub struct Answerer {
    account: Account,
    /// The latest challenge of each realm, by the header that answers it, and how often it was answered.
    kept: BTreeMap<(Asker, String), (Challenge, u32)>,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Asker {
    Server,
    Proxy,
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unanswerable {
    /// The response has no challenge.
    #[error("no challenge to answer")]
    NoChallenge,
    /// The answer to an earlier challenge was not believed.
    #[error("the credentials were refused")]
    Refused,
    /// No challenge of a realm can be used; why the last one could not.
    #[error("{0}")]
    Unusable(DigestError),
}

impl Asker {
    fn challenge(self) -> Name<'static> {
        match self {
            Self::Server => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }

    fn answer(self) -> Name<'static> {
        match self {
            Self::Server => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }
}

impl Answerer {
    /// For one account.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self {
            account,
            kept: BTreeMap::new(),
        }
    }

    /// Takes the challenges of a 401 or 407: of each realm the first that we can answer (RFC 8760 §2.4). Once a realm's
    /// challenge was answered, another one of it is taken only where the nonce is said to be stale.
    ///
    /// # Errors
    /// [`Unanswerable`]; the request need not be sent again.
    pub fn take(&mut self, response: &Message) -> Result<(), Unanswerable> {
        self.take_unless(response, |kept, new| !new.stale || kept.nonce == new.nonce)
    }

    /// The same for a request that was not asked for credentials before, but had some from an earlier challenge: they
    /// may just be too old, whether that is said or not.
    ///
    /// # Errors
    /// As [`Answerer::take`].
    pub fn take_first(&mut self, response: &Message) -> Result<(), Unanswerable> {
        self.take_unless(response, |kept, new| kept.nonce == new.nonce)
    }

    /// `refuses` is asked about an answered challenge and a new one of its realm.
    fn take_unless(
        &mut self,
        response: &Message,
        refuses: impl Fn(&Challenge, &Challenge) -> bool,
    ) -> Result<(), Unanswerable> {
        let mut usable = false;
        let mut why = Unanswerable::NoChallenge;
        for asker in [Asker::Server, Asker::Proxy] {
            let mut realms = Vec::new();
            for value in response.headers.get_all(asker.challenge()) {
                match Challenge::parse(value) {
                    Ok(challenge) if realms.contains(&challenge.realm) => {}
                    Ok(challenge) => {
                        realms.push(challenge.realm.clone());
                        self.keep(asker, challenge, &refuses)?;
                        usable = true;
                    }
                    Err(error) => why = Unanswerable::Unusable(error),
                }
            }
        }
        if usable { Ok(()) } else { Err(why) }
    }

    fn keep(
        &mut self,
        asker: Asker,
        challenge: Challenge,
        refuses: impl Fn(&Challenge, &Challenge) -> bool,
    ) -> Result<(), Unanswerable> {
        let key = (asker, challenge.realm.clone());
        // Asked again although we answered: another answer we do not have.
        if self
            .kept
            .get(&key)
            .is_some_and(|(kept, uses)| *uses > 0 && refuses(kept, &challenge))
        {
            return Err(Unanswerable::Refused);
        }
        self.kept.insert(key, (challenge, 0));
        Ok(())
    }

    /// Puts credentials into a request for every realm that has asked; `cnonce` is new each time.
    pub fn answer(&mut self, request: &mut Message, cnonce: &str) {
        let Some(method) = request.method().cloned() else {
            return;
        };
        let uri = request.request_uri().unwrap_or_default().to_owned();
        for asker in [Asker::Server, Asker::Proxy] {
            request.headers.remove(asker.answer());
        }
        for ((asker, _), (challenge, uses)) in &mut self.kept {
            *uses = uses.saturating_add(1);
            let mut credentials = Credentials {
                username: self.account.user.clone(),
                realm: challenge.realm.clone(),
                nonce: challenge.nonce.clone(),
                uri: uri.clone(),
                response: String::new(),
                algorithm: challenge.algorithm,
                opaque: challenge.opaque.clone(),
                auth: challenge.qop.then(|| (cnonce.to_owned(), *uses)),
            };
            let account = &self.account;
            let (algorithm, realm) = (challenge.algorithm, &challenge.realm);
            let who = Ha1::new(algorithm, &account.user, realm, &account.password);
            credentials.response = response(&credentials, &who, &method);
            request.headers.push(asker.answer(), &credentials);
        }
    }
}
