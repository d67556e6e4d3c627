//! Samples: what they count, and what they leave unknown.

use std::net::SocketAddr;
use std::time::Duration;

use wire::plan::{
    AudioCodec, BridgeId, Direction, LegId, MediaCommand, MediaEvent, MediaLoss, Protection,
    SrtpProfile,
};

use super::audio::connect;
use super::net::{World, phone_plan, sdes};
use crate::measure::Sample;

const SERVER: usize = 0;
const PHONES: usize = 1;

fn samples_of(world: &World, leg: LegId) -> Vec<&Sample> {
    world.samples.iter().filter(|s| s.leg == leg).collect()
}

#[test]
fn samples_come_each_minute_and_at_the_end_and_add_up_to_what_was_sent() {
    let mut world = World::new(2);
    let keys = sdes(SrtpProfile::AesCm128HmacSha1_80, 1);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, keys);
    world.run(Duration::from_secs(150));
    // The phone closes first: its goodbye and last packets still arrive.
    world.command(PHONES, MediaCommand::Close { leg: LegId(11) });
    world.run(Duration::from_millis(15));
    world.command(SERVER, MediaCommand::Close { leg: LegId(1) });
    world.run(Duration::from_millis(15));
    world.check_books();

    let ours = samples_of(&world, LegId(1));
    let theirs = samples_of(&world, LegId(11));
    let shape: Vec<bool> = ours.iter().map(|s| s.last).collect();
    assert_eq!(shape, [false, false, true]);
    let total = |samples: &[&Sample], of: fn(&Sample) -> u64| -> u64 {
        samples.iter().map(|s| of(s)).sum()
    };
    assert_eq!(
        total(&ours, |s| s.received.rtp_packets),
        total(&theirs, |s| s.sent.rtp_packets)
    );
    assert_eq!(
        total(&ours, |s| s.received.rtp_bytes),
        total(&theirs, |s| s.sent.rtp_bytes)
    );
    assert_eq!(
        total(&ours, |s| s.received.rtcp_packets),
        total(&theirs, |s| s.sent.rtcp_packets)
    );
    assert_eq!(
        total(&ours, |s| s.received.rtcp_bytes),
        total(&theirs, |s| s.sent.rtcp_bytes)
    );
    // 12 + 160 + 10 octets each, 50 a second.
    let minute = ours[1];
    assert_eq!(minute.received.rtp_packets, 3000);
    assert_eq!(minute.received.rtp_bytes, 3000 * 182);
    assert!((8..=24).contains(&minute.received.rtcp_packets));
    let last = world.events[SERVER].last();
    assert_eq!(last, Some(&MediaEvent::Closed { leg: LegId(1) }));
}

#[test]
fn round_trip_loss_jitter_and_mos_are_measured_from_both_ends() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    // Every tenth datagram is lost, the way takes 40 ms.
    world.weather = Box::new(|number, _, _| match number % 10 {
        3 => Vec::new(),
        _ => vec![Duration::from_millis(40)],
    });
    world.run(Duration::from_secs(61));
    let sample = samples_of(&world, LegId(1))[0];
    let rtt = sample.rtt_us.unwrap();
    assert!((79_900..=80_100).contains(&rtt), "{rtt}");
    let received = sample.received.packets_lost.unwrap();
    let total = received as u64 + sample.received.rtp_packets;
    assert!((2990..=3000).contains(&total), "{total}");
    assert!(received > 100);
    let sent = sample.sent.packets_lost.unwrap();
    assert!(sent > 100, "{sent}");
    assert!(sample.received.jitter_us.unwrap() < 1000);
    assert!(sample.sent.jitter_us.is_some());
    let mos = sample.mos.unwrap();
    assert!((2.5..4.0).contains(&mos), "{mos}");
}

#[test]
fn a_call_without_loss_has_the_best_opinion_and_no_loss() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Opus, plain);
    world.run(Duration::from_secs(61));
    let sample = samples_of(&world, LegId(1))[0];
    assert_eq!(sample.mos, Some(4.4));
    assert_eq!(sample.received.packets_lost, Some(0));
    assert_eq!(sample.sent.packets_lost, Some(0));
    assert_eq!(sample.codec, Some(AudioCodec::Opus));
}

#[test]
fn what_was_not_measured_is_unknown() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    world.weather = Box::new(|_, _, _| Vec::new());
    world.run(Duration::from_secs(20));
    world.command(SERVER, MediaCommand::Close { leg: LegId(1) });
    let sample = samples_of(&world, LegId(1))[0];
    assert_eq!(sample.received.packets_lost, None);
    assert_eq!(sample.received.jitter_us, None);
    assert_eq!(sample.sent.packets_lost, None);
    assert_eq!(sample.sent.jitter_us, None);
    assert_eq!(sample.rtt_us, None);
    assert_eq!(sample.mos, None);
    assert!(sample.sent.rtp_packets > 990);
}

