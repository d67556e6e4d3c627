//! Owner accounts, their users and roles, and the policies of those.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::access_keys::{self, ADMINISTRATOR};
use super::policies::insert_policy;
use super::{AccessKey, AttachedPolicy, Full, Store, StoreError, Writing, bounds, draw};

/// A tenant: nobody in it sees anything of another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnerAccount {
    /// Twelve digits.
    pub account_id: String,
    /// What people call it.
    pub name: String,
    /// Made, ms since the epoch.
    pub created_ms: i64,
}

/// What kind of principal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrincipalKind {
    /// Has keys of its own.
    User,
    /// Is taken by others for a time.
    Role,
}

impl PrincipalKind {
    fn text(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }
}

/// A user or a role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// `AIDA…` of a user, `AROA…` of a role; never given out again.
    pub principal_id: String,
    /// Which of the two.
    pub kind: PrincipalKind,
    /// Made, ms since the epoch.
    pub created_ms: i64,
    /// The rest.
    pub asked: NewPrincipal,
}

/// A user or a role that is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPrincipal {
    /// Whose.
    pub account_id: String,
    /// Its name within the account and kind; names differ by more than case.
    pub name: String,
    /// Who may take the role; a user has none, and that makes it one.
    pub trust_policy: Option<String>,
    /// How long a session of the role may last, in seconds.
    pub max_session_seconds: i64,
}

impl std::ops::Deref for Principal {
    type Target = NewPrincipal;

    fn deref(&self) -> &NewPrincipal {
        &self.asked
    }
}

impl NewPrincipal {
    /// A user.
    #[must_use]
    pub fn user(account_id: &str, name: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            name: name.to_owned(),
            trust_policy: None,
            max_session_seconds: 0,
        }
    }

    fn kind(&self) -> PrincipalKind {
        if self.trust_policy.is_some() {
            PrincipalKind::Role
        } else {
            PrincipalKind::User
        }
    }
}

impl Principal {
    /// `arn:aws:iam::<account>:user/<name>`, or `…:role/<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:{}/{}",
            self.account_id,
            self.kind.text(),
            self.name
        )
    }
}

const COLUMNS: &str =
    "principal_id, account_id, kind, name, trust_policy, max_session_seconds, created_ms";

/// The policy that allows everything, attached to the first user of an account.
const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

