//! Silence that its sender described (RFC 3389).

use super::*;
use crate::mix::level_of;

/// Speech for a second, described silence for three, speech for a second; the description is repeated after `repeat`.
fn call(codec: AudioCodec, payload: &[u8], repeat: usize) -> Vec<Packet> {
    let mut packets = speech(codec, 2);
    let silent_from = packets[50].clone();
    let mut sequence = silent_from.sequence;
    let tick = codec.rtp_clock() / 50;
    let mut described = Vec::new();
    for n in (0_u32..150).step_by(repeat) {
        described.push(Packet {
            sequence,
            timestamp: silent_from.timestamp.wrapping_add(n * tick),
            payload_type: NOISE,
            payload: payload.to_vec(),
            arrives: silent_from.arrives + f64::from(n) * 20.0,
        });
        sequence += 1;
    }
    let shift = sequence - silent_from.sequence;
    for packet in &mut packets[50..] {
        packet.sequence += shift;
        packet.timestamp = packet.timestamp.wrapping_add(150 * tick);
        packet.arrives += 3_000.0;
    }
    packets.extend(described);
    packets
}

#[test]
fn what_was_described_is_heard_at_its_level_until_speech_goes_on() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        for payload in [&[45][..], &[55, 60, 140]] {
            for repeat in [10, 50, 200] {
                let heard = play(call(codec, payload, repeat), 0.0);
                let name = format!("{codec:?} {payload:?} every {repeat}: {:?}", heard.counters);
                assert_eq!(
                    (heard.counters.missing, heard.counters.late),
                    (0, 0),
                    "{name}"
                );
                let comfort = heard.ticks(Played::Comfort);
                assert!((145..=153).contains(&comfort), "{name}: {comfort} ticks");
                assert_eq!(heard.ticks(Played::Concealed), 0, "{name}");
                let quiet = &heard.sound[60 * FRAME..195 * FRAME];
                for part in quiet.chunks_exact(FRAME * 5) {
                    let level = level_of(part);
                    // Band-limited to half the codec's rate, which costs nothing; the filter's edge a little.
                    assert!(level.abs_diff(payload[0]) <= 2, "{name}: {level}");
                }
                assert!(rms(&heard.sound[210 * FRAME..]) > 1_000.0, "{name}");
            }
        }
    }
}

#[test]
fn it_begins_and_ends_without_a_click() {
    let codec = AudioCodec::Pcmu;
    let rate = codec.sample_rate();
    let mut packets = stream(codec, 20, &tone(rate, 400.0, 8_000.0, rate as usize * 2));
    for packet in &mut packets[50..] {
        packet.sequence += 1;
        packet.timestamp = packet.timestamp.wrapping_add(160 * 100);
        packet.arrives += 2_000.0;
    }
    packets.push(Packet {
        sequence: packets[49].sequence + 1,
        timestamp: packets[49].timestamp.wrapping_add(160),
        payload_type: NOISE,
        payload: vec![60],
        arrives: packets[49].arrives + 20.0,
    });
    let heard = play(packets, 0.0);
    // 400 Hz at 8000 moves by 420 in a sample.
    let steep = steepest(&heard.sound);
    assert!(steep < 560, "{steep}");
}

#[test]
fn a_lost_description_is_a_pause_and_a_malformed_one_is_told() {
    let mut packets = call(AudioCodec::Pcmu, &[50], 200);
    packets.retain(|p| p.payload_type != NOISE);
    let heard = play(packets, 0.0);
    assert_eq!(heard.counters.missing, 1);
    assert!(heard.ticks(Played::Concealed) <= 8);
    let mut playout = PlayOut::new(&formats()).unwrap();
    let arrived = Arrived {
        sequence: 1,
        timestamp: 0,
        payload_type: NOISE,
        marker: false,
        level: None,
        payload: &[],
    };
    assert_eq!(playout.put_comfort(start(), &arrived), Put::Malformed);
}

/// Opus as a sender with DTX makes it: speech, then two seconds of a noise at 60 dB below overload, then speech. What libopus
/// says need not be sent is not, but for the first of a run and one every 400 ms.
fn opus_with_dtx() -> (Vec<Packet>, usize) {
    let mut encoder =
        opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(24_000)).unwrap();
    encoder.set_dtx(true).unwrap();
    let mut chance = StdRng::seed_from_u64(1);
    let mut pcm = voice(48_000, 48_000 * 8);
    for sample in &mut pcm[48_000 * 2..48_000 * 6] {
        *sample = chance.random_range(-50..=50);
    }
    let mut packets = Vec::new();
    let (mut sequence, mut stopped, mut left_out) = (1_000, 0, 0);
    for (n, frame) in pcm.as_chunks::<FRAME>().0.iter().enumerate() {
        let mut out = [0; 1_500];
        let length = encoder.encode(frame, &mut out).unwrap();
        stopped = if length <= 2 { stopped + 1 } else { 0 };
        if stopped > 1 && stopped % 20 != 0 {
            left_out += 1;
            continue;
        }
        sequence += 1;
        packets.push(Packet {
            sequence,
            timestamp: n as u32 * 960,
            payload_type: payload_type(AudioCodec::Opus),
            payload: out[..length].to_vec(),
            arrives: n as f64 * 20.0 + 30.0,
        });
    }
    (packets, left_out)
}

#[test]
fn where_opus_stops_its_own_noise_goes_on() {
    let (packets, left_out) = opus_with_dtx();
    assert!(left_out > 100, "{left_out}");
    let heard = play(packets, 0.0);
    println!("{left_out} not sent, {:?}", heard.counters);
    assert_eq!((heard.counters.missing, heard.counters.late), (0, 0));
    let comfort = heard.ticks(Played::Comfort);
    assert!(comfort.abs_diff(left_out) <= 12, "{comfort} of {left_out}");
    assert!(heard.ticks(Played::Concealed) <= 2);
    // It does not breathe: from where DTX has settled, every 100 ms is about as loud.
    let levels: Vec<u8> = heard.sound[48_000 * 4..48_000 * 5 + 24_000]
        .chunks_exact(4_800)
        .map(level_of)
        .collect();
    let (quietest, loudest) = (*levels.iter().max().unwrap(), *levels.iter().min().unwrap());
    assert!(quietest - loudest <= 8 && quietest < 80, "{levels:?}");
}
