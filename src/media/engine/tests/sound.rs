//! Redundancy, comfort noise and keys as tones, end to end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{AudioCodec, BridgeId, LegId, MediaCommand, Prompt, Protection};

use super::net::{World, phone_plan, share_of_tone, tone};
use crate::engine::Sent;
use crate::mix::level_of;

const SERVER: usize = 0;
const PHONES: usize = 1;
const RED: u8 = 63;

/// Two phones of one codec in a bridge, over plain RTP; `agree` changes all four plans alike.
fn two_phones(codec: AudioCodec, agree: impl Fn(&mut wire::plan::AudioPlan)) -> World {
    let mut world = World::new(2);
    for (server_leg, phone_leg) in [(LegId(1), LegId(11)), (LegId(2), LegId(12))] {
        let here = world.open_phone(SERVER, server_leg);
        let there = world.open_phone(PHONES, phone_leg);
        for (engine, leg, to) in [(SERVER, server_leg, &there), (PHONES, phone_leg, &here)] {
            let mut plan = phone_plan(codec, Protection::Plain, to.rtp, to.rtcp);
            agree(plan.audio.as_mut().unwrap());
            world.configure(engine, leg, plan);
        }
        let (leg, bridge) = (server_leg, BridgeId(7));
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    world.engines[PHONES].set_tap(LegId(12), true);
    world
}

fn play(world: &mut World, samples: Arc<[i16]>) {
    world.engines[PHONES].set_clip(Prompt::File, samples);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(PHONES, MediaCommand::Play { leg, prompt });
}

/// Loses 20 % of the RTP towards the server, in bursts of 2 (Gilbert's model), and tells how many packets there were and how
/// many of them were RED.
fn bursty(world: &mut World) -> Rc<RefCell<(u64, u64)>> {
    let seen = Rc::new(RefCell::new((0, 0)));
    let counted = seen.clone();
    let mut chance = StdRng::seed_from_u64(1);
    let mut bad = false;
    world.weather = Box::new(move |_, to, datagram| {
        let payload_type = datagram[1] & 0x7f;
        let to_server = to.ip() == std::net::IpAddr::from([10, 0, 0, SERVER as u8]);
        if !to_server || (64..96).contains(&payload_type) {
            return vec![Duration::from_millis(5)];
        }
        bad = chance.random_bool(if bad { 0.5 } else { 0.125 });
        let mut counts = counted.borrow_mut();
        counts.0 += 1;
        counts.1 += u64::from(payload_type == RED);
        if bad {
            Vec::new()
        } else {
            vec![Duration::from_millis(5)]
        }
    });
    seen
}

#[test]
fn copies_are_sent_when_loss_is_reported_and_stand_in_for_what_is_lost() {
    let mut figures = Vec::new();
    for redundancy in [None, Some(RED)] {
        let mut world = two_phones(AudioCodec::Opus, |plan| plan.redundancy = redundancy);
        play(&mut world, tone(700.0, Duration::from_secs(40)));
        world.run(Duration::from_secs(2));
        let seen = bursty(&mut world);
        // Until reports have told of the loss.
        world.run(Duration::from_secs(15));
        seen.replace((0, 0));
        world.heard.clear();
        world.run(Duration::from_secs(20));
        let (packets, red) = *seen.borrow();
        let (leg, heard) = (LegId(1), world.heard.remove(&LegId(12)).unwrap());
        world.command(SERVER, MediaCommand::Close { leg });
        let sample = world
            .samples
            .iter()
            .find(|s| s.leg == leg && s.last)
            .unwrap();
        let share = share_of_tone(&heard, 700.0);
        let lost = sample.received.packets_lost.unwrap() as f64 / 1_850.0;
        println!(
            "RED {redundancy:?}: {red} of {packets} packets, lost {:.1} %, tone {share:.3}, MOS {:?}",
            lost * 100.0,
            sample.mos
        );
        assert!((0.12..0.24).contains(&lost), "{lost}");
        figures.push((red as f64 / packets as f64, share, sample.mos.unwrap()));
        world.check_books();
    }
    let [(none, bare, bare_mos), (all, share, mos)] = figures[..] else {
        panic!("{figures:?}");
    };
    assert_eq!(none, 0.0);
    assert!(all > 0.95, "{figures:?}");
    assert!(share > 0.9 && share > bare, "{figures:?}");
    // What a copy stood in for is not lost to the ear.
    assert!(mos > bare_mos, "{figures:?}");
}

#[test]
fn without_loss_no_copy_is_sent() {
    let mut world = two_phones(AudioCodec::Opus, |plan| plan.redundancy = Some(RED));
    play(&mut world, tone(700.0, Duration::from_secs(30)));
    let red = Rc::new(RefCell::new(0));
    let counted = red.clone();
    world.weather = Box::new(move |_, _, datagram| {
        *counted.borrow_mut() += u32::from(datagram[1] & 0x7f == RED);
        vec![Duration::from_millis(5)]
    });
    world.run(Duration::from_secs(30));
    assert_eq!(*red.borrow(), 0);
}

#[test]
fn all_who_only_listen_are_sent_the_same_octets_packet_by_packet() {
    // Two speak, eight listen, and two of those answer for a while. What each is sent is kept, by timestamp less the first.
    let mut world = World::new(2);
    let mut ports = Vec::new();
    for n in 0..10_u64 {
        let (server_leg, phone_leg) = (LegId(1 + n), LegId(11 + n));
        let here = world.open_phone(SERVER, server_leg);
        let there = world.open_phone(PHONES, phone_leg);
        ports.push(there.rtp);
        for (engine, leg, to) in [(SERVER, server_leg, &there), (PHONES, phone_leg, &here)] {
            let plan = phone_plan(AudioCodec::Opus, Protection::Plain, to.rtp, to.rtcp);
            world.configure(engine, leg, plan);
        }
        let (leg, bridge) = (server_leg, BridgeId(7));
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    let sent: Rc<RefCell<Vec<Vec<Vec<u8>>>>> = Rc::new(RefCell::new(vec![Vec::new(); 10]));
    let kept = sent.clone();
    world.weather = Box::new(move |_, to, datagram| {
        if let Some(at) = ports.iter().position(|&port| port == to) {
            kept.borrow_mut()[at].push(datagram[12..].to_vec());
        }
        vec![Duration::from_millis(5)]
    });
    world.engines[PHONES].set_clip(Prompt::File, tone(700.0, Duration::from_secs(4)));
    world.engines[PHONES].set_clip(Prompt::Joined, tone(500.0, Duration::from_secs(1)));
    for (leg, prompt) in [
        (11, Prompt::File),
        (12, Prompt::File),
        (13, Prompt::Joined),
        (14, Prompt::Joined),
    ] {
        let leg = LegId(leg);
        world.command(PHONES, MediaCommand::Play { leg, prompt });
    }
    world.run(Duration::from_secs(4));
    let sent = sent.borrow();
    // The six who never spoke: all that they were sent.
    assert!(sent[4].len() >= 198, "{}", sent[4].len());
    for listener in &sent[5..10] {
        assert!(*listener == sent[4]);
    }
    // The two who stopped speaking: from where they are silent again, to the last octet.
    for answerer in &sent[2..4] {
        assert_eq!(answerer.len(), sent[4].len());
        let mut different = (0..answerer.len()).filter(|&n| answerer[n] != sent[4][n]);
        let last = different.next_back().unwrap();
        // One second of speech, one of hanging on, and what its packets need on their way.
        assert!((60..125).contains(&last), "{last}");
    }
    // And whoever speaks hears something else.
    assert!(sent[0] != sent[4] && sent[1] != sent[4]);
}

#[test]
fn silence_is_described_instead_of_sent_and_heard_as_noise() {
    let codec = AudioCodec::Pcma;
    let mut world = two_phones(codec, |plan| plan.comfort_noise = Some(13));
    world.run(Duration::from_secs(2));
    let before = world.engines[SERVER].ledger().sent(Sent::Audio);
    world.heard.clear();
    world.run(Duration::from_secs(20));
    // Once a second to each of two.
    let sent = world.engines[SERVER].ledger().sent(Sent::Audio) - before;
    assert!((38..=44).contains(&sent), "{sent}");
    // The noise of a bridge in which nobody speaks, as its description and our own make it.
    let level = level_of(&world.heard.remove(&LegId(12)).unwrap());
    assert!((66..=71).contains(&level), "{level}");
    play(&mut world, tone(700.0, Duration::from_secs(5)));
    world.run(Duration::from_secs(3));
    let heard = world.heard.remove(&LegId(12)).unwrap();
    assert!(share_of_tone(&heard[24_000..], 700.0) > 0.95);
    world.check_books();
    // Gaps of sequence numbers would have been losses.
    let leg = LegId(1);
    world.command(SERVER, MediaCommand::Close { leg });
    let sample = world
        .samples
        .iter()
        .find(|s| s.leg == leg && s.last)
        .unwrap();
    assert_eq!(sample.received.packets_lost, Some(0));
}

/// Keys as pairs of tones, 80 ms each with 80 ms between.
fn keys(digits: &str) -> Arc<[i16]> {
    let rows = [697.0, 770.0, 852.0, 941.0];
    let columns = [1209.0, 1336.0, 1477.0, 1633.0];
    let mut samples = vec![0_i16; 4_800];
    for digit in digits.chars() {
        let place = "123A456B789C*0#D".find(digit).unwrap();
        for n in 0..3_840 {
            let turn = |hz: f64| (std::f64::consts::TAU * hz * f64::from(n) / 48_000.0).sin();
            let both = turn(rows[place / 4]) + turn(columns[place % 4]);
            samples.push((both * 5_000.0) as i16);
        }
        samples.extend([0; 3_840]);
    }
    samples.into()
}

#[test]
fn keys_as_tones_are_told_once_where_no_events_were_agreed_and_never_where_they_were() {
    const KEYS: &str = "0123456789*#1122";
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        for events in [false, true] {
            let mut world = two_phones(codec, |plan| {
                if !events {
                    plan.telephone_events.clear();
                }
            });
            play(&mut world, keys(KEYS));
            world.run(Duration::from_secs(4));
            let told = world.digits(SERVER, LegId(1));
            assert_eq!(told, if events { "" } else { KEYS }, "{codec:?}");
            // Unheard by anybody, in the lobby, too.
            world.command(SERVER, MediaCommand::Leave { leg: LegId(1) });
            play(&mut world, keys("*7"));
            world.run(Duration::from_secs(1));
            let told = world.digits(SERVER, LegId(1));
            assert!(events || told.ends_with("22*7"), "{codec:?} {told}");
        }
    }
}
