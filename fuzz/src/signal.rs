//! Browser signaling frames.

use wire::signal::{decode, encode};

/// A frame: no panic; what is accepted reads the same after it was written. Compared as written, because a
/// metric may be no number.
pub fn signal_frame(data: &[u8]) {
    let Ok(frame) = decode(data) else {
        return;
    };
    let _ = frame.known_kind();
    let written = encode(&frame);
    match decode(&written) {
        Ok(again) => assert_eq!(encode(&again), written),
        Err(e) => panic!("refused what we wrote: {e}\n{frame:?}"),
    }
}
