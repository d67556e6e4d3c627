//! A node's surroundings, played: browsers, phones, a shard that grants what is asked, a directory of meetings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use wire::plan::{
    BridgeId, IceCredentials, LegId, LegKind, LegPlan, LocalMedia, MediaCommand, MediaEvent,
    Refused, StreamId,
};
use wire::signal::{
    SdkAudioControlFrame, SdkAudioStreamIdInfo, SdkDataMessageFrame, SdkDataMessagePayload,
    SdkErrorFrame, SdkJoinFrame, SdkLeaveFrame, SdkPingPongFrame, SdkPingPongType, SdkSignalFrame,
    SdkSignalFrameType as Type, SdkStreamDescriptor, SdkStreamMediaType, SdkSubscribeAckFrame,
    SdkSubscribeFrame,
};
use wire::sip::{Message, Method};

use crate::ending::Ending;
use crate::exchange::virtual_time::start;
use crate::exchange::{
    Admitted, AttendeeInfo, Capabilities, Config, ConnId, DialIn, Exchange, Flow, FlowId, Input,
    Lookup, MeetingInfo, Output, Transport, VideoMax,
};
use crate::negotiate::browser::chrome::{Tile, offer};
use crate::note::Note;

pub(super) struct World {
    pub(super) exchange: Exchange,
    pub(super) now: Instant,
    pub(super) frames: BTreeMap<ConnId, Vec<SdkSignalFrame>>,
    pub(super) closed: BTreeMap<ConnId, (u16, String)>,
    pub(super) commands: Vec<MediaCommand>,
    pub(super) notes: Vec<Note>,
    pub(super) sip: Vec<(FlowId, Message)>,
    pub(super) directory: BTreeMap<String, MeetingInfo>,
    /// The directory takes its time; what it was asked stays here for [`World::directory_answers`].
    pub(super) directory_sleeps: bool,
    pub(super) asked: Vec<(u64, String)>,
    pub(super) ended_for_good: Vec<String>,
    pub(super) held_by_us: Vec<String>,
    /// What the shard answers to the next reservations.
    pub(super) shard_refuses: Option<Refused>,
    /// The shard takes its time with everything.
    pub(super) shard_sleeps: bool,
    /// Who dials with three digits more.
    pub(super) guest: AttendeeInfo,
    last_conn: u64,
}

pub(super) const PIN: &str = "1234567890";
/// The id of a meeting that has ended.
pub(super) const ENDED_PIN: &str = "1234567891";
/// An id that cannot be looked up.
pub(super) const BROKEN_PIN: &str = "1234567892";
/// What a host and a guest append to the id.
pub(super) const HOST: &str = "007";
pub(super) const GUEST: &str = "123";

pub(super) fn meeting() -> MeetingInfo {
    MeetingInfo {
        id: "meeting-1".to_owned(),
        pin: PIN.to_owned(),
        external_id: "weekly".to_owned(),
        account_id: "account".to_owned(),
        media_region: "local".to_owned(),
        bridge: BridgeId(50),
        max_attendees: 250,
        video_max: VideoMax::Hd,
    }
}