impl Store {
    /// Makes an account with an administrator who may do everything in it, and a key for them; `None` where the
    /// wished id is taken.
    ///
    /// # Errors
    /// The database.
    pub async fn create_owner_account(
        &self,
        wish: Option<&str>,
        name: &str,
        now_ms: i64,
    ) -> Result<Option<(OwnerAccount, AccessKey)>, StoreError> {
        let account = OwnerAccount {
            account_id: match wish {
                Some(wish) => wish.to_owned(),
                None => draw::account_id()?,
            },
            name: name.to_owned(),
            created_ms: now_ms,
        };
        let mut transaction = self.write().await?;
        let made = sqlx::query(
            "INSERT INTO owner_accounts (account_id, name, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (account_id) DO NOTHING",
        )
        .bind(account.account_id.clone())
        .bind(account.name.clone())
        .bind(now_ms)
        .execute(&mut *transaction)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(None);
        }
        let user = insert_administrator(&mut transaction, &account.account_id, now_ms).await?;
        let key = access_keys::insert(&mut transaction, &self.seal, &user, now_ms).await?;
        transaction.commit().await?;
        Ok(Some((account, key)))
    }

    /// The account of that id.
    ///
    /// # Errors
    /// The database.
    pub async fn owner_account(
        &self,
        account_id: &str,
    ) -> Result<Option<OwnerAccount>, StoreError> {
        let sql = "SELECT account_id, name, created_ms FROM owner_accounts WHERE account_id = $1";
        let row = sqlx::query(sql)
            .bind(account_id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| account_from_row(&row)).transpose()
    }

    /// Every account, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn owner_accounts(&self) -> Result<Vec<OwnerAccount>, StoreError> {
        let rows = sqlx::query(
            "SELECT account_id, name, created_ms FROM owner_accounts ORDER BY created_ms, account_id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(account_from_row).collect()
    }

    /// Makes a user or a role; `None` where there is one of that name, or no such account.
    ///
    /// # Errors
    /// The database; within it, that there are too many.
    pub async fn create_principal(
        &self,
        asked: &NewPrincipal,
        now_ms: i64,
    ) -> Result<Result<Option<Principal>, Full>, StoreError> {
        let mut transaction = self.write().await?;
        let account = sqlx::query("SELECT 1 FROM owner_accounts WHERE account_id = $1")
            .bind(asked.account_id.clone())
            .fetch_optional(&mut *transaction)
            .await?;
        let taken = find(
            &mut transaction,
            &asked.account_id,
            asked.kind(),
            &asked.name,
        );
        if account.is_none() || taken.await?.is_some() {
            return Ok(Ok(None));
        }
        let bound = match asked.kind() {
            PrincipalKind::User => bounds::USERS,
            PrincipalKind::Role => bounds::ROLES,
        };
        let names = [asked.account_id.as_str()];
        if let Err(full) = bound.has_room(&mut transaction, &names).await? {
            return Ok(Err(full));
        }
        let made = insert(&mut transaction, asked, now_ms).await?;
        transaction.commit().await?;
        Ok(Ok(Some(made)))
    }

    /// A user or role by its name, whatever its case.
    ///
    /// # Errors
    /// The database.
    pub async fn principal(
        &self,
        account_id: &str,
        kind: PrincipalKind,
        name: &str,
    ) -> Result<Option<Principal>, StoreError> {
        sqlx::query(by_name())
            .bind(account_id.to_owned())
            .bind(kind.text())
            .bind(name.to_owned())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| from_row(&row))
            .transpose()
    }

    /// A user or role by its unique id.
    ///
    /// # Errors
    /// The database.
    pub async fn principal_by_id(
        &self,
        principal_id: &str,
    ) -> Result<Option<Principal>, StoreError> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM principals WHERE principal_id = $1"
        )))
        .bind(principal_id.to_owned())
        .fetch_optional(&self.pool)
        .await?
        .map(|row| from_row(&row))
        .transpose()
    }

    /// The users or roles of an account, by name.
    ///
    /// # Errors
    /// The database.
    pub async fn principals(
        &self,
        account_id: &str,
        kind: PrincipalKind,
    ) -> Result<Vec<Principal>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM principals WHERE account_id = $1 AND kind = $2 ORDER BY lower(name)"
        )))
        .bind(account_id.to_owned())
        .bind(kind.text())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// Removes a user or role with all its keys, policies and sessions; `false` where there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn delete_principal(&self, principal_id: &str) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        for of_it in [
            "DELETE FROM sessions WHERE principal_id = $1",
            "DELETE FROM access_keys WHERE principal_id = $1",
            "DELETE FROM principal_policies WHERE principal_id = $1",
        ] {
            sqlx::query(of_it)
                .bind(principal_id.to_owned())
                .execute(&mut *transaction)
                .await?;
        }
        let done = sqlx::query("DELETE FROM principals WHERE principal_id = $1")
            .bind(principal_id.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Makes the account where it is missing; its id is its name then.
pub(super) async fn ensure_account(
    transaction: &mut Writing,
    account_id: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO owner_accounts (account_id, name, created_ms) VALUES ($1, $1, $2) \
         ON CONFLICT (account_id) DO NOTHING",
    )
    .bind(account_id.to_owned())
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) async fn find(
    transaction: &mut Writing,
    account_id: &str,
    kind: PrincipalKind,
    name: &str,
) -> Result<Option<Principal>, StoreError> {
    sqlx::query(by_name())
        .bind(account_id.to_owned())
        .bind(kind.text())
        .bind(name.to_owned())
        .fetch_optional(&mut **transaction)
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

pub(super) async fn insert(
    transaction: &mut Writing,
    asked: &NewPrincipal,
    now_ms: i64,
) -> Result<Principal, StoreError> {
    let kind = asked.kind();
    let principal = Principal {
        principal_id: draw::principal_id(match kind {
            PrincipalKind::User => "AIDA",
            PrincipalKind::Role => "AROA",
        })?,
        kind,
        created_ms: now_ms,
        asked: asked.clone(),
    };
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO principals ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )))
    .bind(principal.principal_id.clone())
    .bind(asked.account_id.clone())
    .bind(kind.text())
    .bind(asked.name.clone())
    .bind(asked.trust_policy.clone())
    .bind(asked.max_session_seconds)
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(principal)
}

