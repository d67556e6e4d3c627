//! Access keys of users. Their secrets are sealed at rest and come out only to be compared with.

use sqlx::Row;
use sqlx::any::AnyRow;
use thiserror::Error;

use super::seal::Place;
use super::{
    AttachedPolicy, Principal, PrincipalKind, Seal, Secret, Store, StoreError, Writing, draw,
    principals,
};

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
    /// The user's unique id.
    pub principal_id: String,
    /// Made, ms since the epoch.
    pub created_ms: i64,
    /// Revoked for good, ms since the epoch.
    pub revoked_ms: Option<i64>,
    /// Out of use for the time being, ms since the epoch.
    pub inactive_ms: Option<i64>,
    /// Last used, ms since the epoch, within a minute.
    pub last_used_ms: Option<i64>,
}

impl AccessKey {
    /// Whether requests may be signed with it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.revoked_ms.is_none() && self.inactive_ms.is_none()
    }

    /// Whether that it is used now is to be noted: not every request should write.
    #[must_use]
    pub fn is_use_unnoted(&self, now_ms: i64) -> bool {
        let since = self.last_used_ms.map(|last| now_ms.saturating_sub(last));
        since.is_none_or(|since| since >= USE_NOTED_EVERY)
    }
}

/// Why a user got no further key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoNewKey {
    /// There is no such user.
    #[error("there is no such user")]
    NoUser,
    /// The user has as many as are needed to change from one to the next.
    #[error("a user has at most {MOST_KEYS} keys; delete one first")]
    TooMany,
}

const COLUMNS: &str = "access_key_id, secret_access_key, account_id, user_name, principal_id, created_ms, \
                       revoked_ms, inactive_ms, last_used_ms";

/// The user that the first start makes in an account.
pub(super) const ADMINISTRATOR: &str = "administrator";

/// Where the secrets stand, but for the row.
pub(super) const SECRET: Place<'static> = Place {
    table: "access_keys",
    column: "secret_access_key",
    row: "",
};

/// Keys of one user that are not revoked: one in use, and one to change to.
const MOST_KEYS: i64 = 2;

/// How far the time of last use may be behind, ms.
const USE_NOTED_EVERY: i64 = 60_000;

