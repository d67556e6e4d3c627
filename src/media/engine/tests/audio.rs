//! Phones in a bridge, end to end.

use std::time::Duration;

use wire::plan::{
    AudioCodec, BridgeId, Direction, LegId, MediaCommand, MediaEvent, Prompt, Protection,
    SrtpProfile,
};

use super::net::{World, format, loudness, phone_plan, sdes, share_of_tone, tone};
use crate::engine::{Consumed, Dropped, Sent};

const SERVER: usize = 0;
const PHONES: usize = 1;
const BRIDGE: BridgeId = BridgeId(7);

/// A leg of the server and the phone at its other end.
pub(super) fn connect(
    world: &mut World,
    server_leg: LegId,
    phone_leg: LegId,
    codec: AudioCodec,
    (server_keys, phone_keys): (Protection, Protection),
) {
    let here = world.open_phone(SERVER, server_leg);
    let there = world.open_phone(PHONES, phone_leg);
    let plan = phone_plan(codec, server_keys, there.rtp, there.rtcp);
    world.configure(SERVER, server_leg, plan);
    let plan = phone_plan(codec, phone_keys, here.rtp, here.rtcp);
    world.configure(PHONES, phone_leg, plan);
}

/// Two phones in one bridge; one plays 700 Hz. Returns what each heard.
fn two_phones(
    codecs: [AudioCodec; 2],
    keys: [(Protection, Protection); 2],
) -> (World, [Vec<i16>; 2]) {
    let mut world = World::new(2);
    let [keys_a, keys_b] = keys;
    connect(&mut world, LegId(1), LegId(11), codecs[0], keys_a);
    connect(&mut world, LegId(2), LegId(12), codecs[1], keys_b);
    for leg in [LegId(1), LegId(2)] {
        world.command(
            SERVER,
            MediaCommand::Join {
                leg,
                bridge: BRIDGE,
            },
        );
    }
    world.engines[PHONES].set_clip(Prompt::File, tone(700.0, Duration::from_secs(5)));
    for leg in [LegId(11), LegId(12)] {
        world.engines[PHONES].set_tap(leg, true);
    }
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(PHONES, MediaCommand::Play { leg, prompt });
    world.run(Duration::from_secs(4));
    world.check_books();
    let own = world.heard.remove(&LegId(11)).unwrap();
    let other = world.heard.remove(&LegId(12)).unwrap();
    (world, [own, other])
}

fn assert_heard_by_the_other_only(heard: &[Vec<i16>; 2]) {
    let [own, other] = heard;
    // From one second on, buffers have settled.
    let (own, other) = (&own[48_000..], &other[48_000..]);
    assert!(
        share_of_tone(other, 700.0) > 0.95,
        "{}",
        share_of_tone(other, 700.0)
    );
    assert!(loudness(other) > 3000.0, "{}", loudness(other));
    assert!(
        loudness(own) < 30.0,
        "its own voice comes back: {}",
        loudness(own)
    );
}

#[test]
fn what_one_phone_says_the_other_hears_and_not_itself_in_every_codec_and_protection() {
    let plain = || (Protection::Plain, Protection::Plain);
    let cases = [
        ([AudioCodec::Pcmu, AudioCodec::Pcma], [plain(), plain()]),
        (
            [AudioCodec::Pcmu, AudioCodec::Opus],
            [
                sdes(SrtpProfile::AesCm128HmacSha1_80, 1),
                sdes(SrtpProfile::AeadAes128Gcm, 2),
            ],
        ),
        (
            [AudioCodec::Opus, AudioCodec::G722],
            [
                sdes(SrtpProfile::AeadAes128Gcm, 3),
                sdes(SrtpProfile::AesCm128HmacSha1_80, 4),
            ],
        ),
        ([AudioCodec::G722, AudioCodec::Pcmu], [plain(), plain()]),
    ];
    for (codecs, keys) in cases {
        let (world, heard) = two_phones(codecs, keys);
        assert_heard_by_the_other_only(&heard);
        let ledger = world.engines[SERVER].ledger();
        assert_eq!(ledger.drops().map(|(_, n)| n).sum::<u64>(), 0, "{codecs:?}");
        assert!(ledger.consumed(Consumed::Audio) >= 2 * 195);
        assert!(ledger.sent(Sent::Audio) >= 2 * 195);
    }
}

