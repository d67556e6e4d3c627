//! What an attendee may do, changed while it is here.

use super::{Capabilities, Meeting, Seat, frames};

impl Meeting {
    /// An attendee may do something else from now on. Everybody sees what that takes from it or gives back: who may
    /// speak again does so, unless it muted itself; a camera that was taken away must be switched on again.
    pub fn allow(&mut self, attendee_id: &str, may: Capabilities, version: u64) {
        let Some(attendee) = self.attendees.get_mut(attendee_id) else {
            return;
        };
        let before = std::mem::replace(&mut attendee.identity.may, may);
        attendee.identity.version = version;
        let muted = attendee.muted_itself || !may.audio.sends();
        let was_muted = std::mem::replace(&mut attendee.muted, muted);
        let content = attendee.identity.content;
        let (live, audio_stream, seat) = (attendee.live, attendee.audio_stream, attendee.seat);
        if muted != was_muted
            && let (true, Some(audio_stream)) = (live, audio_stream)
        {
            self.tell_all(&frames::roster(vec![frames::muted(audio_stream, muted)]));
        }
        let sends = if content { may.content } else { may.video }.sends();
        let sent = self.sources.of(attendee_id).next().is_some();
        if sent && !sends {
            // All are told, it among them.
            self.stop_video(attendee_id);
        } else if (before.video, before.content) != (may.video, may.content)
            && let Seat::Browser(conn) = seat
        {
            let index = self.index_for(attendee_id);
            self.tell(conn, index);
        }
    }

    /// What an attendee may do.
    #[must_use]
    pub fn may(&self, attendee_id: &str) -> Capabilities {
        self.attendees
            .get(attendee_id)
            .map(|attendee| attendee.identity.may)
            .unwrap_or_default()
    }

    /// Whether an attendee may be in the meeting at all.
    #[must_use]
    pub fn may_be_here(&self, attendee_id: &str) -> bool {
        self.attendees
            .get(attendee_id)
            .is_some_and(|attendee| attendee.identity.may_be_here())
    }
}
