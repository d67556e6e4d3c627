//! boto3 and the AWS command line client, as scripts use them.

use std::process::{Command, Output};

use crate::support::peers::{python, repository};
use crate::support::server::{Credentials, Server};

/// One case of `meetings.py`, against a server of its own.
fn boto3(case: &str) {
    let Some(python) = python() else { return };
    let server = Server::start(&[]);
    let Credentials {
        access_key_id,
        secret_access_key,
        region,
        ..
    } = server.credentials();
    let output = Command::new(python)
        .arg(repository().join("tests/interop/meetings.py"))
        .arg(case)
        .env("ENDPOINT", endpoint(&server))
        .env("ACCESS_KEY", access_key_id)
        .env("SECRET_KEY", secret_access_key)
        .env("REGION", region)
        .output()
        .unwrap();
    assert_well(&output, &server);
}

fn endpoint(server: &Server) -> String {
    format!("https://{}", server.ready().https.unwrap())
}

fn assert_well(output: &Output, server: &Server) {
    assert!(
        output.status.success(),
        "{}{}\n--- the server's log ---\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        server.log()
    );
}

#[test]
fn a_meeting_is_created_and_found_again() {
    boto3("create_and_get");
}

#[test]
fn the_same_request_token_gives_the_same_meeting() {
    boto3("create_is_idempotent_by_token");
}

#[test]
fn attendees_get_tokens_of_their_own() {
    boto3("attendees");
}

#[test]
fn a_meeting_may_come_with_its_attendees() {
    boto3("meeting_with_attendees");
}

#[test]
fn a_deleted_meeting_is_gone() {
    boto3("delete");
}

#[test]
fn an_unknown_meeting_is_not_found() {
    boto3("unknown_meeting");
}

#[test]
fn a_wrong_secret_is_refused() {
    boto3("wrong_secret");
}

#[test]
fn the_command_line_client_creates_a_meeting() {
    let Some(python) = python() else { return };
    let server = Server::start(&[]);
    let Credentials {
        access_key_id,
        secret_access_key,
        region,
        ..
    } = server.credentials();
    let output = Command::new(python.with_file_name("aws"))
        .args([
            "chime-sdk-meetings",
            "create-meeting",
            "--external-meeting-id",
            "cli",
            "--media-region",
            &region,
        ])
        .args([
            "--client-request-token",
            "the-same",
            "--no-verify-ssl",
            "--output",
            "json",
            "--endpoint-url",
        ])
        .arg(endpoint(&server))
        .env("AWS_ACCESS_KEY_ID", access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
        .env("AWS_DEFAULT_REGION", &region)
        .env("PYTHONWARNINGS", "ignore")
        .output()
        .unwrap();
    assert_well(&output, &server);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["Meeting"]["ExternalMeetingId"], "cli");
}
