//! Both sides against each other, and against who would harm them.

use proptest::prelude::*;
use wire::plan::{Mki, SdesKey, SrtpProfile};
use wire::rtp::FixedHeader;

use super::streams::MAX_SENT_SSRCS;
use super::*;

const PROFILES: [SrtpProfile; 6] = SrtpProfile::ALL;

fn key(profile: SrtpProfile, seed: u8) -> SdesKey {
    let len = profile.key_len() + profile.salt_len();
    SdesKey::new(profile, (0..len).map(|i| i as u8 ^ seed).collect())
}

fn pair(profile: SrtpProfile) -> (Protector, Unprotector) {
    let key = key(profile, 7);
    (
        Protector::new(&key).unwrap(),
        Unprotector::new(&key).unwrap(),
    )
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = FixedHeader {
        marker: false,
        payload_type: 111,
        sequence,
        timestamp: 960,
        ssrc,
    };
    let mut packet = vec![0u8; 64];
    let len = header.write(&mut packet, &[(1, &[5])]).unwrap();
    packet.truncate(len);
    packet.extend_from_slice(payload);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0u8; 64];
    let mut writer = wire::rtcp::Writer::new(&mut packet);
    writer.receiver_report(ssrc, &[]).unwrap();
    writer.cname(ssrc, "name").unwrap();
    let len = writer.len();
    packet.truncate(len);
    packet
}

fn protected(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_TRAILER, 0xaa);
    let len = protector.protect_rtp(&mut buf, packet.len()).unwrap();
    buf.truncate(len);
    buf
}

fn protected_rtcp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_TRAILER, 0xaa);
    let len = protector.protect_rtcp(&mut buf, packet.len()).unwrap();
    buf.truncate(len);
    buf
}

fn open(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, GuardError> {
    let mut copy = packet.to_vec();
    let len = unprotector.unprotect_rtp(&mut copy)?;
    Ok(copy[..len].to_vec())
}

fn open_rtcp(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, GuardError> {
    let mut copy = packet.to_vec();
    let len = unprotector.unprotect_rtcp(&mut copy)?;
    Ok(copy[..len].to_vec())
}

#[test]
fn the_header_stays_clear_and_the_payload_does_not() {
    for profile in PROFILES {
        let (mut protector, _) = pair(profile);
        let plain = rtp(1, 1, b"a payload to be hidden");
        let sealed = protected(&mut protector, &plain);
        let head = plain.len() - 22;
        assert_eq!(sealed[..head], plain[..head]);
        assert_ne!(sealed[head..plain.len()], plain[head..]);
    }
}

#[test]
fn the_same_packet_twice_is_a_replay() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile);
        let sealed = protected(&mut protector, &rtp(1, 1, b"x"));
        open(&mut unprotector, &sealed).unwrap();
        assert_eq!(open(&mut unprotector, &sealed), Err(GuardError::Replay));
        let sealed = protected_rtcp(&mut protector, &rtcp(1));
        open_rtcp(&mut unprotector, &sealed).unwrap();
        assert_eq!(
            open_rtcp(&mut unprotector, &sealed),
            Err(GuardError::Replay)
        );
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_leaves_no_trace() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile);
        let sealed = protected(&mut protector, &rtp(1, 1, b"payload"));
        let report = protected_rtcp(&mut protector, &rtcp(1));
        for at in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[at / 8] ^= 1 << (at % 8);
            assert!(open(&mut unprotector, &forged).is_err(), "{profile:?} {at}");
        }
        for at in 0..report.len() * 8 {
            let mut forged = report.clone();
            forged[at / 8] ^= 1 << (at % 8);
            let opened = open_rtcp(&mut unprotector, &forged);
            assert!(opened.is_err(), "{profile:?} {at}");
        }
        assert_eq!(unprotector.streams(), 0);
        assert!(open(&mut unprotector, &sealed).is_ok());
        assert!(open_rtcp(&mut unprotector, &report).is_ok());
    }
}

