//! Cameras and tiles: stream numbers, track mappings, sections that come and go.

use std::time::Duration;

use wire::plan::{LegPlan, MediaEvent, StreamId};
use wire::signal::{
    SdkPauseResumeFrame, SdkRemoteVideoUpdateFrame, SdkSignalFrame, SdkSignalFrameType as Type,
    SdkVideoSubscriptionConfiguration,
};

use super::world::{World, error_of, join_frame, leave, meeting, stream, subscribe_frame};
use crate::exchange::{Capabilities, Capability, ConnId, VideoMax};
use crate::negotiate::browser::chrome::Tile;
use crate::note::Note;

/// A browser with an idle camera.
fn watcher(world: &mut World, name: &str) -> ConnId {
    let conn = world.join(name);
    world.say(conn, subscribe_frame(&[Tile::Idle("1")], &[], &[0]));
    conn
}

fn start_camera(world: &mut World, conn: ConnId) -> u32 {
    world.say(
        conn,
        subscribe_frame(&[Tile::Sends("1", 5000)], &[1500], &[0]),
    );
    world.ack(conn).allocations[0].stream_id.unwrap()
}

fn shown(plan: &LegPlan) -> Vec<(String, StreamId)> {
    plan.video_send
        .iter()
        .filter(|send| send.source != StreamId(0))
        .map(|send| (send.mid.clone(), send.source))
        .collect()
}

#[test]
fn a_camera_gets_numbers_and_all_are_told() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    let ack = world.ack(anna);
    assert_eq!(ack.allocations.len(), 1);
    assert_eq!(
        ack.allocations[0].track_label.as_deref(),
        Some("AmazonChimeExpressVideo")
    );
    assert!(ack.tracks.is_empty());
    let receive = &world.plan().video_receive[0];
    assert_eq!((receive.mid.as_str(), receive.stream), ("1", StreamId(id)));
    assert_eq!(receive.ssrcs, [5000]);

    let index = world.last(ben, Type::Index).index.unwrap();
    assert_eq!(index.num_participants, Some(2));
    assert_eq!(index.at_capacity, Some(false));
    let source = &index.sources[0];
    assert_eq!(source.stream_id, Some(id));
    assert_eq!(source.group_id, ack.allocations[0].group_id);
    assert_eq!(source.attendee_id.as_deref(), Some("anna"));
    assert_eq!(source.media_type, Some(2));
    assert!(
        source
            .max_bitrate_kbps
            .is_some_and(|kbps| (500..650).contains(&kbps))
    );
    assert_eq!(
        world.count(
            |note| matches!(note, Note::VideoStarted { attendee_id, .. } if attendee_id == "anna")
        ),
        1
    );
}

#[test]
fn the_track_mapping_names_the_msid_and_ssrc_of_the_section() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    world.say(
        ben,
        subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[0, id]),
    );
    let ack = world.ack(ben);
    assert_eq!(ack.tracks.len(), 1);
    assert_eq!(ack.tracks[0].stream_id, Some(id));
    let label = ack.tracks[0].track_label.clone().unwrap();
    let ssrc = ack.tracks[0].ssrc.unwrap();
    let answer = ack.sdp_answer.unwrap();
    let section = answer.split("m=video").nth(2).unwrap();
    assert!(section.contains("a=mid:2\r\n"));
    assert!(section.contains(&format!("a=msid:{label} ")));
    assert!(section.contains(&format!("a=ssrc:{ssrc} cname:")));
    let send = &world.plan().video_send[0];
    assert_eq!((send.ssrc, send.source), (ssrc, stream(id)));
}

