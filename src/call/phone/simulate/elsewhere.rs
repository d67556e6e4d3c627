//! Requests that need another way: too large for a datagram, over a connection that is gone, not taken at one place.

use std::time::Duration;

use wire::sip::Name;

use super::super::{CallerInput, Input};
use super::{Decision, Side, World, config, dial, flow_of};
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::{Destination, Flow, FlowId, Transport};

/// Another connection of one side's.
fn another(side: Side, transport: Transport, id: u64) -> Flow {
    Flow {
        id: FlowId(id),
        ..flow_of(side, transport)
    }
}

fn via(world: &World, side: Side, line: &str) -> String {
    world.last(side, line).headers.via().unwrap().to_string()
}

#[test]
fn an_invite_that_outgrows_datagrams_and_all_that_follows_it_goes_over_tcp() {
    let mut dial = dial(Transport::Udp, SrtpPolicy::Require);
    dial.user_agent = "x".repeat(1300);
    let mut world = World::with(1, Transport::Udp, dial, config());
    world
        .connections
        .push_back(another(Side::Caller, Transport::Tcp, 1));
    world.run_ms(1000);
    let to = Destination::Stream(flow_of(Side::Caller, Transport::Udp).peer);
    assert_eq!(world.connects, [(Side::Caller, to)]);
    assert!(via(&world, Side::Caller, "INVITE").starts_with("SIP/2.0/TCP "));
    world.caller_hangs_up();
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 BYE"), 1);
    world.assert_nothing_left();
}

#[test]
fn where_tcp_is_not_served_a_large_invite_is_a_datagram() {
    let mut dial = dial(Transport::Udp, SrtpPolicy::Require);
    dial.user_agent = "x".repeat(1300);
    let mut world = World::with(2, Transport::Udp, dial, config());
    world.run_ms(1000);
    assert!(via(&world, Side::Caller, "INVITE").starts_with("SIP/2.0/UDP "));
    assert!(world.answered.is_some());
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn what_we_send_in_a_call_whose_connection_is_gone_goes_over_a_new_one() {
    let mut world = World::new(3, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    world.tell_phones(Input::FlowClosed { flow: FlowId(7) });
    world
        .connections
        .push_back(another(Side::Phones, Transport::Tls, 8));
    world.run_ms(1000);
    world.phones_renegotiate();
    world.run_ms(1000);
    let [(Side::Phones, Destination::Uri(uri, Transport::Tls))] = &world.connects[..] else {
        panic!("{:?}", world.connects);
    };
    assert_eq!(uri.to_string(), "sip:192.0.2.1:5070;transport=tls");
    assert_eq!(world.count("caller 200 INVITE"), 1);
    assert_eq!(world.count("phones ACK"), 1);
    world.phones_hang_up(Cause::MeetingEnded);
    world.run_ms(1000);
    assert_eq!(world.count("caller 200 BYE"), 1);
    assert_eq!(world.connects.len(), 1, "the BYE found the way open");
    world.assert_nothing_left();
}

#[test]
fn a_place_that_says_503_or_nothing_at_all_is_not_the_last_one() {
    let mut dial = dial(Transport::Tcp, SrtpPolicy::Require);
    dial.elsewhere = true;
    let mut world = World::with(4, Transport::Tcp, dial, config());
    // The first place is full, the second one's INVITE is lost, and the third takes the call.
    world.decision = Decision::Refuse(Cause::Overloaded);
    for id in [2, 3] {
        world
            .ways
            .push_back(another(Side::Caller, Transport::Tcp, id));
    }
    world.loss = Box::new(|from, message, nth| {
        from == Side::Caller && super::start_of(message) == "INVITE" && nth == 1
    });
    world.run(Duration::from_secs(5));
    world.decision = Decision::Accept;
    world.run(Duration::from_secs(40));
    assert_eq!(world.count("caller INVITE"), 3);
    assert!(world.answered.is_some(), "{:?}", world.ladder);
    let sent: Vec<_> = world
        .messages
        .iter()
        .filter(|(from, message)| *from == Side::Caller && super::start_of(message) == "INVITE")
        .map(|(_, message)| message)
        .collect();
    // RFC 3263 §4.3: the same request, but for the branch.
    assert_eq!(sent[0].headers.cseq(), sent[2].headers.cseq());
    assert_eq!(sent[0].headers.call_id(), sent[2].headers.call_id());
    assert_eq!(
        sent[0].headers.get(Name::From),
        sent[2].headers.get(Name::From)
    );
    assert_ne!(
        sent[0].headers.via().unwrap().branch(),
        sent[2].headers.via().unwrap().branch()
    );
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn when_no_place_is_left_the_last_answer_counts_and_others_than_503_always_do() {
    for (cause, status, invites) in [(Cause::Overloaded, 503, 2), (Cause::UnknownMeeting, 404, 1)] {
        let mut dial = dial(Transport::Tcp, SrtpPolicy::Require);
        dial.elsewhere = true;
        let mut world = World::with(5, Transport::Tcp, dial, config());
        world.decision = Decision::Refuse(cause);
        world
            .ways
            .push_back(another(Side::Caller, Transport::Tcp, 2));
        world.run_ms(2000);
        assert_eq!(world.count("caller INVITE"), invites);
        assert_eq!(world.caller_ended[0].sip_status, Some(status));
        world.assert_nothing_left();
    }
}

#[test]
fn a_connection_that_breaks_before_the_answer_sends_the_invite_elsewhere() {
    for early in [true, false] {
        let mut dial = dial(Transport::Tcp, SrtpPolicy::Require);
        dial.elsewhere = true;
        let mut world = World::with(6, Transport::Tcp, dial, config());
        world.loss = Box::new(|from, message, nth| {
            from == Side::Caller && super::start_of(message) == "INVITE" && nth == 0
        });
        world
            .ways
            .push_back(another(Side::Caller, Transport::Tcp, 2));
        if !early {
            world.run_ms(200);
        }
        let flow = FlowId(1);
        world.at(
            Duration::ZERO,
            super::Event::Caller(CallerInput::FlowClosed { flow }),
        );
        world.run_ms(2000);
        assert!(world.answered.is_some(), "{:?}", world.ladder);
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn who_gives_up_while_another_place_is_looked_for_is_done() {
    let mut dial = dial(Transport::Tcp, SrtpPolicy::Require);
    dial.elsewhere = true;
    let mut world = World::with(7, Transport::Tcp, dial, config());
    world.decision = Decision::Refuse(Cause::Overloaded);
    // Nobody says where else.
    world.mangle = Box::new(|_, _| {});
    world.run_ms(15);
    world.caller_hangs_up();
    world.run_ms(2000);
    assert_eq!(world.caller_ended.len(), 1);
    world.assert_nothing_left();
}

#[test]
fn a_stream_that_we_opened_is_kept_alive_where_the_other_side_wants_it() {
    for (transport, kept) in [
        (Transport::Udp, 0),
        (Transport::Tcp, 1),
        (Transport::Tls, 1),
    ] {
        let mut world = World::new(8, transport, SrtpPolicy::Require);
        world.run_ms(1000);
        assert_eq!(world.kept_alive.is_empty(), kept == 0, "{transport:?}");
        for (side, flow, every) in &world.kept_alive {
            assert_eq!((*side, *flow), (Side::Caller, FlowId(1)));
            assert_eq!(*every, Duration::from_secs(120));
        }
        assert_eq!(
            via(&world, Side::Caller, "INVITE").contains(";keep"),
            kept == 1
        );
        assert!(!via(&world, Side::Phones, "100 INVITE").ends_with(";keep"));
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}