#[test]
fn connected_is_told_once_per_leg_by_the_first_authentic_packet() {
    let keys = || sdes(SrtpProfile::AeadAes128Gcm, 9);
    let (world, _) = two_phones([AudioCodec::Pcmu; 2], [keys(), keys()]);
    let connected = world.events[SERVER]
        .iter()
        .filter(|e| matches!(e, MediaEvent::Connected { .. }));
    assert_eq!(connected.count(), 2);
}

#[test]
fn wrong_keys_are_silence_and_are_counted_as_unauthentic() {
    let mut world = World::new(2);
    let (server, _) = sdes(SrtpProfile::AesCm128HmacSha1_80, 1);
    let (_, phone) = sdes(SrtpProfile::AesCm128HmacSha1_80, 2);
    connect(
        &mut world,
        LegId(1),
        LegId(11),
        AudioCodec::Pcmu,
        (server, phone),
    );
    world.run(Duration::from_secs(2));
    world.check_books();
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.consumed(Consumed::Audio), 0);
    assert!(ledger.dropped(Dropped::Unauthentic) > 90);
    let connected = |e: &MediaEvent| matches!(e, MediaEvent::Connected { .. });
    assert!(!world.events[SERVER].iter().any(connected));
}

#[test]
fn a_phone_outside_any_bridge_is_sent_audio_all_the_time() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Opus, plain);
    world.run(Duration::from_secs(10));
    assert_eq!(world.engines[SERVER].ledger().sent(Sent::Audio), 500);
}

#[test]
fn every_packet_length_fills_time_exactly_once() {
    for (ptime_ms, packets) in [(10, 1000), (20, 500), (30, 333), (40, 250), (60, 166)] {
        for codec in [AudioCodec::Pcmu, AudioCodec::Opus] {
            let mut world = World::new(2);
            let here = world.open_phone(SERVER, LegId(1));
            let there = world.open_phone(PHONES, LegId(11));
            let mut plan = phone_plan(codec, Protection::Plain, there.rtp, there.rtcp);
            plan.audio.as_mut().unwrap().send.ptime_ms = ptime_ms;
            world.configure(SERVER, LegId(1), plan);
            let plan = phone_plan(codec, Protection::Plain, here.rtp, here.rtcp);
            world.configure(PHONES, LegId(11), plan);
            world.run(Duration::from_secs(10));
            let sent = world.engines[SERVER].ledger().sent(Sent::Audio);
            let expected = match (codec, ptime_ms) {
                // Opus has no 30 ms frame.
                (AudioCodec::Opus, 30) => 500,
                _ => packets,
            };
            assert!(sent.abs_diff(expected) <= 1, "{codec:?} {ptime_ms}: {sent}");
        }
    }
}

/// Two phones whose server was told something before they came together in a bridge; one plays 700 Hz.
fn told_before_they_join(codec: AudioCodec, told: MediaCommand) -> World {
    let mut world = World::new(2);
    let plain = || (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), codec, plain());
    connect(&mut world, LegId(2), LegId(12), codec, plain());
    world.command(SERVER, told);
    let bridge = BRIDGE;
    for leg in [LegId(1), LegId(2)] {
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    world.engines[PHONES].set_clip(Prompt::File, tone(700.0, Duration::from_secs(30)));
    world.engines[PHONES].set_tap(LegId(12), true);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(PHONES, MediaCommand::Play { leg, prompt });
    world
}

/// What the other phone hears in the next two seconds.
fn heard(world: &mut World) -> Vec<i16> {
    world.run(Duration::from_secs(2));
    world.heard.remove(&LegId(12)).unwrap()
}

#[test]
fn a_muted_phone_is_not_heard_until_it_is_unmuted() {
    let mute = |muted| MediaCommand::Mute {
        leg: LegId(1),
        muted,
    };
    let mut world = told_before_they_join(AudioCodec::Pcmu, mute(true));
    assert!(loudness(&heard(&mut world)) < 30.0);
    world.command(SERVER, mute(false));
    assert!(share_of_tone(&heard(&mut world)[24_000..], 700.0) > 0.95);
}

