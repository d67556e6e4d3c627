//! How many of some things there may be. Looked at under the writers' lock, so that of two at once one makes the last.

use thiserror::Error;

use super::{StoreError, Writing};

/// There are as many of something as there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{of} has {most} {what} at most")]
pub struct Full {
    of: &'static str,
    what: &'static str,
    most: i64,
}

/// A bound, and what counts what it is about.
pub(super) struct Bound {
    full: Full,
    count: &'static str,
}

impl Bound {
    const fn new(of: &'static str, most: i64, what: &'static str, count: &'static str) -> Self {
        let full = Full { of, what, most };
        Self { full, count }
    }

    /// Whether there is room for one more of what these texts name.
    pub(super) async fn has_room(
        &self,
        transaction: &mut Writing,
        names: &[&str],
    ) -> Result<Result<(), Full>, StoreError> {
        let mut query = sqlx::query_as(self.count);
        for name in names {
            query = query.bind((*name).to_owned());
        }
        let (count,): (i64,) = query.fetch_one(&mut **transaction).await?;
        Ok(match count < self.full.most {
            true => Ok(()),
            false => Err(self.full),
        })
    }
}

/// Of an owner.
pub(super) const CONNECTORS: Bound = Bound::new(
    "an account",
    1_000,
    "voice connectors",
    "SELECT COUNT(*) FROM voice_connectors WHERE owner = $1",
);

/// Of an owner.
pub(super) const GROUPS: Bound = Bound::new(
    "an account",
    1_000,
    "voice connector groups",
    "SELECT COUNT(*) FROM voice_connector_groups WHERE owner = $1",
);

/// Of an account (IAM's quota).
pub(super) const USERS: Bound = Bound::new(
    "an account",
    5_000,
    "users",
    "SELECT COUNT(*) FROM principals WHERE account_id = $1 AND kind = 'user'",
);

/// Of an account (IAM's quota).
pub(super) const ROLES: Bound = Bound::new(
    "an account",
    1_000,
    "roles",
    "SELECT COUNT(*) FROM principals WHERE account_id = $1 AND kind = 'role'",
);

/// Of a user or role, beside the one of that name; of the managed ones there are only so many. Each request of theirs
/// reads them all.
pub(super) const POLICIES: Bound = Bound::new(
    "a user or role",
    20,
    "policies of its own",
    "SELECT COUNT(*) FROM principal_policies WHERE principal_id = $1 AND name <> $2 AND document IS NOT NULL",
);

#[cfg(test)]
mod tests {
    use super::super::tests::asked_connector;
    use super::super::*;

    const OWNER: &str = "123456789012";

    /// Makes rows by their numbers, from 1 on.
    async fn fill(store: &Store, most: i64, insert: &str) {
        let sql = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) {insert} FROM n"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(most)
            .bind(OWNER)
            .execute(&store.pool)
            .await
            .unwrap();
    }

    fn told<T>(made: Result<Result<T, Full>, StoreError>) -> String {
        match made.unwrap() {
            Ok(_) => "made".to_owned(),
            Err(full) => full.to_string(),
        }
    }

    #[tokio::test]
    async fn an_account_has_so_many_connectors_groups_users_and_roles_at_most() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        for owner in [OWNER, "999999999999"] {
            let made = store.create_owner_account(Some(owner), "x", 1).await;
            assert!(made.unwrap().is_some());
        }
        fill(
            &store,
            999,
            "INSERT INTO voice_connectors (voice_connector_id, owner, name, aws_region, require_encryption, \
             network_type, tags, created_ms, updated_ms) SELECT 'c' || i, $2, 'c', 'r', 0, 'n', '[]', 1, 1",
        )
        .await;
        fill(
            &store,
            999,
            "INSERT INTO voice_connector_groups (voice_connector_group_id, owner, name, items, distribution, \
             created_ms, updated_ms) SELECT 'g' || i, $2, 'g', '[]', 'd', 1, 1",
        )
        .await;
        for (most, kind) in [(4_998, "user"), (999, "role")] {
            let insert = format!(
                "INSERT INTO principals (principal_id, account_id, kind, name, max_session_seconds, created_ms) \
                 SELECT '{kind}' || i, $2, '{kind}', 'p' || i, 0, 1"
            );
            fill(&store, most, &insert).await;
        }
        let group = AskedGroup {
            name: "g",
            items: "[]",
            members: &[],
            distribution: None,
        };
        let role = |owner: &str, name: &str| NewPrincipal {
            trust_policy: Some("{}".to_owned()),
            ..NewPrincipal::user(owner, name)
        };
        // The last one, one too many, and another account's.
        for (at, owner) in [OWNER, OWNER, "999999999999"].into_iter().enumerate() {
            let name = format!("n{at}");
            let user = NewPrincipal::user(owner, &name);
            let said = [
                told(store.create_connector(owner, asked_connector(), 2).await),
                told(store.create_group(owner, &group, 2).await),
                told(store.create_principal(&user, 2).await),
                told(store.create_principal(&role(owner, &name), 2).await),
            ];
            let full = [
                "an account has 1000 voice connectors at most",
                "an account has 1000 voice connector groups at most",
                "an account has 5000 users at most",
                "an account has 1000 roles at most",
            ];
            assert_eq!(said, if at == 1 { full } else { ["made"; 4] });
        }
    }

    #[tokio::test]
    async fn a_user_has_so_many_policies_of_its_own_at_most_and_may_change_them() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let made = store.create_owner_account(Some(OWNER), "x", 1).await;
        let (_, key) = made.unwrap().unwrap();
        let put = async |name: &str, document: Option<&str>| {
            let policy = AttachedPolicy {
                name: name.to_owned(),
                document: document.map(str::to_owned),
            };
            told(store.put_policy(&key.principal_id, &policy, 2).await)
        };
        for number in 0..20 {
            assert_eq!(put(&format!("p{number}"), Some("{}")).await, "made");
        }
        let full = "a user or role has 20 policies of its own at most";
        assert_eq!(put("p20", Some("{}")).await, full);
        assert_eq!(put("p7", Some("{ }")).await, "made", "in its place");
        assert_eq!(put("arn:aws:iam::aws:policy/x", None).await, "made");
        assert!(store.remove_policy(&key.principal_id, "p0").await.unwrap());
        assert_eq!(put("p20", Some("{}")).await, "made");
    }
}
