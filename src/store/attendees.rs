//! Attendees: made once per meeting and external user, found by token.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::any::AnyRow;
use thiserror::Error;

use super::seal::Place;
use super::{Listed, Page, Seal, Secret, Store, StoreError, Writing, draw};

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
    /// Three digits that follow the meeting's PIN when the attendee dials in; `None` where none was free.
    pub dial_suffix: Option<String>,
    /// How often its capabilities were changed.
    pub version: i64,
}

/// Why somebody is no attendee of a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoNewAttendee {
    /// There is no such meeting any more.
    #[error("the meeting has ended")]
    Ended,
    /// It has as many as there may be.
    #[error("a meeting has {MOST} attendees at most")]
    Full,
}

/// Attendees of a meeting, whether they are in it or not. Far more than may be in it at once, as each visitor of the page
/// who comes back is a new one.
pub(super) const MOST: i64 = 2_500;

const COLUMNS: &str = "attendee_id, meeting_id, external_user_id, audio, video, content, join_token, created_ms, \
    dial_suffix, capabilities_version";

/// Where the join tokens stand, but for the row.
pub(super) const TOKEN: Place<'static> = Place {
    table: "attendees",
    column: "join_token",
    row: "",
};

impl Store {
    /// Makes an attendee of a meeting, or finds the one of the same external user.
    ///
    /// # Errors
    /// The database; within it, why not.
    pub async fn create_attendee(
        &self,
        meeting_id: &str,
        asked: &NewAttendee,
        now_ms: i64,
    ) -> Result<Result<Attendee, NoNewAttendee>, StoreError> {
        let mut transaction = self.write().await?;
        // It may have ended since it was looked for.
        let goes_on =
            sqlx::query("SELECT 1 FROM meetings WHERE meeting_id = $1 AND ended_ms IS NULL")
                .bind(meeting_id.to_owned())
                .fetch_optional(&mut *transaction)
                .await?;
        if goes_on.is_none() {
            return Ok(Err(NoNewAttendee::Ended));
        }
        let attendee = create(&mut transaction, &self.seal, meeting_id, asked, now_ms).await?;
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
            "SELECT {COLUMNS} FROM attendees WHERE join_token_found_by = $1 AND removed_ms IS NULL"
        )))
        .bind(found_by(&self.seal, join_token))
        .fetch_optional(&self.pool)
        .await?;
        found.map(|row| from_row(&self.seal, &row)).transpose()
    }

    /// An attendee of a meeting.
    ///
    /// # Errors
    /// The database.
    pub async fn attendee(
        &self,
        meeting_id: &str,
        attendee_id: &str,
    ) -> Result<Option<Attendee>, StoreError> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM attendees WHERE attendee_id = $1 AND meeting_id = $2 AND removed_ms IS NULL"
        )))
        .bind(attendee_id.to_owned())
        .bind(meeting_id.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        found.map(|row| from_row(&self.seal, &row)).transpose()
    }

    /// The attendees of a meeting.
    ///
    /// # Errors
    /// The database.
    pub async fn attendees(
        &self,
        meeting_id: &str,
        page: &Page,
    ) -> Result<Listed<Attendee>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM attendees WHERE meeting_id = $1 AND attendee_id > $2 AND removed_ms IS NULL \
             ORDER BY attendee_id LIMIT $3 + 0"
        )))
        .bind(meeting_id.to_owned())
        .bind(page.after.clone())
        .bind(page.limit())
        .fetch_all(&self.pool)
        .await?;
        let attendees = rows
            .iter()
            .map(|row| from_row(&self.seal, row))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(page.cut(attendees, |attendee| &attendee.attendee_id))
    }

    /// Takes an attendee's admission away.
    ///
    /// # Errors
    /// The database.
    pub async fn remove_attendee(&self, attendee_id: &str, now_ms: i64) -> Result<(), StoreError> {
        self.change(sqlx::query(
            "UPDATE attendees SET removed_ms = $1 WHERE attendee_id = $2 AND removed_ms IS NULL",
        )
        .bind(now_ms)
        .bind(attendee_id.to_owned()))
.await?;
        Ok(())
    }

    /// Sets what an attendee may do: audio, video and content. `None` where the meeting has no such attendee.
    ///
    /// # Errors
    /// The database.
    pub async fn update_attendee(
        &self,
        meeting_id: &str,
        attendee_id: &str,
        capabilities: &[String; 3],
    ) -> Result<Option<Attendee>, StoreError> {
        let [audio, video, content] = capabilities.clone();
        let mut transaction = self.write().await?;
        let updated = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE attendees SET audio = $1, video = $2, content = $3, capabilities_version = capabilities_version + 1 \
             WHERE attendee_id = $4 AND meeting_id = $5 AND removed_ms IS NULL RETURNING {COLUMNS}"
        )))
        .bind(audio)
        .bind(video)
        .bind(content)
        .bind(attendee_id.to_owned())
        .bind(meeting_id.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        updated.map(|row| from_row(&self.seal, &row)).transpose()
    }

    /// The same for all attendees of a meeting but some. Returns whom it concerns, and the version of each.
    ///
    /// # Errors
    /// The database.
    pub async fn update_attendees_except(
        &self,
        meeting_id: &str,
        excluded: &[String],
        capabilities: &[String; 3],
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let [audio, video, content] = capabilities.clone();
        let but = match excluded {
            [] => String::new(),
            some => {
                let places: Vec<String> =
                    (0..some.len()).map(|at| format!("${}", at + 5)).collect();
                format!(" AND attendee_id NOT IN ({})", places.join(", "))
            }
        };
        let mut query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE attendees SET audio = $1, video = $2, content = $3, capabilities_version = capabilities_version + 1 \
             WHERE meeting_id = $4 AND removed_ms IS NULL{but} RETURNING attendee_id, capabilities_version"
        )))
        .bind(audio)
        .bind(video)
        .bind(content)
        .bind(meeting_id.to_owned());
        for attendee_id in excluded {
            query = query.bind(attendee_id.clone());
        }
        let mut transaction = self.write().await?;
        let rows = query.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// The attendee of a meeting who dials in with these three digits after its PIN.
    ///
    /// # Errors
    /// The database.
    pub async fn attendee_by_suffix(
        &self,
        meeting_id: &str,
        dial_suffix: &str,
    ) -> Result<Option<Attendee>, StoreError> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM attendees WHERE meeting_id = $1 AND dial_suffix = $2 AND removed_ms IS NULL"
        )))
        .bind(meeting_id.to_owned())
        .bind(dial_suffix.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        found.map(|row| from_row(&self.seal, &row)).transpose()
    }
}

