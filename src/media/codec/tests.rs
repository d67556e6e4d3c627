//! What the codecs must do, measured on tones. The fixtures were made with FFmpeg 5.1 (see each constant).

use wire::plan::AudioCodec;

use super::*;

const CODECS: [AudioCodec; 4] = [
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
];

/// All 256 codes in order, decoded: `ffmpeg -f mulaw -ar 8000 -ac 1 -i codes -f s16le …`.
const PCMU_DECODED: &[u8] = include_bytes!("fixtures/pcmu-decoded.s16");
/// The same with `-f alaw`.
const PCMA_DECODED: &[u8] = include_bytes!("fixtures/pcma-decoded.s16");
/// 0.3 s of tones at 440, 1000 and 5200 Hz, from FFmpeg's `aevalsrc`.
const TONES_16K: &[u8] = include_bytes!("fixtures/tones-16k.s16");
/// Those tones, encoded by `ffmpeg -c:a g722`.
const TONES_G722: &[u8] = include_bytes!("fixtures/tones.g722");
/// And decoded by FFmpeg again.
const TONES_G722_DECODED: &[u8] = include_bytes!("fixtures/tones-g722-decoded.s16");

fn samples(little_endian: &[u8]) -> Vec<i16> {
    little_endian
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&pair| i16::from_le_bytes(pair))
        .collect()
}

pub(crate) fn tone(rate: u32, hertz: f64, amplitude: f64, count: usize) -> Vec<i16> {
    (0..count)
        .map(|n| {
            let turn = std::f64::consts::TAU * hertz * n as f64 / f64::from(rate);
            (amplitude * turn.sin()) as i16
        })
        .collect()
}

/// Amplitude of one frequency, by correlation with sine and cosine.
pub(crate) fn amplitude_at(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    let n = samples.len() as f64;
    for (i, &s) in samples.iter().enumerate() {
        let turn = std::f64::consts::TAU * hertz * i as f64 / f64::from(rate);
        // A Hann window keeps neighbours out.
        let window = 1.0 - (std::f64::consts::TAU * (i as f64 + 0.5) / n).cos();
        re += f64::from(s) * turn.cos() * window;
        im += f64::from(s) * turn.sin() * window;
    }
    2.0 * re.hypot(im) / n
}

pub(crate) fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

/// A voice-like sound that changes all the time: a gliding pitch with overtones, swelling.
pub(crate) fn voice(rate: u32, count: usize) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..count)
        .map(|n| {
            let seconds = n as f64 / f64::from(rate);
            let hertz = 120.0 + 80.0 * (seconds * 12.0).sin();
            phase += std::f64::consts::TAU * hertz / f64::from(rate);
            let voice: f64 = (1..12)
                .map(|k| (phase * f64::from(k)).sin() / f64::from(k))
                .sum();
            (voice * 5_000.0 * (0.6 + 0.4 * (seconds * 32.0).sin())) as i16
        })
        .collect()
}

/// The greatest change from one sample to the next.
pub(crate) fn steepest(samples: &[i16]) -> i32 {
    samples
        .windows(2)
        .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
        .max()
        .unwrap_or(0)
}

/// Signal to error in dB at the best alignment up to `most` samples later.
fn snr(reference: &[i16], heard: &[i16], most: usize) -> f64 {
    (0..=most)
        .map(|late| {
            let (mut signal, mut error) = (0.0, 1e-9);
            // Past the first 50 ms, in which codecs settle.
            for (&a, &b) in reference
                .iter()
                .zip(&heard[late..])
                .skip(reference.len() / 8)
            {
                signal += f64::from(a).powi(2);
                error += (f64::from(a) - f64::from(b)).powi(2);
            }
            10.0 * (signal / error).log10()
        })
        .fold(f64::MIN, f64::max)
}

fn encoding(codec: AudioCodec) -> Encoding {
    Encoding {
        codec,
        bitrate: 64_000,
        fec: false,
        ptime_ms: 20,
    }
}

/// Encodes in 20 ms packets.
fn encode_all(encoder: &mut Encoder, pcm: &[i16]) -> Vec<Vec<u8>> {
    let size = encoder.encoding().packet_samples();
    pcm.chunks_exact(size)
        .map(|frame| {
            let mut out = [0; 1_500];
            let length = encoder.encode(frame, &mut out).unwrap();
            out[..length].to_vec()
        })
        .collect()
}

