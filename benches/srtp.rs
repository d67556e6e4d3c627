//! What protecting one packet costs, beside a bare copy and beside the cipher alone.
//!
//! `cargo bench -p campanile-media --bench srtp`. A G.711 packet of 20 ms has 172 octets, a full video packet about
//! 1200. Every figure is for one packet; the allocation columns must show none.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use media::guard::{MAX_TRAILER, Protector, Unprotector};
use wire::plan::{SdesKey, SrtpProfile};
use wire::rtp::{FixedHeader, RtpMut};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Octets of the largest packet with its trailer.
const ROOM: usize = 1200 + MAX_TRAILER;
const SIZES: [usize; 2] = [172, 1200];

#[derive(Clone, Copy)]
struct Case {
    profile: SrtpProfile,
    size: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.profile.suite_name(), self.size)
    }
}

fn cases() -> Vec<Case> {
    let profiles = [
        SrtpProfile::AesCm128HmacSha1_80,
        SrtpProfile::AeadAes128Gcm,
        SrtpProfile::AeadAes256Gcm,
    ];
    let each = |profile| SIZES.map(|size| Case { profile, size });
    profiles.into_iter().flat_map(each).collect()
}

fn key(profile: SrtpProfile) -> SdesKey {
    SdesKey::new(profile, vec![7; profile.key_len() + profile.salt_len()])
}

fn packet(size: usize) -> [u8; ROOM] {
    let header = FixedHeader {
        marker: false,
        payload_type: 0,
        sequence: 0,
        timestamp: 0,
        ssrc: 0x1234_5678,
    };
    let mut packet = [0x55; ROOM];
    let len = header.write(&mut packet, &[]).expect("room for a header");
    assert!(len < size);
    packet
}

/// Gives a packet its number, as every forwarded packet gets one.
fn number(packet: &mut [u8], sequence: u16) {
    RtpMut::new(packet)
        .expect("an RTP packet")
        .set_sequence(sequence);
}

#[divan::bench(args = cases())]
fn protect(bencher: Bencher<'_, '_>, case: Case) {
    let mut protector = Protector::new(&key(case.profile)).expect("a key");
    let plain = packet(case.size);
    let mut buf = plain;
    let mut sequence = 0u16;
    bencher.counter(BytesCount::new(case.size)).bench_local(|| {
        buf[..case.size].copy_from_slice(&plain[..case.size]);
        number(&mut buf[..case.size], sequence);
        sequence = sequence.wrapping_add(1);
        protector.protect_rtp(black_box(&mut buf), case.size)
    });
}

#[divan::bench(args = cases())]
fn unprotect(bencher: Bencher<'_, '_>, case: Case) {
    let mut protector = Protector::new(&key(case.profile)).expect("a key");
    let mut unprotector = Unprotector::new(&key(case.profile)).expect("a key");
    let plain = packet(case.size);
    let mut sequence = 0u16;
    bencher
        .counter(BytesCount::new(case.size))
        .with_inputs(|| {
            let mut buf = plain;
            number(&mut buf[..case.size], sequence);
            sequence = sequence.wrapping_add(1);
            let len = protector.protect_rtp(&mut buf, case.size).expect("room");
            (buf, len)
        })
        .bench_local_refs(|(buf, len)| {
            let opened = unprotector.unprotect_rtp(&mut buf[..*len]);
            assert!(opened.is_ok());
        });
}

/// The bare loop: what remains of `protect` without protection.
#[divan::bench(args = SIZES)]
fn copy_and_number(bencher: Bencher<'_, '_>, size: usize) {
    let plain = packet(size);
    let mut buf = plain;
    let mut sequence = 0u16;
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        buf[..size].copy_from_slice(&plain[..size]);
        number(&mut buf[..size], sequence);
        sequence = sequence.wrapping_add(1);
        black_box(&mut buf);
    });
}

/// The cipher alone: what the library's AES-128-GCM takes for the same octets.
#[divan::bench(args = SIZES)]
fn bare_aes_128_gcm(bencher: Bencher<'_, '_>, size: usize) {
    let unbound = UnboundKey::new(&AES_128_GCM, &[7; 16]).expect("a key");
    let sealing = LessSafeKey::new(unbound);
    let mut buf = packet(size);
    let mut count = 0u64;
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_be_bytes());
        count += 1;
        let (head, payload) = black_box(&mut buf)[..size].split_at_mut(12);
        let nonce = Nonce::assume_unique_for_key(nonce);
        sealing.seal_in_place_separate_tag(nonce, Aad::from(&head[..]), payload)
    });
}
