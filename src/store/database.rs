//! Where the database is, how it is opened, and the little in which the two kinds of it differ.

use std::fmt;
use std::fs::OpenOptions;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Connection, Executor, Row, Transaction};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::migrations::MIGRATIONS;
use super::{Secret, StoreError};

/// Where the database is.
#[derive(Clone, Debug, Default)]
pub enum Database {
    /// SQLite, in the data folder.
    #[default]
    DataFolder,
    /// PostgreSQL, which several servers may share.
    Postgres(PostgresUrl),
}

/// `postgres://user@host/database`. `Debug` hides it, as a password may stand in it.
#[derive(Clone)]
pub struct PostgresUrl(Url);

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://(hidden)")
    }
}

/// What is wrong with the URL of a database. Always the configuration's fault; never says the URL.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadDatabase {
    /// It cannot be read as one.
    #[error("it is no URL: {0}")]
    Shape(url::ParseError),
    /// It is another database's.
    #[error("{0}: is not a database that this server speaks to")]
    Scheme(String),
    /// A parameter after `?` that means nothing.
    #[error("{0:?} is no parameter of it")]
    Parameter(String),
    /// `sslmode` is none of those that PostgreSQL knows.
    #[error(
        "{0:?} is no sslmode; it is one of disable, allow, prefer, require, verify-ca and verify-full"
    )]
    SslMode(String),
    /// A password for a database that is a file.
    #[error("a password is given, but no database that wants one")]
    NeedlessPassword,
}

impl PostgresUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, BadDatabase> {
        let url = Url::parse(text.trim()).map_err(BadDatabase::Shape)?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(BadDatabase::Scheme(url.scheme().to_owned()));
        }
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) {
                return Err(BadDatabase::Parameter(name.into_owned()));
            }
            if name == "sslmode" && !SSL_MODES.contains(&&*value) {
                return Err(BadDatabase::SslMode(value.into_owned()));
            }
        }
        Ok(Self(url))
    }

    /// The URL, password and all.
    #[cfg(test)]
    pub(super) fn expose(&self) -> &Url {
        &self.0
    }
}

/// The kind of a database that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Database {
    /// Gives the password that is kept elsewhere than in the URL; it goes before one that was given earlier.
    ///
    /// # Errors
    /// [`BadDatabase::NeedlessPassword`] where nobody wants one.
    pub fn set_password(&mut self, password: &Secret) -> Result<(), BadDatabase> {
        let Self::Postgres(PostgresUrl(url)) = self else {
            return Err(BadDatabase::NeedlessPassword);
        };
        // As a parameter, which a URL without a host may have too, and of which the last one holds.
        let password = password.expose().trim_end_matches(['\r', '\n']);
        url.query_pairs_mut().append_pair("password", password);
        Ok(())
    }

    /// Connects, and brings the schema up to date.
    pub(super) async fn open(&self, data: &Path) -> Result<(AnyPool, Kind), StoreError> {
        let pool = match self {
            Self::DataFolder => open_file(&data.join(FILE)).await?,
            Self::Postgres(url) => connect(&url.0).await?,
        };
        let kind = match self {
            Self::DataFolder => Kind::Sqlite,
            Self::Postgres(_) => Kind::Postgres,
        };
        MIGRATIONS.run(&pool).await?;
        if kind == Kind::Postgres {
            compare_by_octets(&pool).await?;
        }
        Ok((pool, kind))
    }
}

/// The turns of a server's writers. It waits for its turn before it has a connection, so that writers who wait leave
/// those who read the pool's connections, and one comes after the other in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turns {
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = Arc::clone(&self.0).acquire_owned();
        match tokio::time::timeout(TURN, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(StoreError::Database(sqlx::Error::PoolClosed)),
            Err(_) => Err(StoreError::Database(sqlx::Error::PoolTimedOut)),
        }
    }
}

/// A transaction that writes, and the turn to do so. What is not committed is undone.
#[derive(Debug)]
pub(super) struct Writing {
    transaction: Transaction<'static, Any>,
    // After the transaction, which must have ended when the next one begins.
    _turn: OwnedSemaphorePermit,
}

