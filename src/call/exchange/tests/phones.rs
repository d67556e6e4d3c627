//! Phones in meetings: dialled directly or asked, seen by browsers, refused, told the end.

use std::time::Duration;

use wire::plan::{LegId, MediaCommand, MediaEvent, Prompt};
use wire::signal::SdkSignalFrameType as Type;

use super::world::{BROKEN_PIN, ENDED_PIN, GUEST, HOST, PIN, World, leave, meeting};
use crate::ending::Cause;
use crate::exchange::Input;
use crate::note::Note;

fn prompts(world: &World) -> Vec<Prompt> {
    world
        .commands
        .iter()
        .filter_map(|command| match command {
            MediaCommand::Play { prompt, .. } => Some(*prompt),
            _ => None,
        })
        .collect()
}

fn joined(world: &World, leg: LegId) -> bool {
    world.commands.contains(&MediaCommand::Join {
        leg,
        bridge: meeting().bridge,
    })
}

#[test]
fn two_browsers_and_a_phone_meet_and_part_and_nothing_is_left() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    assert_eq!(world.dial("call-1", PIN), 200);
    let legs = world.legs();
    assert!(legs.iter().all(|leg| joined(&world, *leg)));
    let line = &world.roster(anna)[0];
    assert_eq!(line.audio_stream_id, Some(3));
    assert_eq!(line.external_user_id.as_deref(), Some("sip:alice"));
    assert_eq!(line.muted, Some(false));
    assert_eq!(line.attendee_id.as_ref().unwrap().len(), 36);

    world.levels(&[(legs[2], 15)]);
    let states = world.last(ben, Type::AudioMetadata).audio_metadata.unwrap();
    assert_eq!(states.attendee_states[0].audio_stream_id, Some(3));

    let cleo = world.enter("cleo");
    assert_eq!(world.roster(cleo).len(), 4);
    world.phone_hangs_up("call-1");
    let gone = &world.roster(ben)[0];
    assert_eq!((gone.audio_stream_id, gone.dropped), (Some(3), None));
    for conn in [anna, ben, cleo] {
        world.say(conn, leave());
    }
    assert_eq!(world.endings().len(), 4);
    assert_eq!(
        world.count(|note| matches!(note, Note::AttendeeLeft { .. })),
        4
    );
    world.assert_all_is_forgotten();
}

#[test]
fn a_phone_is_asked_for_the_id_and_let_in() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("call-1", ""), 200);
    assert_eq!(prompts(&world), [Prompt::EnterMeetingId]);
    let leg = world.legs()[1];
    assert!(!joined(&world, leg));
    world.press(leg, "12*");
    assert!(world.commands.contains(&MediaCommand::StopPlaying { leg }));
    world.press(leg, PIN);
    assert!(!joined(&world, leg));
    world.press(leg, "#");
    assert!(joined(&world, leg));
    assert_eq!(prompts(&world), [Prompt::EnterMeetingId, Prompt::Joined]);
    assert_eq!(
        world.roster(anna)[0].external_user_id.as_deref(),
        Some("sip:alice")
    );
    assert_eq!(
        world.count(|note| matches!(note, Note::JoinedMeeting { .. })),
        2
    );
}

#[test]
fn three_unknown_ids_end_with_goodbye() {
    let mut world = World::new();
    assert_eq!(world.dial("call-1", "u"), 200);
    let leg = world.legs()[0];
    for _ in 0..3 {
        world.press(leg, "0000000000#");
    }
    assert_eq!(
        prompts(&world),
        [
            Prompt::EnterMeetingId,
            Prompt::UnknownMeetingId,
            Prompt::UnknownMeetingId,
            Prompt::Goodbye
        ]
    );
    world.media(MediaEvent::PromptEnded {
        leg,
        prompt: Prompt::Goodbye,
    });
    assert!(world.answer_bye("call-1"));
    assert_eq!(world.endings()[0].cause, Cause::NoMeetingChosen);
    world.assert_all_is_forgotten();
}

#[test]
fn an_unknown_id_that_was_dialled_is_404() {
    let mut world = World::new();
    assert_eq!(world.dial("call-1", "5555555555"), 404);
    assert_eq!(world.endings()[0].cause, Cause::UnknownMeeting);
    world.assert_all_is_forgotten();
}

