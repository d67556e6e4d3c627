//! Chat rooms and who is in them.

use super::{Listed, Page, Store, StoreError, draw, row};

row! {
    /// A chat room.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Room {
        /// UUID.
        pub room_id: String,
        /// The account.
        pub account_id: String,
        /// For people.
        pub name: String,
        /// The ARN of who made it.
        pub created_by: String,
        /// What makes a repeated request a repetition.
        pub client_request_token: Option<String>,
        /// ms since the epoch.
        pub created_ms: i64,
        /// ms since the epoch.
        pub updated_ms: i64,
    }

    const COLUMNS;
}

/// Why somebody is not taken into a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoNewMember {
    /// There is no such user any more.
    Unknown,
    /// They are in it already.
    Known,
    /// It has as many as there may be.
    Full,
}

row! {
    /// Somebody in a room.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Membership {
        /// The room.
        pub room_id: String,
        /// The user.
        pub member_id: String,
        /// `Administrator` or `Member`.
        pub role: String,
        /// The ARN of who took them in.
        pub invited_by: String,
        /// ms since the epoch.
        pub updated_ms: i64,
        /// The user's address.
        pub email: Option<String>,
        /// The user's name.
        pub display_name: Option<String>,
    }

    const OF_MEMBERSHIP;
}

const MEMBERSHIPS: &str = "room_memberships JOIN users ON user_id = member_id";

