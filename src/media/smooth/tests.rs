//! Play-out under scripted networks, in virtual time.

mod comfort;
mod impairment;
mod liveness;
mod network;
mod skew;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{AudioCodec, AudioFormat};
use wire::rtp::Red;

use super::*;
use crate::codec::tests::{amplitude_at, rms, steepest, tone, voice};
use crate::codec::{Encoder, Encoding, FRAME};

const CODECS: [AudioCodec; 4] = [
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
];

#[derive(Clone)]
struct Packet {
    sequence: u64,
    timestamp: u32,
    payload_type: u8,
    payload: Vec<u8>,
    /// When it arrives, in ms.
    arrives: f64,
}

fn payload_type(codec: AudioCodec) -> u8 {
    CODECS.iter().position(|&c| c == codec).unwrap() as u8 + 96
}

fn formats() -> Vec<AudioFormat> {
    CODECS
        .iter()
        .map(|&codec| AudioFormat {
            codec,
            payload_type: payload_type(codec),
            ptime_ms: 20,
            max_bitrate: None,
            inband_fec: true,
        })
        .collect()
}

/// Packets that all arrive 30 ms after they were made.
fn stream(codec: AudioCodec, ptime_ms: u8, pcm: &[i16]) -> Vec<Packet> {
    let encoding = Encoding {
        codec,
        bitrate: 24_000,
        fec: true,
        ptime_ms,
    };
    let mut encoder = Encoder::new(encoding).unwrap();
    pcm.chunks_exact(encoding.packet_samples())
        .enumerate()
        .map(|(n, frame)| {
            let mut out = [0; 1_500];
            let length = encoder.encode(frame, &mut out).unwrap();
            Packet {
                sequence: 1_000 + n as u64,
                // Wraps soon.
                timestamp: (u32::MAX - 4_000)
                    .wrapping_add((n as u32).wrapping_mul(encoding.packet_ticks())),
                payload_type: payload_type(codec),
                payload: out[..length].to_vec(),
                arrives: n as f64 * f64::from(ptime_ms) + 30.0,
            }
        })
        .collect()
}

fn speech(codec: AudioCodec, seconds: usize) -> Vec<Packet> {
    let rate = codec.sample_rate();
    stream(codec, 20, &voice(rate, rate as usize * seconds))
}

struct Heard {
    sound: Vec<i16>,
    played: Vec<Played>,
    /// Delay after each tick, in ms.
    delays: Vec<u32>,
    counters: Counters,
    playout: PlayOut,
}

impl Heard {
    fn ticks(&self, kind: Played) -> usize {
        self.played.iter().filter(|&&p| p == kind).count()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "any instant will do as the start of virtual time"
)]
fn start() -> Instant {
    Instant::now()
}

/// Delivers packets when they arrive, ticks every 20 ms from 7 ms on, for as long as packets come and `more` ms.
fn play(mut packets: Vec<Packet>, more: f64) -> Heard {
    packets.sort_by(|a, b| a.arrives.total_cmp(&b.arrives));
    let start = start();
    let at = |ms: f64| start + Duration::from_secs_f64(ms / 1_000.0);
    let end = packets.last().map_or(0.0, |p| p.arrives) + more;
    let mut heard = Heard {
        sound: Vec::new(),
        played: Vec::new(),
        delays: Vec::new(),
        counters: Counters::default(),
        playout: PlayOut::new(&formats()).unwrap(),
    };
    let mut coming = packets.iter().peekable();
    let mut now = 7.0;
    while now < end {
        while let Some(p) = coming.next_if(|p| p.arrives <= now) {
            arrive(&mut heard.playout, at(p.arrives), p);
        }
        let mut frame = [0; FRAME];
        heard.played.push(heard.playout.tick(at(now), &mut frame));
        heard.sound.extend_from_slice(&frame);
        heard.delays.push(heard.playout.delay_ms());
        now += 20.0;
    }
    heard.counters = heard.playout.counters();
    heard
}

/// Payload types of RED and of comfort noise.
const RED: u8 = 127;
const NOISE: u8 = 13;

