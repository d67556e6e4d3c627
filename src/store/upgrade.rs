//! What SQL alone cannot bring up to date: secrets that stood in clear are sealed, keys find their users.

use sqlx::{AnyPool, Row};

use super::access_keys::{ADMINISTRATOR, SECRET};
use super::principals::{self, NewPrincipal};
use super::seal::{self, Place};
use super::{BadKey, PrincipalKind, Store, StoreError};

/// Whether anything in the database was sealed already.
pub(super) async fn is_sealed(pool: &AnyPool) -> Result<bool, StoreError> {
    let proof = sqlx::query("SELECT 1 FROM seal_proof")
        .fetch_optional(pool)
        .await?;
    let key =
        sqlx::query("SELECT 1 FROM access_keys WHERE secret_access_key LIKE 'sealed:%' LIMIT 1")
            .fetch_optional(pool)
            .await?;
    Ok(proof.is_some() || key.is_some())
}

impl Store {
    /// Proves the master key, then brings rows from older versions up to date. The proof is written last: whatever
    /// a start that was cut short has left undone, the next one does.
    pub(super) async fn upgrade(&self) -> Result<(), StoreError> {
        if !self.is_proved().await? {
            self.seal_clear_keys().await?;
            // The old texts still lie in free pages and in the log.
            self.kind
                .forget_the_past(&self.pool, &["access_keys"])
                .await?;
            let proof = self.seal.seal(PROOF, PROVED)?;
            // Another server at its first start may have been faster; then its key is the one.
            self.change(
                sqlx::query(
                    "INSERT INTO seal_proof (only_one, proof) VALUES (1, $1) ON CONFLICT (only_one) DO NOTHING",
                )
                .bind(proof),
            )
            .await?;
            self.is_proved().await?;
        }
        self.adopt_keys().await
    }

