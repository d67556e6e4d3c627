//! Domains that accounts claim, and what becomes of their users.

use sqlx::Row;

use super::{Store, StoreError, draw, row};

row! {
    /// A claim of an account on a domain.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Domain {
        /// The account.
        pub account_id: String,
        /// In lower case, ASCII, without a final dot.
        pub name: String,
        /// What the domain's TXT record must say.
        pub token: String,
        /// ms since the epoch.
        pub created_ms: i64,
        /// When the record was found; `None` while it is pending.
        pub verified_ms: Option<i64>,
        /// When it was last looked for.
        pub checked_ms: Option<i64>,
    }

    const COLUMNS;
}

/// What became of the users of a domain that was removed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Released {
    /// Those who were registered and are not any more.
    pub released: u64,
    /// Those who were suspended and stay so.
    pub suspended: u64,
}

impl Store {
    /// Claims a domain for an account; the claim that there is, if there is one. `None` where the account has `most`.
    ///
    /// # Errors
    /// The database; no random octets.
    pub async fn claim_domain(
        &self,
        account_id: &str,
        name: &str,
        most: i64,
        now_ms: i64,
        next_check_ms: i64,
    ) -> Result<Option<Domain>, StoreError> {
        let token = draw::uuid()?.replace('-', "");
        let mut transaction = self.write().await?;
        let row = sqlx::query("SELECT COUNT(*) FROM domains WHERE account_id = $1 AND name <> $2")
            .bind(account_id.to_owned())
            .bind(name.to_owned())
            .fetch_one(&mut *transaction)
            .await?;
        if row.try_get::<i64, _>(0)? >= most {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO domains (account_id, name, token, created_ms, next_check_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (account_id, name) DO NOTHING",
        )
        .bind(account_id.to_owned())
        .bind(name.to_owned())
        .bind(token)
        .bind(now_ms)
        .bind(next_check_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.domain(account_id, name).await
    }

    /// An account's claim on a domain.
    ///
    /// # Errors
    /// The database.
    pub async fn domain(&self, account_id: &str, name: &str) -> Result<Option<Domain>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM domains WHERE account_id = $1 AND name = $2");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(account_id.to_owned())
            .bind(name.to_owned())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// All of an account's claims, by name.
    ///
    /// # Errors
    /// The database.
    pub async fn domains(&self, account_id: &str) -> Result<Vec<Domain>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM domains WHERE account_id = $1 ORDER BY name");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(account_id.to_owned())
            .fetch_all(&self.pool)
            .await?)
    }