/// As a leg does it.
fn arrive(playout: &mut PlayOut, now: Instant, packet: &Packet) {
    let arrived = Arrived {
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        payload_type: packet.payload_type,
        marker: false,
        level: None,
        payload: &packet.payload,
    };
    match packet.payload_type {
        RED => {
            let red = Red::parse(&packet.payload).unwrap();
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
        NOISE => {
            playout.put_comfort(now, &arrived);
        }
        _ => {
            playout.put(now, &arrived);
        }
    }
}

#[test]
fn a_clean_stream_of_any_packet_length_is_heard_whole() {
    for codec in CODECS {
        for ptime_ms in [10, 20, 30, 40, 60] {
            if codec == AudioCodec::Opus && ptime_ms == 30 {
                continue;
            }
            let rate = codec.sample_rate();
            let pcm = tone(rate, 400.0, 8_000.0, rate as usize * 3);
            let heard = play(stream(codec, ptime_ms, &pcm), 0.0);
            let name = format!("{codec:?} {ptime_ms} ms: {:?}", heard.counters);
            // It begins with silence while the first packet waits, and then never stops.
            let first = heard.played.iter().position(|&p| p == Played::Frame);
            let first = first.expect(&name);
            assert!(first <= 5, "{name} {first}");
            assert_eq!(
                heard.ticks(Played::Frame),
                heard.played.len() - first,
                "{name}"
            );
            assert_eq!(
                (heard.counters.missing, heard.counters.late),
                (0, 0),
                "{name}"
            );
            let settled = &heard.sound[48_000..96_000];
            let level = amplitude_at(settled, 48_000, 400.0);
            assert!((7_200.0..8_800.0).contains(&level), "{name} {level}");
            // 400 Hz at 8000 moves by 420 in a sample; a seam would move more.
            let most = steepest(settled);
            assert!(most < 520, "{name} {most}");
            assert!(
                *heard.delays.last().unwrap() <= 65,
                "{name} {:?}",
                heard.delays.last()
            );
        }
    }
}

#[test]
fn what_is_lost_is_concealed_and_counted_and_nothing_else() {
    for codec in CODECS {
        let mut chance = StdRng::seed_from_u64(1);
        let mut packets = speech(codec, 20);
        let all = packets.len();
        let mut n = 0;
        packets.retain(|_| {
            n += 1;
            n < 50 || n == all || chance.random_range(0..100) >= 5
        });
        let lost = (all - packets.len()) as u64;
        let heard = play(packets, 0.0);
        let counters = heard.counters;
        println!("{codec:?}: {lost} lost, {counters:?}");
        assert_eq!(counters.missing, lost);
        assert_eq!((counters.late, counters.duplicates), (0, 0));
        // What was missing and not recovered is what was substituted, all but the crumbs of 2.5 ms.
        let substituted = counters.substituted / FRAME as u64;
        assert!(
            substituted.abs_diff(lost - counters.fec) <= lost / 10 + 1,
            "{codec:?}"
        );
        if codec == AudioCodec::Opus {
            assert!(counters.fec * 2 > lost, "{counters:?}");
        }
    }
}

#[test]
fn concealed_speech_keeps_most_of_its_energy() {
    for codec in CODECS {
        let whole = play(speech(codec, 10), 0.0);
        let mut packets = speech(codec, 10);
        packets.retain(|p| p.sequence % 10 != 7);
        let holed = play(packets, 0.0);
        let ratio = rms(&holed.sound) / rms(&whole.sound);
        println!("{codec:?}: {ratio:.3}");
        assert!((0.9..1.05).contains(&ratio), "{codec:?} {ratio}");
    }
}

#[test]
fn jitter_of_60_ms_is_absorbed() {
    for codec in CODECS {
        let mut chance = StdRng::seed_from_u64(2);
        let mut packets = speech(codec, 30);
        for packet in &mut packets {
            packet.arrives += chance.random_range(0.0..60.0);
        }
        let heard = play(packets, 0.0);
        println!(
            "{codec:?}: {:?}, delay {:?}",
            heard.counters,
            heard.delays.last()
        );
        let settled = &heard.played[150..];
        let bad = settled.iter().filter(|&&p| p != Played::Frame).count();
        assert!(bad * 100 < settled.len(), "{codec:?} {bad}");
        assert!(heard.counters.late < 10);
        let delay = *heard.delays.last().unwrap();
        assert!((50..110).contains(&delay), "{delay}");
    }
}

#[test]
fn without_jitter_the_delay_stays_small() {
    let heard = play(speech(AudioCodec::Pcmu, 30), 0.0);
    assert!(
        heard.delays[1_000..].iter().all(|&d| d <= 45),
        "{:?}",
        heard.delays.last()
    );
}

#[test]
fn reordered_packets_are_played_in_order() {
    let mut packets = speech(AudioCodec::Pcma, 10);
    for pair in packets.chunks_exact_mut(2).step_by(5) {
        let arrives = pair[0].arrives;
        pair[0].arrives = pair[1].arrives + 1.0;
        pair[1].arrives = arrives + 19.0;
    }
    let heard = play(packets, 0.0);
    assert!(heard.counters.missing <= 2, "{:?}", heard.counters);
    assert!(heard.ticks(Played::Concealed) <= 2);
}

#[test]
fn duplicates_are_counted_and_change_nothing() {
    let packets = speech(AudioCodec::G722, 5);
    let once = play(packets.clone(), 40.0);
    let twice = play(
        packets
            .iter()
            .flat_map(|p| [p.clone(), p.clone()])
            .collect(),
        40.0,
    );
    assert_eq!(twice.counters.duplicates, packets.len() as u64);
    assert!(once.sound == twice.sound);
    assert_eq!(once.counters.played, twice.counters.played);
}

#[test]
fn a_packet_after_its_time_is_late_and_not_played() {
    let mut packets = speech(AudioCodec::Pcmu, 5);
    packets[100].arrives += 300.0;
    let heard = play(packets, 0.0);
    assert_eq!((heard.counters.late, heard.counters.missing), (1, 1));
    assert_eq!(heard.ticks(Played::Concealed), 2);
}

#[test]
fn a_pause_of_the_sender_is_silence_not_loss() {
    for codec in CODECS {
        let mut packets = speech(codec, 6);
        for packet in &mut packets[150..] {
            packet.arrives += 2_000.0;
            packet.timestamp = packet.timestamp.wrapping_add(codec.rtp_clock() * 2);
        }
        let heard = play(packets, 0.0);
        println!("{codec:?}: {:?}", heard.counters);
        assert_eq!((heard.counters.missing, heard.counters.late), (0, 0));
        assert!(heard.ticks(Played::Concealed) <= 7, "{codec:?}");
        assert!(
            (90..=104).contains(&(heard.ticks(Played::Silence))),
            "{codec:?} {}",
            heard.ticks(Played::Silence)
        );
        // And it goes on with the usual delay.
        let delay = *heard.delays.last().unwrap();
        assert!((20..=65).contains(&delay), "{codec:?} {delay}");
    }
}

#[test]
fn when_the_stream_ends_concealment_ends_soon_after() {
    for codec in CODECS {
        let heard = play(speech(codec, 3), 2_000.0);
        let concealed = heard.ticks(Played::Concealed);
        assert!((3..=7).contains(&concealed), "{codec:?} {concealed}");
        assert_eq!(
            rms(&heard.sound[heard.sound.len() - 48_000..]),
            0.0,
            "{codec:?}"
        );
    }
}

#[test]
fn a_delay_spike_is_followed_and_the_delay_shrinks_again_without_clicks() {
    for codec in CODECS {
        let rate = codec.sample_rate();
        let pcm = tone(rate, 400.0, 8_000.0, rate as usize * 60);
        let mut packets = stream(codec, 20, &pcm);
        let blocked = packets[500].arrives;
        for packet in &mut packets[500..508] {
            packet.arrives = blocked + 150.0;
        }
        let heard = play(packets, 0.0);
        let most = heard.delays[505..600].iter().max().unwrap();
        let last = *heard.delays.last().unwrap();
        println!("{codec:?}: {:?} delay {most} then {last}", heard.counters);
        assert!((120..=215).contains(most), "{codec:?} {most}");
        assert!(last < 70, "{codec:?} {last}");
        assert!(
            heard.counters.late <= 2 && heard.counters.missing <= 2,
            "{codec:?}"
        );
        let steep = steepest(&heard.sound[620 * FRAME..]);
        assert!(steep < 560, "{codec:?} {steep}");
    }
}

#[test]
fn clock_skew_is_followed_over_minutes() {
    for skew in [-0.0003, 0.0003] {
        let rate = 8_000;
        let mut packets = stream(
            AudioCodec::Pcmu,
            20,
            &tone(rate, 300.0, 8_000.0, rate as usize * 300),
        );
        for packet in &mut packets {
            packet.arrives *= 1.0 + skew;
        }
        let heard = play(packets, 0.0);
        let extremes = (
            heard.delays[100..].iter().min(),
            heard.delays[100..].iter().max(),
        );
        println!("{skew}: {:?} {extremes:?}", heard.counters);
        assert_eq!((heard.counters.missing, heard.counters.late), (0, 0));
        assert!(*extremes.1.unwrap() < 90, "{extremes:?}");
        // 90 ms in all have to be made up for: at most a handful of stalls, the rest by stretching.
        assert!(
            heard.ticks(Played::Concealed) <= 6,
            "{}",
            heard.ticks(Played::Concealed)
        );
        assert!(heard.counters.stretched > 48 * 40);
    }
}

#[test]
fn a_codec_may_change_in_mid_call() {
    let mut packets = speech(AudioCodec::Pcmu, 3);
    let from = packets.len() as u64;
    for (n, mut packet) in speech(AudioCodec::Opus, 3).into_iter().enumerate() {
        packet.sequence += from;
        packet.arrives += 3_000.0;
        packet.timestamp = 77 + n as u32 * 960;
        packets.push(packet);
    }
    let heard = play(packets, 0.0);
    assert_eq!((heard.counters.missing, heard.counters.late), (0, 0));
    assert!(heard.ticks(Played::Concealed) <= 1);
    assert!(rms(&heard.sound[48_000 * 4..]) > 2_000.0);
}

#[test]
fn telephone_events_between_audio_are_not_missed() {
    let packets = speech(AudioCodec::Pcmu, 3);
    let start = start();
    let mut playout = PlayOut::new(&formats()).unwrap();
    let mut frame = [0; FRAME];
    for (n, packet) in packets.iter().enumerate() {
        let now = start + Duration::from_millis(20 * n as u64);
        if (60..70).contains(&n) {
            playout.pass(packet.sequence);
        } else {
            let arrived = Arrived {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                payload_type: packet.payload_type,
                marker: false,
                level: None,
                payload: &packet.payload,
            };
            assert_eq!(playout.put(now, &arrived), Put::Kept);
        }
        playout.tick(now, &mut frame);
    }
    assert_eq!(playout.counters().missing, 0);
}

#[test]
fn announced_levels_are_known_before_they_are_heard() {
    let packets = speech(AudioCodec::Opus, 1);
    let mut playout = PlayOut::new(&formats()).unwrap();
    assert_eq!(playout.level_ahead(), None);
    let start = start();
    for (packet, level) in packets.iter().zip([60, 20, 90]) {
        let arrived = Arrived {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            payload_type: packet.payload_type,
            marker: false,
            level: Some(level),
            payload: &packet.payload,
        };
        playout.put(start, &arrived);
    }
    assert_eq!(playout.level_ahead(), Some(20));
    for n in 1..20 {
        playout.skip(start + Duration::from_millis(20 * n));
    }
    assert_eq!(playout.level_ahead(), Some(127));
    assert_eq!(playout.counters().played, 3);
}

#[test]
fn skipping_keeps_pace_so_that_hearing_again_is_in_time() {
    let packets = speech(AudioCodec::Opus, 4);
    let start = start();
    let mut playout = PlayOut::new(&formats()).unwrap();
    let mut frame = [0; FRAME];
    let mut heard = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        let now = start + Duration::from_millis(20 * n as u64);
        let arrived = Arrived {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            payload_type: packet.payload_type,
            marker: false,
            level: Some(30),
            payload: &packet.payload,
        };
        playout.put(now, &arrived);
        if (50..100).contains(&n) {
            playout.skip(now);
        } else {
            heard.push(playout.tick(now, &mut frame));
        }
    }
    assert!(heard[50..].iter().all(|&p| p == Played::Frame), "{heard:?}");
    assert!(rms(&frame) > 500.0);
    assert!(playout.delay_ms() <= 65);
}