#[test]
fn every_cut_is_refused() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile);
        let sealed = protected(&mut protector, &rtp(1, 1, b""));
        let report = protected_rtcp(&mut protector, &rtcp(1));
        for len in 0..sealed.len() {
            assert!(open(&mut unprotector, &sealed[..len]).is_err());
        }
        for len in 0..report.len() {
            assert!(open_rtcp(&mut unprotector, &report[..len]).is_err());
        }
        assert_eq!(
            open(&mut unprotector, &sealed[..sealed.len() - 1]),
            Err(GuardError::TooShort)
        );
        assert!(open(&mut unprotector, &sealed).is_ok());
    }
}

#[test]
fn another_key_opens_nothing() {
    for profile in PROFILES {
        let (mut protector, _) = pair(profile);
        let mut stranger = Unprotector::new(&key(profile, 8)).unwrap();
        let sealed = protected(&mut protector, &rtp(1, 1, b"x"));
        assert_eq!(open(&mut stranger, &sealed), Err(GuardError::Auth));
        let sealed = protected_rtcp(&mut protector, &rtcp(1));
        assert_eq!(open_rtcp(&mut stranger, &sealed), Err(GuardError::Auth));
    }
}

#[test]
fn the_rollover_counter_follows_the_sequence_across_loss_and_disorder() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile);
        // Three rollovers in steps that lose much; each step also comes with a late neighbour.
        let mut sent = Vec::new();
        for step in 0..40u32 {
            let sequence = (100 + step * 5003) as u16;
            sent.push(protected(&mut protector, &rtp(1, sequence, b"early")));
            sent.push(protected(
                &mut protector,
                &rtp(1, sequence.wrapping_add(9), b"late"),
            ));
        }
        for two in sent.chunks(2) {
            assert!(open(&mut unprotector, &two[1]).is_ok());
            assert!(open(&mut unprotector, &two[0]).is_ok());
        }
    }
}

#[test]
fn an_index_is_not_sent_twice() {
    for profile in PROFILES {
        let (mut protector, _) = pair(profile);
        protected(&mut protector, &rtp(1, 9, b"x"));
        let packet = rtp(1, 9, b"y");
        let mut buf = [packet.clone(), vec![0; MAX_TRAILER]].concat();
        assert_eq!(
            protector.protect_rtp(&mut buf, packet.len()),
            Err(GuardError::Replay)
        );
    }
}

#[test]
fn a_packet_without_room_is_not_counted_as_sent() {
    for profile in PROFILES {
        let (mut protector, _) = pair(profile);
        let mut packet = rtp(1, 9, b"y");
        let len = packet.len();
        assert_eq!(
            protector.protect_rtp(&mut packet, len),
            Err(GuardError::NoRoom)
        );
        let mut report = rtcp(1);
        let len = report.len();
        assert_eq!(
            protector.protect_rtcp(&mut report, len),
            Err(GuardError::NoRoom)
        );
        protected(&mut protector, &packet);
    }
}

#[test]
fn streams_under_one_key_are_bounded() {
    for profile in PROFILES {
        let (mut protector, mut unprotector) = pair(profile);
        let most = u32::try_from(MAX_SSRCS).unwrap();
        for ssrc in 0..most {
            let sealed = protected(&mut protector, &rtp(ssrc, 1, b"x"));
            open(&mut unprotector, &sealed).unwrap();
        }
        let packet = rtp(most, 1, b"x");
        let mut other = Protector::new(&key(profile, 7)).unwrap();
        let sealed = protected(&mut other, &packet);
        assert_eq!(
            open(&mut unprotector, &sealed),
            Err(GuardError::TooManySsrcs)
        );
        let sealed = protected(&mut protector, &rtp(0, 2, b"x"));
        assert!(open(&mut unprotector, &sealed).is_ok());
        for ssrc in most..u32::try_from(MAX_SENT_SSRCS).unwrap() {
            protected(&mut protector, &rtp(ssrc, 1, b"x"));
        }
        let packet = rtp(u32::MAX, 1, b"x");
        let mut buf = [packet.clone(), vec![0; MAX_TRAILER]].concat();
        assert_eq!(
            protector.protect_rtp(&mut buf, packet.len()),
            Err(GuardError::TooManySsrcs)
        );
    }
}

