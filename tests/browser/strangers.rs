//! Browsers that are not what they say, among two that are.

use std::time::Duration;

use crate::support::page::Page;
use crate::support::server::{Meeting, Server};
use crate::support::wait_for;

const ADA: f64 = 500.0;
const BOB: f64 = 820.0;
const MALLORY: f64 = 1300.0;

fn three(server: &Server, meeting: &Meeting) -> Option<[Page; 3]> {
    let mut ada = Page::open(&server.scratch("Ada"), "Ada", ADA)?;
    let mut bob = Page::open(&server.scratch("Bob"), "Bob", BOB)?;
    ada.join_well(&meeting.join_url, false);
    bob.join_well(&meeting.join_url, false);
    let mallory = Page::open(&server.scratch("Mallory"), "Mallory", MALLORY)?;
    Some([ada, bob, mallory])
}

fn hear_each_other_and_nobody_else(ada: &mut Page, bob: &mut Page) {
    for (page, other) in [(ada, BOB), (bob, ADA)] {
        page.wait_until_heard(&[other], &[MALLORY]);
    }
}

#[test]
fn whose_certificate_is_not_the_one_that_was_told_is_neither_heard_nor_hears() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some([mut ada, mut bob, mut mallory]) = three(&server, &meeting) else {
        return;
    };
    mallory.tamper();
    // How the page takes it is the SDK's affair, which tries again and again.
    mallory.knock(&meeting.join_url);
    wait_for("the leg to end", Duration::from_secs(20), || {
        let said = "ending=the DTLS certificate did not match";
        server.log().contains(said).then_some(())
    });
    for heard in mallory.hear(&[ADA, BOB], 3.0) {
        assert!(heard.share < 0.05, "the stranger heard {heard:?}");
    }
    hear_each_other_and_nobody_else(&mut ada, &mut bob);
}

#[test]
fn garbage_on_a_joined_signaling_connection_disturbs_nobody() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some([mut ada, mut bob, mut mallory]) = three(&server, &meeting) else {
        return;
    };
    mallory.tap();
    mallory.join_well(&meeting.join_url, false);
    ada.wait_for_person("Mallory", "present", |_| true);
    let sent = mallory.garbage(300);
    assert!(sent > 0, "nothing was sent");
    mallory.leave();
    ada.wait_until_gone("Mallory");
    hear_each_other_and_nobody_else(&mut ada, &mut bob);
    let mut eve = Page::open(&server.scratch("Eve"), "Eve", 1700.0).unwrap();
    eve.join_well(&meeting.join_url, false);
    bob.wait_for_person("Eve", "present", |_| true);
}