#[test]
fn a_recycled_section_with_a_new_mid_gets_a_new_ssrc_for_the_same_stream() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let cleo = watcher(&mut world, "cleo");
    let a = start_camera(&mut world, anna);
    let b = start_camera(&mut world, ben);
    let mut say = |tiles: &[Tile], wants: &[u32]| {
        world.say(cleo, subscribe_frame(tiles, &[], wants));
        (world.ack(cleo), shown(world.plan()))
    };
    let (first, now) = say(&[Tile::Idle("1"), Tile::Shows("2")], &[0, a]);
    assert_eq!(now, [("2".to_owned(), stream(a))]);
    // Section 2 stops; what it showed moves to a new one.
    let (second, now) = say(
        &[
            Tile::Idle("1"),
            Tile::Stopped("2"),
            Tile::Shows("3"),
            Tile::Shows("4"),
        ],
        &[0, 0, a, b],
    );
    assert_eq!(
        now,
        [("3".to_owned(), stream(a)), ("4".to_owned(), stream(b))]
    );
    assert_ne!(first.tracks[0].ssrc, second.tracks[0].ssrc);
    assert_ne!(first.tracks[0].track_label, second.tracks[0].track_label);
    // The stopped section is used again under another mid; an unchanged one keeps its SSRC.
    let (third, now) = say(
        &[
            Tile::Idle("1"),
            Tile::Shows("5"),
            Tile::Stopped("3"),
            Tile::Shows("4"),
        ],
        &[0, a, 0, b],
    );
    assert_eq!(
        now,
        [("5".to_owned(), stream(a)), ("4".to_owned(), stream(b))]
    );
    assert_eq!(third.tracks[1].ssrc, second.tracks[1].ssrc);
    assert_ne!(third.tracks[0].ssrc, second.tracks[0].ssrc);
    let answer = third.sdp_answer.unwrap();
    assert!(answer.contains("a=group:BUNDLE 0 1 5 4\r\n"));
    assert!(answer.split("m=video").nth(3).unwrap().starts_with(" 0 "));
}

#[test]
fn a_camera_that_goes_on_keeps_its_number_and_one_that_starts_again_gets_a_higher() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let first = start_camera(&mut world, anna);
    let group = world.ack(anna).allocations[0].group_id;
    assert_eq!(start_camera(&mut world, anna), first);
    assert_eq!(world.ack(anna).allocations[0].group_id, group);
    world.say(anna, subscribe_frame(&[Tile::Idle("1")], &[], &[0]));
    assert!(world.index(anna).is_empty());
    assert!(world.plan().video_receive.is_empty());
    assert!(start_camera(&mut world, anna) > first);
    assert!(world.ack(anna).allocations[0].group_id > group);
}

#[test]
fn a_camera_is_gone_from_the_index_when_its_owner_leaves_or_is_lost() {
    for lost in [false, true] {
        let mut world = World::new();
        let anna = watcher(&mut world, "anna");
        let ben = watcher(&mut world, "ben");
        let id = start_camera(&mut world, anna);
        assert_eq!(world.index(ben), [(id, "anna".to_owned())]);
        if lost {
            world.close_socket(anna);
        } else {
            world.say(anna, leave());
        }
        assert!(world.index(ben).is_empty());
        assert_eq!(
            world.count(|note| matches!(note, Note::VideoStopped { .. })),
            1
        );
    }
}

#[test]
fn nobody_is_shown_itself_or_what_does_not_exist() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let own = start_camera(&mut world, anna);
    world.say(
        anna,
        subscribe_frame(
            &[Tile::Sends("1", 5000), Tile::Shows("2"), Tile::Shows("3")],
            &[1500],
            &[0, own, 77],
        ),
    );
    assert!(world.ack(anna).tracks.is_empty());
    assert!(world.plan().video_send.is_empty());
    assert_eq!(world.plan().video_receive.len(), 1);
}

#[test]
fn a_content_share_is_a_tile_of_its_own() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let camera = start_camera(&mut world, anna);
    let share = world.join("anna#content");
    world.say(
        share,
        subscribe_frame(&[Tile::Sends("1", 6000)], &[1200], &[0]),
    );
    let screen = world.ack(share).allocations[0].stream_id.unwrap();
    assert_eq!(
        world.index(ben),
        [
            (camera, "anna".to_owned()),
            (screen, "anna#content".to_owned())
        ]
    );
    let answer = world.ack(share).sdp_answer.unwrap();
    let tias: u32 = answer
        .split("b=TIAS:")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .and_then(|bps| bps.parse().ok())
        .unwrap();
    assert!((1_000_000..1_150_000).contains(&tias));
}

