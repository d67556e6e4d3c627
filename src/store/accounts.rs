//! Accounts in the sense of the product: teams and enterprises with their users.

use super::{Listed, Page, Store, StoreError, address, draw, row};
use serde_json::Value;

row! {
    /// An account.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Account {
        /// UUID.
        pub account_id: String,
        /// The twelve digits of whom it belongs to.
        pub owner: String,
        /// For people.
        pub name: String,
        /// `Team` or an `Enterprise…`.
        pub account_type: String,
        /// The tier of new users.
        pub default_license: String,
        /// `SigninDelegateGroups` as JSON.
        pub delegate_groups: String,
        /// `AccountSettings` as JSON.
        pub settings: String,
        /// `RetentionSettings` as JSON.
        pub retention: String,
        /// Made, ms since the epoch.
        pub created_ms: i64,
    }

    const COLUMNS;
}

/// What of an account can be set.
#[derive(Clone, Copy, Debug)]
pub enum AccountField {
    /// Its name.
    Name,
    /// `Team` or an `Enterprise…`.
    AccountType,
    /// The tier of new users.
    DefaultLicense,
    /// JSON.
    DelegateGroups,
    /// JSON.
    Settings,
    /// JSON.
    Retention,
}

impl AccountField {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::AccountType => "account_type",
            Self::DefaultLicense => "default_license",
            Self::DelegateGroups => "delegate_groups",
            Self::Settings => "settings",
            Self::Retention => "retention",
        }
    }
}

impl Store {
    /// Makes a Team account.
    ///
    /// # Errors
    /// The database.
    pub async fn create_account(
        &self,
        owner: &str,
        name: &str,
        settings: &Value,
        now_ms: i64,
    ) -> Result<Account, StoreError> {
        let account = Account {
            account_id: draw::ordered_uuid(now_ms)?,
            owner: owner.to_owned(),
            name: name.to_owned(),
            account_type: "Team".to_owned(),
            default_license: "Pro".to_owned(),
            delegate_groups: "[]".to_owned(),
            settings: settings.to_string(),
            retention: "{}".to_owned(),
            created_ms: now_ms,
        };
        self.change(
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "INSERT INTO accounts ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            )))
            .bind(account.account_id.clone())
            .bind(account.owner.clone())
            .bind(account.name.clone())
            .bind(account.account_type.clone())
            .bind(account.default_license.clone())
            .bind(account.delegate_groups.clone())
            .bind(account.settings.clone())
            .bind(account.retention.clone())
            .bind(now_ms),
        )
        .await?;
        Ok(account)
    }

    /// An account of that owner.
    ///
    /// # Errors
    /// The database.
    pub async fn account(
        &self,
        owner: &str,
        account_id: &str,
    ) -> Result<Option<Account>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM accounts WHERE account_id = $1 AND owner = $2"
        )))
        .bind(account_id.to_ascii_lowercase())
        .bind(owner.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The owner's accounts in the order they were made, of that name, with that user, where asked for.
    ///
    /// # Errors
    /// The database.
    pub async fn accounts(
        &self,
        owner: &str,
        name: Option<&str>,
        email: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Account>, StoreError> {
        let mut sql =
            format!("SELECT {COLUMNS} FROM accounts WHERE owner = $1 AND account_id > $2");
        if name.is_some() {
            sql.push_str(" AND name = $4");
        }
        if email.is_some() {
            let at = if name.is_some() { 5 } else { 4 };
            sql.push_str(&format!(
                " AND account_id IN (SELECT account_id FROM users WHERE email = ${at})"
            ));
        }
        sql.push_str(" ORDER BY account_id LIMIT $3 + 0");
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.to_owned())
            .bind(page.after.clone())
            .bind(page.limit());
        for text in [name.map(str::to_owned), email.map(address::canonical)]
            .into_iter()
            .flatten()
        {
            query = query.bind(text);
        }
        let rows = query.fetch_all(&self.pool).await?;
        Ok(page.cut(rows, |account: &Account| &account.account_id))
    }

    /// Sets fields of an account, all or none; `false` where it is gone.
    ///
    /// # Errors
    /// The database.
    pub async fn update_account(
        &self,
        account_id: &str,
        fields: &[(AccountField, String)],
    ) -> Result<bool, StoreError> {
        let columns = fields.iter().map(|(field, value)| (field.column(), value));
        self.set_columns("accounts", columns, &[("account_id", account_id)])
            .await
    }

    /// Deletes a team without users, or an enterprise without domains, with its rooms; `false` where it has some.
    ///
    /// # Errors
    /// The database.
    pub async fn delete_account(&self, account_id: &str, now_ms: i64) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        // A team's users can be removed, an enterprise's only suspended: they go with it.
        let kept = sqlx::query(
            "SELECT 1 FROM users, accounts WHERE users.account_id = $1 AND accounts.account_id = $1 \
             AND account_type = 'Team' UNION ALL \
             SELECT 1 FROM domains WHERE account_id = $1 AND verified_ms IS NOT NULL LIMIT 1",
        )
        .bind(account_id.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        if kept.is_some() {
            return Ok(false);
        }
        // All at once: an enterprise may have many, and nobody else writes meanwhile.
        sqlx::query(
            "UPDATE phone_numbers SET assigned_to = NULL, assigned_value = NULL, assigned_account = NULL, \
             assigned_ms = NULL, updated_ms = $1 WHERE assigned_account = $2 AND assigned_to = 'UserId'",
        )
        .bind(now_ms)
        .bind(account_id.to_owned())
        .execute(&mut *transaction)
        .await?;
        for sql in [
            "DELETE FROM room_memberships WHERE member_id IN (SELECT user_id FROM users WHERE account_id = $1)",
            "DELETE FROM users WHERE account_id = $1",
            "DELETE FROM room_memberships WHERE room_id IN (SELECT room_id FROM rooms WHERE account_id = $1)",
            "DELETE FROM rooms WHERE account_id = $1",
            "DELETE FROM domains WHERE account_id = $1",
            "DELETE FROM accounts WHERE account_id = $1",
        ] {
            sqlx::query(sql)
                .bind(account_id.to_owned())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}