/// The same within a transaction that holds the write lock, of a meeting that goes on.
pub(super) async fn create(
    transaction: &mut Writing,
    seal: &Seal,
    meeting_id: &str,
    asked: &NewAttendee,
    now_ms: i64,
) -> Result<Result<Attendee, NoNewAttendee>, StoreError> {
    let known = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM attendees WHERE meeting_id = $1 AND external_user_id = $2 AND removed_ms IS NULL"
    )))
    .bind(meeting_id.to_owned())
    .bind(asked.external_user_id.clone())
    .fetch_optional(&mut **transaction)
    .await?;
    if let Some(row) = known {
        return Ok(Ok(from_row(seal, &row)?));
    }
    let sql = "SELECT COUNT(*) FROM attendees WHERE meeting_id = $1 AND removed_ms IS NULL";
    let (attendees,): (i64,) = sqlx::query_as(sql)
        .bind(meeting_id.to_owned())
        .fetch_one(&mut **transaction)
        .await?;
    if attendees >= MOST {
        return Ok(Err(NoNewAttendee::Full));
    }
    let attendee = Attendee {
        attendee_id: draw::uuid()?,
        meeting_id: meeting_id.to_owned(),
        asked: asked.clone(),
        join_token: draw::join_token()?,
        created_ms: now_ms,
        dial_suffix: free_suffix(transaction, meeting_id).await?,
        version: 0,
    };
    let row = &attendee.attendee_id;
    let sealed = seal.seal(Place { row, ..TOKEN }, attendee.join_token.expose())?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO attendees ({COLUMNS}, join_token_found_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    )))
    .bind(attendee.attendee_id.clone())
    .bind(attendee.meeting_id.clone())
    .bind(asked.external_user_id.clone())
    .bind(asked.audio.clone())
    .bind(asked.video.clone())
    .bind(asked.content.clone())
    .bind(sealed)
    .bind(now_ms)
    .bind(attendee.dial_suffix.clone())
    .bind(attendee.version)
    .bind(found_by(seal, attendee.join_token.expose()))
    .execute(&mut **transaction)
    .await?;
    Ok(Ok(attendee))
}

/// A suffix that no attendee of the meeting has; `None` when a thousand have theirs. The caller holds the write lock.
async fn free_suffix(
    transaction: &mut Writing,
    meeting_id: &str,
) -> Result<Option<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT dial_suffix FROM attendees WHERE meeting_id = $1 AND dial_suffix IS NOT NULL AND removed_ms IS NULL",
    )
    .bind(meeting_id.to_owned())
    .fetch_all(&mut **transaction)
    .await?;
    let taken: HashSet<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if taken.len() >= SUFFIXES {
        return Ok(None);
    }
    loop {
        let suffix = draw::dial_suffix()?;
        if !taken.contains(&suffix) {
            return Ok(Some(suffix));
        }
    }
}