#[test]
fn the_last_rtcp_index_is_followed_by_none() {
    for profile in PROFILES {
        let (mut protector, _) = pair(profile);
        protector.rtcp.mark(1, (1 << 31) - 2).unwrap();
        protected_rtcp(&mut protector, &rtcp(1));
        let packet = rtcp(1);
        let mut buf = [packet.clone(), vec![0; MAX_TRAILER]].concat();
        assert_eq!(
            protector.protect_rtcp(&mut buf, packet.len()),
            Err(GuardError::IndexExhausted)
        );
    }
}

#[test]
fn keys_of_a_wrong_length_are_refused() {
    for profile in PROFILES {
        let mut wrong = key(profile, 1);
        wrong.key_salt.pop();
        assert_eq!(Protector::new(&wrong).err(), Some(GuardError::KeyLength));
        assert_eq!(Unprotector::new(&wrong).err(), Some(GuardError::KeyLength));
    }
}

/// A key with an identifier of so many octets.
fn named(profile: SrtpProfile, seed: u8, value: u64, length: u8) -> SdesKey {
    SdesKey {
        mki: Some(Mki { value, length }),
        ..key(profile, seed)
    }
}

#[test]
fn an_identifier_stands_where_the_rfcs_put_it() {
    // RFC 3711 §3.1, §3.4: before the tag. RFC 7714 §8.2, §9.2: last, as the tag belongs to the ciphertext.
    let name = [0, 0, 0xab, 0xcd];
    for profile in PROFILES {
        let mut with = Protector::new(&named(profile, 7, 0xabcd, 4)).unwrap();
        let (mut without, _) = pair(profile);
        let insert = |packet: &[u8], tag: usize| {
            let at = match profile {
                SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => packet.len(),
                _ => packet.len() - tag,
            };
            [&packet[..at], &name, &packet[at..]].concat()
        };
        let tag = match profile {
            SrtpProfile::AesCm128HmacSha1_32 | SrtpProfile::AesCm256HmacSha1_32 => 4,
            _ => 10,
        };
        let plain = rtp(1, 1, b"payload");
        assert_eq!(
            protected(&mut with, &plain),
            insert(&protected(&mut without, &plain), tag)
        );
        let plain = rtcp(1);
        assert_eq!(
            protected_rtcp(&mut with, &plain),
            insert(&protected_rtcp(&mut without, &plain), 10)
        );
    }
}

#[test]
fn of_several_keys_the_one_that_the_packet_names_opens_it() {
    for profile in PROFILES {
        let keys = [named(profile, 1, 1, 2), named(profile, 2, 2, 2)];
        let mut unprotector = Unprotector::with_keys(&keys).unwrap();
        let mut first = Protector::new(&keys[0]).unwrap();
        let mut second = Protector::new(&keys[1]).unwrap();
        for (sequence, protector) in [(1, &mut first), (2, &mut second)] {
            let plain = rtp(1, sequence, b"x");
            let sealed = protected(protector, &plain);
            assert_eq!(open(&mut unprotector, &sealed), Ok(plain));
        }
        let mut stranger = Protector::new(&named(profile, 1, 3, 2)).unwrap();
        let sealed = protected(&mut stranger, &rtp(1, 3, b"x"));
        assert_eq!(open(&mut unprotector, &sealed), Err(GuardError::UnknownKey));
        let sealed = protected_rtcp(&mut stranger, &rtcp(1));
        assert_eq!(
            open_rtcp(&mut unprotector, &sealed),
            Err(GuardError::UnknownKey)
        );
    }
}

