//! Several media threads: a phone that keys in its meeting goes to the thread of that meeting.

use std::time::Duration;

use serde_json::Value;

use crate::support::running::Running;
use crate::support::server::{Server, campanile};
use crate::support::sound::Sound;
use crate::support::{pace, wait_for};

/// A scripted phone that plays a tone and records until it is interrupted.
fn phone(server: &Server, name: &str, user: &str, hz: f64, keys: Option<&str>) -> Running {
    let folder = server.scratch(name);
    Sound::tone(48_000, hz, 120.0, -12.0).write(&folder.join("tone.wav"));
    let mut command = campanile();
    command
        .args(["call", &format!("sip:{user}@{}", server.sip_tls())])
        .args(["--insecure", "--json", "--duration", "120s", "--play"])
        .arg(folder.join("tone.wav"))
        .arg("--record")
        .arg(folder.join("heard.wav"));
    if let Some(keys) = keys {
        command.args(["--dtmf", keys]);
    }
    Running::start(name, &mut command, &folder.join("report.json"))
}

#[test]
fn phones_of_one_meeting_meet_on_one_of_four_threads() {
    let server = Server::start(&[("media.shards", "4")]);
    let (one, two) = (server.meeting_create(), server.meeting_create());
    let keyed = |pin: &str| format!("{pin}#");
    // The phones that dial directly take the first two threads; those that key their meeting in start on others.
    let mut phones = [
        ("ann", phone(&server, "ann", &one.pin, 440.0, None)),
        ("ben", phone(&server, "ben", &two.pin, 1900.0, None)),
        (
            "cem",
            phone(&server, "cem", "u", 1000.0, Some(&keyed(&one.pin))),
        ),
        (
            "dot",
            phone(&server, "dot", "u", 1400.0, Some(&keyed(&two.pin))),
        ),
    ];
    wait_for("two legs to move", Duration::from_secs(60), || {
        let moves = server.log().matches("a leg moves to its meeting").count();
        (moves >= 2).then_some(())
    });
    pace::run_for(Duration::from_secs(4));
    for (name, phone) in &mut phones {
        phone.signal("INT");
        let status = phone.wait(Duration::from_secs(60));
        assert!(status.success(), "{name}: {}", phone.output());
        let report: Value = serde_json::from_str(&phone.output()).unwrap();
        assert_eq!(report["received"]["lost"], 0, "{name}: {report:#}");
        assert_eq!(report["sent"]["lost"], 0, "{name}: {report:#}");
    }
    for (name, hears) in [
        ("ann", 1000.0),
        ("ben", 1400.0),
        ("cem", 440.0),
        ("dot", 1900.0),
    ] {
        let heard = Sound::read(&server.scratch(name).join("heard.wav"));
        for hz in [440.0, 1900.0, 1000.0, 1400.0] {
            assert_eq!(heard.has_tone(hz), hz == hears, "{name} and {hz}");
        }
    }
}
