//! Whole calls over networks good and bad.

use wire::plan::{AudioCodec, Direction, MediaEvent, MediaLoss, Protection};
use wire::sdp::Session;
use wire::sip::Name;

use super::super::{Dialled, Input};
use super::{Decision, Side, World, config, dial};
use crate::ending::{Cause, Side as Fault};
use crate::negotiate::phone::SrtpPolicy;
use crate::note::Note;
use crate::transaction::{FlowId, Transport};

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

#[test]
fn a_call_is_answered_talks_and_ends_over_every_transport() {
    for transport in ALL {
        let mut world = World::new(1, transport, SrtpPolicy::Require);
        world.run_ms(1000);
        assert_eq!(
            world.ladder,
            [
                "caller INVITE",
                "phones 100 INVITE",
                "phones 200 INVITE",
                "caller ACK"
            ]
        );
        assert_eq!(
            world.arrived[0].dialled,
            Dialled::MeetingId("1234567890".to_owned())
        );
        assert_eq!(world.arrived[0].from_user, "ann");
        assert_eq!(world.answered_by_phones, 1);
        world.caller_hangs_up();
        world.run_ms(1000);
        assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
        assert_eq!(world.phones_ended[0].side, Fault::Them);
        assert_eq!(world.caller_ended[0].cause, Cause::WeHungUp);
        world.assert_nothing_left();
    }
}

