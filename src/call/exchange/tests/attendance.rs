//! Who is in a meeting: joining, the roster, leaving, coming back, being refused, the end.

use std::time::Duration;

use wire::plan::{MediaCommand, MediaEvent, MediaLoss, Refused};
use wire::signal::SdkSignalFrameType as Type;

use super::world::{World, error_of, join_frame, leave, meeting, ping, subscribe_frame};
use crate::admit::SignalRefusal;
use crate::ending::Cause;
use crate::exchange::{Capabilities, Capability, Input};
use crate::note::{Note, Party};

#[test]
fn joining_is_answered_in_the_order_that_the_client_needs() {
    let mut world = World::new();
    let anna = world.open("anna");
    world.say(anna, ping(1));
    world.say(anna, join_frame(7));
    assert_eq!(
        world.kinds(anna),
        [Type::PingPong, Type::JoinAck, Type::Index]
    );
    world.say(anna, subscribe_frame(&[], &[], &[]));
    let frames = world.frames[&anna].clone();
    let kinds: Vec<_> = frames
        .iter()
        .filter_map(|frame| frame.known_kind())
        .collect();
    assert_eq!(kinds, [Type::SubscribeAck, Type::AudioStreamIdInfo]);
    let answer = world.ack(anna).sdp_answer.unwrap();
    assert!(answer.contains("a=ice-lite") && answer.contains("a=ice-ufrag:u001"));

    let leg = world.legs()[0];
    let wanted = [
        matches!(world.commands[0], MediaCommand::Reserve { leg: at, .. } if at == leg),
        matches!(world.commands[1], MediaCommand::Configure { leg: at, .. } if at == leg),
        matches!(world.commands[2], MediaCommand::Join { leg: at, bridge } if at == leg && bridge == meeting().bridge),
    ];
    assert_eq!(wanted, [true; 3]);

    world.say(anna, leave());
    assert_eq!(
        world.last(anna, Type::LeaveAck).known_kind(),
        Some(Type::LeaveAck)
    );
    assert!(world.commands.contains(&MediaCommand::Close { leg }));
    world.close_socket(anna);
    world.assert_all_is_forgotten();
}

#[test]
fn join_ack_has_no_turn_and_no_compression() {
    let mut world = World::new();
    let anna = world.join("anna");
    let ack = world.last(anna, Type::JoinAck).joinack.unwrap();
    assert_eq!(ack.turn_credentials, None);
    assert_eq!(ack.wants_compressed_sdp, Some(false));
    assert_eq!(ack.video_subscription_limit, Some(25));
}

#[test]
fn the_whole_roster_comes_first_and_then_what_changes() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let lines = world.roster(anna);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].audio_stream_id, Some(1));
    assert_eq!(lines[0].attendee_id.as_deref(), Some("anna"));
    assert_eq!(lines[0].external_user_id.as_deref(), Some("ext-anna"));
    assert_eq!(lines[0].muted, Some(false));

    let ben = world.enter("ben");
    let names = |world: &World, conn| -> Vec<_> {
        world
            .roster(conn)
            .into_iter()
            .map(|line| {
                (
                    line.audio_stream_id.unwrap(),
                    line.attendee_id.unwrap_or_default(),
                )
            })
            .collect()
    };
    assert_eq!(names(&world, anna), [(2, "ben".to_owned())]);
    assert_eq!(
        names(&world, ben),
        [(1, "anna".to_owned()), (2, "ben".to_owned())]
    );

    world.say(ben, leave());
    let gone = world.roster(anna);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].audio_stream_id, Some(2));
    assert_eq!(
        (gone[0].attendee_id.clone(), gone[0].muted, gone[0].dropped),
        (None, None, None)
    );
}

#[test]
fn a_browser_that_only_joined_is_not_in_the_roster() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.forget_frames();
    let ben = world.join("ben");
    assert!(world.heard(anna).is_empty());
    world.close_socket(ben);
    assert!(world.heard(anna).is_empty());
}

