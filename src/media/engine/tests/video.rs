//! Video from one browser to others.

use wire::plan::{
    BridgeId, LegId, MediaCommand, MediaEvent, StreamId, VideoCodec, VideoFormat, VideoReceive,
    VideoSend,
};
use wire::rtcp::Packet;
use wire::rtp::{FixedHeader, RtpView};

use super::browser::{Browser, SERVER};
use super::net::World;
use crate::engine::{Dropped, Withheld};

const BRIDGE: BridgeId = BridgeId(5);
const SOURCE_SSRC: u32 = 0x1111;
const VIEWER_SSRC: u32 = 0x9999;

fn format(codec: VideoCodec, payload_type: u8) -> VideoFormat {
    VideoFormat {
        codec,
        payload_type,
        rtx: Some(payload_type + 1),
    }
}

fn sends(stream: u32, ssrc: u32) -> Vec<VideoReceive> {
    vec![VideoReceive {
        mid: "1".into(),
        stream: StreamId(stream),
        formats: vec![format(VideoCodec::H264, 102), format(VideoCodec::Vp8, 96)],
        ssrcs: vec![ssrc],
        rtx_ssrcs: vec![ssrc + 1],
    }]
}

fn views(stream: u32) -> Vec<VideoSend> {
    vec![VideoSend {
        mid: "2".into(),
        source: StreamId(stream),
        ssrc: VIEWER_SSRC,
        formats: vec![format(VideoCodec::Vp8, 120)],
    }]
}

/// A source (leg 1) of stream 4, another (leg 2) of stream 5, and a viewer (leg 3) of stream 4, in one bridge.
fn meeting() -> (World, [Browser; 3]) {
    let mut world = World::new(1);
    let shared = world.bind(SERVER);
    let plans = [
        (sends(4, SOURCE_SSRC), Vec::new()),
        (sends(5, SOURCE_SSRC + 0x100), Vec::new()),
        (Vec::new(), views(4)),
    ];
    let mut number = 0;
    let browsers = plans.map(|plan| {
        number += 1;
        let mut browser = Browser::new(&mut world, LegId(number), shared, plan);
        browser.connect(&mut world);
        let (leg, bridge) = (LegId(number), BRIDGE);
        world.command(SERVER, MediaCommand::Join { leg, bridge });
        browser
    });
    (world, browsers)
}

/// A VP8 packet of one frame; the payload descriptor has a picture id.
fn vp8(key: bool, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut payload = vec![0x90, 0x80, high | 0x80, low, u8::from(!key)];
    payload.resize(1000, 7);
    payload
}

fn send_frame(world: &mut World, from: &mut Browser, ssrc: u32, key: bool, number: u16) {
    let header = FixedHeader {
        marker: true,
        payload_type: 96,
        sequence: number,
        timestamp: u32::from(number) * 3000,
        ssrc,
    };
    from.send_rtp(world, header, &vp8(key, number));
    from.run(world, 33);
}

/// A video packet as a viewer received it.
struct Seen {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    mid: Option<String>,
    payload: Vec<u8>,
}

/// The video that a viewer received.
fn video_of(viewer: &Browser) -> Vec<Seen> {
    let packets = viewer.received.iter().map(|p| RtpView::parse(p).unwrap());
    packets
        .filter(|view| view.payload_type() != 111)
        .map(|view| Seen {
            payload_type: view.payload_type(),
            sequence: view.sequence(),
            timestamp: view.timestamp(),
            ssrc: view.ssrc(),
            mid: view.mid(4).map(str::to_owned),
            payload: view.payload().to_vec(),
        })
        .collect()
}

fn plis(browser: &Browser) -> Vec<u32> {
    let media = |packet: &Packet| match packet {
        Packet::Pli { media, .. } => Some(*media),
        _ => None,
    };
    browser.reports.iter().filter_map(media).collect()
}

