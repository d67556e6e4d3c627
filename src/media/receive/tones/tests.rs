//! Keys made of tones, near-keys, and speech.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::AudioCodec;

use super::*;
use crate::codec::{Decoder, Encoder, Encoding, Resampler};

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// How a key is sounded.
#[derive(Clone, Copy)]
struct Press {
    ms: f64,
    /// Frequencies off by this share.
    off: f64,
    /// Peak of the low and of the high tone.
    peaks: (f64, f64),
}

const USUAL: Press = Press {
    ms: 80.0,
    off: 0.0,
    peaks: (6_000.0, 6_000.0),
};

fn key(sound: &mut Vec<f64>, digit: char, press: Press) {
    let place = KEYS.iter().position(|&k| char::from(k) == digit).unwrap();
    let turn = |hz: f64, n: usize| {
        (std::f64::consts::TAU * hz * (1.0 + press.off) * n as f64 / 48_000.0).sin()
    };
    for n in 0..(press.ms * 48.0) as usize {
        let low = press.peaks.0 * turn(ROWS[place / 4], n);
        sound.push(low + press.peaks.1 * turn(COLUMNS[place % 4], n));
    }
}

fn silence(sound: &mut Vec<f64>, ms: f64) {
    sound.extend(std::iter::repeat_n(0.0, (ms * 48.0) as usize));
}

fn told(sound: &[i16]) -> String {
    let mut reader = ToneReader::new();
    let frames = sound.as_chunks::<FRAME>().0;
    frames
        .iter()
        .filter_map(|frame| reader.hear(frame))
        .collect()
}

/// The keys one after the other with a pause between, from any phase of the ticks.
fn told_of(digits: &str, press: Press, pause_ms: f64, noise: f64) -> String {
    let mut chance = StdRng::seed_from_u64(7);
    let mut sound = Vec::new();
    silence(&mut sound, 33.0);
    for digit in digits.chars() {
        key(&mut sound, digit, press);
        silence(&mut sound, pause_ms);
    }
    silence(&mut sound, 60.0);
    let sound: Vec<i16> = sound
        .iter()
        .map(|s| (s + noise * chance.random_range(-1.0..1.0)) as i16)
        .collect();
    told(&sound)
}

const ALL: &str = "123A456B789C*0#D1122";

#[test]
fn every_key_is_told_once_however_long_it_is() {
    for ms in [40.0, 50.0, 80.0, 100.0, 500.0, 3_000.0] {
        assert_eq!(
            told_of(ALL, Press { ms, ..USUAL }, 60.0, 0.0),
            ALL,
            "{ms} ms"
        );
    }
}

#[test]
fn what_q24_accepts_is_accepted() {
    for off in [-0.015, 0.015] {
        assert_eq!(
            told_of(ALL, Press { off, ..USUAL }, 50.0, 0.0),
            ALL,
            "off by {off}"
        );
    }
    // The high tone 4 dB stronger, the low one 8 dB.
    for peaks in [(4_000.0, 6_300.0), (6_000.0, 2_400.0)] {
        assert_eq!(
            told_of(ALL, Press { peaks, ..USUAL }, 50.0, 0.0),
            ALL,
            "{peaks:?}"
        );
    }
    // 25 dB weaker than usual, and noise 15 dB below the tones.
    let peaks = (400.0, 400.0);
    assert_eq!(told_of(ALL, Press { peaks, ..USUAL }, 50.0, 0.0), ALL);
    assert_eq!(told_of(ALL, USUAL, 50.0, 1_800.0), ALL);
}

#[test]
fn what_q24_rejects_is_rejected() {
    for ms in [10.0, 20.0, 23.0] {
        assert_eq!(
            told_of(ALL, Press { ms, ..USUAL }, 60.0, 0.0),
            "",
            "{ms} ms"
        );
    }
    for off in [-0.035, 0.035] {
        let keys = told_of(ALL, Press { off, ..USUAL }, 60.0, 0.0);
        assert!(keys.len() <= ALL.len() / 2, "off by {off}: {keys}");
    }
    // One tone alone, and two of which one is 15 dB weaker.
    for peaks in [(8_000.0, 0.0), (0.0, 8_000.0), (8_000.0, 1_400.0)] {
        assert_eq!(
            told_of(ALL, Press { peaks, ..USUAL }, 60.0, 0.0),
            "",
            "{peaks:?}"
        );
    }
}

#[test]
fn a_break_of_10_ms_does_not_make_two_presses_of_one() {
    let mut sound = Vec::new();
    silence(&mut sound, 40.0);
    for _ in 0..2 {
        key(&mut sound, '5', Press { ms: 60.0, ..USUAL });
        silence(&mut sound, 10.0);
    }
    silence(&mut sound, 100.0);
    let sound: Vec<i16> = sound.iter().map(|&s| s as i16).collect();
    assert_eq!(told(&sound), "5");
}

#[test]
fn keys_survive_g711_and_g722() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        let mut sound = Vec::new();
        for digit in ALL.chars() {
            key(&mut sound, digit, Press { ms: 60.0, ..USUAL });
            silence(&mut sound, 60.0);
        }
        let sound: Vec<i16> = sound.iter().map(|&s| s as i16).collect();
        assert_eq!(told(&over(codec, &sound)), ALL, "{codec:?}");
    }
}

#[test]
fn speech_is_no_key() {
    // The prompts that are built in, spoken by a synthesiser: 22 s of speech, at several levels, over G.711.
    let prompts: [&[u8]; 4] = [
        include_bytes!("../../../../config/prompts/enter-meeting-id.wav"),
        include_bytes!("../../../../config/prompts/goodbye.wav"),
        include_bytes!("../../../../config/prompts/meeting-ended.wav"),
        include_bytes!("../../../../config/prompts/unknown-meeting-id.wav"),
    ];
    let mut seconds = 0.0;
    for wav in prompts {
        let speech: Vec<i16> = wav[44..]
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&pair| i16::from_le_bytes(pair))
            .collect();
        for gain in [0.25, 0.5, 1.0, 2.0] {
            let louder: Vec<i16> = speech
                .iter()
                .map(|&s| (f64::from(s) * gain) as i16)
                .collect();
            seconds += louder.len() as f64 / 48_000.0;
            assert_eq!(told(&louder), "");
            assert_eq!(told(&over(AudioCodec::Pcmu, &louder)), "");
        }
    }
    println!("no key in {seconds:.0} s of speech");
}

/// Through a codec at its own rate, and back to 48 kHz.
fn over(codec: AudioCodec, sound: &[i16]) -> Vec<i16> {
    let encoding = Encoding {
        codec,
        bitrate: 64_000,
        fec: false,
        ptime_ms: 20,
    };
    let mut down = Resampler::new(48_000, codec.sample_rate()).unwrap();
    let mut up = Resampler::new(codec.sample_rate(), 48_000).unwrap();
    let mut encoder = Encoder::new(encoding).unwrap();
    let mut decoder = Decoder::new(codec).unwrap();
    let mut heard = Vec::new();
    for frame in sound.as_chunks::<FRAME>().0 {
        let (mut narrow, mut payload, mut wide) = ([0; FRAME], [0; FRAME], [0; FRAME]);
        let count = down.process(frame, &mut narrow).unwrap();
        let length = encoder.encode(&narrow[..count], &mut payload).unwrap();
        let count = decoder.decode(&payload[..length], &mut narrow).unwrap();
        let count = up.process(&narrow[..count], &mut wide).unwrap();
        heard.extend_from_slice(&wide[..count]);
    }
    heard
}
