//! `campanile admin domain`: what accounts claim, and how they prove it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, path};
use super::table::text;
use super::{Output, Told};

#[derive(Subcommand, Debug)]
pub(super) enum DomainVerb {
    /// Claim a domain; print the TXT record to add to it.
    Claim {
        /// The directory account's `AccountId`.
        #[arg(value_name = "ACCOUNT")]
        whose: String,
        /// The domain.
        name: String,
    },
    /// Look for the TXT record. An account with a verified domain is an Enterprise account.
    Verify {
        /// The directory account's `AccountId`.
        #[arg(value_name = "ACCOUNT")]
        whose: String,
        /// The domain.
        name: String,
    },
    /// List an account's domains.
    List {
        /// The directory account's `AccountId`.
        #[arg(value_name = "ACCOUNT")]
        whose: String,
    },
    /// Give a domain up; its users are signed out and released.
    Remove {
        /// The directory account's `AccountId`.
        #[arg(value_name = "ACCOUNT")]
        whose: String,
        /// The domain.
        name: String,
    },
}

pub(super) fn domain(verb: &DomainVerb, client: &Client) -> Told {
    let folder = |whose: &str| path(&["campanile", "accounts", whose, "domains"]);
    let told = match verb {
        DomainVerb::Claim { whose, name } => client.post(&folder(whose), json!({"Name": name}))?,
        DomainVerb::Verify { whose, name } => {
            let place = folder(whose) + &path(&[name]) + "?operation=verify";
            client.post(&place, json!({}))?
        }
        DomainVerb::List { whose } => client.get(&folder(whose))?,
        DomainVerb::Remove { whose, name } => client.delete(&(folder(whose) + &path(&[name])))?,
    };
    let domain = told.get("Domain").unwrap_or(&Value::Null);
    let member = |name| text(domain, name);
    let for_people = match verb {
        DomainVerb::Claim { .. } => format!(
            "Add this TXT record, then verify the domain:\n{}  TXT  \"{}\"",
            member("RecordName"),
            member("RecordValue")
        ),
        DomainVerb::Verify { .. } => format!("{}: {}", member("Name"), member("Status")),
        DomainVerb::List { .. } => {
            let columns = ["Name", "Status", "RecordName", "RecordValue"];
            return Ok(Output::table(told, "Domains", &columns));
        }
        DomainVerb::Remove { .. } => format!(
            "removed; {} users released, {} stay suspended",
            told["ReleasedUsers"], told["SuspendedUsers"]
        ),
    };
    Ok(Output::new(told, for_people))
}
