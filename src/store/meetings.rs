//! Meetings: made, found by id or PIN, ended.

use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::pin::OF_MEETING;
use super::seal::Place;
use super::{
    Attendee, Listed, NewAttendee, NoNewAttendee, Page, Seal, Store, StoreError, Writing,
    attendees, draw, pin,
};

/// A meeting as asked for, already checked.
#[derive(Clone, PartialEq, Debug)]
pub struct NewMeeting {
    /// Whose.
    pub account_id: String,
    /// The asker's own name for it.
    pub external_meeting_id: String,
    /// The asker's name of its host.
    pub meeting_host_id: Option<String>,
    /// The region asked for.
    pub media_region: String,
    /// What makes a repeated request a repetition.
    pub client_request_token: String,
    /// Digest of everything else in the request.
    pub request_digest: String,
    /// `MeetingFeatures` as given, an object.
    pub features: Value,
    /// `TenantIds` as given, an array.
    pub tenant_ids: Value,
    /// `Tags` as given, an array.
    pub tags: Value,
    /// `NotificationsConfiguration` as given, an object.
    pub notifications: Value,
}

/// A meeting.
#[derive(Clone, PartialEq, Debug)]
pub struct Meeting {
    /// UUID.
    pub meeting_id: String,
    /// Ten digits, the first not 0; never given out twice.
    pub pin: String,
    /// What was asked for.
    pub asked: NewMeeting,
    /// Made, ms since the epoch.
    pub created_ms: i64,
    /// Ended, ms since the epoch.
    pub ended_ms: Option<i64>,
}

const COLUMNS: &str = "meeting_id, pin, account_id, external_meeting_id, meeting_host_id, media_region, \
    client_request_token, request_digest, features, tenant_ids, tags, notifications, created_ms, ended_ms";

impl Store {
    /// Makes a meeting with its first attendees, or finds the running one that the same account made with the
    /// same token: then the caller compares the digests. Of each attendee, in their order, why there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn create_meeting(
        &self,
        asked: NewMeeting,
        attendees: &[NewAttendee],
        now_ms: i64,
    ) -> Result<(Meeting, Vec<Result<Attendee, NoNewAttendee>>), StoreError> {
        let mut transaction = self.write().await?;
        let known = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM meetings WHERE account_id = $1 AND client_request_token = $2 AND ended_ms IS NULL"
        )))
        .bind(asked.account_id.clone())
        .bind(asked.client_request_token.clone())
        .fetch_optional(&mut *transaction)
        .await?;
        let meeting = if let Some(row) = known {
            let meeting = from_row(&self.seal, &row)?;
            if meeting.asked.request_digest != asked.request_digest {
                return Ok((meeting, Vec::new()));
            }
            meeting
        } else {
            let meeting = Meeting {
                meeting_id: draw::uuid()?,
                pin: pin::free(&mut transaction, &self.seal).await?,
                asked,
                created_ms: now_ms,
                ended_ms: None,
            };
            insert(&mut transaction, &self.seal, &meeting).await?;
            meeting
        };
        let mut joined = Vec::with_capacity(attendees.len());
        for attendee in attendees {
            joined.push(
                attendees::create(
                    &mut transaction,
                    &self.seal,
                    &meeting.meeting_id,
                    attendee,
                    now_ms,
                )
                .await?,
            );
        }
        transaction.commit().await?;
        Ok((meeting, joined))
    }

    /// A meeting by id, ended ones too.
    ///
    /// # Errors
    /// The database.
    pub async fn meeting(&self, meeting_id: &str) -> Result<Option<Meeting>, StoreError> {
        self.one("meeting_id = $1", meeting_id.to_ascii_lowercase())
            .await
    }

    /// A meeting by PIN, ended ones too.
    ///
    /// # Errors
    /// The database.
    pub async fn meeting_by_pin(&self, pin: &str) -> Result<Option<Meeting>, StoreError> {
        self.one("pin_found_by = $1", pin::found_by(&self.seal, pin))
            .await
    }

    /// The running meetings of an account, newest first.
    ///
    /// # Errors
    /// The database.
    pub async fn running_meetings(
        &self,
        account_id: &str,
        page: &Page,
    ) -> Result<Listed<Meeting>, StoreError> {
        let after = page.after.split_once(' ');
        let after = after.and_then(|(made, id)| Some((made.parse().ok()?, id)));
        let (made, id) = after.unwrap_or((i64::MAX, ""));
        // The first bound is where the index is walked from; the second tells those of one millisecond apart.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM meetings WHERE account_id = $1 AND ended_ms IS NULL AND created_ms <= $2 \
             AND (created_ms < $2 OR meeting_id > $3) ORDER BY created_ms DESC, meeting_id LIMIT $4 + 0"
        )))
        .bind(account_id.to_owned())
        .bind::<i64>(made)
        .bind(id.to_owned())
        .bind(page.limit())
        .fetch_all(&self.pool)
        .await?;
        let mut meetings = Vec::with_capacity(rows.len());
        for row in &rows {
            let meeting = from_row(&self.seal, row)?;
            let key = format!("{} {}", meeting.created_ms, meeting.meeting_id);
            meetings.push((key, meeting));
        }
        let listed = page.cut(meetings, |(key, _)| key);
        Ok(Listed {
            items: listed
                .items
                .into_iter()
                .map(|(_, meeting)| meeting)
                .collect(),
            next: listed.next,
        })
    }

    /// Ends a meeting; `false` where it had ended already or never was.
    ///
    /// # Errors
    /// The database.
    pub async fn end_meeting(&self, meeting_id: &str, now_ms: i64) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE meetings SET ended_ms = $1 WHERE meeting_id = $2 AND ended_ms IS NULL",
                )
                .bind(now_ms)
                .bind(meeting_id.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes a meeting's tags, an array.
    ///
    /// # Errors
    /// The database.
    pub async fn tag_meeting(&self, meeting_id: &str, tags: &Value) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE meetings SET tags = $1 WHERE meeting_id = $2")
                .bind(tags.to_string())
                .bind(meeting_id.to_owned()),
        )
        .await?;
        Ok(())
    }

    /// Notes which server somebody is in a running meeting on.
    ///
    /// # Errors
    /// The database.
    pub async fn hold_meeting(&self, meeting_id: &str, server: &str) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE meetings SET held_by = $1 WHERE meeting_id = $2 AND ended_ms IS NULL",
        )
        .bind(server.to_owned())
        .bind(meeting_id.to_owned());
        self.change(query).await?;
        Ok(())
    }

    /// The running meetings that somebody was in on that server last.
    ///
    /// # Errors
    /// The database.
    pub async fn held_meetings(&self, server: &str) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT meeting_id FROM meetings WHERE held_by = $1 AND ended_ms IS NULL",
        )
        .bind(server.to_owned())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn one(
        &self,
        condition: &'static str,
        value: String,
    ) -> Result<Option<Meeting>, StoreError> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM meetings WHERE {condition}"
        )))
        .bind(value)
        .fetch_optional(&self.pool)
        .await?
        .map(|row| from_row(&self.seal, &row))
        .transpose()
    }
}

