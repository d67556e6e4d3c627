//! An INVITE that reaches several devices: early dialogs, one winner, the others hung up on (RFC 3261 §13.2.2.4).

use wire::sip::{Message, Method, Name};

use super::{Decision, Side, World};
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::Transport;

/// A world whose phones never get the INVITE: the test answers for several devices.
fn alone(seed: u8) -> (World, Message) {
    let mut world = World::new(seed, Transport::Tcp, SrtpPolicy::Off);
    world.loss = Box::new(|_, _, _| true);
    world.run_ms(100);
    let invite = world.last(Side::Caller, "INVITE").clone();
    (world, invite)
}

const ANSWER: &str = "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                      m=audio PORT RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// What one device answers.
fn response(invite: &Message, status: u16, tag: &str, rseq: Option<u32>, port: u16) -> Message {
    let mut response = Message::response_to(invite, status, "x");
    response.tag_to(tag).unwrap();
    response.headers.push(
        Name::Contact,
        format!("<sip:{tag}@192.0.2.9;transport=tcp>"),
    );
    if let Some(rseq) = rseq {
        response.headers.push(Name::Require, "100rel");
        response.headers.push(Name::RSeq, rseq);
    }
    if port != 0 {
        let body = ANSWER.replace("PORT", &port.to_string());
        response.set_body("application/sdp", body.into_bytes());
    }
    response
}

fn sent(world: &World, method: &Method) -> Vec<String> {
    world
        .messages
        .iter()
        .filter(|(from, message)| *from == Side::Caller && message.method() == Some(method))
        .map(|(_, message)| message.request_uri().unwrap().to_owned())
        .collect()
}

fn port_of(plan: &wire::plan::LegPlan) -> u16 {
    match plan.connectivity {
        wire::plan::Connectivity::Static { rtp: Some(rtp), .. } => rtp.port(),
        _ => 0,
    }
}

#[test]
fn of_three_devices_that_ring_the_first_to_answer_has_the_call() {
    let (mut world, invite) = alone(1);
    world.send_to_caller(&response(&invite, 183, "red", Some(5), 4000));
    world.send_to_caller(&response(&invite, 183, "green", Some(900), 5000));
    world.send_to_caller(&response(&invite, 180, "blue", None, 0));
    world.run_ms(50);
    assert_eq!(
        sent(&world, &Method::Prack),
        [
            "sip:red@192.0.2.9;transport=tcp",
            "sip:green@192.0.2.9;transport=tcp"
        ]
    );
    let ports: Vec<u16> = world.early_plans.iter().map(port_of).collect();
    assert_eq!(ports, [4000, 5000]);
    assert_eq!(world.progress, [183, 183, 180]);

    // Red answered reliably before, so its 200 has nothing to say.
    world.send_to_caller(&response(&invite, 200, "red", None, 0));
    world.run_ms(50);
    assert_eq!(port_of(world.answered.as_ref().unwrap()), 4000);
    assert_eq!(port_of(world.caller_plans.last().unwrap()), 4000);

    // Blue answers all the same: it is acknowledged and hung up on, once, however often its 200 comes.
    for _ in 0..3 {
        world.send_to_caller(&response(&invite, 200, "blue", None, 6000));
        world.run_ms(50);
    }
    let blue = "sip:blue@192.0.2.9;transport=tcp";
    assert_eq!(
        sent(&world, &Method::Ack),
        ["sip:red@192.0.2.9;transport=tcp", blue, blue, blue]
    );
    assert_eq!(sent(&world, &Method::Bye), [blue]);
    assert_eq!(port_of(world.caller_plans.last().unwrap()), 4000);
    assert!(world.caller_ended.is_empty());
}

#[test]
fn a_device_that_never_rang_may_answer_first() {
    let (mut world, invite) = alone(2);
    world.send_to_caller(&response(&invite, 183, "red", Some(5), 4000));
    world.run_ms(50);
    world.send_to_caller(&response(&invite, 200, "green", None, 5000));
    world.run_ms(50);
    assert_eq!(port_of(world.answered.as_ref().unwrap()), 5000);
    assert_eq!(port_of(world.caller_plans.last().unwrap()), 5000);
    // What red says now belongs to no early dialog any more.
    world.send_to_caller(&response(&invite, 183, "red", Some(6), 4000));
    world.run_ms(50);
    assert_eq!(sent(&world, &Method::Prack).len(), 1);
}

#[test]
fn each_early_dialog_counts_its_own_requests_and_acknowledges_in_order() {
    let (mut world, invite) = alone(3);
    for (tag, rseq) in [("red", 5), ("red", 5), ("red", 7), ("red", 6), ("green", 1)] {
        world.send_to_caller(&response(&invite, 180, tag, Some(rseq), 0));
        world.run_ms(10);
    }
    let number = invite.headers.cseq().unwrap().number;
    let racks: Vec<(String, u32)> = world
        .messages
        .iter()
        .filter(|(_, message)| message.method() == Some(&Method::Prack))
        .map(|(_, message)| {
            let rack = message.headers.text(Name::RAck).unwrap().into_owned();
            (rack, message.headers.cseq().unwrap().number - number)
        })
        .collect();
    assert_eq!(
        racks,
        [
            (format!("5 {number} INVITE"), 1),
            (format!("6 {number} INVITE"), 2),
            (format!("1 {number} INVITE"), 1)
        ]
    );
}

#[test]
fn a_flood_of_forks_makes_no_flood_of_dialogs() {
    let (mut world, invite) = alone(4);
    for number in 0..200 {
        let tag = format!("t{number}");
        world.send_to_caller(&response(&invite, 180, &tag, Some(1), 0));
    }
    world.run_ms(50);
    assert_eq!(sent(&world, &Method::Prack).len(), 16);
}

#[test]
fn a_call_given_up_among_early_dialogs_is_cancelled_once() {
    let (mut world, invite) = alone(5);
    world.decision = Decision::Wait;
    world.send_to_caller(&response(&invite, 180, "red", None, 0));
    world.send_to_caller(&response(&invite, 180, "green", None, 0));
    world.run_ms(50);
    world.caller_hangs_up();
    world.run_ms(50);
    assert_eq!(sent(&world, &Method::Cancel).len(), 1);
    // Green answers before the CANCEL reaches it.
    world.send_to_caller(&response(&invite, 200, "green", None, 5000));
    world.run_ms(50);
    let green = "sip:green@192.0.2.9;transport=tcp";
    assert_eq!(sent(&world, &Method::Ack), [green]);
    assert_eq!(sent(&world, &Method::Bye), [green]);
    assert!(world.answered.is_none());
}
