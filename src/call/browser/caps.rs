//! What a browser's video may take, by how many send.
//!
//! The bounds are of whole packets with audio; encoders are told what is left after audio and headers.

use crate::meeting::VideoMax;

/// Audio of one party with its headers.
const AUDIO_BPS: u32 = 54_000;
/// IP, UDP, RTP and SRTP around a video packet of about 1100 octets: 6 %.
const HEADERS_PERCENT: u32 = 6;

/// The most that a browser may send in bit/s of encoded video, when `cameras` send, itself included.
///
/// A meeting that allows full HD is given the HD figure as long as at most two send.
pub(crate) fn camera_bps(video_max: VideoMax, cameras: usize) -> u32 {
    encoded(match (cameras, video_max) {
        (0..=2, VideoMax::Fhd) => 1_400_000,
        (0..=2, _) => 650_000,
        (3..=4, _) => 450_000,
        _ => 184_000,
    })
}

/// The most that a content share may send in bit/s of encoded video.
pub(crate) fn content_bps() -> u32 {
    encoded(1_200_000)
}

fn encoded(whole: u32) -> u32 {
    (whole - AUDIO_BPS) / (100 + HEADERS_PERCENT) * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_leave_room_for_audio_and_headers() {
        for (cameras, whole) in [(1, 650_000), (2, 650_000), (3, 450_000), (5, 184_000)] {
            let video = camera_bps(VideoMax::Hd, cameras);
            assert!(video + video * HEADERS_PERCENT / 100 + AUDIO_BPS <= whole);
            assert!(video > 100_000);
        }
    }
}