#[test]
fn guessing_ids_is_stopped_even_for_the_right_one_and_forgiven_later() {
    let mut world = World::new();
    for number in 0..10 {
        assert_eq!(world.dial(&format!("guess-{number}"), "5555555555"), 404);
    }
    assert_eq!(world.dial("right", PIN), 403);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.dial("later", PIN), 200);
}

#[test]
fn asking_many_ids_at_once_buys_no_more_tries() {
    let mut world = World::with(|config| config.guesses = 2);
    world.directory_sleeps = true;
    for number in 0..5 {
        assert_eq!(world.dial(&format!("guess-{number}"), "5555555555"), 0);
    }
    assert_eq!(world.dial("right", PIN), 0);
    assert_eq!(world.asked.len(), 2);
    world.directory_answers();
    world.directory_answers();
    assert!(world.asked.is_empty(), "the rest is never looked up");
    assert_eq!(world.final_status("guess-0"), 404);
    assert_eq!(world.final_status("guess-1"), 404);
    assert_eq!(world.final_status("guess-2"), 403);
    assert_eq!(world.final_status("right"), 403);
}

#[test]
fn calls_that_name_meetings_wait_for_their_turn_and_are_all_let_in() {
    let mut world = World::with(|config| config.guesses = 2);
    world.directory_sleeps = true;
    for number in 0..6 {
        world.dial(&format!("call-{number}"), PIN);
    }
    let mut answers = 0;
    while !world.asked.is_empty() {
        world.directory_answers();
        answers += 1;
    }
    assert_eq!(answers, 6);
    for number in 0..6 {
        assert_eq!(world.final_status(&format!("call-{number}")), 200);
    }
}

#[test]
fn a_guess_that_is_cancelled_before_its_answer_counts_all_the_same() {
    let mut world = World::with(|config| config.guesses = 3);
    world.directory_sleeps = true;
    for number in 0..3 {
        let call_id = format!("guess-{number}");
        world.dial(&call_id, "5555555555");
        world.cancel(&call_id, "5555555555");
        assert_eq!(world.final_status(&call_id), 487);
    }
    // Nobody has been answered yet, and the tries are out: this one waits.
    world.dial("fourth", "5555555555");
    world.cancel("fourth", "5555555555");
    assert_eq!(world.asked.len(), 3);
    for _ in 0..3 {
        world.directory_answers();
    }
    assert_eq!(world.dial("right", PIN), 403);
    world.assert_all_is_forgotten();
}

#[test]
fn guessing_at_the_prompt_learns_nothing() {
    let mut world = World::with(|config| config.guesses = 1);
    assert_eq!(world.dial("call-1", ""), 200);
    let leg = world.legs()[0];
    world.press(leg, "0000000000#");
    world.press(leg, "1234567890#");
    assert!(!joined(&world, leg));
    assert_eq!(prompts(&world).last(), Some(&Prompt::UnknownMeetingId));
}

#[test]
fn a_full_meeting_is_486() {
    let mut world = World::new();
    world.directory.get_mut(PIN).unwrap().max_attendees = 0;
    assert_eq!(world.dial("call-1", PIN), 486);
    assert_eq!(world.endings()[0].cause, Cause::MeetingFull);
    world.assert_all_is_forgotten();
}

#[test]
fn a_meeting_that_ended_just_now_is_410() {
    let mut world = World::new();
    world.handle(Input::EndMeeting {
        meeting: "meeting-1".to_owned(),
    });
    assert_eq!(world.dial("call-1", PIN), 410);
}

#[test]
fn a_draining_node_takes_no_phone() {
    let mut world = World::new();
    world.handle(Input::Drain);
    assert_eq!(world.dial("call-1", PIN), 503);
}

#[test]
fn a_phone_is_told_that_the_meeting_ended_and_then_hung_up_on() {
    let mut world = World::new();
    assert_eq!(world.dial("call-1", PIN), 200);
    let leg = world.legs()[0];
    world.handle(Input::EndMeeting {
        meeting: "meeting-1".to_owned(),
    });
    assert!(world.commands.contains(&MediaCommand::Leave { leg }));
    assert_eq!(prompts(&world).last(), Some(&Prompt::MeetingEnded));
    assert!(!world.answer_bye("call-1"));
    world.media(MediaEvent::PromptEnded {
        leg,
        prompt: Prompt::MeetingEnded,
    });
    assert!(world.answer_bye("call-1"));
    assert_eq!(world.endings()[0].cause, Cause::MeetingEnded);
    world.assert_all_is_forgotten();
}