async fn insert(
    transaction: &mut Writing,
    seal: &Seal,
    meeting: &Meeting,
) -> Result<(), StoreError> {
    let asked = &meeting.asked;
    let row = &meeting.meeting_id;
    let pin = pin::stored(seal, Place { row, ..OF_MEETING }, &meeting.pin)?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO meetings ({COLUMNS}, pin_found_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    )))
    .bind(meeting.meeting_id.clone())
    .bind(pin.sealed)
    .bind(asked.account_id.clone())
    .bind(asked.external_meeting_id.clone())
    .bind(asked.meeting_host_id.clone())
    .bind(asked.media_region.clone())
    .bind(asked.client_request_token.clone())
    .bind(asked.request_digest.clone())
    .bind(asked.features.to_string())
    .bind(asked.tenant_ids.to_string())
    .bind(asked.tags.to_string())
    .bind(asked.notifications.to_string())
    .bind(meeting.created_ms)
    .bind(meeting.ended_ms)
    .bind(pin.found_by)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn from_row(seal: &Seal, row: &AnyRow) -> Result<Meeting, StoreError> {
    let (meeting_id, pin): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let place = Place {
        row: &meeting_id,
        ..OF_MEETING
    };
    let pin = seal.open(place, &pin)?.expose().to_owned();
    let document = |column: usize| -> Result<Value, StoreError> {
        let text: String = row.try_get(column)?;
        Ok(serde_json::from_str(&text)?)
    };
    Ok(Meeting {
        meeting_id,
        pin,
        asked: NewMeeting {
            account_id: row.try_get(2)?,
            external_meeting_id: row.try_get(3)?,
            meeting_host_id: row.try_get(4)?,
            media_region: row.try_get(5)?,
            client_request_token: row.try_get(6)?,
            request_digest: row.try_get(7)?,
            features: document(8)?,
            tenant_ids: document(9)?,
            tags: document(10)?,
            notifications: document(11)?,
        },
        created_ms: row.try_get(12)?,
        ended_ms: row.try_get(13)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::store) fn asked(token: &str) -> NewMeeting {
        NewMeeting {
            account_id: "123456789012".to_owned(),
            external_meeting_id: "stand-up ü".to_owned(),
            meeting_host_id: None,
            media_region: "us-east-1".to_owned(),
            client_request_token: token.to_owned(),
            request_digest: "d".to_owned(),
            features: json!({"Video": {"MaxResolution": "HD"}}),
            tenant_ids: json!([]),
            tags: json!([{"Key": "a", "Value": "b"}]),
            notifications: json!({}),
        }
    }

    #[tokio::test]
    async fn a_meeting_is_found_by_id_and_by_pin_as_it_was_made() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let (made, _) = store.create_meeting(asked("t"), &[], 7).await.unwrap();
        assert_eq!(
            store.meeting(&made.meeting_id).await.unwrap().unwrap(),
            made
        );
        assert_eq!(
            store
                .meeting(&made.meeting_id.to_uppercase())
                .await
                .unwrap()
                .unwrap(),
            made
        );
        assert_eq!(
            store.meeting_by_pin(&made.pin).await.unwrap().unwrap(),
            made
        );
        assert_eq!(store.meeting_by_pin("0000000000").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_same_token_finds_the_running_meeting_and_makes_a_new_one_after_its_end() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let (first, _) = store.create_meeting(asked("t"), &[], 1).await.unwrap();
        let (again, _) = store.create_meeting(asked("t"), &[], 2).await.unwrap();
        assert_eq!(first, again);
        assert!(store.end_meeting(&first.meeting_id, 3).await.unwrap());
        assert!(!store.end_meeting(&first.meeting_id, 4).await.unwrap());
        assert_eq!(
            store
                .meeting_by_pin(&first.pin)
                .await
                .unwrap()
                .unwrap()
                .ended_ms,
            Some(3)
        );
        let (new, _) = store.create_meeting(asked("t"), &[], 5).await.unwrap();
        assert_ne!(new.meeting_id, first.meeting_id);
        let page = Page::first(10);
        let running = store.running_meetings("123456789012", &page).await;
        assert_eq!(running.unwrap().items, [new]);
    }

    #[tokio::test]
    async fn running_meetings_are_listed_newest_first_and_all_of_them() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let mut made = Vec::new();
        // Most of one millisecond, which have their order by id.
        for (number, now_ms) in [4, 5, 5, 5, 5, 6].into_iter().enumerate() {
            let asked = asked(&number.to_string());
            let (meeting, _) = store.create_meeting(asked, &[], now_ms).await.unwrap();
            made.push(meeting);
        }
        let mut strange = asked("strange");
        strange.account_id = "999999999999".to_owned();
        store.create_meeting(strange, &[], 5).await.unwrap();
        made.sort_by_key(|meeting| (-meeting.created_ms, meeting.meeting_id.clone()));
        for most in [1, 2, 3, 6] {
            let mut page = Page::first(most);
            let mut listed = Vec::new();
            loop {
                let part = store.running_meetings("123456789012", &page).await.unwrap();
                listed.extend(part.items);
                let Some(after) = part.next else { break };
                page.after = after;
            }
            assert_eq!(listed, made, "{most}");
        }
    }

    #[tokio::test]
    async fn a_running_meeting_is_held_by_the_server_that_somebody_was_in_it_on_last() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let mut ids = Vec::new();
        for token in ["never", "here", "elsewhere", "over"] {
            let (made, _) = store.create_meeting(asked(token), &[], 1).await.unwrap();
            ids.push(made.meeting_id);
        }
        for (id, server) in [(1, "a"), (2, "a"), (2, "b"), (3, "a")] {
            store.hold_meeting(&ids[id], server).await.unwrap();
        }
        assert!(store.end_meeting(&ids[3], 2).await.unwrap());
        let held = |server| store.held_meetings(server);
        assert_eq!(held("a").await.unwrap(), [ids[1].as_str()]);
        assert_eq!(held("b").await.unwrap(), [ids[2].as_str()]);
    }

    #[tokio::test]
    async fn many_writers_at_once_make_one_meeting_of_one_token() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .create_meeting(asked("t"), &[], 1)
                        .await
                        .unwrap()
                        .0
                        .meeting_id
                })
            })
            .collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
}