#[test]
fn keys_that_packets_could_not_tell_apart_are_refused() {
    let profile = SrtpProfile::AesCm128HmacSha1_80;
    let twins = [named(profile, 1, 1, 2), named(profile, 2, 1, 2)];
    let lengths = [named(profile, 1, 1, 2), named(profile, 2, 2, 1)];
    let bare = [key(profile, 1), key(profile, 2)];
    let mixed = [
        named(profile, 1, 1, 2),
        named(SrtpProfile::AeadAes128Gcm, 2, 2, 2),
    ];
    let long = [named(profile, 1, 1, 17)];
    for keys in [&twins[..], &lengths, &bare, &mixed, &long, &[]] {
        assert_eq!(
            Unprotector::with_keys(keys).err(),
            Some(GuardError::KeyLength)
        );
    }
}

#[test]
fn a_key_protects_and_opens_no_more_packets_than_its_lifetime() {
    for profile in PROFILES {
        let short = SdesKey {
            lifetime: Some(3),
            ..key(profile, 7)
        };
        let (mut endless, _) = pair(profile);
        let mut protector = Protector::new(&short).unwrap();
        let mut unprotector = Unprotector::new(&short).unwrap();
        for sequence in 1..=3 {
            let plain = rtp(1, sequence, b"x");
            let sealed = protected(&mut endless, &plain);
            assert_eq!(protected(&mut protector, &plain), sealed);
            assert_eq!(open(&mut unprotector, &sealed), Ok(plain));
        }
        let plain = rtp(1, 4, b"x");
        let sealed = protected(&mut endless, &plain);
        assert_eq!(
            open(&mut unprotector, &sealed),
            Err(GuardError::IndexExhausted)
        );
        let mut buf = [plain.clone(), vec![0; MAX_TRAILER]].concat();
        assert_eq!(
            protector.protect_rtp(&mut buf, plain.len()),
            Err(GuardError::IndexExhausted)
        );
    }
}

/// A sender of `keys`' first key whose stream 1 has wrapped once: its next packets have rollover counter 1.
fn wrapped(key: &SdesKey) -> Protector {
    let mut protector = Protector::new(key).unwrap();
    for sequence in [0x7000, 0xe000, 0x10] {
        protected(&mut protector, &rtp(1, sequence, b"early"));
    }
    protector
}

#[test]
fn after_new_keys_the_rollover_counter_may_go_on_or_begin_anew() {
    for profile in PROFILES {
        for goes_on in [true, false] {
            let (old, new) = (key(profile, 1), key(profile, 2));
            let mut before = Protector::new(&old).unwrap();
            let mut unprotector = Unprotector::new(&old).unwrap();
            for sequence in [0x7000, 0xe000, 0x10] {
                let sealed = protected(&mut before, &rtp(1, sequence, b"x"));
                open(&mut unprotector, &sealed).unwrap();
            }
            unprotector.rekey(std::slice::from_ref(&new)).unwrap();
            let mut after = if goes_on {
                wrapped(&new)
            } else {
                Protector::new(&new).unwrap()
            };
            for sequence in 0x11..0x11 + 600 {
                let plain = rtp(1, sequence, b"y");
                let sealed = protected(&mut after, &plain);
                assert_eq!(open(&mut unprotector, &sealed), Ok(plain), "{sequence}");
                assert!(open(&mut unprotector, &sealed).is_err(), "replayed");
            }
        }
    }
}

