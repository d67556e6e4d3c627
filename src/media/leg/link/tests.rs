//! Under one key no packet index is used twice, whatever signaling does; and no packet is taken twice.
//!
//! Every payload is zeros, so that what leaves is the key stream itself: the same eight octets twice would mean
//! that a key, an SSRC and an index came together twice.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{ExtensionIds, RtcpFeatures, SrtpProfile};

use super::*;

const HERE: SocketId = SocketId(1);
const PAYLOAD: [u8; 16] = [0; 16];

/// A leg's link, and the other side of it: a bare receiver that follows the same agreements.
struct Rig {
    now: Instant,
    random: StdRng,
    link: Link,
    outbox: Outbox,
    profile: SrtpProfile,
    local: SdesKey,
    /// Keys of ours that were in use before.
    before: Vec<SdesKey>,
    plain: bool,
    ssrc: u32,
    /// The next sequence number of every SSRC that was ever ours.
    sequences: HashMap<u32, u16>,
    peer: Unprotector,
    sent: VecDeque<Vec<u8>>,
    streams: Vec<u64>,
    tally: Tally,
}

#[derive(Default, Debug)]
struct Tally {
    packets: u64,
    refused: u64,
    replays: u64,
    rekeyed: u64,
    wraps: u64,
}

impl Rig {
    fn new(profile: SrtpProfile, seed: u8) -> Self {
        let mut random = StdRng::from_seed([seed; 32]);
        let now = Instant::now();
        let credentials = IceCredentials {
            ufrag: "abcd".into(),
            pwd: "x".repeat(24),
        };
        let local = fresh(profile, &mut random);
        let peer = Unprotector::new(&local).unwrap();
        let mut rig = Self {
            now,
            link: Link::pair(HERE, SocketId(2), credentials),
            outbox: Outbox::with_capacity(4),
            profile,
            local,
            before: Vec::new(),
            plain: false,
            ssrc: random.random(),
            sequences: HashMap::new(),
            peer,
            sent: VecDeque::new(),
            streams: Vec::new(),
            tally: Tally::default(),
            random,
        };
        rig.agree(4000);
        rig
    }

    /// A new agreement with the keys as they are, towards a port.
    fn agree(&mut self, port: u16) {
        let protection = if self.plain {
            Protection::Plain
        } else {
            Protection::Sdes {
                local: self.local.clone(),
                remote: vec![fresh(self.profile, &mut self.random)],
            }
        };
        let plan = LegPlan {
            connectivity: Connectivity::Static {
                rtp: Some(SocketAddr::from(([192, 0, 2, 1], port))),
                rtcp: None,
                peer: None,
            },
            protection,
            rtcp_mux: true,
            rtcp: RtcpFeatures::default(),
            audio: None,
            video_receive: Vec::new(),
            video_send: Vec::new(),
            extensions: ExtensionIds::default(),
        };
        if self.link.configure(self.now, &plan).unwrap() == Rekeyed::Yes {
            // What the leg does then.
            self.ssrc = self.random.random();
            self.tally.rekeyed += 1;
        }
    }

    /// Goes on under another key: a fresh one, or one from before.
    fn rekey(&mut self) {
        let old_one = self.random.random_range(0..4) == 0;
        let next = match self.before.iter().rev().take(3).next_back().cloned() {
            Some(before) if old_one && before != self.local => before,
            _ => fresh(self.profile, &mut self.random),
        };
        self.before.push(std::mem::replace(&mut self.local, next));
        self.peer.rekey(std::slice::from_ref(&self.local)).unwrap();
        self.agree(4000);
    }

    fn step(&mut self) {
        match self.random.random_range(0..20_000) {
            0..=4 => self.rekey(),
            // A refresh, a moved port, a hold and its end: the keys stay.
            5..=14 => {
                let port = self.random.random_range(4000..4004);
                self.agree(port);
            }
            // In the clear for a moment, and back under the same key.
            15..=17 => {
                self.plain = true;
                self.agree(4000);
                self.plain = false;
                self.agree(4000);
            }
            // Another stream, or one of those from before.
            18..=60 => {
                let known = self.sequences.keys().copied();
                let known: Vec<u32> = known.take(4).collect();
                let choice = self.random.random_range(0..=known.len());
                self.ssrc = known
                    .get(choice)
                    .copied()
                    .unwrap_or_else(|| self.random.random());
            }
            // The stream jumps ahead, towards its next wrap.
            61..=100 => {
                let jump: u16 = self.random.random_range(1..0x4000);
                let sequence = self.sequences.entry(self.ssrc).or_default();
                self.tally.wraps += u64::from(sequence.checked_add(jump).is_none());
                *sequence = sequence.wrapping_add(jump);
            }
            // A mistake of ours: it begins again from anywhere.
            101..=104 => {
                let anywhere = self.random.random();
                self.sequences.insert(self.ssrc, anywhere);
            }
            _ => self.send(),
        }
    }

