//! Frames captured from an unmodified SDK client, read field by field and written back octet by octet.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn read(hex: &str) -> SdkSignalFrame {
    decode(&bytes(hex)).unwrap()
}

#[test]
fn every_captured_frame_is_written_back_octet_by_octet() {
    for hex in ALL {
        let bytes = bytes(hex);
        assert_eq!(encode(&decode(&bytes).unwrap()), bytes, "{hex}");
    }
}

#[test]
fn ping_has_its_time_type_and_number() {
    let frame = read(PING);
    assert_eq!(frame.timestamp_ms, 1_795_303_072_867);
    assert_eq!(frame.known_kind(), Some(SdkSignalFrameType::PingPong));
    let ping = frame.ping_pong.unwrap();
    assert_eq!(ping.kind(), SdkPingPongType::Ping);
    assert_eq!(ping.ping_id, 1);
}

#[test]
fn join_tells_client_and_adaptation() {
    let join = read(JOIN).join.unwrap();
    assert_eq!(join.protocol_version, Some(2));
    assert_eq!(join.flags, Some(2));
    assert_eq!(join.audio_session_id, Some(2_520_514_974));
    assert_eq!(join.wants_compressed_sdp, Some(true));
    assert_eq!(
        join.server_side_network_adaption(),
        SdkServerSideNetworkAdaption::Default
    );
    assert_eq!(join.wants_all_temporal_layers_in_index, Some(false));
    let client = join.client_details.unwrap();
    assert_eq!(client.chime_sdk_version.as_deref(), Some("3.32.0"));
    assert_eq!(client.client_source.as_deref(), Some("amazon-chime-sdk-js"));
    assert_eq!(client.os_name.as_deref(), Some("Linux"));
}

#[test]
fn join_with_layers_lists_unpacked_adaptions() {
    let join = read(JOIN_SVC).join.unwrap();
    let known: Vec<_> = join.supported_server_side_network_adaptions().collect();
    assert_eq!(
        known,
        [
            SdkServerSideNetworkAdaption::None,
            SdkServerSideNetworkAdaption::BandwidthProbing,
            SdkServerSideNetworkAdaption::BandwidthProbingAndVideoQualityAdaption,
        ]
    );
    assert_eq!(join.wants_all_temporal_layers_in_index, Some(true));
}

#[test]
fn join_acks_carry_limit_turn_and_adaption() {
    let plain = read(JOIN_ACK).joinack.unwrap();
    assert_eq!(plain.video_subscription_limit, Some(25));
    assert_eq!(plain.wants_compressed_sdp, Some(false));
    assert_eq!(plain.turn_credentials, None);
    let turn = read(JOIN_ACK_TURN)
        .joinack
        .unwrap()
        .turn_credentials
        .unwrap();
    assert_eq!(turn.username.as_deref(), Some("u"));
    assert_eq!(turn.ttl, Some(300));
    assert!(turn.uris.is_empty());
    assert_eq!(
        read(JOIN_ACK_ADAPT)
            .joinack
            .unwrap()
            .default_server_side_network_adaption(),
        SdkServerSideNetworkAdaption::BandwidthProbingAndVideoQualityAdaption
    );
}

#[test]
fn refused_join_carries_a_status() {
    let frame = read(REFUSED);
    assert_eq!(frame.known_kind(), Some(SdkSignalFrameType::JoinAck));
    let error = frame.error.unwrap();
    assert_eq!(error.status, Some(403));
    assert_eq!(error.description.as_deref(), Some("no"));
}

#[test]
fn index_lists_video_sources() {
    let empty = read(INDEX).index.unwrap();
    assert_eq!(empty.at_capacity, Some(false));
    assert_eq!(empty.num_participants, Some(1));
    assert!(empty.sources.is_empty());
    let index = read(INDEX_VIDEO).index.unwrap();
    assert_eq!(index.num_participants, Some(2));
    let source = &index.sources[0];
    assert_eq!(source.stream_id, Some(4));
    assert_eq!(source.group_id, Some(3));
    assert_eq!(source.max_bitrate_kbps, Some(1500));
    assert_eq!(source.avg_bitrate_bps, Some(300_000));
    assert_eq!(source.attendee_id.as_deref(), Some("aaaa"));
    assert_eq!(source.external_user_id.as_deref(), Some("ext-aaaa"));
    assert_eq!(source.media_type(), SdkStreamMediaType::Video);
    assert_eq!((source.width, source.height), (Some(320), Some(180)));
}

