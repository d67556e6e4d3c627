//! SRTP and SRTCP packets.

use media::guard::{GuardError, Unprotector};
use wire::plan::{SdesKey, SrtpProfile};
use wire::rtp::Header;

/// The first octet chooses transform and kind, the rest is the packet: no panic; what is accepted is shorter,
/// well-formed, and not accepted twice.
pub fn srtp_unprotect(data: &[u8]) {
    let Some((choice, packet)) = data.split_first() else {
        return;
    };
    // The keys of libsrtp's own test packets, which are among the seeds.
    let (profile, octets): (_, Vec<u8>) = match choice & 3 {
        0 => (
            SrtpProfile::AesCm128HmacSha1_80,
            vec![
                0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde,
                0x41, 0x39, 0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a,
                0xab, 0xe6,
            ],
        ),
        1 => (
            SrtpProfile::AeadAes128Gcm,
            (0..16).chain(0xa0..=0xab).collect(),
        ),
        2 => (
            SrtpProfile::AeadAes256Gcm,
            (0..32).chain(0xa0..=0xab).collect(),
        ),
        _ => (SrtpProfile::AesCm256HmacSha1_32, (0..46).collect()),
    };
    let key = SdesKey::new(profile, octets);
    let mut unprotector = Unprotector::new(&key).unwrap_or_else(|e| panic!("{e}"));
    let rtcp = choice & 4 != 0;
    let mut open = |bytes: &mut [u8]| {
        if rtcp {
            unprotector.unprotect_rtcp(bytes)
        } else {
            unprotector.unprotect_rtp(bytes)
        }
    };
    let mut first = packet.to_vec();
    let Ok(len) = open(&mut first) else {
        assert_eq!(unprotector.streams(), 0);
        return;
    };
    assert!(len < packet.len());
    assert!(rtcp || Header::parse(&first[..len]).is_ok());
    assert_eq!(open(&mut packet.to_vec()), Err(GuardError::Replay));
}
