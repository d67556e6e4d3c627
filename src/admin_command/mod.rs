//! `campanile admin`: local administration of a running server, through the socket in its data folder.

mod access;
mod domains;
mod objects;
mod table;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, header};
use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::UnixStream;

use crate::config::{self, Config, ConfigError, Sources};
use crate::http::admin::SOCKET;
use table::{pretty, table, text};

/// Arguments of `campanile admin`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The server's configuration file, to find its data folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The running server's data folder.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand, Debug)]
enum Noun {
    /// Meetings.
    #[command(subcommand)]
    Meeting(MeetingVerb),
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
    /// Domains that accounts claim.
    #[command(subcommand)]
    Domain(domains::DomainVerb),
    /// Objects that are kept: call records, recordings and the like.
    #[command(subcommand)]
    Object(objects::ObjectVerb),
}

#[derive(Subcommand, Debug)]
enum MeetingVerb {
    /// Make a meeting; print how phones and browsers join it.
    Create {
        /// Your own name for it, 2 to 64 characters.
        #[arg(long, value_name = "NAME")]
        external_id: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List running meetings, newest first.
    List {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// End a meeting for everybody in it.
    End {
        /// Its `MeetingId`.
        id: String,
    },
}

/// Why an administration command did not succeed.
#[derive(Debug, Error)]
enum AdminError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("no server answers at {}: {why}; start one with this data folder, or name its folder with --data", path.display())]
    NoServer { path: PathBuf, why: String },
    #[error("the server broke off: {0}")]
    Broken(String),
    #[error("{0}")]
    Refused(String),
}

/// What the server answers to an operation.
type Answer = Result<Value, AdminError>;

/// Runs the command; prints its answer to standard output, an error to standard error.
#[allow(clippy::print_stdout, clippy::print_stderr)] // a command talks to its user
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match perform(arguments) {
        Ok(Some(text)) => {
            println!("{text}");
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
fn perform(arguments: &Arguments) -> Result<Option<String>, AdminError> {
    let config = Config::load(&Sources {
        file: arguments.config.clone(),
        data: arguments.data.clone(),
        environment: std::env::vars().collect(),
    })?;
    let socket = config.run().join(SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AdminError::Broken(error.to_string()))?;
    let ask = |method: Method, path: &str, body: Option<Value>| {
        runtime.block_on(request(socket.clone(), method, path.to_owned(), body))
    };
    let fetch = |path: &str, out: &mut dyn Write| {
        runtime.block_on(fetch(socket.clone(), path.to_owned(), out))
    };
    let perform = |operation: &str, parameters: Value| {
        let path = format!("/access/{operation}");
        ask(Method::POST, &path, Some(parameters))
    };
    let told = match &arguments.noun {
        Noun::Meeting(MeetingVerb::Create { external_id, json }) => {
            let made = ask(
                Method::POST,
                "/meetings",
                Some(json!({"ExternalMeetingId": external_id})),
            )?;
            if *json {
                pretty(&made)
            } else {
                invitation(&made)
            }
        }
        Noun::Meeting(MeetingVerb::List { json }) => {
            let listed = ask(Method::GET, "/meetings", None)?;
            let columns = ["MeetingId", "Pin", "ExternalMeetingId", "CreatedTimestamp"];
            if *json {
                pretty(&listed)
            } else {
                table(&columns, listed.get("Meetings"))
            }
        }
        Noun::Meeting(MeetingVerb::End { id }) => {
            // The id goes into a path: nothing but what an id may hold.
            if !id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return Err(AdminError::Refused("MeetingId: must be a UUID".to_owned()));
            }
            ask(Method::DELETE, &format!("/meetings/{id}"), None)?;
            format!("meeting {id} has ended")
        }
        Noun::Account(verb) => access::account(verb, &perform)?,
        Noun::User(verb) => access::user(verb, &perform)?,
        Noun::Key(verb) => access::keys(verb, &perform)?,
        Noun::Role(verb) => access::role(verb, &perform)?,
        Noun::Policy(verb) => access::policy(verb, &perform)?,
        Noun::Domain(verb) => domains::domain(verb, &|operation, parameters| {
            let path = format!("/domains/{operation}");
            ask(Method::POST, &path, Some(parameters))
        })?,
        Noun::Object(verb) => return objects::object(verb, &ask, &fetch),
    };
    Ok(Some(told))
}

async fn request(
    socket: PathBuf,
    method: Method,
    path: String,
    body: Option<Value>,
) -> Result<Value, AdminError> {
    let response = send(socket, method, path, body).await?;
    let succeeded = response.status().is_success();
    let answer = read(response).await?;
    if succeeded {
        Ok(answer)
    } else {
        Err(AdminError::Refused(text(&answer, "Message")))
    }
}

/// Writes the octets of an answer as they come.
async fn fetch(socket: PathBuf, path: String, out: &mut dyn Write) -> Result<(), AdminError> {
    let mut response = send(socket, Method::GET, path, None).await?;
    if !response.status().is_success() {
        return Err(AdminError::Refused(text(&read(response).await?, "Message")));
    }
    while let Some(frame) = response.frame().await {
        let frame = frame.map_err(|error| AdminError::Broken(error.to_string()))?;
        if let Some(octets) = frame.data_ref() {
            out.write_all(octets)
                .map_err(|error| AdminError::Broken(error.to_string()))?;
        }
    }
    out.flush()
        .map_err(|error| AdminError::Broken(error.to_string()))
}

async fn read(response: Response<Incoming>) -> Result<Value, AdminError> {
    let body = response.into_body().collect().await;
    let bytes = body
        .map_err(|error| AdminError::Broken(error.to_string()))?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| AdminError::Broken(error.to_string()))
}

async fn send(
    socket: PathBuf,
    method: Method,
    path: String,
    body: Option<Value>,
) -> Result<Response<Incoming>, AdminError> {
    let broken = |error: hyper::Error| AdminError::Broken(error.to_string());
    let stream = UnixStream::connect(&socket)
        .await
        .map_err(|error| AdminError::NoServer {
            path: socket.clone(),
            why: error.to_string(),
        })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    tokio::spawn(connection);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| AdminError::Broken(error.to_string()))?;
    sender.send_request(request).await.map_err(broken)
}

fn invitation(made: &Value) -> String {
    [
        ("Meeting id for phones", "Pin"),
        ("Dial from a phone or room system", "DialString"),
        ("Join by browser", "JoinUrl"),
        ("MeetingId for the API", "MeetingId"),
    ]
    .map(|(label, field)| format!("{label:<34}{}", text(made, field)))
    .join("\n")
}
