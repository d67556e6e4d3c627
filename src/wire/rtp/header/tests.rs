//! Headers taken apart, rewritten and written anew.

use super::*;
use proptest::prelude::*;

fn packet() -> Vec<u8> {
    let mut p = vec![
        0xb2,
        0xe0 | 0x0f,
        0x12,
        0x34,
        0,
        0,
        0,
        160,
        0xde,
        0xad,
        0xbe,
        0xef,
    ];
    p.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
    p.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0]);
    p.extend_from_slice(b"hello");
    p.extend_from_slice(&[0, 0, 3]);
    p
}

#[test]
fn header_lists_extension_payload_and_padding_are_told_apart() {
    let bytes = packet();
    let view = RtpView::parse(&bytes).unwrap();
    assert!(view.marker());
    assert_eq!(view.payload_type(), 111);
    assert_eq!(view.sequence(), 0x1234);
    assert_eq!(view.timestamp(), 160);
    assert_eq!(view.ssrc(), 0xdead_beef);
    assert_eq!(view.csrcs().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(view.payload(), b"hello");
    let level = view.audio_level(1).unwrap();
    assert_eq!((level.voice, level.level), (true, 5));
}

#[test]
fn every_cut_of_a_packet_is_refused_or_read_without_panic() {
    let bytes = packet();
    for end in 0..28 {
        assert_eq!(Header::parse(&bytes[..end]), Err(RtpError::TooShort));
    }
}

#[test]
fn version_other_than_two_is_refused() {
    let mut bytes = packet();
    bytes[0] = 0x52;
    assert_eq!(RtpView::parse(&bytes), Err(RtpError::Version));
}

#[test]
fn padding_that_reaches_into_the_header_is_refused() {
    let mut bytes = packet();
    let last = bytes.len() - 1;
    bytes[last] = 9;
    assert_eq!(RtpView::parse(&bytes), Err(RtpError::Padding));
    bytes[last] = 0;
    assert_eq!(RtpView::parse(&bytes), Err(RtpError::Padding));
}

#[test]
fn padding_may_be_the_whole_payload() {
    let mut bytes = packet();
    let last = bytes.len() - 1;
    bytes[last] = 8;
    assert_eq!(RtpView::parse(&bytes).unwrap().payload(), b"");
}

#[test]
fn rewriting_changes_the_named_fields_and_nothing_else() {
    let mut bytes = packet();
    let before = bytes.clone();
    let mut m = RtpMut::new(&mut bytes).unwrap();
    m.set_payload_type(96);
    m.set_marker(false);
    m.set_sequence(7);
    m.set_timestamp(8);
    m.set_ssrc(9);
    assert!(m.set_audio_level(
        1,
        AudioLevel {
            voice: false,
            level: 127
        }
    ));
    assert!(!m.set_audio_level(
        2,
        AudioLevel {
            voice: false,
            level: 127
        }
    ));
    let view = RtpView::parse(&bytes).unwrap();
    assert_eq!(
        (
            view.payload_type(),
            view.marker(),
            view.sequence(),
            view.timestamp(),
            view.ssrc()
        ),
        (96, false, 7, 8, 9)
    );
    assert_eq!(view.audio_level(1).unwrap().level, 127);
    assert_eq!(bytes[12..25], before[12..25]);
    assert_eq!(bytes[26..], before[26..]);
}

#[test]
fn a_written_header_is_read_back_equal() {
    let fixed = FixedHeader {
        marker: true,
        payload_type: 100,
        sequence: 65535,
        timestamp: 0xffff_fffe,
        ssrc: 3,
    };
    let mut out = [0u8; 64];
    let n = fixed.write(&mut out, &[(1, &[0x05]), (4, b"12")]).unwrap();
    assert_eq!(n % 4, 0);
    let view = RtpView::parse(&out[..n]).unwrap();
    assert_eq!(view.mid(4), Some("12"));
    assert_eq!(view.audio_level(1).unwrap().level, 5);
    assert_eq!(view.sequence(), 65535);
    assert_eq!(
        fixed.write(&mut out[..13], &[(1, &[5])]),
        Err(RtpError::NoRoom)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(view) = RtpView::parse(&bytes) {
            prop_assert!(view.payload_range().end <= bytes.len());
            let _ = view.extensions().count();
            let _ = view.csrcs().count();
        }
        let mut copy = bytes.clone();
        if let Ok(mut m) = RtpMut::new(&mut copy) {
            for id in 0..=255 {
                m.set_audio_level(id, AudioLevel { voice: true, level: 1 });
            }
        }
        prop_assert_eq!(copy.len(), bytes.len());
    }
}