#[test]
fn coming_back_replaces_the_old_connection_without_leaving_the_roster() {
    let mut world = World::new();
    let ben = world.enter("ben");
    let old = world.enter("anna");
    world.forget_frames();
    let new = world.open("anna");
    world.say(new, join_frame(1));
    // The same client: its old socket is closed without a word.
    assert!(world.heard(old).is_empty());
    assert_eq!(world.closed[&old].0, 1000);
    world.close_socket(old);
    assert!(world.heard(ben).is_empty());

    world.say(new, subscribe_frame(&[], &[], &[]));
    let lines = world.roster(ben);
    assert_eq!(lines[0].audio_stream_id, Some(3));
    assert_eq!(lines[0].attendee_id.as_deref(), Some("anna"));
    assert_eq!(
        (lines[1].audio_stream_id, lines[1].dropped),
        (Some(2), None)
    );
    assert_eq!(world.roster(new).len(), 2);
    let endings = world.endings();
    assert_eq!(endings.len(), 1);
    assert_eq!(endings[0].cause, Cause::WeHungUp);
    assert_eq!(
        world.count(|note| matches!(note, Note::AttendeeJoined { .. })),
        2
    );
    assert_eq!(
        world.count(|note| matches!(note, Note::AttendeeLeft { .. })),
        0
    );
}

#[test]
fn another_device_of_the_same_attendee_ends_the_first_with_301() {
    let mut world = World::new();
    let first = world.enter("anna");
    let second = world.open("anna");
    world.say(second, join_frame(2));
    let status = world.last(first, Type::AudioStatus).audio_status.unwrap();
    assert_eq!(status.audio_status, Some(301));
    assert_eq!(world.closed[&first].0, 4301);
}

#[test]
fn who_loses_the_socket_and_returns_in_time_was_never_gone() {
    let mut world = World::new();
    let ben = world.enter("ben");
    let anna = world.enter("anna");
    world.forget_frames();
    world.close_socket(anna);
    world.pass(Duration::from_secs(10));
    assert!(world.heard(ben).is_empty());
    assert_eq!(world.endings()[0].cause, Cause::SignalLost);

    let anna = world.enter("anna");
    let lines = world.roster(ben);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].attendee_id.as_deref(), Some("anna"));
    world.forget_frames();
    world.say(ben, ping(2));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.kinds(ben), [Type::PingPong]);
    assert!(world.closed.is_empty());
    world.say(anna, leave());
}

#[test]
fn who_does_not_return_is_shown_as_dropped() {
    let mut world = World::new();
    let ben = world.enter("ben");
    let anna = world.enter("anna");
    world.close_socket(anna);
    world.forget_frames();
    world.pass(Duration::from_secs(15));
    let lines = world.roster(ben);
    assert_eq!(
        (lines[0].audio_stream_id, lines[0].dropped),
        (Some(2), Some(true))
    );
    assert_eq!(
        world.count(|note| matches!(note, Note::AttendeeDropped { attendee_id, .. } if attendee_id == "anna")),
        1
    );
}

#[test]
fn a_client_that_says_nothing_any_more_is_lost() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.pass(Duration::from_secs(40));
    world.say(anna, ping(4));
    world.pass(Duration::from_secs(40));
    assert!(world.closed.is_empty());
    world.pass(Duration::from_secs(5));
    assert_eq!(world.closed[&anna].0, 4508);
    assert_eq!(world.endings()[0].cause, Cause::SignalLost);
    world.assert_all_is_forgotten();
}

#[test]
fn a_connection_that_never_joins_is_closed() {
    let mut world = World::new();
    let conn = world.open("anna");
    world.pass(Duration::from_secs(15));
    assert!(world.closed.contains_key(&conn));
    world.assert_all_is_forgotten();
}

