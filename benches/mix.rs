//! A mixer tick of a meeting with 50 Opus parties, beside a bare loop of the encoding that it cannot avoid.
//!
//! Six parties speak all the time and 44 are silent; all announce their levels. A tick is everything between
//! decrypted packets in and payloads out: jitter buffer, decoding, mixing, one shared encoding, six own ones.
//! Real time is 20 ms per tick. Allocations after set-up must be 0.

use std::time::{Duration, Instant};

use divan::{AllocProfiler, Bencher};
use media::codec::{Encoder, Encoding, FRAME};
use media::mix::{Listener, Mixer, PartyId, SharedEncoders};
use media::smooth::{Arrived, PlayOut};
use wire::plan::{AudioCodec, AudioFormat};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const PARTIES: usize = 50;
const SPEAKING: usize = 6;
const OPUS: AudioFormat = AudioFormat {
    codec: AudioCodec::Opus,
    payload_type: 111,
    ptime_ms: 20,
    max_bitrate: None,
    inband_fec: false,
};

/// Eight seconds of a voice-like sound at 48 kHz: overtones of a gliding pitch.
fn voice(pitch: f64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..48_000 * 8)
        .map(|n| {
            let seconds = f64::from(n) / 48_000.0;
            phase += std::f64::consts::TAU * (pitch + 30.0 * (seconds * 9.0).sin()) / 48_000.0;
            let sum: f64 = (1..14)
                .map(|k| (phase * f64::from(k)).sin() / f64::from(k))
                .sum();
            (sum * 3_000.0) as i16
        })
        .collect()
}

fn packets(pitch: f64) -> Vec<Vec<u8>> {
    let Ok(mut encoder) = Encoder::new(Encoding::of(&OPUS)) else {
        return Vec::new();
    };
    voice(pitch)
        .as_chunks::<FRAME>()
        .0
        .iter()
        .map(|frame| {
            let mut out = [0; 1_500];
            let length = encoder.encode(frame, &mut out).unwrap_or(0);
            out[..length].to_vec()
        })
        .collect()
}

#[allow(
    clippy::disallowed_methods,
    reason = "any instant will do as the start of virtual time"
)]
fn start() -> Instant {
    Instant::now()
}

struct Leg {
    id: PartyId,
    playout: PlayOut,
    listener: Listener,
    speaks: Option<Vec<Vec<u8>>>,
}

struct Meeting {
    mixer: Mixer,
    encoders: SharedEncoders,
    legs: Vec<Leg>,
    silence: Vec<u8>,
    start: Instant,
    ticks: u64,
}

impl Meeting {
    fn new() -> Option<Self> {
        let mut mixer = Mixer::new(SPEAKING);
        let mut encoders = SharedEncoders::new();
        let mut legs = Vec::new();
        for n in 0..PARTIES {
            legs.push(Leg {
                id: mixer.join(),
                playout: PlayOut::new(&[OPUS]).ok()?,
                listener: Listener::new(Encoding::of(&OPUS), &mut encoders).ok()?,
                speaks: (n < SPEAKING).then(|| packets(100.0 + 17.0 * n as f64)),
            });
        }
        let mut silent = Encoder::new(Encoding::of(&OPUS)).ok()?;
        let mut out = [0; 1_500];
        let length = silent.encode(&[0; FRAME], &mut out).ok()?;
        let mut meeting = Self {
            mixer,
            encoders,
            legs,
            silence: out[..length].to_vec(),
            start: start(),
            ticks: 0,
        };
        for _ in 0..100 {
            meeting.tick();
        }
        Some(meeting)
    }

    /// One tick; returns the octets of all payloads.
    fn tick(&mut self) -> usize {
        let Self {
            mixer,
            encoders,
            legs,
            silence,
            start,
            ticks,
        } = self;
        let now = *start + Duration::from_millis(20 * *ticks);
        for leg in legs.iter_mut() {
            let (payload, level) = match &leg.speaks {
                Some(packets) => (&packets[*ticks as usize % packets.len()], 20),
                None => (&*silence, 127),
            };
            leg.playout.put(
                now,
                &Arrived {
                    sequence: *ticks,
                    timestamp: (*ticks as u32).wrapping_mul(960),
                    payload_type: 111,
                    marker: false,
                    level: Some(level),
                    payload,
                },
            );
            mixer.announce(leg.id, leg.playout.level_ahead());
        }
        mixer.begin();
        for leg in legs.iter_mut() {
            if mixer.wants(leg.id) {
                if let Some(frame) = mixer.frame_mut(leg.id) {
                    leg.playout.tick(now, frame);
                }
            } else {
                leg.playout.skip(now);
            }
        }
        mixer.mix();
        for leg in legs.iter_mut() {
            leg.listener.turn(mixer.is_heard(leg.id), encoders);
        }
        let mut octets = usize::from(encoders.encode(mixer.shared()).is_err());
        for leg in legs.iter_mut() {
            if let Ok(packets) = leg.listener.packets(mixer.hears(leg.id), encoders) {
                octets += packets.map(|(payload, _)| payload.len()).sum::<usize>();
            }
        }
        *ticks += 1;
        octets
    }
}

/// One tick of the whole meeting.
#[divan::bench]
fn tick_of_50_opus_parties(bencher: Bencher<'_, '_>) {
    let mut meeting = Meeting::new();
    bencher.bench_local(move || meeting.as_mut().map(Meeting::tick));
}

/// The seven encodings of that tick and nothing else, straight from libopus.
#[divan::bench(args = [1, 7])]
fn bare_opus_encodings(bencher: Bencher<'_, '_>, count: usize) {
    let sounds: Vec<_> = (0..count).map(|n| voice(100.0 + 17.0 * n as f64)).collect();
    let mut encoders: Vec<_> = (0..count)
        .filter_map(|_| Encoder::new(Encoding::of(&OPUS)).ok())
        .collect();
    let mut out = [0; 1_500];
    let mut n = 0;
    bencher.bench_local(move || {
        n = (n + 1) % 400;
        encoders
            .iter_mut()
            .zip(&sounds)
            .filter_map(|(encoder, sound)| {
                encoder
                    .encode(&sound[n * FRAME..(n + 1) * FRAME], &mut out)
                    .ok()
            })
            .sum::<usize>()
    });
}

/// Mixing alone: six voices, 44 listeners, no codec.
#[divan::bench]
fn mix_of_50_without_codecs(bencher: Bencher<'_, '_>) {
    let mut mixer = Mixer::new(SPEAKING);
    let ids: Vec<_> = (0..PARTIES).map(|_| mixer.join()).collect();
    let sound = voice(140.0);
    bencher.bench_local(move || {
        for (n, &id) in ids.iter().enumerate() {
            mixer.announce(id, Some(if n < SPEAKING { 20 } else { 127 }));
        }
        mixer.begin();
        for &id in &ids {
            if mixer.wants(id)
                && let Some(frame) = mixer.frame_mut(id)
            {
                frame.copy_from_slice(&sound[..FRAME]);
            }
        }
        mixer.mix();
        mixer.shared()[0]
    });
}
