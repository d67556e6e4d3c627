//! Documents of which requests change a part: read, changed and written while nobody else writes, so that of two who
//! change different parts at once none is undone.

use serde_json::{Value, json};
use sqlx::Row;

use super::{AccountField, Store, StoreError};

/// Such a document, but for whose.
#[derive(Clone, Copy, Debug)]
pub enum Document {
    /// The tags of a meeting.
    MeetingTags,
    /// The tags of a voice connector.
    ConnectorTags,
    /// A field of an account that holds JSON.
    Account(AccountField),
    /// A setting of an owner; an empty object where nothing was set.
    Setting(&'static str),
}

impl Document {
    /// How it is read by `$1`, and how it is written as `$1` by `$2`.
    fn sql(self) -> (String, String) {
        let row = |table: &str, column: &str, key: &str| {
            (
                format!("SELECT {column} FROM {table} WHERE {key} = $1"),
                format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2"),
            )
        };
        match self {
            Self::MeetingTags => row("meetings", "tags", "meeting_id"),
            Self::ConnectorTags => row("voice_connectors", "tags", "voice_connector_id"),
            Self::Account(field) => row("accounts", field.column(), "account_id"),
            // Names of settings are our own words.
            Self::Setting(name) => (
                format!("SELECT document FROM settings WHERE name = '{name}' AND owner = $1"),
                format!(
                    "INSERT INTO settings (document, owner, name) VALUES ($1, $2, '{name}') \
                     ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document"
                ),
            ),
        }
    }
}

impl Store {
    /// Changes a document of that id or owner; what `change` refuses stays as it was. `None` where there is none.
    ///
    /// # Errors
    /// The database; the document is not JSON. Within it, what `change` says.
    pub async fn change_document<R>(
        &self,
        document: Document,
        of: &str,
        change: impl FnOnce(Value) -> Result<Value, R>,
    ) -> Result<Option<Result<Value, R>>, StoreError> {
        let (read, write) = document.sql();
        let mut transaction = self.write().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(read))
            .bind(of.to_owned())
            .fetch_optional(&mut *transaction)
            .await?;
        let before = match (row, document) {
            (Some(row), _) => serde_json::from_str(&row.try_get::<String, _>(0)?)?,
            (None, Document::Setting(_)) => json!({}),
            (None, _) => return Ok(None),
        };
        let after = match change(before) {
            Ok(after) => after,
            Err(refused) => return Ok(Some(Err(refused))),
        };
        sqlx::query(sqlx::AssertSqlSafe(write))
            .bind(after.to_string())
            .bind(of.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(Ok(after)))
    }
}
