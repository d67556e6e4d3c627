//! Users in JSON.

use serde_json::{Value, json};

use super::accounts::done;
use super::dispatch::{Call, failures, present, time};
use super::input::Input;
use crate::control::Refusal;
use crate::control::accounts::document;
use crate::control::users::UserChange;
use crate::store::User;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let account = input.required("AccountId");
    let user = input.required("UserId");
    match call.name {
        "CreateUser" => {
            let (name, email) = (input.text("Username"), input.text("Email"));
            let made = control
                .create_user(caller, account, name, email, input.text("UserType"))
                .await?;
            Ok(json!({"User": shape(&made, None)}))
        }
        "InviteUsers" => {
            let emails = input.texts("UserEmailList");
            let invites = control
                .invite_users(caller, account, &emails, input.text("UserType"))
                .await?;
            let invites: Vec<Value> = invites
                .iter()
                .map(|(email, user)| invite(email, user.as_ref()))
                .collect();
            Ok(json!({"Invites": invites}))
        }
        "GetUser" => answer(call, &control.user(caller, account, user).await?).await,
        "ListUsers" => {
            let (email, kind) = (input.text("UserEmail"), input.text("UserType"));
            let listed = control
                .users(caller, account, email, kind, &call.page()?)
                .await?;
            Ok(call.listed("Users", &listed, |user| shape(user, None)))
        }
        "UpdateUser" => {
            let updated = control
                .update_user(caller, account, user, &change(input))
                .await?;
            answer(call, &updated).await
        }
        "BatchUpdateUser" => {
            // An account that is not there is no fault of each of its users.
            control.account(caller, account).await?;
            let mut results = Vec::new();
            for item in input.list("UpdateUserRequestItems") {
                let id = item.required("UserId");
                let result = control
                    .update_user(caller, account, id, &change(&item))
                    .await;
                results.push((id.to_owned(), result.map(drop)));
            }
            Ok(json!({"UserErrors": failures("UserId", results)}))
        }
        "BatchSuspendUser" | "BatchUnsuspendUser" => {
            control.account(caller, account).await?;
            let mut results = Vec::new();
            for id in input.texts("UserIdList") {
                let result = if call.name == "BatchSuspendUser" {
                    control.suspend_user(caller, account, &id).await
                } else {
                    control.unsuspend_user(caller, account, &id).await
                };
                results.push((id, result));
            }
            Ok(json!({"UserErrors": failures("UserId", results)}))
        }
        "LogoutUser" => done(control.log_out_user(caller, account, user).await),
        "ResetPersonalPIN" => {
            let updated = control.reset_personal_pin(caller, account, user).await?;
            answer(call, &updated).await
        }
        "GetUserSettings" => {
            let telephony = control.user_settings(caller, account, user).await?;
            Ok(json!({"UserSettings": {"Telephony": telephony}}))
        }
        "UpdateUserSettings" => {
            let settings = input.object("UserSettings");
            let telephony = settings.and_then(|settings| settings.value("Telephony"));
            let telephony = telephony.unwrap_or(&Value::Null);
            done(
                control
                    .update_user_settings(caller, account, user, telephony)
                    .await,
            )
        }
        "AssociatePhoneNumberWithUser" => {
            let number = input.required("E164PhoneNumber");
            done(control.assign_to_user(caller, account, user, number).await)
        }
        "DisassociatePhoneNumberFromUser" => {
            done(control.unassign_from_user(caller, account, user).await)
        }
        _ => call.missing(),
    }
}

async fn answer(call: &Call<'_>, user: &User) -> Result<Value, Refusal> {
    let number = call.control.number_of(call.caller, user).await?;
    Ok(json!({"User": shape(user, number)}))
}

fn change(input: &Input<'_>) -> UserChange {
    UserChange {
        license_type: input.text("LicenseType").map(str::to_owned),
        user_type: input.text("UserType").map(str::to_owned),
        metadata: input.value("AlexaForBusinessMetadata").cloned(),
    }
}

fn shape(user: &User, number: Option<String>) -> Value {
    let metadata = document(&user.metadata);
    let said = metadata.as_object().is_some_and(|said| !said.is_empty());
    present([
        ("UserId", Some(json!(user.user_id))),
        ("AccountId", Some(json!(user.account_id))),
        (
            "PrimaryEmail",
            user.email.as_ref().map(|email| json!(email)),
        ),
        ("PrimaryProvisionedNumber", number.map(Value::String)),
        (
            "DisplayName",
            user.display_name.as_ref().map(|name| json!(name)),
        ),
        ("LicenseType", Some(json!(user.license_type))),
        ("UserType", Some(json!(user.user_type))),
        (
            "UserRegistrationStatus",
            // Those who lost their domain are "Released" where people see it; the API has no such word.
            Some(match user.registration_status.as_str() {
                "Released" => json!("Unregistered"),
                status => json!(status),
            }),
        ),
        (
            "UserInvitationStatus",
            user.invitation_status.as_ref().map(|status| json!(status)),
        ),
        ("RegisteredOn", user.registered_ms.map(time)),
        ("InvitedOn", user.invited_ms.map(time)),
        ("AlexaForBusinessMetadata", said.then_some(metadata)),
        ("PersonalPIN", Some(json!(user.personal_pin))),
    ])
}

/// Nobody is written to: this server has no way to send mail, and says so.
fn invite(email: &str, user: Option<&User>) -> Value {
    match user {
        Some(user) => json!({
            "InviteId": user.user_id,
            "Status": "Pending",
            "EmailAddress": email,
            "EmailStatus": "NotSent",
        }),
        None => json!({"Status": "Failed", "EmailAddress": email, "EmailStatus": "NotSent"}),
    }
}