#[test]
fn packets_under_the_old_keys_are_taken_until_the_new_ones_have_settled() {
    for profile in PROFILES {
        let (old, new) = (key(profile, 1), key(profile, 2));
        let mut before = Protector::new(&old).unwrap();
        let mut after = Protector::new(&new).unwrap();
        let mut unprotector = Unprotector::new(&old).unwrap();
        let first = protected(&mut before, &rtp(1, 1, b"x"));
        open(&mut unprotector, &first).unwrap();
        let late = protected(&mut before, &rtp(1, 2, b"late"));
        let later = protected(&mut before, &rtp(1, 3, b"later"));
        let report = protected_rtcp(&mut before, &rtcp(1));
        unprotector.rekey(std::slice::from_ref(&new)).unwrap();
        let next = protected(&mut after, &rtp(1, 4, b"y"));
        open(&mut unprotector, &next).unwrap();
        assert!(open(&mut unprotector, &late).is_ok());
        assert!(open_rtcp(&mut unprotector, &report).is_ok());
        for packet in [&first, &late, &next] {
            assert!(open(&mut unprotector, packet).is_err(), "replayed");
        }
        assert!(open_rtcp(&mut unprotector, &report).is_err(), "replayed");
        for sequence in 5..300 {
            let sealed = protected(&mut after, &rtp(1, sequence, b"y"));
            open(&mut unprotector, &sealed).unwrap();
        }
        assert_eq!(open(&mut unprotector, &later), Err(GuardError::Auth));
    }
}

#[test]
fn keys_that_come_back_find_their_rollover_counters_and_replays_are_still_known() {
    for profile in PROFILES {
        let (first, second) = (key(profile, 1), key(profile, 2));
        let mut sender = Protector::new(&first).unwrap();
        let mut unprotector = Unprotector::new(&first).unwrap();
        let mut sent = Vec::new();
        for sequence in [0x7000, 0xe000, 0x10] {
            sent.push(protected(&mut sender, &rtp(1, sequence, b"x")));
            open(&mut unprotector, sent.last().unwrap()).unwrap();
        }
        unprotector.rekey(std::slice::from_ref(&second)).unwrap();
        unprotector.rekey(std::slice::from_ref(&first)).unwrap();
        for packet in &sent {
            assert!(open(&mut unprotector, packet).is_err(), "replayed");
        }
        let sealed = protected(&mut sender, &rtp(1, 0x11, b"x"));
        assert!(open(&mut unprotector, &sealed).is_ok());
    }
}

#[test]
fn new_keys_of_another_profile_are_taken_too() {
    for (old, new) in PROFILES
        .into_iter()
        .zip(PROFILES.into_iter().cycle().skip(1))
    {
        let (old, new) = (key(old, 1), key(new, 2));
        let mut unprotector = Unprotector::new(&old).unwrap();
        let mut before = Protector::new(&old).unwrap();
        let mut after = Protector::new(&new).unwrap();
        unprotector.rekey(std::slice::from_ref(&new)).unwrap();
        for (protector, sequence) in [(&mut after, 9), (&mut before, 8)] {
            let plain = rtp(1, sequence, b"x");
            let sealed = protected(protector, &plain);
            assert_eq!(open(&mut unprotector, &sealed), Ok(plain));
        }
    }
}

#[test]
fn neither_side_shows_its_keys() {
    let (protector, unprotector) = pair(SrtpProfile::AeadAes128Gcm);
    assert_eq!(format!("{protector:?}"), "Protector { streams: 0 }");
    assert_eq!(format!("{unprotector:?}"), "Unprotector { streams: 0 }");
}

proptest! {
    #[test]
    fn what_is_protected_is_opened_again(
        payload in prop::collection::vec(any::<u8>(), 0..1300), sequence in any::<u16>(), ssrc in any::<u32>()
    ) {
        for profile in PROFILES {
            let (mut protector, mut unprotector) = pair(profile);
            let plain = rtp(ssrc, sequence, &payload);
            let sealed = protected(&mut protector, &plain);
            prop_assert_eq!(open(&mut unprotector, &sealed), Ok(plain));
            let plain = rtcp(ssrc);
            let sealed = protected_rtcp(&mut protector, &plain);
            prop_assert_eq!(open_rtcp(&mut unprotector, &sealed), Ok(plain));
        }
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for profile in PROFILES {
            let (_, mut unprotector) = pair(profile);
            prop_assert!(open(&mut unprotector, &bytes).is_err());
            prop_assert!(open_rtcp(&mut unprotector, &bytes).is_err());
        }
    }
}