#[test]
fn a_viewer_gets_the_stream_from_a_key_frame_on_under_its_own_numbers() {
    let (mut world, [mut source, _, mut viewer]) = meeting();
    for number in 0..5 {
        send_frame(&mut world, &mut source, SOURCE_SSRC, false, number);
    }
    for number in 5..20 {
        send_frame(&mut world, &mut source, SOURCE_SSRC, number == 5, number);
    }
    viewer.pump(&mut world);
    let video = video_of(&viewer);
    assert_eq!(video.len(), 15);
    for (n, packet) in video.iter().enumerate() {
        assert_eq!((packet.payload_type, packet.ssrc), (120, VIEWER_SSRC));
        assert_eq!(packet.mid.as_deref(), Some("2"));
        let first = &video[0];
        assert_eq!(packet.sequence, first.sequence.wrapping_add(n as u16));
        let timestamp = first.timestamp.wrapping_add(n as u32 * 3000);
        assert_eq!(packet.timestamp, timestamp);
        assert_eq!(packet.payload, vp8(n == 0, n as u16 + 5));
    }
    // The source was asked for a key frame as soon as it was seen, and not after it came.
    assert_eq!(plis(&source), [SOURCE_SSRC]);
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.withheld(Withheld::AwaitsKeyFrame), 5);
    world.check_books();
}

#[test]
fn a_key_frame_request_stands_alone_only_where_reduced_size_was_agreed() {
    for reduced_size in [false, true] {
        let (mut world, [mut source, _, _viewer]) = meeting();
        source.rtcp.reduced_size = reduced_size;
        source.renegotiate(&mut world, (sends(4, SOURCE_SSRC), Vec::new()));
        for number in 0..5 {
            send_frame(&mut world, &mut source, SOURCE_SSRC, false, number);
        }
        source.pump(&mut world);
        let asks = |packet: &Packet| matches!(packet, Packet::Pli { .. });
        let mut requests = source.compounds.iter().filter(|c| c.iter().any(asks));
        let request = requests.next().unwrap();
        // RFC 5506 §3.4.2; else a compound begins with a report (RFC 3550 §6.1).
        assert_eq!(request.len(), if reduced_size { 1 } else { 2 });
        let first = matches!(request[0], Packet::ReceiverReport { .. });
        assert_eq!(first, !reduced_size);
    }
}

#[test]
fn a_viewer_that_turns_to_another_source_sees_one_continuous_stream_from_its_key_frame() {
    let (mut world, [mut first, mut second, mut viewer]) = meeting();
    let other = SOURCE_SSRC + 0x100;
    for number in 0..10 {
        send_frame(&mut world, &mut first, SOURCE_SSRC, number == 0, number);
        send_frame(&mut world, &mut second, other, number == 0, number + 700);
    }
    second.reports.clear();
    viewer.renegotiate(&mut world, (Vec::new(), views(5)));
    for number in 10..14 {
        send_frame(&mut world, &mut second, other, number == 12, number + 700);
    }
    viewer.pump(&mut world);
    second.pump(&mut world);
    assert_eq!(plis(&second), [other]);
    let video = video_of(&viewer);
    assert_eq!(video.len(), 12);
    let sequences: Vec<u16> = video
        .iter()
        .map(|p| p.sequence.wrapping_sub(video[0].sequence))
        .collect();
    assert_eq!(sequences, (0..12).collect::<Vec<u16>>());
    assert!(video.windows(2).all(|w| {
        let step = w[1].timestamp.wrapping_sub(w[0].timestamp);
        step > 0 && step < 90_000
    }));
    assert_eq!(video[10].payload, vp8(true, 712));
}

#[test]
fn a_viewers_key_frame_request_reaches_the_source_but_a_storm_of_them_does_not() {
    let (mut world, [mut source, _, mut viewer]) = meeting();
    send_frame(&mut world, &mut source, SOURCE_SSRC, true, 0);
    source.run(&mut world, 1000);
    source.reports.clear();
    for number in 1..=30 {
        viewer.send_rtcp(&mut world, |writer| writer.pli(1, VIEWER_SSRC).unwrap());
        send_frame(&mut world, &mut source, SOURCE_SSRC, false, number);
    }
    let asked = plis(&source).len();
    assert!((2..=3).contains(&asked), "{asked}");
}

#[test]
fn packets_that_stay_away_make_the_source_be_asked_and_reordered_ones_do_not() {
    let (mut world, [mut source, ..]) = meeting();
    for number in [0, 1, 3, 2, 4, 5, 6] {
        send_frame(&mut world, &mut source, SOURCE_SSRC, number == 0, number);
    }
    source.run(&mut world, 500);
    source.reports.clear();
    send_frame(&mut world, &mut source, SOURCE_SSRC, false, 7);
    source.run(&mut world, 500);
    assert!(plis(&source).is_empty());
    send_frame(&mut world, &mut source, SOURCE_SSRC, false, 9);
    source.run(&mut world, 300);
    assert_eq!(plis(&source), [SOURCE_SSRC]);
}