#[test]
fn both_sides_agree_on_keys_codec_and_addresses() {
    let mut world = World::new(2, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    let phones = &world.phones_plans[0];
    let caller = &world.caller_plans[0];
    let (
        Protection::Sdes { local, remote },
        Protection::Sdes {
            local: l,
            remote: r,
        },
    ) = (&phones.protection, &caller.protection)
    else {
        panic!("not protected");
    };
    assert_eq!(
        (std::slice::from_ref(local), remote.as_slice()),
        (r.as_slice(), std::slice::from_ref(l))
    );
    assert_ne!(local, &remote[0]);
    let (ours, theirs) = (
        phones.audio.as_ref().unwrap(),
        caller.audio.as_ref().unwrap(),
    );
    assert_eq!(ours.send.codec, AudioCodec::Opus);
    assert_eq!(ours.send.payload_type, theirs.receive[0].payload_type);
    assert_eq!(theirs.send.codec, AudioCodec::Opus);
    assert_eq!(ours.telephone_events[0], theirs.telephone_events[0]);
    assert_eq!(ours.telephone_events[0].clock_rate, 48_000);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn we_hang_up_with_a_reason_and_the_caller_knows_it() {
    let mut world = World::new(3, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(1000);
    let bye = world.last(Side::Phones, "BYE");
    assert_eq!(
        bye.headers.get(Name::Reason),
        Some(&b"Q.850;cause=16;text=\"the meeting ended\""[..])
    );
    assert_eq!(world.phones_ended[0].sip_status, None);
    assert_eq!(world.caller_ended[0].cause, Cause::HungUp);
    world.assert_nothing_left();
}

#[test]
fn an_unknown_meeting_is_refused_with_404_and_leaves_no_leg() {
    for transport in ALL {
        let mut world = World::new(4, transport, SrtpPolicy::Require);
        world.decision = Decision::Refuse(Cause::UnknownMeeting);
        world.run_ms(1000);
        assert_eq!(world.caller_ended[0].sip_status, Some(404));
        assert!(world.closed_legs.is_empty());
        assert_eq!(world.count("caller ACK"), 1);
        world.assert_nothing_left();
    }
}

#[test]
fn a_plain_offer_over_tls_is_refused_with_488_and_a_warning() {
    let mut world = World::new(5, Transport::Tls, SrtpPolicy::Off);
    world.run_ms(1000);
    assert_eq!(world.caller_ended[0].sip_status, Some(488));
    let refusal = world.last(Side::Phones, "488 INVITE");
    assert_eq!(
        refusal.headers.get(Name::Warning),
        Some(&b"302 meet.example.com \"SRTP is required here\""[..])
    );
    assert!(world.arrived.is_empty());
    world.assert_nothing_left();
}

#[test]
fn a_plain_call_over_a_clear_listener_is_answered_in_the_clear() {
    let mut world = World::new(6, Transport::Udp, SrtpPolicy::Off);
    world.run_ms(1000);
    assert_eq!(world.phones_plans[0].protection, Protection::Plain);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn calls_succeed_and_end_cleanly_however_many_datagrams_are_lost() {
    for seed in 0..40 {
        let mut world = World::new(seed, Transport::Udp, SrtpPolicy::Require);
        world.loss_percent = 30;
        world.run_ms(31_000);
        if seed % 2 == 0 {
            world.caller_hangs_up();
        } else if !world.arrived.is_empty() {
            world.phones_hang_up(Cause::MeetingEnded);
        }
        world.run_ms(64_000);
        world.loss_percent = 0;
        // A caller whose call ended by loss of the BYE hears of it when it hangs up itself.
        world.caller_hangs_up();
        world.assert_nothing_left();
        assert_eq!(world.caller_ended.len(), 1, "seed {seed}");
        assert_eq!(world.phones_ended.len(), world.arrived.len(), "seed {seed}");
        assert!(world.arrived.len() <= 1, "seed {seed}: copies made calls");
    }
}

#[test]
fn the_same_seed_gives_the_same_messages() {
    let run = || {
        let mut world = World::new(9, Transport::Udp, SrtpPolicy::Require);
        world.loss_percent = 30;
        world.run_ms(20_000);
        world.caller_hangs_up();
        world.run_ms(60_000);
        world
            .messages
            .iter()
            .map(|(_, message)| message.to_bytes())
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn media_that_falls_silent_ends_the_call_with_a_bye() {
    let mut world = World::new(10, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    let leg = world.arrived[0].leg;
    world.tell_phones(Input::Media(MediaEvent::Lost {
        leg,
        why: MediaLoss::Silent,
    }));
    world.run_ms(1000);
    assert_eq!(world.phones_ended[0].cause, Cause::MediaSilent);
    assert_eq!(world.count("phones BYE"), 1);
    world.assert_nothing_left();
}

#[test]
fn without_free_ports_the_caller_gets_503_and_when_to_try_again() {
    let mut world = World::new(11, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    world.run_ms(500);
    let (call, leg) = (world.arrived[0].call, world.arrived[0].leg);
    // The shard's own answer comes too late to matter: the leg does not exist.
    world.accept_now(call);
    world.tell_phones(Input::Media(MediaEvent::Refused {
        leg,
        why: wire::plan::Refused::NoPorts,
    }));
    world.run_ms(1000);
    assert_eq!(world.caller_ended[0].sip_status, Some(503));
    assert!(
        world
            .last(Side::Phones, "503 INVITE")
            .headers
            .has(Name::RetryAfter)
    );
    world.assert_nothing_left();
}

#[test]
fn beyond_its_limit_the_node_refuses_with_503() {
    let mut full = config();
    full.max_calls = 0;
    let transport = Transport::Tls;
    let mut world = World::with(12, transport, dial(transport, SrtpPolicy::Require), full);
    world.run_ms(1000);
    assert_eq!(world.caller_ended[0].sip_status, Some(503));
    world.assert_nothing_left();
}

#[test]
fn a_call_survives_its_connection_and_its_bye_is_given_up_with_a_note() {
    let mut world = World::new(13, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    world.tell_phones(Input::FlowClosed { flow: FlowId(7) });
    world.run_ms(60_000);
    assert_eq!(world.phones.active(), 1);
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(1000);
    assert_eq!(world.count("phones BYE"), 0);
    assert_eq!(
        world.count_notes(|note| matches!(note, Note::GaveUp { call: Some(_), .. })),
        1
    );
    assert_eq!(world.phones.held(), 0);
}

#[test]
fn a_connection_lost_before_the_answer_ends_the_call() {
    let mut world = World::new(14, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    world.run_ms(500);
    world.tell_phones(Input::FlowClosed { flow: FlowId(7) });
    world.run_ms(500);
    assert_eq!(world.phones_ended[0].cause, Cause::TransportLost);
    assert_eq!(world.phones.held(), 0);
}

#[test]
fn a_drain_refuses_new_calls_and_ends_the_rest_at_its_deadline() {
    let mut world = World::new(15, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    let deadline = world.now + std::time::Duration::from_secs(10);
    world.tell_phones(Input::Drain { deadline });
    world.run_ms(9000);
    assert_eq!(world.phones.active(), 1);
    world.run_ms(2000);
    assert_eq!(world.phones_ended[0].cause, Cause::Draining);
    world.assert_nothing_left();
}

#[test]
fn nobody_decides_and_the_caller_is_refused_in_time() {
    let mut world = World::new(16, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    world.run_ms(29_000);
    assert!(world.phones_ended.is_empty());
    world.run_ms(2000);
    assert_eq!(world.caller_ended[0].sip_status, Some(503));
    world.assert_nothing_left();
}

#[test]
fn every_message_is_noted_with_its_call() {
    let mut world = World::new(17, Transport::Udp, SrtpPolicy::Require);
    // The first 200 is lost, so that copies are noted, too.
    world.loss = Box::new(|from, message, nth| {
        from == Side::Phones && message.status() == Some(200) && nth == 0
    });
    world.run_ms(3000);
    world.caller_hangs_up();
    world.run_ms(3000);
    let call = world.arrived[0].call;
    let caller = world.caller.call();
    let of = |id, incoming| {
        world.count_notes(|note| {
            matches!(note, Note::SipMessage { call, incoming: i, .. } if *call == Some(id) && *i == incoming)
        })
    };
    let sent = |side| {
        world
            .messages
            .iter()
            .filter(|(from, _)| *from == side)
            .count()
    };
    assert_eq!(of(call, false), sent(Side::Phones));
    assert_eq!(of(caller, false), sent(Side::Caller));
    assert_eq!(of(call, true), sent(Side::Caller));
    assert_eq!(of(caller, true) + 2, sent(Side::Phones));
    world.assert_nothing_left();
}

#[test]
fn hold_and_resume_are_answered_in_the_right_direction_with_the_keys_kept() {
    let mut world = World::new(18, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    let invite = world.last(Side::Caller, "INVITE").clone();
    let ack = world.last(Side::Caller, "ACK").clone();
    let number = invite.headers.cseq().unwrap().number;
    let mut versions = vec![];
    for (step, (theirs, ours)) in [
        ("sendonly", Direction::RecvOnly),
        ("inactive", Direction::Inactive),
        ("sendrecv", Direction::SendRecv),
    ]
    .into_iter()
    .enumerate()
    {
        let step = u32::try_from(step).unwrap() + 1;
        let mut again = invite.clone();
        again
            .headers
            .replace(Name::CSeq, format!("{} INVITE", number + step));
        let to = String::from_utf8(ack.headers.get(Name::To).unwrap().to_vec()).unwrap();
        again.headers.replace(Name::To, to);
        let mut via = again.headers.via().unwrap();
        via.params
            .set("branch", Some(&format!("z9hG4bKhold{step}")));
        again.headers.set_top_via(&via);
        let body = String::from_utf8(invite.body.clone()).unwrap();
        again.body = body
            .replace("a=sendrecv", &format!("a={theirs}"))
            .into_bytes();
        world.inject(again);
        world.run_ms(200);
        let response = world.last(Side::Phones, "200 INVITE");
        let answer = Session::parse(&response.body).unwrap();
        assert_eq!(answer.media[0].attributes.direction(), Some(ours));
        versions.push(answer.origin.unwrap().session_version);
        let plan = world.phones_plans.last().unwrap();
        assert_eq!(plan.audio.as_ref().unwrap().direction, ours);
        assert_eq!(plan.protection, world.phones_plans[0].protection);
        let mut acknowledged = ack.clone();
        acknowledged
            .headers
            .replace(Name::CSeq, format!("{} ACK", number + step));
        world.inject(acknowledged);
        world.run_ms(200);
    }
    assert_eq!(versions, ["2", "3", "4"]);
    assert_eq!(world.phones_plans.len(), 4);
    // The device's own machine did not see these requests; its BYE must count on.
    world.phones_hang_up(Cause::WeHungUp);
    world.assert_nothing_left();
}
