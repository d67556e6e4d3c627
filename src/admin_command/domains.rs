//! `campanile admin domain`: what accounts claim, and how they prove it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::{pretty, table, text};
use super::{AdminError, Answer};

/// Whose domains, and how to print.
#[derive(Args, Debug)]
pub(super) struct Whose {
    /// The account's `AccountId`, as ListAccounts tells it.
    account: String,
    /// Whose account it is, if not the deployment's own: twelve digits.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum DomainVerb {
    /// Claim a domain; print the TXT record to add to it.
    Claim {
        #[command(flatten)]
        whose: Whose,
        /// The domain.
        name: String,
    },
    /// Look for the TXT record. An account with a verified domain is an Enterprise account.
    Verify {
        #[command(flatten)]
        whose: Whose,
        /// The domain.
        name: String,
    },
    /// List an account's domains.
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Give a domain up; its users are signed out and released.
    Remove {
        #[command(flatten)]
        whose: Whose,
        /// The domain.
        name: String,
    },
}

/// What is to be printed.
pub(super) fn domain(
    verb: &DomainVerb,
    ask: &dyn Fn(&str, Value) -> Answer,
) -> Result<String, AdminError> {
    let (operation, whose, name) = match verb {
        DomainVerb::Claim { whose, name } => ("Claim", whose, Some(name)),
        DomainVerb::Verify { whose, name } => ("Verify", whose, Some(name)),
        DomainVerb::List { whose } => ("List", whose, None),
        DomainVerb::Remove { whose, name } => ("Remove", whose, Some(name)),
    };
    let asked = json!({"AccountId": whose.account, "Owner": whose.owner, "Name": name});
    let told = ask(operation, asked)?;
    if whose.json {
        return Ok(pretty(&told));
    }
    let domain = told.get("Domain").unwrap_or(&Value::Null);
    let member = |name| text(domain, name);
    Ok(match verb {
        DomainVerb::Claim { .. } => format!(
            "Add this TXT record, then verify the domain:\n{}  TXT  \"{}\"",
            member("RecordName"),
            member("RecordValue")
        ),
        DomainVerb::Verify { .. } => format!("{}: {}", member("Name"), member("Status")),
        DomainVerb::List { .. } => table(
            &["Name", "Status", "RecordName", "RecordValue"],
            told.get("Domains"),
        ),
        DomainVerb::Remove { .. } => format!(
            "removed; {} users released, {} stay suspended",
            told["ReleasedUsers"], told["SuspendedUsers"]
        ),
    })
}
