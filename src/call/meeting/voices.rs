//! The voices of a meeting: who is muted, and who is how loud.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::plan::LegId;

use super::frames::{self, SILENT};
use super::{Meeting, Seat};

/// Levels come about five times a second; when none came for this long, nobody speaks.
const QUIET_AFTER: Duration = Duration::from_millis(600);

impl Meeting {
    /// An attendee muted or unmuted itself. Who may not speak stays muted. Tells the state that holds.
    pub fn mute(&mut self, attendee_id: &str, muted: bool) -> bool {
        let Some(attendee) = self.attendees.get_mut(attendee_id) else {
            return muted;
        };
        attendee.muted_itself = muted;
        attendee.muted = muted || !attendee.identity.may.audio.sends();
        let state = attendee.muted;
        if let (true, Some(audio_stream)) = (attendee.live, attendee.audio_stream) {
            self.tell_all(&frames::roster(vec![frames::muted(audio_stream, state)]));
        }
        state
    }

    /// Whether an attendee is muted.
    #[must_use]
    pub fn is_muted(&self, attendee_id: &str) -> bool {
        self.attendees
            .get(attendee_id)
            .is_some_and(|attendee| attendee.muted)
    }

    /// Legs of the phones in the mix, but for one attendee's.
    pub fn phones_without(&self, attendee_id: &str) -> impl Iterator<Item = LegId> {
        self.attendees
            .iter()
            .filter(move |(id, attendee)| {
                *id != attendee_id && attendee.live && matches!(attendee.seat, Seat::Phone(_))
            })
            .filter_map(|(_, attendee)| attendee.leg)
    }

    /// Media measured who is how loud.
    pub fn levels(&mut self, now: Instant, levels: &[(LegId, u8)]) {
        let loud: BTreeMap<u32, u8> = levels
            .iter()
            .filter_map(|(leg, attenuation)| {
                let attendee = self.attendees.get(self.by_leg.get(leg)?)?;
                let audio_stream = attendee.audio_stream?;
                (attendee.live && !attendee.muted).then_some((audio_stream, *attenuation))
            })
            .collect();
        self.show_levels(now, &loud);
    }

    pub(super) fn show_levels(&mut self, now: Instant, loud: &BTreeMap<u32, u8>) {
        let fallen_silent = self
            .heard
            .iter()
            .filter(|audio_stream| !loud.contains_key(audio_stream))
            .map(|audio_stream| (*audio_stream, SILENT));
        let shown: Vec<(u32, u8)> = loud
            .iter()
            .map(|(audio_stream, attenuation)| (*audio_stream, *attenuation))
            .chain(fallen_silent)
            .collect();
        self.heard = loud.keys().copied().collect();
        self.quiet_at = (!loud.is_empty()).then(|| now + QUIET_AFTER);
        if !shown.is_empty() {
            self.tell_all(&frames::loudness(shown.into_iter()));
        }
    }
}
