//! Garbage on every socket, and a call that does not notice.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use wire::plan::{AudioCodec, BridgeId, LegId, MediaCommand, Prompt, Protection, SrtpProfile};

use super::audio::connect;
use super::browser::{Browser, SERVER};
use super::net::{World, phone_plan, sdes, share_of_tone, tone};

/// A server with a plain phone, a protected phone, a browser and two unfinished legs; and every address on which
/// it listens.
fn busy() -> (World, Vec<SocketAddr>) {
    let mut world = World::new(2);
    let shared = world.bind(SERVER);
    let plain = (Protection::Plain, Protection::Plain);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    let keys = sdes(SrtpProfile::AeadAes128Gcm, 1);
    connect(&mut world, LegId(2), LegId(12), AudioCodec::Opus, keys);
    let mut browser = Browser::new(&mut world, LegId(3), shared, Default::default());
    browser.connect(&mut world);
    let bridge = BridgeId(1);
    for leg in [LegId(1), LegId(2), LegId(3)] {
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    let idle = world.open_phone(SERVER, LegId(4));
    let waiting = world.open_phone(SERVER, LegId(5));
    let mut plan = phone_plan(AudioCodec::G722, Protection::Plain, idle.rtp, None);
    plan.connectivity = wire::plan::Connectivity::Static {
        rtp: None,
        rtcp: None,
        peer: None,
    };
    world.configure(SERVER, LegId(5), plan);
    world.run(Duration::from_millis(200));
    let mut addresses = vec![shared.1, idle.rtp, idle.rtcp.unwrap(), waiting.rtp];
    // The first two phones have the ports after the shared one.
    addresses.extend((0..8).map(|n| SocketAddr::from(([10, 0, 0, 0], 10_001 + n))));
    (world, addresses)
}

fn strange_octets() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(0x00_u8),
        Just(0x01),
        Just(0x14),
        Just(0x16),
        Just(0x80),
        Just(0x90),
        Just(0xbf),
        any::<u8>()
    ];
    let second = prop_oneof![
        Just(0_u8),
        Just(111),
        Just(101),
        Just(200),
        Just(201),
        Just(206),
        any::<u8>()
    ];
    let rest = proptest::collection::vec(any::<u8>(), 0..400);
    (first, second, rest).prop_map(|(first, second, mut rest)| {
        rest.splice(0..0, [first, second]);
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_octets_on_any_socket_from_any_sender_are_accounted_for_without_panic(
        datagrams in proptest::collection::vec((strange_octets(), any::<u8>(), any::<u8>()), 0..200)
    ) {
        let (mut world, addresses) = busy();
        let senders = [
            SocketAddr::from(([203, 0, 113, 9], 666)),
            SocketAddr::from(([192, 0, 2, 3], 50_000)),
            SocketAddr::from(([10, 0, 0, 1], 10_003)),
        ];
        for (octets, to, from) in datagrams {
            let to = addresses[usize::from(to) % addresses.len()];
            let from = senders[usize::from(from) % senders.len()];
            world.inject(from, to, &octets);
            world.run(Duration::from_millis(3));
        }
        world.run(Duration::from_millis(100));
        world.check_books();
    }
}

#[test]
fn a_protected_call_does_not_notice_a_flood_from_strangers() {
    let (mut world, addresses) = busy();
    world.engines[1].set_clip(Prompt::File, tone(700.0, Duration::from_secs(10)));
    world.engines[1].set_tap(LegId(12), true);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(1, MediaCommand::Play { leg, prompt });
    let stranger = SocketAddr::from(([203, 0, 113, 9], 666));
    for n in 0..3000_u32 {
        let mut packet = vec![0x80, if n % 2 == 0 { 0 } else { 111 }];
        packet.extend((n as u16).to_be_bytes());
        packet.resize(172, n as u8);
        let to = addresses[n as usize % addresses.len()];
        world.inject(stranger, to, &packet);
        world.run(Duration::from_millis(1));
    }
    world.check_books();
    let heard = &world.heard[&LegId(12)];
    assert!(share_of_tone(&heard[48_000..], 700.0) > 0.95);
}