#[test]
fn retransmissions_strange_sources_and_strange_types_are_dropped_by_name() {
    let (mut world, [mut source, ..]) = meeting();
    let mut packet = |world: &mut World, payload_type: u8, ssrc: u32| {
        let header = FixedHeader {
            marker: false,
            payload_type,
            sequence: 1,
            timestamp: 1,
            ssrc,
        };
        source.send_rtp(world, header, &[1, 2, 3]);
        source.run(world, 20);
    };
    packet(&mut world, 97, SOURCE_SSRC + 1);
    packet(&mut world, 96, 0xbad);
    packet(&mut world, 77, SOURCE_SSRC);
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.dropped(Dropped::Retransmission), 1);
    assert_eq!(ledger.dropped(Dropped::WrongSsrc), 1);
    assert_eq!(ledger.dropped(Dropped::UnknownPayloadType), 1);
    world.check_books();
}

#[test]
fn a_codec_that_the_viewer_does_not_take_is_not_forwarded() {
    let (mut world, [mut source, _, mut viewer]) = meeting();
    let header = FixedHeader {
        marker: true,
        payload_type: 102,
        sequence: 1,
        timestamp: 1,
        ssrc: SOURCE_SSRC,
    };
    source.send_rtp(&mut world, header, &[0x67, 0x42]);
    source.run(&mut world, 50);
    viewer.pump(&mut world);
    assert_eq!(video_of(&viewer).len(), 0);
    let ledger = world.engines[SERVER].ledger();
    assert_eq!(ledger.withheld(Withheld::CodecNotTaken), 1);
}

#[test]
fn streams_without_named_sources_are_found_by_payload_type_when_there_is_one() {
    let (mut world, [mut source, _, mut viewer]) = meeting();
    let mut plan = sends(4, SOURCE_SSRC);
    plan[0].ssrcs.clear();
    plan[0].rtx_ssrcs.clear();
    source.renegotiate(&mut world, (plan, Vec::new()));
    send_frame(&mut world, &mut source, 0xbeef, true, 9);
    viewer.pump(&mut world);
    assert_eq!(video_of(&viewer).len(), 1);
}

#[test]
fn rates_samples_and_reports_tell_of_video() {
    let (mut world, [mut source, _, mut viewer]) = meeting();
    for number in 0..300 {
        send_frame(&mut world, &mut source, SOURCE_SSRC, number == 0, number);
        if number % 100 == 0 {
            viewer.check(&mut world);
            source.check(&mut world);
        }
    }
    viewer.pump(&mut world);
    let rate = world.events[SERVER]
        .iter()
        .rev()
        .find_map(|event| match event {
            MediaEvent::VideoRates { rates, .. } => rates
                .iter()
                .find(|(stream, _)| *stream == StreamId(4))
                .copied(),
            _ => None,
        });
    // About 1030 octets, 30 times a second.
    let (_, rate) = rate.unwrap();
    assert!((220_000..280_000).contains(&rate), "{rate}");

    let sender_reports = viewer.reports.iter().filter(|packet| {
        matches!(
            packet,
            Packet::SenderReport {
                ssrc: VIEWER_SSRC,
                ..
            }
        )
    });
    assert!(sender_reports.count() >= 1);
    let reported_on = source.reports.iter().any(|packet| match packet {
        Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. } => {
            reports.iter().any(|block| block.ssrc == SOURCE_SSRC)
        }
        _ => false,
    });
    assert!(reported_on);

    for leg in [LegId(1), LegId(3)] {
        world.command(SERVER, MediaCommand::Close { leg });
    }
    let of = |world: &World, leg: u64| {
        let sample = world.samples.iter().find(|s| s.leg == LegId(leg)).unwrap();
        sample.video[0]
    };
    let (sent, viewed) = (of(&world, 1), of(&world, 3));
    assert_eq!(
        (sent.received, sent.packets, sent.key_frames),
        (true, 300, 1)
    );
    assert_eq!(sent.packets_lost, Some(0));
    assert_eq!((viewed.received, viewed.packets), (false, 300));
}
