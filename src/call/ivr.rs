//! The prompt that asks a caller on the keypad which meeting it wants.
//!
//! "Enter the meeting id, then press the pound key": ten digits (or thirteen, for a moderator) and `#`; `*`
//! begins anew; a key stops the voice. The machine knows no call and no media: keys and answers go in,
//! [`Step`]s come out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::plan::Prompt;

/// What the prompt may cost a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Wrong ids before goodbye.
    pub tries: u32,
    /// Without a key for this long, counted from the end of the prompt, the prompt is repeated.
    pub between_digits: Duration,
    /// From answer to meeting, at most.
    pub overall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tries: 3,
            between_digits: Duration::from_secs(10),
            overall: Duration::from_secs(120),
        }
    }
}

/// What the caller hears or what becomes of it next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Play this, instead of what plays.
    Play(Prompt),
    /// Stop what plays: a key was pressed.
    StopPlaying,
    /// Look this meeting id up; answer by [`Ivr::found`] or [`Ivr::unknown`].
    Find(String),
    /// Goodbye was said: hang up.
    HangUp(GaveUp),
}

/// Why the prompt ended without a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GaveUp {
    /// All tries were used.
    TooManyTries,
    /// The overall time was.
    TooSlow,
}

/// One caller at the prompt.
#[derive(Debug)]
pub struct Ivr {
    limits: Limits,
    state: State,
    digits: String,
    misses: u32,
    /// When the caller has been too slow altogether.
    ends_at: Instant,
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// A prompt plays; keys are taken.
    Asking,
    /// Quiet, waiting for a key until then.
    Listening { until: Instant },
    /// An id is looked up.
    Finding,
    /// The last words play; when they end, or by then at the latest, hang up.
    Leaving { why: GaveUp, by: Instant },
    /// Nothing more to say.
    Done,
}