fn round_trip(codec: AudioCodec, pcm: &[i16]) -> Vec<i16> {
    let mut encoder = Encoder::new(encoding(codec)).unwrap();
    let mut decoder = Decoder::new(codec).unwrap();
    let mut heard = Vec::new();
    for payload in encode_all(&mut encoder, pcm) {
        let mut out = [0; 5_760];
        let count = decoder.decode(&payload, &mut out).unwrap();
        assert_eq!(Decoder::samples_in(codec, &payload), Ok(count));
        heard.extend_from_slice(&out[..count]);
    }
    heard
}

#[test]
fn every_codec_returns_a_tone_at_its_pitch_and_level_with_little_noise() {
    for codec in CODECS {
        let rate = codec.sample_rate();
        let sent = tone(rate, 1_000.0, 8_000.0, rate as usize);
        let heard = round_trip(codec, &sent);
        let settled = &heard[rate as usize / 5..rate as usize * 4 / 5];
        let level = amplitude_at(settled, rate, 1_000.0);
        assert!((7_500.0..8_500.0).contains(&level), "{codec:?} {level}");
        // 2 kHz is neither a harmonic that a sine has nor where it aliases to.
        let elsewhere = amplitude_at(settled, rate, 2_330.0);
        assert!(elsewhere < 80.0, "{codec:?} {elsewhere}");
        let least = match codec {
            AudioCodec::Opus => 15.0,
            AudioCodec::G722 => 30.0,
            AudioCodec::Pcmu | AudioCodec::Pcma => 35.0,
        };
        let most_late = rate as usize / 100;
        let snr = snr(&sent[..rate as usize / 2], &heard, most_late);
        println!("{codec:?}: {snr:.1} dB");
        assert!(snr > least, "{codec:?} {snr}");
    }
}

#[test]
fn g711_decodes_every_code_as_ffmpeg_does() {
    let codes: Vec<u8> = (0..=255).collect();
    for (codec, expected) in [
        (AudioCodec::Pcmu, PCMU_DECODED),
        (AudioCodec::Pcma, PCMA_DECODED),
    ] {
        let mut out = [0; 256];
        let count = Decoder::new(codec).unwrap().decode(&codes, &mut out);
        assert_eq!(count, Ok(256));
        assert_eq!(out.to_vec(), samples(expected), "{codec:?}");
    }
}

#[test]
fn g711_encodes_every_sample_to_a_nearest_code() {
    for (codec, decoded) in [
        (AudioCodec::Pcmu, samples(PCMU_DECODED)),
        (AudioCodec::Pcma, samples(PCMA_DECODED)),
    ] {
        let mut encoder = Encoder::new(encoding(codec)).unwrap();
        let mut worst = 0;
        for x in i16::MIN..=i16::MAX {
            let mut code = [0];
            encoder.encode(&[x], &mut code).unwrap();
            let off = |d: i16| (i32::from(d) - i32::from(x)).abs();
            let nearest = decoded.iter().map(|&d| off(d)).min().unwrap();
            // Where steps double, G.711's decision values lie a quarter step beside the middle.
            let allowed = 16 + i32::from(x).abs() / 60;
            worst = worst.max(off(decoded[usize::from(code[0])]) - nearest - allowed);
        }
        assert!(worst <= 0, "{codec:?} {worst}");
    }
}

#[test]
fn g722_decodes_what_ffmpeg_encoded_as_ffmpeg_decodes_it() {
    let mut decoder = Decoder::new(AudioCodec::G722).unwrap();
    let mut heard = Vec::new();
    for payload in TONES_G722.chunks(160) {
        let mut out = [0; 320];
        let count = decoder.decode(payload, &mut out).unwrap();
        heard.extend_from_slice(&out[..count]);
    }
    let expected = samples(TONES_G722_DECODED);
    let differing = expected.iter().zip(&heard).filter(|(a, b)| a != b).count();
    assert_eq!((heard.len(), differing), (expected.len(), 0));
}

