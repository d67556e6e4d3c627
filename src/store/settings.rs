//! What is set once for an owner, and what the deployment decided for good.

use sqlx::Row;

use super::{Store, StoreError};

/// The owner of what belongs to the deployment.
pub(super) const DEPLOYMENT: &str = "";

impl Store {
    /// A setting's document.
    ///
    /// # Errors
    /// The database; the document is not JSON.
    pub async fn setting(
        &self,
        owner: &str,
        name: &'static str,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let row = sqlx::query("SELECT document FROM settings WHERE owner = $1 AND name = $2")
            .bind(owner.to_owned())
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&row.try_get::<String, _>(0)?)?))
    }

    /// Sets it.
    ///
    /// # Errors
    /// The database.
    pub async fn set(
        &self,
        owner: &str,
        name: &'static str,
        document: &serde_json::Value,
    ) -> Result<(), StoreError> {
        self.change(
            sqlx::query(
                "INSERT INTO settings (owner, name, document) VALUES ($1, $2, $3) \
             ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document",
            )
            .bind(owner.to_owned())
            .bind(name)
            .bind(document.to_string()),
        )
        .await?;
        Ok(())
    }

    /// The key that page tokens are signed with: made of the key for secrets, so that a token outlives a restart and
    /// whoever has a copy of the database cannot make one.
    ///
    /// # Errors
    /// The database.
    pub async fn page_key(&self) -> Result<String, StoreError> {
        // Where an earlier version kept one in clear.
        let sql = "DELETE FROM settings WHERE owner = $1 AND name = 'PageKey'";
        self.change(sqlx::query(sql).bind(DEPLOYMENT)).await?;
        let key = self.seal.derive("page tokens")?;
        Ok(key.iter().map(|octet| format!("{octet:02x}")).collect())
    }
}
