//! What must outlive the process: SQLite or PostgreSQL through one dialect.
//!
//! One file per noun. SQL keeps to TEXT, BIGINT and DOUBLE; whoever writes is the only one to, from before its first
//! read on, so that two of them never both read the old state. `database` holds all that differs.

mod access_keys;
mod accounts;
mod address;
mod attendees;
mod audit;
mod bounds;
mod connector_groups;
mod connectors;
mod database;
mod documents;
mod domains;
mod draw;
#[cfg(test)]
mod meanwhile;
mod meetings;
mod migrations;
mod number_orders;
mod numbers;
mod page;
mod pin;
#[cfg(test)]
mod plans;
mod policies;
mod principals;
mod rooms;
mod row;
pub mod seal;
mod secret;
mod sessions;
mod settings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod upgrade;
mod users;
mod whose;

use std::path::Path;

use sqlx::any::{AnyArguments, AnyQueryResult};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Row};
use thiserror::Error;

pub use access_keys::{AccessKey, NoNewKey};
pub use accounts::{Account, AccountField};
pub use attendees::{Attendee, NewAttendee, NoNewAttendee};
pub use audit::{AuditAttribute, AuditRow};
pub use bounds::Full;
use database::{Kind, Turns, Writing};
use row::row;

pub use connector_groups::{AskedGroup, VoiceConnectorGroup};
pub use connectors::{InUse, NewVoiceConnector, VoiceConnector};
pub use database::FILE as DATABASE_FILE;
pub use database::{BadDatabase, Database, PostgresUrl, in_time};
pub use documents::Document;
pub use domains::{Domain, Released};
pub use meetings::{Meeting, NewMeeting};
pub use number_orders::{NumberOrder, Wish};
pub use numbers::{Assignment, NumberFilter, PhoneNumber};
pub use page::{Listed, Page};
pub use policies::AttachedPolicy;
pub use principals::{NewPrincipal, OwnerAccount, Principal, PrincipalKind};
pub use rooms::{Membership, NoNewMember, Room};
pub use seal::{BadKey, KeySource, Seal};
pub use secret::Secret;
pub use sessions::{NewSession, Session, SessionKind};
pub use users::{NewUser, User, UserField};
pub use whose::{NotOurs, SERVER_ID};

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
    /// A PostgreSQL database that cannot hold every text. Its encoding.
    #[error("the database's encoding is {0}; it must be UTF8")]
    Encoding(String),
    /// The database's file is not this data folder's.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// The data folder belongs to another account than the configuration says.
    #[error("this data folder belongs to account {stored}")]
    OtherAccount {
        /// The account that made it.
        stored: String,
    },
}

impl StoreError {
    /// Whether it may well go by itself: the database is away, on its way down or up, or busy beyond patience.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(said) => said.code().is_some_and(|code| passing(&code)),
            _ => false,
        }
    }

    /// Whether it is about something that is not there any more.
    #[must_use]
    pub fn is_of_missing(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(said)) if said.is_foreign_key_violation())
    }

    /// Whether the database refuses what was to be written, and would take other things: data, constraints and limits
    /// (PostgreSQL's classes 22, 23, 54; SQLite's TOOBIG, CONSTRAINT and MISMATCH).
    #[must_use]
    pub fn is_of_the_row(&self) -> bool {
        let Self::Database(sqlx::Error::Database(said)) = self else {
            return false;
        };
        said.code().is_some_and(|code| match code.len() {
            5 => ["22", "23", "54"]
                .iter()
                .any(|class| code.starts_with(class)),
            _ => code
                .parse::<u32>()
                .is_ok_and(|code| [18, 19, 20].contains(&(code & 0xff))),
        })
    }

    /// Whether the database cannot hold a text for a character in it.
    #[must_use]
    pub fn is_of_text(&self) -> bool {
        // PostgreSQL's character_not_in_repertoire: U+0000 is the only one.
        matches!(self, Self::Database(sqlx::Error::Database(said)) if said.code().as_deref() == Some("22021"))
    }
}

/// Whether a code of either database says that another try may do: PostgreSQL's five letters (connections, resources,
/// shutdown, locks and timeouts of ours), SQLite's busy and locked with what they are extended by.
fn passing(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57P", "55P03", "25P03", "40"]
            .iter()
            .any(|class| code.starts_with(class));
    }
    code.parse::<u32>()
        .is_ok_and(|code| [5, 6].contains(&(code & 0xff)))
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
    kind: Kind,
    turns: Turns,
    seal: Seal,
}

impl Store {
    /// Opens the database, made where it is SQLite's and missing, and brings its schema up to date. The master key of
    /// its secrets lies in the data folder where the source says nothing else.
    ///
    /// # Errors
    /// The file or the database; the master key.
    pub async fn open_with(
        data: &Path,
        database: &Database,
        key: &KeySource,
    ) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        if let Database::DataFolder = database {
            whose::check(data, &data.join(database::FILE), key).await?;
        }
        let (pool, kind) = database.open(data).await?;
        let seal = Seal::find(key, data, upgrade::is_sealed(&pool).await?)?;
        seal::warn_of_open_file(key, data);
        let turns = Turns::default();
        let store = Self {
            pool,
            kind,
            turns,
            seal,
        };
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

    /// Writes what nobody reads, to know whether anything can be written.
    ///
    /// # Errors
    /// The database.
    pub async fn try_write(&self, now_ms: i64) -> Result<(), StoreError> {
        self.set(settings::DEPLOYMENT, "LastTried", &now_ms.into())
            .await
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
        Ok(self.change(query).await?.rows_affected() == 1)
    }

    /// A transaction that holds the write lock from its first line.
    async fn write(&self) -> Result<Writing, StoreError> {
        let turn = self.turns.take().await?;
        Ok(Writing::new(self.kind.write(&self.pool).await?, turn))
    }

    /// Runs one statement that changes something. It waits for its turn as others do who write, so that it never
    /// comes between what they read and what they make of it; SQLite sees to that by itself.
    async fn change(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<AnyQueryResult, StoreError> {
        if self.kind == Kind::Sqlite {
            let _turn = self.turns.take().await?;
            return Ok(query.execute(&self.pool).await?);
        }
        let mut transaction = self.write().await?;
        let done = query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done)
    }
}
