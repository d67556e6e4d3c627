//! Accounts, users, roles, keys and policies, as `campanile admin` asks for them: `POST /access/<operation>`.

use serde_json::{Value, json};

use crate::control::access::Managed;
use crate::control::access::managed::MANAGED;
use crate::control::{Control, Refusal};
use crate::store::{AccessKey, OwnerAccount, Principal, PrincipalKind};

/// Does one operation with the parameters in `body`.
pub(super) async fn perform(
    control: &Control,
    operation: &str,
    body: &Value,
) -> Result<Value, Refusal> {
    let asked = Asked { control, body };
    match operation {
        "CreateAccount" => {
            let id = asked.optional("AccountId")?;
            let made = control.create_owner_account(asked.required("Name")?, id);
            let (made, key) = made.await?;
            Ok(json!({"Account": account(&made), "AccessKey": key_with_secret(&key)}))
        }
        "ListAccounts" => {
            let found = control.store.owner_accounts().await?;
            let listed: Vec<Value> = found.iter().map(account).collect();
            Ok(json!({"Accounts": listed}))
        }
        "CreateUser" => {
            let account = asked.account().await?;
            let name = asked.required("UserName")?;
            let made = control.create_api_user(&account, name).await?;
            Ok(json!({"User": principal(&made)}))
        }
        "ListUsers" => asked.list(PrincipalKind::User, "Users").await,
        "DeleteUser" => asked.delete(PrincipalKind::User, "UserName").await,
        "CreateRole" => {
            let account = asked.account().await?;
            let trust = asked.required("AssumeRolePolicyDocument")?;
            let seconds = match body.get("MaxSessionDuration") {
                None | Some(Value::Null) => 3600,
                Some(seconds) => seconds
                    .as_i64()
                    .ok_or_else(|| invalid("MaxSessionDuration", "must be a whole number"))?,
            };
            let name = asked.required("RoleName")?;
            let made = control.create_role(&account, name, trust, seconds).await?;
            Ok(json!({"Role": principal(&made)}))
        }
        "ListRoles" => asked.list(PrincipalKind::Role, "Roles").await,
        "DeleteRole" => asked.delete(PrincipalKind::Role, "RoleName").await,
        "CreateAccessKey" => {
            let account = asked.account().await?;
            let user = asked.required("UserName")?;
            let made = control.create_key(&account, user).await?;
            Ok(json!({"AccessKey": key_with_secret(&made)}))
        }
        "ListAccessKeys" => {
            let found = control.store.access_keys(&asked.account().await?).await?;
            let user = asked.optional("UserName")?;
            let listed: Vec<Value> = found
                .iter()
                .filter(|key| user.is_none_or(|user| key.user_name.eq_ignore_ascii_case(user)))
                .map(key)
                .collect();
            Ok(json!({"AccessKeys": listed}))
        }
        "UpdateAccessKey" => {
            let active = match asked.required("Status")? {
                "Active" => true,
                "Inactive" => false,
                _ => return Err(invalid("Status", "must be Active or Inactive")),
            };
            let account = asked.account().await?;
            let id = asked.required("AccessKeyId")?;
            control.set_key_active(&account, id, active).await?;
            Ok(json!({"AccessKeyId": id}))
        }
        "DeleteAccessKey" => {
            let account = asked.account().await?;
            let id = asked.required("AccessKeyId")?;
            control.delete_key(&account, id).await?;
            Ok(json!({"AccessKeyId": id}))
        }
        "AttachPolicy" => {
            let whose = asked.principal().await?;
            let name = asked.required("PolicyName")?;
            let arn = control.attach_policy(&whose, name).await?;
            Ok(json!({"PolicyArn": arn}))
        }
        "DetachPolicy" => {
            let whose = asked.principal().await?;
            let name = asked.required("PolicyName")?;
            control.detach_policy(&whose, name).await?;
            Ok(json!({"PolicyName": name}))
        }
        "PutPolicy" => {
            let whose = asked.principal().await?;
            let name = asked.required("PolicyName")?;
            let document = asked.required("PolicyDocument")?;
            let warnings = control.put_policy(&whose, name, document).await?;
            Ok(json!({"PolicyName": name, "Warnings": warnings}))
        }
        "ListPolicies" if asked.names_somebody()? => {
            let whose = asked.principal().await?;
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
        "ListPolicies" => {
            let listed: Vec<Value> = MANAGED
                .iter()
                .map(|managed| json!({"PolicyName": managed.arn(), "Type": "Managed"}))
                .collect();
            Ok(json!({"Policies": listed}))
        }
        "GetPolicy" => asked.policy().await,
        _ => Err(Refusal::NotFound("the operation")),
    }
}

/// The parameters of one operation.
struct Asked<'a> {
    control: &'a Control,
    body: &'a Value,
}