#[test]
fn roster_line_names_its_attendee_and_a_dropped_one_does_not() {
    let line = read(ROSTER).audio_stream_id_info.unwrap().streams.remove(0);
    assert_eq!(line.audio_stream_id, Some(1));
    assert_eq!(line.attendee_id.as_deref(), Some("aaaa"));
    assert_eq!(line.external_user_id.as_deref(), Some("ext-aaaa"));
    assert_eq!(line.muted, Some(false));
    let gone = read(ROSTER_DROP)
        .audio_stream_id_info
        .unwrap()
        .streams
        .remove(0);
    assert_eq!(gone.audio_stream_id, Some(3));
    assert_eq!(gone.attendee_id, None);
}

#[test]
fn volume_and_signal_strength_are_read() {
    let state = read(METADATA).audio_metadata.unwrap().attendee_states[0];
    assert_eq!(state.volume, Some(20));
    assert_eq!(state.signal_strength, Some(2));
    assert_eq!(state.muted, None);
}

#[test]
fn client_metrics_keep_their_values() {
    let metrics = read(METRIC).client_metric.unwrap();
    let first = metrics.global_metrics[0];
    assert_eq!(first.kind(), SdkMetricType::StunRttMs);
    assert_eq!(first.value, Some(1.0));
    assert_eq!(
        metrics.global_metrics[3].value,
        Some(0.014_954_069_643_238_624)
    );
    let stream = &metrics.stream_metric_frames[0];
    assert_eq!(stream.media_type(), SdkStreamMediaType::Audio);
    assert_eq!(stream.metrics[1].kind(), SdkMetricType::RtcMicBitrate);
    assert_eq!(stream.metrics[1].value, Some(11_440.0));
}

#[test]
fn bitrates_status_mute_and_leave_are_read() {
    let bitrates = read(BITRATES).bitrates.unwrap();
    assert_eq!(bitrates.server_available_outgoing_bitrate, Some(2000));
    assert_eq!(read(STATUS).audio_status.unwrap().audio_status, Some(410));
    assert_eq!(read(MUTE).audio_control.unwrap().muted, Some(true));
    let leave = read(LEAVE);
    assert_eq!(leave.known_kind(), Some(SdkSignalFrameType::Leave));
    assert!(leave.leave.is_some());
}

#[test]
fn join_timing_is_read_step_by_step() {
    let timing = read(TIMING).meeting_session_timing.unwrap();
    assert_eq!(timing.signaling[0].start_ms, Some(1_795_303_072_805));
    assert_eq!(
        timing.signaling[0].subscribe_ack_ms,
        Some(1_795_303_073_151)
    );
    assert_eq!(timing.signaling[0].timed_out, Some(false));
    assert_eq!(
        timing.remote_audio[0].first_packet_received_ms,
        Some(1_795_303_077_235)
    );
    assert_eq!(
        timing.local_audio[0].first_packet_sent_ms,
        Some(1_795_303_073_178)
    );
}

#[test]
fn data_message_keeps_topic_octets_and_sender() {
    let message = read(DATA).data_message.unwrap().messages.remove(0);
    assert_eq!(message.topic.as_deref(), Some("chat"));
    assert_eq!(message.data.as_deref(), Some(&b"hello from a"[..]));
    assert_eq!(message.lifetime_ms, Some(5000));
    assert_eq!(message.sender_attendee_id.as_deref(), Some("aaaa"));
    assert_eq!(message.ingest_time_ns, Some(1_795_303_098_736_000_000));
}

#[test]
fn remote_video_wish_keeps_its_priority() {
    let update = read(REMOTE_VIDEO).remote_video_update.unwrap();
    let wish = &update.added_or_updated_video_subscriptions[0];
    assert_eq!(wish.mid, "2");
    assert_eq!(wish.attendee_id.as_deref(), Some("bbbb"));
    assert_eq!(wish.priority, Some(4_294_967_294));
    assert_eq!(wish.target_bitrate_kbps, Some(10_000));
    assert_eq!(wish.group_id, Some(5));
    assert_eq!(
        wish.quality_adaptation_preference(),
        SdkVideoQualityAdaptationPreference::Balanced
    );
}

#[test]
fn the_older_type_octet_is_read_alike() {
    let mut old = bytes(PING);
    old[0] = 0x02;
    assert_eq!(decode(&old), decode(&bytes(PING)));
}

