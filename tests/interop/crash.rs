//! `kill -9` while boto3 writes: what was acknowledged is there at the next start, whole.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::support::scripts::script;
use crate::support::server::Server;

/// Kills the server that often, each time at another moment of a stream of writes.
fn killed(times: u64) {
    let mut server = Server::start(&[]);
    let mut told = String::new();
    for round in 0..times {
        let Some(mut command) = script(&server, "directory.py", &["write_until_the_end"]) else {
            return;
        };
        let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
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
    let mut reader = script(&server, "directory.py", &["all_that_was_acknowledged"]).unwrap();
    reader.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
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