#[test]
fn caps_fall_as_more_cameras_start() {
    let mut world = World::new();
    let mut caps = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let conn = watcher(&mut world, name);
        start_camera(&mut world, conn);
        let answer = world.ack(conn).sdp_answer.unwrap();
        let line = answer.split("b=TIAS:").nth(1).unwrap();
        caps.push(line.split("\r\n").next().unwrap().parse::<u32>().unwrap());
    }
    let kbps: Vec<_> = caps.iter().map(|bps| bps / 1000).collect();
    assert_eq!(kbps, [562, 562, 373, 373, 122, 122]);
}

#[test]
fn the_twenty_sixth_camera_is_asked_to_stay_a_viewer() {
    let mut world = World::new();
    let mut last = None;
    for number in 0..26 {
        let conn = watcher(&mut world, &format!("attendee-{number}"));
        world.say(
            conn,
            subscribe_frame(&[Tile::Sends("1", 5000)], &[1500], &[0]),
        );
        last = Some(conn);
    }
    let last = last.unwrap();
    assert!(world.ack(last).allocations.is_empty());
    assert!(world.ack(last).sdp_answer.unwrap().contains("a=inactive"));
    assert_eq!(error_of(&world.last(last, Type::AudioStatus)), Some(206));
    assert!(world.closed.is_empty());
    let index = world.last(last, Type::Index).index.unwrap();
    assert_eq!((index.sources.len(), index.at_capacity), (25, Some(true)));
}

#[test]
fn a_meeting_without_video_takes_none() {
    let mut world = World::new();
    let mut admitted = super::world::admitted("anna");
    admitted.meeting.video_max = VideoMax::None;
    let anna = world.open_as(Ok(Box::new(admitted)));
    world.say(anna, join_frame(1));
    world.say(
        anna,
        subscribe_frame(&[Tile::Sends("1", 5000)], &[1500], &[0]),
    );
    assert!(world.ack(anna).allocations.is_empty());
    assert!(world.plan().video_receive.is_empty());
}

#[test]
fn who_may_not_see_video_is_neither_told_of_it_nor_shown_it() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let mut admitted = super::world::admitted("ben");
    admitted.attendee.capabilities = Capabilities {
        video: Capability::Send,
        ..Capabilities::default()
    };
    let ben = world.open_as(Ok(Box::new(admitted)));
    world.say(ben, join_frame(1));
    let id = start_camera(&mut world, anna);
    assert!(world.index(ben).is_empty());
    world.say(
        ben,
        subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[0, id]),
    );
    assert!(world.ack(ben).tracks.is_empty());
}

#[test]
fn of_simulcast_one_layer_is_taken_and_three_are_numbered() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    world.say(
        anna,
        subscribe_frame(&[Tile::Layers("1", "~low;mid;~hi")], &[0, 1200, 0], &[0]),
    );
    let ack = world.ack(anna);
    let ids: Vec<_> = ack
        .allocations
        .iter()
        .map(|allocation| allocation.stream_id.unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted());
    assert!(
        ack.allocations
            .iter()
            .all(|a| a.group_id == ack.allocations[0].group_id)
    );
    assert!(ack.sdp_answer.unwrap().contains("a=simulcast:recv mid\r\n"));
    assert_eq!(world.plan().video_receive.len(), 1);
    assert_eq!(world.plan().video_receive[0].stream, stream(ids[1]));
    assert_eq!(world.index(ben), [(ids[1], "anna".to_owned())]);
}

