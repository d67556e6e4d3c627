//! Phone numbers: assigned, deleted into a queue, restored out of it.

use super::{Listed, Page, Store, StoreError, row};

row! {
    /// A number that somebody owns.
    #[derive(Clone, PartialEq, Debug)]
    pub struct PhoneNumber {
        /// `+` and digits (E.164), which is its id as well.
        pub e164: String,
        /// The twelve digits of whose it is.
        pub owner: String,
        /// Two letters (ISO 3166-1).
        pub country: String,
        /// `Local` or `TollFree`.
        pub number_type: String,
        /// `BusinessCalling`, `VoiceConnector` or `SipMediaApplicationDialIn`.
        pub product_type: String,
        /// The owner's name for it.
        pub name: Option<String>,
        /// What callees see.
        pub calling_name: Option<String>,
        /// When that was set, ms since the epoch.
        pub calling_name_ms: Option<i64>,
        /// The order that it came by.
        pub order_id: String,
        /// `UserId`, `VoiceConnectorId` or `VoiceConnectorGroupId`.
        pub assigned_to: Option<String>,
        /// The id of that.
        pub assigned_value: Option<String>,
        /// The account of a user that it is assigned to.
        pub assigned_account: Option<String>,
        /// ms since the epoch.
        pub assigned_ms: Option<i64>,
        /// ms since the epoch.
        pub created_ms: i64,
        /// ms since the epoch.
        pub updated_ms: i64,
        /// In the queue of deleted numbers since, ms since the epoch.
        pub deleted_ms: Option<i64>,
    }

    pub(super) const COLUMNS;
}

/// What a number can be assigned to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// `UserId`, `VoiceConnectorId` or `VoiceConnectorGroupId`.
    pub to: &'static str,
    /// The id of that.
    pub value: String,
    /// The account of the user.
    pub account: Option<String>,
}

impl Assignment {
    /// The product that numbers must be for that are assigned to it.
    #[must_use]
    pub fn product_type(&self) -> &'static str {
        product_of(self.to)
    }
}

fn product_of(to: &str) -> &'static str {
    match to {
        // A user's number is the account's as well.
        "AccountId" | "UserId" => "BusinessCalling",
        _ => "VoiceConnector",
    }
}

/// Which numbers of an owner are listed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NumberFilter {
    /// Those in the queue of deleted ones, or the others.
    pub deleted: bool,
    /// Assigned ones only, or unassigned ones only.
    pub assigned: Option<bool>,
    /// Of that product only.
    pub product_type: Option<String>,
    /// Assigned to that only: what it is, and its id.
    pub assignment: Option<(String, String)>,
}

impl NumberFilter {
    /// What is asked of a row beyond owner and place, and the texts from `$4` on; `None` where no number can be so. For
    /// each there is an index that has those rows and no others, so that a page costs what is on it.
    fn conditions(&self) -> Option<(String, Vec<String>)> {
        if let Some((to, value)) = &self.assignment {
            let product = product_of(to);
            // What is assigned is for that product as long as it is, and never deleted.
            let other = self.product_type.as_ref().is_some_and(|it| it != product);
            if self.deleted || self.assigned == Some(false) || other {
                return None;
            }
            return Some(if to == "AccountId" {
                (" AND assigned_account = $4".to_owned(), vec![value.clone()])
            } else {
                (
                    " AND assigned_to = $4 AND assigned_value = $5".to_owned(),
                    vec![to.clone(), value.clone()],
                )
            });
        }
        let mut conditions = match (self.deleted, self.assigned) {
            (true, Some(true)) => return None,
            (true, _) => " AND deleted_ms IS NOT NULL",
            (false, None) => " AND deleted_ms IS NULL",
            (false, Some(true)) => " AND deleted_ms IS NULL AND assigned_to IS NOT NULL",
            (false, Some(false)) => " AND deleted_ms IS NULL AND assigned_to IS NULL",
        }
        .to_owned();
        if self.product_type.is_some() {
            conditions.push_str(" AND product_type = $4");
        }
        Some((conditions, self.product_type.iter().cloned().collect()))
    }
}

