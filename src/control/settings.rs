//! Global settings of an owner: which buckets records of calls go to.

use serde_json::{Value, json};

use super::{Caller, Control, Refusal};
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

/// Where the call records of an account's voice connectors go: the bucket of its setting, or `default`; `None` where
/// they are turned off.
///
/// # Errors
/// The store.
pub async fn record_bucket(
    store: &Store,
    account_id: &str,
    default: &str,
) -> Result<Option<String>, StoreError> {
    let settings = store.setting(account_id, GLOBAL).await?;
    let named = settings
        .as_ref()
        .and_then(|settings| settings.pointer("/VoiceConnector/CdrBucket"))
        .and_then(Value::as_str);
    Ok(match named {
        None => Some(default.to_owned()),
        Some("") => None,
        Some(bucket) => Some(bucket.to_owned()),
    })
}
