//! Who calls the API, and what they may do: access keys and whose they are, policies and what they say.

mod context;
pub mod managed;
pub mod policy;

pub use context::Context;
pub use managed::Managed;

use crate::store::{AccessKey, Store, StoreError};

/// A caller whose signature was found good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The account that everything the caller does happens in.
    pub account_id: String,
    /// The user's name within it.
    pub user_name: String,
}

impl Caller {
    /// The caller as policies and audit trails name it.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:user/{}", self.account_id, self.user_name)
    }
}

impl From<&AccessKey> for Caller {
    fn from(key: &AccessKey) -> Self {
        Self {
            account_id: key.account_id.clone(),
            user_name: key.user_name.clone(),
        }
    }
}

/// The usable key of that id, if there is one.
///
/// # Errors
/// The store.
pub async fn usable_key(
    store: &Store,
    access_key_id: &str,
) -> Result<Option<AccessKey>, StoreError> {
    let key = store.access_key(access_key_id).await?;
    Ok(key.filter(|key| key.revoked_ms.is_none()))
}
