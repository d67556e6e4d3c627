//! Speech through bad networks: the same packets at the same times to our engine, to no buffer at all, and to baresip.
//!
//! `tools/quality` makes the speech, runs this, and judges what came out; this leaves the sounds and a table of the
//! figures in the folder that `CAMPANILE_QUALITY` names.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use media::codec::{Decoder, Encoder, Encoding, FRAME};
use media::engine::{Config, Engine, Event, LegSockets, SocketId};
use media::guard::dtls::Identity;
use media::measure::sample::Sample;
use media::smooth::{Arrived, Counters, PlayOut};
use network::{Conditions, Delay, Fate, Link, Loss};
use wire::plan::{
    AudioCodec, AudioFormat, AudioPlan, Connectivity, Direction, ExtensionIds, LegId, LegKind,
    LegPlan, MediaCommand, Protection, RtcpFeatures,
};

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::dialler::{Dialler, audio_port};
use crate::support::sound::Sound;

const MS: Duration = Duration::from_millis(1);
/// What follows the speech, so that the last of it comes out of every buffer.
const REST: Duration = Duration::from_millis(600);
const CODECS: [AudioCodec; 4] = [
    AudioCodec::Opus,
    AudioCodec::G722,
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
];
const JITTERS_MS: [u32; 4] = [0, 20, 60, 100];
/// Calls to baresip beside each other: more would be late by the machine's own doing.
const AT_ONCE: usize = 10;

/// A codec over a network.
#[derive(Clone, Copy)]
struct Case {
    codec: AudioCodec,
    percent: u8,
    bursty: bool,
    jitter_ms: u32,
}

/// A packet that arrives, after so long.
struct Arrival {
    after: Duration,
    sequence: u16,
    packet: Vec<u8>,
}

/// What was sent, and what of it arrives, in the order of arrival.
struct Passage {
    sent: u64,
    lost: u64,
    jitter_ms: f64,
    arrivals: Vec<Arrival>,
    end: Duration,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let losses = [(0, false)].into_iter().chain(
            [1, 5, 10, 20]
                .into_iter()
                .flat_map(|percent| [(percent, false), (percent, true)]),
        );
        CODECS.into_iter().flat_map(move |codec| {
            losses.clone().flat_map(move |(percent, bursty)| {
                JITTERS_MS.into_iter().map(move |jitter_ms| Self {
                    codec,
                    percent,
                    bursty,
                    jitter_ms,
                })
            })
        })
    }

    fn name(self) -> String {
        let kind = if self.bursty { "bursty" } else { "random" };
        let codec = self.codec.encoding_name();
        format!("{codec}-{kind}-{}-{}", self.percent, self.jitter_ms)
    }

    fn conditions(self) -> Conditions {
        let share = f64::from(self.percent) / 100.0;
        Conditions {
            loss: match (self.percent, self.bursty) {
                (0, _) => Loss::Nothing,
                (_, false) => Loss::Random(share),
                (_, true) => Loss::bursts(share, 3.0),
            },
            delay: if self.jitter_ms == 0 {
                Delay::Fixed(MS * 20)
            } else {
                Delay::Uniform {
                    least: MS * 20,
                    most: MS * (20 + self.jitter_ms),
                }
            },
            ..Conditions::default()
        }
    }

    fn format(self) -> AudioFormat {
        AudioFormat {
            codec: self.codec,
            payload_type: match self.codec {
                AudioCodec::Opus => 111,
                AudioCodec::G722 => 9,
                AudioCodec::Pcmu => 0,
                AudioCodec::Pcma => 8,
            },
            ptime_ms: 20,
            max_bitrate: None,
            inband_fec: true,
        }
    }

    /// The same network for every codec: the first of a series whose loss is within a fifth of what is wanted,
    /// which some hundred packets do not come to by themselves.
    fn network(self, start: Instant, packets: u32) -> Link {
        let wanted = f64::from(self.percent) / 100.0 * f64::from(packets);
        let series =
            u64::from(self.percent) << 32 | u64::from(self.jitter_ms) << 1 | u64::from(self.bursty);
        let link = |n: u64| Link::new(n << 40 | series, self.conditions(), start);
        let fits = |n: &u64| {
            let mut trial = link(*n);
            for packet in 0..packets {
                trial.pass(start + MS * 20 * packet, 0);
            }
            (trial.tally().lost as f64 - wanted).abs() <= wanted / 5.0
        };
        link((0..10_000).find(fits).unwrap())
    }

    /// Encodes speech and lets it pass the network.
    fn passage(self, speech: &[i16]) -> Passage {
        let encoding = Encoding::of(&self.format());
        let mut encoder = Encoder::new(encoding).unwrap();
        let start = Instant::now();
        let packets = speech.len() / encoding.packet_samples();
        let mut link = self.network(start, packets as u32);
        let mut arrivals = Vec::new();
        let mut end = Duration::ZERO;
        for (n, samples) in speech.chunks_exact(encoding.packet_samples()).enumerate() {
            let mut payload = [0; 1500];
            let len = encoder.encode(samples, &mut payload).unwrap();
            let sequence = 1000 + n as u16;
            let timestamp = (n as u32).wrapping_mul(encoding.packet_ticks());
            let first = if n == 0 { 0x80 } else { 0 };
            let mut packet = vec![0x80, self.format().payload_type | first];
            packet.extend(sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(0x0c0f_fee0_u32.to_be_bytes());
            packet.extend(&payload[..len]);
            let sent = MS * 20 * n as u32;
            end = sent + MS * 20;
            if let Fate::Arrives { at, .. } = link.pass(start + sent, packet.len()) {
                arrivals.push(Arrival {
                    after: at - start,
                    sequence,
                    packet,
                });
            }
        }
        arrivals.sort_by_key(|arrival| (arrival.after, arrival.sequence));
        Passage {
            sent: link.tally().sent,
            lost: link.tally().lost,
            jitter_ms: jitter_ms(&arrivals),
            arrivals,
            end: end + REST,
        }
    }
}

