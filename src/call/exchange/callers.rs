//! Phones: which meeting they want, the prompt that asks them, and their seat in it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use wire::plan::{LegId, MediaCommand, MediaEvent, Prompt};

use super::finds::Asked;
use super::{Exchange, Output};
use crate::admit::{PhoneRefusal, SignalRefusal};
use crate::ending::{Cause, Ending, Side};
use crate::ivr::{Ivr, Step};
use crate::meeting::{Capabilities, Identity, MeetingInfo, Seat};
use crate::note::TransactionId;
use crate::phone::{self, Arrival, Dialled};

/// One phone, as far as meetings go.
#[derive(Debug)]
pub(super) struct Caller {
    leg: LegId,
    peer: IpAddr,
    /// What the roster shows.
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It dialled an id, which is looked up before the call is answered.
    Finding,
    /// Its place is taken; when the call is answered, it sits down.
    Expected { meeting: String, attendee: String },
    /// When the call is answered, it is asked for an id.
    Unasked,
    /// It is being asked.
    Asked(Box<Ivr>),
    /// In the meeting.
    Seated { meeting: String, attendee: String },
    /// The meeting ended; it is told, and then hung up on.
    Farewell { by: Instant },
    /// Being hung up on.
    Over,
}

/// Should the end of the last words never be told, hang up all the same.
const FAREWELL: Duration = Duration::from_secs(10);
/// The most characters of a name in the roster, as the API has it.
const LONGEST_NAME: usize = 64;

