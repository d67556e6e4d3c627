//! The policies of users and roles.

use sqlx::Row;

use super::{Full, Store, StoreError, Writing, bounds};

/// A policy of a principal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachedPolicy {
    /// The ARN of a managed one, or the name of the principal's own.
    pub name: String,
    /// The text of its own.
    pub document: Option<String>,
}

impl Store {
    /// The policies of a user or role, by name.
    ///
    /// # Errors
    /// The database.
    pub async fn policies_of(&self, principal_id: &str) -> Result<Vec<AttachedPolicy>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, document FROM principal_policies WHERE principal_id = $1 ORDER BY name",
        )
        .bind(principal_id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AttachedPolicy {
                    name: row.try_get(0)?,
                    document: row.try_get(1)?,
                })
            })
            .collect()
    }

    /// Gives a user or role a policy, in place of one of that name.
    ///
    /// # Errors
    /// The database; there is no such user or role; within it, that it has too many.
    pub async fn put_policy(
        &self,
        principal_id: &str,
        policy: &AttachedPolicy,
        now_ms: i64,
    ) -> Result<Result<(), Full>, StoreError> {
        let mut transaction = self.write().await?;
        if policy.document.is_some() {
            let names = [principal_id, &policy.name];
            if let Err(full) = bounds::POLICIES.has_room(&mut transaction, &names).await? {
                return Ok(Err(full));
            }
        }
        insert_policy(&mut transaction, principal_id, policy, now_ms).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// Takes a policy away; `false` where there is none of that name.
    ///
    /// # Errors
    /// The database.
    pub async fn remove_policy(&self, principal_id: &str, name: &str) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query("DELETE FROM principal_policies WHERE principal_id = $1 AND name = $2")
                    .bind(principal_id.to_owned())
                    .bind(name.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

pub(super) async fn insert_policy(
    transaction: &mut Writing,
    principal_id: &str,
    policy: &AttachedPolicy,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO principal_policies (principal_id, name, document, created_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (principal_id, name) DO UPDATE SET document = excluded.document",
    )
    .bind(principal_id.to_owned())
    .bind(policy.name.clone())
    .bind(policy.document.clone())
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
