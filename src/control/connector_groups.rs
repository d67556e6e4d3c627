//! Groups of voice connectors, between which calls are distributed.

use serde_json::Value;

use super::{Caller, Control, Refusal, now_ms};
use crate::store::{AskedGroup, InUse, Listed, Page, VoiceConnectorGroup};

impl Control {
    /// Makes a group of voice connectors, or writes the one of that id.
    ///
    /// # Errors
    /// No such group or connector; a connector twice; the account has too many groups; the store.
    pub async fn put_group(
        &self,
        caller: &Caller,
        id: Option<&str>,
        name: &str,
        items: &Value,
        distribution: Option<&str>,
    ) -> Result<VoiceConnectorGroup, Refusal> {
        let items = items.to_string();
        let mut seen: Vec<String> = Vec::new();
        for member in members(&items) {
            if seen.contains(&member) {
                return Err(Refusal::invalid(
                    "VoiceConnectorItems",
                    format!("has {member} twice"),
                ));
            }
            seen.push(member);
        }
        let asked = AskedGroup {
            name,
            items: &items,
            members: &seen,
            distribution,
        };
        let (owner, now) = (&caller.account_id, now_ms());
        let group = match id {
            Some(id) => {
                self.group(caller, id).await?;
                self.store.update_group(owner, id, &asked, now).await?
            }
            None => self.store.create_group(owner, &asked, now).await??,
        };
        group.ok_or(Refusal::NotFound("the voice connector"))
    }

    /// A group of the caller's.
    ///
    /// # Errors
    /// No such group; the store.
    pub async fn group(&self, caller: &Caller, id: &str) -> Result<VoiceConnectorGroup, Refusal> {
        self.store
            .group(&caller.account_id, id)
            .await?
            .ok_or(Refusal::NotFound("the voice connector group"))
    }

    /// The caller's groups.
    ///
    /// # Errors
    /// The store.
    pub async fn groups(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Listed<VoiceConnectorGroup>, Refusal> {
        Ok(self.store.groups(&caller.account_id, page).await?)
    }

    /// Deletes a group that no connector is in and no number on.
    ///
    /// # Errors
    /// No such group; something depends on it; the store.
    pub async fn delete_group(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let group = self.group(caller, id).await?;
        let deleted = self
            .store
            .delete_group(&group.owner, &group.voice_connector_group_id)
            .await?;
        deleted.map_err(|why| match why {
            InUse::Grouped => {
                Refusal::Conflict("the group has voice connectors; take them out first".to_owned())
            }
            InUse::Numbered => Refusal::Conflict(
                "phone numbers are on the group; disassociate them first".to_owned(),
            ),
        })
    }
}

/// The ids in a list of `VoiceConnectorItems`.
fn members(items: &str) -> impl Iterator<Item = String> + use<> {
    let items: Vec<Value> = serde_json::from_str(items).unwrap_or_default();
    items.into_iter().filter_map(|item| {
        let id = item.get("VoiceConnectorId")?.as_str()?;
        Some(id.to_owned())
    })
}
