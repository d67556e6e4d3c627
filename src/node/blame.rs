//! What an operator reads when a node does not start: which file, which key, what to do.

use super::{CertificateError, NodeError};
use crate::config::tls::BadTls;
use crate::config::{Config, ConfigError, EXIT_CODE};
use crate::store::{DATABASE_FILE, Database, NotOurs, StoreError};

/// One line for whoever starts the node, and the status with which the process ends.
#[must_use]
pub fn blame(config: &Config, error: NodeError) -> (String, u8) {
    let (told, status) = match error {
        NodeError::Config(error) => (error, EXIT_CODE),
        NodeError::Store(error) => of_store(config, &error),
        NodeError::Certificate(error) => of_certificate(config, &error),
        other => return (other.to_string(), FAILURE),
    };
    (told.to_string(), status)
}

fn of_store(config: &Config, error: &StoreError) -> (ConfigError, u8) {
    let refused = |key, remedy: &str| config.refuse(key, error.to_string(), remedy);
    let elsewhere = "name another folder with --data";
    match error {
        StoreError::OtherAccount { .. } => (
            refused(
                "node.account_id",
                "leave the key out, or name another data folder",
            ),
            EXIT_CODE,
        ),
        StoreError::Key(bad) => (config.refuse_secrets_key(bad.to_string()), EXIT_CODE),
        StoreError::NotOurs(NotOurs::Foreign { .. }) => (
            refused("node.data", &format!("move that file away, or {elsewhere}")),
            EXIT_CODE,
        ),
        StoreError::NotOurs(_) => (
            refused(
                "node.data",
                &format!(
                    "put the database back from a copy; for a new deployment {elsewhere}, or remove the file that is \
                     there (a key of your own goes to secrets.key_file)"
                ),
            ),
            EXIT_CODE,
        ),
        // Not what was configured, but where and how the database is: it may be well at the next start.
        error => match &config.store.database {
            Database::DataFolder => {
                let file = config.node.data.join(DATABASE_FILE);
                let remedy = format!(
                    "{}; else put it back from a copy, or {elsewhere}",
                    room(error)
                );
                let problem = format!("{}: {}", file.display(), reason(error));
                (config.refuse("node.data", problem, remedy), FAILURE)
            }
            Database::Postgres(_) => (
                refused(
                    "store.database",
                    "see that PostgreSQL runs there, and that user, password and database are right",
                ),
                FAILURE,
            ),
        },
    }
}

/// What SQLite says, without what wraps it.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Database(sqlx::Error::Database(said)) => said.message().to_owned(),
        StoreError::File(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// What helps against the commonest causes: SQLite calls a full disk an input/output error, too.
fn room(error: &StoreError) -> &'static str {
    match error {
        StoreError::Database(_) => "see that the disk has room and the file is whole",
        _ => "see that it is a file that this user may write",
    }
}

fn of_certificate(config: &Config, error: &CertificateError) -> (ConfigError, u8) {
    let own = config.node.data.join("tls");
    let (key, remedy) = match (error, &config.tls.files) {
        // Nobody but the server wrote these.
        (
            CertificateError::Files(
                BadTls::Certificate { .. } | BadTls::Key { .. } | BadTls::Mismatch { .. },
            ),
            None,
        ) => {
            let own = own.display();
            let remedy = format!(
                "delete certificate.pem and key.pem in {own}, and the next start makes new ones"
            );
            ("tls.certificate", remedy)
        }
        (CertificateError::Files(bad), _) => (bad.key(), bad.remedy().to_owned()),
        (CertificateError::Clients(_), _) => (
            "sip.tls.client_authorities",
            "name a PEM file with the certificates of the authorities".to_owned(),
        ),
        (CertificateError::Make(_) | CertificateError::Write { .. }, _) => (
            "tls.certificate",
            format!(
                "let this user write {}, or give a certificate of your own",
                own.display()
            ),
        ),
    };
    (config.refuse(key, error.to_string(), remedy), FAILURE)
}

/// The status of what is no fault of the configuration.
const FAILURE: u8 = 1;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::Origin;
    use crate::store::{KeySource, Store};

    fn config(data: &Path) -> Config {
        let mut config = Config::defaults().unwrap();
        config.node.data = data.to_owned();
        config
    }

    /// What is told of a database that does not open.
    async fn told(data: &Path) -> (String, u8) {
        let config = config(data);
        let opened = Store::open_with(data, &config.store.database, &KeySource::DataFolder).await;
        blame(&config, opened.unwrap_err().into())
    }

    #[tokio::test]
    async fn a_database_that_does_not_open_is_told_by_file_key_and_remedy() {
        let data = tempfile::tempdir().unwrap();
        let (data, file) = (data.path(), data.path().join("campanile.db"));
        let name = file.display();
        std::fs::write(
            &file,
            "no database at all, but long enough for a header of one".repeat(9),
        )
        .unwrap();
        let (line, status) = told(data).await;
        let begins = format!(
            "{}: node.data: {name}: file is not a database; ",
            Origin::Default
        );
        assert!(line.starts_with(&begins) && status == FAILURE, "{line}");
        assert!(
            line.contains("from a copy, or name another folder"),
            "{line}"
        );
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let (line, _) = told(data).await;
        assert!(line.contains(&format!("node.data: {name}: ")), "{line}");
        std::fs::remove_dir(&file).unwrap();
        std::fs::write(data.join("secrets.key"), "x").unwrap();
        let (line, status) = told(data).await;
        assert!(
            line.contains("served before; put the database back"),
            "{line}"
        );
        assert_eq!(status, EXIT_CODE);
    }

    #[test]
    fn a_certificate_of_our_own_is_told_how_to_be_made_anew() {
        let config = config(&PathBuf::from("d"));
        let bad = crate::config::tls::load(&crate::config::TlsFiles {
            certificate: "d/tls/certificate.pem".into(),
            key: "d/tls/key.pem".into(),
        });
        let error = CertificateError::from(bad.unwrap_err());
        let (line, _) = blame(&config, error.into());
        assert!(
            line.contains("tls.certificate: d/tls/certificate.pem"),
            "{line}"
        );
        assert!(
            line.ends_with("in d/tls, and the next start makes new ones"),
            "{line}"
        );
    }
}
