use wire::plan::{
    AudioCodec, Connectivity, Direction, IceCredentials, LocalMedia, Protection, StreamId,
    VideoCodec,
};
use wire::sdp;

use super::chrome::{Tile, offer};
use super::*;

fn local() -> LocalMedia {
    LocalMedia {
        rtp: "198.51.100.7:3478".parse().unwrap(),
        rtcp: None,
        candidates: vec![
            "198.51.100.7:3478".parse().unwrap(),
            "[2001:db8::7]:3478".parse().unwrap(),
        ],
        ice: Some(IceCredentials {
            ufrag: "srvr".to_owned(),
            pwd: "serverserverserverserver".to_owned(),
        }),
        fingerprint: Some("AA:BB".to_owned()),
        audio_ssrc: 7777,
        cname: "server-cname".to_owned(),
    }
}

fn answer(text: &str, video: &[VideoUse]) -> Answer {
    Offer::read(text).unwrap().answer(&Terms {
        local: &local(),
        session_id: 42,
        version: 1,
        video,
        codecs: &[VideoCodec::H264, VideoCodec::Vp8],
    })
}

fn camera(stream: u32) -> VideoUse {
    VideoUse::Receive {
        stream: StreamId(stream),
        max_bps: 560_000,
        rid: None,
    }
}

fn tile(source: u32, ssrc: u32) -> VideoUse {
    VideoUse::Send {
        source: StreamId(source),
        ssrc,
        label: format!("label-{ssrc}"),
    }
}

