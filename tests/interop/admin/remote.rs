//! `campanile admin` by the signed API, before anything is asked: which server it believes, and temporary credentials.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{bare, certificate, endpoint, line};
use crate::access::text;
use crate::support::ports::free_port;
use crate::support::scripts::{script, succeed};
use crate::support::server::Server;

#[test]
fn a_server_that_is_not_the_one_meant_is_told_in_one_line() {
    let server = Server::start(&[]);
    let here = endpoint(&server);
    let certificate = certificate(&server);
    let key = server.credentials();
    let ask = |endpoint: &str, change: &dyn Fn(&mut Command)| {
        let mut command = bare(&["user", "list", "--endpoint", endpoint]);
        command
            .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key)
            .env("AWS_CA_BUNDLE", &certificate);
        change(&mut command);
        command.output().unwrap()
    };
    let same = |_: &mut Command| {};
    let good = ask(&here, &same);
    assert!(
        good.status.success(),
        "{}",
        String::from_utf8_lossy(&good.stderr)
    );
    let why = |endpoint: &str, change: &dyn Fn(&mut Command)| line(&ask(endpoint, change));
    // Nobody's authority, another's, and a name that the certificate has not.
    let untrusted = format!("the server at {here} cannot be trusted: ");
    let system = why(&here, &|command| {
        command.env_remove("AWS_CA_BUNDLE");
    });
    assert!(system.starts_with(&untrusted), "{system}");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = server.scratch("other").join("other.pem");
    fs::write(&file, other.cert.pem()).unwrap();
    let another = why(&here, &|command| {
        command.arg("--ca").arg(&file);
    });
    assert!(
        another.starts_with(&untrusted) && another.contains("--ca"),
        "{another}"
    );
    let port = server.ready().https.unwrap().port();
    let named = why(&format!("https://127.0.0.2:{port}"), &same);
    assert!(named.contains("127.0.0.2"), "{named}");
    // Nobody there, and somebody who speaks no TLS.
    let closed = why(&format!("https://127.0.0.1:{}", free_port()), &same);
    assert!(
        closed.starts_with("no server answers at https://127.0.0.1:"),
        "{closed}"
    );
    let plain = format!("https://{}", server.ready().metrics.unwrap());
    assert!(why(&plain, &same).starts_with("no server answers at "));
    // What is missing or wrong on this side.
    let clear = why(&here.replace("https", "http"), &same);
    assert!(clear.contains("must be https://"), "{clear}");
    let keyless = why(&here, &|command| {
        command.env_remove("AWS_SECRET_ACCESS_KEY");
    });
    assert!(
        keyless.contains("AWS_SECRET_ACCESS_KEY is not set"),
        "{keyless}"
    );
    let missing = why(&here, &|command| {
        command.args(["--ca", "/no/such.pem"]);
    });
    assert!(missing.contains("/no/such.pem"), "{missing}");
    let token = why(&here, &|command| {
        command.env("AWS_SESSION_TOKEN", "expired");
    });
    assert!(
        token.contains("security token included in the request is invalid"),
        "{token}"
    );
}

#[test]
fn temporary_credentials_do_what_they_are_for_until_they_end() {
    let server = Server::start(&[]);
    let Some(mut command) = script(&server, "admin.py", &["visitor"]) else {
        return;
    };
    let given: Value = serde_json::from_str(&succeed(&server, &mut command)).unwrap();
    let visit = |arguments: &[&str], token: Option<&str>| {
        let mut command = bare(arguments);
        command
            .args(["--endpoint", &endpoint(&server), "--ca"])
            .arg(certificate(&server))
            .env("AWS_ACCESS_KEY_ID", text(&given, "/AccessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", text(&given, "/SecretAccessKey"));
        if let Some(token) = token {
            command.env("AWS_SESSION_TOKEN", token);
        }
        command.output().unwrap()
    };
    let token = text(&given, "/SessionToken");
    let good = visit(&["user", "list"], Some(&token));
    let told = String::from_utf8_lossy(&good.stdout);
    assert!(
        good.status.success() && told.contains("administrator"),
        "{}",
        line(&good)
    );
    let denied = line(&visit(&["user", "create", "eve"], Some(&token)));
    assert!(
        denied.contains(":federated-user/visitor is not authorized to perform: iam:CreateUser"),
        "{denied}"
    );
    let bare = line(&visit(&["user", "list"], None));
    assert!(
        bare.contains("security token included in the request is invalid"),
        "{bare}"
    );
    let Some(mut command) = script(&server, "admin.py", &["end"]) else {
        return;
    };
    command
        .env("DATABASE", server.database())
        .env("SESSION_KEY", text(&given, "/AccessKeyId"));
    succeed(&server, &mut command);
    let ended = line(&visit(&["user", "list"], Some(&token)));
    assert!(
        ended.contains("security token included in the request is expired"),
        "{ended}"
    );
}
