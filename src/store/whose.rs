//! Whose the database's file is, looked at before anything is written there. A folder that served before and whose database
//! is gone is no new one: a start that made another account would look as if all had been deleted.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Row};
use thiserror::Error;

use super::{KeySource, StoreError, seal};

/// The file in the data folder that names this server among those of one database.
pub const SERVER_ID: &str = "server-id";

/// Why the file cannot be this data folder's database.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NotOurs {
    /// There was one, and it is gone.
    #[error("{} is missing, and {} is there: this folder has served before", file.display(), mark.display())]
    Missing {
        /// The database's file.
        file: PathBuf,
        /// What an earlier start left.
        mark: PathBuf,
    },
    /// The same, and an empty one in its place.
    #[error("{} is empty, and {} is there: this folder has served before", file.display(), mark.display())]
    Empty {
        /// The database's file.
        file: PathBuf,
        /// What an earlier start left.
        mark: PathBuf,
    },
    /// It has tables, and none of ours.
    #[error("{} is another program's database: it has the table {table:?} and none of campanile's", file.display())]
    Foreign {
        /// The database's file.
        file: PathBuf,
        /// One of its tables.
        table: String,
    },
}

/// Looks at the database's file of a data folder.
///
/// # Errors
/// [`NotOurs`]; it cannot be read.
pub(super) async fn check(data: &Path, file: &Path, key: &KeySource) -> Result<(), StoreError> {
    let (file, mark) = (file.to_owned(), mark(data, key));
    let length = match std::fs::metadata(&file) {
        Ok(found) => Some(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let tables = match length {
        None | Some(0) => Vec::new(),
        Some(_) => tables(&file).await?,
    };
    if OURS
        .iter()
        .all(|ours| tables.iter().any(|table| table == ours))
    {
        return Ok(());
    }
    let wrong = match (tables.into_iter().next(), mark) {
        (Some(table), _) => NotOurs::Foreign { file, table },
        (None, Some(mark)) if length.is_none() => NotOurs::Missing { file, mark },
        (None, Some(mark)) => NotOurs::Empty { file, mark },
        (None, None) => return Ok(()),
    };
    Err(wrong.into())
}

async fn tables(file: &Path) -> Result<Vec<String>, StoreError> {
    let options = AnyConnectOptions::from_str(&super::database::sqlite_url(file))?;
    let mut connection: AnyConnection = options.connect().await?;
    // The list of migrations is made before the first of them begins, and a start may end between the two.
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' ORDER BY name";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
    connection.close().await?;
    let names = rows.iter().map(|row| row.try_get(0));
    Ok(names.collect::<Result<_, _>>()?)
}

/// What an earlier start left: this server's name, or the key of the secrets, unless that is brought along.
fn mark(data: &Path, key: &KeySource) -> Option<PathBuf> {
    let own = matches!(key, KeySource::DataFolder).then(|| data.join(seal::FILE));
    own.into_iter()
        .chain([data.join(SERVER_ID)])
        .find(|mark| mark.exists())
}

/// Tables of the first version and all later ones.
const OURS: [&str; 2] = ["access_keys", "deployment"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Database, Secret, Store};

    async fn open(data: &Path, key: &KeySource) -> Result<Store, StoreError> {
        Store::open_with(data, &Database::DataFolder, key).await
    }

    async fn refused(data: &Path, key: &KeySource) -> NotOurs {
        match open(data, key).await {
            Err(StoreError::NotOurs(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_folder_that_served_before_begins_no_new_deployment() {
        let data = tempfile::tempdir().unwrap();
        let (data, own) = (data.path(), KeySource::DataFolder);
        let file = data.join("campanile.db");
        let first = open(data, &own).await.unwrap();
        let deployment = first.deployment(None, 1).await.unwrap();
        first.close().await;
        let kept = std::fs::read(&file).unwrap();
        let mark = data.join("secrets.key");
        let lost = NotOurs::Missing {
            file: file.clone(),
            mark: mark.clone(),
        };
        std::fs::remove_file(&file).unwrap();
        assert_eq!(refused(data, &own).await, lost);
        assert!(!file.exists(), "nothing is made in its place");
        let empty = NotOurs::Empty {
            file: file.clone(),
            mark,
        };
        std::fs::write(&file, "").unwrap();
        assert_eq!(refused(data, &own).await, empty);
        // Nor is anything but the database needed to know it: put back, it goes on.
        std::fs::write(&file, kept).unwrap();
        let again = open(data, &own).await.unwrap();
        assert_eq!(again.deployment(None, 2).await.unwrap(), deployment);
    }

    #[tokio::test]
    async fn with_a_key_from_elsewhere_the_servers_name_tells_that_it_served_before() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let key = KeySource::Text(Secret::new("A".repeat(43) + "="));
        // A key that was brought along before the first start is no trace of an earlier one.
        let brought = data.join("secrets.key");
        std::fs::write(&brought, "A".repeat(43) + "=").unwrap();
        let first = open(data, &KeySource::File(brought)).await.unwrap();
        first.close().await;
        std::fs::remove_file(data.join("campanile.db")).unwrap();
        std::fs::write(data.join(SERVER_ID), "x").unwrap();
        let why = refused(data, &key).await;
        let told = why.to_string();
        assert!(
            told.contains("campanile.db is missing") && told.contains("server-id"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn the_file_of_another_program_is_left_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("campanile.db");
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}?mode=rwc", file.display());
        let mut other = AnyConnection::connect(&url).await.unwrap();
        sqlx::query("CREATE TABLE recipes (name TEXT)")
            .execute(&mut other)
            .await
            .unwrap();
        other.close().await.unwrap();
        let before = std::fs::read(&file).unwrap();
        let table = "recipes".to_owned();
        let foreign = NotOurs::Foreign {
            file: file.clone(),
            table,
        };
        assert_eq!(refused(data.path(), &KeySource::DataFolder).await, foreign);
        assert_eq!(std::fs::read(&file).unwrap(), before);
        assert!(!data.path().join("secrets.key").exists());
    }

    #[tokio::test]
    async fn a_first_start_that_was_cut_short_is_gone_on_with() {
        sqlx::any::install_default_drivers();
        // Before anything was made, and with the list of migrations and none of them done.
        for begun in [
            "PRAGMA user_version",
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, \
            description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
            success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
        ] {
            let data = tempfile::tempdir().unwrap();
            let url = format!(
                "sqlite:{}?mode=rwc",
                data.path().join("campanile.db").display()
            );
            let mut file = AnyConnection::connect(&url).await.unwrap();
            sqlx::query(begun).execute(&mut file).await.unwrap();
            file.close().await.unwrap();
            let store = open(data.path(), &KeySource::DataFolder).await.unwrap();
            store.close().await;
            // The schema and the key are there, and no deployment yet.
            open(data.path(), &KeySource::DataFolder).await.unwrap();
        }
    }
}
