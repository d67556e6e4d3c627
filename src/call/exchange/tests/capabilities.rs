//! What attendees may do, changed while they are in the meeting or on their way into it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{LegId, LegPlan, MediaCommand, StreamId};
use wire::signal::SdkSignalFrameType as Type;

use super::world::{
    GUEST, PIN, World, admitted, error_of, join_frame, leave, meeting, mute, subscribe_frame,
};
use crate::exchange::{
    Admitted, Allowed, AttendeeInfo, Capabilities, Capability, ConnId, Input, Strangers,
};
use crate::negotiate::browser::chrome::Tile;
use crate::note::{CallStart, Note, Party};

const ALL: [Capability; 4] = [
    Capability::SendReceive,
    Capability::Send,
    Capability::Receive,
    Capability::None,
];

fn may(audio: Capability, video: Capability, content: Capability) -> Capabilities {
    Capabilities {
        audio,
        video,
        content,
    }
}

fn change(attendee_id: &str, capabilities: Capabilities, version: u64) -> Input {
    Input::Allow {
        meeting: meeting().id,
        attendees: vec![Allowed {
            attendee_id: attendee_id.to_owned(),
            capabilities,
            version,
        }],
        strangers: None,
    }
}

/// What media was told of a leg: whether it is muted and deaf, and its plan.
fn enforced(world: &World, leg: LegId) -> (bool, bool, Option<LegPlan>) {
    let (mut muted, mut deaf, mut plan) = (false, false, None);
    for command in world.commands.iter().filter(|it| it.leg() == leg) {
        match command {
            MediaCommand::Mute { muted: said, .. } => muted = *said,
            MediaCommand::Deafen { deaf: said, .. } => deaf = *said,
            MediaCommand::Configure { plan: said, .. } => plan = Some(said.as_ref().clone()),
            _ => {}
        }
    }
    (muted, deaf, plan)
}

fn shows(plan: &LegPlan) -> Vec<StreamId> {
    let sent = plan.video_send.iter().map(|send| send.source);
    sent.filter(|source| *source != StreamId(0)).collect()
}

/// Camera on, and the stream of that number in a tile.
fn camera_and_tile(world: &mut World, conn: ConnId, wanted: u32) {
    let tiles = [Tile::Sends("1", 5000), Tile::Shows("2")];
    world.say(conn, subscribe_frame(&tiles, &[1500], &[0, wanted]));
}

#[test]
fn a_voice_is_taken_and_given_back_at_once() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let leg = world.legs()[0];
    let both = Capability::SendReceive;
    world.handle(change("anna", may(Capability::Receive, both, both), 1));
    for conn in [anna, ben] {
        assert_eq!(world.roster(conn)[0].muted, Some(true));
    }
    assert!(enforced(&world, leg).0);
    // It may say that it is not muted; it stays so.
    world.say(anna, mute(false));
    assert!(enforced(&world, leg).0);
    world.handle(change("anna", Capabilities::default(), 2));
    assert_eq!(world.roster(ben)[0].muted, Some(false));
    assert!(!enforced(&world, leg).0);
    // Who muted itself meanwhile stays muted.
    world.handle(change("anna", may(Capability::Receive, both, both), 3));
    world.say(anna, mute(true));
    world.handle(change("anna", Capabilities::default(), 4));
    assert_eq!(world.roster(ben)[0].muted, Some(true));
    assert!(enforced(&world, leg).0);
    // What is older than what is known changes nothing.
    world.say(anna, mute(false));
    world.handle(change("anna", may(Capability::None, both, both), 3));
    let (muted, deaf, _) = enforced(&world, leg);
    assert_eq!((muted, deaf), (false, false));
}

#[test]
fn who_may_not_hear_hears_nobody_and_is_offered_sound_all_the_same() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let leg = world.legs()[0];
    let both = Capability::SendReceive;
    world.handle(change("anna", may(Capability::Send, both, both), 1));
    let (muted, deaf, _) = enforced(&world, leg);
    assert_eq!((muted, deaf), (false, true));
    // A new offer is answered with sound both ways: what is given back needs no further one.
    world.say(anna, subscribe_frame(&[Tile::Idle("1")], &[], &[0]));
    let answer = world.ack(anna).sdp_answer.unwrap();
    let audio = answer.split("m=video").next().unwrap();
    assert!(audio.contains("a=sendrecv\r\n"), "{audio}");
    world.handle(change("anna", Capabilities::default(), 2));
    assert!(!enforced(&world, leg).1);
}

