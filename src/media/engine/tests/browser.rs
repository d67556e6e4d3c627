//! A small WebRTC client made of the crate's own parts, and what it and the engine make of each other.

use std::net::SocketAddr;
use std::time::Duration;

use wire::plan::{
    AudioCodec, BridgeId, Connectivity, ExtensionIds, Fingerprint, IceCredentials, LegId, LegPlan,
    LocalMedia, MediaCommand, MediaEvent, MediaLoss, Prompt, Protection, RtcpFeatures,
    VideoReceive, VideoSend,
};
use wire::rtcp::{self, Packet, Writer};
use wire::rtp::{DemuxClass, FixedHeader, RtpView, demux_class};
use wire::stun::{IceRole, RequestWriter};

use super::audio::connect;
use super::net::{World, audio_plan, loudness, share_of_tone, tone};
use crate::codec::{Decoder, Encoder, Encoding};
use crate::engine::{Consumed, Dropped, Sent, SocketId};
use crate::guard::dtls::{Handshake, Identity, Output, PeerKind};
use crate::guard::{Protector, Unprotector};

pub(super) const SERVER: usize = 0;

/// One browser: an address, a DTLS client, and what it received.
pub(super) struct Browser {
    pub(super) leg: LegId,
    pub(super) address: SocketAddr,
    server: SocketAddr,
    local: LocalMedia,
    credentials: IceCredentials,
    identity: Identity,
    handshake: Option<Handshake>,
    keys: Option<(Protector, Unprotector)>,
    /// RTP packets in the clear.
    pub(super) received: Vec<Vec<u8>>,
    pub(super) reports: Vec<Packet>,
    /// The same, compound by compound.
    pub(super) compounds: Vec<Vec<Packet>>,
    /// What it agrees to about RTCP.
    pub(super) rtcp: RtcpFeatures,
    pub(super) answers: usize,
}

impl Browser {
    /// Opens and configures a leg on the shared port; no packet has flowed yet.
    pub(super) fn new(
        world: &mut World,
        leg: LegId,
        shared: (SocketId, SocketAddr),
        video: (Vec<VideoReceive>, Vec<VideoSend>),
    ) -> Self {
        let local = world.open_browser(SERVER, leg, shared);
        let number = leg.0 as u8;
        let mut browser = Self {
            leg,
            address: SocketAddr::from(([192, 0, 2, number], 50_000)),
            server: shared.1,
            local,
            credentials: IceCredentials {
                ufrag: format!("browser{number}"),
                pwd: "browserbrowserbrowserbrowser".into(),
            },
            identity: Identity::generate().unwrap(),
            handshake: None,
            keys: None,
            received: Vec::new(),
            reports: Vec::new(),
            compounds: Vec::new(),
            rtcp: RtcpFeatures::default(),
            answers: 0,
        };
        let fingerprint = browser.identity.fingerprint().clone();
        browser.agree(world, video, fingerprint);
        browser
    }

    pub(super) fn agree(
        &mut self,
        world: &mut World,
        (video_receive, video_send): (Vec<VideoReceive>, Vec<VideoSend>),
        remote_fingerprint: Fingerprint,
    ) {
        let plan = LegPlan {
            connectivity: Connectivity::IceLite {
                remote: self.credentials.clone(),
            },
            protection: Protection::Dtls {
                active: false,
                remote_fingerprint,
            },
            rtcp_mux: true,
            rtcp: self.rtcp,
            audio: Some(audio_plan(AudioCodec::Opus)),
            video_receive,
            video_send,
            extensions: ExtensionIds {
                mid: Some(4),
                audio_level: Some(1),
                ..ExtensionIds::default()
            },
        };
        world.configure(SERVER, self.leg, plan);
    }

    /// Agrees anew on video only.
    pub(super) fn renegotiate(
        &mut self,
        world: &mut World,
        video: (Vec<VideoReceive>, Vec<VideoSend>),
    ) {
        let fingerprint = self.identity.fingerprint().clone();
        self.agree(world, video, fingerprint);
    }

    pub(super) fn check_with(&self, world: &mut World, password: &str) {
        let username = format!(
            "{}:{}",
            self.local.ice.as_ref().unwrap().ufrag,
            self.credentials.ufrag
        );
        let request = RequestWriter {
            username: &username,
            password: password.as_bytes(),
            priority: 1,
            use_candidate: true,
            role: IceRole::Controlling(1),
        };
        let mut out = [0; 256];
        let len = request.write(&mut out, b"transaction1").unwrap();
        world.inject(self.address, self.server, &out[..len]);
    }

    pub(super) fn check(&self, world: &mut World) {
        let password = self.local.ice.as_ref().unwrap().pwd.clone();
        self.check_with(world, &password);
    }

    fn start_handshake(&mut self, world: &mut World) {
        let text = self.local.fingerprint.clone().unwrap();
        let digest = text
            .split(':')
            .map(|hex| u8::from_str_radix(hex, 16).unwrap())
            .collect();
        let remote = Fingerprint {
            hash: "sha-256".into(),
            digest,
        };
        self.handshake = Some(Handshake::new(
            &self.identity,
            PeerKind::Browser,
            true,
            remote,
            world.now,
        ));
        self.drive(world);
    }

