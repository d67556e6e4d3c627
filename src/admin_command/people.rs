//! `campanile admin person`: the people of a directory account, whom the old API calls users.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, path, query};
use super::table::{details, table};
use super::{Output, Told, all_done};

#[derive(Subcommand, Debug)]
pub(super) enum PersonVerb {
    /// Invite people by their addresses.
    Invite {
        /// The directory account.
        directory: String,
        /// Their addresses.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Make a registered person, without an invitation.
    Create {
        /// The directory account.
        directory: String,
        /// Their name.
        #[arg(long)]
        name: Option<String>,
        /// Their address.
        #[arg(long, required_unless_present = "name")]
        email: Option<String>,
    },
    /// List people.
    List {
        /// The directory account.
        directory: String,
        /// Only who has this address.
        #[arg(long)]
        email: Option<String>,
    },
    /// Print all about somebody.
    Show {
        /// The directory account.
        directory: String,
        /// The `UserId`.
        person: String,
    },
    /// Set somebody's licence: Basic or Pro.
    License {
        /// The directory account.
        directory: String,
        /// The `UserId`.
        person: String,
        /// The licence.
        license: String,
    },
    /// Suspend people of an enterprise, or remove those of a team.
    Suspend {
        /// The directory account.
        directory: String,
        /// The `UserId`s.
        #[arg(required = true)]
        people: Vec<String>,
    },
    /// Undo that for people of an enterprise.
    Unsuspend {
        /// The directory account.
        directory: String,
        /// The `UserId`s.
        #[arg(required = true)]
        people: Vec<String>,
    },
    /// Log somebody out everywhere.
    Logout {
        /// The directory account.
        directory: String,
        /// The `UserId`.
        person: String,
    },
    /// Give somebody another personal meeting PIN; meetings with the old one must be updated.
    ResetPin {
        /// The directory account.
        directory: String,
        /// The `UserId`.
        person: String,
    },
}

pub(super) fn person(verb: &PersonVerb, client: &Client) -> Told {
    let folder = |directory: &str| path(&["accounts", directory, "users"]);
    let one = |directory: &str, person: &str| folder(directory) + &path(&[person]);
    match verb {
        PersonVerb::Invite {
            directory,
            addresses,
        } => {
            let asked = json!({"UserEmailList": addresses});
            let done = client.post(&(folder(directory) + "?operation=add"), asked)?;
            let columns = ["EmailAddress", "Status", "EmailStatus", "InviteId"];
            let told = table(&columns, done.get("Invites"));
            Ok(Output::new(done, told))
        }
        PersonVerb::Create {
            directory,
            name,
            email,
        } => {
            let asked = json!({"Username": name, "Email": email});
            let made = client.post(&(folder(directory) + "?operation=create"), asked)?;
            Ok(shown(made))
        }
        PersonVerb::List { directory, email } => {
            let asked = query(&[("user-email", email.as_deref())]);
            let found = client.all(&(folder(directory) + &asked), "Users")?;
            let columns = [
                "UserId",
                "DisplayName",
                "PrimaryEmail",
                "LicenseType",
                "UserRegistrationStatus",
            ];
            Ok(Output::table(found, "Users", &columns))
        }
        PersonVerb::Show { directory, person } => Ok(shown(client.get(&one(directory, person))?)),
        PersonVerb::License {
            directory,
            person,
            license,
        } => {
            let asked = json!({"LicenseType": license});
            Ok(shown(client.post(&one(directory, person), asked)?))
        }
        PersonVerb::Suspend { directory, people } => {
            many(client, &folder(directory), "suspend", people, "suspended")
        }
        PersonVerb::Unsuspend { directory, people } => {
            many(client, &folder(directory), "unsuspend", people, "back")
        }
        PersonVerb::Logout { directory, person } => {
            let place = one(directory, person) + "?operation=logout";
            let done = client.post(&place, json!({}))?;
            Ok(Output::new(done, format!("{person} is logged out")))
        }
        PersonVerb::ResetPin { directory, person } => {
            let place = one(directory, person) + "?operation=reset-personal-pin";
            Ok(shown(client.post(&place, json!({}))?))
        }
    }
}

fn many(client: &Client, folder: &str, operation: &str, people: &[String], what: &str) -> Told {
    let place = format!("{folder}?operation={operation}");
    let done = client.post(&place, json!({"UserIdList": people}))?;
    all_done(&done, "UserErrors", "UserId")?;
    Ok(Output::new(done, format!("{} {what}", people.join(" "))))
}

fn shown(found: Value) -> Output {
    let person = found.get("User").unwrap_or(&Value::Null);
    let fields = [
        "UserId",
        "DisplayName",
        "PrimaryEmail",
        "UserType",
        "LicenseType",
        "UserRegistrationStatus",
        "UserInvitationStatus",
        "PrimaryProvisionedNumber",
        "PersonalPIN",
        "RegisteredOn",
        "InvitedOn",
    ];
    let told = details(person, &fields);
    Output::new(found, told)
}
