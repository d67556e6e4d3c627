//! Keys pressed in a meeting: `*7` mutes and unmutes; a moderator locks with `*4` and ends with `##`.

use std::time::{Duration, Instant};

/// What a caller in a meeting wants by its keypad.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wish {
    /// `*7`: be muted, or not any more.
    ToggleMute,
    /// `*4`: let nobody in by the meeting's id alone, or let them in again. A moderator's.
    ToggleLock,
    /// `##`: end the meeting for all. A moderator's.
    EndMeeting,
}

impl Wish {
    /// Whether only a moderator may wish so.
    #[must_use]
    pub fn is_moderators(self) -> bool {
        self != Self::ToggleMute
    }
}

/// The keys of one caller in a meeting.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keypad {
    /// The first key of a wish, and when it was pressed.
    begun: Option<(char, Instant)>,
}

/// The second key must follow the first within this.
const PAUSE: Duration = Duration::from_secs(5);

impl Keypad {
    /// A key was pressed.
    pub fn press(&mut self, now: Instant, key: char) -> Option<Wish> {
        let begun = self
            .begun
            .take()
            .filter(|(_, at)| now.saturating_duration_since(*at) < PAUSE);
        match (begun.map(|(key, _)| key), key) {
            (Some('*'), '7') => return Some(Wish::ToggleMute),
            (Some('*'), '4') => return Some(Wish::ToggleLock),
            (Some('#'), '#') => return Some(Wish::EndMeeting),
            (_, '*' | '#') => self.begun = Some((key, now)),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn wishes(keys: &str, apart: Duration) -> Vec<Wish> {
        let mut keypad = Keypad::default();
        let mut now = start();
        let mut wishes = Vec::new();
        for key in keys.chars() {
            now += apart;
            wishes.extend(keypad.press(now, key));
        }
        wishes
    }

    #[test]
    fn two_keys_make_a_wish_and_others_none() {
        let soon = Duration::from_millis(300);
        assert_eq!(wishes("*7", soon), [Wish::ToggleMute]);
        assert_eq!(wishes("*7*7", soon), [Wish::ToggleMute; 2]);
        assert_eq!(wishes("**7", soon), [Wish::ToggleMute]);
        assert_eq!(wishes("*4##", soon), [Wish::ToggleLock, Wish::EndMeeting]);
        assert_eq!(wishes("7*17#7*#4", soon), []);
    }

    #[test]
    fn a_pause_forgets_the_first_key() {
        assert_eq!(wishes("*7", Duration::from_secs(5)), []);
    }
}