/// The mean of J (RFC 3550 §6.4.1), from when packets were sent and arrive.
fn jitter_ms(arrivals: &[Arrival]) -> f64 {
    let (mut jitter, mut sum) = (0.0, 0.0);
    for pair in arrivals.windows(2) {
        let arrived = (pair[1].after - pair[0].after).as_secs_f64() * 1e3;
        let sent = 20.0 * f64::from(pair[1].sequence.wrapping_sub(pair[0].sequence) as i16);
        jitter += ((arrived - sent).abs() - jitter) / 16.0;
        sum += jitter;
    }
    sum / (arrivals.len() - 1) as f64
}

/// Through a leg of our engine, in virtual time: what it hears (at 48 kHz), and its figures.
fn ours(case: Case, passage: &Passage) -> (Vec<i16>, Sample) {
    let start = Instant::now();
    let mut engine = Engine::new(Config {
        epoch: (start, UNIX_EPOCH),
        seed: [1; 32],
        identity: Identity::generate().unwrap(),
        media_timeout: Duration::from_secs(30),
        held_timeout: Duration::from_secs(1800),
        loudest: 6,
        outbox_datagrams: 64,
    });
    let (leg, rtp) = (LegId(1), SocketId(1));
    let here = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let there = |port| SocketAddr::from(([10, 0, 0, 2], port));
    let sockets = LegSockets::Phone {
        rtp,
        rtcp: SocketId(2),
        rtp_addr: here(10_000),
        rtcp_addr: here(10_001),
    };
    engine.open(start, leg, LegKind::Phone { ipv6: false }, sockets);
    let plan = LegPlan {
        connectivity: Connectivity::Static {
            rtp: Some(there(4000)),
            rtcp: Some(there(4001)),
            peer: Some(there(4000).ip()),
        },
        protection: Protection::Plain,
        rtcp_mux: false,
        rtcp: RtcpFeatures::default(),
        audio: Some(AudioPlan {
            direction: Direction::SendRecv,
            send: case.format(),
            receive: vec![case.format()],
            telephone_events: Vec::new(),
            redundancy: None,
            comfort_noise: None,
        }),
        video_receive: Vec::new(),
        video_send: Vec::new(),
        extensions: ExtensionIds::default(),
    };
    let plan = Box::new(plan);
    engine.command(start, MediaCommand::Configure { leg, plan });
    engine.set_tap(leg, true);
    let mut heard = Vec::new();
    let mut sample = None;
    let mut drain = |engine: &mut Engine| {
        engine.outbox().clear();
        while let Some(event) = engine.poll_event() {
            match event {
                Event::Heard { samples_48k, .. } => heard.extend(samples_48k),
                Event::Sample(of_leg) => sample = Some(*of_leg),
                Event::Media(_) | Event::SocketsFree { .. } => {}
            }
        }
    };
    let mut coming = passage.arrivals.iter().peekable();
    let end = start + passage.end;
    loop {
        let due = engine.next_timeout().unwrap();
        while let Some(arrival) = coming.next_if(|arrival| start + arrival.after <= due) {
            let mut packet = arrival.packet.clone();
            engine.receive(start + arrival.after, rtp, there(4000), &mut packet);
        }
        if due > end {
            break;
        }
        engine.timeout(due);
        drain(&mut engine);
    }
    engine.command(end, MediaCommand::Close { leg });
    drain(&mut engine);
    (heard, sample.unwrap())
}