    fn drive(&mut self, world: &mut World) {
        let Some(handshake) = &mut self.handshake else {
            return;
        };
        let mut buffer = [0; 2048];
        loop {
            match handshake.poll(&mut buffer) {
                Output::Transmit(len) => {
                    world.inject(self.address, self.server, &buffer[..len]);
                }
                Output::Connected { local, remote } => {
                    let protector = Protector::new(&local).unwrap();
                    self.keys = Some((protector, Unprotector::new(&remote).unwrap()));
                }
                Output::Failed(_) | Output::Timeout(_) => break,
            }
        }
    }

    /// Checks, shakes hands, and is connected.
    pub(super) fn connect(&mut self, world: &mut World) {
        self.check(world);
        self.run(world, 20);
        self.start_handshake(world);
        for _ in 0..50 {
            self.run(world, 20);
            if self.is_connected() {
                break;
            }
        }
        assert!(self.is_connected());
        self.run(world, 20);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    pub(super) fn run(&mut self, world: &mut World, ms: u64) {
        world.run(Duration::from_millis(ms));
        self.pump(world);
    }

    /// Takes what arrived.
    pub(super) fn pump(&mut self, world: &mut World) {
        let (mine, others) = std::mem::take(&mut world.foreign)
            .into_iter()
            .partition(|(_, to, _)| *to == self.address);
        world.foreign = others;
        for (_, _, mut datagram) in Vec::from(mine) {
            match demux_class(&datagram) {
                DemuxClass::Stun => self.answers += 1,
                DemuxClass::Dtls => {
                    if let Some(handshake) = &mut self.handshake {
                        handshake.handle(world.now, &datagram);
                        self.drive(world);
                    }
                }
                DemuxClass::Rtp => {
                    let (_, unprotector) = self.keys.as_mut().unwrap();
                    let len = unprotector.unprotect_rtp(&mut datagram).unwrap();
                    self.received.push(datagram[..len].to_vec());
                }
                DemuxClass::Rtcp => {
                    let (_, unprotector) = self.keys.as_mut().unwrap();
                    let len = unprotector.unprotect_rtcp(&mut datagram).unwrap();
                    let compound: Vec<Packet> =
                        rtcp::read(&datagram[..len]).map(Result::unwrap).collect();
                    self.reports.extend(compound.clone());
                    self.compounds.push(compound);
                }
                DemuxClass::Unknown => panic!("the engine sent {datagram:?}"),
            }
        }
    }

    pub(super) fn send_rtp(&mut self, world: &mut World, header: FixedHeader, payload: &[u8]) {
        let mut out = [0; 2048];
        let head = header.write(&mut out, &[]).unwrap();
        out[head..head + payload.len()].copy_from_slice(payload);
        let (protector, _) = self.keys.as_mut().unwrap();
        let len = protector
            .protect_rtp(&mut out, head + payload.len())
            .unwrap();
        world.inject(self.address, self.server, &out[..len]);
    }

    pub(super) fn send_rtcp(&mut self, world: &mut World, write: impl FnOnce(&mut Writer<'_>)) {
        let mut out = [0; 2048];
        let mut writer = Writer::new(&mut out[..1200]);
        writer.receiver_report(1, &[]).unwrap();
        write(&mut writer);
        let len = writer.len();
        let (protector, _) = self.keys.as_mut().unwrap();
        let len = protector.protect_rtcp(&mut out, len).unwrap();
        world.inject(self.address, self.server, &out[..len]);
    }

    /// What the audio packets received sound like, at 48 kHz.
    pub(super) fn hears(&self) -> Vec<i16> {
        let mut decoder = Decoder::new(AudioCodec::Opus).unwrap();
        let mut heard = Vec::new();
        for packet in &self.received {
            let view = RtpView::parse(packet).unwrap();
            if view.payload_type() == 111 {
                let mut frame = [0; 5760];
                let len = decoder.decode(view.payload(), &mut frame).unwrap();
                heard.extend_from_slice(&frame[..len]);
            }
        }
        heard
    }

    /// Says a tone for so many packets of 20 ms.
    fn say(&mut self, world: &mut World, hz: f64, packets: u16) {
        let sound = tone(hz, Duration::from_millis(20) * u32::from(packets));
        let format = super::net::format(AudioCodec::Opus);
        let mut encoder = Encoder::new(Encoding::of(&format)).unwrap();
        for (n, frame) in sound.chunks_exact(960).enumerate() {
            let mut payload = [0; 1500];
            let len = encoder.encode(frame, &mut payload).unwrap();
            let header = FixedHeader {
                marker: n == 0,
                payload_type: 111,
                sequence: n as u16,
                timestamp: n as u32 * 960,
                ssrc: 0xaaaa,
            };
            self.send_rtp(world, header, &payload[..len]);
            self.run(world, 20);
        }
    }
}

#[test]
fn a_browser_and_a_phone_hear_each_other() {
    let mut world = World::new(2);
    let shared = world.bind(SERVER);
    let keys = super::net::sdes(wire::plan::SrtpProfile::AesCm128HmacSha1_80, 1);
    connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, keys);
    let mut browser = Browser::new(&mut world, LegId(2), shared, Default::default());
    browser.connect(&mut world);
    let bridge = BridgeId(1);
    for leg in [LegId(1), LegId(2)] {
        world.command(SERVER, MediaCommand::Join { leg, bridge });
    }
    world.engines[1].set_clip(Prompt::File, tone(600.0, Duration::from_secs(10)));
    world.engines[1].set_tap(LegId(11), true);
    let (leg, prompt) = (LegId(11), Prompt::File);
    world.command(1, MediaCommand::Play { leg, prompt });
    browser.received.clear();
    browser.say(&mut world, 1100.0, 200);
    world.check_books();
    let at_browser = browser.hears();
    assert!(share_of_tone(&at_browser[48_000..], 600.0) > 0.95);
    assert!(share_of_tone(&at_browser[48_000..], 1100.0) < 0.01);
    let at_phone = &world.heard[&LegId(11)];
    assert!(share_of_tone(&at_phone[96_000..], 1100.0) > 0.95);
    let connected = MediaEvent::Connected { leg: LegId(2) };
    let told = world.events[SERVER].iter().filter(|e| **e == connected);
    assert_eq!(told.count(), 1);
}

#[test]
fn a_browser_outside_any_bridge_is_sent_audio_as_soon_as_there_are_keys() {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let mut browser = Browser::new(&mut world, LegId(2), shared, Default::default());
    browser.run(&mut world, 1000);
    assert_eq!(world.engines[SERVER].ledger().packets_out(), 0);
    browser.connect(&mut world);
    browser.received.clear();
    browser.run(&mut world, 2000);
    assert_eq!(browser.received.len(), 100);
    assert!(loudness(&browser.hears()) < 10.0);
}

#[test]
fn dtls_and_media_from_an_address_without_a_valid_check_are_dropped_unread() {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let mut browser = Browser::new(&mut world, LegId(2), shared, Default::default());
    browser.check_with(&mut world, "not the password not the password");
    browser.run(&mut world, 20);
    browser.start_handshake(&mut world);
    world.inject(browser.address, shared.1, &[0x80; 40]);
    browser.run(&mut world, 1000);
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.dropped(Dropped::BadStun), 1);
    assert!(ledger.dropped(Dropped::UnknownSender) >= 2);
    assert_eq!(ledger.consumed(Consumed::Dtls), 0);
    assert_eq!(ledger.sent(Sent::Dtls), 0);
    world.check_books();
}

