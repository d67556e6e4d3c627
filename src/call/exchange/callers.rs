//! Phones: which meeting they want, the prompt that asks them, and their seat in it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use wire::plan::{LegId, MediaCommand, MediaEvent, Prompt};

use super::finds::Asked;
use super::{DialIn, Exchange, Lookup, Output};
use crate::admit::{PhoneRefusal, SignalRefusal};
use crate::ending::{Cause, Ending, Side};
use crate::ivr::{Ivr, Step};
use crate::keypad::Keypad;
use crate::meeting::{AttendeeInfo, Capabilities, Identity, MeetingInfo, Seat};
use crate::note::TransactionId;
use crate::phone::{self, Arrival, Dialled};

/// One phone, as far as meetings go.
#[derive(Debug)]
pub(super) struct Caller {
    leg: LegId,
    peer: IpAddr,
    /// What the roster shows.
    name: String,
    /// Whether it can be told why before it is refused.
    early_media: bool,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    /// It dialled an id, which is looked up before the call is answered.
    Finding,
    /// Its place is taken; when the call is answered, it sits down.
    Expected(Place),
    /// When the call is answered, it is asked for an id.
    Unasked,
    /// It is being asked.
    Asked(Box<Ivr>),
    /// In the meeting.
    Seated { place: Place, keypad: Keypad },
    /// It is told why it will be refused.
    Refused { refusal: PhoneRefusal, by: Instant },
    /// It is told why it cannot stay, and then hung up on.
    Farewell { refusal: PhoneRefusal, by: Instant },
    /// Being hung up on.
    Over,
}

/// Where a phone sits, and as whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The meeting's id.
    pub(super) meeting: String,
    /// The attendee's id.
    pub(super) attendee: String,
    /// Whether it is the meeting's host.
    pub(super) moderator: bool,
}

/// Should the end of the last words never be told, hang up all the same.
const FAREWELL: Duration = Duration::from_secs(10);
/// The most characters of a name in the roster, as the API has it.
const LONGEST_NAME: usize = 64;

impl Caller {
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Asked(ivr) => ivr.next_timeout(),
            State::Farewell { by, .. } | State::Refused { by, .. } => Some(*by),
            State::Finding
            | State::Expected(_)
            | State::Unasked
            | State::Seated { .. }
            | State::Over => None,
        }
    }
}

impl Exchange {
    pub(super) fn phones_said(&mut self, now: Instant, output: phone::Output) {
        match output {
            phone::Output::Sip {
                flow,
                to,
                message,
                call,
            } => self.out.push_back(Output::Sip {
                flow,
                to,
                message,
                call,
            }),
            phone::Output::Connect { id, to } => self.out.push_back(Output::Connect { id, to }),
            phone::Output::KeepAlive { flow, every } => {
                self.out.push_back(Output::KeepAlive { flow, every });
            }
            phone::Output::Media(command) => self.command(command),
            phone::Output::Note(note) => self.note(note),
            phone::Output::Arrived(arrival) => self.arrived(now, &arrival),
            phone::Output::Answered { call, leg } => self.answered(now, call, leg),
            phone::Output::EarlyMedia { call, leg } => self.tell_refusal(now, call, leg),
            phone::Output::Digit { leg, digit } => self.caller_digit(now, leg, digit),
            phone::Output::Ended { call, leg, ending } => {
                self.caller_gone(now, call, leg, &ending);
            }
        }
    }

    pub(super) fn caller_media(&mut self, now: Instant, event: &MediaEvent) {
        let MediaEvent::PromptEnded { leg, prompt } = event else {
            return;
        };
        let Some((call, caller)) = self.caller_of(*leg) else {
            return;
        };
        match &mut caller.state {
            State::Asked(ivr) => ivr.prompt_ended(now),
            State::Farewell { refusal, .. } if refusal.prompt() == Some(*prompt) => {
                let ending = Ending::new(refusal.cause());
                self.hang_up(now, call, ending);
            }
            State::Refused { refusal, .. } if refusal.prompt() == Some(*prompt) => {
                let refusal = *refusal;
                self.refuse_at_once(now, call, refusal);
            }
            _ => {}
        }
    }

