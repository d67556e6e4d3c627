//! A phone whose leg goes to another engine in mid-call.

use std::time::Duration;

use wire::plan::{AudioCodec, BridgeId, LegId, MediaCommand, Prompt, SrtpProfile};

use super::net::{World, loudness, phone_plan, sdes, share_of_tone, tone};

const FIRST: usize = 0;
const SECOND: usize = 1;
const PHONES: usize = 2;
const BRIDGE: BridgeId = BridgeId(7);
const MOVES: LegId = LegId(1);
const STAYS: LegId = LegId(2);
/// The far ends of the two.
const ANN: LegId = LegId(11);
const BEN: LegId = LegId(12);

/// Ann's leg on the first engine, Ben's in the bridge on the second; both play a tone.
fn apart() -> World {
    let mut world = World::new(3);
    for (engine, leg, phone, fill) in [(FIRST, MOVES, ANN, 1), (SECOND, STAYS, BEN, 2)] {
        let here = world.open_phone(engine, leg);
        let there = world.open_phone(PHONES, phone);
        let (ours, theirs) = sdes(SrtpProfile::AesCm128HmacSha1_80, fill);
        let codec = AudioCodec::Opus;
        world.configure(engine, leg, phone_plan(codec, ours, there.rtp, there.rtcp));
        world.configure(
            PHONES,
            phone,
            phone_plan(codec, theirs, here.rtp, here.rtcp),
        );
        world.engines[PHONES].set_tap(phone, true);
    }
    let bridge = BRIDGE;
    world.command(SECOND, MediaCommand::Join { leg: STAYS, bridge });
    for (leg, prompt, hz) in [(ANN, Prompt::File, 700.0), (BEN, Prompt::Joined, 1100.0)] {
        world.engines[PHONES].set_clip(prompt, tone(hz, Duration::from_secs(30)));
        world.command(PHONES, MediaCommand::Play { leg, prompt });
    }
    world
}

#[test]
fn it_goes_on_under_the_same_keys_and_without_a_gap_in_numbers() {
    let mut world = apart();
    world.run(Duration::from_secs(2));
    assert!(
        loudness(&world.heard[&BEN][48_000..]) < 30.0,
        "not yet together"
    );
    world.heard.clear();

    assert!(world.move_leg(FIRST, SECOND, MOVES));
    let bridge = BRIDGE;
    world.command(SECOND, MediaCommand::Join { leg: MOVES, bridge });
    world.run(Duration::from_secs(4));
    for (who, hears) in [(ANN, 1100.0), (BEN, 700.0)] {
        let heard = &world.heard[&who][48_000..];
        let share = share_of_tone(heard, hears);
        assert!(share > 0.95 && loudness(heard) > 3000.0, "{who:?} {share}");
    }
    assert_eq!(world.engines[FIRST].legs(), 0);
    assert_eq!(world.engines[FIRST].next_timeout(), None);
    assert_eq!(world.engines[SECOND].legs(), 2);

    for leg in [ANN, BEN] {
        world.command(PHONES, MediaCommand::Close { leg });
    }
    world.run(Duration::from_secs(1));
    for leg in [MOVES, STAYS] {
        world.command(SECOND, MediaCommand::Close { leg });
    }
    world.check_books();
    for engine in &world.engines[..PHONES] {
        assert_eq!(engine.ledger().drops().map(|(_, n)| n).sum::<u64>(), 0);
    }
    // One sample spans both engines: every packet of Ann's six seconds is in it.
    let last = |leg| {
        let mut latest = world.samples.iter().rev();
        latest.find(|sample| sample.leg == leg).unwrap()
    };
    let (told, sent) = (last(MOVES), last(ANN));
    assert_eq!(told.received.rtp_packets, sent.sent.rtp_packets);
    assert_eq!(told.received.packets_lost, Some(0));
}

#[test]
fn one_without_sockets_of_its_own_stays_and_a_muted_and_deaf_one_stays_so() {
    let mut world = apart();
    let shared = world.bind(FIRST);
    let browser = LegId(3);
    world.open_browser(FIRST, browser, shared);
    assert!(!world.move_leg(FIRST, SECOND, browser));
    assert!(!world.move_leg(FIRST, SECOND, LegId(99)));
    assert_eq!(world.engines[FIRST].legs(), 2);

    world.command(
        FIRST,
        MediaCommand::Mute {
            leg: MOVES,
            muted: true,
        },
    );
    let (leg, deaf) = (MOVES, true);
    world.command(FIRST, MediaCommand::Deafen { leg, deaf });
    assert!(world.move_leg(FIRST, SECOND, MOVES));
    let bridge = BRIDGE;
    world.command(SECOND, MediaCommand::Join { leg: MOVES, bridge });
    world.run(Duration::from_secs(3));
    for who in [ANN, BEN] {
        assert!(loudness(&world.heard[&who][48_000..]) < 30.0, "{who:?}");
    }
    let (leg, deaf) = (MOVES, false);
    world.command(SECOND, MediaCommand::Deafen { leg, deaf });
    world.heard.clear();
    world.run(Duration::from_secs(3));
    assert!(loudness(&world.heard[&BEN][48_000..]) < 30.0);
    assert!(share_of_tone(&world.heard[&ANN][48_000..], 1100.0) > 0.95);
}
