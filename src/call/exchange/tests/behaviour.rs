//! What attendees do: mute, speak, write; and what happens to those who do not keep to the protocol.

use std::time::Duration;

use wire::plan::{MediaCommand, VideoCodec};
use wire::signal::{
    SdkPrimaryMeetingJoinFrame, SdkSignalFrame, SdkSignalFrameType as Type, decode,
};

use super::world::{World, data, error_of, join_frame, leave, mute, ping, subscribe_frame};
use crate::exchange::{Capabilities, Capability, ConnId, Input};
use crate::negotiate::browser::chrome::Tile;

#[test]
fn muting_is_echoed_to_all_and_keeps_the_voice_out_of_the_mix() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let leg = world.legs()[0];
    world.forget_frames();
    world.say(anna, mute(true));
    for conn in [anna, ben] {
        let lines = world.roster(conn);
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0].audio_stream_id, lines[0].muted),
            (Some(1), Some(true))
        );
        assert_eq!(lines[0].attendee_id, None);
    }
    assert!(
        world
            .commands
            .contains(&MediaCommand::Mute { leg, muted: true })
    );
    world.say(anna, mute(false));
    assert_eq!(world.roster(ben)[0].muted, Some(false));
    assert!(
        world
            .commands
            .contains(&MediaCommand::Mute { leg, muted: false })
    );
}

#[test]
fn who_may_not_speak_stays_muted() {
    let mut world = World::new();
    let mut admitted = super::world::admitted("anna");
    admitted.attendee.capabilities = Capabilities {
        audio: Capability::Receive,
        ..Capabilities::default()
    };
    let anna = world.open_as(Ok(Box::new(admitted)));
    world.say(anna, join_frame(1));
    world.say(anna, subscribe_frame(&[], &[], &[]));
    assert_eq!(world.roster(anna)[0].muted, Some(true));
    world.say(anna, mute(false));
    assert_eq!(world.roster(anna)[0].muted, Some(true));
    assert!(
        !world
            .commands
            .iter()
            .any(|command| matches!(command, MediaCommand::Mute { muted: false, .. }))
    );
}

#[test]
fn loudness_is_told_as_attenuation_and_silence_once() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let legs = world.legs();
    let states = |world: &World, conn: ConnId| -> Vec<_> {
        world
            .last(conn, Type::AudioMetadata)
            .audio_metadata
            .unwrap()
            .attendee_states
            .iter()
            .map(|state| {
                assert_eq!(state.signal_strength, Some(2));
                (state.audio_stream_id.unwrap(), state.volume.unwrap())
            })
            .collect()
    };
    world.levels(&[(legs[0], 20), (legs[1], 30)]);
    assert_eq!(states(&world, ben), [(1, 20), (2, 30)]);
    world.levels(&[(legs[1], 25)]);
    assert_eq!(states(&world, anna), [(2, 25), (1, 127)]);
    world.forget_frames();
    // The shard says nothing while nobody speaks.
    world.pass(Duration::from_secs(2));
    assert_eq!(states(&world, anna), [(2, 127)]);
    assert_eq!(world.heard(anna).len(), 1);
    world.levels(&[]);
    assert!(world.heard(anna).is_empty());
}

#[test]
fn who_is_muted_is_not_shown_as_loud() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(anna, mute(true));
    world.forget_frames();
    let legs = world.legs();
    world.levels(&[(legs[0], 20)]);
    assert!(world.heard(anna).is_empty());
}

#[test]
fn data_messages_reach_all_others_with_sender_and_time() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    world.forget_frames();
    world.say(anna, data("chat", b"hello", 0));
    assert!(world.heard(anna).is_empty());
    let frame = world.last(ben, Type::DataMessage);
    let message = &frame.data_message.unwrap().messages[0];
    assert_eq!(message.topic.as_deref(), Some("chat"));
    assert_eq!(message.data.as_deref(), Some(b"hello".as_slice()));
    assert_eq!(message.sender_attendee_id.as_deref(), Some("anna"));
    assert_eq!(message.sender_external_user_id.as_deref(), Some("ext-anna"));
    assert_eq!(message.ingest_time_ns, Some(1_795_303_072_867_000_000));
}

#[test]
fn a_sender_cannot_forge_who_it_is() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let mut forged = data("chat", b"hello", 0);
    let message = &mut forged.data_message.as_mut().unwrap().messages[0];
    message.sender_attendee_id = Some("boss".to_owned());
    message.ingest_time_ns = Some(1);
    world.say(anna, forged);
    let frame = world.last(ben, Type::DataMessage);
    let message = &frame.data_message.unwrap().messages[0];
    assert_eq!(message.sender_attendee_id.as_deref(), Some("anna"));
    assert_ne!(message.ingest_time_ns, Some(1));
}

