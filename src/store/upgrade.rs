//! What SQL alone cannot bring up to date: secrets that stood in clear are sealed, keys find their users.

use sqlx::{AnyPool, Row};

use super::access_keys::{ADMINISTRATOR, SECRET};
use super::attendees::TOKEN;
use super::pin::{OF_MEETING, OF_USER};
use super::principals::{self, NewPrincipal};
use super::seal::{self, Place};
use super::settings::DEPLOYMENT;
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
        let sealed = self.setting(DEPLOYMENT, SEALED).await?;
        if !self.is_proved().await? || sealed != Some(EVERYTHING.into()) {
            self.seal_clear_keys().await?;
            for found in FOUND {
                self.seal_clear_and_find(found).await?;
            }
            // The old texts still lie in free pages and in the log.
            let tables = ["access_keys", "attendees", "meetings", "users"];
            self.kind.forget_the_past(&self.pool, &tables).await?;
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
            self.set(DEPLOYMENT, SEALED, &EVERYTHING.into()).await?;
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

    /// Seals the texts of a column that stand in clear, and writes by what they are found.
    async fn seal_clear_and_find(&self, found: Found) -> Result<(), StoreError> {
        let Found { place, id, what } = found;
        let Place { table, column, .. } = place;
        let mut transaction = self.write().await?;
        let clear = format!("SELECT {id}, {column} FROM {table} WHERE {column}_found_by IS NULL");
        let rows = sqlx::query(sqlx::AssertSqlSafe(clear))
            .fetch_all(&mut *transaction)
            .await?;
        let seal =
            format!("UPDATE {table} SET {column} = $1, {column}_found_by = $2 WHERE {id} = $3");
        for row in rows {
            let (id, text): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let place = Place { row: &id, ..place };
            sqlx::query(sqlx::AssertSqlSafe(seal.clone()))
                .bind(self.seal.seal(place, &text)?)
                .bind(self.seal.found_by(what, &text))
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

/// A column of secrets that are found by their value, by the column of that name with `_found_by`.
#[derive(Clone, Copy)]
struct Found {
    place: Place<'static>,
    /// The column of the primary key.
    id: &'static str,
    /// What keeps them apart from others, for [`super::Seal::found_by`].
    what: &'static str,
}

const FOUND: [Found; 3] = [
    Found {
        place: TOKEN,
        id: "attendee_id",
        what: "join_token",
    },
    Found {
        place: OF_MEETING,
        id: "meeting_id",
        what: "pin",
    },
    Found {
        place: OF_USER,
        id: "user_id",
        what: "pin",
    },
];

/// The setting that says how much is sealed, and its value when all is: 1 were the secrets of keys alone.
const SEALED: &str = "Sealed";
const EVERYTHING: i64 = 2;

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

    /// A database as a version with these migrations left it.
    async fn database_of_version(data: &Path, migrations: &[&str]) -> AnyPool {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        for name in migrations {
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
        pool
    }

    /// A database as the version before principals left it, with two keys in clear.
    async fn old_database(data: &Path) {
        let before = ["0001_meetings.sql", "0002_dial_in.sql"];
        let pool = database_of_version(data, &before).await;
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
            let first = store
                .first_administrator("123456789012", 9)
                .await
                .unwrap()
                .unwrap();
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

    const OLD_TOKEN: &str = "planted-join-token-of-ada";
    const OLD_PIN: &str = "5550001234";
    const OLD_PERSONAL_PIN: &str = "5550005678";

    #[tokio::test]
    async fn join_tokens_and_pins_in_clear_are_sealed_and_found_all_the_same() {
        let data = tempfile::tempdir().unwrap();
        let before = [
            "0001_meetings.sql",
            "0002_dial_in.sql",
            "0003_principals.sql",
            "0004_directory.sql",
        ];
        let pool = database_of_version(data.path(), &before).await;
        for sql in [
            format!(
                "INSERT INTO meetings (meeting_id, account_id, pin, external_meeting_id, media_region, \
                 client_request_token, request_digest, features, tenant_ids, tags, notifications, created_ms) \
                 VALUES ('m', '123456789012', '{OLD_PIN}', 'x', 'us-east-1', 't', 'd', '{{}}', '[]', '[]', '{{}}', 1)"
            ),
            format!(
                "INSERT INTO attendees (attendee_id, meeting_id, external_user_id, join_token, audio, video, content, \
                 created_ms) VALUES ('a', 'm', 'ada', '{OLD_TOKEN}', 'Send', 'Send', 'Send', 1)"
            ),
            "INSERT INTO accounts (account_id, owner, name, account_type, default_license, delegate_groups, settings, \
             retention, created_ms) VALUES ('c', '123456789012', 'x', 'Team', 'Pro', '[]', '{}', '{}', 1)"
                .to_owned(),
            format!(
                "INSERT INTO users (user_id, account_id, license_type, user_type, registration_status, personal_pin, \
                 metadata, telephony, created_ms) \
                 VALUES ('u', 'c', 'Pro', 'PrivateUser', 'Registered', '{OLD_PERSONAL_PIN}', '{{}}', '{{}}', 1)"
            ),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&pool)
                .await
                .unwrap();
        }
        pool.close().await;
        let planted = [OLD_TOKEN, OLD_PIN, OLD_PERSONAL_PIN];
        let in_a_file = matches!(database_of(data.path()), Database::DataFolder);
        for text in planted {
            assert_eq!(somewhere_in(data.path(), text), in_a_file, "{text}");
        }
        for round in 0..3 {
            let store = Store::open(data.path()).await.unwrap();
            for text in planted {
                assert!(!somewhere_in(data.path(), text), "{text}, round {round}");
            }
            let meeting = store.meeting_by_pin(OLD_PIN).await.unwrap().unwrap();
            assert_eq!(
                (meeting.meeting_id.as_str(), meeting.pin.as_str()),
                ("m", OLD_PIN)
            );
            let ada = store.attendee_by_token(OLD_TOKEN).await.unwrap().unwrap();
            assert!(ada.attendee_id == "a" && ada.join_token.matches(OLD_TOKEN));
            let user = store.user("c", "u").await.unwrap().unwrap();
            assert_eq!(user.personal_pin, OLD_PERSONAL_PIN);
            if round == 0 {
                // As if the process had died when all was sealed and the free pages not yet written anew.
                sqlx::query("DELETE FROM settings WHERE name = $1")
                    .bind(SEALED)
                    .execute(&store.pool)
                    .await
                    .unwrap();
            }
            store.close().await;
        }
        // What stands in the database tells nothing, moved or guessed at.
        let store = Store::open(data.path()).await.unwrap();
        let row = sqlx::query("SELECT join_token, join_token_found_by FROM attendees")
            .fetch_one(&store.pool)
            .await
            .unwrap();
        let (sealed, found_by): (String, String) = (row.get(0), row.get(1));
        for stored in [sealed.as_str(), found_by.as_str()] {
            assert!(store.attendee_by_token(stored).await.unwrap().is_none());
        }
        let elsewhere = Place { row: "b", ..TOKEN };
        assert!(store.seal.open(elsewhere, &sealed).is_err());
        assert!(store.reset_pin("c", "u").await.unwrap());
        let user = store.user("c", "u").await.unwrap().unwrap();
        assert_ne!(user.personal_pin, OLD_PERSONAL_PIN);
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
        let key = store
            .first_administrator("123456789012", 1)
            .await
            .unwrap()
            .unwrap();
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
        let again = store
            .first_administrator("123456789012", 2)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(again.access_key_id, key.access_key_id);
    }
}