/// The lines of the answer's section, m-line first.
fn section(answer: &Answer, index: usize) -> Vec<String> {
    answer
        .sdp
        .split("m=")
        .nth(index + 1)
        .unwrap()
        .split("\r\n")
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn has(lines: &[String], line: &str) -> bool {
    lines.iter().any(|have| have == line)
}

#[test]
fn audio_is_answered_with_opus_at_24_kbit_s_and_red_of_it() {
    let answer = answer(&offer(&[]), &[]);
    let audio = section(&answer, 0);
    assert_eq!(audio[0], "audio 3478 UDP/TLS/RTP/SAVPF 63 111");
    for line in [
        "a=sendrecv",
        "a=rtcp-mux",
        "a=setup:passive",
        "a=fingerprint:sha-256 AA:BB",
        "a=candidate:1 1 udp 2130706431 198.51.100.7 3478 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::7 3478 typ host",
        "a=end-of-candidates",
        "a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=24000",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=ssrc:7777 cname:server-cname",
    ] {
        assert!(has(&audio, line), "{line} is missing in {audio:#?}");
    }
    assert!(answer.sdp.contains("\r\na=ice-lite\r\n"));
    let plan = answer.plan.audio.unwrap();
    assert_eq!(plan.direction, Direction::SendRecv);
    assert_eq!(plan.send.codec, AudioCodec::Opus);
    assert_eq!(plan.send.payload_type, 111);
    assert_eq!(plan.send.max_bitrate, Some(24_000));
    assert!(plan.send.inband_fec);
    assert_eq!(plan.redundancy, Some(63));
}

#[test]
fn red_keeps_its_place_in_the_browsers_order_and_is_taken_only_around_opus() {
    let offered = |from: &str, to: &str| {
        let text = offer(&[]);
        assert!(text.contains(from), "{from}");
        let answer = answer(&text.replace(from, to), &[]);
        let line = section(&answer, 0)[0].clone();
        (line, answer.plan.audio.unwrap().redundancy)
    };
    let types = |list: &str| format!("audio 3478 UDP/TLS/RTP/SAVPF {list}");
    let after = offered("SAVPF 63 111", "SAVPF 111 63");
    assert_eq!(after, (types("111 63"), Some(63)));
    for other in ["a=fmtp:63 111/9", "a=fmtp:63 0", "a=x-none"] {
        let without = offered("a=fmtp:63 111/111", other);
        assert_eq!(without, (types("111"), None), "{other}");
    }
}

#[test]
fn nothing_is_promised_that_is_not_kept() {
    let answer = answer(&offer(&[Tile::Sends("1", 5000)]), &[camera(1)]);
    for word in [
        "transport-cc",
        "abs-send-time",
        "goog-remb",
        "rtx",
        "start-bitrate",
        "VP9",
        "AV1",
        "toffset",
        "rtp-stream-id",
    ] {
        assert!(!answer.sdp.contains(word), "{word}");
    }
    assert!(!answer.sdp.contains("nack\r\n"));
}

#[test]
fn the_association_is_read_from_the_offer() {
    let plan = answer(&offer(&[]), &[]).plan;
    let Connectivity::IceLite { remote } = plan.connectivity else {
        panic!()
    };
    assert_eq!(remote.ufrag, "Ab3+");
    let Protection::Dtls {
        active,
        remote_fingerprint,
    } = plan.protection
    else {
        panic!()
    };
    assert!(!active);
    assert_eq!(remote_fingerprint.hash, "sha-256");
    assert_eq!(remote_fingerprint.digest.len(), 32);
    assert_eq!(remote_fingerprint.digest[1], 0x11);
    assert_eq!(plan.extensions.mid, Some(4));
    assert_eq!(plan.extensions.audio_level, Some(1));
    assert_eq!(plan.extensions.transport_cc, None);
}

#[test]
fn a_camera_is_received_in_the_browsers_order_of_codecs_and_capped() {
    let answer = answer(&offer(&[Tile::Sends("1", 5000)]), &[camera(4)]);
    let video = section(&answer, 1);
    assert_eq!(video[0], "video 3478 UDP/TLS/RTP/SAVPF 102 96");
    for line in [
        "b=TIAS:560000",
        "a=recvonly",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:102 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=rtcp-rsize",
    ] {
        assert!(has(&video, line), "{line} is missing in {video:#?}");
    }
    let receive = &answer.plan.video_receive[0];
    assert_eq!((receive.mid.as_str(), receive.stream), ("1", StreamId(4)));
    assert_eq!(
        (receive.ssrcs.as_slice(), receive.rtx_ssrcs.as_slice()),
        ([5000].as_slice(), [5001].as_slice())
    );
    let formats: Vec<_> = receive
        .formats
        .iter()
        .map(|format| (format.codec, format.payload_type, format.rtx))
        .collect();
    assert_eq!(
        formats,
        [(VideoCodec::H264, 102, None), (VideoCodec::Vp8, 96, None)]
    );
}

#[test]
fn a_camera_sends_only_what_all_viewers_show() {
    let text = offer(&[Tile::Sends("1", 5000)]);
    let answer = Offer::read(&text).unwrap().answer(&Terms {
        local: &local(),
        session_id: 1,
        version: 1,
        video: &[camera(1)],
        codecs: &[VideoCodec::Vp8],
    });
    assert_eq!(section(&answer, 1)[0], "video 3478 UDP/TLS/RTP/SAVPF 96");
}

#[test]
fn a_tile_is_sent_with_the_msid_and_ssrc_that_the_track_mapping_names() {
    let answer = answer(
        &offer(&[Tile::Idle("1"), Tile::Shows("2")]),
        &[VideoUse::Idle, tile(9, 31)],
    );
    assert!(has(&section(&answer, 1), "a=inactive"));
    let video = section(&answer, 2);
    for line in [
        "a=mid:2",
        "a=sendonly",
        "a=msid:label-31 label-31-track",
        "a=ssrc:31 cname:server-cname",
        "a=ssrc:31 msid:label-31 label-31-track",
    ] {
        assert!(has(&video, line), "{line} is missing in {video:#?}");
    }
    assert!(!video.iter().any(|line| line.starts_with("b=")));
    let send = &answer.plan.video_send[0];
    assert_eq!(
        (send.mid.as_str(), send.source, send.ssrc),
        ("2", StreamId(9), 31)
    );
}

#[test]
fn stopped_sections_keep_their_place_and_are_used_again_under_another_mid() {
    let stopped = answer(
        &offer(&[Tile::Idle("1"), Tile::Stopped("2")]),
        &[VideoUse::Idle, tile(9, 31)],
    );
    assert_eq!(section(&stopped, 2)[0], "video 0 UDP/TLS/RTP/SAVPF 98");
    assert!(stopped.sdp.contains("a=group:BUNDLE 0 1\r\n"));
    assert!(stopped.plan.video_send.is_empty());

    let again = answer(
        &offer(&[Tile::Idle("1"), Tile::Shows("5")]),
        &[VideoUse::Idle, tile(9, 32)],
    );
    assert!(again.sdp.contains("a=group:BUNDLE 0 1 5\r\n"));
    assert_eq!(again.plan.video_send[0].mid, "5");
}

#[test]
fn a_section_that_is_only_bundled_is_not_a_stopped_one() {
    let text = offer(&[Tile::Shows("1")])
        .replace("m=video 9 ", "m=video 0 ")
        .replace("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n");
    let answer = answer(&text, &[tile(9, 31)]);
    assert_eq!(
        section(&answer, 1)[0],
        "video 3478 UDP/TLS/RTP/SAVPF 102 96"
    );
    assert_eq!(answer.plan.video_send.len(), 1);
}

#[test]
fn of_simulcast_layers_the_one_that_is_sent_is_taken() {
    let text = offer(&[Tile::Layers("1", "~low;mid;~hi")]);
    let read = Offer::read(&text).unwrap();
    let rids = read.video_sections().next().unwrap().rids().to_vec();
    let paused: Vec<_> = rids
        .iter()
        .map(|rid| (rid.id.as_str(), rid.paused))
        .collect();
    assert_eq!(paused, [("low", true), ("mid", false), ("hi", true)]);
    let purpose = VideoUse::Receive {
        stream: StreamId(2),
        max_bps: 1,
        rid: Some("mid".to_owned()),
    };
    let answer = answer(&text, &[purpose]);
    let video = section(&answer, 1);
    assert!(has(&video, "a=rid:mid recv") && has(&video, "a=simulcast:recv mid"));
    assert!(answer.plan.video_receive[0].ssrcs.is_empty());
}

#[test]
fn a_purpose_that_the_direction_does_not_allow_makes_the_section_inactive() {
    let text = offer(&[Tile::Shows("1"), Tile::Idle("2")]);
    let answer = answer(&text, &[camera(1), tile(1, 2)]);
    assert!(has(&section(&answer, 1), "a=inactive"));
    assert!(has(&section(&answer, 2), "a=inactive"));
    assert!(answer.plan.video_receive.is_empty() && answer.plan.video_send.is_empty());
}

#[test]
fn data_channels_are_declined_in_place() {
    let text = offer(&[])
        + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:9\r\n";
    let answer = answer(&text, &[]);
    assert_eq!(
        section(&answer, 1)[0],
        "application 0 UDP/DTLS/SCTP webrtc-datachannel"
    );
    assert!(answer.sdp.contains("a=group:BUNDLE 0\r\n"));
}

#[test]
fn answers_are_session_descriptions_with_as_many_sections() {
    let tiles = [
        Tile::Sends("1", 5),
        Tile::Shows("2"),
        Tile::Stopped("3"),
        Tile::Layers("4", "a;b"),
    ];
    let answer = answer(&offer(&tiles), &[camera(1), tile(2, 3)]);
    let read = sdp::Session::parse(&answer.sdp).unwrap();
    assert_eq!(read.media.len(), 5);
    assert!(read.attributes.ice_lite());
    let first = read.sections().next().unwrap();
    assert_eq!(first.ice().unwrap().ufrag, "srvr");
    assert_eq!(first.setup(), Some(sdp::Setup::Passive));
}

#[test]
fn what_is_missing_in_an_offer_is_named() {
    let whole = offer(&[Tile::Sends("1", 5)]);
    let without = |line: &str| {
        let text = whole.replace(line, "");
        assert_ne!(text, whole, "{line}");
        Offer::read(&text).unwrap_err()
    };
    assert_eq!(without("a=group:BUNDLE 0 1\r\n"), OfferError::NotBundled);
    assert_eq!(without("a=rtcp-mux\r\n"), OfferError::NoRtcpMux);
    assert_eq!(
        without("a=ice-ufrag:Ab3+\r\n"),
        OfferError::NoIceCredentials
    );
    assert_eq!(
        without("a=ice-pwd:0123456789abcdefghijklmn\r\n"),
        OfferError::NoIceCredentials
    );
    assert_eq!(without("a=mid:1\r\n"), OfferError::Mid);
    assert_eq!(without("a=rtpmap:111 opus/48000/2\r\n"), OfferError::NoOpus);
    let replaced = |from: &str, to: &str| Offer::read(&whole.replace(from, to)).unwrap_err();
    assert_eq!(replaced("sha-256", "sha-1"), OfferError::NoFingerprint);
    assert_eq!(replaced("a=mid:1\r\n", "a=mid:0\r\n"), OfferError::Mid);
    assert_eq!(
        replaced("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        OfferError::NotProtected
    );
    assert_eq!(replaced("m=audio 50124", "m=audio 0"), OfferError::NoAudio);
    assert!(matches!(
        Offer::read("hello"),
        Err(OfferError::Unreadable(_))
    ));
    assert_eq!(
        Offer::read(&" ".repeat(MAX_OFFER + 1)),
        Err(OfferError::TooLarge(MAX_OFFER + 1))
    );
    let many = whole.clone() + &"m=video 0 UDP/TLS/RTP/SAVPF 96\r\n".repeat(MAX_SECTIONS);
    assert_eq!(
        Offer::read(&many),
        Err(OfferError::TooManySections(MAX_SECTIONS + 2))
    );
}
