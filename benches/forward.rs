//! One video packet from one source to 1, 10 and 100 viewers through the engine, beside protection alone; and
//! 20 ms of a meeting of ten phones.
//!
//! `cargo bench -p campanile-media --bench forward`. The columns below the times are heap allocations: none
//! per packet once everything is set up. (In `ten_phones` the ten reports of levels in two seconds allocate, not
//! the packets.)
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use media::codec::{Encoder, Encoding};
use media::engine::{Config, Engine, LegSockets, SocketId};
use media::guard::Protector;
use media::guard::dtls::Identity;
use wire::plan::{
    AudioCodec, AudioFormat, AudioPlan, BridgeId, Connectivity, Direction, ExtensionIds, LegId,
    LegKind, LegPlan, MediaCommand, Protection, RtcpFeatures, SdesKey, SrtpProfile, StreamId,
    VideoCodec, VideoFormat, VideoReceive, VideoSend,
};
use wire::rtp::FixedHeader;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const GCM: SrtpProfile = SrtpProfile::AeadAes128Gcm;
const CM: SrtpProfile = SrtpProfile::AesCm128HmacSha1_80;

/// One packet of 1200 octets in, a copy for each viewer out.
#[divan::bench(args = [(GCM, 1), (GCM, 10), (GCM, 100), (CM, 1), (CM, 10), (CM, 100)])]
fn forward(bencher: Bencher<'_, '_>, (profile, viewers): (SrtpProfile, u64)) {
    let mut meeting = Meeting::new(profile);
    meeting.add_leg(0, vec![stream()], Vec::new());
    for viewer in 1..=viewers {
        meeting.add_leg(viewer, Vec::new(), vec![view()]);
    }
    let mut source = Source::new(profile);
    let now = meeting.now;
    let engine = &mut meeting.engine;
    let (socket, from) = (rtp_socket(0), address(0));
    engine.receive(now, socket, from, &mut source.video(true));
    assert_eq!(engine.outbox().len() as u64, viewers);
    // The outbox has grown to what it needs.
    engine.outbox().clear();
    bencher
        .counter(ItemsCount::new(viewers))
        .with_inputs(|| source.video(false))
        .bench_local_refs(|packet| {
            engine.receive(now, socket, from, packet);
            engine.outbox().clear();
        });
}

/// What forwarding cannot do without: the payload copied and protected for each viewer.
#[divan::bench(args = [(GCM, 1), (GCM, 10), (GCM, 100), (CM, 1), (CM, 10), (CM, 100)])]
fn protect_only(bencher: Bencher<'_, '_>, (profile, viewers): (SrtpProfile, u64)) {
    let mut protectors: Vec<Protector> = (0..viewers)
        .map(|n| Protector::new(&key(profile, n as u8)).unwrap())
        .collect();
    let mut room = vec![0; 2048];
    let payload = [7; PAYLOAD];
    let mut sequence = 0_u16;
    bencher.counter(ItemsCount::new(viewers)).bench_local(|| {
        sequence = sequence.wrapping_add(1);
        for protector in &mut protectors {
            let header = FixedHeader {
                marker: false,
                payload_type: 96,
                sequence,
                timestamp: 1,
                ssrc: 5,
            };
            let head = header.write(&mut room, &[]).unwrap();
            room[head..head + PAYLOAD].copy_from_slice(&payload);
            protector.protect_rtp(&mut room, head + PAYLOAD).unwrap();
        }
    });
}

/// 20 ms of ten phones that all speak: ten packets in, six of them mixed, ten out.
#[divan::bench(args = [AudioCodec::Pcmu, AudioCodec::Opus])]
fn ten_phones(bencher: Bencher<'_, '_>, codec: AudioCodec) {
    const PHONES: u64 = 10;
    let mut meeting = Meeting::new(GCM);
    for phone in 0..PHONES {
        meeting.codec = codec;
        meeting.add_leg(phone, Vec::new(), Vec::new());
    }
    let mut sources: Vec<Source> = (0..PHONES).map(|_| Source::new(GCM)).collect();
    let mut encoder = Encoder::new(Encoding::of(&format(codec))).unwrap();
    let mut phase = 0.0_f64;
    let mut next = || {
        let samples: Vec<i16> = (0..codec.sample_rate() / 50)
            .map(|_| {
                phase += 400.0 * std::f64::consts::TAU / f64::from(codec.sample_rate());
                (phase.sin() * 8000.0) as i16
            })
            .collect();
        let mut payload = [0; 1500];
        let len = encoder.encode(&samples, &mut payload).unwrap();
        let packets: Vec<Vec<u8>> = sources
            .iter_mut()
            .map(|source| source.audio(codec, &payload[..len]))
            .collect();
        packets
    };
    let mut now = meeting.now;
    let engine = &mut meeting.engine;
    let mut tick = |packets: &mut Vec<Vec<u8>>| {
        for (phone, packet) in packets.iter_mut().enumerate() {
            let phone = phone as u64;
            engine.receive(now, rtp_socket(phone), address(phone), packet);
        }
        now += Duration::from_millis(20);
        engine.timeout(now);
        engine.outbox().clear();
        while engine.poll_event().is_some() {}
    };
    for _ in 0..100 {
        tick(&mut next());
    }
    bencher
        .counter(ItemsCount::new(PHONES))
        .with_inputs(next)
        .bench_local_refs(tick);
}