impl<'a> Asked<'a> {
    fn optional(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(name, "must be a text")),
        }
    }

    fn required(&self, name: &str) -> Result<&'a str, Refusal> {
        self.optional(name)?
            .ok_or_else(|| invalid(name, "is required"))
    }

    /// The account that is meant; the deployment's own where none is named.
    async fn account(&self) -> Result<String, Refusal> {
        let own = self.control.deployment.account_id.as_str();
        let id = self.optional("AccountId")?.unwrap_or(own);
        Ok(self.control.owner_account(id).await?.account_id)
    }

    fn names_somebody(&self) -> Result<bool, Refusal> {
        Ok(self.optional("UserName")?.is_some() || self.optional("RoleName")?.is_some())
    }

    /// The user or role that is meant.
    async fn principal(&self) -> Result<Principal, Refusal> {
        let account = self.account().await?;
        let (kind, name) = match (self.optional("UserName")?, self.optional("RoleName")?) {
            (Some(user), None) => (PrincipalKind::User, user),
            (None, Some(role)) => (PrincipalKind::Role, role),
            _ => return Err(invalid("UserName", "is required, or RoleName, not both")),
        };
        self.control.principal(&account, kind, name).await
    }

    async fn list(&self, kind: PrincipalKind, name: &str) -> Result<Value, Refusal> {
        let account = self.account().await?;
        let found = self.control.store.principals(&account, kind).await?;
        let listed: Vec<Value> = found.iter().map(principal).collect();
        Ok(json!({name: listed}))
    }

    async fn delete(&self, kind: PrincipalKind, field: &str) -> Result<Value, Refusal> {
        let account = self.account().await?;
        let name = self.required(field)?;
        self.control.delete_principal(&account, kind, name).await?;
        Ok(json!({field: name}))
    }

    /// A managed policy, or one of a user's or role's own.
    async fn policy(&self) -> Result<Value, Refusal> {
        let name = self.required("PolicyName")?;
        if self.names_somebody()? {
            let whose = self.principal().await?;
            let found = self.control.store.policies_of(&whose.principal_id).await?;
            let own = found.into_iter().find(|policy| policy.name == name);
            if let Some(document) = own.and_then(|policy| policy.document) {
                return Ok(json!({"PolicyName": name, "PolicyDocument": document}));
            }
        }
        let managed = Managed::find(name).ok_or(Refusal::NotFound("the policy"))?;
        Ok(json!({"PolicyName": managed.arn(), "PolicyDocument": managed.document}))
    }
}

fn account(account: &OwnerAccount) -> Value {
    json!({"AccountId": account.account_id, "Name": account.name, "CreateDate": stamp(account.created_ms)})
}

fn principal(principal: &Principal) -> Value {
    json!({
        "Name": principal.name,
        "Id": principal.principal_id,
        "Arn": principal.arn(),
        "CreateDate": stamp(principal.created_ms),
    })
}

/// A key without its secret.
fn key(key: &AccessKey) -> Value {
    let status = match (key.revoked_ms, key.inactive_ms) {
        (Some(_), _) => "Deleted",
        (None, Some(_)) => "Inactive",
        (None, None) => "Active",
    };
    json!({
        "AccessKeyId": key.access_key_id,
        "UserName": key.user_name,
        "Status": status,
        "CreateDate": stamp(key.created_ms),
        "LastUsedDate": key.last_used_ms.map(stamp),
    })
}

/// A new key with its secret, which is told this once.
fn key_with_secret(made: &AccessKey) -> Value {
    let mut told = key(made);
    told["SecretAccessKey"] = json!(made.secret_access_key.expose());
    told
}

fn stamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .unwrap_or_default()
        .to_string()
}

fn invalid(field: &str, rule: &str) -> Refusal {
    Refusal::Invalid {
        field: field.to_owned(),
        rule: rule.to_owned(),
    }
}