#[test]
fn unknown_types_and_malformed_payloads_are_told_apart() {
    let mut playout = PlayOut::new(&formats()).unwrap();
    let arrived = |payload_type, payload| Arrived {
        sequence: 1,
        timestamp: 0,
        payload_type,
        marker: false,
        level: None,
        payload,
    };
    let now = start();
    assert_eq!(playout.put(now, &arrived(5, &[0; 160])), Put::UnknownType);
    assert_eq!(playout.put(now, &arrived(98, &[])), Put::Malformed);
    assert_eq!(playout.put(now, &arrived(98, &[0; 1_499])), Put::Malformed);
    assert_eq!(playout.put(now, &arrived(98, &[0; 160])), Put::Kept);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_packets_and_ticks_panics_or_grows(
        steps in proptest::collection::vec(
            (0_u8..4, 0_u64..400, any::<u32>(), 95_u8..101, 0_usize..700, any::<bool>(), 0_u64..300),
            1..300,
        )
    ) {
        let mut playout = PlayOut::new(&formats()).unwrap();
        let before = playout.memory();
        let mut now = start();
        let mut frame = [0; FRAME];
        for (what, sequence, timestamp, payload_type, length, marker, wait) in steps {
            now += Duration::from_millis(wait);
            match what {
                0 | 1 => {
                    let payload = vec![timestamp as u8; length];
                    // Half of the packets follow the clock, half do not.
                    let timestamp = if what == 0 { timestamp } else { sequence as u32 * 160 };
                    playout.put(now, &Arrived {
                        sequence, timestamp, payload_type, marker, level: None, payload: &payload,
                    });
                }
                2 => { playout.tick(now, &mut frame); }
                _ if marker => playout.skip(now),
                _ => playout.pass(sequence),
            }
            let _ = (playout.delay_ms(), playout.level_ahead());
        }
        prop_assert_eq!(playout.memory(), before);
    }
}
