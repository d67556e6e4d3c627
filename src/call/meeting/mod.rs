//! One meeting: who is in it, what each is called, and what all are told.
//!
//! Browsers and phones are *attendees* alike. Each connection of one gets an audio stream id, growing, by which
//! roster and loudness name it. A content share is an attendee of its own, `X#content`. Frames for the browsers
//! and notes for the record come out of [`Meeting::poll`].
//!
//! Who loses its signaling connection stays in the roster for a grace time, without media; who does not return
//! in it is shown as dropped. A meeting ends when it is told to, or some time after its last attendee left.

mod frames;
mod info;
mod may;
mod messages;
mod tiles;
mod video;
mod voices;

pub(crate) use frames::{audio_status, error, notice};
pub use info::{AttendeeInfo, Capabilities, Capability, MeetingInfo, VideoMax};
pub use messages::{BadMessage, Budget};
pub use tiles::MAX_VIDEO_SOURCES;
pub use video::{Source, Wish};

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use wire::plan::{LegId, VideoCodec};
use wire::signal::{SdkAudioStreamIdInfo, SdkDataMessagePayload, SdkSignalFrame};

use crate::admit::SignalRefusal;
use crate::note::{Note, TransactionId};
use messages::Kept;
use tiles::BOTH_CODECS;
use video::Sources;

/// One browser signaling WebSocket, unique within a running node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// Who comes into a meeting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The attendee's id; that of a content share ends in `#content`.
    pub attendee_id: String,
    /// Its owner's name for it.
    pub external_user_id: String,
    /// Whether it is a content share.
    pub content: bool,
    /// What it may do.
    pub may: Capabilities,
    /// The attendee that is stored: its own base, or for a phone who it said it is. `None` for a phone that said nobody.
    pub stored_as: Option<String>,
    /// See [`AttendeeInfo::version`].
    pub version: u64,
}

impl Identity {
    /// Whether it may be in the meeting at all: a content share that may not be sent may not.
    #[must_use]
    pub fn may_be_here(&self) -> bool {
        !self.content || self.may.content.sends()
    }
}

/// Where an attendee is at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seat {
    /// On a signaling connection.
    Browser(ConnId),
    /// On the phone.
    Phone(TransactionId),
    /// Its signaling connection broke; it is expected back.
    Away {
        /// Since when.
        since: Instant,
        /// When it counts as dropped.
        until: Instant,
    },
}

/// What a meeting says.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// To one browser.
    Frame {
        /// Which.
        conn: ConnId,
        /// The frame; its time stamp is not set.
        frame: Box<SdkSignalFrame>,
    },
    /// To the record.
    Note(Note),
}

/// One meeting with its attendees.
#[derive(Debug)]
pub struct Meeting {
    info: MeetingInfo,
    attendees: BTreeMap<String, Attendee>,
    by_leg: HashMap<LegId, String>,
    sources: Sources,
    kept: Kept,
    last_audio_stream: u32,
    /// Audio streams that were shown as heard last, and when that is over.
    heard: BTreeSet<u32>,
    quiet_at: Option<Instant>,
    /// What every browser can show, as last told.
    codecs: Vec<VideoCodec>,
    /// Nobody comes in by the meeting's id alone.
    locked: bool,
    /// Somebody was in it.
    started: bool,
    empty_since: Option<Instant>,
    ends_after: Duration,
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Attendee {
    identity: Identity,
    seat: Seat,
    /// The whole roster was sent on this connection, or it is a phone in the mix.
    live: bool,
    audio_stream: Option<u32>,
    leg: Option<LegId>,
    /// As all see it: by itself, or because it may not speak.
    muted: bool,
    /// By itself.
    muted_itself: bool,
    /// When it lost its previous connection: messages since then are sent again.
    away_since: Option<Instant>,
    /// Video codecs that it can show; `None` as long as it has not said.
    codecs: Option<Vec<VideoCodec>>,
}

impl Meeting {
    /// A meeting with nobody in it, which ends `ends_after` its last attendee left.
    #[must_use]
    pub fn new(now: Instant, info: MeetingInfo, ends_after: Duration) -> Self {
        Self {
            info,
            attendees: BTreeMap::new(),
            by_leg: HashMap::new(),
            sources: Sources::default(),
            kept: Kept::default(),
            last_audio_stream: 0,
            heard: BTreeSet::new(),
            quiet_at: None,
            codecs: BOTH_CODECS.to_vec(),
            locked: false,
            started: false,
            empty_since: Some(now),
            ends_after,
            told: VecDeque::new(),
        }
    }