#[test]
fn refusals_are_told_after_join_each_in_its_way() {
    for (refusal, status, code) in [
        (SignalRefusal::BadToken, 403, 4403),
        (SignalRefusal::UnknownMeeting, 404, 4404),
        (SignalRefusal::Overloaded, 503, 4503),
    ] {
        let mut world = World::new();
        let conn = world.open_as(Err(refusal));
        assert!(world.heard(conn).is_empty());
        world.say(conn, join_frame(1));
        let ack = world.last(conn, Type::JoinAck);
        assert_eq!((error_of(&ack), ack.joinack), (Some(status), None));
        assert!(world.closed.is_empty());
        world.pass(Duration::from_secs(3));
        assert_eq!(world.closed[&conn].0, code);
        world.assert_all_is_forgotten();
    }
}

#[test]
fn an_ended_meeting_is_told_by_the_close_code_alone() {
    let mut world = World::new();
    let conn = world.open_as(Err(SignalRefusal::MeetingEnded));
    world.say(conn, join_frame(1));
    assert!(world.heard(conn).is_empty());
    assert_eq!(world.closed[&conn].0, 4410);
}

#[test]
fn a_full_meeting_takes_those_who_are_in_it_and_no_more() {
    let mut world = World::new();
    let small = |name: &str| {
        let mut admitted = super::world::admitted(name);
        admitted.meeting.max_attendees = 2;
        Ok(Box::new(admitted))
    };
    let mut conns = Vec::new();
    for name in ["anna", "ben", "cleo"] {
        let conn = world.open_as(small(name));
        world.say(conn, join_frame(1));
        conns.push(conn);
    }
    assert_eq!(error_of(&world.last(conns[1], Type::JoinAck)), None);
    assert_eq!(error_of(&world.last(conns[2], Type::JoinAck)), Some(409));
    // Neither a content share nor the return of somebody counts.
    let share = world.open_as(small("anna#content"));
    world.say(share, join_frame(1));
    assert_eq!(error_of(&world.last(share, Type::JoinAck)), None);
    let again = world.open_as(small("ben"));
    world.say(again, join_frame(1));
    assert_eq!(error_of(&world.last(again, Type::JoinAck)), None);
}

#[test]
fn a_content_share_is_an_attendee_that_everybody_sees_the_sharer_too() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    world.forget_frames();
    let share = world.enter("anna#content");
    for conn in [anna, ben] {
        let lines = world.roster(conn);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].attendee_id.as_deref(), Some("anna#content"));
        assert_eq!(lines[0].external_user_id.as_deref(), Some("ext-anna"));
    }
    world.say(share, leave());
    assert_eq!(world.roster(anna)[0].audio_stream_id, Some(3));
}

#[test]
fn who_may_not_share_content_is_refused() {
    let mut world = World::new();
    let mut admitted = super::world::admitted("anna#content");
    admitted.attendee.capabilities = Capabilities {
        content: Capability::Receive,
        ..Capabilities::default()
    };
    let conn = world.open_as(Ok(Box::new(admitted)));
    world.say(conn, join_frame(1));
    assert_eq!(error_of(&world.last(conn, Type::JoinAck)), Some(403));
}

#[test]
fn the_end_of_a_meeting_is_410_for_all_and_for_those_who_come_then() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.join("ben");
    world.handle(Input::EndMeeting {
        meeting: "meeting-1".to_owned(),
    });
    for conn in [anna, ben] {
        let status = world.last(conn, Type::AudioStatus).audio_status.unwrap();
        assert_eq!(status.audio_status, Some(410));
        assert_eq!(world.closed[&conn].0, 4410);
    }
    assert!(
        world
            .endings()
            .iter()
            .all(|ending| ending.cause == Cause::MeetingEnded)
    );
    assert_eq!(world.endings().len(), 2);
    assert_eq!(
        world.count(|note| matches!(note, Note::AttendeeLeft { .. })),
        1
    );
    assert_eq!(
        world.count(|note| matches!(note, Note::MeetingEnded { .. })),
        1
    );
    let late = world.open("cleo");
    world.say(late, join_frame(1));
    assert_eq!(world.closed[&late].0, 4410);
    world.assert_all_is_forgotten();
}

