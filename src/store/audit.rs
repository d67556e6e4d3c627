//! The audit trail's index: what was asked of the API, by its attributes and in the order of time.

use super::{Listed, Page, Store, StoreError, draw, in_time, row};

row! {
    /// An entry as it is found again. What is not known is empty.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct AuditRow {
        /// A UUID of version 7.
        pub event_id: String,
        /// The AWS account.
        pub owner: String,
        /// `Management`.
        pub event_category: String,
        /// Such as `CreateMeeting`.
        pub event_name: String,
        /// Such as `chime.amazonaws.com`.
        pub event_source: String,
        /// Who asked.
        pub user_name: String,
        /// With which key.
        pub access_key_id: String,
        /// `true` or `false`.
        pub read_only: String,
        /// What kind of thing it was about.
        pub resource_type: String,
        /// Which.
        pub resource_name: String,
        /// All of it, JSON.
        pub document: String,
    }

    const COLUMNS;
}

/// What entries can be asked for by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditAttribute {
    /// [`AuditRow::event_category`].
    EventCategory,
    /// [`AuditRow::event_id`].
    EventId,
    /// [`AuditRow::event_name`].
    EventName,
    /// [`AuditRow::event_source`].
    EventSource,
    /// [`AuditRow::user_name`].
    UserName,
    /// [`AuditRow::access_key_id`].
    AccessKeyId,
    /// [`AuditRow::read_only`].
    ReadOnly,
    /// [`AuditRow::resource_type`].
    ResourceType,
    /// [`AuditRow::resource_name`].
    ResourceName,
}

impl AuditAttribute {
    /// What of a value is kept to be asked for: a longer one is found by its beginning.
    #[must_use]
    pub fn cut(value: &str) -> &str {
        let mut end = value.len().min(INDEXED);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        value.get(..end).unwrap_or_default()
    }

    fn column(self) -> &'static str {
        match self {
            Self::EventCategory => "event_category",
            Self::EventId => "event_id",
            Self::EventName => "event_name",
            Self::EventSource => "event_source",
            Self::UserName => "user_name",
            Self::AccessKeyId => "access_key_id",
            Self::ReadOnly => "read_only",
            Self::ResourceType => "resource_type",
            Self::ResourceName => "resource_name",
        }
    }
}

/// How many columns there are.
const WIDTH: usize = 11;

/// Octets of a value in an index. PostgreSQL takes 2,704 of a row of one (a third of a page), with owner and id in it; what
/// names a thing of ours is far shorter.
const INDEXED: usize = 512;

/// Rows of one transaction.
const ROWS: usize = 500;

/// Rows of one statement. For each parameter SQLite's driver looks through all of their names, so few large statements
/// cost more than many small ones; and one that is always the same need not be parsed again.
const TOGETHER: usize = 8;

impl Store {
    /// A new entry's id: in the order of time, as a text too.
    ///
    /// # Errors
    /// No random octets.
    pub fn event_id(&self, now_ms: i64) -> Result<String, StoreError> {
        draw::ordered_uuid(now_ms)
    }

    /// Takes entries in; those that are there already stay as they are. One that the database will not have is left out,
    /// so that it does not keep out all that come after it; how many those were.
    ///
    /// # Errors
    /// The database.
    pub async fn add_audit_rows(&self, rows: &[AuditRow]) -> Result<u64, StoreError> {
        let mut refused = 0;
        for rows in rows.chunks(ROWS) {
            match in_time(self.insert_audit_rows(rows)).await.flatten() {
                Err(error) if error.is_of_the_row() => {
                    for row in rows {
                        let row_alone = self.insert_audit_rows(std::slice::from_ref(row));
                        match in_time(row_alone).await.flatten() {
                            Err(error) if error.is_of_the_row() => {
                                refused += 1;
                                let id = &row.event_id;
                                tracing::error!(id, %error, "an entry of the audit trail cannot be looked up");
                            }
                            done => done?,
                        }
                    }
                }
                done => done?,
            }
        }
        Ok(refused)
    }

