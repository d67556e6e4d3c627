//! A server that has no room left says so, says when to come again, and takes calls again.

use std::thread;
use std::time::Duration;

use crate::sipp::{Scenario, sipp};
use crate::support::ports::free_port;
use crate::support::server::Server;
use crate::support::wait_for;

/// Room for one call.
fn fills_up_and_recovers(overrides: &[(&str, &str)], why: &str) {
    let server = Server::start(overrides);
    let pin = server.meeting_create().pin;
    let to = server.ready().sip_udp.unwrap();
    let run =
        |name: &str, scenario: &Scenario| sipp(&server.scratch(name), scenario, "u1", to, &pin);
    thread::scope(|scope| {
        // Four seconds long.
        let first = scope.spawn(|| run("first", &Scenario::Call));
        if wait_for("the first call", Duration::from_secs(15), || {
            let talks = server
                .metrics()
                .contains("campanile_calls_answered_total 1");
            (talks || first.is_finished()).then(|| first.is_finished())
        }) {
            // Without SIPp there is nothing to see.
            assert_eq!(first.join().unwrap(), None);
            return;
        }
        for turn in ["second", "third"] {
            let (well, words) = run(turn, &Scenario::Full).unwrap();
            assert!(well, "{why}: {words}");
        }
        let (well, words) = first.join().unwrap().unwrap();
        assert!(well, "who is in stays in: {words}");
        // Its port rests for a second.
        thread::sleep(Duration::from_secs(2));
        let (well, words) = run("again", &Scenario::Call).unwrap();
        assert!(well, "{why}: {words}");
    });
}

#[test]
fn without_a_media_port_or_beyond_its_limit_it_says_503_and_when_to_come_again() {
    let first = free_port() & !1;
    let ports = format!("[{first}, {}]", first + 1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let overrides = [("media.ports", ports.as_str()), ("media.port_rest", "1s")];
            fills_up_and_recovers(&overrides, "no port");
        });
        scope.spawn(|| fills_up_and_recovers(&[("limits.calls", "1")], "too many calls"));
    });
}