    /// The answer to a question about a meeting id.
    pub(super) fn found(&mut self, now: Instant, query: u64, found: Lookup) {
        let missed = matches!(found, Lookup::Unknown | Lookup::Ended);
        let Some(call) = self.finds.answered(now, query, missed) else {
            return;
        };
        match found {
            Lookup::Meeting { info, who } => self.found_meeting(now, call, &info, who),
            Lookup::Ended => self.found_nothing(now, call, PhoneRefusal::MeetingEnded),
            Lookup::Unknown => self.found_nothing(now, call, PhoneRefusal::UnknownMeeting),
            Lookup::Failed => self.found_nothing(now, call, PhoneRefusal::Internal),
        }
        for (call, asked) in self.finds.released(now) {
            self.find_asked(now, call, asked);
        }
    }

    /// There is no meeting to go to, or nobody is told whether there is.
    fn found_nothing(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        match &mut caller.state {
            State::Asked(ivr) => match refusal {
                PhoneRefusal::MeetingEnded => {
                    if ivr.found() {
                        self.say_farewell(now, call, refusal);
                    }
                }
                PhoneRefusal::Internal => ivr.failed(),
                // Who guesses learns nothing, not even that it was found out.
                _ => ivr.unknown(now),
            },
            State::Finding => self.refuse_caller(now, call, refusal),
            _ => {}
        }
    }

    fn found_meeting(
        &mut self,
        now: Instant,
        call: TransactionId,
        info: &MeetingInfo,
        who: Option<DialIn>,
    ) {
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        let answered = match &mut caller.state {
            State::Asked(ivr) => {
                if !ivr.found() {
                    return;
                }
                true
            }
            State::Finding => false,
            _ => return,
        };
        let leg = caller.leg;
        match self.take_caller_in(now, call, info, who) {
            Ok(place) if answered => self.seat_caller(now, call, leg, place),
            Ok(place) => {
                if let Some(caller) = self.callers.get_mut(&call) {
                    caller.state = State::Expected(place);
                }
                self.phones.handle(now, phone::Input::Accept { call });
            }
            Err(refusal) if answered => self.say_farewell(now, call, refusal),
            Err(refusal) => self.refuse_caller(now, call, refusal),
        }
    }

    /// The meeting of a phone ended: it is told so, and hung up on.
    pub(super) fn tell_caller_the_end(&mut self, now: Instant, call: TransactionId) {
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        let leg = caller.leg;
        if matches!(caller.state, State::Seated { .. }) {
            self.command(MediaCommand::Leave { leg });
            self.say_farewell(now, call, PhoneRefusal::MeetingEnded);
        } else {
            self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
        }
    }

    /// Tells a phone that was answered why it cannot be in the meeting, and hangs up on it.
    fn say_farewell(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        let leg = caller.leg;
        match refusal.prompt() {
            Some(prompt) => {
                let by = now + FAREWELL;
                caller.state = State::Farewell { refusal, by };
                self.command(MediaCommand::Play { leg, prompt });
            }
            None => self.hang_up(now, call, Ending::new(refusal.cause())),
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, call: TransactionId, ending: Ending) {
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.state = State::Over;
        }
        self.phones
            .handle(now, phone::Input::HangUp { call, ending });
    }

    pub(super) fn time_out_callers(&mut self, now: Instant) {
        let mut said_goodbye = Vec::new();
        let mut refused = Vec::new();
        for (call, caller) in &mut self.callers {
            match &mut caller.state {
                State::Asked(ivr) => ivr.timeout(now),
                State::Farewell { refusal, by } if now >= *by => {
                    said_goodbye.push((*call, *refusal));
                }
                State::Refused { refusal, by } if now >= *by => refused.push((*call, *refusal)),
                _ => {}
            }
        }
        for (call, refusal) in refused {
            self.refuse_at_once(now, call, refusal);
        }
        for (call, refusal) in said_goodbye {
            self.hang_up(now, call, Ending::new(refusal.cause()));
        }
    }

