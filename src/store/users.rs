//! The people and devices of accounts.

use super::pin::OF_USER;
use super::seal::Place;
use super::{Listed, Page, Store, StoreError, Writing, address, draw, pin, row};

row! {
    /// A user.
    #[derive(Clone, PartialEq, Debug)]
    pub struct User {
        /// UUID.
        pub user_id: String,
        /// The account.
        pub account_id: String,
        /// In lower case, its domain in ASCII.
        pub email: Option<String>,
        /// The name that others see.
        pub display_name: Option<String>,
        /// `Basic`, `Plus`, `Pro` or `ProTrial`.
        pub license_type: String,
        /// `PrivateUser` or `SharedDevice`.
        pub user_type: String,
        /// `Unregistered`, `Registered` or `Suspended`.
        pub registration_status: String,
        /// `Pending`, `Accepted` or `Failed`.
        pub invitation_status: Option<String>,
        /// ms since the epoch.
        pub registered_ms: Option<i64>,
        /// ms since the epoch.
        pub invited_ms: Option<i64>,
        /// Ten digits that dial this user's own meeting; nobody else's, and no meeting's.
        pub personal_pin: String,
        /// `AlexaForBusinessMetadata` as JSON.
        pub metadata: String,
        /// `Telephony` settings as JSON.
        pub telephony: String,
        /// Sign-ins before this do not hold, ms since the epoch.
        pub logged_out_ms: Option<i64>,
        /// ms since the epoch.
        pub created_ms: i64,
    }

    const COLUMNS;
}

/// A user as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewUser {
    /// Their address.
    pub email: Option<String>,
    /// The name that others see.
    pub display_name: Option<String>,
    /// `PrivateUser` or `SharedDevice`.
    pub user_type: String,
    /// The tier.
    pub license_type: String,
    /// Whether an invitation goes to them first.
    pub invited: bool,
}

/// What of a user can be set.
#[derive(Clone, Copy, Debug)]
pub enum UserField {
    /// The tier.
    LicenseType,
    /// `PrivateUser` or `SharedDevice`.
    UserType,
    /// JSON.
    Metadata,
    /// JSON.
    Telephony,
}

impl UserField {
    fn column(self) -> &'static str {
        match self {
            Self::LicenseType => "license_type",
            Self::UserType => "user_type",
            Self::Metadata => "metadata",
            Self::Telephony => "telephony",
        }
    }
}