impl Store {
    /// The oldest usable key of the account's first administrator; account, user and key are made where missing. `None`
    /// where there are keys that were put out of use: whoever did that wants no other one made.
    ///
    /// # Errors
    /// The database.
    pub async fn first_administrator(
        &self,
        account_id: &str,
        now_ms: i64,
    ) -> Result<Option<AccessKey>, StoreError> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE account_id = $1 AND user_name = $2 \
             AND revoked_ms IS NULL ORDER BY created_ms"
        )))
        .bind(account_id.to_owned())
        .bind(ADMINISTRATOR)
        .fetch_all(&mut *transaction)
        .await?;
        if !rows.is_empty() {
            let keys = rows.iter().map(|row| self.key_from_row(row));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            return Ok(keys.into_iter().find(AccessKey::is_usable));
        }
        principals::ensure_account(&mut transaction, account_id, now_ms).await?;
        let user = PrincipalKind::User;
        let found = principals::find(&mut transaction, account_id, user, ADMINISTRATOR).await?;
        let user = match found {
            Some(user) => user,
            None => principals::insert_administrator(&mut transaction, account_id, now_ms).await?,
        };
        let key = insert(&mut transaction, &self.seal, &user, now_ms).await?;
        transaction.commit().await?;
        Ok(Some(key))
    }

    /// Makes another key for a user.
    ///
    /// # Errors
    /// The database; within it, why there is none.
    pub async fn create_access_key(
        &self,
        account_id: &str,
        user_name: &str,
        now_ms: i64,
    ) -> Result<Result<AccessKey, NoNewKey>, StoreError> {
        let mut transaction = self.write().await?;
        let kind = PrincipalKind::User;
        let found = principals::find(&mut transaction, account_id, kind, user_name).await?;
        let Some(user) = found else {
            return Ok(Err(NoNewKey::NoUser));
        };
        let has: i64 = sqlx::query(
            "SELECT COUNT(*) FROM access_keys WHERE principal_id = $1 AND revoked_ms IS NULL",
        )
        .bind(user.principal_id.clone())
        .fetch_one(&mut *transaction)
        .await?
        .try_get(0)?;
        if has >= MOST_KEYS {
            return Ok(Err(NoNewKey::TooMany));
        }
        let key = insert(&mut transaction, &self.seal, &user, now_ms).await?;
        transaction.commit().await?;
        Ok(Ok(key))
    }

    /// A key by its public half, revoked ones too.
    ///
    /// # Errors
    /// The database; a secret that does not open.
    pub async fn access_key(&self, access_key_id: &str) -> Result<Option<AccessKey>, StoreError> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE access_key_id = $1"
        )))
        .bind(access_key_id.to_owned())
        .fetch_optional(&self.pool)
        .await?
        .map(|row| self.key_from_row(&row))
        .transpose()
    }

    /// A key by its public half, revoked ones too, and the policies of whose it is, by name.
    ///
    /// # Errors
    /// The database; a secret that does not open.
    pub async fn access_key_and_policies(
        &self,
        access_key_id: &str,
    ) -> Result<Option<(AccessKey, Vec<AttachedPolicy>)>, StoreError> {
        // Each request asks this: one question, not two.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT k.*, p.name, p.document FROM (SELECT {COLUMNS} FROM access_keys WHERE access_key_id = $1) k \
             LEFT JOIN principal_policies p ON p.principal_id = k.principal_id ORDER BY p.name"
        )))
        .bind(access_key_id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let mut policies = Vec::with_capacity(rows.len());
        for row in &rows {
            // A principal without policies has one row without a name.
            if let Some(name) = row.try_get("name")? {
                let document = row.try_get("document")?;
                policies.push(AttachedPolicy { name, document });
            }
        }
        Ok(Some((self.key_from_row(first)?, policies)))
    }

    /// Every key of an account, oldest first.
    ///
    /// # Errors
    /// The database; a secret that does not open.
    pub async fn access_keys(&self, account_id: &str) -> Result<Vec<AccessKey>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE account_id = $1 ORDER BY created_ms, access_key_id"
        )))
        .bind(account_id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| self.key_from_row(row)).collect()
    }

    /// Every key of a user, oldest first; nobody else's is opened for it.
    ///
    /// # Errors
    /// The database; a secret that does not open.
    pub async fn access_keys_of(&self, principal_id: &str) -> Result<Vec<AccessKey>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM access_keys WHERE principal_id = $1"
        )))
        .bind(principal_id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        let keys = rows.iter().map(|row| self.key_from_row(row));
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|key| (key.created_ms, key.access_key_id.clone()));
        Ok(keys)
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
        let done = self.change(sqlx::query("UPDATE access_keys SET revoked_ms = $1 WHERE access_key_id = $2 AND revoked_ms IS NULL")
            .bind(now_ms)
            .bind(access_key_id.to_owned()))
.await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a key out of use for the time being, or into it again; `false` where there is none but perhaps a
    /// revoked one.
    ///
    /// # Errors
    /// The database.
    pub async fn set_access_key_active(
        &self,
        access_key_id: &str,
        active: bool,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self.change(sqlx::query("UPDATE access_keys SET inactive_ms = $1 WHERE access_key_id = $2 AND revoked_ms IS NULL")
            .bind((!active).then_some(now_ms))
            .bind(access_key_id.to_owned()))
.await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a key was used; for keys that [`AccessKey::is_use_unnoted`].
    ///
    /// # Errors
    /// The database.
    pub async fn note_access_key_used(
        &self,
        access_key_id: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE access_keys SET last_used_ms = $1 WHERE access_key_id = $2";
        let query = sqlx::query(sql).bind(now_ms);
        self.change(query.bind(access_key_id.to_owned())).await?;
        Ok(())
    }

    fn key_from_row(&self, row: &AnyRow) -> Result<AccessKey, StoreError> {
        let access_key_id: String = row.try_get(0)?;
        let sealed: String = row.try_get(1)?;
        let place = Place {
            row: &access_key_id,
            ..SECRET
        };
        Ok(AccessKey {
            secret_access_key: self.seal.open(place, &sealed)?,
            access_key_id,
            account_id: row.try_get(2)?,
            user_name: row.try_get(3)?,
            principal_id: row.try_get(4)?,
            created_ms: row.try_get(5)?,
            revoked_ms: row.try_get(6)?,
            inactive_ms: row.try_get(7)?,
            last_used_ms: row.try_get(8)?,
        })
    }
}