#[test]
fn a_certificate_with_another_fingerprint_loses_the_leg() {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let mut browser = Browser::new(&mut world, LegId(2), shared, Default::default());
    let wrong = Identity::generate().unwrap();
    browser.agree(&mut world, Default::default(), wrong.fingerprint().clone());
    browser.check(&mut world);
    browser.run(&mut world, 20);
    browser.start_handshake(&mut world);
    for _ in 0..50 {
        browser.run(&mut world, 20);
    }
    let (leg, why) = (LegId(2), MediaLoss::WrongFingerprint);
    let lost = MediaEvent::Lost { leg, why };
    assert_eq!(
        world.events[SERVER].iter().filter(|e| **e == lost).count(),
        1
    );
    let connected = MediaEvent::Connected { leg };
    assert!(!world.events[SERVER].contains(&connected));
    assert_eq!(world.engines[SERVER].ledger().sent(Sent::Audio), 0);
}

#[test]
fn a_path_without_checks_for_30_s_is_lost_once() {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let mut browser = Browser::new(&mut world, LegId(2), shared, Default::default());
    browser.connect(&mut world);
    browser.say(&mut world, 500.0, 1600);
    let (leg, why) = (LegId(2), MediaLoss::PathExpired);
    let lost = MediaEvent::Lost { leg, why };
    assert_eq!(
        world.events[SERVER].iter().filter(|e| **e == lost).count(),
        1
    );
}

#[test]
fn two_browsers_on_one_port_are_told_apart_and_a_closed_ones_address_is_forgotten() {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let mut first = Browser::new(&mut world, LegId(2), shared, Default::default());
    let mut second = Browser::new(&mut world, LegId(3), shared, Default::default());
    first.connect(&mut world);
    second.connect(&mut world);
    world.command(SERVER, MediaCommand::Close { leg: LegId(2) });
    second.received.clear();
    let strange = |world: &World| {
        world.engines[SERVER]
            .ledger()
            .dropped(Dropped::UnknownSender)
    };
    assert_eq!(strange(&world), 0);
    first.say(&mut world, 500.0, 10);
    second.say(&mut world, 500.0, 10);
    assert_eq!(strange(&world), 10);
    assert!(second.received.len() >= 19);
    world.check_books();
}
