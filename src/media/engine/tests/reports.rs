//! RTCP between two engines: extended reports, echoes, goodbyes.

use std::time::Duration;

use network::{Conditions, Delay, Loss, Network};
use wire::plan::{
    AudioCodec, Direction, LegId, LocalMedia, MediaCommand, Protection, RtcpFeatures,
};
use wire::rtcp::{self, ExtendedBlock, Packet, VoipMetrics};

use super::net::{World, phone_plan};

const SERVER: usize = 0;
const PHONES: usize = 1;
const MS: Duration = Duration::from_millis(1);
const EXTENDED: RtcpFeatures = RtcpFeatures {
    reduced_size: false,
    voip_metrics: true,
    reference_time: true,
};

/// A leg of the server and its phone, with these features on both sides and this direction of the server's.
fn connect(world: &mut World, features: RtcpFeatures, direction: Direction) -> [LocalMedia; 2] {
    let here = world.open_phone(SERVER, LegId(1));
    let there = world.open_phone(PHONES, LegId(11));
    for (engine, leg, to, direction) in [
        (SERVER, LegId(1), &there, direction),
        (PHONES, LegId(11), &here, direction.reversed()),
    ] {
        let mut plan = phone_plan(AudioCodec::Pcmu, Protection::Plain, to.rtp, to.rtcp);
        plan.rtcp = features;
        plan.audio.as_mut().unwrap().direction = direction;
        world.configure(engine, leg, plan);
    }
    [here, there]
}

/// Every RTCP packet sent to an address.
fn sent_to(world: &World, to: &LocalMedia) -> Vec<Packet> {
    let journal = world.journal.as_ref().unwrap();
    journal
        .iter()
        .filter(|journey| Some(journey.to) == to.rtcp)
        .flat_map(|journey| rtcp::read(&journey.bytes).map(Result::unwrap))
        .collect()
}

fn last_metrics(packets: &[Packet]) -> VoipMetrics {
    let metrics = |packet: &Packet| match packet {
        Packet::Xr { blocks, .. } => blocks.iter().find_map(|block| match block {
            ExtendedBlock::Voip(metrics) => Some(*metrics),
            _ => None,
        }),
        _ => None,
    };
    packets.iter().rev().find_map(metrics).unwrap()
}

#[test]
fn voip_metrics_tell_the_other_side_what_became_of_its_packets() {
    let mut world = World::new(2);
    world.keep_journal();
    let [here, there] = connect(&mut world, EXTENDED, Direction::SendRecv);
    let lossy = Conditions {
        loss: Loss::bursts(0.1, 4.0),
        delay: Delay::Fixed(MS * 25),
        ..Conditions::default()
    };
    let clean = Conditions {
        delay: Delay::Fixed(MS * 25),
        ..Conditions::default()
    };
    world.network = Some(Network::new(3, clean).towards(there.rtp, lossy));
    world.run(Duration::from_secs(61));
    let by_phone = last_metrics(&sent_to(&world, &here));
    let by_server = last_metrics(&sent_to(&world, &there));
    // The phone lost a tenth in bursts; the server nothing.
    assert!((18..34).contains(&by_phone.loss_rate), "{by_phone:?}");
    assert!(
        by_phone.burst_density > 60 && by_phone.burst_ms > 60,
        "{by_phone:?}"
    );
    assert!(by_phone.gap_ms > 300, "{by_phone:?}");
    assert_eq!(by_phone.discard_rate, 0);
    assert_eq!((by_phone.round_trip_ms, by_phone.gmin), (50, 16));
    assert!(by_phone.r_factor.unwrap() < 60, "{by_phone:?}");
    assert!(by_phone.mos_cq_tenths <= by_phone.mos_lq_tenths);
    assert!((20..=200).contains(&by_phone.jitter_buffer_ms));
    assert_eq!((by_server.loss_rate, by_server.burst_ms), (0, 0));
    assert_eq!(
        (by_server.r_factor, by_server.mos_cq_tenths),
        (Some(93), Some(44))
    );
    // The far end's buffer is part of the way that the opinion goes by.
    let of_server = world
        .samples
        .iter()
        .find(|sample| sample.leg == LegId(1))
        .unwrap();
    let outbound = of_server.outbound.unwrap();
    let expected = 25.0 + 20.0 + f64::from(by_phone.jitter_buffer_ms);
    assert!((outbound.delay_ms - expected).abs() < 15.0, "{outbound:?}");
    assert!((6.0..14.0).contains(&outbound.loss_percent), "{outbound:?}");
}

#[test]
fn nobody_gets_extended_reports_who_did_not_ask() {
    let mut world = World::new(2);
    world.keep_journal();
    let [here, there] = connect(&mut world, RtcpFeatures::default(), Direction::SendRecv);
    world.run(Duration::from_secs(30));
    for side in [here, there] {
        let packets = sent_to(&world, &side);
        assert!(packets.len() > 6);
        assert!(
            !packets
                .iter()
                .any(|packet| matches!(packet, Packet::Xr { .. }))
        );
    }
}

#[test]
fn who_sends_no_media_measures_the_round_trip_by_echoes() {
    for (features, measured) in [(EXTENDED, true), (RtcpFeatures::default(), false)] {
        let mut world = World::new(2);
        connect(&mut world, features, Direction::RecvOnly);
        world.weather = Box::new(|_, _, _| vec![MS * 35]);
        world.run(Duration::from_secs(61));
        let sample = world
            .samples
            .iter()
            .find(|sample| sample.leg == LegId(1))
            .unwrap();
        assert_eq!(sample.sent.rtp_packets, 0);
        match sample.rtt_us {
            Some(rtt) if measured => assert!((69_900..=70_100).contains(&rtt), "{rtt}"),
            rtt => assert!(rtt.is_none() && !measured, "{rtt:?}"),
        }
    }
}

#[test]
fn a_leg_says_goodbye_only_if_it_ever_spoke() {
    for (seconds, spoke) in [(0, false), (10, true)] {
        let mut world = World::new(2);
        world.keep_journal();
        let [_, there] = connect(&mut world, RtcpFeatures::default(), Direction::RecvOnly);
        world.run(Duration::from_secs(seconds));
        world.command(SERVER, MediaCommand::Close { leg: LegId(1) });
        let packets = sent_to(&world, &there);
        let goodbyes = packets
            .iter()
            .filter(|packet| matches!(packet, Packet::Bye { .. }));
        assert_eq!(goodbyes.count(), usize::from(spoke));
        assert_eq!(packets.is_empty(), !spoke);
    }
}
