//! The nouns of access: accounts, users, roles, keys, policies.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::{pretty, table, text};
use super::{AdminError, Answer};

/// In which account, and how to print.
#[derive(Args, Debug)]
pub(super) struct Common {
    /// Another account than the deployment's own.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Whose policies.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct Whom {
    /// Of a user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Of a role.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(super) enum AccountVerb {
    /// Make an account of its own with an administrator; print their key, whose secret is told only now.
    Create {
        /// What people call it.
        name: String,
        /// Its twelve digits, if not any.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List accounts.
    List {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum UserVerb {
    /// Make a user, who may do nothing before a policy says so.
    Create {
        /// The name: letters, digits and any of _+=,.@-
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// List users.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Remove a user with keys, policies and sessions.
    Delete {
        /// The name.
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyVerb {
    /// Make a key for a user, the first or one to change to; its secret is told only now.
    Create {
        /// The user's name.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// List access keys, without their secrets.
    List {
        /// Only of this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Take a key out of use until it is activated again.
    Deactivate {
        /// Its id.
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Put a key that was deactivated into use again.
    Activate {
        /// Its id.
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Take a key out of use for good.
    Delete {
        /// Its id.
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum RoleVerb {
    /// Make a role that others may take.
    Create {
        /// The name: letters, digits and any of _+=,.@-
        name: String,
        /// The trust policy that says who may, a JSON file; "-" reads it from standard input.
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// How long a session may last, 3600 to 43200 seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        max_session: i64,
        #[command(flatten)]
        common: Common,
    },
    /// List roles.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Remove a role; the sessions of those who took it end.
    Delete {
        /// The name.
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum PolicyVerb {
    /// Give a user or role a managed policy.
    Attach {
        /// Its name or ARN, such as AmazonChimeReadOnly.
        policy: String,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        common: Common,
    },
    /// Take a policy from a user or role.
    Detach {
        /// The name or ARN of a managed one, or the name of its own.
        policy: String,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        common: Common,
    },
    /// Give a user or role a policy of its own, in place of one of that name.
    Put {
        /// Its name.
        policy: String,
        /// A JSON file; "-" reads it from standard input.
        file: PathBuf,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        common: Common,
    },
    /// Print a managed policy, or one of a user's or role's own.
    Show {
        /// Its name or ARN.
        policy: String,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        common: Common,
    },
    /// List the managed policies, or those of a user or role.
    List {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        common: Common,
    },
}

/// Sends an operation and its parameters to the server.
type Ask<'a> = &'a dyn Fn(&str, Value) -> Answer;

const PRINCIPAL: [&str; 4] = ["Name", "Id", "Arn", "CreateDate"];

pub(super) fn account(verb: &AccountVerb, ask: Ask<'_>) -> Result<String, AdminError> {
    match verb {
        AccountVerb::Create { name, id, json } => {
            let made = ask("CreateAccount", json!({"Name": name, "AccountId": id}))?;
            if *json {
                return Ok(pretty(&made));
            }
            let id = made.get("Account").map(|made| text(made, "AccountId"));
            let first = format!("{:<20}{}\n", "AccountId", id.unwrap_or_default());
            Ok(first + &key(&made))
        }
        AccountVerb::List { json } => {
            let found = ask("ListAccounts", json!({}))?;
            let columns = ["AccountId", "Name", "CreateDate"];
            Ok(listed(*json, &found, &columns, "Accounts"))
        }
    }
}

pub(super) fn user(verb: &UserVerb, ask: Ask<'_>) -> Result<String, AdminError> {
    match verb {
        UserVerb::Create { name, common } => {
            let made = ask("CreateUser", common.with(json!({"UserName": name})))?;
            Ok(common.print(&made, || arn(&made, "User")))
        }
        UserVerb::List { common } => {
            let found = ask("ListUsers", common.with(json!({})))?;
            Ok(listed(common.json, &found, &PRINCIPAL, "Users"))
        }
        UserVerb::Delete { name, common } => {
            let done = ask("DeleteUser", common.with(json!({"UserName": name})))?;
            Ok(common.print(&done, || format!("user {name} is gone")))
        }
    }
}

pub(super) fn keys(verb: &KeyVerb, ask: Ask<'_>) -> Result<String, AdminError> {
    let set = |id: &str, status: &str, common: &Common| {
        let asked = json!({"AccessKeyId": id, "Status": status});
        let done = ask("UpdateAccessKey", common.with(asked))?;
        let told = || format!("key {id} is {}", status.to_lowercase());
        Ok(common.print(&done, told))
    };
    match verb {
        KeyVerb::Create { user, common } => {
            let made = ask("CreateAccessKey", common.with(json!({"UserName": user})))?;
            Ok(common.print(&made, || key(&made)))
        }
        KeyVerb::List { user, common } => {
            let found = ask("ListAccessKeys", common.with(json!({"UserName": user})))?;
            let columns = [
                "AccessKeyId",
                "UserName",
                "Status",
                "CreateDate",
                "LastUsedDate",
            ];
            Ok(listed(common.json, &found, &columns, "AccessKeys"))
        }
        KeyVerb::Deactivate { id, common } => set(id, "Inactive", common),
        KeyVerb::Activate { id, common } => set(id, "Active", common),
        KeyVerb::Delete { id, common } => {
            let done = ask("DeleteAccessKey", common.with(json!({"AccessKeyId": id})))?;
            Ok(common.print(&done, || format!("key {id} is out of use for good")))
        }
    }
}

pub(super) fn role(verb: &RoleVerb, ask: Ask<'_>) -> Result<String, AdminError> {
    match verb {
        RoleVerb::Create {
            name,
            trust,
            max_session,
            common,
        } => {
            let asked = json!({"RoleName": name, "AssumeRolePolicyDocument": read(trust)?,
                "MaxSessionDuration": max_session});
            let made = ask("CreateRole", common.with(asked))?;
            Ok(common.print(&made, || arn(&made, "Role")))
        }
        RoleVerb::List { common } => {
            let found = ask("ListRoles", common.with(json!({})))?;
            Ok(listed(common.json, &found, &PRINCIPAL, "Roles"))
        }
        RoleVerb::Delete { name, common } => {
            let done = ask("DeleteRole", common.with(json!({"RoleName": name})))?;
            Ok(common.print(&done, || format!("role {name} is gone")))
        }
    }
}

pub(super) fn policy(verb: &PolicyVerb, ask: Ask<'_>) -> Result<String, AdminError> {
    let asked = |policy: &str, whom: &Whom, common: &Common| {
        common.with(json!({"PolicyName": policy, "UserName": whom.user, "RoleName": whom.role}))
    };
    match verb {
        PolicyVerb::Attach {
            policy,
            whom,
            common,
        } => {
            let done = ask("AttachPolicy", asked(policy, whom, common))?;
            Ok(common.print(&done, || {
                format!("{} is attached", text(&done, "PolicyArn"))
            }))
        }
        PolicyVerb::Detach {
            policy,
            whom,
            common,
        } => {
            let done = ask("DetachPolicy", asked(policy, whom, common))?;
            Ok(common.print(&done, || format!("{policy} is detached")))
        }
        PolicyVerb::Put {
            policy,
            file,
            whom,
            common,
        } => {
            let mut body = asked(policy, whom, common);
            body["PolicyDocument"] = json!(read(file)?);
            let done = ask("PutPolicy", body)?;
            Ok(common.print(&done, || {
                let warnings = done.get("Warnings").and_then(Value::as_array);
                let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
                warnings.fold(format!("{policy} is set"), |told, warning| {
                    format!("{told}\nwarning: {warning}")
                })
            }))
        }
        PolicyVerb::Show {
            policy,
            whom,
            common,
        } => {
            let found = ask("GetPolicy", asked(policy, whom, common))?;
            Ok(common.print(&found, || {
                let document = found.get("PolicyDocument").and_then(Value::as_str);
                document.unwrap_or_default().trim_end().to_owned()
            }))
        }
        PolicyVerb::List { whom, common } => {
            let body = common.with(json!({"UserName": whom.user, "RoleName": whom.role}));
            let found = ask("ListPolicies", body)?;
            let columns = ["PolicyName", "Type"];
            Ok(listed(common.json, &found, &columns, "Policies"))
        }
    }
}

impl Common {
    /// The parameters, and the account where one is named.
    fn with(&self, mut body: Value) -> Value {
        if let Some(account) = &self.account {
            body["AccountId"] = json!(account);
        }
        body
    }

    fn print(&self, answer: &Value, for_people: impl FnOnce() -> String) -> String {
        if self.json {
            pretty(answer)
        } else {
            for_people()
        }
    }
}

fn listed(json: bool, found: &Value, columns: &[&str], field: &str) -> String {
    if json {
        pretty(found)
    } else {
        table(columns, found.get(field))
    }
}

fn key(made: &Value) -> String {
    let key = made.get("AccessKey").unwrap_or(&Value::Null);
    ["UserName", "AccessKeyId", "SecretAccessKey"]
        .map(|field| format!("{field:<20}{}", text(key, field)))
        .join("\n")
}

fn arn(made: &Value, field: &str) -> String {
    text(made.get(field).unwrap_or(&Value::Null), "Arn")
}

/// A document from a file, or from standard input.
fn read(path: &Path) -> Result<String, AdminError> {
    let unreadable = |error: std::io::Error| {
        AdminError::Refused(format!("{} cannot be read: {error}", path.display()))
    };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