    /// What is stored of it.
    #[must_use]
    pub fn info(&self) -> &MeetingInfo {
        &self.info
    }

    /// Whether it is locked: who has nothing but its id stays out.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Locks or unlocks it.
    pub fn lock(&mut self, locked: bool) {
        self.locked = locked;
    }

    /// Takes an attendee in, without media yet. The seat that it had before is returned: it is to be vacated.
    ///
    /// # Errors
    /// [`SignalRefusal::MeetingFull`].
    pub fn take_in(
        &mut self,
        identity: Identity,
        seat: Seat,
    ) -> Result<Option<Seat>, SignalRefusal> {
        if let Some(attendee) = self.attendees.get_mut(&identity.attendee_id) {
            let before = std::mem::replace(&mut attendee.seat, seat);
            attendee.identity = identity;
            attendee.live = false;
            attendee.codecs = None;
            if let Some(leg) = attendee.leg.take() {
                self.by_leg.remove(&leg);
            }
            return Ok(Some(before));
        }
        if !identity.content && self.participants() >= self.info.max_attendees {
            return Err(SignalRefusal::MeetingFull);
        }
        self.empty_since = None;
        self.attendees.insert(
            identity.attendee_id.clone(),
            Attendee {
                identity,
                seat,
                live: false,
                audio_stream: None,
                leg: None,
                muted: false,
                muted_itself: false,
                away_since: None,
                codecs: None,
            },
        );
        Ok(None)
    }

    /// An attendee's leg joins the bridge: it gets an audio stream id, all are told, and it is told everything.
    pub fn enter(
        &mut self,
        now: Instant,
        attendee_id: &str,
        leg: LegId,
        call: TransactionId,
        muted: bool,
    ) {
        let Some(attendee) = self.attendees.get_mut(attendee_id) else {
            return;
        };
        self.last_audio_stream += 1;
        let audio_stream = self.last_audio_stream;
        let before = attendee.audio_stream.replace(audio_stream);
        attendee.muted_itself = muted;
        let muted = muted || !attendee.identity.may.audio.sends();
        attendee.muted = muted;
        attendee.leg = Some(leg);
        self.by_leg.insert(leg, attendee_id.to_owned());
        let external_user_id = attendee.identity.external_user_id.clone();
        let away_since = attendee.away_since.take();

        // The new line goes first, so that clients see a replacement and nobody leaving.
        let mut lines = vec![frames::present(
            audio_stream,
            attendee_id,
            &external_user_id,
            muted,
        )];
        lines.extend(before.map(|before| frames::gone(before, false)));
        self.tell_all(&frames::roster(lines));

        let seat = self.attendees.get_mut(attendee_id).map(|attendee| {
            attendee.live = true;
            attendee.seat
        });
        if let Some(Seat::Browser(conn)) = seat {
            let roster = self.whole_roster();
            self.tell(conn, frames::roster(roster));
            let missed = self.kept.missed(now, away_since, attendee_id);
            if !missed.is_empty() {
                self.tell(conn, frames::data(missed));
            }
        }

        if !self.started {
            self.started = true;
            self.note(Note::MeetingStarted {
                meeting_id: self.info.id.clone(),
            });
        }
        self.note(Note::JoinedMeeting {
            call,
            meeting_id: self.info.id.clone(),
            attendee_id: attendee_id.to_owned(),
        });
        if before.is_none() {
            self.note(Note::AttendeeJoined {
                meeting_id: self.info.id.clone(),
                attendee_id: attendee_id.to_owned(),
                external_user_id,
            });
        }
    }