#[test]
fn a_phone_that_is_removed_is_hung_up_on() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("call-1", PIN), 200);
    let attendee = world.roster(anna)[0].attendee_id.clone().unwrap();
    world.handle(Input::RemoveAttendee {
        meeting: "meeting-1".to_owned(),
        attendee,
    });
    assert_eq!(world.roster(anna)[0].audio_stream_id, Some(2));
    assert!(world.answer_bye("call-1"));
    assert_eq!(world.endings()[0].cause, Cause::Removed);
}

#[test]
fn the_drains_deadline_ends_phones_too() {
    let mut world = World::new();
    assert_eq!(world.dial("call-1", PIN), 200);
    world.handle(Input::Drain);
    assert!(!world.exchange.is_idle());
    world.handle(Input::DrainDeadline);
    assert!(world.answer_bye("call-1"));
    assert_eq!(world.endings()[0].cause, Cause::Draining);
    assert!(world.exchange.is_idle());
}

#[test]
fn a_phone_mutes_and_unmutes_itself_and_browsers_see_it() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("call-1", PIN), 200);
    let leg = world.legs()[1];
    for (muted, prompt) in [(true, Prompt::Muted), (false, Prompt::Unmuted)] {
        world.press(leg, "*7");
        let command = MediaCommand::Mute { leg, muted };
        assert!(world.commands.contains(&command));
        assert_eq!(prompts(&world).last(), Some(&prompt));
        let line = &world.roster(anna)[0];
        assert_eq!((line.audio_stream_id, line.muted), (Some(2), Some(muted)));
    }
    // Nobody but a host locks or ends.
    let said = prompts(&world).len();
    world.press(leg, "*4##");
    assert_eq!(prompts(&world).len(), said);
    assert!(world.ended_for_good.is_empty());
}

#[test]
fn phones_hear_who_comes_and_goes_but_not_themselves() {
    let mut world = World::new();
    assert_eq!(world.dial("call-1", PIN), 200);
    let first = world.legs()[0];
    let heard = |world: &World, leg: LegId| -> Vec<Prompt> {
        world
            .commands
            .iter()
            .filter_map(|command| match command {
                MediaCommand::Play { leg: to, prompt } if *to == leg => Some(*prompt),
                _ => None,
            })
            .collect()
    };
    assert_eq!(world.dial("call-2", PIN), 200);
    let second = world.legs()[1];
    let anna = world.enter("anna");
    world.say(anna, leave());
    world.phone_hangs_up("call-2");
    use Prompt::{Joined, SomeoneJoined, SomeoneLeft};
    assert_eq!(
        heard(&world, first),
        [
            Joined,
            SomeoneJoined,
            SomeoneJoined,
            SomeoneLeft,
            SomeoneLeft
        ]
    );
    assert_eq!(heard(&world, second), [Joined, SomeoneJoined, SomeoneLeft]);
}

#[test]
fn the_host_comes_by_thirteen_digits_bears_its_name_and_locks_the_meeting() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("host", &format!("{PIN}{HOST}")), 200);
    let leg = world.legs()[1];
    let line = &world.roster(anna)[0];
    assert_eq!(line.external_user_id.as_deref(), Some("Hanna"));
    world.press(leg, "*4");
    assert_eq!(prompts(&world).last(), Some(&Prompt::MeetingLocked));
    assert_eq!(world.dial("stranger", PIN), 403);
    assert_eq!(world.endings()[0].cause, Cause::MeetingLocked);
    assert_eq!(world.dial("invited", &format!("{PIN}{GUEST}")), 200);
    world.press(leg, "*4");
    assert_eq!(prompts(&world).last(), Some(&Prompt::MeetingUnlocked));
    assert_eq!(world.dial("stranger-again", PIN), 200);
}

