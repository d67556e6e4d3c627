//! Access by the real boto3: temporary credentials, policies, keys that are out of use, other accounts.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::scripts::{aws, script, succeed};
use crate::support::server::{Server, campanile};

/// `campanile admin …` on that server, as JSON.
pub(crate) fn admin(server: &Server, arguments: &[&str]) -> Value {
    let output = campanile()
        .args(["admin", "--data"])
        .arg(server.data())
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A policy in a file of the test's own.
fn policy(server: &Server, name: &str, statement: &Value) -> String {
    let path = server.scratch("policies").join(name);
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    std::fs::write(&path, document.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// One case of `access.py` with the administrator's key and these settings.
fn boto3(server: &Server, case: &str, settings: &[(&str, &str)]) {
    let Some(mut command) = script(server, "access.py", &[case]) else {
        return;
    };
    command.env("DATABASE", server.database());
    succeed(server, command.envs(settings.iter().copied()));
}

pub(crate) fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

#[test]
fn temporary_credentials_of_all_kinds_make_meetings_within_their_policies() {
    let server = Server::start(&[]);
    let account = server.credentials().account_id;
    let trust =
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"});
    let trust = policy(&server, "trust.json", &trust);
    admin(&server, &["role", "create", "meeter", "--trust", &trust]);
    let make = json!({"Effect": "Allow", "Action": "chime:CreateMeeting", "Resource": "*"});
    let make = policy(&server, "make.json", &make);
    admin(
        &server,
        &["policy", "put", "make", &make, "--role", "meeter"],
    );
    boto3(&server, "identity", &[]);
    boto3(&server, "assumed_role", &[]);
    boto3(&server, "federated_user", &[]);
    boto3(&server, "own_session", &[]);
    boto3(&server, "wrong_requests", &[]);
    boto3(&server, "expired_session", &[]);
    boto3(&server, "presigned", &[]);
    boto3(&server, "command_line", &[]);
    let secrets = server.log();
    assert!(!secrets.contains(&server.credentials().secret_access_key));
}

#[test]
fn a_key_does_what_its_users_policies_allow_until_it_is_out_of_use() {
    let server = Server::start(&[]);
    admin(&server, &["user", "create", "ada"]);
    let made = admin(&server, &["key", "create", "ada"]);
    let (id, secret) = (
        text(&made, "/AccessKey/AccessKeyId"),
        text(&made, "/AccessKey/SecretAccessKey"),
    );
    let key = [("USER_KEY", id.as_str()), ("USER_SECRET", secret.as_str())];
    boto3(&server, "may_nothing", &key);
    let full = "AmazonChimeFullAccess";
    admin(&server, &["policy", "attach", full, "--user", "ada"]);
    boto3(&server, "may_make_meetings", &key);
    let deny = json!({"Effect": "Deny", "Action": "chime:CreateMeeting", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}});
    let deny = policy(&server, "deny.json", &deny);
    admin(&server, &["policy", "put", "deny", &deny, "--user", "ada"]);
    boto3(&server, "may_nothing", &key);
    admin(&server, &["policy", "detach", "deny", "--user", "ada"]);
    boto3(&server, "may_make_meetings", &key);
    admin(&server, &["key", "deactivate", &id]);
    boto3(&server, "unknown_key", &key);
    admin(&server, &["key", "activate", &id]);
    boto3(&server, "may_make_meetings", &key);
    let listed = admin(&server, &["key", "list", "--user", "ada"]);
    assert_eq!(text(&listed, "/AccessKeys/0/Status"), "Active");
    assert!(!text(&listed, "/AccessKeys/0/LastUsedDate").is_empty());
    assert!(!listed.to_string().contains(&secret));
    admin(&server, &["key", "delete", &id]);
    boto3(&server, "unknown_key", &key);
}

#[test]
fn a_policy_that_names_a_thing_holds_however_the_thing_is_asked_for() {
    let inventory = "[\"+12065550100-+12065550199 US Local Seattle WA\"]";
    let server = Server::start(&[("numbers.inventory", inventory)]);
    boto3(&server, "things", &[]);
}

#[test]
fn another_accounts_key_sees_nothing() {
    let server = Server::start(&[]);
    let made = admin(&server, &["account", "create", "Branch office"]);
    let other = text(&made, "/Account/AccountId");
    assert_ne!(other, server.credentials().account_id);
    let key = [
        ("USER_KEY", text(&made, "/AccessKey/AccessKeyId")),
        ("USER_SECRET", text(&made, "/AccessKey/SecretAccessKey")),
        ("USER_ACCOUNT", other.clone()),
    ];
    let key: Vec<(&str, &str)> = key.iter().map(|(k, v)| (*k, v.as_str())).collect();
    boto3(&server, "another_account", &key);
    let users = admin(&server, &["user", "list", "--account", &other]);
    assert_eq!(text(&users, "/Users/0/Name"), "administrator");
}

#[test]
fn no_operation_shows_or_changes_another_accounts_things_or_serves_a_user_without_policies() {
    let inventory = "[\"+12065550100-+12065550199 US Local Seattle WA\"]";
    // The script keeps a connection that rests while boto3 has its own: for long, on a busy machine.
    let patient = ("limits.http_header_timeout", "2m");
    let bucket = ("record.bucket", "secret-bucket");
    let server = Server::start(&[("numbers.inventory", inventory), patient, bucket]);
    let other = admin(&server, &["account", "create", "Branch office"]);
    admin(&server, &["user", "create", "nobody"]);
    let nobody = admin(&server, &["key", "create", "nobody"]);
    let Some(mut command) = script(&server, "directory.py", &["foreign_keys"]) else {
        return;
    };
    command
        .env("OTHER_KEY", text(&other, "/AccessKey/AccessKeyId"))
        .env("OTHER_SECRET", text(&other, "/AccessKey/SecretAccessKey"))
        .env("NOBODY_KEY", text(&nobody, "/AccessKey/AccessKeyId"))
        .env("NOBODY_SECRET", text(&nobody, "/AccessKey/SecretAccessKey"));
    succeed(&server, &mut command);
}

#[test]
fn the_command_line_client_asks_who_it_is() {
    let server = Server::start(&[]);
    let Some(mut command) = aws(&server, &["sts", "get-caller-identity"]) else {
        return;
    };
    let answer: Value = serde_json::from_str(&succeed(&server, &mut command)).unwrap();
    assert_eq!(text(&answer, "/Account"), server.credentials().account_id);
}

#[test]
fn a_server_does_not_start_with_another_key_for_its_secrets() {
    let mut server = Server::start(&[]);
    server.stop();
    let key = server.data().join("secrets.key");
    let mode = std::fs::metadata(&key).unwrap().permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );
    let start = |change: &dyn Fn(&mut Command)| {
        let mut command = campanile();
        command.args(["serve", "--data"]).arg(server.data());
        command.envs(server.environment().iter().cloned());
        for listener in ["HTTP", "SIP__TLS", "MEDIA", "METRICS"] {
            command.env(format!("CAMPANILE__{listener}__LISTEN"), "127.0.0.1:0");
        }
        change(&mut command);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    let other = "A".repeat(43) + "=";
    let (code, told) = start(&|command| {
        command.env("CAMPANILE_SECRETS_KEY", &other);
    });
    assert_eq!(code, Some(64), "{told}");
    assert!(told.contains("environment CAMPANILE_SECRETS_KEY"), "{told}");
    assert!(told.contains("sealed with another key") && !told.contains(&other));
    let kept = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let (code, told) = start(&|_| {});
    assert_eq!(code, Some(64), "{told}");
    assert!(told.contains("secrets.key is missing"), "{told}");
    assert!(!key.exists());
    std::fs::write(&key, kept).unwrap();
    server.start_again();
    boto3(&server, "identity", &[]);
}
