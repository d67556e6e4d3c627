//! The store as the tests open it: on SQLite, or on PostgreSQL where `CAMPANILE_TEST_DATABASE` names a server. So the
//! tests of the store and of all that stands on it are written once and hold on both.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::attendees::MOST;
use super::{Database, KeySource, PostgresUrl, Store, StoreError};
use crate::support::postgres::{self, Cluster, Syncing};

impl Store {
    /// The database that belongs to that data folder.
    pub(crate) async fn open(data: &Path) -> Result<Self, StoreError> {
        Self::open_with_key(data, &KeySource::DataFolder).await
    }

    /// The same with a master key from elsewhere.
    pub(crate) async fn open_with_key(data: &Path, key: &KeySource) -> Result<Self, StoreError> {
        Self::open_with(data, &database_of(data), key).await
    }

    /// Makes so many attendees of a meeting that only `left` more may be made; one is there already.
    pub(crate) async fn fill_meeting(&self, meeting_id: &str, left: i64) {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
            INSERT INTO attendees \
            (attendee_id, meeting_id, external_user_id, audio, video, content, join_token, created_ms) \
            SELECT 'a' || i, $2, 'u' || i, 'None', 'None', 'None', 't' || i, 1 FROM n";
        sqlx::query(sql)
            .bind(MOST - left)
            .bind(meeting_id.to_owned())
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

/// The database of a data folder: the same again, however often it is opened.
pub(super) fn database_of(data: &Path) -> Database {
    static KNOWN: Mutex<Option<HashMap<PathBuf, Option<String>>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let url = known
        .get_or_insert_default()
        .entry(data.to_owned())
        .or_insert_with(postgres::database_if_wanted);
    match url {
        None => Database::DataFolder,
        Some(url) => Database::Postgres(PostgresUrl::new(url).unwrap()),
    }
}

/// The URL of it, SQLite's too, for tests that leave something in it before it is opened.
pub(super) fn url_of(data: &Path) -> String {
    match database_of(data) {
        Database::DataFolder => format!("sqlite:{}?mode=rwc", data.join("campanile.db").display()),
        Database::Postgres(url) => url.expose().to_string(),
    }
}

/// Every test of this crate that opens a store, once more on PostgreSQL: in one process, on one cluster.
#[test]
fn all_that_holds_on_sqlite_holds_on_postgresql() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    // Itself, and one that counts on answers faster than a busy machine's PostgreSQL gives them.
    let without = ["all_that_holds_on_sqlite", "who_asks_too_fast"];
    let said = postgres::run_again(
        &cluster.url(),
        &["store::", "control::", "http::"],
        &without,
    );
    let passed = postgres::passed(&said);
    assert!(passed > 100, "only {passed} tests ran:\n{said}");
}
