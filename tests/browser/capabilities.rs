//! What two people may do, changed by the API while they are in a meeting.

use serde_json::json;

use crate::support::page::{Page, SETTLED};
use crate::support::server::{Meeting, Server};
use crate::support::signed::Client;
use crate::support::wait_for;

const ADA: f64 = 500.0;
const BOB: f64 = 820.0;

struct Two {
    server: Server,
    meeting: Meeting,
    ada: Page,
    bob: Page,
    /// Bob's attendee id.
    bob_is: String,
    ada_is: String,
}

impl Two {
    fn meet(camera: bool) -> Option<Self> {
        let server = Server::start(&[]);
        let meeting = server.meeting_create();
        let mut ada = Page::open(&server.scratch("Ada"), "Ada", ADA)?;
        let mut bob = Page::open(&server.scratch("Bob"), "Bob", BOB)?;
        ada.join_well(&meeting.join_url, camera);
        bob.join_well(&meeting.join_url, camera);
        Some(Self {
            bob_is: bob.state().attendee.unwrap(),
            ada_is: ada.state().attendee.unwrap(),
            server,
            meeting,
            ada,
            bob,
        })
    }

    /// `UpdateAttendeeCapabilities`: audio, video, content.
    fn allow(&self, attendee: &str, may: [&str; 3]) {
        let id = &self.meeting.meeting_id;
        let path = format!("/meetings/{id}/attendees/{attendee}/capabilities");
        let answer = Client::new(&self.server).ask("PUT", &path, &[], &capabilities(may));
        let told = &answer["Attendee"]["Capabilities"];
        assert_eq!([&told["Audio"], &told["Video"], &told["Content"]], may);
    }

    /// `BatchUpdateAttendeeCapabilitiesExcept`.
    fn allow_all_but(&self, attendee: &str, may: [&str; 3]) {
        let path = format!(
            "/meetings/{}/attendees/capabilities",
            self.meeting.meeting_id
        );
        let mut body: serde_json::Value = serde_json::from_str(&capabilities(may)).unwrap();
        body["ExcludedAttendeeIds"] = json!([{ "AttendeeId": attendee }]);
        let mut client = Client::new(&self.server);
        let query = [("operation", "batch-update-except")];
        let request = client.request("PUT", &path, &query, &body.to_string());
        let (status, said) = client.exchange(&request);
        assert!(status < 300, "{status} {}", String::from_utf8_lossy(&said));
    }
}

fn capabilities([audio, video, content]: [&str; 3]) -> String {
    json!({"Capabilities": {"Audio": audio, "Video": video, "Content": content}}).to_string()
}

/// From some moment on nothing of a voice is heard for three seconds on end.
fn wait_until_silent(page: &mut Page, hz: f64) {
    wait_for("a voice to be silenced", SETTLED, || {
        (page.hear(&[hz], 3.0)[0].share == 0.0).then_some(())
    });
}

/// Whether somebody's tile has a picture.
fn has_picture(page: &mut Page, name: &str) -> bool {
    page.evaluate(&format!(
        "[...document.querySelectorAll('[data-testid=\"tile\"]')].some((tile) => \
         tile.dataset.name === '{name}' && tile.dataset.video === 'on')"
    ))
}

#[test]
fn a_voice_that_is_taken_is_not_heard_until_it_is_given_back() {
    let Some(mut two) = Two::meet(false) else {
        return;
    };
    two.ada.wait_until_heard(&[BOB], &[]);
    for round in 0..2 {
        let mute = ["Receive", "SendReceive", "SendReceive"];
        if round == 0 {
            two.allow(&two.bob_is, mute);
        } else {
            two.allow_all_but(&two.ada_is, mute);
        }
        two.ada
            .wait_for_person("Bob", "muted", |person| person.muted);
        wait_until_silent(&mut two.ada, BOB);
        // Only his own voice was taken.
        two.bob.wait_until_heard(&[ADA], &[]);
        // His microphone was on all the time, and he need do nothing to be heard again.
        two.allow(&two.bob_is, ["SendReceive"; 3]);
        two.ada.wait_until_heard(&[BOB], &[]);
        two.ada
            .wait_for_person("Bob", "no longer muted", |person| !person.muted);
    }
}

#[test]
fn who_may_not_hear_hears_nobody_until_they_may() {
    let Some(mut two) = Two::meet(false) else {
        return;
    };
    two.bob.wait_until_heard(&[ADA], &[]);
    two.allow(&two.bob_is, ["Send", "SendReceive", "SendReceive"]);
    wait_until_silent(&mut two.bob, ADA);
    // He is heard all the same.
    two.ada.wait_until_heard(&[BOB], &[]);
    two.allow(&two.bob_is, ["SendReceive"; 3]);
    two.bob.wait_until_heard(&[ADA], &[]);
}

#[test]
fn a_camera_that_is_taken_is_not_seen_until_it_is_switched_on_again() {
    let Some(mut two) = Two::meet(true) else {
        return;
    };
    two.ada.wait_for_moving_picture("Bob");
    two.allow(&two.bob_is, ["SendReceive", "Receive", "Receive"]);
    wait_for("Bob's picture to go", SETTLED, || {
        (!has_picture(&mut two.ada, "Bob")).then_some(())
    });
    two.bob.wait_for_moving_picture("Ada");
    // His own page has switched the camera off, and says why.
    two.bob.wait_for_state("told of it", |state| {
        state.notice.contains("no picture from you")
    });
    two.allow(&two.bob_is, ["SendReceive"; 3]);
    two.bob.press("camera");
    two.ada.wait_for_moving_picture("Bob");
}

#[test]
fn who_may_not_see_sees_nobody_until_they_may() {
    let Some(mut two) = Two::meet(true) else {
        return;
    };
    two.ada.wait_for_moving_picture("Bob");
    two.allow(&two.ada_is, ["SendReceive", "Send", "Send"]);
    wait_for("Bob's picture to go", SETTLED, || {
        (!has_picture(&mut two.ada, "Bob")).then_some(())
    });
    two.bob.wait_for_moving_picture("Ada");
    // It comes back by itself.
    two.allow(&two.ada_is, ["SendReceive"; 3]);
    two.ada.wait_for_moving_picture("Bob");
}

#[test]
fn a_shared_screen_ends_when_it_may_not_be_shared() {
    let Some(mut two) = Two::meet(false) else {
        return;
    };
    let shown = "!!document.querySelector('[data-content=true] video')?.videoWidth";
    two.ada.press("share");
    wait_for("Ada's screen at Bob", SETTLED, || {
        two.bob.evaluate::<bool>(shown).then_some(())
    });
    two.allow(&two.ada_is, ["SendReceive", "SendReceive", "Receive"]);
    wait_for("Ada's screen to go", SETTLED, || {
        two.bob
            .evaluate::<bool>("!document.querySelector('[data-content=true]')")
            .then_some(())
    });
    // She is still there.
    two.bob.wait_until_heard(&[ADA], &[]);
}