#[test]
fn messages_with_a_lifetime_wait_for_late_comers() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(anna, data("chat", b"kept", 60_000));
    world.say(anna, data("chat", b"gone", 0));
    world.pass(Duration::from_secs(30));
    let ben = world.enter("ben");
    let messages = world
        .last(ben, Type::DataMessage)
        .data_message
        .unwrap()
        .messages;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].data.as_deref(), Some(b"kept".as_slice()));
    world.say(anna, ping(1));
    world.pass(Duration::from_secs(31));
    let cleo = world.enter("cleo");
    assert!(!world.kinds(cleo).contains(&Type::DataMessage));
}

#[test]
fn who_sends_too_many_messages_gets_them_back_and_the_others_do_not() {
    let mut world = World::with(|config| config.browser.data_burst = 2);
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    world.forget_frames();
    for _ in 0..3 {
        world.say(anna, data("chat", b"x", 0));
    }
    assert_eq!(world.heard(ben).len(), 2);
    let back = world.last(anna, Type::DataMessage).data_message.unwrap();
    assert_eq!(back.messages[0].ingest_time_ns, Some(0));
    assert!(world.closed.is_empty());
}

#[test]
fn a_bad_data_message_is_only_noticed() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    world.forget_frames();
    world.say(anna, data("no spaces", b"x", 0));
    assert_eq!(world.kinds(anna), [Type::Notification]);
    assert!(world.heard(ben).is_empty());
    assert!(world.closed.is_empty());
}

#[test]
fn promotion_to_a_primary_meeting_is_refused_and_nothing_else_happens() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(
        anna,
        SdkSignalFrame {
            primary_meeting_join: Some(SdkPrimaryMeetingJoinFrame::default()),
            ..SdkSignalFrame::of(Type::PrimaryMeetingJoin, 1)
        },
    );
    let ack = world.last(anna, Type::PrimaryMeetingJoinAck);
    assert!(error_of(&ack).is_some_and(|status| (400..500).contains(&status)));
    assert!(world.closed.is_empty());
}

#[test]
fn garbage_ends_its_own_session_only() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    world.forget_frames();
    world.handle(Input::SignalFrame {
        conn: anna,
        frame: decode(&[5, 0xff, 0xff, 0xff]),
    });
    assert_eq!(error_of(&world.frames[&anna][0]), Some(400));
    assert_eq!(world.closed[&anna].0, 4400);
    let lines = world.roster(ben);
    assert_eq!(
        (lines[0].audio_stream_id, lines[0].dropped),
        (Some(1), Some(true))
    );
    world.say(ben, ping(1));
    assert_eq!(
        world.last(ben, Type::PingPong).ping_pong.unwrap().ping_id,
        1
    );
}

#[test]
fn frames_out_of_order_or_incomplete_are_400() {
    let incomplete = |kind| SdkSignalFrame::of(kind, 1);
    let cases: [(bool, SdkSignalFrame); 9] = [
        (false, subscribe_frame(&[], &[], &[])),
        (false, mute(true)),
        (false, data("chat", b"x", 0)),
        (true, join_frame(1)),
        (true, incomplete(Type::Subscribe)),
        (true, incomplete(Type::AudioControl)),
        (true, incomplete(Type::Index)),
        (true, {
            let mut frame = subscribe_frame(&[], &[], &[]);
            frame.sub.as_mut().unwrap().sdp_offer = Some("v=0\r\n".to_owned());
            frame
        }),
        (true, {
            let mut frame = subscribe_frame(&[], &[], &[]);
            let sub = frame.sub.as_mut().unwrap();
            sub.sdp_offer = Some(String::new());
            sub.compressed_sdp_offer = Some(vec![1, 2, 3]);
            frame
        }),
    ];
    for (joined, frame) in cases {
        let mut world = World::new();
        let conn = if joined {
            world.join("anna")
        } else {
            world.open("anna")
        };
        let told = world.heard(conn).len();
        assert_eq!(told, if joined { 2 } else { 0 });
        world.say(conn, frame.clone());
        assert_eq!(error_of(&world.frames[&conn][0]), Some(400), "{frame:?}");
        assert_eq!(world.closed[&conn].0, 4400);
        world.assert_all_is_forgotten();
    }
}