    /// Does what the prompts want next. Tells whether there was anything.
    pub(super) fn pump_callers(&mut self, now: Instant) -> bool {
        let mut steps = Vec::new();
        for (call, caller) in &mut self.callers {
            if let State::Asked(ivr) = &mut caller.state {
                while let Some(step) = ivr.poll() {
                    steps.push((*call, caller.leg, caller.peer, step));
                }
            }
        }
        let any = !steps.is_empty();
        for (call, leg, peer, step) in steps {
            match step {
                Step::Play(prompt) => self.command(MediaCommand::Play { leg, prompt }),
                Step::StopPlaying => self.command(MediaCommand::StopPlaying { leg }),
                Step::Find(pin) => self.find(now, call, peer, pin),
                Step::HangUp(_) => self.hang_up(now, call, Ending::new(Cause::NoMeetingChosen)),
            }
        }
        any
    }

    fn arrived(&mut self, now: Instant, arrival: &Arrival) {
        let call = arrival.call;
        let peer = arrival.flow.peer.ip();
        if self.draining {
            return self.refuse_caller(now, call, PhoneRefusal::Draining);
        }
        let state = match &arrival.dialled {
            Dialled::Prompt => State::Unasked,
            Dialled::MeetingId(_) => State::Finding,
        };
        self.callers.insert(
            call,
            Caller {
                leg: arrival.leg,
                peer,
                name: name_of(arrival),
                early_media: arrival.early_media,
                state,
            },
        );
        self.caller_legs.insert(arrival.leg, call);
        match &arrival.dialled {
            Dialled::Prompt => self.phones.handle(now, phone::Input::Accept { call }),
            Dialled::MeetingId(pin) => self.find(now, call, peer, pin.clone()),
        }
    }

    fn answered(&mut self, now: Instant, call: TransactionId, leg: LegId) {
        let limits = self.config.ivr;
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        match std::mem::replace(&mut caller.state, State::Over) {
            State::Unasked => caller.state = State::Asked(Box::new(Ivr::new(now, limits))),
            State::Expected(place) => self.seat_caller(now, call, leg, place),
            other => caller.state = other,
        }
    }

    fn caller_gone(&mut self, now: Instant, call: TransactionId, leg: LegId, ending: &Ending) {
        self.finds.gone(call);
        self.caller_legs.remove(&leg);
        let Some(caller) = self.callers.remove(&call) else {
            return;
        };
        if let State::Expected(place) | State::Seated { place, .. } = caller.state
            && let Some(meeting) = self.meetings.get_mut(&place.meeting)
        {
            meeting.remove(now, &place.attendee, ending.side == Side::Network);
        } else if let Some((meeting, attendee)) = self.seat_of(call) {
            // It was hung up on while it sat there.
            if let Some(meeting) = self.meetings.get_mut(&meeting) {
                meeting.remove(now, &attendee, false);
            }
        }
    }

    /// Where a phone sits, if it does.
    fn seat_of(&self, call: TransactionId) -> Option<(String, String)> {
        self.meetings.iter().find_map(|(id, meeting)| {
            let attendee = meeting.on_seat(Seat::Phone(call))?;
            Some((id.clone(), attendee.to_owned()))
        })
    }

    fn find(&mut self, now: Instant, call: TransactionId, source: IpAddr, digits: String) {
        let asked = self.finds.ask(now, call, source, digits);
        self.find_asked(now, call, asked);
    }

    fn find_asked(&mut self, now: Instant, call: TransactionId, asked: Asked) {
        match asked {
            Asked::Out(query, digits) => self.out.push_back(Output::Find { query, digits }),
            Asked::Waits => {}
            Asked::Refused => self.found_nothing(now, call, PhoneRefusal::Guessing),
        }
    }

