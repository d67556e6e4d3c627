//! What logs and metrics have in common: whose they are, and where their files are read.

use std::collections::HashSet;
use std::io;

use super::{Caller, Control, Refusal};
use crate::store::{Deployment, Store, StoreError};

impl Control {
    /// Whether the caller's account has what is kept under the name of that voice connector.
    ///
    /// # Errors
    /// The store.
    pub(super) async fn has_connector(
        &self,
        caller: &Caller,
        connector: &str,
    ) -> Result<bool, Refusal> {
        let owner = owner_of(&self.store, &self.deployment, connector).await?;
        Ok(owner.as_ref() == Some(&caller.account_id))
    }

    /// Under the names of which voice connectors something may be kept that the caller's account has.
    ///
    /// # Errors
    /// The store.
    pub(super) async fn connectors_of(&self, caller: &Caller) -> Result<HashSet<String>, Refusal> {
        let own = connectors_of(&self.store, &self.deployment, &caller.account_id);
        Ok(own.await?)
    }
}

/// The voice connectors of an account, with the one that calls into meetings belong to where it is its.
async fn connectors_of(
    store: &Store,
    deployment: &Deployment,
    account: &str,
) -> Result<HashSet<String>, StoreError> {
    let mut own = store.connector_ids(account).await?;
    if account == deployment.account_id {
        own.insert(deployment.voice_connector_id.clone());
    }
    Ok(own)
}

/// The account of a voice connector; that of one which is gone is nobody's to guess, least of all our own.
async fn owner_of(
    store: &Store,
    deployment: &Deployment,
    connector: &str,
) -> Result<Option<String>, StoreError> {
    if connector == deployment.voice_connector_id {
        return Ok(Some(deployment.account_id.clone()));
    }
    store.connector_owner(connector).await
}

/// Reads files where that holds up nobody else.
pub(super) async fn read<Of: Clone + Send + 'static, T: Send + 'static>(
    of: &Of,
    read: impl FnOnce(&Of) -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let of = of.clone();
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "what is kept of calls cannot be read");
        Refusal::Failed("it cannot be read".to_owned())
    };
    match tokio::task::spawn_blocking(move || read(&of)).await {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewVoiceConnector;

    #[tokio::test]
    async fn what_a_connector_that_is_gone_left_is_nobodys() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let own = store.deployment(None, 1).await.unwrap();
        let owner = async |id: &str| owner_of(&store, &own, id).await.unwrap();
        let built_in = owner(&own.voice_connector_id).await;
        assert_eq!(built_in.as_ref(), Some(&own.account_id));
        let of = async |account: &str| connectors_of(&store, &own, account).await.unwrap();
        let new = NewVoiceConnector {
            name: "trunk".to_owned(),
            aws_region: "us-east-1".to_owned(),
            require_encryption: false,
            integration_type: None,
            network_type: "IPV4_ONLY".to_owned(),
            tags: "[]".to_owned(),
        };
        let connector = store.create_connector("000000000002", new, 1);
        let id = &connector.await.unwrap().unwrap().voice_connector_id;
        assert_eq!(owner(id).await.as_deref(), Some("000000000002"));
        assert_eq!(of("000000000002").await, HashSet::from([id.clone()]));
        let built_in = HashSet::from([own.voice_connector_id.clone()]);
        assert_eq!(of(&own.account_id).await, built_in);
        let deleted = store.delete_connector("000000000002", id).await.unwrap();
        assert!(deleted.is_ok());
        assert_eq!(owner(id).await, None);
        assert!(of("000000000002").await.is_empty());
    }
}
