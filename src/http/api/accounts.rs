//! Accounts and the settings of accounts and owners, in JSON.

use serde_json::{Value, json};

use super::dispatch::{Call, present, time};
use crate::control::Refusal;
use crate::control::accounts::{document, group_names};
use crate::store::Account;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let id = input.required("AccountId");
    match call.name {
        "CreateAccount" => {
            let account = control
                .create_account(caller, input.required("Name"))
                .await?;
            Ok(json!({"Account": shape(&account)}))
        }
        "GetAccount" => Ok(json!({"Account": shape(&control.account(caller, id).await?)})),
        "ListAccounts" => {
            let listed = control
                .accounts(
                    caller,
                    input.text("Name"),
                    input.text("UserEmail"),
                    &call.page()?,
                )
                .await?;
            Ok(call.listed("Accounts", &listed, shape))
        }
        "UpdateAccount" => {
            let account = control
                .update_account(caller, id, input.text("Name"), input.text("DefaultLicense"))
                .await?;
            Ok(json!({"Account": shape(&account)}))
        }
        "DeleteAccount" => done(control.delete_account(caller, id).await),
        "GetAccountSettings" => {
            let account = control.account(caller, id).await?;
            Ok(json!({"AccountSettings": document(&account.settings)}))
        }
        "UpdateAccountSettings" => {
            let said = input.value("AccountSettings").unwrap_or(&Value::Null);
            done(control.update_account_settings(caller, id, said).await)
        }
        "GetRetentionSettings" => {
            let account = control.account(caller, id).await?;
            Ok(retention(&document(&account.retention)))
        }
        "PutRetentionSettings" => {
            let said = input.value("RetentionSettings").unwrap_or(&Value::Null);
            Ok(retention(&control.put_retention(caller, id, said).await?))
        }
        "AssociateSigninDelegateGroupsWithAccount" => {
            let names: Vec<String> = input
                .list("SigninDelegateGroups")
                .filter_map(|group| group.text("GroupName").map(str::to_owned))
                .collect();
            done(control.add_delegate_groups(caller, id, &names).await)
        }
        "DisassociateSigninDelegateGroupsFromAccount" => {
            let names = input.texts("GroupNames");
            done(control.remove_delegate_groups(caller, id, &names).await)
        }
        "GetGlobalSettings" => control.global_settings(caller).await,
        "UpdateGlobalSettings" => {
            let said = present([
                ("BusinessCalling", input.value("BusinessCalling").cloned()),
                ("VoiceConnector", input.value("VoiceConnector").cloned()),
            ]);
            done(control.update_global_settings(caller, &said).await)
        }
        _ => call.missing(),
    }
}

/// The answer of what has nothing to say.
pub(super) fn done(result: Result<(), Refusal>) -> Result<Value, Refusal> {
    result.map(|()| json!({}))
}

fn shape(account: &Account) -> Value {
    let groups: Vec<Value> = group_names(account)
        .into_iter()
        .map(|name| json!({"GroupName": name}))
        .collect();
    json!({
        "AwsAccountId": account.owner,
        "AccountId": account.account_id,
        "Name": account.name,
        "AccountType": account.account_type,
        "CreatedTimestamp": time(account.created_ms),
        "DefaultLicense": account.default_license,
        "SupportedLicenses": ["Basic", "Pro"],
        "AccountStatus": "Active",
        "SigninDelegateGroups": groups,
    })
}

fn retention(stored: &Value) -> Value {
    present([
        (
            "RetentionSettings",
            stored.get("RetentionSettings").cloned(),
        ),
        (
            "InitiateDeletionTimestamp",
            stored
                .get("InitiateDeletionMs")
                .and_then(Value::as_i64)
                .map(time),
        ),
    ])
}