pub(super) async fn insert(
    transaction: &mut Writing,
    seal: &Seal,
    user: &Principal,
    now_ms: i64,
) -> Result<AccessKey, StoreError> {
    let key = AccessKey {
        access_key_id: draw::access_key_id()?,
        secret_access_key: draw::secret_access_key()?,
        account_id: user.account_id.clone(),
        user_name: user.name.clone(),
        principal_id: user.principal_id.clone(),
        created_ms: now_ms,
        revoked_ms: None,
        inactive_ms: None,
        last_used_ms: None,
    };
    let place = Place {
        row: &key.access_key_id,
        ..SECRET
    };
    let sealed = seal.seal(place, key.secret_access_key.expose())?;
    sqlx::query(
        "INSERT INTO access_keys (access_key_id, secret_access_key, account_id, user_name, principal_id, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.access_key_id.clone())
    .bind(sealed)
    .bind(key.account_id.clone())
    .bind(key.user_name.clone())
    .bind(key.principal_id.clone())
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    #[tokio::test]
    async fn the_first_administrator_is_made_once() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let first = store
            .first_administrator(ACCOUNT, 1)
            .await
            .unwrap()
            .unwrap();
        let again = store
            .first_administrator(ACCOUNT, 2)
            .await
            .unwrap()
            .unwrap();
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
        let first = store
            .first_administrator(ACCOUNT, 1)
            .await
            .unwrap()
            .unwrap();
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
        let second = store
            .first_administrator(ACCOUNT, 7)
            .await
            .unwrap()
            .unwrap();
        assert_ne!(second.access_key_id, first.access_key_id);
        assert_eq!(store.access_keys(ACCOUNT).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_user_changes_from_one_key_to_a_second_but_has_no_third() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let first = store
            .first_administrator(ACCOUNT, 1)
            .await
            .unwrap()
            .unwrap();
        let make = async || {
            store
                .create_access_key(ACCOUNT, ADMINISTRATOR, 2)
                .await
                .unwrap()
        };
        let second = make().await.unwrap();
        assert_eq!(make().await.unwrap_err(), NoNewKey::TooMany);
        let id = &first.access_key_id;
        let set = async |active| store.set_access_key_active(id, active, 3).await.unwrap();
        assert!(set(false).await);
        let usable = async || store.access_key(id).await.unwrap().unwrap().is_usable();
        assert!(!usable().await);
        assert_eq!(make().await.unwrap_err(), NoNewKey::TooMany);
        let oldest = store
            .first_administrator(ACCOUNT, 4)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(oldest.access_key_id, second.access_key_id);
        let id_of_second = &second.access_key_id;
        assert!(
            store
                .set_access_key_active(id_of_second, false, 4)
                .await
                .unwrap()
        );
        assert!(
            store
                .first_administrator(ACCOUNT, 4)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .set_access_key_active(id_of_second, true, 4)
                .await
                .unwrap()
        );
        assert!(set(true).await && usable().await);
        assert!(store.revoke_access_key(id, 5).await.unwrap());
        assert!(!set(true).await);
        assert!(make().await.is_ok());
        let nobody = store.create_access_key(ACCOUNT, "nobody", 6).await.unwrap();
        assert_eq!(nobody.unwrap_err(), NoNewKey::NoUser);
    }

    #[tokio::test]
    async fn last_use_is_noted_once_a_minute_and_the_secret_is_sealed() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let key = store
            .first_administrator(ACCOUNT, 1)
            .await
            .unwrap()
            .unwrap();
        let mut noted = Vec::new();
        for now_ms in [1_000, 50_000, 61_000] {
            let found = store.access_key(&key.access_key_id).await.unwrap().unwrap();
            if found.is_use_unnoted(now_ms) {
                let id = &found.access_key_id;
                store.note_access_key_used(id, now_ms).await.unwrap();
            }
            let found = store.access_key(&key.access_key_id).await.unwrap().unwrap();
            noted.push(found.last_used_ms);
        }
        assert_eq!(noted, [Some(1_000), Some(1_000), Some(61_000)]);
        store.close().await;
        for entry in std::fs::read_dir(data.path()).unwrap() {
            let octets = std::fs::read(entry.unwrap().path()).unwrap();
            let secret = key.secret_access_key.expose().as_bytes();
            assert!(!octets.windows(secret.len()).any(|window| window == secret));
        }
    }
}