    async fn insert_audit_rows(&self, rows: &[AuditRow]) -> Result<(), StoreError> {
        // Nobody reads before they write here: there is no turn to wait for.
        let mut transaction = self.pool.begin().await?;
        for rows in rows.chunks(TOGETHER) {
            let places: Vec<String> = (0..rows.len())
                .map(|row| {
                    let first = row * WIDTH + 1;
                    let places: Vec<String> =
                        (first..first + WIDTH).map(|at| format!("${at}")).collect();
                    format!("({})", places.join(", "))
                })
                .collect();
            let mut query = sqlx::query(sqlx::AssertSqlSafe(format!(
                "INSERT INTO audit_entries ({COLUMNS}) VALUES {} ON CONFLICT (event_id) DO NOTHING",
                places.join(", ")
            )));
            for row in rows {
                let values: [&String; WIDTH] = [
                    &row.event_id,
                    &row.owner,
                    &row.event_category,
                    &row.event_name,
                    &row.event_source,
                    &row.user_name,
                    &row.access_key_id,
                    &row.read_only,
                    &row.resource_type,
                    &row.resource_name,
                    &row.document,
                ];
                for value in values {
                    // PostgreSQL has no place for this one character; in the document it is escaped.
                    query = query.bind(value.replace('\0', "\u{fffd}"));
                }
            }
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// An account's entries from `from_ms` to before `to_ms`, newest first, with that attribute.
    ///
    /// # Errors
    /// The database.
    pub async fn audit_rows(
        &self,
        owner: &str,
        (attribute, value): (AuditAttribute, &str),
        (from_ms, to_ms): (i64, i64),
        page: &Page,
    ) -> Result<Listed<AuditRow>, StoreError> {
        let column = attribute.column();
        let before = first_id(to_ms);
        let before = match page.after.as_str() {
            "" => before,
            after => before.min(after.to_owned()),
        };
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM audit_entries WHERE owner = $1 AND event_id >= $2 AND event_id < $3 AND {column} = $5 \
            ORDER BY event_id DESC LIMIT $4 + 0"
        )))
        .bind(owner.to_owned())
        .bind(first_id(from_ms))
        .bind(before)
        .bind(page.limit())
        .bind(AuditAttribute::cut(value).to_owned())
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |row: &AuditRow| &row.event_id))
    }

    /// Forgets entries older than that, some thousand at most; how many it were.
    ///
    /// # Errors
    /// The database.
    pub async fn forget_audit_rows(&self, before_ms: i64) -> Result<u64, StoreError> {
        // A piece at a time: nobody waits long for the write lock.
        let done = sqlx::query(
            "DELETE FROM audit_entries WHERE event_id IN \
            (SELECT event_id FROM audit_entries WHERE event_id < $1 ORDER BY event_id LIMIT 2000)",
        )
        .bind(first_id(before_ms))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}

