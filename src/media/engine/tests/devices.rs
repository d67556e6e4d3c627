//! Phones that key by DTLS, change keys in mid-call, or are pretended to be by others.

use std::net::SocketAddr;
use std::time::Duration;

use wire::plan::{
    AudioCodec, BridgeId, Fingerprint, LegId, LocalMedia, MediaCommand, MediaEvent, MediaLoss,
    Prompt, Protection, SrtpProfile,
};

use super::audio::connect;
use super::net::{World, phone_plan, sdes, share_of_tone, tone};

const SERVER: usize = 0;
const PHONES: usize = 1;
const STRANGER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)),
    666,
);

fn fingerprint(local: &LocalMedia) -> Fingerprint {
    let text = local.fingerprint.as_ref().unwrap();
    Fingerprint {
        hash: "sha-256".to_owned(),
        digest: text
            .split(':')
            .map(|octet| u8::from_str_radix(octet, 16).unwrap())
            .collect(),
    }
}

/// A phone with DTLS, which begins if `active`, with or without RTCP on the same port.
fn dtls_phone(world: &mut World, number: u64, active: bool, mux: bool) -> LocalMedia {
    let (here_leg, there_leg) = (LegId(number), LegId(10 + number));
    let here = world.open_phone(SERVER, here_leg);
    let there = world.open_phone(PHONES, there_leg);
    for (engine, leg, active, peer) in [
        (SERVER, here_leg, !active, &there),
        (PHONES, there_leg, active, &here),
    ] {
        let protection = Protection::Dtls {
            active,
            remote_fingerprint: fingerprint(peer),
        };
        let mut plan = phone_plan(AudioCodec::Pcmu, protection, peer.rtp, peer.rtcp);
        plan.rtcp_mux = mux;
        world.configure(engine, leg, plan);
    }
    here
}

/// Both phones in one bridge, the first playing 700 Hz; what the second hears.
fn play(world: &mut World, during: Duration) -> Vec<i16> {
    let bridge = BridgeId(1);
    for leg in [LegId(1), LegId(2)] {
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    world.engines[PHONES].set_clip(Prompt::File, tone(700.0, during));
    world.engines[PHONES].set_tap(LegId(12), true);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.run(Duration::from_secs(1));
    world.command(PHONES, MediaCommand::Play { leg, prompt });
    world.run(during);
    world.check_books();
    world.heard.remove(&LegId(12)).unwrap_or_default()
}

fn is_heard(heard: &[i16]) -> bool {
    let end = heard.len() - 4800;
    heard.len() > 96_000 && share_of_tone(&heard[72_000..end], 700.0) > 0.95
}

#[test]
fn phones_keyed_by_dtls_hear_each_other_whoever_begins_on_one_port_or_two() {
    for (active, mux) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new(2);
        dtls_phone(&mut world, 1, active, mux);
        dtls_phone(&mut world, 2, active, mux);
        let heard = play(&mut world, Duration::from_secs(3));
        assert!(is_heard(&heard), "active: {active}, mux: {mux}");
        let leg = LegId(1);
        assert!(world.events[SERVER].contains(&MediaEvent::Connected { leg }));
        // Reports are protected by the association of their own port.
        world.run(Duration::from_secs(60));
        let reports: u64 = world
            .samples
            .iter()
            .filter(|sample| sample.leg == leg)
            .map(|sample| sample.received.rtcp_packets)
            .sum();
        assert!(reports > 5, "{reports} reports");
    }
}