impl Caller {
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Asked(ivr) => ivr.next_timeout(),
            State::Farewell { by } => Some(*by),
            State::Finding
            | State::Expected { .. }
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
            phone::Output::Media(command) => self.command(command),
            phone::Output::Note(note) => self.note(note),
            phone::Output::Arrived(arrival) => self.arrived(now, &arrival),
            phone::Output::Answered { call, leg } => self.answered(now, call, leg),
            phone::Output::Ended { call, leg, ending } => {
                self.caller_gone(now, call, leg, &ending);
            }
        }
    }

    pub(super) fn caller_media(&mut self, now: Instant, event: &MediaEvent) {
        match event {
            MediaEvent::Digit { leg, digit } => {
                if let Some((_, caller)) = self.caller_of(*leg)
                    && let State::Asked(ivr) = &mut caller.state
                {
                    ivr.digit(now, *digit);
                }
            }
            MediaEvent::PromptEnded { leg, prompt } => {
                let Some((call, caller)) = self.caller_of(*leg) else {
                    return;
                };
                match &mut caller.state {
                    State::Asked(ivr) => ivr.prompt_ended(now),
                    State::Farewell { .. } if *prompt == Prompt::MeetingEnded => {
                        self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The answer to a question about a PIN.
    pub(super) fn found(&mut self, now: Instant, query: u64, meeting: Option<MeetingInfo>) {
        let Some(call) = self.finds.answered(now, query, meeting.is_none()) else {
            return;
        };
        match meeting {
            Some(info) => self.found_meeting(now, call, info),
            None => self.found_nothing(now, call, PhoneRefusal::UnknownMeeting),
        }
        for (call, asked) in self.finds.released(now) {
            self.find_asked(now, call, asked);
        }
    }

    /// No meeting has the id, or nobody is told whether one has.
    fn found_nothing(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        let Some(caller) = self.callers.get_mut(&call) else {
            return;
        };
        match &mut caller.state {
            // Who guesses learns nothing, not even that it was found out.
            State::Asked(ivr) => ivr.unknown(now),
            State::Finding => self.refuse_caller(now, call, refusal),
            _ => {}
        }
    }

    fn found_meeting(&mut self, now: Instant, call: TransactionId, info: MeetingInfo) {
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
        match self.take_caller_in(now, call, &info) {
            Ok(attendee) => {
                let meeting = info.id;
                if answered {
                    self.seat_caller(now, call, leg, meeting, attendee);
                } else {
                    if let Some(caller) = self.callers.get_mut(&call) {
                        caller.state = State::Expected { meeting, attendee };
                    }
                    self.phones.handle(now, phone::Input::Accept { call });
                }
            }
            Err(refusal) if answered => self.hang_up(now, call, Ending::new(refusal.cause())),
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
            caller.state = State::Farewell { by: now + FAREWELL };
            self.command(MediaCommand::Leave { leg });
            self.command(MediaCommand::Play {
                leg,
                prompt: Prompt::MeetingEnded,
            });
        } else {
            self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
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
        for (call, caller) in &mut self.callers {
            match &mut caller.state {
                State::Asked(ivr) => ivr.timeout(now),
                State::Farewell { by } if now >= *by => said_goodbye.push(*call),
                _ => {}
            }
        }
        for call in said_goodbye {
            self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
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
            State::Expected { meeting, attendee } => {
                self.seat_caller(now, call, leg, meeting, attendee);
            }
            other => caller.state = other,
        }
    }

    fn caller_gone(&mut self, now: Instant, call: TransactionId, leg: LegId, ending: &Ending) {
        self.finds.gone(call);
        self.caller_legs.remove(&leg);
        let Some(caller) = self.callers.remove(&call) else {
            return;
        };
        if let State::Expected { meeting, attendee } | State::Seated { meeting, attendee } =
            caller.state
            && let Some(meeting) = self.meetings.get_mut(&meeting)
        {
            meeting.remove(now, &attendee, ending.side == Side::Network);
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

    fn find(&mut self, now: Instant, call: TransactionId, source: IpAddr, pin: String) {
        let asked = self.finds.ask(now, call, source, pin);
        self.find_asked(now, call, asked);
    }

    fn find_asked(&mut self, now: Instant, call: TransactionId, asked: Asked) {
        match asked {
            Asked::Out(query, pin) => self.out.push_back(Output::Find { query, pin }),
            Asked::Waits => {}
            Asked::Refused => self.found_nothing(now, call, PhoneRefusal::Guessing),
        }
    }

    fn take_caller_in(
        &mut self,
        now: Instant,
        call: TransactionId,
        info: &MeetingInfo,
    ) -> Result<String, PhoneRefusal> {
        let attendee_id = TransactionId::new(&mut self.random).to_string();
        let name = self
            .callers
            .get(&call)
            .map(|caller| caller.name.clone())
            .unwrap_or_default();
        let identity = Identity {
            attendee_id: attendee_id.clone(),
            external_user_id: name,
            content: false,
            may: Capabilities::default(),
        };
        self.room(now, info)
            .ok_or(PhoneRefusal::MeetingEnded)?
            .take_in(identity, Seat::Phone(call))
            .map_err(|refusal| match refusal {
                SignalRefusal::MeetingFull => PhoneRefusal::MeetingFull,
                _ => PhoneRefusal::MeetingEnded,
            })?;
        Ok(attendee_id)
    }

    fn seat_caller(
        &mut self,
        now: Instant,
        call: TransactionId,
        leg: LegId,
        meeting_id: String,
        attendee: String,
    ) {
        let Some(meeting) = self.meetings.get_mut(&meeting_id) else {
            return self.hang_up(now, call, Ending::new(Cause::MeetingEnded));
        };
        let bridge = meeting.info().bridge;
        meeting.enter(now, &attendee, leg, call, false);
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.state = State::Seated {
                meeting: meeting_id,
                attendee,
            };
        }
        self.command(MediaCommand::Join { leg, bridge });
        self.command(MediaCommand::Play {
            leg,
            prompt: Prompt::Joined,
        });
    }

    fn refuse_caller(&mut self, now: Instant, call: TransactionId, refusal: PhoneRefusal) {
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.state = State::Over;
        }
        let ending = Ending::new(refusal.cause());
        self.phones
            .handle(now, phone::Input::Refuse { call, ending });
    }

    fn caller_of(&mut self, leg: LegId) -> Option<(TransactionId, &mut Caller)> {
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
