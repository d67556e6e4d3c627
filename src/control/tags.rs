//! Tags of what can bear them.

use serde_json::Value;

use super::accounts::document;
use super::{Caller, Control, Refusal};
use crate::store::Document;

/// Something that bears tags, by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tagged {
    /// A meeting.
    Meeting(String),
    /// A voice connector.
    Connector(String),
}

/// Of one thing.
const MOST: usize = 50;

impl Control {
    /// The tags of a thing of the caller's.
    ///
    /// # Errors
    /// No such thing; the store.
    pub async fn tags(&self, caller: &Caller, tagged: &Tagged) -> Result<Vec<Value>, Refusal> {
        let tags = match tagged {
            Tagged::Meeting(id) => self.get_meeting(caller, id).await?.asked.tags,
            Tagged::Connector(id) => document(&self.connector(caller, id).await?.tags),
        };
        Ok(tags.as_array().cloned().unwrap_or_default())
    }

    /// Adds tags; known keys get another value.
    ///
    /// # Errors
    /// No such thing; more tags than may be; the store.
    pub async fn tag(&self, caller: &Caller, tagged: &Tagged, said: &Value) -> Result<(), Refusal> {
        self.change_tags(caller, tagged, |tags| {
            for tag in said.as_array().into_iter().flatten() {
                tags.retain(|known| known.get("Key") != tag.get("Key"));
                tags.push(tag.clone());
            }
            match tags.len() {
                ..=MOST => Ok(()),
                _ => Err(Refusal::LimitExceeded(format!(
                    "a resource bears {MOST} tags at most"
                ))),
            }
        })
        .await
    }

    /// Takes tags away; keys that it does not bear are none to take.
    ///
    /// # Errors
    /// No such thing; the store.
    pub async fn untag(
        &self,
        caller: &Caller,
        tagged: &Tagged,
        keys: &[String],
    ) -> Result<(), Refusal> {
        self.change_tags(caller, tagged, |tags| {
            tags.retain(|tag| {
                let key = tag.get("Key").and_then(Value::as_str).unwrap_or_default();
                !keys.iter().any(|gone| gone == key)
            });
            Ok(())
        })
        .await
    }

    async fn change_tags(
        &self,
        caller: &Caller,
        tagged: &Tagged,
        change: impl FnOnce(&mut Vec<Value>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        // Whose it is.
        self.tags(caller, tagged).await?;
        let (document, id) = match tagged {
            Tagged::Meeting(id) => (Document::MeetingTags, id),
            Tagged::Connector(id) => (Document::ConnectorTags, id),
        };
        self.change_document(document, id, "the resource", |tags| {
            let mut tags = tags.as_array().cloned().unwrap_or_default();
            change(&mut tags)?;
            Ok(Value::Array(tags))
        })
        .await?;
        Ok(())
    }
}