#[test]
fn what_is_no_frame_is_refused_with_its_reason() {
    assert_eq!(decode(&[]), Err(SignalError::Empty));
    assert_eq!(decode(&[7, 8]), Err(SignalError::TypeOctet(7)));
    assert_eq!(decode(&[5, 8, 1]), Err(SignalError::NoType));
    assert_eq!(decode(&[5]), Err(SignalError::NoType));
    assert!(matches!(decode(&[5, 0xff]), Err(SignalError::Malformed(_))));
    let large = vec![5u8; MAX_FRAME + 1];
    assert_eq!(decode(&large), Err(SignalError::TooLarge(MAX_FRAME + 1)));
}

#[test]
fn an_unknown_frame_type_is_read_and_has_no_known_kind() {
    let frame = decode(&[5, 8, 1, 16, 99]).unwrap();
    assert_eq!((frame.kind, frame.known_kind()), (99, None));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_panic(mut body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        body.insert(0, 5);
        if let Ok(frame) = decode(&body) {
            proptest::prop_assert_eq!(decode(&encode(&frame)).is_ok(), true);
        }
    }
}

const ALL: &[&str] = &[
    PING,
    JOIN,
    JOIN_ACK,
    INDEX,
    ROSTER,
    METADATA,
    METRIC,
    BITRATES,
    TIMING,
    INDEX_VIDEO,
    DATA,
    MUTE,
    LEAVE,
    ROSTER_DROP,
    JOIN_SVC,
    JOIN_ACK_TURN,
    JOIN_ACK_ADAPT,
    REMOTE_VIDEO,
    STATUS,
    REFUSED,
];
const PING: &str = "0508e3c89b83a0341013a2010408011001";
const JOIN: &str = "0508e9c89b83a034100122570802180222432a066368726f6d65320d3135362e302e383037382e37393a\
    13616d617a6f6e2d6368696d652d73646b2d6a734206332e33322e304a062b30303a303052054c696e75\
    78309e83f0b1093801500160006800";
const JOIN_ACK: &str = "050893c99b83a03410022a0410191800";
const INDEX: &str = "05089ac99b83a0341005420408002001";
const ROSTER: &str = "050893cb9b83a03410129a01160a140801120461616161180022086578742d61616161";
const METADATA: &str = "0508bfcd9b83a03410119201080a06080110142002";
const METRIC: &str = "050896d09b83a0341015b201520a0b080711000000000000f03f0a0b08081100000000000000000a0b08\
    021100000000cc7512410a0b086111f5807a403da08e3f121c2a0b080a110000000000003e402a0b080c\
    11000000000058c6403801";
const BITRATES: &str = "050891dd9b83a034100d720310d00f";
const TIMING: &str = "0508f6ea9b83a034102be2027c0a5608a5c89b83a03410ebc89b83a0341895c99b83a03420e4c89b83a0\
    3428bbc99b83a03430c2c99b83a034388ecb9b83a03440c3c99b83a03448c0ca9b83a0345087cb9b83a0\
    3458c4ca9b83a03460ffca9b83a0346800121008a5c89b83a03410f3ea9b83a03420001a1008a5c89b83\
    a034189acb9b83a0342000";
const INDEX_VIDEO: &str = "0508aa859c83a0341005422b080012250804100f18dc0b300338e0a71242046161616148025208657874\
    2d6161616158c00260b4012002";
const DATA: &str = "0508f0929d83a0341016ba01330a310a0463686174120c68656c6c6f2066726f6d206118882722046161\
    61612880f8c4c280d58cf51832086578742d61616161";
const MUTE: &str = "050887939d83a03410108a01020801";
const LEAVE: &str = "050894a79d83a03410095a00";
const ROSTER_DROP: &str = "0508eaa79d83a03410129a01040a020803";
const JOIN_SVC: &str = "0508aba2a283a0341001225d0802180222432a066368726f6d65320d3135362e302e383037382e37393a\
    13616d617a6f6e2d6368696d652d73646b2d6a734206332e33322e304a062b30303a303052054c696e75\
    7830fd9c90fd0c3801500458025803580460016800";
const JOIN_ACK_TURN: &str = "050896a3a283a03410022a0f0a090a017512017018ac0210191800";
const JOIN_ACK_ADAPT: &str = "0508b2e6a483a03410022a06101918002004";
const REMOTE_VIDEO: &str =
    "0508e3fda583a0341018ca01180a160a013212046262626220feffffff0f28904e30053801";
const STATUS: &str = "0508f1c4a183a0341014aa0103089a03";
const REFUSED: &str = "0508bc88c883a03410021a0708930312026e6f";
