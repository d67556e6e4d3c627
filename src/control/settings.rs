//! Global settings of an owner: which buckets records of calls go to.

use serde_json::{Value, json};

use super::{Caller, Control, Refusal};
use crate::objects::Objects;
use crate::store::{Document, Store, StoreError};

/// The setting's name in the store.
const GLOBAL: &str = "GlobalSettings";

/// The products with records of their own, as the API spells them.
const PRODUCTS: [&str; 2] = ["BusinessCalling", "VoiceConnector"];

impl Control {
    /// What the caller's account has set.
    ///
    /// # Errors
    /// The store.
    pub async fn global_settings(&self, caller: &Caller) -> Result<Value, Refusal> {
        let settings = self.store.setting(&caller.account_id, GLOBAL).await?;
        Ok(settings.unwrap_or_else(|| json!({})))
    }

    /// Sets it, product by product; what is not said stays. An empty `CdrBucket` turns records off, none leaves them
    /// to the default bucket.
    ///
    /// # Errors
    /// A bucket that is none of this server's or not open to the caller's account; the store.
    pub async fn update_global_settings(
        &self,
        caller: &Caller,
        said: &Value,
    ) -> Result<(), Refusal> {
        for name in PRODUCTS {
            let Some(product) = said.get(name) else {
                continue;
            };
            let bucket = product.get("CdrBucket").and_then(Value::as_str);
            if let Some(bucket) = bucket.filter(|bucket| !bucket.is_empty())
                && !self.objects.is_open_to(bucket, &caller.account_id)
            {
                // One that is somebody else's is told like one that nobody has.
                return Err(Refusal::invalid(
                    format!("{name}.CdrBucket"),
                    "must be a bucket that this server is configured with for your account",
                ));
            }
        }
        let (setting, account) = (Document::Setting(GLOBAL), &caller.account_id);
        self.change_document(setting, account, "the setting", |mut settings| {
            let products = PRODUCTS.into_iter();
            let said = products.filter_map(|name| Some((name, said.get(name)?)));
            if let Some(settings) = settings.as_object_mut() {
                settings.extend(said.map(|(name, product)| (name.to_owned(), product.clone())));
            }
            Ok(settings)
        })
        .await?;
        Ok(())
    }
}

/// Why nobody can say where records go.
#[derive(Debug, thiserror::Error)]
pub enum NoBucket {
    /// The setting cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bucket is none of this server's by now, or another account's.
    #[error("the bucket {0:?} is not, or no more, open to the account {1}")]
    Closed(String, String),
}

/// Where the call records of an account's voice connectors go now: the bucket of its setting, or `default`; `None` where
/// they are turned off. A bucket that was open to the account when it was named may be no more.
///
/// # Errors
/// [`NoBucket`]: the records wait.
pub async fn record_bucket(
    store: &Store,
    objects: &Objects,
    account_id: &str,
    default: &str,
) -> Result<Option<String>, NoBucket> {
    let settings = store.setting(account_id, GLOBAL).await?;
    let named = settings
        .as_ref()
        .and_then(|settings| settings.pointer("/VoiceConnector/CdrBucket"))
        .and_then(Value::as_str);
    match named {
        Some("") => Ok(None),
        named => {
            let bucket = named.unwrap_or(default).to_owned();
            match objects.is_open_to(&bucket, account_id) {
                true => Ok(Some(bucket)),
                false => Err(NoBucket::Closed(bucket, account_id.to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_go_only_where_the_account_may_have_them_when_they_go() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let objects = crate::objects::tests::folders(data.path());
        let own = "000000000001";
        let chosen = async |said: Value| {
            store.set(own, GLOBAL, &said).await.unwrap();
            record_bucket(&store, &objects, own, "records").await
        };
        let names = |bucket: &str| json!({"VoiceConnector": {"CdrBucket": bucket}});
        let found = chosen(json!({})).await.unwrap();
        assert_eq!(found.as_deref(), Some("records"));
        let found = chosen(names("vault")).await.unwrap();
        assert_eq!(found.as_deref(), Some("vault"));
        assert_eq!(chosen(names("")).await.unwrap(), None);
        // Another account's since it was named, and one that is configured no more.
        for bucket in ["shared", "gone"] {
            let refused = chosen(names(bucket)).await.unwrap_err();
            assert!(matches!(&refused, NoBucket::Closed(named, _) if named == bucket));
        }
    }
}