    /// An attendee lost its signaling connection: it has until then to come back.
    pub fn lose(&mut self, now: Instant, attendee_id: &str, until: Instant) {
        let Some(attendee) = self.attendees.get_mut(attendee_id) else {
            return;
        };
        if attendee.audio_stream.is_none() {
            self.remove(now, attendee_id, false);
            return;
        }
        attendee.seat = Seat::Away { since: now, until };
        attendee.away_since = Some(now);
        attendee.live = false;
        if let Some(leg) = attendee.leg.take() {
            self.by_leg.remove(&leg);
        }
        self.stop_video(attendee_id);
    }

    /// An attendee is gone: by itself, or (`dropped`) lost.
    pub fn remove(&mut self, now: Instant, attendee_id: &str, dropped: bool) {
        let Some(attendee) = self.attendees.remove(attendee_id) else {
            return;
        };
        if let Some(leg) = attendee.leg {
            self.by_leg.remove(&leg);
        }
        if self.sources.stop(attendee_id) {
            self.video_stopped(attendee_id, &attendee.identity.external_user_id);
        }
        if let Some(audio_stream) = attendee.audio_stream {
            self.heard.remove(&audio_stream);
            self.tell_all(&frames::roster(vec![frames::gone(audio_stream, dropped)]));
            let meeting_id = self.info.id.clone();
            let attendee_id = attendee_id.to_owned();
            let external_user_id = attendee.identity.external_user_id;
            self.note(if dropped {
                Note::AttendeeDropped {
                    meeting_id,
                    attendee_id,
                    external_user_id,
                }
            } else {
                Note::AttendeeLeft {
                    meeting_id,
                    attendee_id,
                    external_user_id,
                }
            });
        }
        if self.attendees.is_empty() {
            self.empty_since = Some(now);
        }
        self.codecs_may_have_changed();
    }

    /// Passes data messages on to all others. What is sent too fast comes back to the sender with a time of 0,
    /// which its SDK shows as throttled; `ingest_time_ns` is now, since the epoch.
    ///
    /// # Errors
    /// [`BadMessage`] for the first message that is not valid; those before it were passed on.
    pub fn relay(
        &mut self,
        now: Instant,
        attendee_id: &str,
        messages: Vec<SdkDataMessagePayload>,
        ingest_time_ns: i64,
        budget: &mut Budget,
    ) -> Result<(), BadMessage> {
        let Some(attendee) = self.attendees.get(attendee_id) else {
            return Ok(());
        };
        let sender_external_user_id = attendee.identity.external_user_id.clone();
        let own_seat = attendee.seat;
        let mut passed = Vec::new();
        let mut throttled = Vec::new();
        let mut outcome = Ok(());
        for message in messages {
            outcome = messages::check(&message);
            if outcome.is_err() {
                break;
            }
            let within = budget.take(now);
            let message = SdkDataMessagePayload {
                sender_attendee_id: Some(attendee_id.to_owned()),
                sender_external_user_id: Some(sender_external_user_id.clone()),
                ingest_time_ns: Some(if within { ingest_time_ns } else { 0 }),
                ..message
            };
            if within {
                self.kept.keep(now, &message);
                passed.push(message);
            } else {
                throttled.push(message);
            }
        }
        if !passed.is_empty() {
            let frame = frames::data(passed);
            let others: Vec<ConnId> = self
                .live_connections()
                .filter(|conn| own_seat != Seat::Browser(*conn))
                .collect();
            for conn in others {
                self.tell(conn, frame.clone());
            }
        }
        if let (Seat::Browser(conn), false) = (own_seat, throttled.is_empty()) {
            self.tell(conn, frames::data(throttled));
        }
        outcome
    }

    /// Ends it: everybody has left, as the record is told. Returns the seats to be vacated; the browsers on them are
    /// told nothing more by the meeting.
    pub fn end(&mut self) -> Vec<(String, Seat)> {
        let mut seats = Vec::new();
        for (attendee_id, attendee) in std::mem::take(&mut self.attendees) {
            let external_user_id = attendee.identity.external_user_id;
            if self.sources.stop(&attendee_id) {
                self.note(Note::VideoStopped {
                    meeting_id: self.info.id.clone(),
                    attendee_id: attendee_id.clone(),
                    external_user_id: external_user_id.clone(),
                });
            }
            if attendee.audio_stream.is_some() {
                self.note(Note::AttendeeLeft {
                    meeting_id: self.info.id.clone(),
                    attendee_id: attendee_id.clone(),
                    external_user_id,
                });
            }
            seats.push((attendee_id, attendee.seat));
        }
        self.by_leg.clear();
        seats
    }