/// The same packets through the leg's jitter buffer alone, for what it counts until the last of them; ticks in all.
fn counters(case: Case, passage: &Passage) -> (Counters, u64) {
    let start = Instant::now();
    let mut playout = PlayOut::new(&[case.format()]).unwrap();
    let mut coming = passage.arrivals.iter().peekable();
    let mut frame = [0; FRAME];
    let mut ticks = 0;
    let mut now = MS * 7;
    while coming.peek().is_some() {
        while let Some(arrival) = coming.next_if(|arrival| arrival.after <= now) {
            let [.., a, b, c, d] = *arrival.packet.first_chunk::<8>().unwrap();
            let arrived = Arrived {
                sequence: u64::from(arrival.sequence),
                timestamp: u32::from_be_bytes([a, b, c, d]),
                payload_type: arrival.packet[1] & 0x7f,
                marker: arrival.packet[1] > 0x7f,
                level: None,
                payload: &arrival.packet[12..],
            };
            playout.put(start + arrival.after, &arrived);
        }
        playout.tick(start + now, &mut frame);
        ticks += 1;
        now += MS * 20;
    }
    (playout.counters(), ticks)
}

/// Without any buffer: every 20 ms the newest of what came since plays, and silence where nothing came.
fn bare(case: Case, passage: &Passage) -> Vec<i16> {
    let mut decoder = Decoder::new(case.codec).unwrap();
    let samples = Encoding::of(&case.format()).packet_samples();
    let mut coming = passage.arrivals.iter().peekable();
    let mut sound = Vec::new();
    let mut now = MS * 7;
    while now < passage.end {
        let mut frame = vec![0; samples];
        while let Some(arrival) = coming.next_if(|arrival| arrival.after <= now) {
            decoder.decode(&arrival.packet[12..], &mut frame).unwrap();
        }
        sound.extend(frame);
        now += MS * 20;
    }
    sound
}

