//! Voice connectors, what is set for them, and their groups.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row;

use super::seal::Place;
use super::{Full, Listed, Page, Secret, Store, StoreError, Writing, bounds, draw, row};

row! {
    /// A voice connector.
    #[derive(Clone, PartialEq, Debug)]
    pub struct VoiceConnector {
        /// 22 of `a-z0-9`.
        pub voice_connector_id: String,
        /// The twelve digits of whose it is.
        pub owner: String,
        /// For people.
        pub name: String,
        /// The region.
        pub aws_region: String,
        /// 1 where only TLS and SRTP will do.
        pub require_encryption: i64,
        /// What it is a part of, if of something.
        pub integration_type: Option<String>,
        /// `IPV4_ONLY` or `DUAL_STACK`.
        pub network_type: String,
        /// `Tags` as JSON.
        pub tags: String,
        /// ms since the epoch.
        pub created_ms: i64,
        /// ms since the epoch.
        pub updated_ms: i64,
    }

    const COLUMNS;
}

/// A voice connector as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewVoiceConnector {
    /// For people.
    pub name: String,
    /// The region.
    pub aws_region: String,
    /// Whether only TLS and SRTP will do.
    pub require_encryption: bool,
    /// What it is a part of, if of something.
    pub integration_type: Option<String>,
    /// `IPV4_ONLY` or `DUAL_STACK`.
    pub network_type: String,
    /// `Tags` as JSON.
    pub tags: String,
}