#[test]
fn a_deaf_leg_hears_its_prompts_and_nobody_until_it_may_hear_again() {
    for codec in [AudioCodec::Pcmu, AudioCodec::G722, AudioCodec::Opus] {
        let (leg, deaf) = (LegId(2), true);
        let mut world = told_before_they_join(codec, MediaCommand::Deafen { leg, deaf });
        assert!(loudness(&heard(&mut world)) < 30.0, "{codec:?}");
        for deaf in [false, true, false] {
            world.command(SERVER, MediaCommand::Deafen { leg, deaf });
            let heard = heard(&mut world);
            let settled = &heard[24_000..];
            if deaf {
                assert!(loudness(settled) < 30.0, "{codec:?}");
            } else {
                assert!(share_of_tone(settled, 700.0) > 0.95, "{codec:?}");
            }
        }
        world.command(SERVER, MediaCommand::Deafen { leg, deaf });
        world.engines[SERVER].set_clip(Prompt::Joined, tone(1200.0, Duration::from_secs(2)));
        let prompt = Prompt::Joined;
        world.command(SERVER, MediaCommand::Play { leg, prompt });
        let prompted = heard(&mut world);
        assert!(
            share_of_tone(&prompted[24_000..72_000], 1200.0) > 0.95,
            "{codec:?}"
        );
        // It was sent a packet for every 20 ms of it all, and all of them arrived.
        let sample = world.engines[PHONES].ledger();
        assert_eq!(sample.drops().map(|(_, n)| n).sum::<u64>(), 0);
        for leg in [LegId(1), LegId(2)] {
            world.command(SERVER, MediaCommand::Close { leg });
        }
        world.check_books();
    }
}

#[test]
fn a_prompt_is_heard_by_its_leg_alone_and_its_end_is_told_once() {
    let mut world = World::new(2);
    let plain = || (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain());
    connect(&mut world, LegId(2), LegId(12), AudioCodec::Opus, plain());
    for leg in [LegId(1), LegId(2)] {
        world.command(
            SERVER,
            MediaCommand::Join {
                leg,
                bridge: BRIDGE,
            },
        );
    }
    world.engines[SERVER].set_clip(Prompt::Joined, tone(1200.0, Duration::from_secs(2)));
    for leg in [LegId(11), LegId(12)] {
        world.engines[PHONES].set_tap(leg, true);
    }
    let (leg, prompt) = (LegId(1), Prompt::Joined);
    world.command(SERVER, MediaCommand::Play { leg, prompt });
    world.run(Duration::from_secs(4));
    let ended = world.events[SERVER]
        .iter()
        .filter(|e| **e == MediaEvent::PromptEnded { leg, prompt });
    assert_eq!(ended.count(), 1);
    let asked = &world.heard[&LegId(11)];
    assert!(share_of_tone(&asked[24_000..72_000], 1200.0) > 0.95);
    assert!(loudness(&world.heard[&LegId(12)]) < 30.0);
}

#[test]
fn a_prompt_without_samples_ends_at_once() {
    let mut world = World::new(2);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    let (leg, prompt) = (LegId(1), Prompt::Goodbye);
    world.command(SERVER, MediaCommand::Play { leg, prompt });
    assert!(world.events[SERVER].contains(&MediaEvent::PromptEnded { leg, prompt }));
}

#[test]
fn digits_arrive_once_each_through_loss_of_every_third_packet_and_during_audio() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Opus] {
        let mut world = World::new(2);
        connect(
            &mut world,
            LegId(1),
            LegId(11),
            codec,
            sdes(SrtpProfile::AeadAes128Gcm, 1),
        );
        world.engines[PHONES].set_clip(Prompt::File, tone(440.0, Duration::from_secs(10)));
        let (leg, prompt) = (LegId(11), Prompt::File);
        world.command(PHONES, MediaCommand::Play { leg, prompt });
        world.run(Duration::from_secs(1));
        world.weather = Box::new(|number, _, _| match number % 3 {
            0 => Vec::new(),
            _ => vec![Duration::from_millis(5)],
        });
        let digits = "1122334455#*0A".to_owned();
        world.command(PHONES, MediaCommand::SendDigits { leg, digits });
        world.run(Duration::from_secs(4));
        assert_eq!(world.digits(SERVER, LegId(1)), "1122334455#*0A");
        world.check_books();
    }
}

