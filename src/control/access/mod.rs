//! Who calls the API, and what they may do: access keys and whose they are, policies and what they say.

mod caller;
pub mod context;
pub mod managed;
mod noting;
mod pace;
pub mod policy;
pub mod principals;
pub mod sessions;
#[cfg(test)]
mod tests;

pub use caller::{Caller, CallerKind, SessionContext};
pub use context::Context;
pub use managed::Managed;
pub use noting::Noting;
pub use pace::Pace;

use thiserror::Error;

use crate::store::{AccessKey, AttachedPolicy, Principal, Secret, Session, Store, StoreError};

/// A key that a request may be signed with, and who does.
#[derive(Clone, Debug)]
pub struct UsableKey {
    bearer: Bearer,
    /// As they are kept, of the user or role.
    policies: Vec<AttachedPolicy>,
    /// Whether [`Store::note_access_key_used`] is due, once the signature has proved to be good.
    pub unnoted: bool,
}

#[derive(Clone, Debug)]
enum Bearer {
    User(Box<AccessKey>),
    /// One with temporary credentials, and the user or role that they act for.
    Session(Box<(Session, Principal)>),
}

impl UsableKey {
    /// What to check the signature with.
    #[must_use]
    pub fn secret_access_key(&self) -> &Secret {
        match &self.bearer {
            Bearer::User(key) => &key.secret_access_key,
            Bearer::Session(session) => &session.0.secret_access_key,
        }
    }

    /// Who has signed, to be asked once the signature has proved to be good: only then are policies read, of which
    /// there may be many, and a key's id is no secret.
    ///
    /// # Errors
    /// A policy that is no longer one.
    pub fn caller(self) -> Result<Caller, StoreError> {
        match self.bearer {
            Bearer::User(key) => Caller::user(&key, &self.policies),
            Bearer::Session(session) => {
                let (session, issuer) = *session;
                Caller::of_session(&session, issuer, &self.policies)
            }
        }
    }
}

/// Why no request can be signed with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoKey {
    /// There is no such key, it is out of use, or it does not go with the session token.
    #[error("The security token included in the request is invalid.")]
    Unknown,
    /// These temporary credentials have ended.
    #[error("The security token included in the request is expired")]
    Expired,
}

/// The usable key of that id, if there is one. Temporary credentials are good only with their session token, and
/// lasting ones only without.
///
/// # Errors
/// The store; within it, why there is none.
pub async fn usable_key(
    store: &Store,
    access_key_id: &str,
    session_token: Option<&str>,
    now_ms: i64,
) -> Result<Result<UsableKey, NoKey>, StoreError> {
    match session_token {
        None => lasting(store, access_key_id, now_ms).await,
        Some(token) => temporary(store, access_key_id, token, now_ms).await,
    }
}

async fn lasting(
    store: &Store,
    access_key_id: &str,
    now_ms: i64,
) -> Result<Result<UsableKey, NoKey>, StoreError> {
    let found = store.access_key_and_policies(access_key_id).await?;
    let Some((key, policies)) = found.filter(|(key, _)| key.is_usable()) else {
        return Ok(Err(NoKey::Unknown));
    };
    Ok(Ok(UsableKey {
        unnoted: key.is_use_unnoted(now_ms),
        bearer: Bearer::User(Box::new(key)),
        policies,
    }))
}

async fn temporary(
    store: &Store,
    access_key_id: &str,
    token: &str,
    now_ms: i64,
) -> Result<Result<UsableKey, NoKey>, StoreError> {
    let found = store.session(access_key_id).await?;
    let Some(session) = found.filter(|session| session.has_token(token)) else {
        return Ok(Err(NoKey::Unknown));
    };
    if session.expires_ms <= now_ms {
        return Ok(Err(NoKey::Expired));
    }
    let id = &session.asked.principal_id;
    let Some(issuer) = store.principal_by_id(id).await? else {
        return Ok(Err(NoKey::Unknown));
    };
    let policies = store.policies_of(id).await?;
    Ok(Ok(UsableKey {
        bearer: Bearer::Session(Box::new((session, issuer))),
        policies,
        unnoted: false,
    }))
}