impl Writing {
    pub(super) fn new(transaction: Transaction<'static, Any>, turn: OwnedSemaphorePermit) -> Self {
        Self {
            transaction,
            _turn: turn,
        }
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}

impl Kind {
    /// A transaction that holds the lock of all writers from its first line.
    ///
    /// On PostgreSQL that is an advisory lock taken before anything is read: the plain equal of SQLite's one writer, so
    /// the same code is right on both. SERIALIZABLE would want every transaction written to be run again. READ COMMITTED
    /// is said because a snapshot from before the lock was had would show an old state.
    pub(super) async fn write(
        self,
        pool: &AnyPool,
    ) -> Result<Transaction<'static, Any>, StoreError> {
        match self {
            Self::Sqlite => Ok(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres => {
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
                let mut transaction = pool.begin_with(begin).await?;
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(WRITERS)
                    .execute(&mut *transaction)
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Writes anew the pages in which texts lie that were overwritten, of these tables at least.
    pub(super) async fn forget_the_past(
        self,
        pool: &AnyPool,
        tables: &[&str],
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => {
                sqlx::query("VACUUM").execute(pool).await?;
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                    .fetch_all(pool)
                    .await?;
            }
            Self::Postgres => {
                for table in tables {
                    let sql = format!("VACUUM FULL {table}");
                    pool.execute(sqlx::AssertSqlSafe(sql)).await?;
                }
            }
        }
        Ok(())
    }
}

async fn open_file(file: &Path) -> Result<AnyPool, StoreError> {
    // SQLite gives its side files the mode of the database.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)?;
    let options = AnyConnectOptions::from_str(&sqlite_url(file))?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        // A file does not go away; asking it would cost as much as many a query.
        .test_before_acquire(false)
        // On a full disk SQLite ends a transaction by itself, and the driver believes for good that it goes on.
        .before_acquire(|connection, _| {
            let begun = connection.is_in_transaction();
            Box::pin(async move { Ok(!begun) })
        })
        .connect_with(options)
        .await?;
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&pool)
        .await?;
    Ok(pool)
}

async fn connect(url: &Url) -> Result<AnyPool, StoreError> {
    let options = AnyConnectOptions::from_url(url)?;
    // The pool would try again and again and then say no more than that it took too long.
    let first = tokio::time::timeout(STARTING, options.connect())
        .await
        .map_err(|_| StoreError::Database(sqlx::Error::PoolTimedOut))??;
    first.close().await?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(answers(connection)))
        .after_release(|connection, _| Box::pin(answers(connection)))
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) })
        })
        .connect_lazy_with(options);
    let encoding = sqlx::query("SELECT current_setting('server_encoding')")
        .fetch_one(&pool)
        .await?
        .try_get::<String, _>(0)?;
    if encoding != "UTF8" {
        return Err(StoreError::Encoding(encoding));
    }
    Ok(pool)
}