#[test]
fn a_camera_is_taken_at_once_and_may_be_switched_on_again() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let legs = world.legs();
    camera_and_tile(&mut world, anna, 0);
    let id = world.ack(anna).allocations[0].stream_id.unwrap();
    camera_and_tile(&mut world, ben, id);
    assert_eq!(shows(&enforced(&world, legs[1]).2.unwrap()), [StreamId(id)]);

    let both = Capability::SendReceive;
    world.handle(change("anna", may(both, Capability::Receive, both), 1));
    assert!(
        enforced(&world, legs[0])
            .2
            .unwrap()
            .video_receive
            .is_empty()
    );
    assert_eq!(error_of(&world.last(anna, Type::AudioStatus)), Some(206));
    assert!(!world.index(ben).iter().any(|(_, who)| who == "anna"));
    let at_capacity =
        |world: &World, conn| world.last(conn, Type::Index).index.unwrap().at_capacity;
    assert_eq!(at_capacity(&world, anna), Some(true));
    assert_eq!(at_capacity(&world, ben), Some(false));
    // It tries all the same.
    world.forget_frames();
    camera_and_tile(&mut world, anna, 0);
    assert!(world.ack(anna).allocations.is_empty());
    assert_eq!(error_of(&world.last(anna, Type::AudioStatus)), Some(206));

    world.handle(change("anna", Capabilities::default(), 2));
    assert_eq!(at_capacity(&world, anna), Some(false));
    camera_and_tile(&mut world, anna, 0);
    let again = world.ack(anna).allocations[0].stream_id.unwrap();
    assert!(again > id);
    assert!(world.index(ben).contains(&(again, "anna".to_owned())));
    let plan = enforced(&world, legs[0]).2.unwrap();
    assert_eq!(plan.video_receive[0].stream, StreamId(again));
}

#[test]
fn what_may_not_be_seen_is_sent_no_longer_and_is_told_of_again_when_it_may() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let ben = world.enter("ben");
    let leg = world.legs()[1];
    camera_and_tile(&mut world, anna, 0);
    let id = world.ack(anna).allocations[0].stream_id.unwrap();
    camera_and_tile(&mut world, ben, id);
    let (both, send) = (Capability::SendReceive, Capability::Send);
    world.handle(change("ben", may(both, send, send), 1));
    let plan = enforced(&world, leg).2.unwrap();
    assert!(shows(&plan).is_empty());
    assert_eq!(plan.video_receive.len(), 1, "its own camera goes on");
    assert!(world.index(ben).is_empty());
    world.handle(change("ben", Capabilities::default(), 2));
    assert_eq!(world.index(ben)[0], (id, "anna".to_owned()));
    // The client asks for it again, as for one that is new.
    camera_and_tile(&mut world, ben, id);
    assert_eq!(shows(&enforced(&world, leg).2.unwrap()), [StreamId(id)]);
}

#[test]
fn a_content_share_ends_when_it_may_not_be_sent() {
    let mut world = World::new();
    let anna = world.enter("anna");
    let share = world.enter("anna#content");
    let waits = world.open("anna#content");
    let both = Capability::SendReceive;
    world.handle(change("anna", may(both, both, Capability::Receive), 1));
    let status = world.last(share, Type::AudioStatus).audio_status.unwrap();
    assert_eq!(status.audio_status, Some(411));
    assert_eq!(world.closed[&share].0, 4411);
    assert!(!world.closed.contains_key(&anna));
    world.say(waits, join_frame(1));
    assert_eq!(error_of(&world.last(waits, Type::JoinAck)), Some(403));
    // An admission that was read before is refused as well.
    let late = world.open_as(Ok(Box::new(admitted("anna#content"))));
    world.say(late, join_frame(1));
    assert_eq!(error_of(&world.last(late, Type::JoinAck)), Some(403));
    world.say(anna, leave());
    world.assert_all_is_forgotten();
}