impl Store {
    /// Makes a room, or finds the one that was made with the same token. `None` where the account has as many as there
    /// may be.
    ///
    /// # Errors
    /// The database.
    pub async fn create_room(
        &self,
        account_id: &str,
        name: &str,
        created_by: &str,
        token: Option<&str>,
        now_ms: i64,
        most: i64,
    ) -> Result<Option<Room>, StoreError> {
        let mut transaction = self.write().await?;
        if let Some(token) = token {
            let known = sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM rooms WHERE account_id = $1 AND client_request_token = $2"
            )))
            .bind(account_id.to_owned())
            .bind(token.to_owned())
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some(room) = known {
                return Ok(Some(room));
            }
        }
        let (rooms,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM rooms WHERE account_id = $1")
            .bind(account_id.to_owned())
            .fetch_one(&mut *transaction)
            .await?;
        if rooms >= most {
            return Ok(None);
        }
        let room = Room {
            room_id: draw::ordered_uuid(now_ms)?,
            account_id: account_id.to_owned(),
            name: name.to_owned(),
            created_by: created_by.to_owned(),
            client_request_token: token.map(str::to_owned),
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO rooms ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )))
        .bind(room.room_id.clone())
        .bind(room.account_id.clone())
        .bind(room.name.clone())
        .bind(room.created_by.clone())
        .bind(room.client_request_token.clone())
        .bind(now_ms)
        .bind(now_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(room))
    }

    /// A room of that account.
    ///
    /// # Errors
    /// The database.
    pub async fn room(&self, account_id: &str, room_id: &str) -> Result<Option<Room>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM rooms WHERE room_id = $1 AND account_id = $2"
        )))
        .bind(room_id.to_owned())
        .bind(account_id.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The account's rooms in the order they were made, those with that member where asked for.
    ///
    /// # Errors
    /// The database.
    pub async fn rooms(
        &self,
        account_id: &str,
        member_id: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Room>, StoreError> {
        let of_member = match member_id {
            None => "",
            Some(_) => {
                " AND room_id IN (SELECT room_id FROM room_memberships WHERE member_id = $4)"
            }
        };
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM rooms WHERE account_id = $1 AND room_id > $2{of_member} ORDER BY room_id LIMIT $3 + 0"
        )))
        .bind(account_id.to_owned())
        .bind(page.after.clone())
        .bind(page.limit());
        if let Some(member_id) = member_id {
            query = query.bind(member_id.to_owned());
        }
        let rows = query.fetch_all(&self.pool).await?;
        Ok(page.cut(rows, |room: &Room| &room.room_id))
    }

    /// Gives a room another name; `None` where there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn rename_room(
        &self,
        room_id: &str,
        name: &str,
        now_ms: i64,
    ) -> Result<Option<Room>, StoreError> {
        let mut transaction = self.write().await?;
        let room = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "UPDATE rooms SET name = $1, updated_ms = $2 WHERE room_id = $3 RETURNING {COLUMNS}"
        )))
        .bind(name.to_owned())
        .bind(now_ms)
        .bind(room_id.to_owned())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(room)
    }

    /// Deletes a room and who was in it.
    ///
    /// # Errors
    /// The database.
    pub async fn delete_room(&self, room_id: &str) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for sql in [
            "DELETE FROM room_memberships WHERE room_id = $1",
            "DELETE FROM rooms WHERE room_id = $1",
        ] {
            sqlx::query(sql)
                .bind(room_id.to_owned())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Takes somebody into a room that has fewer than `most` people.
    ///
    /// # Errors
    /// The database; within it, why not.
    pub async fn add_member(
        &self,
        room_id: &str,
        member_id: &str,
        role: &str,
        (invited_by, now_ms): (&str, i64),
        most: i64,
    ) -> Result<Result<(), NoNewMember>, StoreError> {
        let mut transaction = self.write().await?;
        // A user who was removed since takes no place that nobody sees.
        let user = sqlx::query("SELECT 1 FROM users WHERE user_id = $1")
            .bind(member_id.to_owned())
            .fetch_optional(&mut *transaction)
            .await?;
        if user.is_none() {
            return Ok(Err(NoNewMember::Unknown));
        }
        let count = "SELECT COUNT(*) FROM room_memberships WHERE room_id = $1";
        let (members,): (i64,) = sqlx::query_as(count)
            .bind(room_id.to_owned())
            .fetch_one(&mut *transaction)
            .await?;
        let sql = "INSERT INTO room_memberships (room_id, member_id, role, invited_by, updated_ms) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (room_id, member_id) DO NOTHING";
        let done = sqlx::query(sql)
            .bind(room_id.to_owned())
            .bind(member_id.to_owned())
            .bind(role.to_owned())
            .bind(invited_by.to_owned())
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(Err(NoNewMember::Known));
        }
        if members >= most {
            return Ok(Err(NoNewMember::Full));
        }
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// Somebody in a room.
    ///
    /// # Errors
    /// The database.
    pub async fn member(
        &self,
        room_id: &str,
        member_id: &str,
    ) -> Result<Option<Membership>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {OF_MEMBERSHIP} FROM {MEMBERSHIPS} WHERE room_id = $1 AND member_id = $2"
        )))
        .bind(room_id.to_owned())
        .bind(member_id.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// The database.
    pub async fn members(
        &self,
        room_id: &str,
        page: &Page,
    ) -> Result<Listed<Membership>, StoreError> {
        let sql = format!(
            "SELECT {OF_MEMBERSHIP} FROM {MEMBERSHIPS} WHERE room_id = $1 AND member_id > $2 ORDER BY member_id LIMIT $3 + 0"
        );
        let rows = self.page_of(sql, room_id, page).await?;
        Ok(page.cut(rows, |member: &Membership| &member.member_id))
    }

    /// Sets somebody's role; `false` where they are not in the room.
    ///
    /// # Errors
    /// The database.
    pub async fn set_role(
        &self,
        room_id: &str,
        member_id: &str,
        role: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = self.change(sqlx::query(
            "UPDATE room_memberships SET role = $1, updated_ms = $2 WHERE room_id = $3 AND member_id = $4",
        )
        .bind(role.to_owned())
        .bind(now_ms)
        .bind(room_id.to_owned())
        .bind(member_id.to_owned()))
.await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes somebody out of a room; `false` where they were not in it.
    ///
    /// # Errors
    /// The database.
    pub async fn remove_member(&self, room_id: &str, member_id: &str) -> Result<bool, StoreError> {
        let done = self
            .change(
                sqlx::query("DELETE FROM room_memberships WHERE room_id = $1 AND member_id = $2")
                    .bind(room_id.to_owned())
                    .bind(member_id.to_owned()),
            )
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