#[test]
fn g722_encodes_what_ffmpeg_encodes() {
    let mut encoder = Encoder::new(encoding(AudioCodec::G722)).unwrap();
    let ours: Vec<u8> = encode_all(&mut encoder, &samples(TONES_16K)).concat();
    let same = ours.iter().zip(TONES_G722).filter(|(a, b)| a == b).count();
    println!("same codes: {same} of {}", TONES_G722.len());
    assert_eq!((ours.len(), same), (TONES_G722.len(), TONES_G722.len()));
    let mut out = vec![0; 4_800];
    let mut decoder = Decoder::new(AudioCodec::G722).unwrap();
    let mut heard = Vec::new();
    for payload in ours.chunks(160) {
        let count = decoder.decode(payload, &mut out).unwrap();
        heard.extend_from_slice(&out[..count]);
    }
    let snr = snr(&samples(TONES_16K)[..4_000], &heard, 64);
    println!("round trip: {snr:.1} dB");
    assert!(snr > 15.0, "{snr}");
}

#[test]
fn a_stereo_opus_packet_is_heard_in_mono() {
    let mut stereo =
        opus::Encoder::new(48_000, opus::Channels::Stereo, opus::Application::Audio).unwrap();
    let mono = tone(48_000, 700.0, 8_000.0, 48_000);
    let interleaved: Vec<i16> = mono.iter().flat_map(|&s| [s, 0]).collect();
    let mut decoder = Decoder::new(AudioCodec::Opus).unwrap();
    let mut heard = Vec::new();
    for frame in interleaved.chunks_exact(1_920) {
        let mut packet = [0; 1_500];
        let length = stereo.encode(frame, &mut packet).unwrap();
        let mut out = [0; 5_760];
        let count = decoder.decode(&packet[..length], &mut out).unwrap();
        assert_eq!(count, 960);
        heard.extend_from_slice(&out[..count]);
    }
    let level = amplitude_at(&heard[9_600..38_400], 48_000, 700.0);
    assert!((3_600.0..4_400.0).contains(&level), "{level}");
}

#[test]
fn malformed_payloads_are_refused() {
    for codec in CODECS {
        let mut decoder = Decoder::new(codec).unwrap();
        let mut out = [0; 5_760];
        assert_eq!(decoder.decode(&[], &mut out), Err(CodecError::Malformed));
        assert_eq!(
            decoder.decode(&[0xff; 6_000], &mut out),
            Err(CodecError::Malformed)
        );
    }
    let mut out = [0; 10];
    assert_eq!(
        Decoder::new(AudioCodec::Pcmu)
            .unwrap()
            .decode(&[0; 20], &mut out),
        Err(CodecError::OutputTooShort)
    );
}

#[test]
fn concealment_keeps_the_level_at_first_and_has_no_step_at_either_join() {
    for codec in CODECS {
        let rate = codec.sample_rate();
        let frame = rate as usize / 50;
        let sent = tone(rate, 210.0, 8_000.0, rate as usize);
        let mut encoder = Encoder::new(encoding(codec)).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let mut heard = Vec::new();
        for (n, payload) in encode_all(&mut encoder, &sent).iter().enumerate() {
            let mut out = [0; 5_760];
            if n == 20 {
                decoder.conceal(&mut out[..frame]).unwrap();
            } else {
                decoder.decode(payload, &mut out).unwrap();
            }
            heard.extend_from_slice(&out[..frame]);
        }
        let gap = &heard[20 * frame..21 * frame];
        let before = rms(&heard[18 * frame..20 * frame]);
        let kept = rms(gap) / before;
        assert!((0.6..1.2).contains(&kept), "{codec:?} {kept}");
        let usual = steepest(&heard[10 * frame..20 * frame]);
        let around = steepest(&heard[20 * frame - 20..22 * frame]);
        println!("{codec:?}: level {kept:.2}, steepest {usual} -> {around}");
        assert!(around < usual * 2, "{codec:?} {usual} {around}");
    }
}

#[test]
fn concealment_of_g711_and_g722_fades_and_is_silent_after_120_ms() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        let rate = codec.sample_rate();
        let sent = tone(rate, 300.0, 8_000.0, rate as usize / 5);
        let mut encoder = Encoder::new(encoding(codec)).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let mut out = [0; 5_760];
        for payload in encode_all(&mut encoder, &sent) {
            decoder.decode(&payload, &mut out).unwrap();
        }
        let ten = rate as usize / 100;
        let levels: Vec<f64> = (0..14)
            .map(|_| {
                decoder.conceal(&mut out[..ten]).unwrap();
                rms(&out[..ten])
            })
            .collect();
        assert!(levels[0] > 4_000.0, "{codec:?} {levels:?}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] * 1.05), "{levels:?}");
        assert_eq!(levels[12..], [0.0, 0.0], "{codec:?}");
    }
}