#[test]
fn speech_survives_loss_reordering_and_duplicates_with_every_packet_accounted_for() {
    let mut world = World::new(2);
    let keys = || sdes(SrtpProfile::AesCm128HmacSha1_80, 3);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Opus, keys());
    connect(&mut world, LegId(2), LegId(12), AudioCodec::Pcmu, keys());
    for leg in [LegId(1), LegId(2)] {
        world.command(
            SERVER,
            MediaCommand::Join {
                leg,
                bridge: BRIDGE,
            },
        );
    }
    world.weather = Box::new(|number, _, _| match number % 50 {
        7 => Vec::new(),
        13 => vec![Duration::from_millis(5), Duration::from_millis(9)],
        21 => vec![Duration::from_millis(45)],
        _ => vec![Duration::from_millis(5)],
    });
    world.engines[PHONES].set_clip(Prompt::File, tone(700.0, Duration::from_secs(10)));
    world.engines[PHONES].set_tap(LegId(12), true);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(PHONES, MediaCommand::Play { leg, prompt });
    world.run(Duration::from_secs(8));
    world.check_books();
    let heard = &world.heard[&LegId(12)];
    assert!(share_of_tone(&heard[96_000..], 700.0) > 0.8);
    // SRTP's replay window sees a duplicate before anybody else does.
    let ledger = world.engines[SERVER].ledger();
    assert!(ledger.dropped(Dropped::Replayed) > 5);
}

#[test]
fn a_held_leg_is_sent_nothing_and_goes_on_when_resumed() {
    let mut world = World::new(2);
    let here = world.open_phone(SERVER, LegId(1));
    let there = world.open_phone(PHONES, LegId(11));
    let plan = |direction| {
        let mut plan = phone_plan(AudioCodec::Pcmu, Protection::Plain, there.rtp, there.rtcp);
        plan.audio.as_mut().unwrap().direction = direction;
        plan
    };
    let phone = phone_plan(AudioCodec::Pcmu, Protection::Plain, here.rtp, here.rtcp);
    world.configure(PHONES, LegId(11), phone);
    world.configure(SERVER, LegId(1), plan(Direction::SendRecv));
    world.run(Duration::from_secs(1));
    world.configure(SERVER, LegId(1), plan(Direction::Inactive));
    let before = world.engines[SERVER].ledger().sent(Sent::Audio);
    world.run(Duration::from_secs(60));
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.sent(Sent::Audio), before);
    assert!(ledger.dropped(Dropped::NotReceiving) > 2900);
    world.configure(SERVER, LegId(1), plan(Direction::SendRecv));
    world.run(Duration::from_secs(1));
    assert_eq!(
        world.engines[SERVER].ledger().sent(Sent::Audio),
        before + 50
    );
    let lost = |e: &MediaEvent| matches!(e, MediaEvent::Lost { .. });
    assert!(!world.events[SERVER].iter().any(lost));
    // What was said on hold is not lost.
    let leg = LegId(1);
    world.command(SERVER, MediaCommand::Close { leg });
    let sample = world
        .samples
        .iter()
        .find(|s| s.leg == leg && s.last)
        .unwrap();
    assert_eq!(sample.received.packets_lost, Some(0));
}

#[test]
fn a_codec_change_in_mid_call_goes_on_with_the_same_stream() {
    let mut world = World::new(2);
    let here = world.open_phone(SERVER, LegId(1));
    let there = world.open_phone(PHONES, LegId(11));
    for codec in [AudioCodec::Opus, AudioCodec::G722] {
        let mut plan = phone_plan(codec, Protection::Plain, there.rtp, there.rtcp);
        plan.audio.as_mut().unwrap().receive =
            vec![format(AudioCodec::Opus), format(AudioCodec::G722)];
        world.configure(SERVER, LegId(1), plan.clone());
        plan.connectivity = phone_plan(codec, Protection::Plain, here.rtp, here.rtcp).connectivity;
        world.configure(PHONES, LegId(11), plan);
        world.run(Duration::from_secs(2));
    }
    let leg = LegId(1);
    world.command(SERVER, MediaCommand::Close { leg });
    let sample = world.samples.iter().find(|s| s.leg == leg).unwrap();
    assert_eq!(sample.codec, Some(AudioCodec::G722));
    assert_eq!(sample.received.packets_lost, Some(0));
}
