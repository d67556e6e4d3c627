//! Who calls the API, and what they may do: access keys and whose they are, policies and what they say.

mod caller;
mod context;
pub mod managed;
mod pace;
pub mod policy;
pub mod principals;
pub mod sessions;
#[cfg(test)]
mod tests;

pub use caller::{Caller, CallerKind, SessionContext};
pub use context::Context;
pub use managed::Managed;
pub use pace::Pace;

use thiserror::Error;

use crate::store::{Secret, Store, StoreError};

/// A key that a request may be signed with, and who does.
#[derive(Clone, Debug)]
pub struct UsableKey {
    /// What to check the signature with.
    pub secret_access_key: Secret,
    /// Who has signed, if the signature is good.
    pub caller: Caller,
    /// Whether [`Store::note_access_key_used`] is due, once the signature has proved to be good.
    pub unnoted: bool,
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
        caller: Caller::user(&key, &policies)?,
        unnoted: key.is_use_unnoted(now_ms),
        secret_access_key: key.secret_access_key,
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
        caller: Caller::of_session(&session, issuer, &policies)?,
        unnoted: false,
        secret_access_key: session.secret_access_key,
    }))
}