#[test]
fn strangers_that_begin_handshakes_do_not_keep_the_phone_from_its_own() {
    let mut world = World::new(2);
    // The stranger is there first, and goes on.
    let mut hello = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1];
    hello.resize(113, 7);
    let first = SocketAddr::from(([10, 0, 0, 0], 10_000));
    let second = SocketAddr::from(([10, 0, 0, 0], 10_004));
    for to in [first, second] {
        for port in 0..200 {
            world.inject(SocketAddr::new(STRANGER.ip(), 1000 + port), to, &hello);
        }
    }
    for number in [1, 2] {
        let here = dtls_phone(&mut world, number, true, true);
        world.inject(STRANGER, here.rtp, &hello);
    }
    let heard = play(&mut world, Duration::from_secs(3));
    assert!(is_heard(&heard));
    world.run(Duration::from_secs(40));
    for leg in [LegId(1), LegId(2)] {
        let lost =
            |event: &&MediaEvent| matches!(event, MediaEvent::Lost { leg: l, .. } if *l == leg);
        assert_eq!(world.events[SERVER].iter().find(lost), None);
    }
    let to_stranger = world
        .foreign
        .iter()
        .filter(|(_, to, _)| to.ip() == STRANGER.ip());
    // A cookie at most, and that for few: nothing is sent for nothing.
    let octets: usize = to_stranger.map(|(_, _, bytes)| bytes.len()).sum();
    assert!(octets < 4000, "{octets} octets went to the stranger");
}

#[test]
fn a_phone_with_another_certificate_gets_no_media_and_is_lost() {
    let mut world = World::new(2);
    let here = world.open_phone(SERVER, LegId(1));
    let there = world.open_phone(PHONES, LegId(11));
    // Each engine has one certificate: its own stands for another one here.
    let wrong = fingerprint(&here);
    for (engine, leg, active, print, peer) in [
        (SERVER, LegId(1), false, wrong, &there),
        (PHONES, LegId(11), true, fingerprint(&here), &here),
    ] {
        let protection = Protection::Dtls {
            active,
            remote_fingerprint: print,
        };
        let plan = phone_plan(AudioCodec::Pcmu, protection, peer.rtp, peer.rtcp);
        world.configure(engine, leg, plan);
    }
    world.run(Duration::from_secs(5));
    let (leg, why) = (LegId(1), MediaLoss::WrongFingerprint);
    assert!(world.events[SERVER].contains(&MediaEvent::Lost { leg, why }));
    assert!(!world.events[SERVER].contains(&MediaEvent::Connected { leg }));
    world.check_books();
}

#[test]
fn sound_goes_on_when_both_sides_change_their_keys() {
    for profile in SrtpProfile::ALL {
        let mut world = World::new(2);
        for number in [1, 2] {
            let keys = sdes(profile, number as u8);
            connect(
                &mut world,
                LegId(number),
                LegId(10 + number),
                AudioCodec::Pcmu,
                keys,
            );
        }
        let before = play(&mut world, Duration::from_secs(3));
        assert!(is_heard(&before), "{profile:?}");
        for (number, base) in [(1, 10_000), (2, 10_004)] {
            let (here_keys, there_keys) = sdes(profile, 0x70 + number as u8);
            let at = |engine: u8, port: u16| SocketAddr::from(([10, 0, 0, engine], port));
            let plan = phone_plan(AudioCodec::Pcmu, here_keys, at(1, base + 2), None);
            world.configure(SERVER, LegId(number), plan);
            let plan = phone_plan(AudioCodec::Pcmu, there_keys, at(0, base), None);
            world.configure(PHONES, LegId(10 + number), plan);
        }
        let after = play(&mut world, Duration::from_secs(3));
        assert!(is_heard(&after), "{profile:?}");
    }
}

#[test]
fn a_foreign_source_on_a_plain_leg_is_told_and_not_heard() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    world.run(Duration::from_secs(1));
    let to = SocketAddr::from(([10, 0, 0, 0], 10_000));
    for n in 0..300_u16 {
        let mut packet = vec![0x80, 0];
        packet.extend(n.to_be_bytes());
        packet.resize(172, 0x10);
        world.inject(STRANGER, to, &packet);
        world.run(Duration::from_millis(20));
    }
    let (leg, source) = (LegId(1), STRANGER);
    let told = MediaEvent::ForeignSource { leg, source };
    let count = world.events[SERVER].iter().filter(|e| **e == told).count();
    assert_eq!(count, 1);
    assert!(world.foreign.is_empty(), "the stranger was sent something");
    world.check_books();
}
