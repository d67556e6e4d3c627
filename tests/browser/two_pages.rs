//! Two people with browsers.

use crate::support::page::{Page, SETTLED};
use crate::support::ports::free_port;
use crate::support::server::{Meeting, Server};
use crate::support::wait_for;

const ADA: f64 = 500.0;
const BOB: f64 = 820.0;

fn two(server: &Server, camera: bool) -> Option<(Page, Page)> {
    two_in(server, &server.meeting_create(), camera)
}

fn two_in(server: &Server, meeting: &Meeting, camera: bool) -> Option<(Page, Page)> {
    let url = &meeting.join_url;
    let mut ada = Page::open(&server.scratch("Ada"), "Ada", ADA)?;
    let mut bob = Page::open(&server.scratch("Bob"), "Bob", BOB)?;
    ada.join_well(url, camera);
    bob.join_well(url, camera);
    Some((ada, bob))
}

#[test]
fn they_hear_each_other_and_not_themselves() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    for (page, own, other) in [(&mut ada, ADA, BOB), (&mut bob, BOB, ADA)] {
        page.wait_until_heard(&[other], &[own]);
    }
}

#[test]
fn they_see_each_other_move() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, true) else {
        return;
    };
    let of_bob = ada.wait_for_moving_picture("Bob");
    let of_ada = bob.wait_for_moving_picture("Ada");
    assert!(
        of_bob.width >= 160 && of_ada.width >= 160,
        "{of_bob:?} {of_ada:?}"
    );
    let picture = std::env::temp_dir().join("campanile-two-pages.png");
    ada.screenshot(&picture);
    // A camera that goes off takes its picture away, and nobody else's.
    bob.press("camera");
    ada.wait_for_person("Bob", "present without a camera", |person| !person.is_self);
    bob.wait_for_moving_picture("Ada");
}

#[test]
fn muting_is_seen_and_silences() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    bob.press("mute");
    ada.wait_for_person("Bob", "muted", |person| person.muted);
    wait_for("a muted person's silence", SETTLED, || {
        (ada.hear(&[BOB], 3.0)[0].share < 0.2).then_some(())
    });
    bob.press("mute");
    ada.wait_for_person("Bob", "no longer muted", |person| !person.muted);
    ada.wait_until_heard(&[BOB], &[]);
}

#[test]
fn who_speaks_is_marked() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    ada.press("mute");
    bob.wait_for_person("Ada", "muted", |person| person.muted);
    ada.wait_for_person("Bob", "speaking", |person| {
        person.speaking && person.active_speaker
    });
}

#[test]
fn a_message_arrives_once() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    ada.chat("the bells ring at noon");
    bob.wait_for_chat("Ada", "the bells ring at noon");
    bob.chat("so they do");
    ada.wait_for_chat("Bob", "so they do");
}

#[test]
fn leaving_is_seen() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    ada.wait_for_person("Bob", "there", |_| true);
    bob.wait_for_person("Ada", "there", |_| true);
    assert_eq!(bob.leave().ended.as_deref(), Some("left"));
    ada.wait_until_gone("Bob");
}

#[test]
fn a_meeting_that_is_ended_ends_for_everybody() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some((mut ada, mut bob)) = two_in(&server, &meeting, false) else {
        return;
    };
    server.meeting_end(&meeting);
    for page in [&mut ada, &mut bob] {
        let state = page.wait_for_state("told of the end", |state| state.ended.is_some());
        assert_eq!(state.ended.as_deref(), Some("ended"));
    }
    assert_eq!(
        ada.join(&meeting.join_url, false).refused.as_deref(),
        Some("ended")
    );
}

#[test]
fn after_a_crash_they_come_back_by_themselves_and_hear_each_other() {
    let (https, media) = (
        format!("127.0.0.1:{}", free_port()),
        format!("127.0.0.1:{}", free_port()),
    );
    // Phones' ports must not take in the one that was found free for browsers.
    let mut server = Server::start(&[
        ("http.listen", &https),
        ("media.listen", &media),
        ("media.ports", "[10000, 20000]"),
    ]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    server.kill();
    ada.wait_for_state("reconnecting", |state| state.meeting == "reconnecting");
    server.start_again();
    for page in [&mut ada, &mut bob] {
        page.wait_for_state("connected again", |state| state.meeting == "connected");
    }
    for (page, other) in [(&mut ada, BOB), (&mut bob, ADA)] {
        page.wait_until_heard(&[other], &[]);
    }
}

#[test]
fn a_shared_screen_is_seen() {
    let server = Server::start(&[]);
    let Some((mut ada, mut bob)) = two(&server, false) else {
        return;
    };
    ada.press("share");
    wait_for("Ada's screen at Bob", SETTLED, || {
        bob.evaluate::<bool>(
            "(() => { const video = document.querySelector('[data-content=true] video'); return !!video && video.videoWidth > 0; })()",
        )
        .then_some(())
    });
    ada.press("share");
    wait_for("Ada's screen to go", SETTLED, || {
        bob.evaluate::<bool>("!document.querySelector('[data-content=true]')")
            .then_some(())
    });
}