/// Whether the other end of an idle connection is there; an error has the pool drop it. Where the network swallows all
/// that is sent, waiting for an end of the connection would take a quarter of an hour, or for ever.
async fn answers(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(ANSWER, connection.ping()).await {
        Ok(answered) => answered.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Bounds what is done with the database, so that neither a turn to write nor a connection is held by somebody who waits
/// for an answer that never comes. What is not done in time is undone, unless it was being committed.
///
/// # Errors
/// It took too long.
pub async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, StoreError> {
    let done = tokio::time::timeout(LONGEST, work).await;
    done.map_err(|_| StoreError::Database(sqlx::Error::PoolTimedOut))
}

/// Lists go by key, in an order that both databases and our own code agree on: that of the octets. SQLite knows no
/// other, and PostgreSQL is told so for each of our columns, whatever the database was made with.
async fn compare_by_octets(pool: &AnyPool) -> Result<(), StoreError> {
    let mut transaction = Kind::Postgres.write(pool).await?;
    let rows = sqlx::query(
        "SELECT table_name::text, column_name::text FROM information_schema.columns \
         WHERE table_schema = current_schema() AND data_type = 'text' AND COALESCE(collation_name, '') <> 'C' \
         ORDER BY table_name, ordinal_position",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        columns.push((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?));
    }
    for table in tables() {
        let changes: Vec<String> = columns
            .iter()
            .filter(|(of, _)| of == table)
            .map(|(_, column)| format!("ALTER COLUMN {column} TYPE TEXT COLLATE \"C\""))
            .collect();
        if !changes.is_empty() {
            let sql = format!("ALTER TABLE {table} {}", changes.join(", "));
            transaction.execute(sqlx::AssertSqlSafe(sql)).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// The tables that our migrations make; a database may have others, of other programs.
fn tables() -> impl Iterator<Item = &'static str> {
    let lines = MIGRATIONS.iter().flat_map(|one| one.sql.as_str().lines());
    lines
        .filter_map(|line| line.strip_prefix("CREATE TABLE "))
        .filter_map(|rest| rest.split([' ', '(']).next())
}

/// `sqlite:` and the path with what means something in URLs escaped.
pub(super) fn sqlite_url(file: &Path) -> String {
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

/// The file in the data folder.
pub const FILE: &str = "campanile.db";

/// Connections of a server to its database.
const CONNECTIONS: u32 = 8;

/// How long the start waits for a first connection.
const STARTING: Duration = Duration::from_secs(15);

/// How long a request waits for its turn to write.
const TURN: Duration = Duration::from_secs(10);

/// How long that may take. Longer than a turn to write is waited for.
const LONGEST: Duration = Duration::from_secs(20);

/// How long an idle connection has for an answer.
const ANSWER: Duration = Duration::from_secs(1);

/// How long a request waits for a connection to a database elsewhere.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that stalls in the middle of a transaction must not keep all others from writing, and none waits for
/// another without end. What is there already need not be said at each start.
const SESSION: &str = "SELECT set_config('idle_in_transaction_session_timeout', '15s', false), \
    set_config('lock_timeout', '15s', false), set_config('client_min_messages', 'warning', false)";

/// The advisory lock of those who write: "campanil" in ASCII.
const WRITERS: i64 = 0x6361_6d70_616e_696c;

/// What may follow the `?` of a PostgreSQL URL.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// How much the connection is trusted; only the last two look at who answers. (PostgreSQL, "libpq SSL Support".)
const SSL_MODES: &[&str] = &[
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_checked_and_never_shown() {
        let url = |text: &str| PostgresUrl::new(text);
        for good in [
            "postgres://campanile:planted@db.example.org:5433/campanile",
            "postgresql://db.example.org/x?sslmode=prefer&application_name=a",
            "postgres://localhost/x?host=/run/postgresql&user=u&password=planted",
            "postgres:///x?host=/run/postgresql",
            "postgres://h/x?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/c.pem&sslkey=/k.pem",
        ] {
            let shown = format!("{:?}", Database::Postgres(url(good).unwrap()));
            assert_eq!(shown, "Postgres(postgres://(hidden))");
        }
        for (bad, why) in [
            (
                "/var/lib/db",
                BadDatabase::Shape(url::ParseError::RelativeUrlWithoutBase),
            ),
            ("sqlite:a.db", BadDatabase::Scheme("sqlite".to_owned())),
            (
                "postgres://h/x?sslmode=verify_full",
                BadDatabase::SslMode("verify_full".to_owned()),
            ),
            (
                "postgres://h/x?passwort=planted",
                BadDatabase::Parameter("passwort".to_owned()),
            ),
        ] {
            let said = url(bad).unwrap_err();
            assert_eq!(said, why, "{bad}");
            assert!(!said.to_string().contains("planted"));
        }
    }

    #[test]
    fn a_password_of_its_own_goes_before_that_of_the_url() {
        let mut database =
            Database::Postgres(PostgresUrl::new("postgres://u:old@h/x?password=older").unwrap());
        let password = Secret::new("new & ü=%\n".to_owned());
        database.set_password(&password).unwrap();
        let Database::Postgres(PostgresUrl(url)) = &database else {
            panic!()
        };
        let last = url.query_pairs().last().unwrap();
        assert_eq!((&*last.0, &*last.1), ("password", "new & ü=%"));
        let needless = Database::DataFolder.set_password(&password);
        assert_eq!(needless, Err(BadDatabase::NeedlessPassword));
    }

    #[test]
    fn the_tables_of_the_migrations_are_known_by_name() {
        let all: Vec<&str> = tables().collect();
        for table in [
            "deployment",
            "access_keys",
            "meetings",
            "users",
            "voice_connector_groups",
        ] {
            assert!(all.contains(&table), "{table}");
        }
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(all.iter().all(plain), "{all:?}");
    }
}
