//! What the other side asks within an answered call: order, other targets, other media, keys pressed, and what we do
//! not do.

use wire::plan::{AudioCodec, Direction, Protection};
use wire::sdp::Session;
use wire::sip::{Message, Method, Name};

use super::{Side, World};
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::Transport;

fn answered(seed: u8, transport: Transport) -> World {
    let mut world = World::new(seed, transport, SrtpPolicy::Require);
    world.run_ms(500);
    assert_eq!(world.answered_by_phones, 1);
    world
}

/// Sends a request past the caller's machine and gives the answer to it.
fn ask(world: &mut World, request: Message) -> Message {
    let before = world.messages.len();
    let method = request.method().unwrap().clone();
    world.inject(request);
    world.run_ms(100);
    world.messages[before..]
        .iter()
        .find(|(from, message)| {
            *from == Side::Phones
                && message.status().is_some()
                && message.headers.cseq().unwrap().method == method
        })
        .map(|(_, message)| message.clone())
        .unwrap()
}

fn offer(world: &World, change: impl Fn(String) -> String) -> Vec<u8> {
    let (_, invite) = &world.messages[0];
    change(String::from_utf8(invite.body.clone()).unwrap()).into_bytes()
}

fn end(mut world: World) {
    world.phones_hang_up(Cause::WeHungUp);
    world.assert_nothing_left();
}

#[test]
fn a_number_below_or_at_the_last_is_500() {
    let mut world = answered(1, Transport::Tls);
    let number = world.number();
    let info = world.within(&Method::Info, number + 3);
    assert_eq!(ask(&mut world, info).status(), Some(200));
    for low in [number, number + 2] {
        let options = world.within(&Method::Options, low);
        assert_eq!(ask(&mut world, options).status(), Some(500), "{low}");
    }
    let options = world.within(&Method::Options, number + 4);
    assert_eq!(ask(&mut world, options).status(), Some(200));
    end(world);
}

#[test]
fn every_way_to_hold_is_answered_in_its_direction() {
    let mut world = answered(2, Transport::Tls);
    let number = world.number();
    for (step, (line, address, ours)) in [
        ("sendonly", "192.0.2", Direction::RecvOnly),
        ("inactive", "192.0.2", Direction::Inactive),
        ("recvonly", "192.0.2", Direction::SendOnly),
        ("sendonly", "0.0.0.0", Direction::RecvOnly),
        ("sendrecv", "192.0.2", Direction::SendRecv),
    ]
    .into_iter()
    .enumerate()
    {
        let mut invite = world.within(&Method::Invite, number + 1 + u32::try_from(step).unwrap());
        let body = offer(&world, |body| {
            let held = body.replace("a=sendrecv", &format!("a={line}"));
            if address == "0.0.0.0" {
                held.replace("c=IN IP4 203.0.113.5", "c=IN IP4 0.0.0.0")
            } else {
                held
            }
        });
        invite.set_body("application/sdp", body);
        let response = ask(&mut world, invite);
        let answer = Session::parse(&response.body).unwrap();
        assert_eq!(answer.media[0].attributes.direction(), Some(ours), "{line}");
        let plan = world.phones_plans.last().unwrap();
        assert_eq!(plan.audio.as_ref().unwrap().direction, ours);
        let ack = world.within(&Method::Ack, number + 1 + u32::try_from(step).unwrap());
        world.inject(ack);
        world.run_ms(50);
    }
    end(world);
}

