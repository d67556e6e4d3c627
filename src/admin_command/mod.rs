//! `campanile admin`: administration of a running server, through the socket in its data folder or, from anywhere, by its
//! signed API. Both ways have the same operations.

mod access;
mod client;
mod connectors;
mod directories;
mod domains;
mod meetings;
mod numbers;
mod objects;
mod people;
mod remote;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::config::{self, Config, Sources};
use crate::control::access::policy::MOST_OCTETS;
use crate::http::admin::SOCKET;
use client::{AdminError, Client, Way};
use remote::Remote;
use table::{pretty, table, text};

/// Arguments of `campanile admin`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The server's configuration file, to find its data folder.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "endpoint")]
    config: Option<PathBuf>,
    /// The running server's data folder.
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "endpoint")]
    data: Option<PathBuf>,
    /// A server elsewhere, such as https://meet.example.org; the key is that of `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY` and, of temporary ones, `AWS_SESSION_TOKEN`.
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<String>,
    /// The certificates to believe, PEM; else `AWS_CA_BUNDLE`'s, else the system's. Of a server that made its own it is
    /// `<data>/tls/certificate.pem`.
    #[arg(long, global = true, value_name = "FILE", requires = "endpoint")]
    ca: Option<PathBuf>,
    /// The account to act in, if not one's own; of the socket that is the deployment's.
    #[arg(long, global = true, value_name = "ID", alias = "owner")]
    account: Option<String>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand, Debug)]
enum Noun {
    /// Meetings.
    #[command(subcommand)]
    Meeting(meetings::MeetingVerb),
    /// Phone numbers: searched, ordered, assigned, released.
    #[command(subcommand)]
    Number(numbers::NumberVerb),
    /// Voice connectors: SIP trunks of phone systems.
    #[command(subcommand)]
    Connector(connectors::ConnectorVerb),
    /// Directory accounts: the teams and enterprises of an account, which people are in.
    #[command(subcommand)]
    Directory(directories::DirectoryVerb),
    /// People of a directory account. They are who meets and calls; API users are who administers.
    #[command(subcommand)]
    Person(people::PersonVerb),
    /// Accounts, isolated from each other.
    #[command(subcommand)]
    Account(access::AccountVerb),
    /// API users.
    #[command(subcommand)]
    User(access::UserVerb),
    /// Access keys of API users.
    #[command(subcommand)]
    Key(access::KeyVerb),
    /// Roles that API callers may take.
    #[command(subcommand)]
    Role(access::RoleVerb),
    /// What users and roles may do.
    #[command(subcommand)]
    Policy(access::PolicyVerb),
    /// Domains that directory accounts claim.
    #[command(subcommand)]
    Domain(domains::DomainVerb),
    /// Objects that are kept: call records, recordings and the like.
    #[command(subcommand)]
    Object(objects::ObjectVerb),
}

/// What a verb has to say, to programs and to people.
struct Output {
    answer: Value,
    for_people: String,
}

/// That, or why there is nothing.
type Told = Result<Output, AdminError>;

impl Output {
    fn new(answer: Value, for_people: String) -> Self {
        Self { answer, for_people }
    }

    /// A list's members as a table.
    fn table(answer: Value, field: &str, columns: &[&str]) -> Self {
        let for_people = table(columns, answer.get(field));
        Self { answer, for_people }
    }
}

/// The errors of an operation on many things, if it had any, in one line.
fn all_done(done: &Value, field: &str, id: &str) -> Result<(), AdminError> {
    let failed: Vec<String> = done
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|error| format!("{}: {}", text(error, id), text(error, "ErrorMessage")))
        .collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(AdminError::Refused(failed.join("; "))),
    }
}

/// Runs the command; prints its answer to standard output, an error to standard error.
#[allow(clippy::print_stdout, clippy::print_stderr)] // a command talks to its user
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match perform(arguments) {
        Ok(Some(output)) if arguments.json => {
            println!("{}", pretty(&output.answer));
            ExitCode::SUCCESS
        }
        Ok(Some(output)) => {
            println!("{}", output.for_people);
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("campanile admin: {error}");
            match error {
                AdminError::Config(_) => ExitCode::from(config::EXIT_CODE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// What is to be printed, if anything.
fn perform(arguments: &Arguments) -> Result<Option<Output>, AdminError> {
    let client = Client::new(way(arguments)?, arguments.account.clone())?;
    let client = &client;
    let told = match &arguments.noun {
        Noun::Meeting(verb) => meetings::meeting(verb, client)?,
        Noun::Number(verb) => numbers::number(verb, client)?,
        Noun::Connector(verb) => connectors::connector(verb, client)?,
        Noun::Directory(verb) => directories::directory(verb, client)?,
        Noun::Person(verb) => people::person(verb, client)?,
        Noun::Account(verb) => access::account(verb, client)?,
        Noun::User(verb) => access::user(verb, client)?,
        Noun::Key(verb) => access::keys(verb, client)?,
        Noun::Role(verb) => access::role(verb, client)?,
        Noun::Policy(verb) => access::policy(verb, client)?,
        Noun::Domain(verb) => domains::domain(verb, client)?,
        Noun::Object(verb) => return objects::object(verb, client),
    };
    Ok(Some(told))
}

fn way(arguments: &Arguments) -> Result<Way, AdminError> {
    if let Some(endpoint) = &arguments.endpoint {
        let environment = std::env::vars().collect();
        let remote = Remote::new(endpoint, arguments.ca.clone(), &environment)?;
        return Ok(Way::Remote(remote));
    }
    let config = Config::load(&Sources {
        file: arguments.config.clone(),
        data: arguments.data.clone(),
        environment: std::env::vars().collect(),
    })?;
    Ok(Way::Socket(config.run().join(SOCKET)))
}

/// A document from a file, or from standard input, of no more octets than a policy may have: a device would never end.
fn read(path: &Path) -> Result<String, AdminError> {
    let usage = |why: String| AdminError::Usage(format!("{} {why}", path.display()));
    let unreadable = |error: std::io::Error| usage(format!("cannot be read: {error}"));
    let mut octets = Vec::new();
    let one_more = MOST_OCTETS as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().take(one_more).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(one_more).read_to_end(&mut octets))
    }
    .map_err(unreadable)?;
    if octets.len() > MOST_OCTETS {
        return Err(usage(format!("has more than {MOST_OCTETS} octets")));
    }
    String::from_utf8(octets).map_err(|error| usage(format!("is no text: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_a_policy_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        std::fs::write(&file, "x".repeat(MOST_OCTETS)).unwrap();
        assert_eq!(read(&file).unwrap().len(), MOST_OCTETS);
        for endless in ["/dev/zero", "/dev/urandom"] {
            let told = read(Path::new(endless)).unwrap_err().to_string();
            assert_eq!(told, format!("{endless} has more than 10240 octets"));
        }
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        let told = read(&file).unwrap_err().to_string();
        assert!(told.contains("policy.json is no text: "), "{told}");
    }
}