#[test]
fn a_phone_that_said_who_it_is_may_what_that_attendee_may() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("one", &format!("{PIN}{GUEST}")), 200);
    let leg = world.legs()[1];
    let nothing = may(Capability::None, Capability::None, Capability::None);
    world.handle(change("host", nothing, 1));
    let (muted, deaf, _) = enforced(&world, leg);
    assert_eq!((muted, deaf), (true, true));
    assert_eq!(world.roster(anna)[0].muted, Some(true));
    // *6 does not help it.
    world.press(leg, "*6");
    assert!(enforced(&world, leg).0);
    world.handle(change("host", Capabilities::default(), 2));
    let (muted, deaf, _) = enforced(&world, leg);
    assert_eq!((muted, deaf), (false, false));
    // Another that was looked up before the change, and is answered after it.
    world.directory_sleeps = true;
    world.dial("two", &format!("{PIN}{GUEST}"));
    world.handle(change("host", nothing, 3));
    world.directory_answers();
    let second = world.legs()[2];
    let (muted, deaf, _) = enforced(&world, second);
    assert_eq!((muted, deaf), (true, true));
    // Deleted, it is out with both.
    let attendee = "host".to_owned();
    let meeting = meeting().id;
    world.handle(Input::RemoveAttendee { meeting, attendee });
    assert!(world.answer_bye("one"));
    let left = world.count(|note| matches!(note, Note::AttendeeLeft { .. }));
    assert_eq!(left, 2);
}

#[test]
fn phones_that_nobody_knows_are_meant_with_all_but_some() {
    let mut world = World::new();
    let anna = world.enter("anna");
    assert_eq!(world.dial("one", PIN), 200);
    assert_eq!(world.dial("two", PIN), 200);
    let phones: Vec<String> = world
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::AttendeeJoined { attendee_id, .. } => Some(attendee_id.clone()),
            _ => None,
        })
        .collect();
    let legs = world.legs();
    world.forget_frames();
    world.handle(Input::Allow {
        meeting: meeting().id,
        attendees: Vec::new(),
        strangers: Some(Strangers {
            capabilities: may(Capability::Receive, Capability::None, Capability::None),
            except: vec![phones[1].clone()],
        }),
    });
    let muted: Vec<bool> = legs.iter().map(|leg| enforced(&world, *leg).0).collect();
    assert_eq!(muted, [false, false, true]);
    assert_eq!(world.roster(anna)[0].audio_stream_id, Some(3));
}

/// A world in which what is stored, what was read of it and what was said of it travel at their own pace.
struct Race {
    world: World,
    random: StdRng,
    stored: BTreeMap<String, (Capabilities, u64)>,
    /// Changes and admissions on their way.
    under_way: Vec<Way>,
    conns: Vec<(ConnId, String)>,
    muted: BTreeMap<ConnId, bool>,
    calls: u32,
}

enum Way {
    Change(Box<Input>),
    Admission(Box<Admitted>, String),
    /// The directory's answer, as read.
    Phone(Box<AttendeeInfo>),
}

const PEOPLE: [&str; 3] = ["anna", "ben", "host"];