#[test]
fn a_re_invite_may_change_codec_port_and_keys_at_once() {
    let mut world = answered(3, Transport::Tls);
    let number = world.number();
    let mut invite = world.within(&Method::Invite, number + 1);
    let key = "b".repeat(40);
    let body = format!(
        "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.44\r\nt=0 0\r\n\
         m=audio 7000 RTP/SAVP 8\r\na=rtpmap:8 PCMA/8000\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"
    );
    invite.set_body("application/sdp", body.into_bytes());
    assert_eq!(ask(&mut world, invite).status(), Some(200));
    let [before, .., after] = world.phones_plans.as_slice() else {
        panic!()
    };
    assert_eq!(after.audio.as_ref().unwrap().send.codec, AudioCodec::Pcma);
    assert_ne!(after.connectivity, before.connectivity);
    let (
        Protection::Sdes { local, remote },
        Protection::Sdes {
            local: local_before,
            remote: remote_before,
        },
    ) = (&after.protection, &before.protection)
    else {
        panic!("not protected")
    };
    assert_ne!(remote, remote_before);
    assert_ne!(local, local_before, "a new key of theirs gets one of ours");
    let ack = world.within(&Method::Ack, number + 1);
    world.inject(ack);
    world.run_ms(50);
    end(world);
}

#[test]
fn a_re_invite_that_cannot_be_agreed_to_leaves_the_session_as_it_was() {
    let mut world = answered(4, Transport::Tls);
    let number = world.number();
    let mut invite = world.within(&Method::Invite, number + 1);
    let body = offer(&world, |body| {
        body.replace("RTP/SAVP", "RTP/AVP")
            .replace("a=crypto", "a=nothing")
    });
    invite.set_body("application/sdp", body);
    assert_eq!(ask(&mut world, invite).status(), Some(488));
    let mut invite = world.within(&Method::Invite, number + 2);
    invite.set_body("text/plain", b"hello".to_vec());
    assert_eq!(ask(&mut world, invite).status(), Some(415));
    assert_eq!(world.phones_plans.len(), 1);
    assert_eq!(world.phones.active(), 1);
    end(world);
}

#[test]
fn a_re_invite_without_an_offer_gets_ours_and_waits_for_the_answer_in_the_ack() {
    let mut world = answered(5, Transport::Tls);
    let number = world.number();
    let invite = world.within(&Method::Invite, number + 1);
    let response = ask(&mut world, invite);
    assert!(!response.body.is_empty());
    // Until the answer comes no other offer can (RFC 3261 §14.2).
    let mut crossing = world.within(&Method::Invite, number + 2);
    crossing.set_body("application/sdp", offer(&world, |body| body));
    assert_eq!(ask(&mut world, crossing).status(), Some(491));
    let mut update = world.within(&Method::Update, number + 3);
    update.set_body("application/sdp", offer(&world, |body| body));
    assert_eq!(ask(&mut world, update).status(), Some(491));
    let mut ack = world.within(&Method::Ack, number + 1);
    let answer = {
        let body = offer(&world, |body| body);
        // One crypto line with the tag of ours, as an answer has it.
        let text = String::from_utf8(body).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("a=crypto:2"))
            .collect();
        lines.join("\r\n") + "\r\n"
    };
    ack.set_body("application/sdp", answer.into_bytes());
    world.inject(ack);
    world.run_ms(100);
    assert_eq!(world.phones_plans.len(), 2);
    assert_eq!(world.phones.active(), 1);
    end(world);
}

#[test]
fn a_late_offer_without_an_answer_in_the_ack_ends_the_call() {
    let mut world = answered(6, Transport::Tls);
    let number = world.number();
    let invite = world.within(&Method::Invite, number + 1);
    ask(&mut world, invite);
    let ack = world.within(&Method::Ack, number + 1);
    world.inject(ack);
    world.run_ms(200);
    assert_eq!(world.count("phones BYE"), 1);
    assert_eq!(world.phones_ended[0].cause, Cause::BadDescription);
}

#[test]
fn requests_go_where_the_latest_contact_says() {
    for method in [Method::Invite, Method::Update] {
        let mut world = answered(7, Transport::Tls);
        let number = world.number();
        let mut moved = world.within(&method, number + 1);
        moved
            .headers
            .replace(Name::Contact, "<sip:ann@198.51.100.9:5099>");
        if method == Method::Invite {
            moved.set_body("application/sdp", offer(&world, |body| body));
        }
        assert_eq!(ask(&mut world, moved).status(), Some(200));
        if method == Method::Invite {
            let ack = world.within(&Method::Ack, number + 1);
            world.inject(ack);
        }
        world.run_ms(50);
        world.phones_hang_up(Cause::MeetingEnded);
        world.run_ms(50);
        let bye = world.last(Side::Phones, "BYE");
        assert_eq!(bye.request_uri(), Some("sip:ann@198.51.100.9:5099"));
    }
}

