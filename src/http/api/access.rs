//! API users, roles, their keys and policies in JSON.

use serde_json::{Value, json};

use super::dispatch::{Call, present, time};
use crate::control::Refusal;
use crate::control::access::Managed;
use crate::control::access::managed::MANAGED;
use crate::store::{AccessKey, Principal, PrincipalKind};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let account = caller.account_id.as_str();
    let user = input.required("UserName");
    let role = input.required("RoleName");
    let key_id = input.required("AccessKeyId");
    match call.name {
        "CreateApiUser" => {
            let made = control.create_api_user(account, user).await?;
            Ok(json!({"User": principal(&made)}))
        }
        "ListApiUsers" => list(call, PrincipalKind::User, "Users").await,
        "DeleteApiUser" => {
            control
                .delete_principal(account, PrincipalKind::User, user)
                .await?;
            Ok(json!({"UserName": user}))
        }
        "CreateRole" => {
            let trust = input.required("AssumeRolePolicyDocument");
            let seconds = input.number("MaxSessionDuration").unwrap_or(3600);
            let made = control.create_role(account, role, trust, seconds).await?;
            Ok(json!({"Role": principal(&made)}))
        }
        "ListRoles" => list(call, PrincipalKind::Role, "Roles").await,
        "DeleteRole" => {
            control
                .delete_principal(account, PrincipalKind::Role, role)
                .await?;
            Ok(json!({"RoleName": role}))
        }
        "CreateAccessKey" => {
            let made = control.create_key(account, user).await?;
            Ok(json!({"AccessKey": key_with_secret(&made)}))
        }
        "ListAccessKeys" => Ok(keys(&control.store.access_keys(account).await?)),
        "ListAccessKeysOfUser" => {
            let found = control
                .principal(account, PrincipalKind::User, user)
                .await?;
            let of = control.store.access_keys_of(&found.principal_id);
            Ok(keys(&of.await?))
        }
        "UpdateAccessKey" => {
            let active = input.required("Status") == "Active";
            control.set_key_active(account, key_id, active).await?;
            Ok(json!({"AccessKeyId": key_id}))
        }
        "DeleteAccessKey" => {
            control.delete_key(account, key_id).await?;
            Ok(json!({"AccessKeyId": key_id}))
        }
        "ListPolicies" => {
            let listed: Vec<Value> = MANAGED
                .iter()
                .map(|managed| json!({"PolicyName": managed.arn(), "Type": "Managed"}))
                .collect();
            Ok(json!({"Policies": listed}))
        }
        "GetPolicy" => {
            let found = Managed::find(input.required("PolicyName"));
            let managed = found.ok_or(Refusal::NotFound("the policy"))?;
            Ok(json!({"PolicyName": managed.arn(), "PolicyDocument": managed.document}))
        }
        name if name.contains("User") => {
            policies(call, account, PrincipalKind::User, user, "User").await
        }
        _ => policies(call, account, PrincipalKind::Role, role, "Role").await,
    }
}

/// The policies of a user or role: the same six operations for both.
async fn policies(
    call: &Call<'_>,
    account: &str,
    kind: PrincipalKind,
    name: &str,
    word: &str,
) -> Result<Value, Refusal> {
    let Call { control, input, .. } = call;
    let whose = control.principal(account, kind, name).await?;
    let policy = input.required("PolicyName");
    let verb = call.name.split(word).next().unwrap_or_default();
    match verb {
        "List" => {
            let found = control.store.policies_of(&whose.principal_id).await?;
            let listed: Vec<Value> = found
                .iter()
                .map(|policy| {
                    let kind = policy.document.as_ref().map_or("Managed", |_| "Inline");
                    json!({"PolicyName": policy.name, "Type": kind})
                })
                .collect();
            Ok(json!({"Policies": listed}))
        }
        "Get" => {
            let found = control.store.policies_of(&whose.principal_id).await?;
            let own = found.into_iter().find(|own| own.name == policy);
            let document = own.and_then(|own| own.document);
            let document = document.ok_or(Refusal::NotFound("the policy"))?;
            Ok(json!({"PolicyName": policy, "PolicyDocument": document}))
        }
        "Put" => {
            let document = input.required("PolicyDocument");
            let warnings = control.put_policy(&whose, policy, document).await?;
            Ok(json!({"PolicyName": policy, "Warnings": warnings}))
        }
        "Attach" => {
            let arn = control.attach_policy(&whose, policy).await?;
            Ok(json!({"PolicyArn": arn}))
        }
        "Detach" => {
            control.detach_policy(&whose, policy).await?;
            Ok(json!({"PolicyName": policy}))
        }
        "Delete" => {
            control.delete_policy(&whose, policy).await?;
            Ok(json!({"PolicyName": policy}))
        }
        _ => call.missing(),
    }
}

async fn list(call: &Call<'_>, kind: PrincipalKind, name: &str) -> Result<Value, Refusal> {
    let store = &call.control.store;
    let found = store.principals(&call.caller.account_id, kind).await?;
    let listed: Vec<Value> = found.iter().map(principal).collect();
    Ok(json!({name: listed}))
}

fn keys(found: &[AccessKey]) -> Value {
    let listed = found.iter().map(|found| key(found, None));
    json!({"AccessKeys": listed.collect::<Vec<_>>()})
}

fn principal(principal: &Principal) -> Value {
    json!({
        "Name": principal.name,
        "Id": principal.principal_id,
        "Arn": principal.arn(),
        "CreateDate": time(principal.created_ms),
    })
}

fn key(key: &AccessKey, secret: Option<&str>) -> Value {
    let status = match (key.revoked_ms, key.inactive_ms) {
        (Some(_), _) => "Deleted",
        (None, Some(_)) => "Inactive",
        (None, None) => "Active",
    };
    present([
        ("AccessKeyId", Some(json!(key.access_key_id))),
        ("UserName", Some(json!(key.user_name))),
        ("Status", Some(json!(status))),
        ("CreateDate", Some(time(key.created_ms))),
        ("LastUsedDate", key.last_used_ms.map(time)),
        ("SecretAccessKey", secret.map(|secret| json!(secret))),
    ])
}

/// A new key with its secret, which is told this once.
pub(super) fn key_with_secret(made: &AccessKey) -> Value {
    key(made, Some(made.secret_access_key.expose()))
}