#[test]
fn a_paused_tile_is_not_sent_until_it_is_resumed() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    world.say(
        ben,
        subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[0, id]),
    );
    let ssrc = world.plan().video_send[0].ssrc;
    let frame = |kind| SdkSignalFrame {
        pause: Some(SdkPauseResumeFrame {
            stream_ids: vec![id],
            group_ids: Vec::new(),
        }),
        ..SdkSignalFrame::of(kind, 1)
    };
    world.say(ben, frame(Type::Pause));
    assert!(shown(world.plan()).is_empty());
    assert_eq!(world.plan().video_send[0].ssrc, ssrc);
    let commands = world.commands.len();
    world.say(ben, frame(Type::Pause));
    assert_eq!(world.commands.len(), commands);
    world.say(ben, frame(Type::Resume));
    assert_eq!(shown(world.plan()), [("2".to_owned(), stream(id))]);
    assert_eq!(world.plan().video_send[0].ssrc, ssrc);
}

#[test]
fn a_remote_video_update_changes_what_a_section_shows_without_an_offer() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let cleo = watcher(&mut world, "cleo");
    let a = start_camera(&mut world, anna);
    let b = start_camera(&mut world, ben);
    let group_of_b = world.ack(ben).allocations[0].group_id;
    world.say(
        cleo,
        subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[0, a]),
    );
    let update = |mid: &str, group_id, removed: &[&str]| SdkSignalFrame {
        remote_video_update: Some(SdkRemoteVideoUpdateFrame {
            added_or_updated_video_subscriptions: vec![SdkVideoSubscriptionConfiguration {
                mid: mid.to_owned(),
                group_id,
                ..SdkVideoSubscriptionConfiguration::default()
            }],
            removed_video_subscription_mids: removed.iter().map(|mid| (*mid).to_owned()).collect(),
        }),
        ..SdkSignalFrame::of(Type::RemoteVideoUpdate, 1)
    };
    world.say(cleo, update("2", group_of_b, &[]));
    assert_eq!(shown(world.plan()), [("2".to_owned(), stream(b))]);
    world.say(cleo, update("none", None, &["2"]));
    assert!(shown(world.plan()).is_empty());
    world.say(cleo, update("2", group_of_b, &[]));
    assert_eq!(shown(world.plan()), [("2".to_owned(), stream(b))]);
}

#[test]
fn a_priority_policy_may_name_the_stream_by_section() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    let group_id = world.ack(anna).allocations[0].group_id;
    let mut frame = subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[]);
    frame.sub.as_mut().unwrap().video_subscription_configuration =
        vec![SdkVideoSubscriptionConfiguration {
            mid: "2".to_owned(),
            group_id,
            ..SdkVideoSubscriptionConfiguration::default()
        }];
    world.say(ben, frame);
    assert_eq!(world.ack(ben).tracks[0].stream_id, Some(id));
}

#[test]
fn measured_rates_are_told_and_stand_in_the_index() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    world.media(MediaEvent::VideoRates {
        bridge: meeting().bridge,
        rates: vec![(stream(id), 480_000), (stream(99), 1)],
    });
    let rates = world.last(ben, Type::Bitrates).bitrates.unwrap();
    assert_eq!(rates.bitrates.len(), 1);
    assert_eq!(rates.bitrates[0].source_stream_id, Some(id));
    assert_eq!(rates.bitrates[0].avg_bitrate_bps, Some(480_000));
    assert_eq!(rates.server_available_outgoing_bitrate, None);
    let cleo = world.join("cleo");
    let index = world.last(cleo, Type::Index).index.unwrap();
    assert_eq!(index.sources[0].avg_bitrate_bps, Some(480_000));
}

#[test]
fn after_video_and_reconnects_nothing_is_left() {
    let mut world = World::new();
    let anna = watcher(&mut world, "anna");
    let ben = watcher(&mut world, "ben");
    let id = start_camera(&mut world, anna);
    world.say(
        ben,
        subscribe_frame(&[Tile::Idle("1"), Tile::Shows("2")], &[], &[0, id]),
    );
    world.close_socket(anna);
    world.pass(Duration::from_secs(5));
    let anna = watcher(&mut world, "anna");
    start_camera(&mut world, anna);
    world.say(anna, leave());
    world.close_socket(ben);
    world.assert_all_is_forgotten();
}