#[test]
fn opus_fec_brings_a_lost_frame_back_better_than_concealment() {
    let settings = Encoding {
        codec: AudioCodec::Opus,
        bitrate: 24_000,
        fec: true,
        ptime_ms: 20,
    };
    let sent = voice(48_000, 48_000);
    let mut encoder = Encoder::new(settings).unwrap();
    let packets = encode_all(&mut encoder, &sent);
    let carrying = packets.iter().filter(|p| opus_has_fec(p)).count();
    println!("{carrying} of {} carry a copy", packets.len());
    assert!(carrying > packets.len() / 2);

    let frame_of = |lost: usize, with_fec: Option<bool>| {
        let mut decoder = Decoder::new(AudioCodec::Opus).unwrap();
        let mut out = [0; 5_760];
        for packet in &packets[..lost] {
            decoder.decode(packet, &mut out).unwrap();
        }
        match with_fec {
            None => decoder.decode(&packets[lost], &mut out).unwrap(),
            Some(true) => decoder
                .decode_fec(&packets[lost + 1], &mut out[..960])
                .unwrap(),
            Some(false) => {
                decoder.conceal(&mut out[..960]).unwrap();
                960
            }
        };
        out[..960].to_vec()
    };
    let mut better = 0;
    for lost in 20..40 {
        let whole = frame_of(lost, None);
        let error = |other: &[i16]| {
            let difference: Vec<i16> = whole
                .iter()
                .zip(other)
                .map(|(a, b)| a.saturating_sub(*b))
                .collect();
            rms(&difference)
        };
        if error(&frame_of(lost, Some(true))) < error(&frame_of(lost, Some(false))) {
            better += 1;
        }
    }
    println!("better in {better} of 20");
    assert!(better >= 15, "{better}");
}

#[test]
fn packers_of_every_length_keep_rtp_time_in_step_with_the_ticks() {
    for codec in CODECS {
        for ptime_ms in [10, 20, 30, 40, 60] {
            let format = wire::plan::AudioFormat {
                codec,
                payload_type: 0,
                ptime_ms,
                max_bitrate: None,
                inband_fec: false,
            };
            let encoding = Encoding::of(&format);
            let mut packer = Packer::new(encoding, 0).unwrap();
            let mut late = Packer::new(encoding, 7).unwrap();
            let frame = [0; FRAME];
            let mut ticks = 0;
            for tick in 0..60 {
                packer.push(&frame).unwrap();
                ticks += packer.packets().map(|(_, ticks)| ticks).sum::<u32>();
                if tick >= 7 {
                    late.push(&frame).unwrap();
                    assert_eq!(late.at_boundary(), packer.at_boundary());
                    assert_eq!(late.packets().count(), packer.packets().count());
                }
            }
            assert!(packer.at_boundary());
            assert_eq!(ticks, codec.rtp_clock() * 60 / 50, "{codec:?} {ptime_ms}");
        }
    }
}

#[test]
fn a_follower_continues_the_stream_without_a_step() {
    for codec in CODECS {
        let encoding = Encoding {
            bitrate: 32_000,
            ..encoding(codec)
        };
        let sent = tone(48_000, 400.0, 8_000.0, 960 * 60);
        let mut first = Packer::new(encoding, 0).unwrap();
        let mut second = Packer::new(encoding, 0).unwrap();
        let mut decoder = Decoder::new(codec).unwrap();
        let mut heard = Vec::new();
        for (n, frame) in sent.as_chunks::<FRAME>().0.iter().enumerate() {
            if n == 30 {
                second.follow(&first);
            }
            let packer = if n < 30 { &mut first } else { &mut second };
            packer.push(frame).unwrap();
            for (payload, _) in packer.packets() {
                let mut out = [0; 5_760];
                let count = decoder.decode(payload, &mut out).unwrap();
                heard.extend_from_slice(&out[..count]);
            }
        }
        let size = encoding.packet_samples();
        let usual = steepest(&heard[15 * size..29 * size]);
        let around = steepest(&heard[29 * size..34 * size]);
        let dip = rms(&heard[30 * size..31 * size]) / rms(&heard[20 * size..29 * size]);
        println!("{codec:?}: steepest {usual} -> {around}, level {dip:.2}");
        assert!(f64::from(around) < f64::from(usual) * 1.5, "{codec:?}");
        assert!((0.9..1.1).contains(&dip), "{codec:?} {dip}");
    }
}
