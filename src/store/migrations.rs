//! The steps that bring a database to this version, of one set for both kinds of it.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A file of the folder.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("migrations/", $name, ".sql"))
    };
}

/// Number, what it is about, and the text. What stands here once stays as it is: databases hold each step's checksum, and
/// are refused where one differs.
const STEPS: [(i64, &str, &str); 11] = [
    (1, "meetings", sql!("0001_meetings")),
    (2, "dial in", sql!("0002_dial_in")),
    (3, "principals", sql!("0003_principals")),
    (4, "directory", sql!("0004_directory")),
    (5, "found by", sql!("0005_found_by")),
    (6, "audit", sql!("0006_audit")),
    (7, "domains", sql!("0007_domains")),
    (8, "capabilities", sql!("0008_capabilities")),
    (9, "number lists", sql!("0009_number_lists")),
    (10, "held meetings", sql!("0010_held_meetings")),
    (11, "domain checks", sql!("0011_domain_checks")),
];

/// All of them. `sqlx::migrate!` would say the same at the price that `row!` tells of.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let steps = STEPS.map(|(number, about, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(number, about.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(steps.into())
});

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn every_file_of_the_folder_is_a_step_and_says_the_same() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
        let files = Migrator::new(folder).await.unwrap();
        let told = |one: &Migration| {
            let checksum = one.checksum.to_vec();
            (one.version, one.description.to_string(), checksum)
        };
        let files: Vec<_> = files.iter().map(told).collect();
        assert_eq!(MIGRATIONS.iter().map(told).collect::<Vec<_>>(), files);
    }
}
