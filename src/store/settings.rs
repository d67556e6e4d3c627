//! What is set once for an owner, and what the deployment decided for good.

use sqlx::Row;

use super::{Store, StoreError, draw};

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

    /// The key that page tokens are signed with: made once, so that a token outlives a restart.
    ///
    /// # Errors
    /// The database.
    pub async fn page_key(&self) -> Result<String, StoreError> {
        let made = draw::secret_access_key()?;
        self.change(
            sqlx::query(
                "INSERT INTO settings (owner, name, document) VALUES ($1, 'PageKey', $2) \
             ON CONFLICT (owner, name) DO NOTHING",
            )
            .bind(DEPLOYMENT)
            .bind(made.expose().to_owned()),
        )
        .await?;
        let row =
            sqlx::query("SELECT document FROM settings WHERE owner = $1 AND name = 'PageKey'")
                .bind(DEPLOYMENT)
                .fetch_one(&self.pool)
                .await?;
        Ok(row.try_get(0)?)
    }
}
