//! `kill -9` while boto3 writes: what was acknowledged is there at the next start, whole.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::support::dialler::Dialler;
use crate::support::scripts::script;
use crate::support::server::{Meeting, Server};
use crate::support::signed::Client;
use crate::support::wait_for;

/// Kills the server that often, each time at another moment of a stream of writes.
fn killed(times: u64) {
    let inventory = "[\"+12065500000-+12065599999 US Local Seattle WA\"]";
    let mut server = Server::start(&[("numbers.inventory", inventory)]);
    let mut told = String::new();
    for round in 0..times {
        let Some(mut command) = script(&server, "crash.py", &["write_until_the_end"]) else {
            return;
        };
        let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        // Moments that have nothing to do with how long a write takes.
        thread::sleep(Duration::from_millis(150 + round * 137 % 600));
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
    let mut reader = script(&server, "crash.py", &["all_that_was_acknowledged"]).unwrap();
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

#[test]
fn a_meeting_that_is_empty_after_a_restart_ends_and_one_to_come_waits() {
    let mut server = Server::start(&[("limits.empty_meeting", "5s"), ("media.timeout", "10m")]);
    let (held, to_come) = (server.meeting_create(), server.meeting_create());
    let mut call = Dialler::new(server.ready().sip_udp.unwrap(), &held.pin);
    let answer = call.invite(OFFER);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    // The store hears of it beside the call.
    thread::sleep(Duration::from_secs(2));
    server.kill();
    server.start_again();
    let mut client = Client::new(&server);
    let mut status = |meeting: &Meeting| {
        let path = format!("/meetings/{}", meeting.meeting_id);
        let request = client.request("GET", &path, &[], "");
        client.exchange(&request).0
    };
    wait_for("the empty meeting to end", Duration::from_secs(30), || {
        (status(&held) == 404).then_some(())
    });
    assert_eq!(status(&to_come), 200);
}

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
