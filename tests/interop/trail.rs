//! The audit trail through the real boto3: every call leaves one entry, no secret is in any, and none is lost.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::access::{admin, text};
use crate::support::peers::python;
use crate::support::scripts::{script, succeed};
use crate::support::server::Server;
use crate::support::wait_for;

/// One case of `trail.py` with these settings.
fn boto3(server: &Server, case: &str, settings: &[(&str, &str)]) {
    if let Some(mut command) = script(server, "trail.py", &[case]) {
        succeed(server, command.envs(settings.iter().copied()));
    }
}

/// Every record that was delivered, and the key of its object.
fn delivered(server: &Server) -> Vec<(String, Value)> {
    let objects = server.objects().into_iter();
    objects
        .filter(|(key, _)| key.contains("/AWSLogs/"))
        .flat_map(|(key, octets)| {
            let document: Value = serde_json::from_slice(&octets).unwrap();
            let records = document["Records"].as_array().unwrap().clone();
            records.into_iter().map(move |record| (key.clone(), record))
        })
        .collect()
}

#[test]
fn each_call_leaves_one_entry_allowed_or_refused_without_its_secrets() {
    let mut server = Server::start(&[]);
    let other = admin(&server, &["account", "create", "Branch office"]);
    let account = text(&other, "/Account/AccountId");
    let (id, secret) = (
        text(&other, "/AccessKey/AccessKeyId"),
        text(&other, "/AccessKey/SecretAccessKey"),
    );
    let key = [
        ("USER_KEY", id.as_str()),
        ("USER_SECRET", secret.as_str()),
        ("USER_ACCOUNT", account.as_str()),
    ];
    boto3(&server, "entries", &key);
    boto3(&server, "lookups", &key);
    if python().is_none() {
        return;
    }
    server.stop();
    // What was looked up is what was delivered, under the key of its own account.
    let delivered = delivered(&server);
    assert!(delivered.len() > 60, "{}", delivered.len());
    let mut ids: Vec<String> = Vec::new();
    for (key, record) in &delivered {
        let owner = record["recipientAccountId"].as_str().unwrap();
        assert!(
            key.starts_with(&format!("campanile-records/AWSLogs/{owner}/CloudTrail/")),
            "{key}"
        );
        ids.push(record["eventID"].as_str().unwrap().to_owned());
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an entry is there twice");
    assert!(
        delivered
            .iter()
            .any(|(_, record)| record["recipientAccountId"] == account.as_str())
    );
}

#[test]
fn an_acknowledged_change_has_its_entry_after_kill() {
    let mut server = Server::start(&[]);
    let mut told = String::new();
    for round in 0..3 {
        let Some(mut command) = script(&server, "trail.py", &["write_until_the_end"]) else {
            return;
        };
        let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        std::thread::sleep(Duration::from_millis(200 + round * 170));
        server.kill();
        for line in lines {
            told.push_str(&line.unwrap());
            told.push('\n');
        }
        assert!(writer.wait().unwrap().success(), "round {round}");
        server.start_again();
    }
    let mut reader = script(&server, "trail.py", &["all_that_was_acknowledged"]).unwrap();
    let mut reader = reader.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = reader.stdin.take().unwrap();
    input.write_all(told.as_bytes()).unwrap();
    drop(input);
    assert!(reader.wait().unwrap().success(), "{}", server.log());
    // What the killed processes left in the spool is delivered, and gone from there.
    wait_for("the delivery", Duration::from_secs(10), || {
        (delivered(&server).len() >= told.lines().count()).then_some(())
    });
}

#[test]
fn a_server_that_nobody_can_reach_writes_nothing() {
    let server = Server::start(&[]);
    // A connection without a request is no call.
    drop(TcpStream::connect(server.ready().https.unwrap()).unwrap());
    boto3(&server, "nothing_yet", &[]);
}