#[test]
fn the_host_ends_the_meeting_for_all() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("guest", &format!("{PIN}{GUEST}")), 200);
    assert_eq!(world.dial("host", &format!("{PIN}{HOST}")), 200);
    let (guest, host) = (world.legs()[1], world.legs()[2]);
    world.press(guest, "##");
    assert!(world.ended_for_good.is_empty());
    world.press(host, "##");
    assert_eq!(world.ended_for_good, ["meeting-1"]);
    assert_eq!(world.closed[&anna].0, 4410);
    for leg in [guest, host] {
        world.media(MediaEvent::PromptEnded {
            leg,
            prompt: Prompt::MeetingEnded,
        });
    }
    assert!(world.answer_bye("guest") && world.answer_bye("host"));
    world.assert_all_is_forgotten();
}

#[test]
fn a_suffix_that_nobody_has_is_a_wrong_guess() {
    let mut world = World::with(|config| config.guesses = 1);
    assert_eq!(world.dial("call-1", &format!("{PIN}999")), 404);
    assert_eq!(world.dial("call-2", PIN), 403);
}

#[test]
fn a_meeting_that_has_ended_is_410_and_at_the_prompt_told() {
    let mut world = World::new();
    assert_eq!(world.dial("direct", ENDED_PIN), 410);
    assert_eq!(world.dial("asked", ""), 200);
    let leg = world.legs()[0];
    world.press(leg, ENDED_PIN);
    world.press(leg, "#");
    assert_eq!(prompts(&world).last(), Some(&Prompt::MeetingEnded));
    world.media(MediaEvent::PromptEnded {
        leg,
        prompt: Prompt::MeetingEnded,
    });
    assert!(world.answer_bye("asked"));
    assert_eq!(world.endings()[1].cause, Cause::MeetingEnded);
    world.assert_all_is_forgotten();
}

#[test]
fn a_full_meeting_is_told_at_the_prompt() {
    let mut world = World::new();
    world.directory.get_mut(PIN).unwrap().max_attendees = 0;
    assert_eq!(world.dial("call-1", ""), 200);
    let leg = world.legs()[0];
    world.press(leg, PIN);
    world.press(leg, "#");
    assert_eq!(prompts(&world).last(), Some(&Prompt::MeetingFull));
    // The end of the words is never told: hung up on all the same.
    world.pass(Duration::from_secs(10));
    assert!(world.answer_bye("call-1"));
    assert_eq!(world.endings()[0].cause, Cause::MeetingFull);
    world.assert_all_is_forgotten();
}

#[test]
fn a_directory_that_fails_is_500_and_costs_nobody_a_try() {
    let mut world = World::with(|config| config.guesses = 1);
    for number in 0..3 {
        assert_eq!(world.dial(&format!("call-{number}"), BROKEN_PIN), 500);
    }
    assert_eq!(world.dial("asked", ""), 200);
    let leg = world.legs()[0];
    world.press(leg, BROKEN_PIN);
    world.press(leg, "#");
    assert_eq!(prompts(&world).last(), Some(&Prompt::EnterMeetingId));
    world.press(leg, PIN);
    world.press(leg, "#");
    assert!(joined(&world, leg));
}

#[test]
fn who_can_hear_early_media_is_told_why_before_it_is_refused() {
    for (pin, prompt, status) in [
        ("5555555555", Prompt::Goodbye, 404),
        (ENDED_PIN, Prompt::MeetingEnded, 410),
        (PIN, Prompt::MeetingFull, 486),
    ] {
        let mut world = World::new();
        world.directory.get_mut(PIN).unwrap().max_attendees = 0;
        let supported = "Supported: 100rel\n";
        assert_eq!(world.dial_with("call-1", pin, supported), 0);
        assert_eq!(prompts(&world), [prompt]);
        let leg = world.legs()[0];
        world.media(MediaEvent::PromptEnded { leg, prompt });
        assert_eq!(world.final_status("call-1"), status);
        assert_eq!(world.endings().len(), 1);
    }
}

#[test]
fn who_guesses_is_refused_without_a_word() {
    let mut world = World::with(|config| config.guesses = 1);
    assert_eq!(world.dial("call-1", "5555555555"), 404);
    let supported = "Supported: 100rel\n";
    assert_eq!(world.dial_with("call-2", PIN, supported), 403);
    assert!(world.legs().is_empty());
}
