//! Accounts: teams, and enterprises with domains of their own.

use serde_json::{Value, json};

use super::{Caller, Control, Refusal, now_ms};
use crate::store::{Account, AccountField, Document, Listed, Page};

/// The types of account that have their own domains, whose users are suspended rather than let go.
pub fn is_enterprise(account: &Account) -> bool {
    account.account_type != "Team"
}

impl Control {
    /// Makes a Team account.
    ///
    /// # Errors
    /// The store.
    pub async fn create_account(&self, caller: &Caller, name: &str) -> Result<Account, Refusal> {
        let settings = json!({"DisableRemoteControl": false, "EnableDialOut": true});
        Ok(self
            .store
            .create_account(&caller.account_id, name, &settings, now_ms())
            .await?)
    }

    /// An account of the caller's.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn account(&self, caller: &Caller, account_id: &str) -> Result<Account, Refusal> {
        self.store
            .account(&caller.account_id, account_id)
            .await?
            .ok_or(Refusal::NotFound("the account"))
    }

    /// The caller's accounts, of that name or with a user of that address where asked for.
    ///
    /// # Errors
    /// The store.
    pub async fn accounts(
        &self,
        caller: &Caller,
        name: Option<&str>,
        email: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Account>, Refusal> {
        Ok(self
            .store
            .accounts(&caller.account_id, name, email, page)
            .await?)
    }

    /// Renames an account, or sets the tier of its new users.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn update_account(
        &self,
        caller: &Caller,
        account_id: &str,
        name: Option<&str>,
        license: Option<&str>,
    ) -> Result<Account, Refusal> {
        let account = self.account(caller, account_id).await?;
        let fields: Vec<(AccountField, String)> = [
            name.map(|name| (AccountField::Name, name.to_owned())),
            license.map(|license| (AccountField::DefaultLicense, license.to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.store
            .update_account(&account.account_id, &fields)
            .await?;
        self.account(caller, account_id).await
    }

    /// Deletes a team that nobody is left in, or an enterprise that has no domain any more.
    ///
    /// # Errors
    /// No such account; it has users or domains; the store.
    pub async fn delete_account(&self, caller: &Caller, account_id: &str) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        let id = &account.account_id;
        if self.store.delete_account(id, now_ms()).await? {
            return Ok(());
        }
        let what = if is_enterprise(&account) {
            "domains"
        } else {
            "users"
        };
        Err(Refusal::Unprocessable(format!(
            "the account has {what}; remove them first"
        )))
    }

    /// Sets `AccountSettings`; what is not said stays.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn update_account_settings(
        &self,
        caller: &Caller,
        account_id: &str,
        said: &Value,
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        self.change(&account, AccountField::Settings, |mut settings| {
            merge(&mut settings, said);
            settings
        })
        .await
    }

    /// Sets how long chat messages are kept; what is not said is kept for good.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn put_retention(
        &self,
        caller: &Caller,
        account_id: &str,
        said: &Value,
    ) -> Result<Value, Refusal> {
        let account = self.account(caller, account_id).await?;
        let stored = json!({"RetentionSettings": said, "InitiateDeletionMs": now_ms() + GRACE_MS});
        let told = stored.clone();
        self.change(&account, AccountField::Retention, |_| stored)
            .await?;
        Ok(told)
    }

    /// Adds groups whose members may sign in for others.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn add_delegate_groups(
        &self,
        caller: &Caller,
        account_id: &str,
        names: &[String],
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        self.change(&account, AccountField::DelegateGroups, |known| {
            let mut groups = names_in(&known);
            for name in names {
                if !groups.contains(name) {
                    groups.push(name.clone());
                }
            }
            json!(groups)
        })
        .await
    }

    /// Takes such groups away; names that are none are no error.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn remove_delegate_groups(
        &self,
        caller: &Caller,
        account_id: &str,
        names: &[String],
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        self.change(&account, AccountField::DelegateGroups, |known| {
            let mut groups = names_in(&known);
            groups.retain(|group| !names.contains(group));
            json!(groups)
        })
        .await
    }

    async fn change(
        &self,
        account: &Account,
        field: AccountField,
        change: impl FnOnce(Value) -> Value,
    ) -> Result<(), Refusal> {
        let (field, id) = (Document::Account(field), &account.account_id);
        self.change_document(field, id, "the account", |value| Ok(change(value)))
            .await?;
        Ok(())
    }
}

/// The names of an account's delegate groups.
#[must_use]
pub fn group_names(account: &Account) -> Vec<String> {
    names_in(&document(&account.delegate_groups))
}

fn names_in(groups: &Value) -> Vec<String> {
    let names = groups.as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// A document of ours; an empty object where it is damaged.
#[must_use]
pub fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({}))
}

/// Writes the members of one object over those of another.
pub(super) fn merge(into: &mut Value, said: &Value) {
    if let (Some(into), Some(said)) = (into.as_object_mut(), said.as_object()) {
        for (name, value) in said {
            into.insert(name.clone(), value.clone());
        }
    }
}

/// Between a shorter retention and the time at which what is older is gone for good.
const GRACE_MS: i64 = 30 * 24 * 3600 * 1000;