impl Store {
    /// Makes a user; `None` where the account has one of that address.
    ///
    /// # Errors
    /// The database.
    pub async fn create_user(
        &self,
        account_id: &str,
        asked: &NewUser,
        now_ms: i64,
    ) -> Result<Option<User>, StoreError> {
        let mut transaction = self.write().await?;
        let email = asked.email.as_deref().map(address::canonical);
        let user = User {
            user_id: draw::ordered_uuid(now_ms)?,
            account_id: account_id.to_owned(),
            email,
            display_name: asked.display_name.clone(),
            license_type: asked.license_type.clone(),
            user_type: asked.user_type.clone(),
            registration_status: if asked.invited {
                "Unregistered"
            } else {
                "Registered"
            }
            .to_owned(),
            invitation_status: asked.invited.then(|| "Pending".to_owned()),
            registered_ms: (!asked.invited).then_some(now_ms),
            invited_ms: asked.invited.then_some(now_ms),
            personal_pin: pin::free(&mut transaction, &self.seal).await?,
            metadata: "{}".to_owned(),
            telephony: "{}".to_owned(),
            logged_out_ms: None,
            created_ms: now_ms,
        };
        let row = &user.user_id;
        let pin = pin::stored(&self.seal, Place { row, ..OF_USER }, &user.personal_pin)?;
        let done = sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO users ({COLUMNS}, personal_pin_found_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
             ON CONFLICT (account_id, email) DO NOTHING"
        )))
        .bind(user.user_id.clone())
        .bind(user.account_id.clone())
        .bind(user.email.clone())
        .bind(user.display_name.clone())
        .bind(user.license_type.clone())
        .bind(user.user_type.clone())
        .bind(user.registration_status.clone())
        .bind(user.invitation_status.clone())
        .bind(user.registered_ms)
        .bind(user.invited_ms)
        .bind(pin.sealed)
        .bind(user.metadata.clone())
        .bind(user.telephony.clone())
        .bind(user.logged_out_ms)
        .bind(user.created_ms)
        .bind(pin.found_by)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(user))
    }

    /// A user of that account.
    ///
    /// # Errors
    /// The database.
    pub async fn user(&self, account_id: &str, user_id: &str) -> Result<Option<User>, StoreError> {
        let found = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM users WHERE user_id = $1 AND account_id = $2"
        )))
        .bind(user_id.to_ascii_lowercase())
        .bind(account_id.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        found.map(|user| self.with_pin(user)).transpose()
    }

    /// The account's users in the order they came, of that address or kind where asked for.
    ///
    /// # Errors
    /// The database.
    pub async fn users(
        &self,
        account_id: &str,
        email: Option<&str>,
        user_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<User>, StoreError> {
        let mut sql = format!("SELECT {COLUMNS} FROM users WHERE account_id = $1 AND user_id > $2");
        let mut texts = Vec::new();
        for (column, text) in [
            ("email", email.map(address::canonical)),
            ("user_type", user_type.map(str::to_owned)),
        ] {
            if let Some(text) = text {
                texts.push(text);
                sql.push_str(&format!(" AND {column} = ${}", 3 + texts.len()));
            }
        }
        sql.push_str(" ORDER BY user_id LIMIT $3 + 0");
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(account_id.to_owned())
            .bind(page.after.clone())
            .bind(page.limit());
        for text in texts {
            query = query.bind(text);
        }
        let rows = query.fetch_all(&self.pool).await?;
        let users = rows
            .into_iter()
            .map(|user| self.with_pin(user))
            .collect::<Result<_, _>>()?;
        Ok(page.cut(users, |user: &User| &user.user_id))
    }

    /// The user with the PIN in clear, as it came from the database with a sealed one.
    fn with_pin(&self, mut user: User) -> Result<User, StoreError> {
        let place = Place {
            row: &user.user_id,
            ..OF_USER
        };
        user.personal_pin = self
            .seal
            .open(place, &user.personal_pin)?
            .expose()
            .to_owned();
        Ok(user)
    }

    /// Sets fields of a user, all or none; `false` where there is no such user.
    ///
    /// # Errors
    /// The database.
    pub async fn update_user(
        &self,
        account_id: &str,
        user_id: &str,
        fields: &[(UserField, String)],
    ) -> Result<bool, StoreError> {
        let columns = fields.iter().map(|(field, value)| (field.column(), value));
        let user_id = user_id.to_ascii_lowercase();
        let row = [("user_id", user_id.as_str()), ("account_id", account_id)];
        self.set_columns("users", columns, &row).await
    }

    /// Suspends a user of an enterprise, who is signed out with it; takes one of a team out of it, and then memberships
    /// go and the phone number is free again. `false` where there is no such user.
    ///
    /// # Errors
    /// The database.
    pub async fn suspend_user(
        &self,
        account_id: &str,
        user_id: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        // A domain may have made an enterprise of the team since somebody looked.
        let team = sqlx::query(
            "SELECT 1 FROM users, accounts WHERE user_id = $1 AND users.account_id = $2 \
             AND accounts.account_id = $2 AND account_type = 'Team'",
        )
        .bind(user_id.to_owned())
        .bind(account_id.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        let done = match team {
            Some(_) => {
                forget(&mut transaction, user_id.to_owned(), now_ms).await?;
                true
            }
            None => {
                let sql = "UPDATE users SET registration_status = 'Suspended', logged_out_ms = $1 \
                           WHERE user_id = $2 AND account_id = $3";
                let done = sqlx::query(sql)
                    .bind(now_ms)
                    .bind(user_id.to_owned())
                    .bind(account_id.to_owned())
                    .execute(&mut *transaction)
                    .await?;
                done.rows_affected() == 1
            }
        };
        transaction.commit().await?;
        Ok(done)
    }

    /// Lets a suspended user in again: whoever never came in before was only invited. `false` where there is no such user
    /// who is suspended.
    ///
    /// # Errors
    /// The database.
    pub async fn unsuspend_user(
        &self,
        account_id: &str,
        user_id: &str,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE users SET registration_status = \
             CASE WHEN registered_ms IS NULL THEN 'Unregistered' ELSE 'Registered' END \
             WHERE user_id = $1 AND account_id = $2 AND registration_status = 'Suspended'",
        )
        .bind(user_id.to_owned())
        .bind(account_id.to_owned());
        Ok(self.change(query).await?.rows_affected() == 1)
    }

    /// Ends all sign-ins of a user; `false` where there is no such user.
    ///
    /// # Errors
    /// The database.
    pub async fn log_out(
        &self,
        account_id: &str,
        user_id: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE users SET logged_out_ms = $1 WHERE user_id = $2 AND account_id = $3",
                )
                .bind(now_ms)
                .bind(user_id.to_ascii_lowercase())
                .bind(account_id.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a user another personal PIN; `false` where there is no such user.
    ///
    /// # Errors
    /// The database.
    pub async fn reset_pin(&self, account_id: &str, user_id: &str) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let pin = pin::free(&mut transaction, &self.seal).await?;
        let user_id = user_id.to_ascii_lowercase();
        let place = Place {
            row: &user_id,
            ..OF_USER
        };
        let pin = pin::stored(&self.seal, place, &pin)?;
        let done = sqlx::query(
            "UPDATE users SET personal_pin = $1, personal_pin_found_by = $2 WHERE user_id = $3 AND account_id = $4",
        )
        .bind(pin.sealed)
        .bind(pin.found_by)
        .bind(user_id)
        .bind(account_id.to_owned())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Takes a user away with memberships; the phone number is free again.
async fn forget(transaction: &mut Writing, user_id: String, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM users WHERE user_id = $1")
        .bind(user_id.clone())
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM room_memberships WHERE member_id = $1")
        .bind(user_id.clone())
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE phone_numbers SET assigned_to = NULL, assigned_value = NULL, assigned_account = NULL, \
         assigned_ms = NULL, updated_ms = $1 WHERE assigned_to = 'UserId' AND assigned_value = $2",
    )
    .bind(now_ms)
    .bind(user_id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
