//! Tells key frames from payloads, without decoding: VP8 (RFC 7741) and H.264 (RFC 6184).

use wire::plan::VideoCodec;

/// Whether a decoder can begin with this packet: it holds the first part of a key frame.
///
/// For H.264 that is a sequence parameter set or the start of an IDR picture; senders put the parameter
/// sets before each IDR picture.
#[must_use]
pub fn begins_key_frame(codec: VideoCodec, payload: &[u8]) -> bool {
    match codec {
        VideoCodec::Vp8 => vp8(payload),
        VideoCodec::H264 => h264(payload),
    }
}

/// RFC 7741 §4.2 and §4.3: the start of partition 0, and the inverse key frame flag of the payload header.
fn vp8(payload: &[u8]) -> bool {
    let Some((&first, mut rest)) = payload.split_first() else {
        return false;
    };
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    if !starts_frame {
        return false;
    }
    if first & 0x80 != 0 {
        let Some((&flags, after)) = rest.split_first() else {
            return false;
        };
        let picture_id = match (flags & 0x80 != 0, after.first()) {
            (false, _) => 0,
            (true, Some(id)) if id & 0x80 != 0 => 2,
            (true, _) => 1,
        };
        let tl0_index = usize::from(flags & 0x40 != 0);
        let layer_and_key_index = usize::from(flags & 0x30 != 0);
        rest = after
            .get(picture_id + tl0_index + layer_and_key_index..)
            .unwrap_or_default();
    }
    rest.first().is_some_and(|header| header & 0x01 == 0)
}

fn h264(payload: &[u8]) -> bool {
    let Some((&first, rest)) = payload.split_first() else {
        return false;
    };
    match first & 0x1f {
        IDR | SPS => true,
        STAP_A => stap_a(rest),
        FU_A => rest
            .first()
            .is_some_and(|header| header & 0x80 != 0 && matches!(header & 0x1f, IDR | SPS)),
        _ => false,
    }
}

/// RFC 6184 §5.7.1: NAL units, each behind its size.
fn stap_a(mut rest: &[u8]) -> bool {
    while let Some((size, after)) = rest.split_first_chunk::<2>() {
        let size = usize::from(u16::from_be_bytes(*size));
        let Some((unit, next)) = after.split_at_checked(size) else {
            return false;
        };
        if unit
            .first()
            .is_some_and(|header| matches!(header & 0x1f, IDR | SPS))
        {
            return true;
        }
        rest = next;
    }
    false
}

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vp8_key_frames_are_seen_behind_every_shape_of_descriptor() {
        let key: &[&[u8]] = &[
            &[0x10, 0x00],
            &[0x90, 0x80, 0x11, 0x00],
            &[0x90, 0x80, 0x91, 0x22, 0x00],
            &[0x90, 0xe0, 0x91, 0x22, 5, 0x40, 0x00],
            &[0x90, 0x10, 0x07, 0x00],
        ];
        for payload in key {
            assert!(begins_key_frame(VideoCodec::Vp8, payload), "{payload:?}");
        }
    }

    #[test]
    fn vp8_delta_frames_later_partitions_and_continuations_are_no_entry() {
        let other: &[&[u8]] = &[
            &[],
            &[0x10],
            &[0x10, 0x01],
            &[0x00, 0x00],
            &[0x11, 0x00],
            &[0x90, 0x80, 0x91],
            &[0x90, 0x80, 0x91, 0x22, 0x01],
        ];
        for payload in other {
            assert!(!begins_key_frame(VideoCodec::Vp8, payload), "{payload:?}");
        }
    }

    #[test]
    fn h264_is_entered_at_parameter_sets_and_at_the_start_of_an_idr_picture() {
        let key: &[&[u8]] = &[
            &[0x67, 0x42],
            &[0x65, 0x88],
            &[0x78, 0, 1, 0x09, 0, 2, 0x67, 0x42],
            &[0x7c, 0x85, 0x88],
        ];
        for payload in key {
            assert!(begins_key_frame(VideoCodec::H264, payload), "{payload:?}");
        }
        let other: &[&[u8]] = &[
            &[],
            &[0x41, 0x9a],
            &[0x78, 0, 9, 0x67],
            &[0x7c, 0x05, 0x88],
            &[0x7c],
            &[0x68, 0xce],
        ];
        for payload in other {
            assert!(!begins_key_frame(VideoCodec::H264, payload), "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_judged_without_panic(payload in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = begins_key_frame(VideoCodec::Vp8, &payload);
            let _ = begins_key_frame(VideoCodec::H264, &payload);
        }
    }
}