#[test]
fn a_frame_of_a_type_that_nobody_knows_is_passed_over() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.forget_frames();
    world.say(
        anna,
        SdkSignalFrame {
            kind: 99,
            ..SdkSignalFrame::default()
        },
    );
    assert!(world.heard(anna).is_empty());
    assert!(world.closed.is_empty());
}

#[test]
fn a_flood_of_requests_ends_the_session_that_makes_it() {
    let mut world = World::new();
    let anna = world.enter("anna");
    for step in 0..200 {
        if !world.closed.contains_key(&anna) {
            world.say(anna, mute(step % 2 == 0));
        }
    }
    assert_eq!(world.closed[&anna].0, 4400);
}

#[test]
fn frames_after_the_end_and_of_unknown_connections_are_nothing() {
    let mut world = World::new();
    let anna = world.enter("anna");
    world.say(anna, leave());
    world.forget_frames();
    world.say(anna, mute(true));
    world.say(ConnId(999), join_frame(1));
    world.close_socket(ConnId(999));
    assert!(world.frames.is_empty());
}

#[test]
fn frames_that_the_sdk_sent_are_understood() {
    // Captured from the SDK in a browser: PING, JOIN, CLIENT_METRIC, AUDIO_CONTROL, DATA_MESSAGE,
    // REMOTE_VIDEO_UPDATE, LEAVE. Its SUBSCRIBE was not kept whole.
    let captured = [
        "0508e3c89b83a0341013a2010408011001",
        "0508e9c89b83a034100122570802180222432a066368726f6d65320d3135362e302e383037382e37393a13616d617a6f6e2d6368696d652d73646b2d6a734206332e33322e304a062b30303a303052054c696e7578309e83f0b1093801500160006800",
        "SUBSCRIBE",
        "050896d09b83a0341015b201520a0b080711000000000000f03f0a0b08081100000000000000000a0b08021100000000cc7512410a0b086111f5807a403da08e3f121c2a0b080a110000000000003e402a0b080c11000000000058c6403801",
        "050887939d83a03410108a01020801",
        "0508e6929d83a0341016ba01190a170a0463686174120c68656c6c6f2066726f6d2061188827",
        "0508e3fda583a0341018ca01180a160a013212046262626220feffffff0f28904e30053801",
        "050894a79d83a03410095a00",
    ];
    let mut world = World::new();
    let ben = world.enter("ben");
    let anna = world.open("anna");
    for (index, hex) in captured.iter().enumerate() {
        if *hex == "SUBSCRIBE" {
            world.say(anna, subscribe_frame(&[Tile::Idle("1")], &[], &[0]));
            continue;
        }
        let octets: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        world.handle(Input::SignalFrame {
            conn: anna,
            frame: decode(&octets),
        });
        assert!(world.closed.is_empty(), "frame {index}");
    }
    assert_eq!(
        world.kinds(anna),
        [
            Type::PingPong,
            Type::JoinAck,
            Type::Index,
            Type::SubscribeAck,
            Type::AudioStreamIdInfo,
            Type::AudioStreamIdInfo,
            Type::LeaveAck
        ]
    );
    let message = world.last(ben, Type::DataMessage).data_message.unwrap();
    assert_eq!(
        message.messages[0].data.as_deref(),
        Some(b"hello from a".as_slice())
    );
}

#[test]
fn a_viewer_that_lacks_a_codec_is_told_of_in_the_index() {
    let mut world = World::new();
    let anna = world.join("anna");
    world.say(anna, subscribe_frame(&[Tile::Idle("1")], &[], &[0]));
    world.forget_frames();
    let ben = world.join("ben");
    let mut frame = subscribe_frame(&[Tile::Idle("1")], &[], &[0]);
    let sub = frame.sub.as_mut().unwrap();
    let without_h264 = sub
        .sdp_offer
        .take()
        .unwrap()
        .replace("H264/90000", "H265/90000");
    sub.sdp_offer = Some(without_h264);
    world.say(ben, frame);
    let index = world.last(anna, Type::Index).index.unwrap();
    assert_eq!(index.supported_receive_codec_intersection, [1]);
    world.say(anna, subscribe_frame(&[Tile::Sends("1", 5)], &[600], &[0]));
    let formats = &world.plan().video_receive[0].formats;
    assert_eq!(formats.len(), 1);
    assert_eq!(formats[0].codec, VideoCodec::Vp8);
    world.say(ben, leave());
    let index = world.last(anna, Type::Index).index.unwrap();
    assert!(index.supported_receive_codec_intersection.is_empty());
}