#[test]
fn a_leg_that_was_never_configured_closes_without_a_sample() {
    let mut world = World::new(1);
    world.open_phone(SERVER, LegId(1));
    world.run(Duration::from_secs(5));
    world.command(SERVER, MediaCommand::Close { leg: LegId(1) });
    assert!(world.samples.is_empty());
    let closed = MediaEvent::Closed { leg: LegId(1) };
    assert!(world.events[SERVER].contains(&closed));
    assert_eq!(world.engines[SERVER].next_timeout(), None);
}

#[test]
fn silence_for_the_media_timeout_is_told_once() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    world.run(Duration::from_secs(5));
    world.command(PHONES, MediaCommand::Close { leg: LegId(11) });
    world.run(Duration::from_secs(29));
    let (leg, why) = (LegId(1), MediaLoss::Silent);
    let lost = MediaEvent::Lost { leg, why };
    assert!(!world.events[SERVER].contains(&lost));
    world.run(Duration::from_secs(60));
    let told = world.events[SERVER].iter().filter(|e| **e == lost).count();
    assert_eq!(told, 1);
}

/// A phone that is on hold, and then says nothing more.
fn held(direction: Direction) -> World {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    world.run(Duration::from_secs(1));
    let mut plan = phone_plan(
        AudioCodec::Pcmu,
        Protection::Plain,
        SocketAddr::from(([10, 0, 0, 1], 10_002)),
        None,
    );
    plan.audio.as_mut().unwrap().direction = direction;
    world.configure(SERVER, LegId(1), plan);
    world.command(PHONES, MediaCommand::Close { leg: LegId(11) });
    world
}

fn lost(world: &World) -> usize {
    let (leg, why) = (LegId(1), MediaLoss::Silent);
    let lost = MediaEvent::Lost { leg, why };
    world.events[SERVER].iter().filter(|e| **e == lost).count()
}

#[test]
fn a_held_phone_may_be_silent_for_long_but_not_for_ever() {
    for direction in [Direction::Inactive, Direction::SendOnly] {
        let mut world = held(direction);
        world.run(Duration::from_secs(29 * 60));
        assert_eq!(lost(&world), 0, "{direction:?}");
        world.run(Duration::from_secs(120));
        assert_eq!(lost(&world), 1, "{direction:?}");
    }
}

#[test]
fn after_a_hold_the_media_timeout_counts_anew() {
    let mut world = held(Direction::Inactive);
    world.run(Duration::from_secs(600));
    let plan = phone_plan(
        AudioCodec::Pcmu,
        Protection::Plain,
        SocketAddr::from(([10, 0, 0, 1], 10_002)),
        None,
    );
    world.configure(SERVER, LegId(1), plan);
    world.run(Duration::from_secs(29));
    assert_eq!(lost(&world), 0);
    world.run(Duration::from_secs(2));
    assert_eq!(lost(&world), 1);
}

#[test]
fn a_phone_that_we_muted_may_be_silent_as_long_as_a_held_one() {
    let mut world = held(Direction::SendRecv);
    let (leg, muted) = (LegId(1), true);
    world.command(SERVER, MediaCommand::Mute { leg, muted });
    world.run(Duration::from_secs(600));
    assert_eq!(lost(&world), 0);
    world.command(SERVER, MediaCommand::Mute { leg, muted: false });
    world.run(Duration::from_secs(31));
    assert_eq!(lost(&world), 1);
}

#[test]
fn levels_name_who_speaks_five_times_a_second_and_then_nobody_once() {
    use wire::plan::Prompt;
    let mut world = World::new(2);
    let plain = || (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain());
    connect(&mut world, LegId(2), LegId(12), AudioCodec::Pcmu, plain());
    let bridge = BridgeId(1);
    for leg in [LegId(1), LegId(2)] {
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    let second = Duration::from_secs(1);
    world.engines[PHONES].set_clip(Prompt::File, super::net::tone(500.0, second * 2));
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(PHONES, MediaCommand::Play { leg, prompt });
    world.run(second * 5);
    let levels: Vec<_> = world.events[SERVER]
        .iter()
        .filter_map(|event| match event {
            MediaEvent::Levels { levels, .. } => Some(levels.clone()),
            _ => None,
        })
        .collect();
    assert!((10..=13).contains(&levels.len()), "{}", levels.len());
    let (nobody, somebody) = levels.split_last().unwrap();
    assert!(nobody.is_empty());
    for told in somebody {
        assert!(matches!(told[..], [(LegId(1), 10..=20)]), "{told:?}");
    }
}
