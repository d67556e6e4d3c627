//! What crosses on the wire, comes twice, or never comes.

use std::time::Duration;

use wire::plan::{Connectivity, Direction, LegPlan};
use wire::sip::{Message, Method, Name};

use super::{Decision, Side, World};
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::Transport;

fn is_request(message: &Message, method: &Method) -> bool {
    message.method() == Some(method)
}

#[test]
fn a_call_cancelled_while_it_waits_ends_with_487() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut world = World::new(1, transport, SrtpPolicy::Require);
        world.decision = Decision::Wait;
        world.run_ms(1000);
        world.caller_hangs_up();
        world.run_ms(1000);
        assert_eq!(world.count("caller CANCEL"), 1);
        assert_eq!(world.count("phones 200 CANCEL"), 1);
        assert_eq!(world.count("phones 487 INVITE"), 1);
        assert_eq!(world.phones_ended[0].cause, Cause::Cancelled);
        assert_eq!(world.phones_ended[0].sip_status, Some(487));
        assert_eq!(world.caller_ended[0].cause, Cause::WeHungUp);
        world.assert_nothing_left();
    }
}

#[test]
fn a_cancel_that_crosses_the_200_gets_its_own_200_and_the_call_a_bye() {
    let mut world = World::new(2, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    world.run_ms(500);
    let call = world.arrived[0].call;
    // Answer and CANCEL leave in the same millisecond.
    world.accept_now(call);
    world.run_ms(1);
    world.caller_hangs_up();
    world.run_ms(2000);
    assert_eq!(world.count("phones 200 INVITE"), 1);
    assert_eq!(world.count("phones 200 CANCEL"), 1);
    let tag = |line| {
        let to = world.last(Side::Phones, line).headers.to().unwrap();
        to.tag().map(str::to_owned)
    };
    assert_eq!(tag("200 CANCEL"), tag("200 INVITE"));
    assert_eq!(world.count("caller ACK"), 1);
    assert_eq!(world.count("caller BYE"), 1);
    assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
    assert_eq!(world.caller_ended[0].cause, Cause::WeHungUp);
    world.assert_nothing_left();
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut world = World::new(3, Transport::Udp, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    // The first two INVITEs are lost.
    world.loss = Box::new(|_, message, nth| is_request(message, &Method::Invite) && nth < 2);
    world.run_ms(100);
    world.caller_hangs_up();
    world.run_ms(1200);
    assert_eq!(world.count("caller CANCEL"), 0);
    world.run_ms(2000);
    assert_eq!(world.count("caller CANCEL"), 1);
    assert_eq!(world.phones_ended[0].cause, Cause::Cancelled);
    world.assert_nothing_left();
}

#[test]
fn a_retransmitted_invite_makes_one_call() {
    let mut world = World::new(4, Transport::Udp, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    // No response arrives for a while.
    world.loss = Box::new(|from, _, nth| from == Side::Phones && nth < 3);
    world.run_ms(6000);
    assert!(world.count("caller INVITE") > 2);
    assert_eq!(world.arrived.len(), 1);
    let call = world.arrived[0].call;
    world.accept_now(call);
    world.run_ms(6000);
    assert_eq!(world.answered_by_phones, 1);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_lost_200_is_sent_again_until_it_is_acknowledged() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut world = World::new(5, transport, SrtpPolicy::Require);
        world.loss = Box::new(|from, message, nth| {
            from == Side::Phones && message.status() == Some(200) && nth < 3
        });
        world.run_ms(10_000);
        assert_eq!(world.count("phones 200 INVITE"), 4);
        assert_eq!(world.count("caller ACK"), 1);
        assert!(world.answered.is_some());
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn a_lost_ack_is_sent_again_with_each_copy_of_the_200() {
    let mut world = World::new(6, Transport::Udp, SrtpPolicy::Require);
    world.loss = Box::new(|_, message, nth| is_request(message, &Method::Ack) && nth < 2);
    world.run_ms(10_000);
    assert_eq!(world.count("caller ACK"), 3);
    assert_eq!(world.count("phones 200 INVITE"), 3);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_call_whose_200_is_never_acknowledged_ends_with_a_bye_after_32_seconds() {
    let mut world = World::new(7, Transport::Udp, SrtpPolicy::Require);
    world.loss = Box::new(|_, message, _| is_request(message, &Method::Ack));
    world.run_ms(31_000);
    assert!(world.phones_ended.is_empty());
    assert_eq!(world.count("phones BYE"), 0);
    world.run_ms(3000);
    assert_eq!(world.phones_ended[0].cause, Cause::NoAck);
    assert_eq!(world.count("phones BYE"), 1);
    assert_eq!(world.caller_ended[0].cause, Cause::HungUp);
    world.assert_nothing_left();
}

#[test]
fn over_datagrams_media_goes_nowhere_and_nothing_is_told_before_the_ack() {
    let mut world = World::new(15, Transport::Udp, SrtpPolicy::Off);
    world.loss = Box::new(|_, message, nth| is_request(message, &Method::Ack) && nth < 3);
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 INVITE"), 2);
    assert_eq!(world.answered_by_phones, 0);
    let [listening] = world.phones_plans.as_slice() else {
        panic!("{:?}", world.phones_plans)
    };
    let goes_nowhere = |plan: &LegPlan| {
        matches!(
            plan.connectivity,
            Connectivity::Static {
                rtp: None,
                rtcp: None,
                ..
            }
        )
    };
    assert!(goes_nowhere(listening));
    assert_eq!(
        listening.audio.as_ref().unwrap().direction,
        Direction::RecvOnly
    );
    world.run_ms(9000);
    assert_eq!(world.answered_by_phones, 1);
    let [_, talking] = world.phones_plans.as_slice() else {
        panic!("{:?}", world.phones_plans)
    };
    assert!(!goes_nowhere(talking));
    assert_eq!(
        talking.audio.as_ref().unwrap().direction,
        Direction::SendRecv
    );
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn an_invite_from_a_forged_address_moves_no_media_until_it_is_given_up() {
    let mut world = World::new(16, Transport::Udp, SrtpPolicy::Off);
    // Whoever lives at the address never asked: our answers go nowhere.
    world.loss = Box::new(|from, _, _| from == Side::Phones);
    world.run_ms(60_000);
    assert!(world.count("phones 200 INVITE") > 5);
    assert_eq!(world.phones_plans.len(), 1);
    assert!(matches!(
        world.phones_plans[0].connectivity,
        Connectivity::Static {
            rtp: None,
            rtcp: None,
            ..
        }
    ));
    assert_eq!(world.answered_by_phones, 0);
    assert_eq!(world.phones_ended[0].cause, Cause::NoAck);
}

#[test]
fn over_a_connection_media_flows_with_the_answer() {
    let mut world = World::new(17, Transport::Tcp, SrtpPolicy::Off);
    world.loss = Box::new(|_, message, nth| is_request(message, &Method::Ack) && nth < 1);
    world.run_ms(200);
    assert_eq!(world.answered_by_phones, 1);
    assert_eq!(world.phones_plans.len(), 1);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn our_bye_waits_for_the_ack_but_media_closes_at_once() {
    let mut world = World::new(8, Transport::Udp, SrtpPolicy::Require);
    world.loss = Box::new(|_, message, nth| is_request(message, &Method::Ack) && nth < 2);
    world.run_ms(150);
    assert_eq!(world.count("phones 200 INVITE"), 1);
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(200);
    assert_eq!(world.closed_legs.len(), 1);
    assert_eq!(world.count("phones BYE"), 0);
    world.run_ms(5000);
    assert_eq!(world.count("phones BYE"), 1);
    assert_eq!(world.phones_ended[0].cause, Cause::MeetingEnded);
    world.assert_nothing_left();
}

#[test]
fn both_sides_hang_up_at_once_and_both_are_answered() {
    let mut world = World::new(9, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    world.caller_hangs_up();
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 BYE"), 1);
    assert_eq!(world.count("caller 200 BYE"), 1);
    assert_eq!(world.phones_ended.len(), 1);
    world.assert_nothing_left();
}

#[test]
fn a_retransmitted_bye_is_answered_again_and_ends_the_call_once() {
    let mut world = World::new(10, Transport::Udp, SrtpPolicy::Require);
    world.run_ms(1000);
    world.loss = Box::new(|from, message, nth| {
        from == Side::Phones && message.status() == Some(200) && nth < 3
    });
    world.caller_hangs_up();
    world.run_ms(10_000);
    assert!(world.count("phones 200 BYE") >= 2);
    assert_eq!(world.phones_ended.len(), 1);
    world.assert_nothing_left();
}

#[test]
fn a_bye_that_nobody_answers_is_given_up_and_nothing_is_left() {
    let mut world = World::new(11, Transport::Udp, SrtpPolicy::Require);
    world.run_ms(1000);
    world.loss =
        Box::new(|from, message, _| from == Side::Phones && is_request(message, &Method::Bye));
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(33_000);
    assert_eq!(world.count("phones BYE"), 11);
    assert_eq!(world.phones.held(), 0);
}

#[test]
fn a_call_cancelled_while_media_is_reserved_gives_the_leg_back() {
    let mut world = World::new(13, Transport::Tls, SrtpPolicy::Require);
    world.decision = Decision::Wait;
    world.run_ms(500);
    world.caller_hangs_up();
    world.run(Duration::from_millis(9));
    // The CANCEL arrives between Reserve and Ready.
    let call = world.arrived[0].call;
    world.accept_now(call);
    world.run(Duration::from_millis(1));
    world.run_ms(2000);
    assert_eq!(world.phones_ended[0].cause, Cause::Cancelled);
    assert_eq!(world.closed_legs, [world.arrived[0].leg]);
    world.assert_nothing_left();
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut world = World::new(14, Transport::Tls, SrtpPolicy::Require);
    world.loss = Box::new(|_, message, _| is_request(message, &Method::Invite));
    world.run_ms(100);
    let mut invite = world.last(Side::Caller, "INVITE").clone();
    world.loss = Box::new(|_, _, _| false);
    let answer = invite.body.clone();
    invite.body.clear();
    invite.headers.remove(Name::ContentType);
    let mut via = invite.headers.via().unwrap();
    via.params.set("branch", Some("z9hG4bKlate"));
    invite.headers.set_top_via(&via);
    world.inject(invite.clone());
    world.run_ms(300);
    assert_eq!(world.answered_by_phones, 0);
    let response = world.last(Side::Phones, "200 INVITE").clone();
    let offer = String::from_utf8(response.body.clone()).unwrap();
    assert!(offer.contains("RTP/SAVP 96 9 0 8 13 101 102"), "{offer}");
    assert!(offer.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
    let mut ack = Message::request(Method::Ack, "sip:1234567890@meet.example.com");
    let mut via = via.clone();
    via.params.set("branch", Some("z9hG4bKlateack"));
    ack.headers.push(Name::Via, via);
    ack.headers.push(Name::MaxForwards, 70);
    ack.headers.copy(Name::From, &invite.headers);
    ack.headers.copy(Name::To, &response.headers);
    ack.headers.copy(Name::CallId, &invite.headers);
    let number = invite.headers.cseq().unwrap().number;
    ack.headers.push(Name::CSeq, format!("{number} ACK"));
    ack.set_body("application/sdp", answer);
    world.inject(ack);
    world.run_ms(300);
    assert_eq!(world.answered_by_phones, 1);
    assert_eq!(world.phones_plans.len(), 1);
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(100);
    assert_eq!(world.count("phones BYE"), 1);
}
