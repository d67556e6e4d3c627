//! Meetings: made when the first party comes, ended by command or by themselves.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::time::Instant;

use wire::plan::BridgeId;

use super::{Exchange, MOST_ENDED, Output};
use crate::ending::{Cause, Ending};
use crate::meeting::{ConnId, Meeting, MeetingInfo, Seat, Told, audio_status};
use crate::note::Note;

/// AUDIO_STATUS values.
const STATUS_MEETING_ENDED: u32 = 410;
const STATUS_REMOVED: u32 = 411;
const STATUS_UNAVAILABLE: u32 = 503;

impl Exchange {
    /// The meeting, made if nobody is in it yet; `None` when it ended just now.
    pub(super) fn room(&mut self, now: Instant, info: &MeetingInfo) -> Option<&mut Meeting> {
        if self.ended.iter().any(|(_, id)| *id == info.id) {
            return None;
        }
        self.bridges.insert(info.bridge, info.id.clone());
        Some(match self.meetings.entry(info.id.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Meeting::new(now, info.clone(), self.config.empty_meeting))
            }
        })
    }

    pub(super) fn meeting_of(&mut self, bridge: BridgeId) -> Option<&mut Meeting> {
        self.meetings.get_mut(self.bridges.get(&bridge)?)
    }

    /// Everybody out: the meeting was deleted.
    pub(super) fn end_meeting(&mut self, now: Instant, meeting_id: &str) {
        self.no_longer_resumed(meeting_id);
        self.remember_end(now, meeting_id);
        let Some(mut meeting) = self.forget_meeting(meeting_id) else {
            return;
        };
        self.meeting_says(now, &mut meeting);
        for (_, seat) in meeting.end() {
            match seat {
                Seat::Browser(conn) => {
                    self.dismiss(now, conn, STATUS_MEETING_ENDED, Cause::MeetingEnded);
                }
                Seat::Phone(call) => self.tell_caller_the_end(now, call),
                Seat::Away { .. } => {}
            }
        }
        self.notes_of(&mut meeting);
    }

    /// One party out.
    pub(super) fn put_out(&mut self, now: Instant, meeting_id: &str, attendee_id: &str) {
        let Some(meeting) = self.meetings.get_mut(meeting_id) else {
            return;
        };
        let seat = meeting.seat(attendee_id);
        meeting.remove(now, attendee_id, false);
        match seat {
            Some(Seat::Browser(conn)) => self.dismiss(now, conn, STATUS_REMOVED, Cause::Removed),
            Some(Seat::Phone(call)) => self.hang_up(now, call, Ending::new(Cause::Removed)),
            Some(Seat::Away { .. }) | None => {}
        }
    }

    /// The drain's deadline: everybody out of everything.
    pub(super) fn drain_deadline(&mut self, now: Instant) {
        self.draining = true;
        let phones = crate::phone::Input::Drain { deadline: now };
        self.phones.handle(now, phones);
        self.phones.timeout(now);
        let meetings: Vec<String> = self.meetings.keys().cloned().collect();
        for meeting_id in meetings {
            let Some(mut meeting) = self.forget_meeting(&meeting_id) else {
                continue;
            };
            for (_, seat) in meeting.end() {
                if let Seat::Browser(conn) = seat {
                    self.dismiss(now, conn, STATUS_UNAVAILABLE, Cause::Draining);
                }
            }
            self.notes_of(&mut meeting);
        }
        let rest: Vec<ConnId> = self.sessions.keys().copied().collect();
        for conn in rest {
            self.dismiss(now, conn, STATUS_UNAVAILABLE, Cause::Draining);
        }
    }

    pub(super) fn time_out_meetings(&mut self, now: Instant) {
        for meeting in self.meetings.values_mut() {
            if meeting.next_timeout().is_some_and(|at| now >= at) {
                meeting.timeout(now);
            }
        }
        let over: Vec<String> = self
            .meetings
            .iter()
            .filter(|(_, meeting)| meeting.is_over(now))
            .map(|(id, _)| id.clone())
            .collect();
        for meeting_id in over {
            if let Some(mut meeting) = self.forget_meeting(&meeting_id) {
                self.meeting_says(now, &mut meeting);
                meeting.end();
                // One that nobody was in is still to begin.
                if meeting.was_started() {
                    self.remember_end(now, &meeting_id);
                    self.out.push_back(Output::EndMeeting {
                        meeting: meeting_id,
                    });
                }
                self.notes_of(&mut meeting);
            }
        }
    }

    /// Meetings that somebody was in before this server began: their clock runs from now on.
    pub(super) fn resume(&mut self, now: Instant, meetings: Vec<String>) {
        let meetings: BTreeSet<String> = meetings
            .into_iter()
            .filter(|id| !self.meetings.contains_key(id))
            .collect();
        if !meetings.is_empty() {
            self.resumed = Some((now + self.config.empty_meeting, meetings));
        }
    }

    pub(super) fn time_out_resumed(&mut self, now: Instant) {
        if self.resumed.as_ref().is_none_or(|(until, _)| now < *until) {
            return;
        }
        let Some((_, meetings)) = self.resumed.take() else {
            return;
        };
        // Somebody is on their way into these, and may not arrive.
        let (waits, empty): (BTreeSet<String>, BTreeSet<String>) = meetings
            .into_iter()
            .partition(|id| self.meetings.contains_key(id));
        if !waits.is_empty() {
            self.resumed = Some((now + self.config.empty_meeting, waits));
        }
        for meeting in empty {
            self.remember_end(now, &meeting);
            let meeting_id = meeting.clone();
            self.note(Note::MeetingEnded { meeting_id });
            self.out.push_back(Output::EndMeeting { meeting });
        }
    }

    /// It is ended by itself from now on, or has ended.
    fn no_longer_resumed(&mut self, meeting_id: &str) {
        if let Some((_, meetings)) = &mut self.resumed {
            meetings.remove(meeting_id);
            if meetings.is_empty() {
                self.resumed = None;
            }
        }
    }

    /// Passes on what meetings say.
    pub(super) fn pump_meetings(&mut self, now: Instant) {
        let ids: Vec<String> = self
            .meetings
            .iter()
            .filter(|(_, meeting)| meeting.has_told())
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            if let Some(mut meeting) = self.meetings.remove(&id) {
                self.meeting_says(now, &mut meeting);
                self.meetings.insert(id, meeting);
            }
        }
    }

    fn meeting_says(&mut self, now: Instant, meeting: &mut Meeting) {
        while let Some(told) = meeting.poll() {
            match told {
                // Who was dismissed in the same breath hears no more.
                Told::Frame { conn, frame } if self.sessions.contains_key(&conn) => {
                    self.signal(now, conn, *frame);
                }
                Told::Frame { .. } => {}
                Told::Note(note) => {
                    self.play_tones(meeting, &note);
                    if let Note::MeetingStarted { meeting_id } = &note {
                        self.no_longer_resumed(meeting_id);
                        self.out.push_back(Output::HoldMeeting {
                            meeting: meeting_id.clone(),
                        });
                    }
                    self.note(note);
                }
            }
        }
    }

    /// After its end a meeting has nobody to tell anything but the record.
    fn notes_of(&mut self, meeting: &mut Meeting) {
        while let Some(told) = meeting.poll() {
            if let Told::Note(note) = told {
                self.note(note);
            }
        }
        if meeting.was_started() {
            self.note(Note::MeetingEnded {
                meeting_id: meeting.info().id.clone(),
            });
        }
    }

    fn forget_meeting(&mut self, meeting_id: &str) -> Option<Meeting> {
        let meeting = self.meetings.remove(meeting_id)?;
        self.bridges.remove(&meeting.info().bridge);
        Some(meeting)
    }

    fn remember_end(&mut self, now: Instant, meeting_id: &str) {
        if self.ended.len() >= MOST_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((now, meeting_id.to_owned()));
    }

    /// Ends a browser's session with an AUDIO_STATUS and a close code that says the same.
    pub(super) fn dismiss(&mut self, now: Instant, conn: ConnId, status: u32, cause: Cause) {
        let Some(mut session) = self.sessions.remove(&conn) else {
            return;
        };
        self.end_call(&mut session, Ending::new(cause).after_answer());
        self.signal(now, conn, audio_status(status));
        let code = match status {
            500..=599 => 4503,
            _ => u16::try_from(4000 + status).unwrap_or(4400),
        };
        self.out.push_back(Output::CloseSignal {
            conn,
            code,
            reason: Ending::new(cause).text,
        });
    }
}
