//! The video of a meeting: who sends, who may see what, and what all are told of it.

use wire::plan::{StreamId, VideoCodec};
use wire::signal::SdkSignalFrame;

use super::video::{Source, Wish};
use super::{Capabilities, Capability, ConnId, Meeting, Seat, Told, frames};
use crate::note::Note;

/// The most camera streams at once; the client shows that many tiles.
pub const MAX_VIDEO_SOURCES: usize = 25;
/// In our order of preference; INDEX names codecs only where these are not common to all.
pub(super) const BOTH_CODECS: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Vp8];

impl Meeting {
    /// An attendee sends video: starts, or goes on with what it has.
    pub fn send_video(&mut self, attendee_id: &str, wishes: &[Wish]) {
        let Some(attendee) = self.attendees.get(attendee_id) else {
            return;
        };
        let identity = &attendee.identity;
        let running = self.sources.of(attendee_id).count();
        if running == wishes.len() && running > 0 {
            if self.sources.update(attendee_id, wishes) {
                self.tell_index_to_all();
            }
            return;
        }
        self.sources.stop(attendee_id);
        self.sources.start(
            attendee_id,
            &identity.external_user_id,
            identity.content,
            wishes,
        );
        if running == 0 {
            self.told.push_back(Told::Note(Note::VideoStarted {
                meeting_id: self.info.id.clone(),
                attendee_id: attendee_id.to_owned(),
                external_user_id: identity.external_user_id.clone(),
            }));
        }
        self.tell_index_to_all();
    }

    /// An attendee sends no video any more, if it did.
    pub fn stop_video(&mut self, attendee_id: &str) {
        if self.sources.stop(attendee_id) {
            let external_user_id = self
                .attendees
                .get(attendee_id)
                .map(|attendee| attendee.identity.external_user_id.clone())
                .unwrap_or_default();
            self.video_stopped(attendee_id, &external_user_id);
        }
    }

    /// The streams that an attendee sends, in the order of its wishes.
    pub fn video_of(&self, attendee_id: &str) -> impl Iterator<Item = &Source> {
        self.sources.of(attendee_id)
    }

    /// A stream, if the viewer may see it: it exists, is not its own, and it is allowed that kind.
    #[must_use]
    pub fn visible(&self, viewer: &str, stream: StreamId) -> Option<&Source> {
        let may = &self.attendees.get(viewer)?.identity.may;
        self.sources
            .get(stream)
            .filter(|source| source.live && source.attendee_id != viewer && shows(may, source))
    }

    /// The stream to show of a group, if the viewer may see it.
    #[must_use]
    pub fn visible_of_group(&self, viewer: &str, group: u32) -> Option<&Source> {
        self.sources
            .live()
            .filter(|source| source.group == group)
            .find_map(|source| self.visible(viewer, source.stream))
    }

    /// Whether no further camera may start.
    #[must_use]
    pub fn video_is_full(&self) -> bool {
        self.cameras() >= MAX_VIDEO_SOURCES
    }

    /// Camera streams at present.
    #[must_use]
    pub fn cameras(&self) -> usize {
        self.sources.live().filter(|source| !source.content).count()
    }

    /// What an attendee's browser can show. Where one lacks a codec, the others are told not to send it.
    pub fn shows_codecs(&mut self, attendee_id: &str, codecs: Vec<VideoCodec>) {
        if let Some(attendee) = self.attendees.get_mut(attendee_id) {
            attendee.codecs = Some(codecs);
            self.codecs_may_have_changed();
        }
    }

    /// The codecs that every browser here can show; both, where none is common.
    #[must_use]
    pub fn common_codecs(&self) -> &[VideoCodec] {
        &self.codecs
    }

    /// INDEX for one attendee.
    #[must_use]
    pub fn index_for(&self, attendee_id: &str) -> SdkSignalFrame {
        self.index(&self.may(attendee_id))
    }

    /// Media measured the rates of video streams.
    pub fn rates(&mut self, rates: &[(StreamId, u32)]) {
        let known: Vec<(StreamId, u32)> = rates
            .iter()
            .filter(|(stream, bps)| {
                self.sources.get_mut(*stream).is_some_and(|source| {
                    source.measured_bps = Some(*bps);
                    true
                })
            })
            .copied()
            .collect();
        if !known.is_empty() {
            self.tell_all(&frames::bitrates(known.into_iter()));
        }
    }

    fn index(&self, may: &Capabilities) -> SdkSignalFrame {
        let codecs = if self.codecs == BOTH_CODECS {
            &[]
        } else {
            self.codecs.as_slice()
        };
        frames::index(
            self.sources.live().filter(|source| shows(may, source)),
            // Whoever may not send finds no room for its camera.
            self.video_is_full() || !may.video.sends(),
            self.participants(),
            codecs,
        )
    }

    pub(super) fn tell_index_to_all(&mut self) {
        let index_for_most = self.index(&Capabilities::default());
        let frames: Vec<(ConnId, SdkSignalFrame)> = self
            .attendees
            .values()
            .filter_map(|attendee| {
                let Seat::Browser(conn) = attendee.seat else {
                    return None;
                };
                let may = &attendee.identity.may;
                let frame = if may.video == Capability::SendReceive && may.content.receives() {
                    index_for_most.clone()
                } else {
                    self.index(may)
                };
                Some((conn, frame))
            })
            .collect();
        for (conn, frame) in frames {
            self.tell(conn, frame);
        }
    }

    pub(super) fn video_stopped(&mut self, attendee_id: &str, external_user_id: &str) {
        self.note(Note::VideoStopped {
            meeting_id: self.info.id.clone(),
            attendee_id: attendee_id.to_owned(),
            external_user_id: external_user_id.to_owned(),
        });
        self.tell_index_to_all();
    }

    pub(super) fn codecs_may_have_changed(&mut self) {
        let common: Vec<VideoCodec> = BOTH_CODECS
            .into_iter()
            .filter(|codec| {
                self.attendees
                    .values()
                    .filter_map(|attendee| attendee.codecs.as_ref())
                    .all(|codecs| codecs.contains(codec))
            })
            .collect();
        // With nothing in common, each sends what it can and some see nothing of some.
        let common = if common.is_empty() {
            BOTH_CODECS.to_vec()
        } else {
            common
        };
        if common != self.codecs {
            self.codecs = common;
            self.tell_index_to_all();
        }
    }
}

fn shows(may: &Capabilities, source: &Source) -> bool {
    if source.content {
        may.content.receives()
    } else {
        may.video.receives()
    }
}
