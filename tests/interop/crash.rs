//! `kill -9` while boto3 writes: what was acknowledged is there at the next start, whole.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::peers::{python, repository};
use crate::support::server::Server;

fn script(python: &Path, server: &Server, case: &str) -> Command {
    let key = server.credentials();
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/interop/directory.py"))
        .arg(case)
        .env(
            "ENDPOINT",
            format!("https://{}", server.ready().https.unwrap()),
        )
        .env("ACCESS_KEY", key.access_key_id)
        .env("SECRET_KEY", key.secret_access_key)
        .env("REGION", key.region)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Kills the server that often, each time at another moment of a stream of writes.
fn killed(times: u64) {
    let Some(python) = python() else { return };
    let mut server = Server::start(&[]);
    let mut told = String::new();
    for round in 0..times {
        let mut writer = script(&python, &server, "write_until_the_end")
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        // Moments that have nothing to do with how long a write takes.
        thread::sleep(Duration::from_millis(50 + round * 37 % 300));
        server.kill();
        for line in lines {
            told.push_str(&line.unwrap());
            told.push('\n');
        }
        assert!(
            writer.wait().unwrap().success(),
            "the writer, round {round}"
        );
        server.start_again();
    }
    let mut reader = script(&python, &server, "all_that_was_acknowledged")
        .spawn()
        .unwrap();
    let mut input = reader.stdin.take().unwrap();
    input.write_all(told.as_bytes()).unwrap();
    drop(input);
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", server.log());
    eprintln!(
        "killed {times} times, nothing lost of {}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn no_acknowledged_write_is_lost_or_half_done_by_kill() {
    killed(4);
}

#[test]
#[ignore = "the full count; a minute"]
fn no_acknowledged_write_is_lost_or_half_done_by_kill_at_full_count() {
    killed(50);
}