/// The user who may do everything.
pub(super) async fn insert_administrator(
    transaction: &mut Writing,
    account_id: &str,
    now_ms: i64,
) -> Result<Principal, StoreError> {
    let asked = NewPrincipal::user(account_id, ADMINISTRATOR);
    let user = insert(transaction, &asked, now_ms).await?;
    let all = AttachedPolicy {
        name: ADMINISTRATOR_ACCESS.to_owned(),
        document: None,
    };
    insert_policy(transaction, &user.principal_id, &all, now_ms).await?;
    Ok(user)
}

fn by_name() -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM principals WHERE account_id = $1 AND kind = $2 AND lower(name) = lower($3)"
    ))
}

fn account_from_row(row: &AnyRow) -> Result<OwnerAccount, StoreError> {
    Ok(OwnerAccount {
        account_id: row.try_get(0)?,
        name: row.try_get(1)?,
        created_ms: row.try_get(2)?,
    })
}

fn from_row(row: &AnyRow) -> Result<Principal, StoreError> {
    let kind: String = row.try_get(2)?;
    Ok(Principal {
        principal_id: row.try_get(0)?,
        kind: if kind == PrincipalKind::Role.text() {
            PrincipalKind::Role
        } else {
            PrincipalKind::User
        },
        created_ms: row.try_get(6)?,
        asked: NewPrincipal {
            account_id: row.try_get(1)?,
            name: row.try_get(3)?,
            trust_policy: row.try_get(4)?,
            max_session_seconds: row.try_get(5)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_comes_with_its_administrator_and_once() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let made = store.create_owner_account(None, "Branch", 1).await.unwrap();
        let (account, key) = made.unwrap();
        assert_eq!(key.account_id, account.account_id);
        let user = store
            .principal(&account.account_id, PrincipalKind::User, "Administrator")
            .await
            .unwrap()
            .unwrap();
        let policies = store.policies_of(&user.principal_id).await.unwrap();
        assert_eq!(policies[0].name, ADMINISTRATOR_ACCESS);
        let again = store
            .create_owner_account(Some(&account.account_id), "Other", 2)
            .await
            .unwrap();
        assert!(again.is_none());
        let id = account.account_id.as_str();
        let found = store.owner_account(id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&account));
        assert_eq!(store.owner_account("000000000000").await.unwrap(), None);
        assert_eq!(store.owner_accounts().await.unwrap(), [account]);
    }

    #[tokio::test]
    async fn names_are_taken_whatever_their_case_but_each_kind_and_account_has_its_own() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        for id in ["111111111111", "222222222222"] {
            store
                .create_owner_account(Some(id), "x", 1)
                .await
                .unwrap()
                .unwrap();
        }
        let make = async |account: &str, name: &str, trust: Option<&str>| {
            let mut asked = NewPrincipal::user(account, name);
            asked.trust_policy = trust.map(str::to_owned);
            let made = store.create_principal(&asked, 2).await.unwrap();
            made.unwrap().is_some()
        };
        assert!(make("111111111111", "Ada", None).await);
        assert!(!make("111111111111", "ada", None).await);
        assert!(make("111111111111", "ada", Some("{}")).await);
        assert!(make("222222222222", "ada", None).await);
        assert!(!make("333333333333", "ada", None).await);
    }

    #[tokio::test]
    async fn what_is_removed_takes_its_keys_and_policies_along() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let account = "111111111111";
        store
            .create_owner_account(Some(account), "x", 1)
            .await
            .unwrap();
        let ada = NewPrincipal::user(account, "ada");
        let ada = store.create_principal(&ada, 2).await.unwrap();
        let ada = ada.unwrap().unwrap();
        let policy = AttachedPolicy {
            name: "own".to_owned(),
            document: Some("{}".to_owned()),
        };
        store
            .put_policy(&ada.principal_id, &policy, 3)
            .await
            .unwrap()
            .unwrap();
        let key = store.create_access_key(account, "ada", 3).await.unwrap();
        let key = key.unwrap();
        assert_eq!(
            store.policies_of(&ada.principal_id).await.unwrap(),
            [policy]
        );
        assert!(store.delete_principal(&ada.principal_id).await.unwrap());
        assert!(!store.delete_principal(&ada.principal_id).await.unwrap());
        let gone = store.access_key(&key.access_key_id).await.unwrap();
        assert!(gone.is_none());
        let gone = store.policies_of(&ada.principal_id).await.unwrap();
        assert!(gone.is_empty());
    }
}
