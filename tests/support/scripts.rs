//! The Python scripts of `tests/interop` and the aws command line client, with a server's address and its
//! administrator's key.

use std::process::Command;

use super::peers::{python, repository};
use super::server::Server;

/// A script, ready to be run: its file, and what stands behind it. `None` after a loud line where there is no Python.
pub(crate) fn script(server: &Server, file: &str, arguments: &[&str]) -> Option<Command> {
    let key = server.credentials();
    let mut command = Command::new(python()?);
    command
        .arg(repository().join("tests/interop").join(file))
        .args(arguments)
        .env("ENDPOINT", endpoint(server))
        .env("ACCESS_KEY", key.access_key_id)
        .env("SECRET_KEY", key.secret_access_key)
        .env("REGION", key.region)
        .env("ACCOUNT", key.account_id);
    Some(command)
}

/// The aws command line client, which is to answer in JSON. `None` after a loud line where there is none.
pub(crate) fn aws(server: &Server, arguments: &[&str]) -> Option<Command> {
    let key = server.credentials();
    let mut command = Command::new(python()?.with_file_name("aws"));
    command
        .args(arguments)
        .args(["--no-verify-ssl", "--output", "json", "--endpoint-url"])
        .arg(endpoint(server))
        .env("AWS_ACCESS_KEY_ID", key.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
        .env("AWS_DEFAULT_REGION", key.region)
        .env("PYTHONWARNINGS", "ignore");
    Some(command)
}

/// Runs it, and returns what it printed. It must succeed, and no answer of the server's may have broken the model.
pub(crate) fn succeed(server: &Server, command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}\n--- the server's log ---\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        server.log()
    );
    let log = server.log();
    assert!(!log.contains("breaks the API's model"), "{log}");
    String::from_utf8(output.stdout).unwrap()
}

fn endpoint(server: &Server) -> String {
    format!("https://{}", server.ready().https.unwrap())
}