    /// Whether the database was sealed with our key; `false` where it never was.
    async fn is_proved(&self) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT proof FROM seal_proof")
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let proof: String = row.try_get(0)?;
        let opened = self.seal.open(PROOF, &proof).map_err(|_| BadKey::Wrong)?;
        if opened.matches(PROVED) {
            Ok(true)
        } else {
            Err(BadKey::Wrong.into())
        }
    }

    async fn seal_clear_keys(&self) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query("SELECT access_key_id, secret_access_key FROM access_keys")
            .fetch_all(&mut *transaction)
            .await?;
        for row in rows {
            let (id, secret): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let place = Place { row: &id, ..SECRET };
            if seal::is_sealed(&secret) {
                self.seal.open(place, &secret).map_err(|_| BadKey::Wrong)?;
                continue;
            }
            let sealed = self.seal.seal(place, &secret)?;
            sqlx::query("UPDATE access_keys SET secret_access_key = $1 WHERE access_key_id = $2")
                .bind(sealed)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Keys from before there were users get the users that they name. Of those only the administrator may do
    /// anything before somebody attaches policies to them.
    async fn adopt_keys(&self) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query(
            "SELECT account_id, user_name, MIN(created_ms) FROM access_keys WHERE principal_id IS NULL \
             GROUP BY account_id, user_name",
        )
        .fetch_all(&mut *transaction)
        .await?;
        for row in rows {
            let (account, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let created_ms = row.try_get(2)?;
            principals::ensure_account(&mut transaction, &account, created_ms).await?;
            let user = NewPrincipal::user(&account, &name);
            let found =
                principals::find(&mut transaction, &account, PrincipalKind::User, &name).await?;
            let user = match found {
                Some(user) => user,
                None if name == ADMINISTRATOR => {
                    principals::insert_administrator(&mut transaction, &account, created_ms).await?
                }
                None => principals::insert(&mut transaction, &user, created_ms).await?,
            };
            sqlx::query(
                "UPDATE access_keys SET principal_id = $1 \
                 WHERE account_id = $2 AND user_name = $3 AND principal_id IS NULL",
            )
            .bind(user.principal_id)
            .bind(account)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

const PROOF: Place<'static> = Place {
    table: "seal_proof",
    column: "proof",
    row: "1",
};

/// What the proof says once opened.
const PROVED: &str = "sealed with this key";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::any::AnyPoolOptions;
    use sqlx::migrate::Migrator;

    use super::*;
    use crate::store::testing::{database_of, url_of};
    use crate::store::{Database, KeySource, Secret};

    /// A database as the version before principals left it, with two keys in clear.
    async fn old_database(data: &Path) {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        for name in ["0001_meetings.sql", "0002_dial_in.sql"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
            std::fs::copy(from.join(name), folder.path().join(name)).unwrap();
        }
        let url = url_of(data);
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .connect(&url)
            .await
            .unwrap();
        Migrator::new(folder.path())
            .await
            .unwrap()
            .run(&pool)
            .await
            .unwrap();
        for (id, secret, user) in [
            ("AKIAOLDADMINISTRATOR", OLD_SECRET, "administrator"),
            ("AKIAOLDUSEROLDUSEROL", "another-planted-secret", "bob"),
        ] {
            sqlx::query(
                "INSERT INTO access_keys (access_key_id, secret_access_key, account_id, user_name, created_ms) \
                 VALUES ($1, $2, '123456789012', $3, 5)",
            )
            .bind(id)
            .bind(secret)
            .bind(user)
            .execute(&pool)
            .await
            .unwrap();
        }
        pool.close().await;
    }

    const OLD_SECRET: &str = "planted/secret+of+the+old+administrator/";

    fn somewhere_in(data: &Path, needle: &str) -> bool {
        std::fs::read_dir(data).unwrap().any(|entry| {
            let octets = std::fs::read(entry.unwrap().path()).unwrap();
            octets
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        })
    }

    #[tokio::test]
    async fn keys_in_clear_are_sealed_at_the_first_start_and_work_on() {
        let data = tempfile::tempdir().unwrap();
        old_database(data.path()).await;
        // PostgreSQL's files are not ours to look into.
        let in_a_file = matches!(database_of(data.path()), Database::DataFolder);
        assert_eq!(somewhere_in(data.path(), OLD_SECRET), in_a_file);
        for _ in 0..2 {
            let store = Store::open(data.path()).await.unwrap();
            assert!(!somewhere_in(data.path(), OLD_SECRET));
            assert!(!somewhere_in(data.path(), "another-planted-secret"));
            let found = store.access_key("AKIAOLDADMINISTRATOR").await.unwrap();
            let key = found.unwrap();
            assert!(key.secret_access_key.matches(OLD_SECRET));
            let first = store.first_administrator("123456789012", 9).await.unwrap();
            assert_eq!(first.access_key_id, key.access_key_id);
            let users = store
                .principals("123456789012", PrincipalKind::User)
                .await
                .unwrap();
            let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
            assert_eq!(names, ["administrator", "bob"]);
            let may = store.policies_of(&users[0].principal_id).await.unwrap();
            assert_eq!(may.len(), 1);
            let may = store.policies_of(&users[1].principal_id).await.unwrap();
            assert!(may.is_empty());
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_start_that_was_cut_short_is_made_up_for_with_the_same_key_only() {
        let data = tempfile::tempdir().unwrap();
        old_database(data.path()).await;
        let store = Store::open(data.path()).await.unwrap();
        // As if the process had died when the secrets were sealed and the free pages not yet written anew.
        sqlx::query("DELETE FROM seal_proof")
            .execute(&store.pool)
            .await
            .unwrap();
        store.close().await;
        let other = KeySource::Text(Secret::new("A".repeat(43) + "="));
        let refused = Store::open_with_key(data.path(), &other).await.unwrap_err();
        assert!(matches!(refused, StoreError::Key(BadKey::Wrong)));
        let kept = std::fs::read(data.path().join(seal::FILE)).unwrap();
        std::fs::remove_file(data.path().join(seal::FILE)).unwrap();
        let refused = Store::open(data.path()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Key(BadKey::Missing(_))));
        std::fs::write(data.path().join(seal::FILE), kept).unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let found = store.access_key("AKIAOLDADMINISTRATOR").await.unwrap();
        assert!(found.unwrap().secret_access_key.matches(OLD_SECRET));
    }

    #[tokio::test]
    async fn another_master_key_is_refused_and_so_is_none() {
        let data = tempfile::tempdir().unwrap();
        let text = |octet: &str| KeySource::Text(Secret::new(octet.repeat(43) + "="));
        let store = Store::open_with_key(data.path(), &text("A")).await.unwrap();
        let key = store.first_administrator("123456789012", 1).await.unwrap();
        store.close().await;
        for (source, wrong) in [
            (text("E"), "another key"),
            (KeySource::DataFolder, "is missing"),
            (KeySource::Text(Secret::new("x".to_owned())), "32 octets"),
            (KeySource::File(data.path().join("no.key")), "No such file"),
        ] {
            let refused = Store::open_with_key(data.path(), &source)
                .await
                .unwrap_err();
            assert!(matches!(refused, StoreError::Key(_)), "{refused}");
            assert!(refused.to_string().contains(wrong), "{refused}");
        }
        let file = data.path().join("elsewhere.key");
        std::fs::write(&file, "A".repeat(43) + "=\n").unwrap();
        let store = Store::open_with_key(data.path(), &KeySource::File(file))
            .await
            .unwrap();
        let again = store.first_administrator("123456789012", 2).await.unwrap();
        assert_eq!(again.access_key_id, key.access_key_id);
    }
}
