//! `campanile admin`: local administration of a running server, through the socket in its data folder.

use std::path::PathBuf;
use std::process::ExitCode;

use axum::body::Bytes;
use axum::http::{Method, Request, header};
use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::UnixStream;

use crate::config::{self, Config, ConfigError, Sources};
use crate::http::admin::SOCKET;

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
    /// Access keys of API callers.
    #[command(subcommand)]
    Key(KeyVerb),
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

#[derive(Subcommand, Debug)]
enum KeyVerb {
    /// List access keys, without their secrets.
    List {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
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

/// Runs the command; prints its answer to standard output, an error to standard error.
#[allow(clippy::print_stdout, clippy::print_stderr)] // a command talks to its user
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match perform(arguments) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("campanile admin: {error}");
            match error {
                AdminError::Config(_) => ExitCode::from(config::EXIT_CODE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn perform(arguments: &Arguments) -> Result<String, AdminError> {
    let config = Config::load(&Sources {
        file: arguments.config.clone(),
        data: arguments.data.clone(),
        environment: std::env::vars().collect(),
    })?;
    let socket = config.run().join(SOCKET);
    let ask = |method: Method, path: &str, body: Option<Value>| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .map_err(|error| AdminError::Broken(error.to_string()))?
            .block_on(request(socket.clone(), method, path.to_owned(), body))
    };
    Ok(match &arguments.noun {
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
        Noun::Key(KeyVerb::List { json }) => {
            let listed = ask(Method::GET, "/keys", None)?;
            let columns = ["AccessKeyId", "UserName", "Status", "CreateDate"];
            if *json {
                pretty(&listed)
            } else {
                table(&columns, listed.get("AccessKeys"))
            }
        }
    })
}

async fn request(
    socket: PathBuf,
    method: Method,
    path: String,
    body: Option<Value>,
) -> Result<Value, AdminError> {
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
    let response = sender.send_request(request).await.map_err(broken)?;
    let succeeded = response.status().is_success();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(broken)?
        .to_bytes();
    let answer: Value =
        serde_json::from_slice(&bytes).map_err(|error| AdminError::Broken(error.to_string()))?;
    if succeeded {
        Ok(answer)
    } else {
        Err(AdminError::Refused(text(&answer, "Message")))
    }
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

fn table(columns: &[&str], rows: Option<&Value>) -> String {
    let rows: Vec<Vec<String>> =
        std::iter::once(columns.iter().map(|name| (*name).to_owned()).collect())
            .chain(
                rows.and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(|row| columns.iter().map(|name| text(row, name)).collect()),
            )
            .collect();
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| width(at).unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn text(object: &Value, field: &str) -> String {
    let text = object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Names come from API callers; a terminal must not be steered by them.
    text.chars().filter(|c| !c.is_control()).collect()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells() {
        let rows =
            json!([{"Pin": "1", "Name": "long name"}, {"Pin": "12345", "Name": "x\u{1b}[2J"}]);
        assert_eq!(
            table(&["Pin", "Name"], Some(&rows)),
            "Pin    Name\n1      long name\n12345  x[2J"
        );
    }
}