/// What sorts before every id of that millisecond and after those of earlier ones (RFC 9562 §5.7: 48 bits of time).
fn first_id(at_ms: i64) -> String {
    let at = u64::try_from(at_ms)
        .unwrap_or_default()
        .min(0xffff_ffff_ffff);
    let (high, low) = (at >> 16, at & 0xffff);
    format!("{high:08x}-{low:04x}-0000-0000-000000000000")
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const ANY: (AuditAttribute, &str) = (AuditAttribute::EventCategory, "Management");

    fn row(store: &Store, owner: &str, name: &str, at_ms: i64) -> AuditRow {
        AuditRow {
            event_id: store.event_id(at_ms).unwrap(),
            owner: owner.to_owned(),
            user_name: "a\0b".to_owned(),
            event_category: "Management".to_owned(),
            event_name: name.to_owned(),
            read_only: "false".to_owned(),
            document: "{}".to_owned(),
            ..AuditRow::default()
        }
    }

    #[tokio::test]
    async fn entries_are_found_newest_first_by_time_and_attribute_and_by_their_account_alone() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let rows: Vec<AuditRow> = (0..1200)
            .map(|at| {
                let name = if at % 400 == 0 { "Rare" } else { "Common" };
                row(&store, "1", name, 1_795_000_000_000 + at)
            })
            .collect();
        store.add_audit_rows(&rows).await.unwrap();
        // Again, as after a crash, and another account's.
        store.add_audit_rows(&rows[500..]).await.unwrap();
        let other = row(&store, "2", "Rare", 1_795_000_000_100);
        store
            .add_audit_rows(std::slice::from_ref(&other))
            .await
            .unwrap();

        let all = (0, i64::MAX >> 16);
        let mut page = Page::first(500);
        let mut found = Vec::new();
        loop {
            let listed = store.audit_rows("1", ANY, all, &page).await.unwrap();
            found.extend(listed.items);
            let Some(next) = listed.next else { break };
            page.after = next;
        }
        let mut expected = rows.clone();
        expected.reverse();
        for row in &mut expected {
            row.user_name = "a\u{fffd}b".to_owned();
        }
        assert_eq!(found, expected);

        let rare = (AuditAttribute::EventName, "Rare");
        let of = |range| {
            let store = &store;
            async move {
                let page = Page::first(50);
                let listed = store.audit_rows("1", rare, range, &page).await.unwrap();
                listed.items
            }
        };
        assert_eq!(of(all).await.len(), 3);
        let some = of((1_795_000_000_400, 1_795_000_000_800)).await;
        assert_eq!(some, [expected[799].clone()]);
        let id = (AuditAttribute::EventId, other.event_id.as_str());
        let page = Page::first(1);
        let listed = store.audit_rows("1", id, all, &page);
        assert!(listed.await.unwrap().items.is_empty());
    }

    #[tokio::test]
    async fn an_entry_that_the_database_will_not_have_keeps_no_other_out() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        // Both databases refuse by this what PostgreSQL refuses by itself: a value too long for an index.
        sqlx::query("CREATE UNIQUE INDEX odd ON audit_entries (event_name)")
            .execute(&store.pool)
            .await
            .unwrap();
        let rows = ["a", "b", "a", "c"].map(|name| row(&store, "1", name, 1000));
        assert_eq!(store.add_audit_rows(&rows).await.unwrap(), 1);
        let page = Page::first(9);
        let found = store.audit_rows("1", ANY, (0, 2000), &page).await.unwrap();
        assert_eq!(found.items.len(), 3);
        // A database that is away has refused no row.
        store.close().await;
        assert!(store.add_audit_rows(&rows).await.unwrap_err().is_passing());
    }

    #[test]
    fn a_value_is_cut_at_a_character() {
        assert_eq!(AuditAttribute::cut("short"), "short");
        let long = format!("a{}", "\u{20ac}".repeat(1000));
        let cut = AuditAttribute::cut(&long);
        assert!(cut.len() > INDEXED - 3 && cut.len() <= INDEXED && long.starts_with(cut));
    }

    #[tokio::test]
    async fn what_is_too_old_is_forgotten_piece_by_piece() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let rows: Vec<AuditRow> = (0..2100).map(|at| row(&store, "1", "x", at)).collect();
        store.add_audit_rows(&rows).await.unwrap();
        assert_eq!(store.forget_audit_rows(2050).await.unwrap(), 2000);
        assert_eq!(store.forget_audit_rows(2050).await.unwrap(), 50);
        assert_eq!(store.forget_audit_rows(2050).await.unwrap(), 0);
        let page = Page::first(100);
        let left = store.audit_rows("1", ANY, (0, 10_000), &page);
        assert_eq!(left.await.unwrap().items.len(), 50);
    }

    #[tokio::test]
    async fn no_lookup_reads_the_whole_table() {
        use AuditAttribute::*;
        use sqlx::Row;
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        // PostgreSQL plans by what it counts in the table, and here there is nothing.
        if store.kind != Kind::Sqlite {
            return;
        }
        let attributes = [
            EventCategory,
            EventName,
            EventSource,
            UserName,
            AccessKeyId,
            ReadOnly,
            ResourceType,
            ResourceName,
        ];
        for attribute in attributes {
            let plan = sqlx::query(sqlx::AssertSqlSafe(format!(
                "EXPLAIN QUERY PLAN SELECT document FROM audit_entries WHERE owner = 'a' AND event_id >= 'a' \
                AND event_id < 'b' AND {} = 'c' ORDER BY event_id DESC LIMIT 50",
                attribute.column()
            )))
            .fetch_all(&store.pool)
            .await
            .unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>(3)).collect();
            assert_eq!(plan.len(), 1, "{plan:?}");
            let index = format!("audit_entries_by_{} ", attribute.column());
            assert!(
                plan[0].starts_with("SEARCH") && plan[0].contains(&index),
                "{plan:?}"
            );
        }
    }
}