#[test]
fn a_removed_attendee_hears_411_and_takes_its_share_along() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let share = world.enter("ben#content");
    world.handle(Input::RemoveAttendee {
        meeting: "meeting-1".to_owned(),
        attendee: "ben".to_owned(),
    });
    for conn in [ben, share] {
        let status = world.last(conn, Type::AudioStatus).audio_status.unwrap();
        assert_eq!(status.audio_status, Some(411));
        assert_eq!(world.closed[&conn].0, 4411);
    }
    assert!(!world.closed.contains_key(&anna));
    assert!(
        world
            .endings()
            .iter()
            .all(|ending| ending.cause == Cause::Removed)
    );
}

#[test]
fn a_meeting_ends_five_minutes_after_its_last_attendee_left() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(anna, leave());
    world.pass(Duration::from_secs(299));
    let ended = |world: &World| world.count(|note| matches!(note, Note::MeetingEnded { .. }));
    assert_eq!(ended(&world), 0);
    assert!(world.ended_for_good.is_empty());
    let anna = world.enter("anna");
    assert_eq!(
        world.count(|note| matches!(note, Note::MeetingStarted { .. })),
        1
    );
    world.say(anna, leave());
    world.pass(Duration::from_secs(300));
    assert_eq!(ended(&world), 1);
    assert_eq!(world.ended_for_good, ["meeting-1"]);
    let late = world.open("ben");
    world.say(late, join_frame(1));
    assert_eq!(world.closed[&late].0, 4410);
    world.assert_all_is_forgotten();
}

#[test]
fn a_browsers_call_is_told_from_start_to_end_in_order() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(anna, leave());
    let calls: Vec<_> = world
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::CallStarted(start) => {
                assert!(matches!(&start.party, Party::Browser { attendee_id, .. } if attendee_id == "anna"));
                Some(("started", start.call))
            }
            Note::CallAnswered { call } => Some(("answered", *call)),
            Note::JoinedMeeting { call, .. } => Some(("joined", *call)),
            Note::CallEnded { call, ending, .. } => {
                assert_eq!((ending.cause, ending.sip_status), (Cause::HungUp, None));
                Some(("ended", *call))
            }
            _ => None,
        })
        .collect();
    let words: Vec<_> = calls.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, ["started", "answered", "joined", "ended"]);
    assert!(calls.iter().all(|(_, call)| *call == calls[0].1));
}

#[test]
fn the_end_of_a_call_waits_for_the_end_of_its_leg() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let leg = world.legs()[0];
    world.shard_sleeps = true;
    world.say(anna, leave());
    assert!(world.endings().is_empty());
    assert!(!world.exchange.is_idle());
    world.media(MediaEvent::Closed { leg });
    assert_eq!(world.endings().len(), 1);
}

#[test]
fn leaving_while_media_is_being_reserved_closes_what_comes_of_it() {
    let mut world = World::new();
    world.shard_sleeps = true;
    let anna = world.join("anna");
    world.say(anna, subscribe_frame(&[], &[], &[]));
    let leg = world.legs()[0];
    world.say(anna, leave());
    assert!(world.commands.contains(&MediaCommand::Close { leg }));
    world.media(MediaEvent::Refused {
        leg,
        why: Refused::Full,
    });
    assert_eq!(world.endings().len(), 1);
    world.assert_all_is_forgotten();
}

#[test]
fn a_shard_that_refuses_lets_the_client_try_again() {
    let mut world = World::new();
    world.shard_refuses = Some(Refused::Full);
    let anna = world.enter("anna");
    assert_eq!(error_of(&world.last(anna, Type::SubscribeAck)), Some(503));
    assert_eq!(world.endings()[0].cause, Cause::NoMediaResources);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.closed[&anna].0, 4500);
    world.assert_all_is_forgotten();
}

