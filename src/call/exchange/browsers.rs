//! Browsers: their frames, their legs, and how their sessions end.

use std::net::SocketAddr;
use std::time::Instant;

use wire::plan::{LegId, LegKind, LocalMedia, MediaCommand, MediaEvent, MediaLoss};
use wire::signal::{SdkSignalFrame, SdkSubscribeFrame, SignalError};

use super::{Admission, Exchange, Output};
use crate::admit::SignalRefusal;
use crate::browser::{
    BadFrame, Call, Media, Phase, Request, Session, Viewer, failure, join_ack, join_refused,
    leave_ack, pong, primary_join_refused, subscribe_ack, subscribe_refused, view_only,
};
use crate::ending::{Cause, Ending};
use crate::meeting::{ConnId, Identity, MeetingInfo, Seat, audio_status, notice};
use crate::negotiate::browser::Offer;
use crate::note::{CallDirection, CallStart, Note, Party, TransactionId};

/// AUDIO_STATUS of a connection whose attendee came again from elsewhere.
const STATUS_JOINED_ELSEWHERE: u32 = 301;
/// AUDIO_STATUS that lets the client connect anew.
const STATUS_TRY_AGAIN: u32 = 500;

/// Close codes: an ordinary end, the client's fault, replaced, try again.
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_BAD_FRAME: u16 = 4400;
const CLOSE_REPLACED: u16 = 4301;
const CLOSE_TRY_AGAIN: u16 = 4500;

impl Exchange {
    pub(super) fn signal_opened(
        &mut self,
        now: Instant,
        conn: ConnId,
        peer: SocketAddr,
        admission: Admission,
    ) {
        let admission = if self.draining {
            Err(SignalRefusal::Draining)
        } else if self.sessions.len() >= self.config.max_connections {
            Err(SignalRefusal::Overloaded)
        } else {
            admission.and_then(|mut admitted| {
                if !self.changes.bring_up_to_date(&mut admitted.attendee) {
                    return Err(SignalRefusal::BadToken);
                }
                let base = admitted.attendee.attendee_id;
                let identity = Identity {
                    attendee_id: if admitted.content {
                        format!("{base}#content")
                    } else {
                        base.clone()
                    },
                    external_user_id: admitted.attendee.external_user_id,
                    content: admitted.content,
                    may: admitted.attendee.capabilities,
                    stored_as: Some(base),
                    version: admitted.attendee.version,
                };
                if !identity.may_be_here() {
                    return Err(SignalRefusal::Forbidden);
                }
                Ok(Box::new((admitted.meeting, identity)))
            })
        };
        let limits = self.config.browser;
        let session = Session::new(now, peer, admission, limits, &mut self.random);
        self.sessions.insert(conn, session);
    }