    /// The seat of one attendee.
    #[must_use]
    pub fn seat(&self, attendee_id: &str) -> Option<Seat> {
        self.attendees
            .get(attendee_id)
            .map(|attendee| attendee.seat)
    }

    /// The leg of one attendee, while it is in the bridge.
    #[must_use]
    pub fn leg_of(&self, attendee_id: &str) -> Option<LegId> {
        self.attendees.get(attendee_id)?.leg
    }

    /// Everybody in it, those who are away included.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.attendees.values().map(|attendee| &attendee.identity)
    }

    /// Who sits there.
    #[must_use]
    pub fn on_seat(&self, seat: Seat) -> Option<&str> {
        self.attendees
            .iter()
            .find(|(_, attendee)| attendee.seat == seat)
            .map(|(id, _)| id.as_str())
    }

    /// Attendees without content shares, those who are away included.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.attendees
            .values()
            .filter(|attendee| !attendee.identity.content)
            .count()
    }

    /// Whether it has ended by itself: empty for long enough, or empty and nobody ever came in.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.ends_at().is_some_and(|at| now >= at)
    }

    /// Whether somebody was ever in it: only then its end is worth a note.
    #[must_use]
    pub fn was_started(&self) -> bool {
        self.started
    }

    /// Whether [`Self::poll`] has something.
    #[must_use]
    pub fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// Takes the next thing said.
    pub fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// When [`Self::timeout`] has something to do, or [`Self::is_over`] changes.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let away = self
            .attendees
            .values()
            .filter_map(|attendee| match attendee.seat {
                Seat::Away { until, .. } => Some(until),
                Seat::Browser(_) | Seat::Phone(_) => None,
            });
        away.chain(self.quiet_at)
            .chain(self.kept.next_timeout())
            .chain(self.ends_at())
            .min()
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Instant) {
        let dropped: Vec<String> = self
            .attendees
            .iter()
            .filter(
                |(_, attendee)| matches!(attendee.seat, Seat::Away { until, .. } if now >= until),
            )
            .map(|(id, _)| id.clone())
            .collect();
        for attendee_id in dropped {
            self.remove(now, &attendee_id, true);
        }
        if self.quiet_at.is_some_and(|at| now >= at) {
            self.show_levels(now, &BTreeMap::new());
        }
        self.kept.forget(now);
    }

    fn ends_at(&self) -> Option<Instant> {
        self.empty_since.map(|since| {
            if self.started {
                since + self.ends_after
            } else {
                since
            }
        })
    }

    fn whole_roster(&self) -> Vec<SdkAudioStreamIdInfo> {
        let mut lines: Vec<SdkAudioStreamIdInfo> = self
            .attendees
            .iter()
            .filter_map(|(id, attendee)| {
                Some(frames::present(
                    attendee.audio_stream?,
                    id,
                    &attendee.identity.external_user_id,
                    attendee.muted,
                ))
            })
            .collect();
        lines.sort_by_key(|line| line.audio_stream_id);
        lines
    }

    /// Connections that have the whole roster and so understand what changes in it.
    fn live_connections(&self) -> impl Iterator<Item = ConnId> {
        self.attendees
            .values()
            .filter_map(|attendee| match attendee.seat {
                Seat::Browser(conn) if attendee.live => Some(conn),
                _ => None,
            })
    }

    fn tell_all(&mut self, frame: &SdkSignalFrame) {
        let all: Vec<ConnId> = self.live_connections().collect();
        for conn in all {
            self.tell(conn, frame.clone());
        }
    }

    fn tell(&mut self, conn: ConnId, frame: SdkSignalFrame) {
        self.told.push_back(Told::Frame {
            conn,
            frame: Box::new(frame),
        });
    }

    fn note(&mut self, note: Note) {
        self.told.push_back(Told::Note(note));
    }
}