/// To a baresip that answers, in real time: what came out behind its buffers. `None` when it is missing.
fn theirs(case: Case, passage: &Passage, folder: &Path) -> Option<Sound> {
    let codec = match case.codec {
        AudioCodec::Opus => Codec::Opus,
        AudioCodec::G722 => Codec::G722,
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
    };
    let phone = Phone {
        transport: "udp",
        encryption: "",
        answers: true,
        echoes: true,
        ..Phone::new("callee", 0.0, codec)
    };
    let mut phone = Baresip::start(folder, phone)?;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut dialler = Dialler::new(phone.address, "callee");
    let (payload_type, map) = match case.codec {
        AudioCodec::Opus => (111, "opus/48000/2"),
        AudioCodec::G722 => (9, "G722/8000"),
        AudioCodec::Pcmu => (0, "PCMU/8000"),
        AudioCodec::Pcma => (8, "PCMA/8000"),
    };
    let answer = dialler.invite(&format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {map}\r\n",
        socket.local_addr().unwrap().port()
    ));
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    let to = SocketAddr::from(([127, 0, 0, 1], audio_port(&answer)));
    let start = Instant::now() + MS * 200;
    for arrival in &passage.arrivals {
        let at = start + arrival.after;
        thread::sleep(at.saturating_duration_since(Instant::now()));
        socket.send_to(&arrival.packet, to).unwrap();
    }
    thread::sleep((start + passage.end).saturating_duration_since(Instant::now()));
    dialler.send("BYE", 2, "");
    phone.wait_for_end();
    Some(phone.said())
}

fn write(path: &Path, rate: u32, samples: &[i16]) {
    let samples = samples.iter().map(|&s| f64::from(s) / 32_768.0).collect();
    Sound { rate, samples }.write(path);
}

/// Speech at a codec's rate, from the folder.
fn speech(folder: &Path, rate: u32) -> Vec<i16> {
    let sound = Sound::read(&folder.join(format!("speech-{rate}.wav")));
    assert_eq!(sound.rate, rate);
    let samples = sound.samples.iter();
    samples.map(|s| (s * 32_768.0).round() as i16).collect()
}

#[test]
#[ignore = "some minutes: tools/quality runs it, and judges what came out"]
fn speech_through_bad_networks() {
    let folder = std::env::var_os("CAMPANILE_QUALITY").expect("CAMPANILE_QUALITY names no folder");
    let folder = PathBuf::from(folder);
    let mut table =
        "case\tcodec\tkind\tpercent\tjitter_ms\tsent\tlost\tinjected_jitter_ms\treported_lost\
         \treported_jitter_ms\treported_mos\tconcealed_percent\tlate\n"
            .to_owned();
    let mut calls = VecDeque::new();
    for case in Case::all() {
        let rate = case.codec.sample_rate();
        let passage = case.passage(&speech(&folder, rate));
        let (heard, sample) = ours(case, &passage);
        let (counted, ticks) = counters(case, &passage);
        let name = case.name();
        write(&folder.join(format!("{name}.ours.wav")), 48_000, &heard);
        let bare = bare(case, &passage);
        write(&folder.join(format!("{name}.bare.wav")), rate, &bare);
        let kind = if case.bursty { "bursty" } else { "random" };
        writeln!(
            table,
            "{name}\t{}\t{kind}\t{}\t{}\t{}\t{}\t{:.3}\t{}\t{:.3}\t{:.2}\t{:.2}\t{}",
            case.codec.encoding_name(),
            case.percent,
            case.jitter_ms,
            passage.sent,
            passage.lost,
            passage.jitter_ms,
            sample.received.packets_lost.unwrap(),
            sample.received.jitter_us.unwrap() as f64 / 1000.0,
            sample.mos.unwrap(),
            100.0 * counted.concealed as f64 / ticks as f64,
            counted.late,
        )
        .unwrap();
        calls.push_back((case, passage));
    }
    fs::write(folder.join("figures.tsv"), table).unwrap();
    let calls = Mutex::new(calls);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((case, passage)) = calls.lock().unwrap().pop_front() else {
                        return;
                    };
                    let of_call = tempfile::tempdir().unwrap();
                    if let Some(said) = theirs(case, &passage, of_call.path()) {
                        said.write(&folder.join(format!("{}.baresip.wav", case.name())));
                    }
                }
            });
        }
    });
}