    fn send(&mut self) {
        let sequence = self.sequences.entry(self.ssrc).or_default();
        let header = FixedHeader {
            marker: false,
            payload_type: 0,
            sequence: *sequence,
            timestamp: 0,
            ssrc: self.ssrc,
        };
        *sequence = sequence.wrapping_add(1);
        let sent = self.link.send_rtp(&mut self.outbox, &header, &[], &PAYLOAD);
        let Some(len) = sent else {
            self.tally.refused += 1;
            return;
        };
        self.tally.packets += 1;
        let mut packet = [0; 64];
        for (_, _, bytes) in self.outbox.iter() {
            packet[..len].copy_from_slice(bytes);
        }
        self.outbox.clear();
        let packet = &mut packet[..len];
        let sealed = packet.to_vec();
        self.streams
            .push(u64::from_be_bytes(packet[12..20].try_into().unwrap()));
        let opened = self.peer.unprotect_rtp(packet);
        // A stream that jumped back by our mistake may be one that the other side cannot place.
        if opened.is_ok() {
            assert_eq!(packet[12..28], PAYLOAD);
        }
        self.replay(sealed);
    }

    /// One packet in sixteen comes twice, some of them much later and after new keys.
    fn replay(&mut self, sealed: Vec<u8>) {
        self.sent.push_back(sealed);
        if self.sent.len() > 600 {
            self.sent.pop_front();
        }
        if self.random.random_range(0..16) == 0 {
            let at = self.random.random_range(0..self.sent.len());
            let mut again = self.sent[at].clone();
            assert!(self.peer.unprotect_rtp(&mut again).is_err(), "replayed");
            self.tally.replays += 1;
        }
    }
}

fn fresh(profile: SrtpProfile, random: &mut StdRng) -> SdesKey {
    let mut key_salt = vec![0; profile.key_len() + profile.salt_len()];
    random.fill(key_salt.as_mut_slice());
    SdesKey::new(profile, key_salt)
}

/// Sends so many packets through holds, changed addresses, changed keys, changed SSRCs and wraps.
fn nothing_is_used_twice(profile: SrtpProfile, packets: u64, seed: u8) -> Tally {
    let mut rig = Rig::new(profile, seed);
    while rig.tally.packets < packets {
        rig.step();
        rig.now += Duration::from_millis(20);
    }
    rig.streams.sort_unstable();
    let before = rig.streams.len();
    rig.streams.dedup();
    assert_eq!(rig.streams.len(), before, "a key stream was used twice");
    rig.tally
}

#[test]
fn no_key_ssrc_and_index_come_together_twice_and_no_replay_is_taken() {
    for (seed, profile) in (1..).zip(SrtpProfile::ALL) {
        let tally = nothing_is_used_twice(profile, 60_000, seed);
        assert!(
            tally.rekeyed > 3 && tally.wraps > 3 && tally.replays > 3000,
            "{profile:?} {tally:?}"
        );
    }
}

#[test]
fn ten_million_packets_use_no_key_ssrc_and_index_twice() {
    for (seed, profile) in [
        (71, SrtpProfile::AesCm128HmacSha1_80),
        (72, SrtpProfile::AeadAes256Gcm),
    ] {
        let tally = nothing_is_used_twice(profile, 5_000_000, seed);
        assert!(tally.rekeyed > 300 && tally.wraps > 300 && tally.replays > 300_000);
    }
}

#[test]
fn a_key_that_stays_goes_on_and_a_new_one_says_so() {
    let mut rig = Rig::new(SrtpProfile::AeadAes128Gcm, 1);
    let ssrc = rig.ssrc;
    rig.agree(4001);
    assert_eq!(rig.ssrc, ssrc);
    rig.local = fresh(rig.profile, &mut rig.random);
    rig.agree(4001);
    assert_ne!(rig.ssrc, ssrc);
}
