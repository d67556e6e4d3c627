//! Chat rooms: who is in them, and as what.

use super::{Caller, Control, Refusal, now_ms};
use crate::store::{Listed, Membership, NoNewMember, Page, Room};

impl Control {
    /// Makes a room; the same token finds the room that was made with it.
    ///
    /// # Errors
    /// No such account; the token was used for a room of another name; the store.
    pub async fn create_room(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &str,
        token: Option<&str>,
    ) -> Result<Room, Refusal> {
        let account = self.account(caller, account_id).await?;
        let room = self
            .store
            .create_room(
                &account.account_id,
                name,
                caller.arn(),
                token,
                now_ms(),
                MOST_ROOMS,
            )
            .await?;
        let room = room.ok_or_else(|| {
            Refusal::LimitExceeded(format!("an account has {MOST_ROOMS} rooms at most"))
        })?;
        if token.is_some() && room.name != name {
            return Err(Refusal::invalid(
                "ClientRequestToken",
                "was used for a room with other parameters",
            ));
        }
        Ok(room)
    }

    /// A room of an account of the caller's.
    ///
    /// # Errors
    /// No such account or room; the store.
    pub async fn room(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
    ) -> Result<Room, Refusal> {
        let account = self.account(caller, account_id).await?;
        self.store
            .room(&account.account_id, room_id)
            .await?
            .ok_or(Refusal::NotFound("the room"))
    }

    /// An account's rooms, those with that member where asked for.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn rooms(
        &self,
        caller: &Caller,
        account_id: &str,
        member_id: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Room>, Refusal> {
        let account = self.account(caller, account_id).await?;
        Ok(self
            .store
            .rooms(&account.account_id, member_id, page)
            .await?)
    }

    /// Gives a room another name, if one is said.
    ///
    /// # Errors
    /// No such account or room; the store.
    pub async fn update_room(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
        name: Option<&str>,
    ) -> Result<Room, Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        let Some(name) = name else {
            return Ok(room);
        };
        let renamed = self.store.rename_room(&room.room_id, name, now_ms());
        renamed.await?.ok_or(Refusal::NotFound("the room"))
    }

    /// Deletes a room.
    ///
    /// # Errors
    /// No such account or room; the store.
    pub async fn delete_room(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
    ) -> Result<(), Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        Ok(self.store.delete_room(&room.room_id).await?)
    }

    /// Takes a user of the account into a room.
    ///
    /// # Errors
    /// No such account, room or user; they are in it already; the store.
    pub async fn add_room_member(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
        member_id: &str,
        role: Option<&str>,
    ) -> Result<Membership, Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        let user = self.user(caller, account_id, member_id).await?;
        let role = role.unwrap_or("Member");
        let added = self
            .store
            .add_member(
                &room.room_id,
                &user.user_id,
                role,
                (caller.arn(), now_ms()),
                MOST_MEMBERS,
            )
            .await?;
        added.map_err(|why| match why {
            NoNewMember::Unknown => Refusal::NotFound("the user"),
            NoNewMember::Known => Refusal::Conflict("the user is in the room already".to_owned()),
            NoNewMember::Full => {
                Refusal::LimitExceeded(format!("a room has {MOST_MEMBERS} members at most"))
            }
        })?;
        self.room_member(&room, &user.user_id).await
    }

    async fn room_member(&self, room: &Room, member_id: &str) -> Result<Membership, Refusal> {
        self.store
            .member(&room.room_id, member_id)
            .await?
            .ok_or(Refusal::NotFound("the membership"))
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// No such account or room; the store.
    pub async fn room_members(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
        page: &Page,
    ) -> Result<Listed<Membership>, Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        Ok(self.store.members(&room.room_id, page).await?)
    }

    /// Sets a member's role.
    ///
    /// # Errors
    /// No such account, room or member; the store.
    pub async fn set_room_role(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
        member_id: &str,
        role: Option<&str>,
    ) -> Result<Membership, Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        if let Some(role) = role {
            self.store
                .set_role(&room.room_id, member_id, role, now_ms())
                .await?;
        }
        self.room_member(&room, member_id).await
    }

    /// Takes a member out of a room.
    ///
    /// # Errors
    /// No such account, room or member; the store.
    pub async fn remove_room_member(
        &self,
        caller: &Caller,
        account_id: &str,
        room_id: &str,
        member_id: &str,
    ) -> Result<(), Refusal> {
        let room = self.room(caller, account_id, room_id).await?;
        if self.store.remove_member(&room.room_id, member_id).await? {
            Ok(())
        } else {
            Err(Refusal::NotFound("the membership"))
        }
    }
}

/// Of one account (the product's quota).
const MOST_ROOMS: i64 = 1_500;

/// Of one room (the product's quota).
const MOST_MEMBERS: i64 = 1_000;
