//! The first screen, and the ways not to get in.

use crate::support::page::Page;
use crate::support::server::Server;

fn page(server: &Server) -> Option<Page> {
    Page::open(&server.scratch("Ada"), "Ada", 500.0)
}

#[test]
fn an_unknown_meeting_is_told_in_the_lobby() {
    let server = Server::start(&[]);
    let url = server.meeting_create().join_url;
    let unknown = format!("{}/meet/0000000000", url.split("/meet/").next().unwrap());
    let Some(mut ada) = page(&server) else { return };
    let state = ada.join(&unknown, false);
    assert_eq!(state.refused.as_deref(), Some("unknown"), "{state:?}");
}

#[test]
fn the_meeting_tells_how_to_reach_it_by_phone() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some(mut ada) = page(&server) else { return };
    ada.join_well(&meeting.join_url, false);
    let dial_in = ada.dial_in();
    assert_eq!(
        (dial_in.pin, dial_in.dial_string),
        (meeting.pin, meeting.dial_string)
    );
}

#[test]
fn one_person_alone_may_leave_and_come_back() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some(mut ada) = page(&server) else { return };
    for _ in 0..2 {
        ada.join_well(&meeting.join_url, false);
        assert!(
            ada.wait_for_person("Ada", "oneself", |person| person.is_self)
                .attendee
                .len()
                > 4
        );
        assert_eq!(ada.leave().ended.as_deref(), Some("left"));
    }
}