    pub(super) fn signal_frame(
        &mut self,
        now: Instant,
        conn: ConnId,
        frame: Result<SdkSignalFrame, SignalError>,
    ) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let request = match session.read(now, frame) {
            Ok(request) => request,
            Err(bad) => return self.expel(now, conn, &bad),
        };
        match request {
            Request::Nothing => {}
            Request::Ping { id } => self.signal(now, conn, pong(id)),
            Request::Join { audio_session_id } => self.join(now, conn, audio_session_id),
            Request::Leave => self.leave(now, conn),
            Request::Subscribe(wish) => self.subscribe(now, conn, *wish),
            Request::PrimaryMeetingJoin => self.signal(now, conn, primary_join_refused()),
            Request::Mute(muted) => self.mute(conn, muted),
            Request::Pause {
                streams,
                groups,
                paused,
            } => self.restage(conn, |session, meeting, attendee_id| {
                session
                    .stage
                    .pause(meeting, attendee_id, &streams, &groups, paused)
            }),
            Request::UpdateVideo(update) => self.restage(conn, |session, meeting, attendee_id| {
                session.stage.update(meeting, attendee_id, &update)
            }),
            Request::Data(messages) => {
                let ingest = i64::try_from(self.epoch_ns(now)).unwrap_or(i64::MAX);
                let outcome = self.with_meeting(conn, |session, meeting, attendee_id| {
                    meeting.relay(now, attendee_id, messages, ingest, &mut session.data_budget)
                });
                if let Some(Err(bad)) = outcome {
                    self.signal(now, conn, notice(&bad.to_string()));
                }
            }
        }
    }

    /// The socket is gone without LEAVE: the attendee has its grace time.
    pub(super) fn signal_closed(&mut self, now: Instant, conn: ConnId) {
        let Some(session) = self.sessions.remove(&conn) else {
            return;
        };
        self.lost(now, session, Ending::new(Cause::SignalLost).after_answer());
    }

    pub(super) fn browser_media(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Ready { leg, local } => {
                if let Some(conn) = self.legs.get(&leg).copied() {
                    self.reserved(now, conn, &local);
                }
            }
            MediaEvent::Refused { leg, why } => {
                // It does not exist, so what waits for its end waits no more.
                self.closed(leg);
                let Some(conn) = self.legs.remove(&leg) else {
                    return;
                };
                let ending = Ending::of_refused(why).after_answer();
                self.signal(now, conn, subscribe_refused(503, &ending.text));
                if let Some(session) = self.sessions.get_mut(&conn)
                    && let Some(call) = session.call.take()
                {
                    let call = call.id;
                    self.note(Note::CallEnded { call, leg, ending });
                }
                self.remove_from_meeting(now, conn, true);
                if let Some(session) = self.sessions.get_mut(&conn) {
                    session.linger(now, CLOSE_TRY_AGAIN);
                }
            }
            MediaEvent::Lost { leg, why } => {
                let Some(conn) = self.legs.get(&leg).copied() else {
                    return;
                };
                self.media_lost(now, conn, why);
            }
            MediaEvent::Closed { leg } => {
                self.closed(leg);
                // Should a shard close what nobody asked it to, the session cannot go on.
                if let Some(conn) = self.legs.remove(&leg) {
                    self.media_lost(now, conn, MediaLoss::ClosedByPeer);
                    self.closed(leg);
                }
            }
            MediaEvent::Connected { .. }
            | MediaEvent::Digit { .. }
            | MediaEvent::ForeignSource { .. }
            | MediaEvent::PromptEnded { .. }
            | MediaEvent::Levels { .. }
            | MediaEvent::VideoRates { .. } => {}
        }
    }

    pub(super) fn time_out_sessions(&mut self, now: Instant) {
        let due: Vec<(ConnId, u16)> = self
            .sessions
            .iter()
            .map(|(conn, session)| (*conn, session.ends_at()))
            .filter(|(_, (at, _))| now >= *at)
            .map(|(conn, (_, code))| (conn, code))
            .collect();
        for (conn, code) in due {
            if let Some(session) = self.sessions.remove(&conn) {
                self.close_signal(conn, code, "");
                self.lost(now, session, Ending::new(Cause::SignalLost).after_answer());
            }
        }
    }

    /// The browser's call is over: its leg is closed, and its end told when that is done.
    pub(super) fn end_call(&mut self, session: &mut Session, ending: Ending) {
        let Some(Call { id, leg, media }) = session.call.take() else {
            return;
        };
        self.legs.remove(&leg);
        match media {
            Media::None => self.note(Note::CallEnded {
                call: id,
                leg,
                ending,
            }),
            Media::Reserving(_) | Media::Joined(_) => {
                self.command(MediaCommand::Close { leg });
                self.closing.insert(leg, (id, ending));
            }
        }
    }

    fn join(&mut self, now: Instant, conn: ConnId, audio_session_id: Option<u64>) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        session.audio_session_id = audio_session_id;
        let peer = session.peer;
        let admitted = match &session.admission {
            Ok(_) if self.draining => Err(SignalRefusal::Draining),
            Ok(admitted) => Ok(admitted.as_ref().clone()),
            Err(refusal) => Err(*refusal),
        };
        let outcome = admitted.and_then(|(info, identity)| {
            self.take_in(now, conn, &info, &identity)
                .map(|before| (info, identity, before))
        });
        let (info, identity, before) = match outcome {
            Ok(taken_in) => taken_in,
            Err(refusal) => return self.refuse(now, conn, refusal),
        };
        if let Some(Seat::Browser(old)) = before {
            self.replace(now, old, audio_session_id);
        }
        let call = TransactionId::new(&mut self.random);
        let leg = LegId(self.last_leg);
        self.last_leg += 2;
        self.note(Note::CallStarted(CallStart {
            call,
            leg,
            party: Party::Browser {
                attendee_id: identity.attendee_id.clone(),
                external_user_id: identity.external_user_id,
                peer,
            },
            direction: CallDirection::Inbound,
        }));
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.phase = Phase::Joined;
            session.call = Some(Call {
                id: call,
                leg,
                media: Media::None,
            });
        }
        self.signal(now, conn, join_ack());
        let index = self
            .meetings
            .get(&info.id)
            .map(|meeting| meeting.index_for(&identity.attendee_id));
        if let Some(index) = index {
            self.signal(now, conn, index);
        }
    }

    fn take_in(
        &mut self,
        now: Instant,
        conn: ConnId,
        info: &MeetingInfo,
        identity: &Identity,
    ) -> Result<Option<Seat>, SignalRefusal> {
        self.room(now, info)
            .ok_or(SignalRefusal::MeetingEnded)?
            .take_in(identity.clone(), Seat::Browser(conn))
    }

    fn refuse(&mut self, now: Instant, conn: ConnId, refusal: SignalRefusal) {
        if refusal == SignalRefusal::MeetingEnded {
            // Before INDEX this close code says it all; an error in JOIN_ACK would mean a bad request.
            self.sessions.remove(&conn);
            return self.close_signal(conn, refusal.close_code(), &refusal.to_string());
        }
        self.signal(now, conn, join_refused(refusal));
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.linger(now, refusal.close_code());
        }
    }

    /// The attendee is there again on another connection: the old one goes. The same client coming back has given
    /// it up already; another client is told why.
    fn replace(&mut self, now: Instant, old: ConnId, audio_session_id: Option<u64>) {
        let Some(mut session) = self.sessions.remove(&old) else {
            return;
        };
        let same_client =
            audio_session_id.is_some() && session.audio_session_id == audio_session_id;
        let ending = Ending::with_text(Cause::WeHungUp, "replaced by a newer connection");
        self.end_call(&mut session, ending.after_answer());
        if same_client {
            self.close_signal(old, CLOSE_NORMAL, "");
        } else {
            self.signal(now, old, audio_status(STATUS_JOINED_ELSEWHERE));
            self.close_signal(old, CLOSE_REPLACED, "joined from another device");
        }
    }

    fn leave(&mut self, now: Instant, conn: ConnId) {
        self.remove_from_meeting(now, conn, false);
        self.signal(now, conn, leave_ack());
        if let Some(mut session) = self.sessions.remove(&conn) {
            self.end_call(&mut session, Ending::new(Cause::HungUp).after_answer());
            session.linger(now, CLOSE_NORMAL);
            self.sessions.insert(conn, session);
        }
    }

    fn subscribe(&mut self, now: Instant, conn: ConnId, wish: SdkSubscribeFrame) {
        let offer = match Offer::read(wish.sdp_offer.as_deref().unwrap_or_default()) {
            Ok(offer) => offer,
            Err(bad) => return self.expel(now, conn, &bad.into()),
        };
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let bridge = session.admission.as_ref().ok().map(|it| it.0.bridge);
        let Some(call) = session.call.as_mut() else {
            return self.signal(now, conn, subscribe_refused(503, "the media leg is gone"));
        };
        let leg = call.leg;
        match &mut call.media {
            Media::None => {
                call.media = Media::Reserving(Box::new((offer, wish)));
                self.legs.insert(leg, conn);
                self.command(MediaCommand::Reserve {
                    leg,
                    kind: LegKind::Browser,
                    bridge,
                });
            }
            // Whoever asks again before the answer has thought better of it.
            Media::Reserving(waiting) => **waiting = (offer, wish),
            Media::Joined(local) => {
                let local = local.as_ref().clone();
                self.answer(now, conn, &local, &offer, &wish, false);
            }
        }
    }

    fn reserved(&mut self, now: Instant, conn: ConnId, local: &LocalMedia) {
        let Some(call) = self
            .sessions
            .get_mut(&conn)
            .and_then(|session| session.call.as_mut())
        else {
            return;
        };
        let joined = Media::Joined(Box::new(local.clone()));
        if let Media::Reserving(waiting) = std::mem::replace(&mut call.media, joined) {
            let (offer, wish) = *waiting;
            self.answer(now, conn, local, &offer, &wish, true);
        }
    }

    /// Answers a SUBSCRIBE; the first one brings the leg into the bridge and the attendee into the roster.
    fn answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        local: &LocalMedia,
        offer: &Offer,
        wish: &SdkSubscribeFrame,
        first: bool,
    ) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let (Ok(admitted), Some(call)) = (&session.admission, &session.call) else {
            return;
        };
        let (info, identity) = admitted.as_ref();
        let (leg, call) = (call.leg, call.id);
        let Some(meeting) = self.meetings.get_mut(&info.id) else {
            return;
        };
        let viewer = Viewer {
            attendee_id: &identity.attendee_id,
            content: identity.content,
            may: identity.may,
            local,
        };
        if !identity.content
            && let Some(codecs) = offer.video_codecs()
        {
            meeting.shows_codecs(&identity.attendee_id, codecs);
        }
        let subscribed = session
            .stage
            .subscribe(&mut self.random, meeting, &viewer, offer, wish);
        let may = identity.may;
        let muted_itself = wish.audio_muted.unwrap_or(false);
        let (bridge, attendee_id) = (info.bridge, identity.attendee_id.clone());
        let meeting_id = info.id.clone();

        self.command(MediaCommand::Configure {
            leg,
            plan: Box::new(subscribed.plan),
        });
        if first {
            self.enforce_audio(leg, muted_itself || !may.audio.sends(), may);
            self.command(MediaCommand::Join { leg, bridge });
        }
        self.signal(now, conn, subscribe_ack(subscribed.ack));
        if let Some(why) = subscribed.refused {
            self.signal(now, conn, view_only(why));
        }
        if first {
            self.note(Note::CallAnswered { call });
            if let Some(meeting) = self.meetings.get_mut(&meeting_id) {
                meeting.enter(now, &attendee_id, leg, call, muted_itself);
            }
        }
    }

    fn mute(&mut self, conn: ConnId, muted: bool) {
        let state = self.with_meeting(conn, |session, meeting, attendee_id| {
            let muted = meeting.mute(attendee_id, muted);
            let call = session.call.as_ref()?;
            matches!(call.media, Media::Joined(_)).then_some((call.leg, muted))
        });
        if let Some(Some((leg, muted))) = state {
            self.command(MediaCommand::Mute { leg, muted });
        }
    }

    /// Changes what the browser is shown, without a new offer.
    fn restage(
        &mut self,
        conn: ConnId,
        change: impl FnOnce(&mut Session, &crate::meeting::Meeting, &str) -> Option<wire::plan::LegPlan>,
    ) {
        let changed = self.with_meeting(conn, |session, meeting, attendee_id| {
            let plan = change(session, meeting, attendee_id)?;
            Some((session.call.as_ref()?.leg, plan))
        });
        if let Some(Some((leg, plan))) = changed {
            self.command(MediaCommand::Configure {
                leg,
                plan: Box::new(plan),
            });
        }
    }

    fn with_meeting<T>(
        &mut self,
        conn: ConnId,
        act: impl FnOnce(&mut Session, &mut crate::meeting::Meeting, &str) -> T,
    ) -> Option<T> {
        let session = self.sessions.get_mut(&conn)?;
        let (meeting_id, identity) = session.joined_as()?;
        let attendee_id = identity.attendee_id.clone();
        let meeting = self.meetings.get_mut(meeting_id)?;
        Some(act(session, meeting, &attendee_id))
    }

    /// Media ended by itself. The client is told to come back, unless its certificate was not the one it signalled.
    fn media_lost(&mut self, now: Instant, conn: ConnId, why: MediaLoss) {
        let Some(session) = self.sessions.remove(&conn) else {
            return;
        };
        let ending = Ending::of_loss(why).after_answer();
        if why == MediaLoss::WrongFingerprint {
            self.signal(now, conn, failure(400, &ending.text));
            self.close_signal(conn, CLOSE_BAD_FRAME, &ending.text);
        } else {
            self.signal(now, conn, audio_status(STATUS_TRY_AGAIN));
            self.close_signal(conn, CLOSE_TRY_AGAIN, &ending.text);
        }
        self.lost(now, session, ending);
    }

    /// The session is over without LEAVE.
    fn lost(&mut self, now: Instant, mut session: Session, ending: Ending) {
        self.end_call(&mut session, ending);
        if let Some((meeting_id, identity)) = session.joined_as()
            && let Some(meeting) = self.meetings.get_mut(meeting_id)
        {
            let until = now + self.config.reconnect_grace;
            meeting.lose(now, &identity.attendee_id, until);
        }
    }

    /// A frame that should not be: this session ends, and the attendee is dropped.
    fn expel(&mut self, now: Instant, conn: ConnId, bad: &BadFrame) {
        let why = bad.to_string();
        let frame = match bad {
            BadFrame::Offer(_) | BadFrame::CompressedOffer => subscribe_refused(400, &why),
            _ => failure(400, &why),
        };
        self.signal(now, conn, frame);
        self.close_signal(conn, CLOSE_BAD_FRAME, &why);
        self.remove_from_meeting(now, conn, true);
        if let Some(mut session) = self.sessions.remove(&conn) {
            let ending = Ending::with_text(Cause::BadRequest, why);
            self.end_call(&mut session, ending.after_answer());
        }
    }

    fn remove_from_meeting(&mut self, now: Instant, conn: ConnId, dropped: bool) {
        self.with_meeting(conn, |_, meeting, attendee_id| {
            meeting.remove(now, attendee_id, dropped);
        });
    }

    fn closed(&mut self, leg: LegId) {
        if let Some((call, ending)) = self.closing.remove(&leg) {
            self.note(Note::CallEnded { call, leg, ending });
        }
    }

    fn close_signal(&mut self, conn: ConnId, code: u16, reason: &str) {
        // A close frame holds 123 octets of reason (RFC 6455 §5.5).
        let end = (0..=reason.len().min(123))
            .rev()
            .find(|at| reason.is_char_boundary(*at))
            .unwrap_or(0);
        self.out.push_back(Output::CloseSignal {
            conn,
            code,
            reason: reason.get(..end).unwrap_or_default().to_owned(),
        });
    }
}
