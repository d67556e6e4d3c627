//! Logs and metrics of a real call through the real boto3: what its clients read is what the files hold.

use std::time::Duration;

use serde_json::Value;

use crate::access::{admin, text};
use crate::support::peers::python;
use crate::support::running::Running;
use crate::support::scripts::{aws, script, succeed};
use crate::support::server::{Server, campanile};
use crate::support::{pace, wait_for};

/// One case of `readers.py`; `facts` is a file of what the server wrote down itself.
fn boto3(server: &Server, case: &str, settings: &[(&str, &str)]) {
    let Some(mut command) = script(server, "readers.py", &[case]) else {
        return;
    };
    command.env("LOGS", server.data().join("logs"));
    command.envs(settings.iter().copied());
    succeed(server, &mut command);
}

/// A phone of ours calls a meeting and hangs up; returns when it is written down.
fn call(server: &Server) {
    let meeting = server.meeting_create();
    let report = server.scratch("call").join("report.json");
    let mut command = campanile();
    command.args(["call", &format!("sip:{}@{}", meeting.pin, server.sip_tls())]);
    command.args(["--insecure", "--json", "--duration", "3s"]);
    let mut phone = Running::start("campanile call", &mut command, &report);
    phone.wait(Duration::from_secs(60));
    wait_for("the metric log", Duration::from_secs(15), || {
        let ended = server
            .logs("CallEvents")
            .iter()
            .any(|line| line["event"] == "ended" || line.to_string().contains("ended"));
        let lines = server.logs("aws/ChimeVoiceConnectorLogs");
        (ended && !lines.is_empty()).then_some(())
    });
}

#[test]
fn logs_and_metrics_of_a_call_are_read_by_boto3() {
    let mut server = Server::start(&[]);
    let other = admin(&server, &["account", "create", "Branch office"]);
    admin(&server, &["user", "create", "nobody"]);
    let nobody = admin(&server, &["key", "create", "nobody"]);
    let keys: Vec<(&str, String)> = vec![
        ("OTHER_KEY", text(&other, "/AccessKey/AccessKeyId")),
        ("OTHER_SECRET", text(&other, "/AccessKey/SecretAccessKey")),
        ("NOBODY_KEY", text(&nobody, "/AccessKey/AccessKeyId")),
        ("NOBODY_SECRET", text(&nobody, "/AccessKey/SecretAccessKey")),
    ];
    let keys: Vec<(&str, &str)> = keys.iter().map(|(k, v)| (*k, v.as_str())).collect();
    call(&server);
    boto3(&server, "logs", &keys);
    boto3(&server, "half_a_line", &keys);
    // Metrics are written every five seconds.
    pace::run_for(Duration::from_secs(6));
    boto3(&server, "metrics", &keys);
    // Those of other versions of the library, of which the oldest spoke XML only.
    for protocol in ["smithy-rpc-v2-cbor", "query"] {
        let keys = [&keys[..], &[("PROTOCOL", protocol)]].concat();
        boto3(&server, "metrics", &keys);
    }
    boto3(&server, "command_line", &keys);
    // What was measured outlives the process, however it ends.
    server.kill();
    server.start_again();
    boto3(&server, "metrics", &keys);
}

#[test]
fn the_command_line_client_reads_a_log() {
    if python().is_none() {
        return;
    }
    let server = Server::start(&[]);
    call(&server);
    let connector = server.logs("aws/ChimeVoiceConnectorLogs")[0]["voice_connector_id"].clone();
    let group = format!(
        "/aws/ChimeVoiceConnectorSipMessages/{}",
        connector.as_str().unwrap()
    );
    let words = ["logs", "filter-log-events", "--filter-pattern", "INVITE"];
    let words = [&words[..], &["--log-group-name", &group]].concat();
    let told = succeed(&server, &mut aws(&server, &words).unwrap());
    let answer: Value = serde_json::from_str(&told).unwrap();
    let message = answer["events"][0]["message"].as_str().unwrap();
    assert!(message.contains("INVITE sip:"), "{message}");
}