/// Octets of an RTP packet of 1200 without its header.
const PAYLOAD: usize = 1188;

struct Meeting {
    engine: Engine,
    now: Instant,
    profile: SrtpProfile,
    codec: AudioCodec,
}

impl Meeting {
    fn new(profile: SrtpProfile) -> Self {
        let now = Instant::now();
        let engine = Engine::new(Config {
            epoch: (now, SystemTime::UNIX_EPOCH),
            seed: [1; 32],
            identity: Identity::generate().unwrap(),
            media_timeout: Duration::from_secs(1 << 20),
            held_timeout: Duration::from_secs(1 << 20),
            loudest: 6,
            outbox_datagrams: 128,
        });
        Self {
            engine,
            now,
            profile,
            codec: AudioCodec::Pcmu,
        }
    }

    fn add_leg(&mut self, n: u64, receive: Vec<VideoReceive>, send: Vec<VideoSend>) {
        let leg = LegId(n);
        let sockets = LegSockets::Phone {
            rtp: rtp_socket(n),
            rtcp: SocketId(n as u32 * 2 + 1),
            rtp_addr: address(1000 + n),
            rtcp_addr: address(2000 + n),
        };
        let kind = LegKind::Phone { ipv6: false };
        self.engine.open(self.now, leg, kind, sockets);
        let plan = Box::new(LegPlan {
            connectivity: Connectivity::Static {
                rtp: Some(address(n)),
                rtcp: None,
                peer: None,
            },
            protection: Protection::Sdes {
                local: key(self.profile, 1),
                remote: vec![key(self.profile, 2)],
            },
            rtcp_mux: true,
            rtcp: RtcpFeatures::default(),
            audio: Some(AudioPlan {
                direction: Direction::SendRecv,
                send: format(self.codec),
                receive: vec![format(self.codec)],
                telephone_events: Vec::new(),
                redundancy: None,
                comfort_noise: None,
            }),
            video_receive: receive,
            video_send: send,
            extensions: ExtensionIds::default(),
        });
        self.engine
            .command(self.now, MediaCommand::Configure { leg, plan });
        let bridge = BridgeId(1);
        self.engine
            .command(self.now, MediaCommand::Join { leg, bridge });
        while self.engine.poll_event().is_some() {}
    }
}

/// Makes the protected packets of one party.
struct Source {
    protector: Protector,
    sequence: u16,
    timestamp: u32,
}

impl Source {
    fn new(profile: SrtpProfile) -> Self {
        Self {
            protector: Protector::new(&key(profile, 2)).unwrap(),
            sequence: 0,
            timestamp: 0,
        }
    }

    fn video(&mut self, key_frame: bool) -> Vec<u8> {
        let mut payload = [7; PAYLOAD];
        payload[0] = 0x10;
        payload[1] = u8::from(!key_frame);
        self.packet(96, 500, 3000, &payload)
    }

    fn audio(&mut self, codec: AudioCodec, payload: &[u8]) -> Vec<u8> {
        let ticks = codec.rtp_clock() / 50;
        self.packet(format(codec).payload_type, 600, ticks, payload)
    }

    fn packet(&mut self, payload_type: u8, ssrc: u32, ticks: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        let header = FixedHeader {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc,
        };
        let mut packet = vec![0; 2048];
        let head = header.write(&mut packet, &[]).unwrap();
        packet[head..head + payload.len()].copy_from_slice(payload);
        let len = head + payload.len();
        let len = self.protector.protect_rtp(&mut packet, len).unwrap();
        packet.truncate(len);
        packet
    }
}

fn rtp_socket(n: u64) -> SocketId {
    SocketId(n as u32 * 2)
}

fn address(n: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 10_000 + n as u16))
}

fn key(profile: SrtpProfile, fill: u8) -> SdesKey {
    SdesKey::new(profile, vec![fill; profile.key_len() + profile.salt_len()])
}

fn format(codec: AudioCodec) -> AudioFormat {
    AudioFormat {
        codec,
        payload_type: if codec == AudioCodec::Opus { 111 } else { 0 },
        ptime_ms: 20,
        max_bitrate: None,
        inband_fec: false,
    }
}

fn stream() -> VideoReceive {
    VideoReceive {
        mid: "1".into(),
        stream: StreamId(1),
        formats: vec![video_format()],
        ssrcs: vec![500],
        rtx_ssrcs: Vec::new(),
    }
}

fn view() -> VideoSend {
    VideoSend {
        mid: "2".into(),
        source: StreamId(1),
        ssrc: 700,
        formats: vec![video_format()],
    }
}

fn video_format() -> VideoFormat {
    VideoFormat {
        codec: VideoCodec::Vp8,
        payload_type: 96,
        rtx: None,
    }
}