impl Store {
    /// Makes a voice connector.
    ///
    /// # Errors
    /// The database; within it, that there are too many.
    pub async fn create_connector(
        &self,
        owner: &str,
        asked: NewVoiceConnector,
        now_ms: i64,
    ) -> Result<Result<VoiceConnector, Full>, StoreError> {
        let connector = VoiceConnector {
            voice_connector_id: draw::voice_connector_id()?,
            owner: owner.to_owned(),
            name: asked.name,
            aws_region: asked.aws_region,
            require_encryption: i64::from(asked.require_encryption),
            integration_type: asked.integration_type,
            network_type: asked.network_type,
            tags: asked.tags,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        let mut transaction = self.write().await?;
        if let Err(full) = bounds::CONNECTORS
            .has_room(&mut transaction, &[owner])
            .await?
        {
            return Ok(Err(full));
        }
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO voice_connectors ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        )))
        .bind(connector.voice_connector_id.clone())
        .bind(connector.owner.clone())
        .bind(connector.name.clone())
        .bind(connector.aws_region.clone())
        .bind(connector.require_encryption)
        .bind(connector.integration_type.clone())
        .bind(connector.network_type.clone())
        .bind(connector.tags.clone())
        .bind(now_ms)
        .bind(now_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(connector))
    }

    /// A voice connector of that owner.
    ///
    /// # Errors
    /// The database.
    pub async fn connector(
        &self,
        owner: &str,
        id: &str,
    ) -> Result<Option<VoiceConnector>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM voice_connectors WHERE voice_connector_id = $1 AND owner = $2"
        )))
        .bind(id.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Whose a connector is; `None` where there is none of that id.
    ///
    /// # Errors
    /// The database.
    pub async fn connector_owner(&self, id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT owner FROM voice_connectors WHERE voice_connector_id = $1";
        let row = sqlx::query(sql)
            .bind(id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The ids of all voice connectors of that owner.
    ///
    /// # Errors
    /// The database.
    pub async fn connector_ids(&self, owner: &str) -> Result<HashSet<String>, StoreError> {
        let sql = "SELECT voice_connector_id FROM voice_connectors WHERE owner = $1";
        let rows: Vec<(String,)> = sqlx::query_as(sql)
            .bind(owner.to_owned())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// The owner's voice connectors in the order of their ids.
    ///
    /// # Errors
    /// The database.
    pub async fn connectors(
        &self,
        owner: &str,
        page: &Page,
    ) -> Result<Listed<VoiceConnector>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM voice_connectors WHERE owner = $1 AND voice_connector_id > $2 \
             ORDER BY voice_connector_id LIMIT $3 + 0"
        );
        let rows = self.page_of(sql, owner, page).await?;
        Ok(page.cut(rows, |connector: &VoiceConnector| {
            &connector.voice_connector_id
        }))
    }

    /// Writes a voice connector's name and encryption; `None` where there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn update_connector(
        &self,
        owner: &str,
        id: &str,
        (name, require_encryption): (&str, bool),
        now_ms: i64,
    ) -> Result<Option<VoiceConnector>, StoreError> {
        let mut transaction = self.write().await?;
        let connector = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "UPDATE voice_connectors SET name = $1, require_encryption = $2, updated_ms = $3 \
             WHERE voice_connector_id = $4 AND owner = $5 RETURNING {COLUMNS}"
        )))
        .bind(name.to_owned())
        .bind(i64::from(require_encryption))
        .bind(now_ms)
        .bind(id.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(connector)
    }

    /// Deletes a voice connector and all that is set for it, unless something needs it.
    ///
    /// # Errors
    /// The database; within it, what needs it.
    pub async fn delete_connector(
        &self,
        owner: &str,
        id: &str,
    ) -> Result<Result<(), InUse>, StoreError> {
        let mut transaction = self.write().await?;
        let group =
            "SELECT 1 FROM voice_connector_groups WHERE owner = $1 AND items LIKE $2 LIMIT 1";
        let group = sqlx::query(group)
            .bind(owner.to_owned())
            .bind(format!("%\"{id}\"%"))
            .fetch_optional(&mut *transaction)
            .await?;
        if group.is_some() {
            return Ok(Err(InUse::Grouped));
        }
        if has_numbers(&mut transaction, "VoiceConnectorId", id).await? {
            return Ok(Err(InUse::Numbered));
        }
        for sql in [
            "DELETE FROM voice_connector_settings WHERE voice_connector_id = $1",
            "DELETE FROM termination_credentials WHERE voice_connector_id = $1",
            "DELETE FROM voice_connectors WHERE voice_connector_id = $1",
        ] {
            sqlx::query(sql)
                .bind(id.to_owned())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// What is set for a voice connector by that name.
    ///
    /// # Errors
    /// The database; the document is not JSON.
    pub async fn connector_setting(
        &self,
        id: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT document FROM voice_connector_settings WHERE voice_connector_id = $1 AND name = $2",
        )
        .bind(id.to_owned())
        .bind(name.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| serde_json::from_str(&row.0).map_err(StoreError::from))
            .transpose()
    }

    /// Sets it, or unsets it with `None`, if `may` says so to all that is set for the connector now.
    ///
    /// # Errors
    /// The database; a document is not JSON. Within it, what `may` says.
    pub async fn put_connector_setting<R>(
        &self,
        id: &str,
        name: &str,
        document: Option<&serde_json::Value>,
        may: impl FnOnce(&BTreeMap<String, serde_json::Value>) -> Result<(), R>,
    ) -> Result<Result<(), R>, StoreError> {
        let mut transaction = self.write().await?;
        let all =
            "SELECT name, document FROM voice_connector_settings WHERE voice_connector_id = $1";
        let rows: Vec<(String, String)> = sqlx::query_as(all)
            .bind(id.to_owned())
            .fetch_all(&mut *transaction)
            .await?;
        let mut others = BTreeMap::new();
        for (name, document) in rows {
            others.insert(name, serde_json::from_str(&document)?);
        }
        if let Err(refused) = may(&others) {
            return Ok(Err(refused));
        }
        let query = match document {
            Some(document) => sqlx::query(
                "INSERT INTO voice_connector_settings (voice_connector_id, name, document) VALUES ($1, $2, $3) \
                 ON CONFLICT (voice_connector_id, name) DO UPDATE SET document = excluded.document",
            )
            .bind(id.to_owned())
            .bind(name.to_owned())
            .bind(document.to_string()),
            None => sqlx::query(
                "DELETE FROM voice_connector_settings WHERE voice_connector_id = $1 AND name = $2",
            )
            .bind(id.to_owned())
            .bind(name.to_owned()),
        };
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// Adds digest credentials to a voice connector, or gives known names other passwords. All or none.
    ///
    /// # Errors
    /// The database.
    pub async fn put_credentials(
        &self,
        id: &str,
        credentials: &[(String, Secret)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for (username, password) in credentials {
            let row = format!("{id} {username}");
            let place = Place {
                table: "termination_credentials",
                column: "password",
                row: &row,
            };
            let sealed = self.seal.seal(place, password.expose())?;
            sqlx::query(
                "INSERT INTO termination_credentials (voice_connector_id, username, password) VALUES ($1, $2, $3) \
                 ON CONFLICT (voice_connector_id, username) DO UPDATE SET password = excluded.password",
            )
            .bind(id.to_owned())
            .bind(username.clone())
            .bind(sealed)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The names of a voice connector's digest credentials.
    ///
    /// # Errors
    /// The database.
    pub async fn credential_names(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT username FROM termination_credentials WHERE voice_connector_id = $1 ORDER BY username",
        )
        .bind(id.to_owned())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Takes digest credentials away from a voice connector; names that it has not are none to take.
    ///
    /// # Errors
    /// The database.
    pub async fn delete_credentials(&self, id: &str, names: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for name in names {
            sqlx::query(
                "DELETE FROM termination_credentials WHERE voice_connector_id = $1 AND username = $2",
            )
            .bind(id.to_owned())
            .bind(name.clone())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Why a voice connector or a group is not deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InUse {
    /// A group has the connector, or the group has connectors.
    Grouped,
    /// Phone numbers are on it.
    Numbered,
}

/// Whether a number is assigned to that.
pub(super) async fn has_numbers(
    transaction: &mut Writing,
    to: &'static str,
    id: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM phone_numbers WHERE assigned_to = $1 AND assigned_value = $2 LIMIT 1";
    let query = sqlx::query(sql).bind(to).bind(id.to_owned());
    Ok(query.fetch_optional(&mut **transaction).await?.is_some())
}
