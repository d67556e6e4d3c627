//! The one machine that the node drives: phones, browsers, meetings and prompts joined.
//!
//! [`Exchange::handle`] takes what happened, [`Exchange::poll`] gives what is to be done, and
//! [`Exchange::timeout`] is due at [`Exchange::next_timeout`]. Inside, each party is a machine of its own that
//! knows nothing of the others: [`crate::phone::Phones`] for SIP, a session per browser, an
//! [`crate::ivr::Ivr`] per caller at the prompt. They meet in [`crate::meeting::Meeting`]s. What joins them is
//! here: `browsers` and `callers` by kind of party, `rooms` for the meetings.
//!
//! A browser's call is told to the record as a phone's is, with an id of its own; its end is told when its leg is
//! closed. When all parties are gone and their grace times are over, nothing is held ([`Exchange::held`]).

mod allow;
mod browsers;
mod callers;
mod finds;
mod io;
mod keys;
mod rooms;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod virtual_time;

pub use allow::{Allowed, Strangers};
pub use io::{Admission, Admitted, Config, Counts, DialIn, Input, Lookup, Output};

pub use crate::meeting::{AttendeeInfo, Capabilities, Capability, ConnId, MeetingInfo, VideoMax};
pub use crate::transaction::{Flow, FlowId, Transport};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::plan::{BridgeId, LegId, MediaCommand, MediaEvent};
use wire::signal::SdkSignalFrame;

use crate::browser::Session;
use crate::ending::Ending;
use crate::meeting::Meeting;
use crate::note::{Note, TransactionId};
use crate::phone::{self, Phones};
use allow::Changes;
use callers::Caller;
use finds::Finds;

/// All calls and meetings of a node.
pub struct Exchange {
    config: Config,
    epoch: (Instant, SystemTime),
    random: StdRng,
    phones: Phones,
    /// Signaling connections of browsers.
    sessions: BTreeMap<ConnId, Session>,
    /// Legs of browsers, and whose they are.
    legs: BTreeMap<LegId, ConnId>,
    /// Legs of browsers that are being closed, and how their calls ended.
    closing: BTreeMap<LegId, (TransactionId, Ending)>,
    /// Phones that called, as far as meetings go.
    callers: BTreeMap<TransactionId, Caller>,
    /// The same by leg, once answered.
    caller_legs: BTreeMap<LegId, TransactionId>,
    /// Questions about meeting ids that are out, and how many of each source's were wrong.
    finds: Finds,
    meetings: BTreeMap<String, Meeting>,
    bridges: BTreeMap<BridgeId, String>,
    /// Meetings that ended a moment ago: an admission may have been on its way.
    ended: VecDeque<(Instant, String)>,
    /// Meetings from before, until when they are waited for.
    resumed: Option<(Instant, BTreeSet<String>)>,
    /// What attendees may do, as changed a moment ago: an admission from before may be on its way.
    changes: Changes,
    last_leg: u64,
    draining: bool,
    out: VecDeque<Output>,
}

impl Exchange {
    /// Nobody in it. `epoch` is one moment by both clocks: every time that is told comes from it.
    #[must_use]
    pub fn new(config: Config, epoch: (Instant, SystemTime)) -> Self {
        let mut random = StdRng::from_seed(config.seed);
        let mut phones = config.phones.clone();
        phones.legs = PHONE_LEGS;
        Self {
            phones: Phones::new(phones, random.random()),
            finds: Finds::new(config.guesses, config.guess_window),
            config,
            epoch,
            random,
            sessions: BTreeMap::new(),
            legs: BTreeMap::new(),
            closing: BTreeMap::new(),
            callers: BTreeMap::new(),
            caller_legs: BTreeMap::new(),
            meetings: BTreeMap::new(),
            bridges: BTreeMap::new(),
            ended: VecDeque::new(),
            resumed: None,
            changes: Changes::default(),
            last_leg: FIRST_BROWSER_LEG,
            draining: false,
            out: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip {
                flow,
                message,
                bytes,
            } => {
                let input = phone::Input::Sip {
                    flow,
                    message,
                    bytes,
                };
                self.phones.handle(now, input);
            }
            Input::FlowClosed { flow } => {
                self.phones.handle(now, phone::Input::FlowClosed { flow });
            }
            Input::Connected { id, flow } => {
                self.phones
                    .handle(now, phone::Input::Connected { id, flow });
            }
            Input::SignalOpened {
                conn,
                peer,
                admission,
            } => self.signal_opened(now, conn, peer, admission),
            Input::SignalFrame { conn, frame } => self.signal_frame(now, conn, frame),
            Input::SignalClosed { conn } => self.signal_closed(now, conn),
            Input::Media(event) => self.media(now, event),
            Input::Found { query, found } => self.found(now, query, found),
            Input::EndMeeting { meeting } => self.end_meeting(now, &meeting),
            Input::RemoveAttendee { meeting, attendee } => {
                self.remove_attendee(now, &meeting, &attendee);
            }
            Input::Resume { meetings } => self.resume(now, meetings),
            Input::Allow {
                meeting,
                attendees,
                strangers,
            } => self.allow(now, &meeting, &attendees, strangers.as_ref()),
            Input::Drain => self.draining = true,
            Input::DrainDeadline => self.drain_deadline(now),
        }
        self.pump(now);
    }

