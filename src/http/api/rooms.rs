//! Chat rooms in JSON.

use serde_json::{Value, json};

use super::accounts::done;
use super::dispatch::{Call, failures, present, time};
use crate::control::Refusal;
use crate::store::{Membership, Room};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let account = input.required("AccountId");
    let room = input.required("RoomId");
    let member = input.required("MemberId");
    let role = input.text("Role");
    match call.name {
        "CreateRoom" => {
            let (name, token) = (input.required("Name"), input.text("ClientRequestToken"));
            let made = control.create_room(caller, account, name, token).await?;
            Ok(json!({"Room": shape(&made)}))
        }
        "GetRoom" => Ok(json!({"Room": shape(&control.room(caller, account, room).await?)})),
        "ListRooms" => {
            let member = input.text("MemberId");
            let listed = control
                .rooms(caller, account, member, &call.page()?)
                .await?;
            Ok(call.listed("Rooms", &listed, shape))
        }
        "UpdateRoom" => {
            let updated = control
                .update_room(caller, account, room, input.text("Name"))
                .await?;
            Ok(json!({"Room": shape(&updated)}))
        }
        "DeleteRoom" => done(control.delete_room(caller, account, room).await),
        "CreateRoomMembership" => {
            let added = control
                .add_room_member(caller, account, room, member, role)
                .await?;
            Ok(json!({"RoomMembership": membership(&added, account)}))
        }
        "BatchCreateRoomMembership" => {
            control.room(caller, account, room).await?;
            let mut results = Vec::new();
            for item in input.list("MembershipItemList") {
                let id = item.required("MemberId");
                let role = item.text("Role");
                let result = control
                    .add_room_member(caller, account, room, id, role)
                    .await;
                results.push((id.to_owned(), result.map(drop)));
            }
            Ok(json!({"Errors": failures("MemberId", results)}))
        }
        "ListRoomMemberships" => {
            let listed = control
                .room_members(caller, account, room, &call.page()?)
                .await?;
            Ok(call.listed("RoomMemberships", &listed, |member| {
                membership(member, account)
            }))
        }
        "UpdateRoomMembership" => {
            let updated = control
                .set_room_role(caller, account, room, member, role)
                .await?;
            Ok(json!({"RoomMembership": membership(&updated, account)}))
        }
        "DeleteRoomMembership" => done(
            control
                .remove_room_member(caller, account, room, member)
                .await,
        ),
        _ => call.missing(),
    }
}

fn shape(room: &Room) -> Value {
    json!({
        "RoomId": room.room_id,
        "Name": room.name,
        "AccountId": room.account_id,
        "CreatedBy": room.created_by,
        "CreatedTimestamp": time(room.created_ms),
        "UpdatedTimestamp": time(room.updated_ms),
    })
}

fn membership(membership: &Membership, account: &str) -> Value {
    let member = present([
        ("MemberId", Some(json!(membership.member_id))),
        ("MemberType", Some(json!("User"))),
        ("Email", membership.email.as_ref().map(|email| json!(email))),
        (
            "FullName",
            membership.display_name.as_ref().map(|name| json!(name)),
        ),
        ("AccountId", Some(json!(account))),
    ]);
    json!({
        "RoomId": membership.room_id,
        "Member": member,
        "Role": membership.role,
        "InvitedBy": membership.invited_by,
        "UpdatedTimestamp": time(membership.updated_ms),
    })
}
