//! Published vectors: RFC 3711 appendix B, RFC 6188 §7, RFC 7714 §16 and §17, and libsrtp's reference packets.

use wire::plan::{SdesKey, SrtpProfile};

use super::cm::{CmKeys, TAG};
use super::gcm::GcmKeys;
use super::keys::{Derivation, Label};
use super::master::Session;
use super::{Protector, Unprotector};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

fn key(profile: SrtpProfile, text: &str) -> SdesKey {
    SdesKey::new(profile, hex(text))
}

fn protect_rtp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + super::MAX_TRAILER, 0);
    let len = protector.protect_rtp(&mut buf, packet.len()).unwrap();
    buf.truncate(len);
    buf
}

fn protect_rtcp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + super::MAX_TRAILER, 0);
    let len = protector.protect_rtcp(&mut buf, packet.len()).unwrap();
    buf.truncate(len);
    buf
}

/// Both RFCs show the blocks 0 to 2 and 0xfeff to 0xff01 of SSRC 0 and index 0.
fn keystream_is(session_key: &str, first: &str, last: &str) {
    let salt = array("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    let keys = CmKeys::from_session(&hex(session_key), &salt, &[0; 20], TAG).unwrap();
    let mut stream = vec![0u8; 16 * 0xff02];
    keys.apply(0, 0, &mut stream);
    assert_eq!(stream[..48], hex(first));
    assert_eq!(stream[16 * 0xfeff..], hex(last));
}

#[test]
fn counter_mode_keystream_is_that_of_rfc_3711_b_2() {
    keystream_is(
        "2B7E151628AED2A6ABF7158809CF4F3C",
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
         41E95B3BB0A2E8DD477901E4FCA894C0",
        "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
         6A2CC3787889374FBEB4C81B17BA6C44",
    );
}

#[test]
fn counter_mode_keystream_of_256_bit_keys_is_that_of_rfc_6188() {
    keystream_is(
        "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
        "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac
         63c4868b7096d88421b563b8c94c9a31",
        "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d
         6eb246913062a16891433e97dd01a57f",
    );
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3() {
    let derivation = Derivation::new(
        &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        &hex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    .unwrap();
    let label = Label::RTP;
    assert_eq!(
        derivation.derive::<16>(label.cipher),
        array("C61E7A93744F39EE10734AFE3FF7A087")
    );
    assert_eq!(
        derivation.derive::<14>(label.salt),
        array("30CBBC08863D8C85D49DB34A9AE1")
    );
    assert_eq!(
        derivation.derive::<94>(label.auth),
        array(
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE
             E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25
             6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
        )
    );
}

#[test]
fn session_keys_from_a_256_bit_key_are_those_of_rfc_6188() {
    let derivation = Derivation::new(
        &hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
        &hex("3b04803de51ee7c96423ab5b78d2"),
    )
    .unwrap();
    let label = Label::RTP;
    assert_eq!(
        derivation.derive::<32>(label.cipher),
        array("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
    );
    assert_eq!(
        derivation.derive::<14>(label.salt),
        array("fa31791685ca444a9e07c6c64e93")
    );
    assert_eq!(
        derivation.derive::<20>(label.auth),
        array("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
    );
}

/// A packet that libsrtp's own test protects with each transform.
const LIBSRTP_RTP: &str = "800f1234decafbadcafebabeabababababababababababababababab";
const LIBSRTP_RTCP: &str = "81c8000bcafebabeabababababababababababababababab";

fn agrees_with_libsrtp(key: &SdesKey, srtp: &str, srtcp: &str) {
    let mut protector = Protector::new(key).unwrap();
    assert_eq!(protect_rtp(&mut protector, &hex(LIBSRTP_RTP)), hex(srtp));
    // Its first index is 1, ours 0.
    protect_rtcp(&mut protector, &hex(LIBSRTP_RTCP));
    assert_eq!(protect_rtcp(&mut protector, &hex(LIBSRTP_RTCP)), hex(srtcp));
    let mut unprotector = Unprotector::new(key).unwrap();
    let mut packet = hex(srtp);
    let len = unprotector.unprotect_rtp(&mut packet).unwrap();
    assert_eq!(packet[..len], hex(LIBSRTP_RTP));
    let mut packet = hex(srtcp);
    let len = unprotector.unprotect_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..len], hex(LIBSRTP_RTCP));
}

#[test]
fn counter_mode_packets_agree_with_libsrtp() {
    agrees_with_libsrtp(
        &key(
            SrtpProfile::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
        ),
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
    );
}

#[test]
fn counter_mode_packets_of_256_bit_keys_agree_with_libsrtp() {
    let key = key(
        SrtpProfile::AesCm256HmacSha1_80,
        "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6
         3b04803de51ee7c96423ab5b78d2",
    );
    let srtp = hex("800f1234decafbadcafebabe f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b");
    let mut protector = Protector::new(&key).unwrap();
    assert_eq!(protect_rtp(&mut protector, &hex(LIBSRTP_RTP)), srtp);
    let mut packet = srtp;
    let len = Unprotector::new(&key)
        .unwrap()
        .unprotect_rtp(&mut packet)
        .unwrap();
    assert_eq!(packet[..len], hex(LIBSRTP_RTP));
}

#[test]
fn the_32_bit_suites_cut_the_tag_on_rtp_alone() {
    // RFC 4568 §6.2.2: all else is as in the 80-bit suite, SRTCP's tag too.
    for (long, short) in [
        (
            SrtpProfile::AesCm128HmacSha1_80,
            SrtpProfile::AesCm128HmacSha1_32,
        ),
        (
            SrtpProfile::AesCm256HmacSha1_80,
            SrtpProfile::AesCm256HmacSha1_32,
        ),
    ] {
        let text = "5a".repeat(long.key_len() + long.salt_len());
        let mut whole = Protector::new(&key(long, &text)).unwrap();
        let mut cut = Protector::new(&key(short, &text)).unwrap();
        let rtp = protect_rtp(&mut whole, &hex(LIBSRTP_RTP));
        assert_eq!(
            protect_rtp(&mut cut, &hex(LIBSRTP_RTP)),
            rtp[..rtp.len() - 6]
        );
        let rtcp = protect_rtcp(&mut whole, &hex(LIBSRTP_RTCP));
        assert_eq!(protect_rtcp(&mut cut, &hex(LIBSRTP_RTCP)), rtcp);
    }
}

#[test]
fn gcm_packets_agree_with_libsrtp() {
    agrees_with_libsrtp(
        &key(
            SrtpProfile::AeadAes128Gcm,
            "000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab",
        ),
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
        "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
    );
}

/// "Gallia est omnis divisa in partes tres".
const RTP: &str = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976
                   69736120696e207061727465732074726573";
const SRTP_128: &str = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5
                        0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
const SRTP_256: &str = "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab1801238
                        9a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13";
/// An SR of the sender "Mars", and its index.
const RTCP: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61
                    deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
const RTCP_INDEX: u64 = 0x5d4;
const SRTCP_128: &str = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d
                         c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872
                         45d9eade800005d4";
const SRTCP_256: &str = "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50
                         a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6c
                         b26ac3be800005d4";
/// The same, authenticated only: the E bit is clear.
const SRTCP_128_CLEAR: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61
                               deadbeefdeadbeefdeadbeefdeadbeefdeadbeef
                               841dd9683dd78ec92ae58790125f62b3000005d4";
const SRTCP_256_CLEAR: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61
                               deadbeefdeadbeefdeadbeefdeadbeefdeadbeef
                               91db4afbfeee5a978fab4393ed2615fe000005d4";

/// The RFC gives session keys, so that derivation must be gone around.
fn session(key_len: u8) -> Session {
    let key: Vec<u8> = (0..key_len).collect();
    let keys = || Box::new(GcmKeys::from_session(&key, *b"Quid pro quo").unwrap());
    Session::Gcm {
        rtp: keys(),
        rtcp: keys(),
    }
}

fn agrees_with_rfc_7714(key_len: u8, srtp: &str, srtcp: &str, clear: &str) {
    let any_key = key(SrtpProfile::AeadAes128Gcm, &"00".repeat(28));
    let mut protector = Protector::new(&any_key).unwrap();
    protector.master.session = session(key_len);
    assert_eq!(protect_rtp(&mut protector, &hex(RTP)), hex(srtp));
    protector.rtcp.mark(0x4d61_7273, RTCP_INDEX - 1).unwrap();
    assert_eq!(protect_rtcp(&mut protector, &hex(RTCP)), hex(srtcp));

    let fresh = || {
        let mut unprotector = Unprotector::new(&any_key).unwrap();
        unprotector.replace_session(session(key_len));
        unprotector
    };
    let mut packet = hex(srtp);
    let len = fresh().unprotect_rtp(&mut packet).unwrap();
    assert_eq!(packet[..len], hex(RTP));
    for protected in [srtcp, clear] {
        let mut packet = hex(protected);
        let len = fresh().unprotect_rtcp(&mut packet).unwrap();
        assert_eq!(packet[..len], hex(RTCP));
    }
}

#[test]
fn gcm_128_agrees_with_rfc_7714() {
    agrees_with_rfc_7714(16, SRTP_128, SRTCP_128, SRTCP_128_CLEAR);
}

#[test]
fn gcm_256_agrees_with_rfc_7714() {
    agrees_with_rfc_7714(32, SRTP_256, SRTCP_256, SRTCP_256_CLEAR);
}
