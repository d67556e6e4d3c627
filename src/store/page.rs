//! Lists in pages, by the key after which a page begins: as cheap at the end of a long table as at its start.

use sqlx::FromRow;
use sqlx::any::AnyRow;

use super::{Store, StoreError};

/// Which part of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The key of the last thing on the page before; empty for the first page.
    pub after: String,
    /// Things on a page, at most.
    pub most: u32,
}

impl Page {
    /// The first page.
    #[must_use]
    pub fn first(most: u32) -> Self {
        Self {
            after: String::new(),
            most,
        }
    }

    /// Rows to fetch: one more than fit, to know whether another page follows.
    ///
    /// It is bound as `LIMIT $n + 0`: of a bare `LIMIT $n` SQLite's planner looks at the value, and so parses and plans the
    /// statement anew each time one is bound.
    pub(super) fn limit(&self) -> i64 {
        i64::from(self.most) + 1
    }

    /// Takes off what was fetched beyond the page; the key of its last thing where another page follows.
    pub(super) fn cut<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> &str) -> Listed<T> {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|last| key(last).to_owned());
        Listed { items: rows, next }
    }
}

/// A page of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The [`Page::after`] of the next one, if there is one.
    pub next: Option<String>,
}

impl Store {
    /// The rows of a page and one more: of what is `$1`, with a key beyond `$2`, at most `$3` of them.
    pub(super) async fn page_of<T>(
        &self,
        sql: String,
        whose: &str,
        page: &Page,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(whose.to_owned())
            .bind(page.after.clone())
            .bind(page.limit());
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
