//! Attendees: made once per meeting and external user, found by token.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::{Secret, Store, StoreError, draw};

/// An attendee as asked for, already checked. Capabilities are the API's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAttendee {
    /// The asker's own name for the person.
    pub external_user_id: String,
    /// `SendReceive`, `Send`, `Receive` or `None`.
    pub audio: String,
    /// Likewise.
    pub video: String,
    /// Likewise.
    pub content: String,
}

/// An attendee. Its token is hidden from `Debug`.
#[derive(Clone, Debug)]
pub struct Attendee {
    /// UUID.
    pub attendee_id: String,
    /// The meeting's UUID.
    pub meeting_id: String,
    /// Who, and what they may.
    pub asked: NewAttendee,
    /// What the browser shows to get in.
    pub join_token: Secret,
    /// Made, ms since the epoch.
    pub created_ms: i64,
}

const COLUMNS: &str =
    "attendee_id, meeting_id, external_user_id, audio, video, content, join_token, created_ms";

impl Store {
    /// Makes an attendee of a meeting, or finds the one of the same external user.
    ///
    /// # Errors
    /// The database; an unknown meeting is the caller's to check before.
    pub async fn create_attendee(
        &self,
        meeting_id: &str,
        asked: &NewAttendee,
        now_ms: i64,
    ) -> Result<Attendee, StoreError> {
        let mut transaction = self.write().await?;
        let attendee = create(&mut transaction, meeting_id, asked, now_ms).await?;
        transaction.commit().await?;
        Ok(attendee)
    }

    /// The attendee whose token this is.
    ///
    /// # Errors
    /// The database.
    pub async fn attendee_by_token(
        &self,
        join_token: &str,
    ) -> Result<Option<Attendee>, StoreError> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM attendees WHERE join_token = $1 AND removed_ms IS NULL"
        )))
        .bind(join_token.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        found.map(|row| from_row(&row)).transpose()
    }
}

/// The same within a transaction that holds the write lock.
pub(super) async fn create(
    transaction: &mut Transaction<'static, Any>,
    meeting_id: &str,
    asked: &NewAttendee,
    now_ms: i64,
) -> Result<Attendee, StoreError> {
    let known = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM attendees WHERE meeting_id = $1 AND external_user_id = $2 AND removed_ms IS NULL"
    )))
    .bind(meeting_id.to_owned())
    .bind(asked.external_user_id.clone())
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some(row) = known {
        return from_row(&row);
    }
    let attendee = Attendee {
        attendee_id: draw::uuid()?,
        meeting_id: meeting_id.to_owned(),
        asked: asked.clone(),
        join_token: draw::join_token()?,
        created_ms: now_ms,
    };
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO attendees ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )))
    .bind(attendee.attendee_id.clone())
    .bind(attendee.meeting_id.clone())
    .bind(asked.external_user_id.clone())
    .bind(asked.audio.clone())
    .bind(asked.video.clone())
    .bind(asked.content.clone())
    .bind(attendee.join_token.expose().to_owned())
    .bind(now_ms)
    .execute(&mut **transaction)
    .await?;
    Ok(attendee)
}

fn from_row(row: &AnyRow) -> Result<Attendee, StoreError> {
    Ok(Attendee {
        attendee_id: row.try_get(0)?,
        meeting_id: row.try_get(1)?,
        asked: NewAttendee {
            external_user_id: row.try_get(2)?,
            audio: row.try_get(3)?,
            video: row.try_get(4)?,
            content: row.try_get(5)?,
        },
        join_token: Secret::new(row.try_get(6)?),
        created_ms: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::meetings::tests::asked as meeting;
    use super::*;

    fn asked(name: &str) -> NewAttendee {
        NewAttendee {
            external_user_id: name.to_owned(),
            audio: "SendReceive".to_owned(),
            video: "Receive".to_owned(),
            content: "None".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_attendee_is_found_by_its_token() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let (meeting, attendees) = store
            .create_meeting(meeting("t"), &[asked("ada")], 1)
            .await
            .unwrap();
        let [ada] = attendees.as_slice() else {
            panic!()
        };
        let found = store
            .attendee_by_token(ada.join_token.expose())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.attendee_id, ada.attendee_id);
        assert_eq!(found.meeting_id, meeting.meeting_id);
        assert_eq!(found.asked, asked("ada"));
        assert!(store.attendee_by_token("wrong").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_same_person_is_one_attendee_of_a_meeting() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let (one, _) = store.create_meeting(meeting("t"), &[], 1).await.unwrap();
        let (other, _) = store.create_meeting(meeting("u"), &[], 1).await.unwrap();
        let first = store
            .create_attendee(&one.meeting_id, &asked("ada"), 1)
            .await
            .unwrap();
        let again = store
            .create_attendee(&one.meeting_id, &asked("ada"), 2)
            .await
            .unwrap();
        let elsewhere = store
            .create_attendee(&other.meeting_id, &asked("ada"), 2)
            .await
            .unwrap();
        assert_eq!(first.attendee_id, again.attendee_id);
        assert_ne!(first.attendee_id, elsewhere.attendee_id);
    }
}
