//! Temporary credentials: a key, a secret and a token that only together are good, and only for a while.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::Row;
use subtle::ConstantTimeEq;

use super::seal::Place;
use super::{Secret, Store, StoreError, draw};

/// Whose temporary credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionKind {
    /// A user's own (`GetSessionToken`).
    User,
    /// Of one who took a role (`AssumeRole`).
    Role,
    /// Of one whom a user lets in by name (`GetFederationToken`).
    Federated,
}

impl SessionKind {
    const ALL: [Self; 3] = [Self::User, Self::Role, Self::Federated];

    fn text(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Federated => "federated",
        }
    }
}

/// What temporary credentials are to be for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSession {
    /// The account that all happens in.
    pub account_id: String,
    /// What kind.
    pub kind: SessionKind,
    /// The user or role that the session acts for.
    pub principal_id: String,
    /// The session's name.
    pub name: String,
    /// Policies that narrow what the principal may do; `None` where nothing does.
    pub policies: Option<Vec<String>>,
    /// Seconds from now to the end.
    pub seconds: i64,
}

/// Temporary credentials. Their secret is hidden from `Debug`.
#[derive(Clone, Debug)]
pub struct Session {
    /// The public half, `ASIA…`.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
    /// SHA-256 of the token.
    token_digest: String,
    /// Made, ms since the epoch.
    pub created_ms: i64,
    /// The end, ms since the epoch.
    pub expires_ms: i64,
    /// The rest.
    pub asked: NewSession,
}

impl Session {
    /// Whether this is the session's token, in a time that tells nothing about it.
    #[must_use]
    pub fn has_token(&self, token: &str) -> bool {
        self.token_digest
            .as_bytes()
            .ct_eq(token_digest(token).as_bytes())
            .into()
    }
}

/// Where the secrets stand, but for the row.
const SECRET: Place<'static> = Place {
    table: "sessions",
    column: "secret_access_key",
    row: "",
};

/// How long an ended session is remembered, ms, so that its holder is told that it ended.
const REMEMBERED: i64 = 24 * 3_600_000;

impl Store {
    /// Makes temporary credentials; the token is given out here and nowhere else.
    ///
    /// # Errors
    /// The database; there is no such principal.
    pub async fn create_session(
        &self,
        asked: NewSession,
        now_ms: i64,
    ) -> Result<(Session, Secret), StoreError> {
        let token = draw::session_token()?;
        let session = Session {
            access_key_id: draw::session_key_id()?,
            secret_access_key: draw::secret_access_key()?,
            token_digest: token_digest(token.expose()),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(asked.seconds.saturating_mul(1000)),
            asked,
        };
        let place = Place {
            row: &session.access_key_id,
            ..SECRET
        };
        let sealed = self.seal.seal(place, session.secret_access_key.expose())?;
        let policies = session
            .asked
            .policies
            .as_ref()
            .map(serde_json::to_string)
            .transpose()?;
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_ms < $1")
            .bind(now_ms.saturating_sub(REMEMBERED))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (access_key_id, secret_access_key, token_digest, account_id, kind, principal_id, \
             name, policies, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(session.access_key_id.clone())
        .bind(sealed)
        .bind(session.token_digest.clone())
        .bind(session.asked.account_id.clone())
        .bind(session.asked.kind.text())
        .bind(session.asked.principal_id.clone())
        .bind(session.asked.name.clone())
        .bind(policies)
        .bind(session.created_ms)
        .bind(session.expires_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((session, token))
    }

    /// Temporary credentials by their public half, for a while also ended ones.
    ///
    /// # Errors
    /// The database; a secret that does not open.
    pub async fn session(&self, access_key_id: &str) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT secret_access_key, token_digest, account_id, kind, principal_id, name, policies, created_ms, \
             expires_ms FROM sessions WHERE access_key_id = $1",
        )
        .bind(access_key_id.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = Place {
            row: access_key_id,
            ..SECRET
        };
        let sealed: String = row.try_get(0)?;
        let created_ms: i64 = row.try_get(7)?;
        let expires_ms: i64 = row.try_get(8)?;
        let kind: String = row.try_get(3)?;
        let policies: Option<String> = row.try_get(6)?;
        let found = SessionKind::ALL.into_iter().find(|one| one.text() == kind);
        Ok(Some(Session {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: self.seal.open(place, &sealed)?,
            token_digest: row.try_get(1)?,
            created_ms,
            expires_ms,
            asked: NewSession {
                account_id: row.try_get(2)?,
                kind: found.ok_or(StoreError::Unreadable("the kind of a session".to_owned()))?,
                principal_id: row.try_get(4)?,
                name: row.try_get(5)?,
                policies: policies.as_deref().map(serde_json::from_str).transpose()?,
                seconds: (expires_ms - created_ms) / 1000,
            },
        }))
    }
}

fn token_digest(token: &str) -> String {
    let mut text = String::with_capacity(64);
    for octet in digest(&SHA256, token.as_bytes()).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PrincipalKind;

    #[tokio::test]
    async fn a_session_is_found_with_its_token_until_it_is_forgotten() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let account = "123456789012";
        store.first_administrator(account, 1).await.unwrap();
        let user = store
            .principal(account, PrincipalKind::User, "administrator")
            .await
            .unwrap()
            .unwrap();
        let asked = NewSession {
            account_id: account.to_owned(),
            kind: SessionKind::Federated,
            principal_id: user.principal_id.clone(),
            name: "visitor".to_owned(),
            policies: Some(vec!["{}".to_owned()]),
            seconds: 900,
        };
        let (made, token) = store.create_session(asked.clone(), 5_000).await.unwrap();
        assert!(made.access_key_id.starts_with("ASIA"));
        let found = store.session(&made.access_key_id).await.unwrap().unwrap();
        assert_eq!(found.asked, asked);
        assert_eq!((found.created_ms, found.expires_ms), (5_000, 905_000));
        assert!(
            found
                .secret_access_key
                .matches(made.secret_access_key.expose())
        );
        assert!(found.has_token(token.expose()));
        let mut changed = token.expose().to_owned();
        changed.replace_range(..1, if changed.starts_with('A') { "B" } else { "A" });
        assert!(!found.has_token(&changed) && !found.has_token(""));
        let later = 905_000 + REMEMBERED + 1;
        store.create_session(asked, later).await.unwrap();
        assert!(store.session(&made.access_key_id).await.unwrap().is_none());
        store.delete_principal(&user.principal_id).await.unwrap();
    }
}
