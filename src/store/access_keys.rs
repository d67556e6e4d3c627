//! Access keys of API callers.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::{Secret, Store, StoreError, draw};

/// One access key. Its secret is hidden from `Debug`.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
    /// Whose.
    pub account_id: String,
    /// The user's name within the account.
    pub user_name: String,
    /// Made, ms since the epoch.
    pub created_ms: i64,
    /// Revoked, ms since the epoch.
    pub revoked_ms: Option<i64>,
}

const COLUMNS: &str =
    "access_key_id, secret_access_key, account_id, user_name, created_ms, revoked_ms";

/// The user that the first start makes.
const ADMINISTRATOR: &str = "administrator";

impl Store {
    /// The oldest usable key of the first administrator; made where there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn first_administrator(
        &self,
        account_id: &str,
        now_ms: i64,
    ) -> Result<AccessKey, StoreError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE account_id = $1 AND user_name = $2 AND revoked_ms IS NULL \
             ORDER BY created_ms LIMIT 1"
        )))
        .bind(account_id.to_owned())
        .bind(ADMINISTRATOR)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(row) = row {
            return from_row(&row);
        }
        let key = insert(&mut transaction, account_id, ADMINISTRATOR, now_ms).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// Makes another key.
    ///
    /// # Errors
    /// The database.
    pub async fn create_access_key(
        &self,
        account_id: &str,
        user_name: &str,
        now_ms: i64,
    ) -> Result<AccessKey, StoreError> {
        let mut transaction = self.write().await?;
        let key = insert(&mut transaction, account_id, user_name, now_ms).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// A key by its public half, revoked ones too.
    ///
    /// # Errors
    /// The database.
    pub async fn access_key(&self, access_key_id: &str) -> Result<Option<AccessKey>, StoreError> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE access_key_id = $1"
        )))
        .bind(access_key_id.to_owned())
        .fetch_optional(&self.pool)
        .await?
        .map(|row| from_row(&row))
        .transpose()
    }

    /// Every key of an account, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn access_keys(&self, account_id: &str) -> Result<Vec<AccessKey>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE account_id = $1 ORDER BY created_ms, access_key_id"
        )))
        .bind(account_id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// Takes a key out of use for good; `false` where there is no such usable key.
    ///
    /// # Errors
    /// The database.
    pub async fn revoke_access_key(
        &self,
        access_key_id: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE access_keys SET revoked_ms = $1 WHERE access_key_id = $2 AND revoked_ms IS NULL")
            .bind(now_ms)
            .bind(access_key_id.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    account_id: &str,
    user_name: &str,
    now_ms: i64,
) -> Result<AccessKey, StoreError> {
    let key = AccessKey {
        access_key_id: draw::access_key_id()?,
        secret_access_key: draw::secret_access_key()?,
        account_id: account_id.to_owned(),
        user_name: user_name.to_owned(),
        created_ms: now_ms,
        revoked_ms: None,
    };
    sqlx::query(
        "INSERT INTO access_keys (access_key_id, secret_access_key, account_id, user_name, created_ms) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(key.access_key_id.clone())
    .bind(key.secret_access_key.expose().to_owned())
    .bind(key.account_id.clone())
    .bind(key.user_name.clone())
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(key)
}

fn from_row(row: &AnyRow) -> Result<AccessKey, StoreError> {
    Ok(AccessKey {
        access_key_id: row.try_get(0)?,
        secret_access_key: Secret::new(row.try_get(1)?),
        account_id: row.try_get(2)?,
        user_name: row.try_get(3)?,
        created_ms: row.try_get(4)?,
        revoked_ms: row.try_get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_administrator_is_made_once() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let first = store.first_administrator("123456789012", 1).await.unwrap();
        let again = store.first_administrator("123456789012", 2).await.unwrap();
        assert_eq!(first.access_key_id, again.access_key_id);
        assert!(
            first
                .secret_access_key
                .matches(again.secret_access_key.expose())
        );
    }

    #[tokio::test]
    async fn a_revoked_key_is_remembered_as_revoked_and_replaced() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let first = store.first_administrator("123456789012", 1).await.unwrap();
        assert!(
            store
                .revoke_access_key(&first.access_key_id, 5)
                .await
                .unwrap()
        );
        assert!(
            !store
                .revoke_access_key(&first.access_key_id, 6)
                .await
                .unwrap()
        );
        let found = store
            .access_key(&first.access_key_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.revoked_ms, Some(5));
        let second = store.first_administrator("123456789012", 7).await.unwrap();
        assert_ne!(second.access_key_id, first.access_key_id);
        assert_eq!(store.access_keys("123456789012").await.unwrap().len(), 2);
    }
}