/// A moderator's id; the longest that is taken.
const MODERATED_DIGITS: usize = 13;
/// A meeting's id.
const MEETING_DIGITS: usize = 10;
/// Should the end of the last words never be told, hang up all the same.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Ivr {
    /// A caller was answered: asks it.
    #[must_use]
    pub fn new(now: Instant, limits: Limits) -> Self {
        Self {
            limits,
            state: State::Asking,
            digits: String::new(),
            misses: 0,
            ends_at: now + limits.overall,
            steps: VecDeque::from([Step::Play(Prompt::EnterMeetingId)]),
        }
    }

    /// A key was pressed.
    pub fn digit(&mut self, now: Instant, digit: char) {
        match self.state {
            State::Asking => self.steps.push_back(Step::StopPlaying),
            State::Listening { .. } => {}
            State::Finding | State::Leaving { .. } | State::Done => return,
        }
        self.state = State::Listening {
            until: now + self.limits.between_digits,
        };
        match digit {
            // What is longer than any id stays too long, so that `#` refuses it.
            '0'..='9' if self.digits.len() <= MODERATED_DIGITS => self.digits.push(digit),
            '*' => self.digits.clear(),
            '#' => {
                let id = std::mem::take(&mut self.digits);
                if matches!(id.len(), MEETING_DIGITS | MODERATED_DIGITS) {
                    self.state = State::Finding;
                    self.steps.push_back(Step::Find(id));
                } else if !id.is_empty() {
                    self.missed(now);
                }
            }
            _ => {}
        }
    }

    /// A prompt was played to its end.
    pub fn prompt_ended(&mut self, now: Instant) {
        match self.state {
            State::Asking => {
                self.state = State::Listening {
                    until: now + self.limits.between_digits,
                };
            }
            State::Leaving { why, .. } => {
                self.state = State::Done;
                self.steps.push_back(Step::HangUp(why));
            }
            State::Listening { .. } | State::Finding | State::Done => {}
        }
    }

    /// The id that was looked up is a meeting's: the prompt's work is done. False when nobody waits for it any more.
    pub fn found(&mut self) -> bool {
        let waited_for = self.state == State::Finding;
        if waited_for {
            self.state = State::Done;
        }
        waited_for
    }

    /// The id that was looked up is no meeting's.
    pub fn unknown(&mut self, now: Instant) {
        if self.state == State::Finding {
            self.missed(now);
        }
    }

    /// The id could not be looked up, which is not the caller's doing: it may try again.
    pub fn failed(&mut self) {
        if self.state == State::Finding {
            self.ask(Prompt::EnterMeetingId);
        }
    }

    /// Takes the next step to do.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// When [`Self::timeout`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Asking | State::Finding => Some(self.ends_at),
            State::Listening { until } => Some(until.min(self.ends_at)),
            State::Done => None,
            State::Leaving { by, .. } => Some(by),
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Instant) {
        match self.state {
            State::Asking | State::Finding | State::Listening { .. } if now >= self.ends_at => {
                self.leave(now, GaveUp::TooSlow);
            }
            State::Listening { until } if now >= until => {
                self.digits.clear();
                self.ask(Prompt::EnterMeetingId);
            }
            State::Leaving { why, by } if now >= by => {
                self.state = State::Done;
                self.steps.push_back(Step::HangUp(why));
            }
            _ => {}
        }
    }

    fn missed(&mut self, now: Instant) {
        self.misses += 1;
        if self.misses >= self.limits.tries {
            self.leave(now, GaveUp::TooManyTries);
        } else {
            self.ask(Prompt::UnknownMeetingId);
        }
    }

    fn ask(&mut self, prompt: Prompt) {
        self.state = State::Asking;
        self.steps.push_back(Step::Play(prompt));
    }

    fn leave(&mut self, now: Instant, why: GaveUp) {
        self.state = State::Leaving {
            why,
            by: now + LAST_WORDS,
        };
        self.steps.push_back(Step::Play(Prompt::Goodbye));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn caller() -> (Ivr, Instant) {
        let now = start();
        (Ivr::new(now, Limits::default()), now)
    }

    fn press(ivr: &mut Ivr, now: Instant, keys: &str) {
        for key in keys.chars() {
            ivr.digit(now, key);
        }
    }

    fn steps(ivr: &mut Ivr) -> Vec<Step> {
        std::iter::from_fn(|| ivr.poll()).collect()
    }

    #[test]
    fn a_key_stops_the_voice_and_ten_digits_and_pound_are_looked_up() {
        let (mut ivr, now) = caller();
        assert_eq!(steps(&mut ivr), [Step::Play(Prompt::EnterMeetingId)]);
        press(&mut ivr, now, "1234567890#");
        assert_eq!(
            steps(&mut ivr),
            [Step::StopPlaying, Step::Find("1234567890".into())]
        );
    }

    #[test]
    fn a_star_begins_anew() {
        let (mut ivr, now) = caller();
        press(&mut ivr, now, "999*1234567890123#");
        assert!(steps(&mut ivr).contains(&Step::Find("1234567890123".into())));
    }

    #[test]
    fn an_id_of_a_wrong_length_is_told_without_a_look_up() {
        let (mut ivr, now) = caller();
        press(&mut ivr, now, "12345678901234567890#");
        assert_eq!(steps(&mut ivr)[2..], [Step::Play(Prompt::UnknownMeetingId)]);
    }

    #[test]
    fn the_third_unknown_id_ends_with_goodbye_and_then_hangs_up() {
        let (mut ivr, now) = caller();
        for _ in 0..3 {
            press(&mut ivr, now, "1234567890#");
            ivr.unknown(now);
        }
        assert_eq!(steps(&mut ivr).last(), Some(&Step::Play(Prompt::Goodbye)));
        press(&mut ivr, now, "1234567890#");
        assert_eq!(steps(&mut ivr), []);
        ivr.prompt_ended(now);
        assert_eq!(steps(&mut ivr), [Step::HangUp(GaveUp::TooManyTries)]);
        assert_eq!(ivr.next_timeout(), None);
    }

    #[test]
    fn a_look_up_that_fails_costs_no_try() {
        let (mut ivr, now) = caller();
        for _ in 0..5 {
            press(&mut ivr, now, "1234567890#");
            ivr.failed();
        }
        assert_eq!(
            steps(&mut ivr).last(),
            Some(&Step::Play(Prompt::EnterMeetingId))
        );
    }

    #[test]
    fn a_pause_between_digits_forgets_them_and_asks_again() {
        let (mut ivr, now) = caller();
        steps(&mut ivr);
        ivr.prompt_ended(now);
        press(&mut ivr, now, "12345");
        let later = now + Duration::from_secs(10);
        assert_eq!(ivr.next_timeout(), Some(later));
        ivr.timeout(later);
        assert_eq!(steps(&mut ivr), [Step::Play(Prompt::EnterMeetingId)]);
        press(&mut ivr, later, "1234567890#");
        assert_eq!(
            steps(&mut ivr).last(),
            Some(&Step::Find("1234567890".into()))
        );
    }

    #[test]
    fn a_silent_caller_is_sent_away_in_the_end() {
        let (mut ivr, mut now) = caller();
        let begin = now;
        let mut heard = Vec::new();
        while let Some(at) = ivr.next_timeout() {
            now = at;
            ivr.timeout(now);
            for step in steps(&mut ivr) {
                if matches!(step, Step::Play(_)) {
                    ivr.prompt_ended(now);
                }
                heard.push(step);
            }
        }
        heard.extend(steps(&mut ivr));
        assert_eq!(heard.last(), Some(&Step::HangUp(GaveUp::TooSlow)));
        assert!(now.duration_since(begin) <= Duration::from_secs(130));
    }

    #[test]
    fn hanging_up_does_not_wait_for_ever_for_the_end_of_the_last_words() {
        let (mut ivr, now) = caller();
        ivr.timeout(now + Duration::from_secs(120));
        steps(&mut ivr);
        ivr.timeout(now + Duration::from_secs(130));
        assert_eq!(steps(&mut ivr), [Step::HangUp(GaveUp::TooSlow)]);
    }
}
