//! What attendees may do, when that changes while they are here or on their way.
//!
//! A change may overtake an admission that was read before it: so changes are remembered for a while, each with its
//! version, and of two the newer holds, in whichever order they come.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use wire::plan::{LegId, MediaCommand};

use super::Exchange;
use crate::admit::SignalRefusal;
use crate::browser::{MAY_NOT_SEND, view_only};
use crate::meeting::{AttendeeInfo, Capabilities, Identity, Seat};

/// What one attendee may do from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// The attendee, as stored: never its `#content`.
    pub attendee_id: String,
    /// What it may do.
    pub capabilities: Capabilities,
    /// See [`AttendeeInfo::version`].
    pub version: u64,
}

/// What those may do whom nobody has stored: phones that dialled the meeting's id alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strangers {
    /// What they may do.
    pub capabilities: Capabilities,
    /// Those whom it does not concern, by the ids that the roster gives them.
    pub except: Vec<String>,
}

/// The latest about attendees, as long as an admission from before may be on its way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// `None`: the attendee was deleted.
    latest: BTreeMap<String, (Instant, Option<Allowed>)>,
    order: VecDeque<(Instant, String)>,
}

impl Changes {
    fn remember(&mut self, now: Instant, attendee_id: &str, allowed: Option<&Allowed>) {
        if self.is_newer(attendee_id, allowed) {
            return;
        }
        let entry = (now, allowed.cloned());
        self.latest.insert(attendee_id.to_owned(), entry);
        self.order.push_back((now, attendee_id.to_owned()));
        if self.order.len() > MOST_CHANGES {
            self.forget_first();
        }
    }

    /// Whether what is remembered is newer.
    fn is_newer(&self, attendee_id: &str, than: Option<&Allowed>) -> bool {
        match (self.latest.get(attendee_id), than) {
            (Some((_, None)), _) => true,
            (Some((_, Some(known))), Some(than)) => known.version > than.version,
            _ => false,
        }
    }

    /// Brings what was read of an attendee up to date. Tells whether it still exists.
    pub(super) fn bring_up_to_date(&self, attendee: &mut AttendeeInfo) -> bool {
        match self.latest.get(&attendee.attendee_id) {
            Some((_, None)) => false,
            Some((_, Some(known))) if known.version > attendee.version => {
                attendee.capabilities = known.capabilities;
                attendee.version = known.version;
                true
            }
            _ => true,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.order.front().map(|(at, _)| *at + REMEMBER)
    }

    pub(super) fn forget(&mut self, now: Instant) {
        while self.next_timeout().is_some_and(|at| now >= at) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((at, attendee_id)) = self.order.pop_front()
            && self
                .latest
                .get(&attendee_id)
                .is_some_and(|(since, _)| *since == at)
        {
            self.latest.remove(&attendee_id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

impl Exchange {
    /// Attendees may do something else from now on, wherever they are.
    pub(super) fn allow(
        &mut self,
        now: Instant,
        meeting_id: &str,
        attendees: &[Allowed],
        strangers: Option<&Strangers>,
    ) {
        let mut news: BTreeMap<&str, &Allowed> = BTreeMap::new();
        for allowed in attendees {
            self.changes
                .remember(now, &allowed.attendee_id, Some(allowed));
            news.insert(&allowed.attendee_id, allowed);
        }
        let of = |identity: &Identity| -> Option<Allowed> {
            match (&identity.stored_as, strangers) {
                (Some(stored_as), _) => news
                    .get(stored_as.as_str())
                    .filter(|allowed| allowed.version > identity.version)
                    .map(|allowed| (*allowed).clone()),
                (None, Some(strangers)) if !strangers.except.contains(&identity.attendee_id) => {
                    Some(Allowed {
                        attendee_id: identity.attendee_id.clone(),
                        capabilities: strangers.capabilities,
                        version: identity.version,
                    })
                }
                (None, _) => None,
            }
        };
        for session in self.sessions.values_mut() {
            let Ok(admitted) = &mut session.admission else {
                continue;
            };
            let (info, identity) = admitted.as_mut();
            if info.id == meeting_id
                && let Some(allowed) = of(identity)
            {
                identity.may = allowed.capabilities;
                identity.version = allowed.version;
                if !identity.may_be_here() && !session.has_joined() {
                    session.admission = Err(SignalRefusal::Forbidden);
                }
            }
        }
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        let here: Vec<(String, Allowed)> = meeting
            .identities()
            .filter_map(|identity| Some((identity.attendee_id.clone(), of(identity)?)))
            .collect();
        for (attendee_id, allowed) in here {
            self.allow_here(now, meeting_id, &attendee_id, &allowed);
        }
    }

    /// One attendee out, with its content share and the phones that it dialled in with.
    pub(super) fn remove_attendee(&mut self, now: Instant, meeting_id: &str, attendee_id: &str) {
        self.changes.remember(now, attendee_id, None);
        for session in self.sessions.values_mut() {
            if let Ok(admitted) = &session.admission
                && admitted.1.stored_as.as_deref() == Some(attendee_id)
                && !session.has_joined()
            {
                session.admission = Err(SignalRefusal::BadToken);
            }
        }
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        let here: Vec<String> = meeting
            .identities()
            .filter(|identity| {
                identity
                    .stored_as
                    .as_deref()
                    .unwrap_or(&identity.attendee_id)
                    == attendee_id
            })
            .map(|identity| identity.attendee_id.clone())
            .collect();
        for id in here {
            self.put_out(now, meeting_id, &id);
        }
    }

    fn allow_here(&mut self, now: Instant, meeting_id: &str, attendee_id: &str, allowed: &Allowed) {
        let Some(meeting) = self.meetings.get_mut(meeting_id) else {
            return;
        };
        let sent = meeting.video_of(attendee_id).next().is_some();
        meeting.allow(attendee_id, allowed.capabilities, allowed.version);
        if !meeting.may_be_here(attendee_id) {
            return self.put_out(now, meeting_id, attendee_id);
        }
        let stopped = sent && meeting.video_of(attendee_id).next().is_none();
        let (seat, leg) = (meeting.seat(attendee_id), meeting.leg_of(attendee_id));
        let muted = meeting.is_muted(attendee_id);
        let plan = match seat {
            Some(Seat::Browser(conn)) => self
                .sessions
                .get(&conn)
                .and_then(|session| session.stage.plan_now(meeting, attendee_id)),
            _ => None,
        };
        if let Some(leg) = leg {
            let deaf = !allowed.capabilities.audio.receives();
            self.command(MediaCommand::Mute { leg, muted });
            self.command(MediaCommand::Deafen { leg, deaf });
            if let Some(plan) = plan {
                let plan = Box::new(plan);
                self.command(MediaCommand::Configure { leg, plan });
            }
        }
        if let (Some(Seat::Browser(conn)), true) = (seat, stopped) {
            self.signal(now, conn, view_only(MAY_NOT_SEND));
        }
    }

    /// What media must know of an attendee before its leg joins the others.
    pub(super) fn enforce_audio(&mut self, leg: LegId, muted: bool, may: Capabilities) {
        if muted {
            self.command(MediaCommand::Mute { leg, muted });
        }
        if !may.audio.receives() {
            self.command(MediaCommand::Deafen { leg, deaf: true });
        }
    }
}

/// For longer no admission is on its way: what reads it gives up sooner.
const REMEMBER: Duration = Duration::from_secs(60);
/// Changes remembered at once.
const MOST_CHANGES: usize = 10_000;