    /// What came of it, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.values().map(|session| session.ends_at().0);
        let callers = self.callers.values().filter_map(Caller::next_timeout);
        let meetings = self.meetings.values().filter_map(Meeting::next_timeout);
        let ended = self.ended.front().map(|(at, _)| *at + REMEMBER_ENDED);
        sessions
            .chain(callers)
            .chain(meetings)
            .chain(ended)
            .chain(self.resumed.as_ref().map(|(until, _)| *until))
            .chain(self.finds.next_timeout())
            .chain(self.changes.next_timeout())
            .chain(self.phones.next_timeout())
            .min()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant) {
        self.phones.timeout(now);
        self.time_out_sessions(now);
        self.time_out_callers(now);
        self.time_out_meetings(now);
        self.time_out_resumed(now);
        self.finds.forget(now);
        self.changes.forget(now);
        while self
            .ended
            .front()
            .is_some_and(|(at, _)| now >= *at + REMEMBER_ENDED)
        {
            self.ended.pop_front();
        }
        self.pump(now);
    }

    /// Whether no call and no session is left, those included that are on their way out.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.closing.is_empty()
            && self.callers.is_empty()
            && self.phones.active() == 0
    }

    /// How much is going on.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            phones: self.phones.active(),
            sip_held: self.phones.held(),
            browsers: self
                .sessions
                .values()
                .filter(|session| session.joined_as().is_some())
                .count(),
            meetings: self
                .meetings
                .values()
                .filter(|meeting| meeting.participants() > 0)
                .count(),
        }
    }

    /// Everything that is remembered of anybody; 0 when all is over and forgotten.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sessions.len()
            + self.legs.len()
            + self.closing.len()
            + self.callers.len()
            + self.caller_legs.len()
            + self.finds.len()
            + self.meetings.len()
            + self.bridges.len()
            + self.ended.len()
            + self.changes.len()
            + self.resumed.as_ref().map_or(0, |(_, ids)| ids.len())
            + self.phones.held()
    }

    fn media(&mut self, now: Instant, event: MediaEvent) {
        match &event {
            MediaEvent::Levels { bridge, levels } => {
                if let Some(meeting) = self.meeting_of(*bridge) {
                    meeting.levels(now, levels);
                }
            }
            MediaEvent::VideoRates { bridge, rates } => {
                if let Some(meeting) = self.meeting_of(*bridge) {
                    meeting.rates(rates);
                }
            }
            MediaEvent::Ready { leg, .. }
            | MediaEvent::Refused { leg, .. }
            | MediaEvent::Connected { leg }
            | MediaEvent::Digit { leg, .. }
            | MediaEvent::PromptEnded { leg, .. }
            | MediaEvent::ForeignSource { leg, .. }
            | MediaEvent::Lost { leg, .. }
            | MediaEvent::Closed { leg } => {
                if is_browser_leg(*leg) {
                    self.browser_media(now, event);
                } else {
                    self.caller_media(now, &event);
                    self.phones.handle(now, phone::Input::Media(event));
                }
            }
        }
    }

    /// Lets everything that was said flow on, until all is quiet.
    fn pump(&mut self, now: Instant) {
        loop {
            while let Some(output) = self.phones.poll() {
                self.phones_said(now, output);
            }
            self.pump_meetings(now);
            if !self.pump_callers(now) {
                break;
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.out.push_back(Output::Note(note));
    }

    fn command(&mut self, command: MediaCommand) {
        self.out.push_back(Output::Media(command));
    }

    /// Sends a frame with the time on it.
    fn signal(&mut self, now: Instant, conn: ConnId, mut frame: SdkSignalFrame) {
        frame.timestamp_ms = self.epoch_ns(now) / 1_000_000;
        self.out.push_back(Output::Signal {
            conn,
            frame: Box::new(frame),
        });
    }

    /// Nanoseconds since the UNIX epoch; enough until the year 2554.
    fn epoch_ns(&self, now: Instant) -> u64 {
        let (instant, time) = self.epoch;
        let passed = now.saturating_duration_since(instant);
        time.checked_add(passed)
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_nanos()).ok())
            .unwrap_or(0)
    }
}

/// Even legs are phones', odd ones are browsers'.
const PHONE_LEGS: (u64, u64) = (2, 2);
const FIRST_BROWSER_LEG: u64 = 1;

fn is_browser_leg(leg: LegId) -> bool {
    leg.0 % 2 == FIRST_BROWSER_LEG % 2
}

/// How long after its end a meeting is refused by name.
const REMEMBER_ENDED: std::time::Duration = std::time::Duration::from_secs(60);
/// Ended meetings remembered at once.
const MOST_ENDED: usize = 10_000;