/// How many suffixes there are. As long as one is free it is found soon enough: a thousand draws, should it be the last.
const SUFFIXES: usize = 1000;

/// By what a join token is found.
pub(super) fn found_by(seal: &Seal, join_token: &str) -> String {
    seal.found_by("join_token", join_token)
}

fn from_row(seal: &Seal, row: &AnyRow) -> Result<Attendee, StoreError> {
    let (attendee_id, token): (String, String) = (row.try_get(0)?, row.try_get(6)?);
    let place = Place {
        row: &attendee_id,
        ..TOKEN
    };
    Ok(Attendee {
        join_token: seal.open(place, &token)?,
        attendee_id,
        meeting_id: row.try_get(1)?,
        asked: NewAttendee {
            external_user_id: row.try_get(2)?,
            audio: row.try_get(3)?,
            video: row.try_get(4)?,
            content: row.try_get(5)?,
        },
        created_ms: row.try_get(7)?,
        dial_suffix: row.try_get(8)?,
        version: row.try_get(9)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::meetings::tests::asked as meeting;
    use super::*;

    pub(in crate::store) fn asked(name: &str) -> NewAttendee {
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
        let asked_for = [asked("ada")];
        let made = store.create_meeting(meeting("t"), &asked_for, 1).await;
        let (meeting, attendees) = made.unwrap();
        let [Ok(ada)] = attendees.as_slice() else {
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
        let make = async |meeting: &str| {
            let made = store.create_attendee(meeting, &asked("ada"), 1).await;
            made.unwrap().unwrap()
        };
        let first = make(&one.meeting_id).await;
        let again = make(&one.meeting_id).await;
        let elsewhere = make(&other.meeting_id).await;
        assert_eq!(first.attendee_id, again.attendee_id);
        assert_ne!(first.attendee_id, elsewhere.attendee_id);
    }

    #[tokio::test]
    async fn what_attendees_may_do_changes_for_one_or_for_all_but_some() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let people = ["ada", "bob", "eve"].map(asked);
        let made = store.create_meeting(meeting("t"), &people, 1).await;
        let (meeting, made) = made.unwrap();
        let id = meeting.meeting_id.as_str();
        let may = |word: &str| [word, "None", "None"].map(str::to_owned);
        let [Ok(ada), Ok(bob), Ok(eve)] = made.as_slice() else {
            panic!()
        };
        let updated = store
            .update_attendee(id, &ada.attendee_id, &may("Receive"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (updated.asked.audio.as_str(), updated.version),
            ("Receive", 1)
        );
        assert_eq!(updated.join_token.expose(), ada.join_token.expose());
        let elsewhere = store
            .update_attendee("other", &ada.attendee_id, &may("Send"))
            .await;
        assert!(elsewhere.unwrap().is_none());

        store.remove_attendee(&eve.attendee_id, 2).await.unwrap();
        let gone = store
            .update_attendee(id, &eve.attendee_id, &may("Send"))
            .await;
        assert!(gone.unwrap().is_none());
        let but_bob = std::slice::from_ref(&bob.attendee_id);
        let changed = store
            .update_attendees_except(id, but_bob, &may("Send"))
            .await;
        assert_eq!(changed.unwrap(), [(ada.attendee_id.clone(), 2)]);
        let mut changed = store
            .update_attendees_except(id, &[], &may("None"))
            .await
            .unwrap();
        changed.sort();
        let mut all = vec![(ada.attendee_id.clone(), 3), (bob.attendee_id.clone(), 1)];
        all.sort();
        assert_eq!(changed, all);
        let read = store.attendee(id, &bob.attendee_id).await.unwrap().unwrap();
        assert_eq!((read.asked.audio.as_str(), read.version), ("None", 1));
    }

    #[tokio::test]
    async fn an_attendee_is_found_by_the_digits_that_only_it_has_in_the_meeting() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let (one, _) = store.create_meeting(meeting("t"), &[], 1).await.unwrap();
        let mut suffixes = std::collections::BTreeSet::new();
        for number in 0..60 {
            let made = store
                .create_attendee(&one.meeting_id, &asked(&number.to_string()), 1)
                .await
                .unwrap()
                .unwrap();
            let suffix = made.dial_suffix.clone().unwrap();
            assert!(suffix.len() == 3 && suffix.bytes().all(|byte| byte.is_ascii_digit()));
            let found = store
                .attendee_by_suffix(&one.meeting_id, &suffix)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.attendee_id, made.attendee_id);
            assert!(suffixes.insert(suffix));
        }
        let free = (0..1000)
            .map(|number| format!("{number:03}"))
            .find(|suffix| !suffixes.contains(suffix))
            .unwrap();
        let nobody = store.attendee_by_suffix(&one.meeting_id, &free).await;
        assert!(nobody.unwrap().is_none());
    }
}