#[test]
fn an_update_renegotiates_without_an_ack() {
    let mut world = answered(8, Transport::Tls);
    let number = world.number();
    let mut update = world.within(&Method::Update, number + 1);
    let held = offer(&world, |body| body.replace("a=sendrecv", "a=sendonly"));
    update.set_body("application/sdp", held);
    let response = ask(&mut world, update);
    let answer = Session::parse(&response.body).unwrap();
    assert_eq!(
        answer.media[0].attributes.direction(),
        Some(Direction::RecvOnly)
    );
    let plan = world.phones_plans.last().unwrap();
    assert_eq!(plan.audio.as_ref().unwrap().direction, Direction::RecvOnly);
    world.run_ms(40_000);
    assert_eq!(world.phones.active(), 1, "nothing waits for an ACK");
    end(world);
}

#[test]
fn keys_told_by_info_are_pressed_once_each() {
    let mut world = answered(9, Transport::Tls);
    let number = world.number();
    let leg = world.arrived[0].leg;
    for (step, (kind, body)) in [
        ("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n"),
        ("application/dtmf", "2"),
        ("application/dtmf-relay", "Signal=#\r\nDuration=160\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut info = world.within(&Method::Info, number + 1 + u32::try_from(step).unwrap());
        info.set_body(kind, body.as_bytes().to_vec());
        assert_eq!(ask(&mut world, info).status(), Some(200));
        // The same key comes by RTP, too.
        if step == 1 {
            world.tell_phones(super::Input::Media(wire::plan::MediaEvent::Digit {
                leg,
                digit: '2',
            }));
            world.run_ms(10);
        }
    }
    assert_eq!(world.digits, "12#");
    let mut info = world.within(&Method::Info, number + 10);
    info.set_body("text/plain", b"5".to_vec());
    let refusal = ask(&mut world, info);
    assert_eq!(refusal.status(), Some(415));
    assert!(refusal.headers.lists(Name::Accept, "application/dtmf"));
    let mut info = world.within(&Method::Info, number + 11);
    info.set_body("application/dtmf", b"nine".to_vec());
    assert_eq!(ask(&mut world, info).status(), Some(400));
    assert_eq!(world.digits, "12#");
    end(world);
}

#[test]
fn refer_is_refused_with_what_is_allowed_and_the_call_goes_on() {
    let mut world = answered(10, Transport::Tls);
    let number = world.number();
    let mut refer = world.within(&Method::Refer, number + 1);
    refer
        .headers
        .push(Name::ReferTo, "<sip:bob@elsewhere.example.org>");
    let refusal = ask(&mut world, refer);
    assert_eq!(refusal.status(), Some(405));
    let allowed = refusal.headers.allowed();
    assert!(!allowed.contains(&Method::Refer) && allowed.contains(&Method::Update));
    assert_eq!(world.phones.active(), 1);
    end(world);
}

#[test]
fn what_is_required_and_unknown_is_420_in_a_dialog_too() {
    let mut world = answered(11, Transport::Tls);
    let number = world.number();
    for (step, (require, status)) in [("precondition", 420), ("timer, 100rel", 200)]
        .into_iter()
        .enumerate()
    {
        let mut update = world.within(&Method::Update, number + 1 + u32::try_from(step).unwrap());
        update.headers.push(Name::Require, require);
        assert_eq!(ask(&mut world, update).status(), Some(status));
    }
    // A BYE is obeyed whatever it requires.
    let mut bye = world.within(&Method::Bye, number + 9);
    bye.headers.push(Name::Require, "precondition");
    assert_eq!(ask(&mut world, bye).status(), Some(200));
    assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
}