    fn take_caller_in(
        &mut self,
        now: Instant,
        call: TransactionId,
        info: &MeetingInfo,
        who: Option<DialIn>,
    ) -> Result<Place, PhoneRefusal> {
        // A phone is an attendee of its own even if it is somebody's second device; it only bears their name.
        let attendee = TransactionId::new(&mut self.random).to_string();
        let moderator = who.as_ref().is_some_and(|who| who.moderator);
        let invited = who.is_some();
        let (name, may, stored_as, version) = match who {
            Some(DialIn { mut attendee, .. }) => {
                if !self.changes.bring_up_to_date(&mut attendee) {
                    return Err(PhoneRefusal::UnknownMeeting);
                }
                let AttendeeInfo {
                    attendee_id,
                    external_user_id,
                    capabilities,
                    version,
                } = attendee;
                (external_user_id, capabilities, Some(attendee_id), version)
            }
            None => {
                let caller = self.callers.get(&call);
                let name = caller.map(|caller| caller.name.clone());
                (name.unwrap_or_default(), Capabilities::default(), None, 0)
            }
        };
        let identity = Identity {
            attendee_id: attendee.clone(),
            external_user_id: name,
            content: false,
            may,
            stored_as,
            version,
        };
        let meeting = self.room(now, info).ok_or(PhoneRefusal::MeetingEnded)?;
        if meeting.is_locked() && !invited {
            return Err(PhoneRefusal::MeetingLocked);
        }
        meeting
            .take_in(identity, Seat::Phone(call))
            .map_err(|refusal| match refusal {
                SignalRefusal::MeetingFull => PhoneRefusal::MeetingFull,
                _ => PhoneRefusal::MeetingEnded,
            })?;
        Ok(Place {
            meeting: info.id.clone(),
            attendee,
            moderator,
        })
    }

    fn seat_caller(&mut self, now: Instant, call: TransactionId, leg: LegId, place: Place) {
        let Some(meeting) = self.meetings.get_mut(&place.meeting) else {
            return self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
        };
        let bridge = meeting.info().bridge;
        meeting.enter(now, &place.attendee, leg, call, false);
        let muted = meeting.is_muted(&place.attendee);
        let may = meeting.may(&place.attendee);
        if let Some(caller) = self.callers.get_mut(&call) {
            let keypad = Keypad::default();
            caller.state = State::Seated { place, keypad };
        }
        self.enforce_audio(leg, muted, may);
        self.command(MediaCommand::Join { leg, bridge });
        self.command(MediaCommand::Play {
            leg,
            prompt: Prompt::Joined,
        });
    }

    /// Refuses a call that was not answered: at once, or after telling it why where it can hear that.
    fn refuse_caller(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        let told = self.callers.get_mut(&call).filter(|caller| {
            caller.early_media
                && matches!(caller.state, State::Finding)
                && refusal.prompt().is_some()
        });
        let Some(caller) = told else {
            return self.refuse_at_once(now, call, refusal);
        };
        caller.state = State::Refused {
            refusal,
            by: now + FAREWELL,
        };
        self.phones.handle(now, phone::Input::Early { call });
    }

    /// The call hears what is played now.
    fn tell_refusal(&mut self, now: Instant, call: TransactionId, leg: LegId) {
        if let Some(caller) = self.callers.get_mut(&call)
            && let State::Refused { refusal, by } = &mut caller.state
            && let Some(prompt) = refusal.prompt()
        {
            *by = now + FAREWELL;
            self.command(MediaCommand::Play { leg, prompt });
        }
    }

    fn refuse_at_once(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.state = State::Over;
        }
        let ending = Ending::new(refusal.cause());
        self.phones
            .handle(now, phone::Input::Refuse { call, ending });
    }

    pub(super) fn caller_of(&mut self, leg: LegId) -> Option<(TransactionId, &mut Caller)> {
        let call = *self.caller_legs.get(&leg)?;
        Some((call, self.callers.get_mut(&call)?))
    }
}

/// What the roster shows of a phone: its display name, else its user with all but the last four digits of a number
/// hidden, because every attendee reads it.
fn name_of(arrival: &Arrival) -> String {
    let display = arrival.display.as_deref().map(str::trim);
    let shown = match display.filter(|name| !name.is_empty()) {
        Some(name) => hide_number(name),
        None if arrival.from_user.is_empty() => "sip".to_owned(),
        None => format!("sip:{}", hide_number(&arrival.from_user)),
    };
    shown
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect()
}

/// Hides all but the last four digits of what is a telephone number; leaves other texts as they are.
fn hide_number(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_number = text
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.() ".contains(c));
    if digits < 7 || !is_number {
        return text.to_owned();
    }
    let mut left = digits;
    text.chars()
        .map(|c| {
            if !c.is_ascii_digit() {
                return c;
            }
            left -= 1;
            if left >= 4 { 'X' } else { c }
        })
        .collect()
}
