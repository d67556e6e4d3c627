//! What logs and metrics have in common: whose they are, and where their files are read.

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
        let new = NewVoiceConnector {
            name: "trunk".to_owned(),
            aws_region: "us-east-1".to_owned(),
            require_encryption: false,
            integration_type: None,
            network_type: "IPV4_ONLY".to_owned(),
            tags: "[]".to_owned(),
        };
        let connector = store.create_connector("000000000002", new, 1);
        let id = &connector.await.unwrap().voice_connector_id;
        assert_eq!(owner(id).await.as_deref(), Some("000000000002"));
        let deleted = store.delete_connector("000000000002", id).await.unwrap();
        assert!(deleted.is_ok());
        assert_eq!(owner(id).await, None);
    }
}