pub(super) fn admitted(name: &str) -> Admitted {
    let (base, content) = match name.strip_suffix("#content") {
        Some(base) => (base, true),
        None => (name, false),
    };
    Admitted {
        meeting: meeting(),
        attendee: AttendeeInfo {
            attendee_id: base.to_owned(),
            external_user_id: format!("ext-{base}"),
            capabilities: Capabilities::default(),
            version: 0,
        },
        content,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let now = start();
        let mut config = Config::new([3; 32]);
        change(&mut config);
        let epoch = (now, UNIX_EPOCH + Duration::from_millis(1_795_303_072_867));
        Self {
            exchange: Exchange::new(config, epoch),
            now,
            frames: BTreeMap::new(),
            closed: BTreeMap::new(),
            commands: Vec::new(),
            notes: Vec::new(),
            sip: Vec::new(),
            directory: BTreeMap::from([(PIN.to_owned(), meeting())]),
            directory_sleeps: false,
            asked: Vec::new(),
            ended_for_good: Vec::new(),
            held_by_us: Vec::new(),
            shard_refuses: None,
            shard_sleeps: false,
            guest: AttendeeInfo {
                attendee_id: "host".to_owned(),
                external_user_id: "Hanna".to_owned(),
                capabilities: Capabilities::default(),
                version: 0,
            },
            last_conn: 0,
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.exchange.handle(self.now, input);
        self.settle();
    }

    /// Lets time pass, with every timer on its way.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.exchange.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.exchange.timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while let Some(output) = self.exchange.poll() {
            match output {
                Output::Signal { conn, frame } => {
                    assert!(!self.closed.contains_key(&conn), "a frame after the close");
                    assert!(frame.timestamp_ms >= 1_795_303_072_867);
                    self.frames.entry(conn).or_default().push(*frame);
                }
                Output::CloseSignal { conn, code, reason } => {
                    assert!(reason.len() <= 123);
                    assert!(self.closed.insert(conn, (code, reason)).is_none());
                }
                Output::Media(command) => self.obey(command),
                Output::Find { query, digits } => {
                    self.asked.push((query, digits));
                    if !self.directory_sleeps {
                        self.directory_answers();
                    }
                }
                // Nobody's connection closes here before its call is over.
                Output::Connect { .. } | Output::KeepAlive { .. } => {}
                Output::Sip { flow, message, .. } => {
                    self.sip.push((flow, Message::parse(&message).unwrap()));
                }
                Output::Note(note) => self.notes.push(note),
                Output::CloseFlow { .. } => {}
                Output::EndMeeting { meeting } => self.ended_for_good.push(meeting),
                Output::HoldMeeting { meeting } => self.held_by_us.push(meeting),
            }
        }
    }

    /// The directory answers the first question that it has not answered.
    pub(super) fn directory_answers(&mut self) {
        let (query, digits) = self.asked.remove(0);
        let pin = &digits[..10];
        let host = |suffix: &str| DialIn {
            attendee: self.guest.clone(),
            moderator: suffix == HOST,
        };
        let found = match (self.directory.get(pin), &digits[10..]) {
            (Some(info), "") => Lookup::Meeting {
                info: info.clone(),
                who: None,
            },
            (Some(info), suffix @ (HOST | GUEST)) => Lookup::Meeting {
                info: info.clone(),
                who: Some(host(suffix)),
            },
            _ if pin == ENDED_PIN => Lookup::Ended,
            _ if pin == BROKEN_PIN => Lookup::Failed,
            _ => Lookup::Unknown,
        };
        self.handle(Input::Found { query, found });
    }

    fn obey(&mut self, command: MediaCommand) {
        let event = match &command {
            MediaCommand::Reserve { leg, kind, .. } => Some(match self.shard_refuses {
                Some(why) => MediaEvent::Refused { leg: *leg, why },
                None => ready(*leg, *kind),
            }),
            MediaCommand::Close { leg } => Some(MediaEvent::Closed { leg: *leg }),
            _ => None,
        };
        self.commands.push(command);
        if let Some(event) = event.filter(|_| !self.shard_sleeps) {
            self.exchange.handle(self.now, Input::Media(event));
        }
    }

    /// Opens a signaling connection without saying anything.
    pub(super) fn open(&mut self, name: &str) -> ConnId {
        self.open_as(Ok(Box::new(admitted(name))))
    }

    pub(super) fn open_as(&mut self, admission: crate::exchange::Admission) -> ConnId {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        self.handle(Input::SignalOpened {
            conn,
            peer: "192.0.2.77:50000".parse().unwrap(),
            admission,
        });
        conn
    }

    pub(super) fn say(&mut self, conn: ConnId, frame: SdkSignalFrame) {
        self.handle(Input::SignalFrame {
            conn,
            frame: Ok(frame),
        });
    }

    pub(super) fn join(&mut self, name: &str) -> ConnId {
        let conn = self.open(name);
        self.say(conn, join_frame(1));
        conn
    }

    /// A browser that joins and subscribes to audio.
    pub(super) fn enter(&mut self, name: &str) -> ConnId {
        let conn = self.join(name);
        self.say(conn, subscribe_frame(&[], &[], &[]));
        conn
    }

    pub(super) fn close_socket(&mut self, conn: ConnId) {
        self.handle(Input::SignalClosed { conn });
    }

    /// Takes what a browser was told.
    pub(super) fn heard(&mut self, conn: ConnId) -> Vec<SdkSignalFrame> {
        self.frames.remove(&conn).unwrap_or_default()
    }

    pub(super) fn forget_frames(&mut self) {
        self.frames.clear();
    }

    pub(super) fn kinds(&mut self, conn: ConnId) -> Vec<Type> {
        self.heard(conn)
            .iter()
            .filter_map(SdkSignalFrame::known_kind)
            .collect()
    }

    /// The latest frame of a type that a browser was told and that nobody has taken yet.
    pub(super) fn last(&self, conn: ConnId, kind: Type) -> SdkSignalFrame {
        self.frames
            .get(&conn)
            .and_then(|frames| {
                frames
                    .iter()
                    .rfind(|frame| frame.known_kind() == Some(kind))
            })
            .unwrap_or_else(|| panic!("{conn:?} was told no {kind:?}"))
            .clone()
    }

    pub(super) fn ack(&self, conn: ConnId) -> SdkSubscribeAckFrame {
        self.last(conn, Type::SubscribeAck).suback.unwrap()
    }

    pub(super) fn roster(&self, conn: ConnId) -> Vec<SdkAudioStreamIdInfo> {
        self.last(conn, Type::AudioStreamIdInfo)
            .audio_stream_id_info
            .unwrap()
            .streams
    }

    /// Streams and attendees of the latest INDEX.
    pub(super) fn index(&self, conn: ConnId) -> Vec<(u32, String)> {
        self.last(conn, Type::Index)
            .index
            .unwrap()
            .sources
            .into_iter()
            .map(|source| (source.stream_id.unwrap(), source.attendee_id.unwrap()))
            .collect()
    }

    /// The latest plan that the shard was given for any leg.
    pub(super) fn plan(&self) -> &LegPlan {
        self.commands
            .iter()
            .rev()
            .find_map(|command| match command {
                MediaCommand::Configure { plan, .. } => Some(plan.as_ref()),
                _ => None,
            })
            .unwrap()
    }

    /// Legs in the order in which they were reserved.
    pub(super) fn legs(&self) -> Vec<LegId> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                MediaCommand::Reserve { leg, .. } => Some(*leg),
                _ => None,
            })
            .collect()
    }

    pub(super) fn endings(&self) -> Vec<Ending> {
        self.notes
            .iter()
            .filter_map(|note| match note {
                Note::CallEnded { ending, .. } => Some(ending.clone()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn media(&mut self, event: MediaEvent) {
        self.handle(Input::Media(event));
    }

    pub(super) fn levels(&mut self, levels: &[(LegId, u8)]) {
        self.media(MediaEvent::Levels {
            bridge: meeting().bridge,
            levels: levels.to_vec(),
        });
    }

    /// Everybody goes and every grace time passes: nothing may be left.
    pub(super) fn assert_all_is_forgotten(mut self) {
        self.pass(Duration::from_secs(1200));
        assert_eq!(self.exchange.held(), 0);
        assert!(self.exchange.is_idle());
        assert_eq!(self.exchange.next_timeout(), None);
        let started = self.count(|note| matches!(note, Note::CallStarted(_)));
        let ended = self.count(|note| matches!(note, Note::CallEnded { .. }));
        assert_eq!(started, ended, "every call ends once");
    }

    pub(super) fn count(&self, of: impl Fn(&Note) -> bool) -> usize {
        self.notes.iter().filter(|note| of(note)).count()
    }

    // Phones, over TCP so that nothing is retransmitted.

    pub(super) fn sip(&mut self, message: &str) {
        let message = message.replace('\n', "\r\n");
        self.handle(Input::Sip {
            flow: flow(),
            message: Message::parse(message.as_bytes()),
            bytes: message.into_bytes(),
        });
    }

    /// Calls, and acknowledges when answered. Returns the status.
    pub(super) fn dial(&mut self, call_id: &str, user: &str) -> u16 {
        self.dial_with(call_id, user, "")
    }

    /// The same with further header lines.
    pub(super) fn dial_with(&mut self, call_id: &str, user: &str, extra: &str) -> u16 {
        let sdp = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 RTP/AVP 0 101\n\
                   a=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\n";
        let uri = if user.is_empty() {
            "sip:198.51.100.7".to_owned()
        } else {
            format!("sip:{user}@198.51.100.7")
        };
        let length = sdp.len() + sdp.matches('\n').count();
        self.sip(&format!(
            "INVITE {uri} SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
             From: <sip:alice@192.0.2.9>;tag=a\nTo: <{uri}>\nCall-ID: {call_id}\nCSeq: 1 INVITE\n\
             Contact: <sip:alice@192.0.2.9;transport=tcp>\n{extra}Content-Type: application/sdp\n\
             Content-Length: {length}\n\n{sdp}"
        ));
        let status = self.final_status(call_id);
        if status == 200 {
            let to = self.to_of(call_id);
            self.sip(&format!(
                "ACK {uri} SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bKack{call_id}\nMax-Forwards: 70\n\
                 From: <sip:alice@192.0.2.9>;tag=a\nTo: {to}\nCall-ID: {call_id}\nCSeq: 1 ACK\nContent-Length: 0\n\n"
            ));
        } else if status >= 300 {
            let to = self.to_of(call_id);
            self.sip(&format!(
                "ACK {uri} SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
                 From: <sip:alice@192.0.2.9>;tag=a\nTo: {to}\nCall-ID: {call_id}\nCSeq: 1 ACK\nContent-Length: 0\n\n"
            ));
        }
        status
    }

    /// Gives up a call to `user` before it is answered.
    pub(super) fn cancel(&mut self, call_id: &str, user: &str) {
        let uri = format!("sip:{user}@198.51.100.7");
        self.sip(&format!(
            "CANCEL {uri} SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
             From: <sip:alice@192.0.2.9>;tag=a\nTo: <{uri}>\nCall-ID: {call_id}\nCSeq: 1 CANCEL\nContent-Length: 0\n\n"
        ));
        let to = self.to_of(call_id);
        self.sip(&format!(
            "ACK {uri} SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
             From: <sip:alice@192.0.2.9>;tag=a\nTo: {to}\nCall-ID: {call_id}\nCSeq: 1 ACK\nContent-Length: 0\n\n"
        ));
    }

    pub(super) fn phone_hangs_up(&mut self, call_id: &str) {
        let to = self.to_of(call_id);
        self.sip(&format!(
            "BYE sip:198.51.100.7 SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bKbye{call_id}\nMax-Forwards: 70\n\
             From: <sip:alice@192.0.2.9>;tag=a\nTo: {to}\nCall-ID: {call_id}\nCSeq: 2 BYE\nContent-Length: 0\n\n"
        ));
    }

    /// Answers the BYE that we sent in a call.
    pub(super) fn answer_bye(&mut self, call_id: &str) -> bool {
        let bye = self
            .sip
            .iter()
            .map(|(_, message)| message)
            .find(|message| {
                message.is_request()
                    && String::from_utf8(message.to_bytes())
                        .unwrap()
                        .starts_with("BYE ")
                    && message.headers.call_id().is_ok_and(|id| id == call_id)
            })
            .cloned();
        let Some(bye) = bye else { return false };
        let ok = Message::response_to(&bye, 200, "OK").to_bytes();
        self.handle(Input::Sip {
            flow: flow(),
            message: Message::parse(&ok),
            bytes: ok,
        });
        true
    }

    pub(super) fn press(&mut self, leg: LegId, keys: &str) {
        for digit in keys.chars() {
            self.media(MediaEvent::Digit { leg, digit });
        }
    }

    pub(super) fn final_status(&self, call_id: &str) -> u16 {
        self.responses(call_id)
            .filter(|message| {
                message
                    .headers
                    .cseq()
                    .is_ok_and(|cseq| cseq.method == Method::Invite)
            })
            .filter_map(Message::status)
            .find(|status| *status >= 200)
            .unwrap_or(0)
    }

    fn to_of(&self, call_id: &str) -> String {
        self.responses(call_id)
            .filter(|message| message.status().is_some_and(|status| status >= 200))
            .map(|message| message.headers.to().unwrap().to_string())
            .next()
            .unwrap()
    }

    fn responses<'a>(&'a self, call_id: &'a str) -> impl Iterator<Item = &'a Message> {
        self.sip
            .iter()
            .map(|(_, message)| message)
            .filter(move |message| {
                !message.is_request() && message.headers.call_id().is_ok_and(|id| id == call_id)
            })
    }
}

fn flow() -> Flow {
    Flow {
        id: FlowId(1),
        transport: Transport::Tcp,
        local: "198.51.100.7:5060".parse().unwrap(),
        peer: "192.0.2.9:5060".parse().unwrap(),
    }
}

fn ready(leg: LegId, kind: LegKind) -> MediaEvent {
    let browser = kind == LegKind::Browser;
    let rtp = if browser { 3478 } else { 10_000 };
    MediaEvent::Ready {
        leg,
        local: LocalMedia {
            rtp: format!("198.51.100.7:{rtp}").parse().unwrap(),
            rtcp: (!browser).then(|| "198.51.100.7:10001".parse().unwrap()),
            candidates: if browser {
                vec!["198.51.100.7:3478".parse().unwrap()]
            } else {
                Vec::new()
            },
            ice: browser.then(|| IceCredentials {
                ufrag: format!("u{:03}", leg.0),
                pwd: "serverserverserverserver".to_owned(),
            }),
            fingerprint: browser.then(|| "AA:BB".to_owned()),
            audio_ssrc: 7000 + u32::try_from(leg.0).unwrap(),
            cname: format!("cname-{}", leg.0),
        },
    }
}

pub(super) fn join_frame(audio_session_id: u64) -> SdkSignalFrame {
    SdkSignalFrame {
        join: Some(SdkJoinFrame {
            protocol_version: Some(2),
            flags: Some(2),
            audio_session_id: Some(audio_session_id),
            wants_compressed_sdp: Some(true),
            ..SdkJoinFrame::default()
        }),
        ..SdkSignalFrame::of(Type::Join, 1)
    }
}

pub(super) fn ping(id: u32) -> SdkSignalFrame {
    SdkSignalFrame {
        ping_pong: Some(SdkPingPongFrame {
            kind: SdkPingPongType::Ping.into(),
            ping_id: id,
        }),
        ..SdkSignalFrame::of(Type::PingPong, 1)
    }
}

pub(super) fn leave() -> SdkSignalFrame {
    SdkSignalFrame {
        leave: Some(SdkLeaveFrame {}),
        ..SdkSignalFrame::of(Type::Leave, 1)
    }
}

pub(super) fn mute(muted: bool) -> SdkSignalFrame {
    SdkSignalFrame {
        audio_control: Some(SdkAudioControlFrame { muted: Some(muted) }),
        ..SdkSignalFrame::of(Type::AudioControl, 1)
    }
}

pub(super) fn data(topic: &str, text: &[u8], lifetime_ms: u32) -> SdkSignalFrame {
    SdkSignalFrame {
        data_message: Some(SdkDataMessageFrame {
            messages: vec![SdkDataMessagePayload {
                topic: Some(topic.to_owned()),
                data: Some(text.to_vec()),
                lifetime_ms: Some(lifetime_ms),
                ..SdkDataMessagePayload::default()
            }],
        }),
        ..SdkSignalFrame::of(Type::DataMessage, 1)
    }
}

/// SUBSCRIBE with Chrome's offer, the maximum kbit/s of each video stream sent, and the streams wanted per section.
pub(super) fn subscribe_frame(tiles: &[Tile], sends: &[u32], wants: &[u32]) -> SdkSignalFrame {
    let mut send_streams = vec![SdkStreamDescriptor {
        stream_id: Some(1),
        group_id: Some(1),
        track_label: Some("AmazonChimeExpressAudio".to_owned()),
        media_type: Some(SdkStreamMediaType::Audio.into()),
        ..SdkStreamDescriptor::default()
    }];
    send_streams.extend(sends.iter().map(|kbps| SdkStreamDescriptor {
        stream_id: (sends.len() == 1).then_some(2),
        group_id: (sends.len() == 1).then_some(2),
        track_label: Some(if sends.len() == 1 {
            "AmazonChimeExpressVideo".to_owned()
        } else {
            String::new()
        }),
        framerate: Some(15),
        max_bitrate_kbps: Some(*kbps),
        media_type: Some(SdkStreamMediaType::Video.into()),
        ..SdkStreamDescriptor::default()
    }));
    SdkSignalFrame {
        sub: Some(SdkSubscribeFrame {
            duplex: Some(if sends.is_empty() { 1 } else { 3 }),
            send_streams,
            receive_stream_ids: wants.to_vec(),
            sdp_offer: Some(offer(tiles)),
            audio_host: Some("campanile".to_owned()),
            audio_muted: Some(false),
            ..SdkSubscribeFrame::default()
        }),
        ..SdkSignalFrame::of(Type::Subscribe, 1)
    }
}

pub(super) fn error_of(frame: &SdkSignalFrame) -> Option<u32> {
    frame
        .error
        .as_ref()
        .and_then(|SdkErrorFrame { status, .. }| *status)
}

pub(super) fn stream(id: u32) -> StreamId {
    StreamId(id)
}