impl Race {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.directory_sleeps = true;
        let stored = PEOPLE.map(|name| (name.to_owned(), (Capabilities::default(), 0)));
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            stored: stored.into(),
            under_way: Vec::new(),
            conns: Vec::new(),
            muted: BTreeMap::new(),
            calls: 0,
        }
    }

    fn read(&self, name: &str) -> AttendeeInfo {
        let (capabilities, version) = self.stored[name];
        AttendeeInfo {
            attendee_id: name.to_owned(),
            external_user_id: name.to_owned(),
            capabilities,
            version,
        }
    }

    fn somebody(&mut self) -> String {
        PEOPLE[self.random.random_range(0..PEOPLE.len())].to_owned()
    }

    fn step(&mut self) {
        match self.random.random_range(0..12) {
            0..3 => {
                let name = self.somebody();
                let mut draw = || ALL[self.random.random_range(0..ALL.len())];
                let capabilities = may(draw(), draw(), draw());
                let stored = self.stored.get_mut(&name).unwrap();
                *stored = (capabilities, stored.1 + 1);
                let told = change(&name, capabilities, stored.1);
                self.under_way.push(Way::Change(Box::new(told)));
            }
            3..5 => {
                let name = self.somebody();
                let content = self.random.random_range(0..4) == 0;
                let said = format!("{name}{}", if content { "#content" } else { "" });
                let admission = Admitted {
                    attendee: self.read(&name),
                    ..admitted(&said)
                };
                let way = Way::Admission(Box::new(admission), said);
                self.under_way.push(way);
            }
            5 if self.calls < 3 => {
                self.calls += 1;
                self.world
                    .dial(&format!("call-{}", self.calls), &format!("{PIN}{GUEST}"));
                let way = Way::Phone(Box::new(self.read("host")));
                self.under_way.push(way);
            }
            6..9 => self.arrive(),
            _ => self.act(),
        }
    }

    /// Something that is on its way comes, not always the first.
    fn arrive(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.under_way.len());
        match self.under_way.remove(at) {
            Way::Change(input) => self.world.handle(*input),
            Way::Admission(admission, name) => {
                let conn = self.world.open_as(Ok(admission));
                self.conns.push((conn, name));
            }
            Way::Phone(read) => {
                self.world.guest = *read;
                self.world.directory_answers();
            }
        }
    }

    /// A browser does something: joins, shows its camera, mutes itself, goes.
    fn act(&mut self) {
        let open: Vec<ConnId> = self
            .conns
            .iter()
            .map(|(conn, _)| *conn)
            .filter(|conn| !self.world.closed.contains_key(conn))
            .collect();
        if open.is_empty() {
            return;
        }
        let conn = open[self.random.random_range(0..open.len())];
        let kinds = self.world.frames.get(&conn).map_or(0, Vec::len);
        if kinds == 0 {
            self.world.say(conn, join_frame(conn.0));
            return;
        }
        match self.random.random_range(0..10) {
            0..6 => {
                let frames = &self.world.frames[&conn];
                let index = frames.iter().rfind(|frame| frame.index.is_some());
                let wanted = index
                    .and_then(|frame| frame.index.clone()?.sources.last()?.stream_id)
                    .unwrap_or(0);
                camera_and_tile(&mut self.world, conn, wanted);
            }
            6..9 => {
                let muted = self.random.random_range(0..2) == 0;
                self.world.say(conn, mute(muted));
                self.muted.insert(conn, muted);
            }
            _ => {
                self.conns.retain(|(known, _)| *known != conn);
                self.world.close_socket(conn);
            }
        }
    }

    /// What media was told of each leg that is open against what is stored of its attendee.
    fn agrees(&self) -> usize {
        let mut legs = 0;
        let is_closed = |leg: LegId| {
            let close = MediaCommand::Close { leg };
            self.world.commands.contains(&close)
        };
        for note in &self.world.notes {
            let Note::CallStarted(CallStart { leg, party, .. }) = note else {
                continue;
            };
            let joined = self
                .world
                .commands
                .iter()
                .any(|it| matches!(it, MediaCommand::Join { leg: of, .. } if of == leg));
            if !joined || is_closed(*leg) {
                continue;
            }
            let (name, content) = match party {
                Party::Browser { attendee_id, .. } => match attendee_id.strip_suffix("#content") {
                    Some(base) => (base, true),
                    None => (attendee_id.as_str(), false),
                },
                Party::Sip { .. } => ("host", false),
            };
            let (stored, _) = self.stored[name];
            let (muted, deaf, plan) = enforced(&self.world, *leg);
            let told = format!("{name} {content} {stored:?}");
            assert!(muted || stored.audio.sends(), "is heard: {told}");
            assert_eq!(deaf, !stored.audio.receives(), "{told}");
            assert!(!content || stored.content.sends(), "is shared: {told}");
            let plan = plan.unwrap();
            let sends = if content {
                stored.content
            } else {
                stored.video
            }
            .sends();
            assert!(sends || plan.video_receive.is_empty(), "is seen: {told}");
            let streams = shows(&plan);
            let sees = stored.video.receives() || stored.content.receives();
            assert!(sees || streams.is_empty(), "sees: {told}");
            if let Party::Browser { .. } = party
                && let Some((conn, _)) = self.conns.iter().rfind(|(conn, said)| {
                    said.trim_end_matches("#content") == name
                        && said.ends_with("#content") == content
                        && !self.world.closed.contains_key(conn)
                        && self.world.frames.get(conn).is_some_and(|it| it.len() > 2)
                })
                && !self.muted.get(conn).copied().unwrap_or(false)
                && stored.audio.sends()
            {
                assert!(!muted, "is silenced: {told}");
            }
            legs += 1;
        }
        legs
    }
}

#[test]
fn what_is_stored_and_what_media_does_agree_whatever_overtakes_what() {
    let mut legs = 0;
    for seed in 0..400 {
        let mut race = Race::new(seed);
        for _ in 0..60 {
            race.step();
        }
        while !race.under_way.is_empty() {
            race.arrive();
        }
        legs += race.agrees();
        for (conn, _) in race.conns.clone() {
            race.world.close_socket(conn);
        }
        race.world.pass(Duration::from_secs(1200));
        for call in 1..=race.calls {
            race.world.answer_bye(&format!("call-{call}"));
        }
    }
    assert!(legs > 400, "only {legs} legs were looked at");
}
