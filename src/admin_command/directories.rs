//! `campanile admin directory`: the accounts that people are in, as the old API has them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, path};
use super::table::{details, text};
use super::{Output, Told};

#[derive(Subcommand, Debug)]
pub(super) enum DirectoryVerb {
    /// Make a team. It becomes an enterprise by proving a domain.
    Create {
        /// What people call it.
        name: String,
    },
    /// List directory accounts.
    List,
    /// Print all about one.
    Show {
        /// Its `AccountId`.
        id: String,
    },
    /// Give one another name.
    Rename {
        /// Its `AccountId`.
        id: String,
        /// What people will call it.
        name: String,
    },
    /// Delete one: a team without people, or an enterprise without domains.
    Delete {
        /// Its `AccountId`.
        id: String,
    },
}

pub(super) fn directory(verb: &DirectoryVerb, client: &Client) -> Told {
    match verb {
        DirectoryVerb::Create { name } => {
            Ok(shown(client.post("/accounts", json!({"Name": name}))?))
        }
        DirectoryVerb::List => {
            let found = client.all("/accounts", "Accounts")?;
            let columns = ["AccountId", "Name", "AccountType", "CreatedTimestamp"];
            Ok(Output::table(found, "Accounts", &columns))
        }
        DirectoryVerb::Show { id } => Ok(shown(client.get(&path(&["accounts", id]))?)),
        DirectoryVerb::Rename { id, name } => {
            let done = client.post(&path(&["accounts", id]), json!({"Name": name}))?;
            Ok(shown(done))
        }
        DirectoryVerb::Delete { id } => {
            client.delete(&path(&["accounts", id]))?;
            let told = format!("directory account {id} is gone");
            Ok(Output::new(json!({"AccountId": id}), told))
        }
    }
}

fn shown(found: Value) -> Output {
    let account = found.get("Account").unwrap_or(&Value::Null);
    let fields = [
        "AccountId",
        "Name",
        "AccountType",
        "DefaultLicense",
        "CreatedTimestamp",
    ];
    let told = match account {
        Value::Null => text(&found, "AccountId"),
        account => details(account, &fields),
    };
    Output::new(found, told)
}
