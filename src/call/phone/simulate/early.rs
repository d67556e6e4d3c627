//! What is said before the answer: 183, early media, PRACK (RFC 3262).

use std::time::Duration;

use wire::plan::Connectivity;
use wire::sip::{Message, Method, Name};

use super::{Decision, Side, World};
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::Transport;

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

fn early(seed: u8, transport: Transport) -> World {
    let mut world = World::new(seed, transport, SrtpPolicy::Require);
    world.decision = Decision::Early;
    world
}

fn accept(world: &mut World) {
    let call = world.arrived[0].call;
    world.accept_now(call);
}

#[test]
fn early_media_is_acknowledged_and_the_answer_needs_no_description() {
    for transport in ALL {
        let mut world = early(1, transport);
        world.run_ms(400);
        assert!(world.arrived[0].early_media);
        assert_eq!(world.early_by_phones, 1);
        assert_eq!(world.early_plans.len(), 1);
        assert_eq!(world.answered_by_phones, 0);
        accept(&mut world);
        world.run_ms(400);
        assert_eq!(
            world.ladder,
            [
                "caller INVITE",
                "phones 100 INVITE",
                "phones 183 INVITE",
                "caller PRACK",
                "phones 200 PRACK",
                "phones 200 INVITE",
                "caller ACK"
            ]
        );
        assert!(!world.last(Side::Phones, "183 INVITE").body.is_empty());
        assert!(world.last(Side::Phones, "200 INVITE").body.is_empty());
        assert_eq!(world.answered_by_phones, 1);
        assert_eq!(**world.answered.as_ref().unwrap(), world.early_plans[0]);
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn over_datagrams_nothing_is_played_before_the_prack() {
    let mut world = early(2, Transport::Udp);
    world.loss = Box::new(|_, message, nth| message.method() == Some(&Method::Prack) && nth < 2);
    world.run_ms(400);
    assert_eq!(world.early_by_phones, 0);
    assert!(matches!(
        world.phones_plans[0].connectivity,
        Connectivity::Static { rtp: None, .. }
    ));
    world.run_ms(3000);
    assert_eq!(world.early_by_phones, 1);
    assert!(matches!(
        world.phones_plans[1].connectivity,
        Connectivity::Static { rtp: Some(_), .. }
    ));
    accept(&mut world);
    world.run_ms(500);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_refusal_after_early_media_ends_the_call_unanswered() {
    let mut world = early(3, Transport::Tls);
    world.run_ms(400);
    world.phones_hang_up(Cause::MeetingFull);
    world.run_ms(400);
    assert_eq!(world.caller_ended[0].sip_status, Some(486));
    assert_eq!(world.phones_ended[0].cause, Cause::MeetingFull);
    assert_eq!(world.closed_legs.len(), 1);
    world.assert_nothing_left();
}

#[test]
fn the_answer_waits_for_the_prack() {
    let mut world = early(4, Transport::Udp);
    world.loss = Box::new(|_, message, nth| message.method() == Some(&Method::Prack) && nth < 2);
    world.run_ms(100);
    accept(&mut world);
    world.run_ms(300);
    assert_eq!(world.count("phones 200 INVITE"), 0);
    world.run_ms(4000);
    assert_eq!(world.count("phones 200 INVITE"), 1);
    assert_eq!(world.answered_by_phones, 1);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_183_that_is_lost_is_sent_again_at_doubling_intervals() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut world = early(5, transport);
        world.loss = Box::new(|_, message, nth| message.status() == Some(183) && nth < 3);
        world.run_ms(6000);
        assert_eq!(world.count("phones 183 INVITE"), 4);
        assert_eq!(world.count("caller PRACK"), 1);
        accept(&mut world);
        world.run_ms(500);
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn a_183_that_nobody_acknowledges_refuses_the_call_with_504() {
    let mut world = early(6, Transport::Tls);
    world.loss = Box::new(|_, message, _| message.method() == Some(&Method::Prack));
    // Longer than the patience of the phones' own: it is the 64*T1 that ends it.
    let mut config = super::config();
    config.patience = Duration::from_secs(120);
    let mut patient = World::with(
        6,
        Transport::Tls,
        super::dial(Transport::Tls, SrtpPolicy::Require),
        config,
    );
    patient.decision = Decision::Early;
    patient.loss = Box::new(|_, message, _| message.method() == Some(&Method::Prack));
    patient.run_ms(31_000);
    assert!(patient.phones_ended.is_empty());
    patient.run_ms(2000);
    assert_eq!(patient.phones_ended[0].cause, Cause::NoPrack);
    assert_eq!(patient.caller_ended[0].sip_status, Some(504));
    patient.assert_nothing_left();
}

#[test]
fn without_100rel_the_183_is_only_a_preview_and_the_200_says_it_again() {
    let mut world = early(7, Transport::Tls);
    world.mangle = Box::new(|_, message| {
        if message.method() == Some(&Method::Invite) {
            message.headers.remove(Name::Supported);
        }
    });
    world.run_ms(400);
    assert!(!world.arrived[0].early_media);
    assert_eq!(world.early_by_phones, 1);
    assert_eq!(world.early_plans.len(), 1);
    assert_eq!(world.count("caller PRACK"), 0);
    accept(&mut world);
    world.run_ms(400);
    let preview = world.last(Side::Phones, "183 INVITE").body.clone();
    assert_eq!(world.last(Side::Phones, "200 INVITE").body, preview);
    assert_eq!(**world.answered.as_ref().unwrap(), world.early_plans[0]);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_cancel_during_early_media_ends_it_with_487() {
    let mut world = early(8, Transport::Udp);
    world.run_ms(400);
    world.caller_hangs_up();
    world.run_ms(1000);
    assert_eq!(world.count("phones 487 INVITE"), 1);
    assert_eq!(world.phones_ended[0].cause, Cause::Cancelled);
    world.assert_nothing_left();
}

#[test]
fn a_cancel_that_crosses_the_prack_leaves_nothing() {
    for late in 0..60 {
        let mut world = early(late, Transport::Udp);
        world.run_ms(u64::from(late) * 4);
        world.caller_hangs_up();
        world.assert_nothing_left();
        assert_eq!(world.caller_ended.len(), 1);
    }
}

#[test]
fn the_offer_of_an_invite_without_one_goes_out_in_the_183_and_the_answer_comes_in_the_prack() {
    let mut world = early(9, Transport::Tls);
    // The caller's machine always offers: its offer is taken out, and stands as the answer later.
    world.loss = Box::new(|_, message, _| message.method() == Some(&Method::Invite));
    world.run_ms(100);
    let mut invite = world.last(Side::Caller, "INVITE").clone();
    let answer = std::mem::take(&mut invite.body);
    world.loss = Box::new(|from, _, _| from == Side::Phones);
    invite.headers.remove(Name::ContentType);
    rebranch(&mut invite, "late");
    world.inject(invite.clone());
    world.run_ms(300);
    assert_eq!(world.early_by_phones, 0);
    let progress = world.last(Side::Phones, "183 INVITE").clone();
    let offer = String::from_utf8(progress.body.clone()).unwrap();
    assert!(offer.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
    let number = invite.headers.cseq().unwrap().number;
    let rseq = progress.headers.number(Name::RSeq).unwrap().unwrap();
    let mut prack = in_early_dialog(&invite, &progress, &Method::Prack, number + 1);
    prack
        .headers
        .push(Name::RAck, format!("{rseq} {number} INVITE"));
    prack.set_body("application/sdp", answer);
    world.inject(prack);
    world.run_ms(300);
    assert_eq!(world.early_by_phones, 1);
    assert_eq!(world.phones_plans.len(), 1);
    accept(&mut world);
    world.run_ms(300);
    assert_eq!(world.answered_by_phones, 1);
    assert!(world.last(Side::Phones, "200 INVITE").body.is_empty());
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(40_000);
    assert_eq!(world.phones_ended[0].cause, Cause::MeetingEnded);
}

#[test]
fn a_prack_for_nothing_is_481_and_one_comes_too_late_is_too() {
    let mut world = early(10, Transport::Tls);
    world.run_ms(400);
    let invite = world.last(Side::Caller, "INVITE").clone();
    let progress = world.last(Side::Phones, "183 INVITE").clone();
    let number = invite.headers.cseq().unwrap().number;
    for (step, rack) in ["1 1 INVITE".to_owned(), String::new()].iter().enumerate() {
        let step = u32::try_from(step).unwrap();
        let mut prack = in_early_dialog(&invite, &progress, &Method::Prack, number + 5 + step);
        prack.headers.push(Name::RAck, rack);
        world.inject(prack);
        world.run_ms(100);
    }
    assert_eq!(world.count("phones 481 PRACK"), 2);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn an_update_with_an_offer_is_500_before_the_first_answer_and_200_after_the_prack() {
    let mut world = World::new(11, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    // The caller's own PRACK stays away, so that the test's can come when it wants.
    world.loss = Box::new(|_, message, _| message.method() == Some(&Method::Prack));
    world.run_ms(100);
    let call = world.arrived[0].call;
    world.tell_phones(super::Input::Early { call });
    world.run_ms(100);
    let invite = world.last(Side::Caller, "INVITE").clone();
    let progress = world.last(Side::Phones, "183 INVITE").clone();
    let number = invite.headers.cseq().unwrap().number;
    let mut update = in_early_dialog(&invite, &progress, &Method::Update, number + 10);
    let offer = String::from_utf8(invite.body).unwrap();
    update.set_body(
        "application/sdp",
        offer.replace("a=sendrecv", "a=sendonly").into_bytes(),
    );
    world.inject(update);
    world.run_ms(100);
    // The reliable 183 answered the offer: another one may follow.
    assert_eq!(world.count("phones 200 UPDATE"), 1);
    let answer = &world.last(Side::Phones, "200 UPDATE").body;
    assert!(String::from_utf8_lossy(answer).contains("a=recvonly"));

    let mut waiting = World::new(12, Transport::Tls, SrtpPolicy::Require);
    waiting.decision = Decision::Early;
    waiting.mangle = Box::new(|_, message| {
        if message.method() == Some(&Method::Invite) {
            message.headers.remove(Name::Supported);
        }
    });
    waiting.run_ms(300);
    let invite = waiting.last(Side::Caller, "INVITE").clone();
    let progress = waiting.last(Side::Phones, "183 INVITE").clone();
    let number = invite.headers.cseq().unwrap().number;
    let mut update = in_early_dialog(&invite, &progress, &Method::Update, number + 10);
    update.set_body("application/sdp", invite.body);
    waiting.inject(update);
    waiting.run_ms(100);
    let refusal = waiting.last(Side::Phones, "500 UPDATE");
    let seconds = refusal.headers.number(Name::RetryAfter).unwrap().unwrap();
    assert!(seconds <= 10);
}

#[test]
fn an_invite_within_an_unanswered_one_is_500_with_when_to_try_again() {
    let mut world = early(13, Transport::Tls);
    world.run_ms(400);
    let invite = world.last(Side::Caller, "INVITE").clone();
    let progress = world.last(Side::Phones, "183 INVITE").clone();
    let number = invite.headers.cseq().unwrap().number;
    let mut again = in_early_dialog(&invite, &progress, &Method::Invite, number + 5);
    again.set_body("application/sdp", invite.body);
    world.inject(again);
    world.run_ms(100);
    let refusal = world.last(Side::Phones, "500 INVITE");
    let seconds = refusal.headers.number(Name::RetryAfter).unwrap().unwrap();
    assert!(seconds <= 10);
    assert_eq!(world.phones.active(), 1);
}

#[test]
fn early_media_and_answers_survive_a_third_of_all_datagrams_lost() {
    for seed in 0..40 {
        let mut world = early(seed, Transport::Udp);
        world.loss_percent = 30;
        world.run_ms(6000);
        if !world.arrived.is_empty() {
            accept(&mut world);
        }
        world.run_ms(25_000);
        world.caller_hangs_up();
        world.run_ms(64_000);
        world.loss_percent = 0;
        world.caller_hangs_up();
        world.assert_nothing_left();
        assert_eq!(world.caller_ended.len(), 1, "seed {seed}");
        assert_eq!(world.phones_ended.len(), world.arrived.len(), "seed {seed}");
    }
}

pub(super) fn rebranch(message: &mut Message, branch: &str) {
    let mut via = message.headers.via().unwrap();
    via.params.set("branch", Some(&format!("z9hG4bK{branch}")));
    message.headers.set_top_via(&via);
}

/// A request of the caller's device in the dialog that a provisional response made.
fn in_early_dialog(invite: &Message, progress: &Message, method: &Method, number: u32) -> Message {
    let mut request = Message::request(method.clone(), "sip:1234567890@meet.example.com");
    request.headers.copy(Name::Via, &invite.headers);
    request.headers.push(Name::MaxForwards, 70);
    request.headers.copy(Name::From, &invite.headers);
    request.headers.copy(Name::To, &progress.headers);
    request.headers.copy(Name::CallId, &invite.headers);
    request.headers.copy(Name::Contact, &invite.headers);
    request
        .headers
        .push(Name::CSeq, format!("{number} {method}"));
    rebranch(&mut request, &format!("{method}{number}"));
    request
}
