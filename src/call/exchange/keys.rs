//! What phones in a meeting do by their keys, and the tones that they hear of others.

use std::time::Instant;

use wire::plan::{LegId, MediaCommand, Prompt};

use super::callers::{Place, State};
use super::{Exchange, Output};
use crate::keypad::Wish;
use crate::meeting::Meeting;
use crate::note::Note;

/// In a larger meeting people come and go all the time: no tones.
const TONES_UP_TO: usize = 30;

impl Exchange {
    pub(super) fn caller_digit(&mut self, now: Instant, leg: LegId, digit: char) {
        let Some((_, caller)) = self.caller_of(leg) else {
            return;
        };
        match &mut caller.state {
            State::Asked(ivr) => ivr.digit(now, digit),
            State::Seated { place, keypad } => {
                let may = |wish: &Wish| place.moderator || !wish.is_moderators();
                if let Some(wish) = keypad.press(now, digit).filter(may) {
                    let place = place.clone();
                    self.wish(now, leg, &place, wish);
                }
            }
            _ => {}
        }
    }

    fn wish(&mut self, now: Instant, leg: LegId, place: &Place, wish: Wish) {
        let Some(meeting) = self.meetings.get_mut(&place.meeting) else {
            return;
        };
        match wish {
            Wish::ToggleMute => {
                let muted = meeting.is_muted(&place.attendee);
                // Who may not speak stays muted, and hears so.
                let muted = meeting.mute(&place.attendee, !muted);
                self.command(MediaCommand::Mute { leg, muted });
                let prompt = if muted {
                    Prompt::Muted
                } else {
                    Prompt::Unmuted
                };
                self.command(MediaCommand::Play { leg, prompt });
            }
            Wish::ToggleLock => {
                let locked = !meeting.is_locked();
                meeting.lock(locked);
                let prompt = if locked {
                    Prompt::MeetingLocked
                } else {
                    Prompt::MeetingUnlocked
                };
                self.command(MediaCommand::Play { leg, prompt });
            }
            Wish::EndMeeting => {
                let meeting = place.meeting.clone();
                self.out.push_back(Output::EndMeeting { meeting });
                self.end_meeting(now, &place.meeting);
            }
        }
    }

    /// Phones hear who comes and goes, as browsers see it.
    pub(super) fn play_tones(&mut self, meeting: &Meeting, note: &Note) {
        let (who, prompt) = match note {
            Note::AttendeeJoined { attendee_id, .. } => (attendee_id, Prompt::SomeoneJoined),
            Note::AttendeeLeft { attendee_id, .. } | Note::AttendeeDropped { attendee_id, .. } => {
                (attendee_id, Prompt::SomeoneLeft)
            }
            _ => return,
        };
        if who.ends_with("#content") || meeting.participants() > TONES_UP_TO {
            return;
        }
        for leg in meeting.phones_without(who) {
            self.command(MediaCommand::Play { leg, prompt });
        }
    }
}
