//! A jitter buffer under any order of packets and ticks.

use std::time::{Duration, Instant};

use media::codec::FRAME;
use media::smooth::{Arrived, JitterBuffer, PlayOut, Played};
use wire::plan::{AudioCodec, AudioFormat};
use wire::rtp::Red;

const FORMATS: [(AudioCodec, u8); 4] = [
    (AudioCodec::Opus, 111),
    (AudioCodec::G722, 9),
    (AudioCodec::Pcmu, 0),
    (AudioCodec::Pcma, 8),
];

/// Reads the input as a script of packets (in order, out of order, copied, of noise), ticks and pauses. Nothing panics, no
/// count is off, and who speaks properly afterwards is heard.
pub fn jitter_buffer(data: &[u8]) {
    let formats = FORMATS.map(|(codec, payload_type)| AudioFormat {
        codec,
        payload_type,
        ptime_ms: 20,
        max_bitrate: None,
        inband_fec: false,
    });
    let Ok(mut playout) = PlayOut::new(&formats) else {
        return;
    };
    let mut now = Instant::now();
    let mut newest = 100_000_u64;
    let mut timestamp = 0_u32;
    let mut frame = [0; FRAME];
    let mut kept = 0_u64;
    let mut script = data;
    for _ in 0..MOST_STEPS {
        let Some((&[what, a, b, c], rest)) = script.split_first_chunk() else {
            break;
        };
        script = rest;
        match what % 8 {
            // The next packet, perhaps after a hole.
            0..=2 => {
                newest += 1 + u64::from(a % 4) / 3;
                timestamp = timestamp.wrapping_add(160 * u32::from(b % 8));
            }
            3 => timestamp = u32::from_be_bytes([a, b, c, what]),
            4 => newest += u64::from(u16::from_be_bytes([a, b])),
            5 => now += Duration::from_millis(u64::from(u16::from_be_bytes([a % 16, b]))),
            6 => {
                playout.pass(newest.saturating_sub(u64::from(a)));
                continue;
            }
            _ => {
                for _ in 0..1 + a % 16 {
                    now += Duration::from_millis(20);
                    if b & 1 == 0 {
                        playout.tick(now, &mut frame);
                    } else {
                        playout.skip(now);
                    }
                    while playout.poll_fate().is_some() {}
                }
                continue;
            }
        }
        let length = usize::from(c).min(script.len());
        let (payload, rest) = script.split_at(length);
        script = rest;
        let (_, payload_type) = FORMATS[usize::from(a >> 4) % FORMATS.len()];
        let arrived = Arrived {
            sequence: newest.saturating_sub(u64::from(b >> 5)),
            timestamp,
            payload_type,
            marker: a & 8 != 0,
            level: (a & 4 != 0).then_some(b & 0x7f),
            payload,
        };
        match (what >> 3) % 4 {
            0 => {
                playout.put_comfort(now, &arrived);
            }
            1 => {
                if let Ok(red) = Red::parse(payload) {
                    let primary = Arrived {
                        payload_type: red.payload_type(),
                        payload: red.primary(),
                        ..arrived
                    };
                    playout.put(now, &primary);
                    for copy in red.copies() {
                        let offset = u32::from(copy.offset);
                        playout.put_copy(now, &primary, copy.payload_type, offset, copy.payload);
                    }
                }
            }
            _ => {
                playout.put(now, &arrived);
            }
        }
        kept += 1;
        let _ = (playout.delay_ms(), playout.level_ahead());
    }
    let counters = playout.counters();
    // Copies make more of a packet, but no packet is played twice.
    assert!(counters.played <= kept + counters.copied);
    assert!(counters.fec <= counters.missing + JitterBuffer::CAPACITY as u64);
    speaks_and_is_heard(&mut playout, now, newest, timestamp);
}

/// A second and a half of clean G.711; of its last 300 ms every tick is what was said.
fn speaks_and_is_heard(playout: &mut PlayOut, mut now: Instant, newest: u64, timestamp: u32) {
    let mut frame = [0; FRAME];
    for n in 1..=75_u32 {
        let arrived = Arrived {
            sequence: newest + u64::from(n),
            timestamp: timestamp.wrapping_add(n.wrapping_mul(160)),
            payload_type: 0,
            marker: false,
            level: None,
            payload: &[0x20; 160],
        };
        playout.put(now, &arrived);
        now += Duration::from_millis(20);
        let played = playout.tick(now, &mut frame);
        assert!(n < 60 || played == Played::Frame, "{n}: {played:?}");
    }
}

/// Steps of a script: each may be 16 ticks.
const MOST_STEPS: usize = 400;