/// What lists the numbers of an owner, and the texts from `$4` on; `None` where there can be none.
pub(super) fn listing(filter: &NumberFilter) -> Option<(String, Vec<String>)> {
    let (conditions, texts) = filter.conditions()?;
    let sql = format!(
        "SELECT {COLUMNS} FROM phone_numbers WHERE owner = $1 AND e164 > $2{conditions} ORDER BY e164 LIMIT $3 + 0"
    );
    Some((sql, texts))
}

impl Store {
    /// A number of that owner, in the queue of deleted ones too.
    ///
    /// # Errors
    /// The database.
    pub async fn number(&self, owner: &str, e164: &str) -> Result<Option<PhoneNumber>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM phone_numbers WHERE e164 = $1 AND owner = $2"
        )))
        .bind(e164.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The owner's numbers in their own order.
    ///
    /// # Errors
    /// The database.
    pub async fn numbers(
        &self,
        owner: &str,
        filter: &NumberFilter,
        page: &Page,
    ) -> Result<Listed<PhoneNumber>, StoreError> {
        let Some((sql, texts)) = listing(filter) else {
            return Ok(page.cut(Vec::new(), |number: &PhoneNumber| &number.e164));
        };
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner.to_owned())
            .bind(page.after.clone())
            .bind(page.limit());
        for text in texts {
            query = query.bind(text);
        }
        let rows = query.fetch_all(&self.pool).await?;
        Ok(page.cut(rows, |number: &PhoneNumber| &number.e164))
    }

    /// Which of these numbers somebody has, deleted ones too.
    ///
    /// # Errors
    /// The database.
    pub async fn taken_between(&self, first: &str, last: &str) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT e164 FROM phone_numbers WHERE e164 >= $1 AND e164 <= $2 ORDER BY e164",
        )
        .bind(first.to_owned())
        .bind(last.to_owned())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Assigns a number that is free; over another assignment only where `force` says so. `false` where it is assigned
    /// to something else, for another product, deleted or gone, where what it should be assigned to is gone, or is a user
    /// with another number.
    ///
    /// # Errors
    /// The database.
    pub async fn assign_number(
        &self,
        owner: &str,
        e164: &str,
        assignment: &Assignment,
        force: bool,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        // What it is assigned to may have gone since it was looked for, and a user may have got another one.
        let still = match assignment.to {
            "UserId" => {
                "EXISTS (SELECT 1 FROM users WHERE user_id = $9) AND NOT EXISTS \
                 (SELECT 1 FROM phone_numbers o WHERE o.assigned_to = $8 AND o.assigned_value = $9 AND o.e164 <> $6)"
            }
            "VoiceConnectorId" => {
                "EXISTS (SELECT 1 FROM voice_connectors WHERE voice_connector_id = $9)"
            }
            _ => {
                "EXISTS (SELECT 1 FROM voice_connector_groups WHERE voice_connector_group_id = $9)"
            }
        };
        let query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE phone_numbers SET assigned_to = $1, assigned_value = $2, assigned_account = $3, assigned_ms = $4, \
             updated_ms = $5 WHERE e164 = $6 AND owner = $7 AND deleted_ms IS NULL \
             AND (assigned_to IS NULL OR (assigned_to = $8 AND assigned_value = $9) OR $10 = 1) AND product_type = $11 \
             AND {still}"
        )))
        .bind(assignment.to)
        .bind(assignment.value.clone())
        .bind(assignment.account.clone())
        .bind(now_ms)
        .bind(now_ms)
        .bind(e164.to_owned())
        .bind(owner.to_owned())
        .bind(assignment.to)
        .bind(assignment.value.clone())
        .bind(i64::from(force))
        .bind(assignment.product_type());
        Ok(self.change(query).await?.rows_affected() == 1)
    }

    /// Frees a number that is assigned to that; `false` where it is not.
    ///
    /// # Errors
    /// The database.
    pub async fn unassign_number(
        &self,
        owner: &str,
        e164: &str,
        to: &str,
        value: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self.change(sqlx::query(
            "UPDATE phone_numbers SET assigned_to = NULL, assigned_value = NULL, assigned_account = NULL, \
             assigned_ms = NULL, updated_ms = $1 WHERE e164 = $2 AND owner = $3 AND assigned_to = $4 AND assigned_value = $5",
        )
        .bind(now_ms)
        .bind(e164.to_owned())
        .bind(owner.to_owned())
        .bind(to.to_owned())
        .bind(value.to_owned()))
.await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes what can be set of a number: product, name, calling name. `change` sees it as nobody else can change it
    /// meanwhile. `None` where there is no such number.
    ///
    /// # Errors
    /// The database; what `change` says, and then nothing is changed.
    pub async fn edit_number<E: From<StoreError>>(
        &self,
        owner: &str,
        e164: &str,
        now_ms: i64,
        change: impl FnOnce(&mut PhoneNumber) -> Result<(), E>,
    ) -> Result<Option<PhoneNumber>, E> {
        let mut transaction = self.write().await?;
        let found = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM phone_numbers WHERE e164 = $1 AND owner = $2"
        )))
        .bind(e164.to_owned())
        .bind(owner.to_owned())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        let Some(mut number): Option<PhoneNumber> = found else {
            return Ok(None);
        };
        change(&mut number)?;
        number.updated_ms = now_ms;
        sqlx::query(
            "UPDATE phone_numbers SET product_type = $1, name = $2, calling_name = $3, calling_name_ms = $4, \
             updated_ms = $5 WHERE e164 = $6 AND owner = $7",
        )
        .bind(number.product_type.clone())
        .bind(number.name.clone())
        .bind(number.calling_name.clone())
        .bind(number.calling_name_ms)
        .bind(now_ms)
        .bind(number.e164.clone())
        .bind(number.owner.clone())
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(Some(number))
    }

    /// Puts an unassigned number into the queue of deleted ones; `false` where it is assigned, there already or gone.
    ///
    /// # Errors
    /// The database.
    pub async fn delete_number(
        &self,
        owner: &str,
        e164: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE phone_numbers SET deleted_ms = $1, updated_ms = $2 \
             WHERE e164 = $3 AND owner = $4 AND deleted_ms IS NULL AND assigned_to IS NULL",
                )
                .bind(now_ms)
                .bind(now_ms)
                .bind(e164.to_owned())
                .bind(owner.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a number out of the queue again; `false` where it is not in it.
    ///
    /// # Errors
    /// The database.
    pub async fn restore_number(
        &self,
        owner: &str,
        e164: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE phone_numbers SET deleted_ms = NULL, updated_ms = $1 \
             WHERE e164 = $2 AND owner = $3 AND deleted_ms IS NOT NULL",
                )
                .bind(now_ms)
                .bind(e164.to_owned())
                .bind(owner.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lets numbers go that were deleted before `before_ms`: they are nobody's again. Returns how many.
    ///
    /// # Errors
    /// The database.
    pub async fn release_numbers(&self, before_ms: i64) -> Result<u64, StoreError> {
        // Lists ask for this, and a list that only reads should not wait for its turn to write.
        let due = sqlx::query("SELECT 1 FROM phone_numbers WHERE deleted_ms < $1 LIMIT 1")
            .bind(before_ms)
            .fetch_optional(&self.pool)
            .await?;
        if due.is_none() {
            return Ok(0);
        }
        let done = self
            .change(sqlx::query("DELETE FROM phone_numbers WHERE deleted_ms < $1").bind(before_ms))
            .await?;
        Ok(done.rows_affected())
    }
}
