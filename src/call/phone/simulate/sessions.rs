//! Session timers in both roles (RFC 4028), and offers that cross (RFC 3261 §14).

use std::time::Duration;

use wire::sip::{Message, Method, Name};

use super::{Side, World, config, dial};
use crate::dialog::session_timer::Policy;
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::transaction::Transport;

fn is(message: &Message, method: &Method) -> bool {
    message.method() == Some(method)
}

/// Takes UPDATE out of what the phones and the caller say they can.
fn no_update(_: Side, message: &mut Message) {
    if message.headers.has(Name::Allow) {
        message.headers.replace(Name::Allow, "INVITE, ACK, BYE");
    }
}

fn minutes(world: &mut World, minutes: u64) {
    world.run(Duration::from_secs(60 * minutes));
}

#[test]
fn the_caller_refreshes_by_update_at_half_of_every_interval() {
    let mut world = World::new(1, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    let answer = world.last(Side::Phones, "200 INVITE");
    assert_eq!(
        answer.headers.get(Name::SessionExpires),
        Some(&b"1800;refresher=uac"[..])
    );
    assert!(answer.headers.lists(Name::Require, "timer"));
    minutes(&mut world, 62);
    assert_eq!(world.count("caller UPDATE"), 4);
    assert_eq!(world.count("phones 200 UPDATE"), 4);
    assert_eq!(
        world
            .last(Side::Caller, "UPDATE")
            .headers
            .get(Name::SessionExpires),
        Some(&b"1800;refresher=uac"[..])
    );
    assert!(world.phones_ended.is_empty());
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn without_update_the_caller_refreshes_by_re_invite_and_nothing_else_changes() {
    let mut world = World::new(2, Transport::Udp, SrtpPolicy::Require);
    world.mangle = Box::new(no_update);
    minutes(&mut world, 32);
    assert_eq!(world.count("caller UPDATE"), 0);
    assert_eq!(world.count("caller INVITE"), 3);
    assert_eq!(world.count("caller ACK"), 3);
    let first = &world.messages[0].1.body;
    let last = &world.last(Side::Caller, "INVITE").body;
    let lines = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let media = text.split("m=").nth(1).unwrap().to_owned();
        media.lines().filter(|l| l.starts_with("a=crypto")).count()
    };
    assert!(lines(first) > 1);
    assert_eq!(lines(last), 1, "the agreed key only");
    let plans = &world.phones_plans;
    assert_eq!(plans.last().unwrap(), &plans[1], "all is as it was");
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn the_phones_refresh_where_the_caller_wants_them_to() {
    for (update, line) in [(true, "phones UPDATE"), (false, "phones INVITE")] {
        let mut world = World::new(3, Transport::Tls, SrtpPolicy::Require);
        world.mangle = Box::new(move |from, message| {
            if from == Side::Caller && is(message, &Method::Invite) {
                message
                    .headers
                    .replace(Name::SessionExpires, "600;refresher=uas");
            }
            if !update {
                no_update(from, message);
            }
        });
        minutes(&mut world, 21);
        assert_eq!(world.count(line), 4, "{:?}", world.ladder);
        assert!(world.phones_ended.is_empty());
        world.phones_hang_up(Cause::MeetingEnded);
        world.assert_nothing_left();
    }
}

#[test]
fn a_device_without_session_timers_is_probed_by_us() {
    let mut world = World::new(4, Transport::Tls, SrtpPolicy::Require);
    world.mangle = Box::new(|from, message| {
        if from == Side::Caller {
            message.headers.remove(Name::SessionExpires);
            message.headers.remove(Name::Supported);
            message.headers.remove(Name::Require);
        }
    });
    minutes(&mut world, 32);
    let answer = world.last(Side::Phones, "200 INVITE");
    assert_eq!(
        answer.headers.get(Name::SessionExpires),
        Some(&b"1800;refresher=uas"[..])
    );
    assert!(!answer.headers.has(Name::Require));
    assert_eq!(world.count("phones UPDATE"), 2);
    assert!(world.phones_ended.is_empty());
    world.phones_hang_up(Cause::MeetingEnded);
    world.assert_nothing_left();
}

#[test]
fn an_interval_below_ours_is_422_and_the_caller_calls_again_with_a_longer_one() {
    let mut config = config();
    config.session.least = Duration::from_secs(300);
    let mut short = dial(Transport::Udp, SrtpPolicy::Require);
    short.session = Policy {
        expires: Duration::from_secs(120),
        ..Policy::default()
    };
    let mut world = World::with(5, Transport::Udp, short, config);
    world.run_ms(2000);
    assert_eq!(world.count("phones 422 INVITE"), 1);
    assert_eq!(
        world
            .last(Side::Phones, "422 INVITE")
            .headers
            .get(Name::MinSe),
        Some(&b"300"[..])
    );
    let again = world.last(Side::Caller, "INVITE");
    assert_eq!(again.headers.get(Name::SessionExpires), Some(&b"300"[..]));
    assert_eq!(again.headers.get(Name::MinSe), Some(&b"300"[..]));
    let first = &world.messages[0].1;
    assert_eq!(again.headers.call_id(), first.headers.call_id());
    assert_eq!(
        again.headers.cseq().unwrap().number,
        first.headers.cseq().unwrap().number + 1
    );
    assert_eq!(world.answered_by_phones, 1);
    assert!(world.caller_ended.is_empty());
    world.caller_hangs_up();
    world.run_ms(1000);
    world.assert_nothing_left();
}

#[test]
fn a_caller_that_never_refreshes_is_hung_up_on_before_the_session_expires() {
    let mut world = World::new(6, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    // It vanishes.
    world.loss = Box::new(|from, _, _| from == Side::Caller);
    world.run(Duration::from_secs(1760));
    assert!(world.phones_ended.is_empty());
    world.run(Duration::from_secs(20));
    assert_eq!(world.phones_ended[0].cause, Cause::SessionExpired);
    assert_eq!(world.count("phones BYE"), 1);
    world.run(Duration::from_secs(60));
    assert_eq!(world.phones.held(), 0);
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut world = World::new(7, Transport::Tls, SrtpPolicy::Require);
    world.run_ms(1000);
    world.loss = Box::new(|from, _, _| from == Side::Phones);
    world.run(Duration::from_secs(900 + 33));
    assert_eq!(world.caller_ended[0].cause, Cause::NoResponse);
    world.run(Duration::from_secs(60));
    assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
}

#[test]
fn a_refresh_that_the_other_side_does_not_know_ends_the_call() {
    let mut world = World::new(8, Transport::Tls, SrtpPolicy::Require);
    world.mangle = Box::new(|from, message| {
        if from == Side::Caller && is(message, &Method::Update) {
            // A node that was started anew knows no such tag.
            let to = message.headers.to().unwrap().to_string();
            message
                .headers
                .replace(Name::To, to.replace("tag=", "tag=x"));
        }
    });
    world.run(Duration::from_secs(910));
    assert_eq!(world.count("phones 481 UPDATE"), 1);
    assert_eq!(world.caller_ended[0].cause, Cause::DialogLost);
    assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
}

#[test]
fn a_refused_update_is_followed_by_a_re_invite() {
    let mut world = World::new(9, Transport::Tls, SrtpPolicy::Require);
    world.mangle = Box::new(|_, message| {
        let of_update = message
            .headers
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Update);
        if of_update && message.status().is_some() {
            let mut refusal = Message::response_to(message, 405, "Method Not Allowed");
            refusal.headers.push(Name::Allow, "INVITE, ACK, BYE");
            *message = refusal;
        }
    });
    minutes(&mut world, 31);
    assert_eq!(world.count("caller UPDATE"), 1);
    assert_eq!(world.count("caller INVITE"), 3);
    assert!(world.caller_ended.is_empty());
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn offers_that_cross_are_both_refused_and_then_both_made() {
    for seed in 0..20 {
        let mut world = World::new(seed, Transport::Tls, SrtpPolicy::Require);
        world.run_ms(1000);
        let before = world.phones_plans.len();
        world.caller_renegotiates();
        world.phones_renegotiate();
        world.run_ms(200);
        assert_eq!(world.count("caller 491 INVITE"), 1);
        assert_eq!(world.count("phones 491 INVITE"), 1);
        // The phones do not own the Call-ID: they are first, within 2 s.
        world.run_ms(2100);
        assert_eq!(world.count("caller 200 INVITE"), 1);
        world.run_ms(2500);
        assert_eq!(world.count("phones 200 INVITE"), 2);
        assert_eq!(world.phones_plans.len(), before + 2);
        assert!(world.caller_ended.is_empty());
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn offers_that_nearly_cross_are_both_made_in_the_end() {
    for seed in 0..40 {
        let mut world = World::new(seed, Transport::Udp, SrtpPolicy::Require);
        world.run_ms(1000);
        let before = world.phones_plans.len();
        world.caller_renegotiates();
        world.run_ms(u64::from(seed % 5) * 10);
        world.phones_renegotiate();
        world.run_ms(12_000);
        assert_eq!(world.phones_plans.len(), before + 2, "{:?}", world.ladder);
        assert!(world.caller_ended.is_empty());
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}

#[test]
fn a_lost_ack_of_a_re_invite_is_sent_again_with_each_copy_of_its_200() {
    let mut world = World::new(10, Transport::Udp, SrtpPolicy::Require);
    world.run_ms(1000);
    world.loss =
        Box::new(|from, message, nth| from == Side::Phones && is(message, &Method::Ack) && nth < 3);
    world.phones_renegotiate();
    world.run_ms(6000);
    assert_eq!(world.count("caller 200 INVITE"), 4);
    assert_eq!(world.count("phones ACK"), 4);
    world.caller_hangs_up();
    world.assert_nothing_left();
}

#[test]
fn a_call_that_ends_while_a_re_invite_is_under_way_leaves_nothing() {
    for late in 0..50 {
        let mut world = World::new(late, Transport::Udp, SrtpPolicy::Require);
        world.run_ms(1000);
        world.phones_renegotiate();
        world.run_ms(u64::from(late) * 3);
        if late % 2 == 0 {
            world.caller_hangs_up();
        } else {
            world.phones_hang_up(Cause::MeetingEnded);
        }
        world.assert_nothing_left();
    }
}

#[test]
fn sessions_live_for_hours_although_a_fifth_of_all_datagrams_is_lost() {
    for seed in 0..10 {
        let mut world = World::new(seed, Transport::Udp, SrtpPolicy::Require);
        world.run_ms(1000);
        world.loss_percent = 20;
        minutes(&mut world, 240);
        assert!(world.phones_ended.is_empty(), "seed {seed}");
        assert!(world.count("caller UPDATE") >= 16);
        world.loss_percent = 0;
        world.caller_hangs_up();
        world.assert_nothing_left();
    }
}