    /// The account for which a domain is verified.
    ///
    /// # Errors
    /// The database.
    pub async fn domain_holder(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT account_id FROM domains WHERE name = $1 AND verified_ms IS NOT NULL",
        )
        .bind(name.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Takes pending domains whose records are to be looked for by now, the longest due first, and puts down when the
    /// next time is (`next`; `None`: never): so of several servers one looks, and one that dies has looked.
    ///
    /// # Errors
    /// The database.
    pub async fn domains_to_check(
        &self,
        now_ms: i64,
        most: u32,
        next: impl Fn(&Domain) -> Option<i64> + Send,
    ) -> Result<Vec<Domain>, StoreError> {
        // Nothing is due most of the time, and who only looks need not wait for a turn to write.
        let due = sqlx::query(
            "SELECT 1 FROM domains WHERE verified_ms IS NULL AND next_check_ms <= $1 LIMIT 1",
        )
        .bind(now_ms)
        .fetch_optional(&self.pool)
        .await?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut transaction = self.write().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM domains WHERE verified_ms IS NULL AND next_check_ms <= $1 \
             ORDER BY next_check_ms LIMIT $2 + 0"
        );
        let taken: Vec<Domain> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(now_ms)
            .bind(i64::from(most))
            .fetch_all(&mut *transaction)
            .await?;
        for domain in &taken {
            sqlx::query(
                "UPDATE domains SET next_check_ms = $1 WHERE account_id = $2 AND name = $3",
            )
            .bind(next(domain))
            .bind(domain.account_id.clone())
            .bind(domain.name.clone())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(taken)
    }

    /// Notes that a domain's record was looked for.
    ///
    /// # Errors
    /// The database.
    pub async fn domain_checked(
        &self,
        account_id: &str,
        name: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE domains SET checked_ms = $1 WHERE account_id = $2 AND name = $3")
                .bind(now_ms)
                .bind(account_id.to_owned())
                .bind(name.to_owned());
        self.change(query).await?;
        Ok(())
    }

    /// A domain's record was found: it is the account's, which is an enterprise from now on. `false` where another
    /// account was first, or the claim is gone.
    ///
    /// # Errors
    /// The database.
    pub async fn verify_domain(
        &self,
        account_id: &str,
        name: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE domains SET verified_ms = COALESCE(verified_ms, $1), checked_ms = $1 \
             WHERE account_id = $2 AND name = $3 AND NOT EXISTS \
             (SELECT 1 FROM domains AS other WHERE other.name = $3 AND other.verified_ms IS NOT NULL \
              AND other.account_id <> $2)",
        )
        .bind(now_ms)
        .bind(account_id.to_owned())
        .bind(name.to_owned())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE accounts SET account_type = 'EnterpriseLWA' \
             WHERE account_id = $1 AND account_type = 'Team'",
        )
        .bind(account_id.to_owned())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives up a claim. Users whose addresses are of a domain that was verified are signed out; those who were
    /// registered are released. `None` where there is no such claim.
    ///
    /// # Errors
    /// The database.
    pub async fn remove_domain(
        &self,
        account_id: &str,
        name: &str,
        now_ms: i64,
    ) -> Result<Option<Released>, StoreError> {
        let mut transaction = self.write().await?;
        let found =
            sqlx::query("SELECT verified_ms FROM domains WHERE account_id = $1 AND name = $2")
                .bind(account_id.to_owned())
                .bind(name.to_owned())
                .fetch_optional(&mut *transaction)
                .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        sqlx::query("DELETE FROM domains WHERE account_id = $1 AND name = $2")
            .bind(account_id.to_owned())
            .bind(name.to_owned())
            .execute(&mut *transaction)
            .await?;
        let mut released = Released::default();
        if found.try_get::<Option<i64>, _>(0)?.is_some() {
            // The name of a host holds neither of the two characters that mean something to LIKE.
            let address = format!("%@{name}");
            sqlx::query(
                "UPDATE users SET logged_out_ms = $1 WHERE account_id = $2 AND email LIKE $3",
            )
            .bind(now_ms)
            .bind(account_id.to_owned())
            .bind(address.clone())
            .execute(&mut *transaction)
            .await?;
            let row = sqlx::query(
                "SELECT COUNT(*) FROM users WHERE account_id = $1 AND email LIKE $2 \
                 AND registration_status = 'Suspended'",
            )
            .bind(account_id.to_owned())
            .bind(address.clone())
            .fetch_one(&mut *transaction)
            .await?;
            released.suspended = u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default();
            let done = sqlx::query(
                "UPDATE users SET registration_status = 'Released' WHERE account_id = $1 \
                 AND email LIKE $2 AND registration_status = 'Registered'",
            )
            .bind(account_id.to_owned())
            .bind(address)
            .execute(&mut *transaction)
            .await?;
            released.released = done.rows_affected();
        }
        transaction.commit().await?;
        Ok(Some(released))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewUser, Page};

    #[tokio::test]
    async fn whoever_came_by_a_domain_is_signed_out_with_it_however_it_was_written() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let none = serde_json::json!({});
        let made = store.create_account("1", "a", &none, 1);
        let account = made.await.unwrap().account_id;
        for email in [
            "ada@ex\u{e4}mple.org",
            "Bob@XN--exmple-cua.org",
            "eve@sub.ex\u{e4}mple.org",
        ] {
            let user = NewUser {
                email: Some(email.to_owned()),
                display_name: None,
                license_type: "Basic".to_owned(),
                user_type: "PrivateUser".to_owned(),
                invited: false,
            };
            assert!(
                store
                    .create_user(&account, &user, 1)
                    .await
                    .unwrap()
                    .is_some()
            );
        }
        let name = "xn--exmple-cua.org";
        store.claim_domain(&account, name, 9, 2, 9).await.unwrap();
        assert!(store.verify_domain(&account, name, 3).await.unwrap());
        let released = store.remove_domain(&account, name, 4).await.unwrap();
        assert_eq!(released.unwrap().released, 2);
        let page = Page::first(9);
        let ada = store.users(&account, Some("ada@EX\u{c4}MPLE.org"), None, &page);
        assert_eq!(ada.await.unwrap().items[0].logged_out_ms, Some(4));
    }

    #[tokio::test]
    async fn pending_domains_are_taken_when_they_are_due_and_by_one_alone() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let settings = serde_json::json!({});
        let account = store.create_account("1", "a", &settings, 1).await.unwrap();
        let id = account.account_id.as_str();
        for (name, due) in [
            ("b.test", 20),
            ("a.test", 10),
            ("c.test", 30),
            ("d.test", 15),
        ] {
            let claimed = store.claim_domain(id, name, 10, 1, due).await.unwrap();
            assert!(claimed.is_some());
        }
        assert!(store.verify_domain(id, "d.test", 2).await.unwrap());
        let taken = async |now, most| -> Vec<String> {
            let due = store.domains_to_check(now, most, |it| (it.name != "a.test").then_some(100));
            due.await.unwrap().into_iter().map(|it| it.name).collect()
        };
        assert!(taken(9, 10).await.is_empty());
        assert_eq!(taken(25, 1).await, ["a.test"]);
        assert_eq!(taken(25, 10).await, ["b.test"]);
        assert!(taken(25, 10).await.is_empty());
        // The first was given up.
        assert_eq!(taken(200, 10).await, ["c.test", "b.test"]);
    }
}