#[test]
fn lost_media_makes_the_client_come_back() {
    let mut world = World::new();
    let ben = world.enter("ben");
    let anna = world.enter("anna");
    let leg = world.legs()[1];
    world.forget_frames();
    world.media(MediaEvent::Lost {
        leg,
        why: MediaLoss::PathExpired,
    });
    let status = world.last(anna, Type::AudioStatus).audio_status.unwrap();
    assert_eq!(status.audio_status, Some(500));
    assert_eq!(world.closed[&anna].0, 4500);
    assert_eq!(world.endings()[0].cause, Cause::PathExpired);
    assert!(world.heard(ben).is_empty());
    world.enter("anna");
    assert_eq!(world.roster(ben)[0].attendee_id.as_deref(), Some("anna"));
}

#[test]
fn a_wrong_certificate_is_final() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let leg = world.legs()[0];
    world.media(MediaEvent::Lost {
        leg,
        why: MediaLoss::WrongFingerprint,
    });
    assert_eq!(error_of(&world.last(anna, Type::Notification)), Some(400));
    assert_eq!(world.closed[&anna].0, 4400);
}

#[test]
fn a_drain_keeps_who_is_in_refuses_who_comes_and_ends_all_at_its_deadline() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.handle(Input::Drain);
    let ben = world.open("ben");
    world.say(ben, join_frame(1));
    assert_eq!(error_of(&world.last(ben, Type::JoinAck)), Some(503));
    world.say(anna, ping(2));
    assert!(world.closed.is_empty());
    assert!(!world.exchange.is_idle());
    world.handle(Input::DrainDeadline);
    let status = world.last(anna, Type::AudioStatus).audio_status.unwrap();
    assert_eq!(status.audio_status, Some(503));
    assert_eq!(world.closed[&anna].0, 4503);
    assert!(world.exchange.is_idle());
    world.assert_all_is_forgotten();
}

#[test]
fn connections_are_limited() {
    let mut world = World::with(|config| config.max_connections = 1);
    world.enter("anna");
    let ben = world.join("ben");
    assert_eq!(error_of(&world.last(ben, Type::JoinAck)), Some(503));
}

#[test]
fn a_meeting_from_before_ends_when_nobody_comes_back() {
    let mut world = World::new();
    let meetings = ["meeting-0", "meeting-1", "meeting-2", "meeting-3"].map(str::to_owned);
    world.handle(Input::Resume {
        meetings: meetings.to_vec(),
    });
    // Somebody comes back into one of them; another is ended by its owner.
    let anna = world.enter("anna");
    assert_eq!(world.held_by_us, ["meeting-1"]);
    world.handle(Input::EndMeeting {
        meeting: "meeting-3".to_owned(),
    });
    for _ in 0..29 {
        world.pass(Duration::from_secs(10));
        world.say(anna, ping(1));
    }
    world.pass(Duration::from_secs(9));
    assert!(world.ended_for_good.is_empty());
    world.pass(Duration::from_secs(2));
    assert_eq!(world.ended_for_good, ["meeting-0", "meeting-2"]);
    let ended = world.count(|note| matches!(note, Note::MeetingEnded { .. }));
    assert_eq!(ended, 2);
    // The other ends as any does, 300 s after the last one left it.
    world.say(anna, leave());
    world.pass(Duration::from_secs(299));
    assert_eq!(world.ended_for_good.len(), 2);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.ended_for_good[2..], ["meeting-1"]);
    world.assert_all_is_forgotten();
}

#[test]
fn whoever_is_on_the_way_into_a_meeting_from_before_is_waited_for() {
    let mut world = World::new();
    world.handle(Input::Resume {
        meetings: vec![meeting().id],
    });
    world.pass(Duration::from_secs(290));
    // It joins and has no media yet when the time is over; then it goes without having been in.
    let anna = world.join("anna");
    world.pass(Duration::from_secs(20));
    assert!(world.ended_for_good.is_empty());
    world.say(anna, leave());
    world.pass(Duration::from_secs(301));
    assert_eq!(world.ended_for_good, [meeting().id]);
    assert!(world.held_by_us.is_empty());
    world.assert_all_is_forgotten();
}
