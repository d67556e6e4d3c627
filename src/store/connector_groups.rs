//! Groups of voice connectors.

use super::connectors::{InUse, has_numbers};
use super::{Full, Listed, Page, Store, StoreError, Writing, bounds, draw, row};

row! {
    /// A group of voice connectors.
    #[derive(Clone, PartialEq, Debug)]
    pub struct VoiceConnectorGroup {
        /// UUID.
        pub voice_connector_group_id: String,
        /// Whose.
        pub owner: String,
        /// For people.
        pub name: String,
        /// `VoiceConnectorItems` as JSON.
        pub items: String,
        /// `CallDistributionType`.
        pub distribution: String,
        /// ms since the epoch.
        pub created_ms: i64,
        /// ms since the epoch.
        pub updated_ms: i64,
    }

    const COLUMNS;
}

/// A group as asked for, already checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskedGroup<'a> {
    /// For people.
    pub name: &'a str,
    /// `VoiceConnectorItems` as JSON.
    pub items: &'a str,
    /// The connectors in it, which must be its owner's.
    pub members: &'a [String],
    /// `CallDistributionType`, if it is said.
    pub distribution: Option<&'a str>,
}

/// The distribution of a new group.
const DISTRIBUTION: &str = "PriorityWeightedDistribution";

impl Store {
    /// Makes a group of these connectors; `None` where one of them is not there.
    ///
    /// # Errors
    /// The database; no random octets; within it, that there are too many.
    pub async fn create_group(
        &self,
        owner: &str,
        asked: &AskedGroup<'_>,
        now_ms: i64,
    ) -> Result<Result<Option<VoiceConnectorGroup>, Full>, StoreError> {
        let mut transaction = self.write().await?;
        if !has_all(&mut transaction, owner, asked.members).await? {
            return Ok(Ok(None));
        }
        if let Err(full) = bounds::GROUPS.has_room(&mut transaction, &[owner]).await? {
            return Ok(Err(full));
        }
        let group = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "INSERT INTO voice_connector_groups ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             RETURNING {COLUMNS}"
        )))
        .bind(draw::ordered_uuid(now_ms)?)
        .bind(owner.to_owned())
        .bind(asked.name.to_owned())
        .bind(asked.items.to_owned())
        .bind(asked.distribution.unwrap_or(DISTRIBUTION).to_owned())
        .bind(now_ms)
        .bind(now_ms)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(Some(group)))
    }

    /// Writes a group; a distribution that is not said stays as it is. `None` where the group or one of its connectors
    /// is not there.
    ///
    /// # Errors
    /// The database.
    pub async fn update_group(
        &self,
        owner: &str,
        id: &str,
        asked: &AskedGroup<'_>,
        now_ms: i64,
    ) -> Result<Option<VoiceConnectorGroup>, StoreError> {
        let mut transaction = self.write().await?;
        if !has_all(&mut transaction, owner, asked.members).await? {
            return Ok(None);
        }
        let group = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "UPDATE voice_connector_groups SET name = $1, items = $2, distribution = COALESCE($3, distribution), \
             updated_ms = $4 WHERE voice_connector_group_id = $5 AND owner = $6 RETURNING {COLUMNS}"
        )))
        .bind(asked.name.to_owned())
        .bind(asked.items.to_owned())
        .bind(asked.distribution.map(str::to_owned))
        .bind(now_ms)
        .bind(id.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(group)
    }

    /// A group of that owner.
    ///
    /// # Errors
    /// The database.
    pub async fn group(
        &self,
        owner: &str,
        id: &str,
    ) -> Result<Option<VoiceConnectorGroup>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM voice_connector_groups WHERE voice_connector_group_id = $1 AND owner = $2"
        )))
        .bind(id.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The owner's groups in the order they were made.
    ///
    /// # Errors
    /// The database.
    pub async fn groups(
        &self,
        owner: &str,
        page: &Page,
    ) -> Result<Listed<VoiceConnectorGroup>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM voice_connector_groups WHERE owner = $1 AND voice_connector_group_id > $2 \
             ORDER BY voice_connector_group_id LIMIT $3 + 0"
        );
        let rows = self.page_of(sql, owner, page).await?;
        Ok(page.cut(rows, |group: &VoiceConnectorGroup| {
            &group.voice_connector_group_id
        }))
    }

    /// Deletes a group, unless something needs it.
    ///
    /// # Errors
    /// The database; within it, what needs it.
    pub async fn delete_group(
        &self,
        owner: &str,
        id: &str,
    ) -> Result<Result<(), InUse>, StoreError> {
        let mut transaction = self.write().await?;
        let full = "SELECT 1 FROM voice_connector_groups WHERE voice_connector_group_id = $1 AND items <> '[]'";
        let full = sqlx::query(full).bind(id.to_owned());
        if full.fetch_optional(&mut *transaction).await?.is_some() {
            return Ok(Err(InUse::Grouped));
        }
        if has_numbers(&mut transaction, "VoiceConnectorGroupId", id).await? {
            return Ok(Err(InUse::Numbered));
        }
        sqlx::query(
            "DELETE FROM voice_connector_groups WHERE voice_connector_group_id = $1 AND owner = $2",
        )
        .bind(id.to_owned())
        .bind(owner.to_owned())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }
}

/// Whether all these connectors are that owner's.
async fn has_all(
    transaction: &mut Writing,
    owner: &str,
    members: &[String],
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM voice_connectors WHERE voice_connector_id = $1 AND owner = $2";
    for member in members {
        let query = sqlx::query(sql).bind(member.clone()).bind(owner.to_owned());
        if query.fetch_optional(&mut **transaction).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
