//! The nouns of access: accounts, users, roles, keys, policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{AdminError, Client, path};
use super::table::text;
use super::{Output, Told, read};
use crate::control::access::Managed;

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
    },
    /// List accounts.
    List,
}

#[derive(Subcommand, Debug)]
pub(super) enum UserVerb {
    /// Make a user, who may do nothing before a policy says so.
    Create {
        /// The name: letters, digits and any of _+=,.@-
        name: String,
    },
    /// List users.
    List,
    /// Remove a user with keys, policies and sessions.
    Delete {
        /// The name.
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyVerb {
    /// Make a key for a user, the first or one to change to; its secret is told only now.
    Create {
        /// The user's name.
        user: String,
    },
    /// List access keys, without their secrets.
    List {
        /// Only of this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Take a key out of use until it is activated again.
    Deactivate {
        /// Its id.
        id: String,
    },
    /// Put a key that was deactivated into use again.
    Activate {
        /// Its id.
        id: String,
    },
    /// Take a key out of use for good.
    Delete {
        /// Its id.
        id: String,
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
    },
    /// List roles.
    List,
    /// Remove a role; the sessions of those who took it end.
    Delete {
        /// The name.
        name: String,
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
    },
    /// Take a policy from a user or role.
    Detach {
        /// The name or ARN of a managed one, or the name of its own.
        policy: String,
        #[command(flatten)]
        whom: Whom,
    },
    /// Give a user or role a policy of its own, in place of one of that name.
    Put {
        /// Its name.
        policy: String,
        /// A JSON file; "-" reads it from standard input.
        file: PathBuf,
        #[command(flatten)]
        whom: Whom,
    },
    /// Print a managed policy, or one of a user's or role's own.
    Show {
        /// Its name or ARN.
        policy: String,
        #[command(flatten)]
        whom: Whom,
    },
    /// List the managed policies, or those of a user or role.
    List {
        #[command(flatten)]
        whom: Whom,
    },
}

const PRINCIPAL: [&str; 4] = ["Name", "Id", "Arn", "CreateDate"];

pub(super) fn account(verb: &AccountVerb, client: &Client) -> Told {
    match verb {
        AccountVerb::Create { name, id } => {
            let asked = json!({"Name": name, "AccountId": id});
            let made = client.post("/campanile/owners", asked)?;
            let id = text(made.get("Account").unwrap_or(&Value::Null), "AccountId");
            let told = format!("{:<20}{id}\n{}", "AccountId", key(&made));
            Ok(Output::new(made, told))
        }
        AccountVerb::List => {
            let found = client.get("/campanile/owners")?;
            let columns = ["AccountId", "Name", "CreateDate"];
            Ok(Output::table(found, "Accounts", &columns))
        }
    }
}

pub(super) fn user(verb: &UserVerb, client: &Client) -> Told {
    match verb {
        UserVerb::Create { name } => {
            let made = client.put(&path(&["campanile", "users", name]), json!({}))?;
            let told = arn(&made, "User");
            Ok(Output::new(made, told))
        }
        UserVerb::List => {
            let found = client.get("/campanile/users")?;
            Ok(Output::table(found, "Users", &PRINCIPAL))
        }
        UserVerb::Delete { name } => {
            let done = client.delete(&path(&["campanile", "users", name]))?;
            Ok(Output::new(done, format!("user {name} is gone")))
        }
    }
}

pub(super) fn keys(verb: &KeyVerb, client: &Client) -> Told {
    let set = |id: &str, status: &str| {
        let place = path(&["campanile", "keys", id]);
        let done = client.put(&place, json!({"Status": status}))?;
        let told = format!("key {id} is {}", status.to_lowercase());
        Ok(Output::new(done, told))
    };
    match verb {
        KeyVerb::Create { user } => {
            let made = client.post(&path(&["campanile", "users", user, "keys"]), json!({}))?;
            let told = key(&made);
            Ok(Output::new(made, told))
        }
        KeyVerb::List { user } => {
            let found = match user {
                Some(user) => client.get(&path(&["campanile", "users", user, "keys"]))?,
                None => client.get("/campanile/keys")?,
            };
            let columns = [
                "AccessKeyId",
                "UserName",
                "Status",
                "CreateDate",
                "LastUsedDate",
            ];
            Ok(Output::table(found, "AccessKeys", &columns))
        }
        KeyVerb::Deactivate { id } => set(id, "Inactive"),
        KeyVerb::Activate { id } => set(id, "Active"),
        KeyVerb::Delete { id } => {
            let done = client.delete(&path(&["campanile", "keys", id]))?;
            Ok(Output::new(
                done,
                format!("key {id} is out of use for good"),
            ))
        }
    }
}

pub(super) fn role(verb: &RoleVerb, client: &Client) -> Told {
    match verb {
        RoleVerb::Create {
            name,
            trust,
            max_session,
        } => {
            let trust = read(trust)?;
            let asked =
                json!({"AssumeRolePolicyDocument": trust, "MaxSessionDuration": max_session});
            let made = client.put(&path(&["campanile", "roles", name]), asked)?;
            let told = arn(&made, "Role");
            Ok(Output::new(made, told))
        }
        RoleVerb::List => {
            let found = client.get("/campanile/roles")?;
            Ok(Output::table(found, "Roles", &PRINCIPAL))
        }
        RoleVerb::Delete { name } => {
            let done = client.delete(&path(&["campanile", "roles", name]))?;
            Ok(Output::new(done, format!("role {name} is gone")))
        }
    }
}

pub(super) fn policy(verb: &PolicyVerb, client: &Client) -> Told {
    match verb {
        PolicyVerb::Attach { policy, whom } => {
            let place = whom.policy(policy)? + "?operation=attach";
            let done = client.put(&place, json!({}))?;
            let told = format!("{} is attached", text(&done, "PolicyArn"));
            Ok(Output::new(done, told))
        }
        PolicyVerb::Detach { policy, whom } => {
            // No policy of one's own has the name of a managed one.
            let and = match Managed::find(policy) {
                Some(_) => "?operation=detach",
                None => "",
            };
            let done = client.delete(&(whom.policy(policy)? + and))?;
            Ok(Output::new(done, format!("{policy} is detached")))
        }
        PolicyVerb::Put { policy, file, whom } => {
            let asked = json!({"PolicyDocument": read(file)?});
            let done = client.put(&whom.policy(policy)?, asked)?;
            let warnings = done.get("Warnings").and_then(Value::as_array);
            let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
            let told = warnings.fold(format!("{policy} is set"), |told, warning| {
                format!("{told}\nwarning: {warning}")
            });
            Ok(Output::new(done, told))
        }
        PolicyVerb::Show { policy, whom } => {
            let found = match Managed::find(policy) {
                Some(_) => client.get(&path(&["campanile", "policies", policy]))?,
                None => client.get(&whom.policy(policy)?)?,
            };
            let document = found.get("PolicyDocument").and_then(Value::as_str);
            let told = document.unwrap_or_default().trim_end().to_owned();
            Ok(Output::new(found, told))
        }
        PolicyVerb::List { whom } => {
            let found = match whom.folder() {
                Some(folder) => client.get(&folder)?,
                None => client.get("/campanile/policies")?,
            };
            Ok(Output::table(found, "Policies", &["PolicyName", "Type"]))
        }
    }
}

impl Whom {
    /// Where the policies of the user or role are, if one is named.
    fn folder(&self) -> Option<String> {
        let (kind, name) = match (&self.user, &self.role) {
            (Some(user), _) => ("users", user),
            (None, Some(role)) => ("roles", role),
            (None, None) => return None,
        };
        Some(path(&["campanile", kind, name, "policies"]))
    }

    /// Where one policy of the user or role is.
    fn policy(&self, name: &str) -> Result<String, AdminError> {
        let folder = self.folder().ok_or_else(|| {
            AdminError::Usage("say whose policy it is, with --user or --role".to_owned())
        })?;
        Ok(folder + &path(&[name]))
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
