//! What must outlive the process: SQLite or PostgreSQL through one dialect.
//!
//! One file per noun. SQL keeps to TEXT, BIGINT and DOUBLE; a transaction that reads before it
//! writes begins as a writer, so that two of them never both read the old state.

mod access_keys;
mod accounts;
mod attendees;
mod connectors;
mod draw;
mod meetings;
mod numbers;
mod page;
mod pin;
mod policies;
mod principals;
mod rooms;
pub mod seal;
mod secret;
mod sessions;
mod settings;
mod upgrade;
mod users;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, Row, Transaction};
use thiserror::Error;

pub use access_keys::{AccessKey, NoNewKey};
pub use accounts::{Account, AccountField};
pub use attendees::{Attendee, NewAttendee};
pub use connectors::{NewVoiceConnector, VoiceConnector, VoiceConnectorGroup};
pub use meetings::{Meeting, NewMeeting};
pub use numbers::{Assignment, NumberFilter, NumberOrder, PhoneNumber, Wish};
pub use page::{Listed, Page};
pub use policies::AttachedPolicy;
pub use principals::{NewPrincipal, OwnerAccount, Principal, PrincipalKind};
pub use rooms::{Membership, Room};
pub use seal::{BadKey, KeySource, Seal};
pub use secret::Secret;
pub use sessions::{NewSession, Session, SessionKind};
pub use users::{NewUser, User, UserField};

/// What can go wrong below the control plane. Always ours, never the caller's.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database's file.
    #[error("database file: {0}")]
    File(#[from] std::io::Error),
    /// The operating system gave no random octets.
    #[error("no random octets: {0}")]
    Random(String),
    /// A document of ours is not the JSON that it was.
    #[error("a stored document is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// The master key of the secrets.
    #[error("the key of the secrets at rest: {0}")]
    Key(#[from] BadKey),
    /// A sealed text that is none of ours, was changed or moved. Table and column.
    #[error("a secret in {0}.{1} does not open")]
    Unsealed(&'static str, &'static str),
    /// Something that we wrote and cannot read any more. What.
    #[error("{0} in the database cannot be read")]
    Unreadable(String),
    /// The data folder belongs to another account than the configuration says.
    #[error("this data folder belongs to account {stored}")]
    OtherAccount {
        /// The account that made it.
        stored: String,
    },
}

/// What the first start decided for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// Twelve digits.
    pub account_id: String,
    /// The voice connector that calls into meetings belong to: 22 of `a-z0-9`.
    pub voice_connector_id: String,
}

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    seal: Seal,
}

impl Store {
    /// Opens `<data>/campanile.db`, made where it is missing, and brings its schema up to date. The master key of
    /// its secrets lies beside it.
    ///
    /// # Errors
    /// The file or the database; the master key.
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        Self::open_with(data, &KeySource::DataFolder).await
    }

    /// The same with a master key from elsewhere.
    ///
    /// # Errors
    /// The file or the database; the master key.
    pub async fn open_with(data: &Path, key: &KeySource) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let file = data.join("campanile.db");
        // SQLite gives its side files the mode of the database.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)?;
        let options = AnyConnectOptions::from_str(&sqlite_url(&file))?;
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .connect_with(options)
            .await?;
        sqlx::query("PRAGMA journal_mode = WAL")
            .execute(&pool)
            .await?;
        sqlx::migrate!("src/store/migrations").run(&pool).await?;
        let seal = Seal::find(key, data, upgrade::is_sealed(&pool).await?)?;
        let store = Self { pool, seal };
        store.upgrade().await?;
        Ok(store)
    }

    /// What seals and opens the secrets of this database.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The deployment; the first call decides it, `account_id` only if given.
    ///
    /// # Errors
    /// The database; [`StoreError::OtherAccount`] where the wish differs from what was decided.
    pub async fn deployment(
        &self,
        account_id: Option<&str>,
        now_ms: i64,
    ) -> Result<Deployment, StoreError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query("SELECT account_id, voice_connector_id FROM deployment")
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = row {
            let stored = Deployment {
                account_id: row.try_get(0)?,
                voice_connector_id: row.try_get(1)?,
            };
            return match account_id {
                Some(wish) if wish != stored.account_id => Err(StoreError::OtherAccount {
                    stored: stored.account_id,
                }),
                _ => Ok(stored),
            };
        }
        let decided = Deployment {
            account_id: match account_id {
                Some(wish) => wish.to_owned(),
                None => draw::account_id()?,
            },
            voice_connector_id: draw::voice_connector_id()?,
        };
        sqlx::query("INSERT INTO deployment (only_one, account_id, voice_connector_id, created_ms) VALUES (1, $1, $2, $3)")
            .bind(decided.account_id.clone())
            .bind(decided.voice_connector_id.clone())
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(decided)
    }

    /// Eight hexadecimal digits that tell visitors of one name apart.
    ///
    /// # Errors
    /// No random octets.
    pub fn visitor_number(&self) -> Result<String, StoreError> {
        draw::visitor_number()
    }

    /// A token for a request that came without one.
    ///
    /// # Errors
    /// No random octets.
    pub fn request_token(&self) -> Result<String, StoreError> {
        draw::uuid()
    }

    /// Writes what is still in memory and lets go of the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Sets columns of the one row that has these keys, all at once; `false` where there is none.
    async fn set_columns<'a>(
        &self,
        table: &'static str,
        columns: impl Iterator<Item = (&'static str, &'a String)>,
        row: &[(&'static str, &str)],
    ) -> Result<bool, StoreError> {
        let (names, mut values): (Vec<&str>, Vec<String>) =
            columns.map(|(name, value)| (name, value.clone())).unzip();
        if names.is_empty() {
            return Ok(true);
        }
        values.extend(row.iter().map(|(_, value)| (*value).to_owned()));
        let place = |at: usize, name: &str| format!("{name} = ${}", at + 1);
        let set: Vec<String> = (0..)
            .zip(&names)
            .map(|(at, name)| place(at, name))
            .collect();
        let keys: Vec<String> = (names.len()..)
            .zip(row)
            .map(|(at, (name, _))| place(at, name))
            .collect();
        let sql = format!(
            "UPDATE {table} SET {} WHERE {}",
            set.join(", "),
            keys.join(" AND ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            query = query.bind(value);
        }
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// A transaction that holds the write lock from its first line.
    async fn write(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// `sqlite:` and the path with what means something in URLs escaped.
fn sqlite_url(file: &Path) -> String {
    let mut url = String::from("sqlite:");
    for byte in file.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_start_decides_and_later_ones_agree() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let first = store.deployment(None, 1).await.unwrap();
        store.close().await;
        let again = Store::open(data.path()).await.unwrap();
        assert_eq!(again.deployment(None, 2).await.unwrap(), first);
        assert_eq!(
            again.deployment(Some(&first.account_id), 3).await.unwrap(),
            first
        );
        let other = again.deployment(Some("000000000001"), 4).await.unwrap_err();
        assert!(matches!(other, StoreError::OtherAccount { stored } if stored == first.account_id));
    }

    #[tokio::test]
    async fn the_database_is_for_its_owner_and_its_folder_may_have_any_name() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let odd = data.path().join("50% of #data? ü");
        std::fs::create_dir(&odd).unwrap();
        let store = Store::open(&odd).await.unwrap();
        store.deployment(None, 1).await.unwrap();
        let mode = std::fs::metadata(odd.join("campanile.db"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
