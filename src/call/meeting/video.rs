//! The video streams of a meeting and the numbers they have.

use std::collections::BTreeMap;

use wire::plan::StreamId;

/// One video stream that an attendee sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its number, never used again in this meeting.
    pub stream: StreamId,
    /// One per sender and start, growing: of an attendee, clients take the highest.
    pub group: u32,
    /// The sender.
    pub attendee_id: String,
    /// The sender's name at its owner's.
    pub external_user_id: String,
    /// Whether it is a content share.
    pub content: bool,
    /// What it may take, in kbit/s.
    pub max_kbps: u32,
    /// Frames per second, as the sender says.
    pub framerate: u32,
    /// What it took over the last interval, in bit/s.
    pub measured_bps: Option<u32>,
    /// Whether packets of it are accepted; of simulcast layers only one is, as yet.
    pub live: bool,
}

/// One video stream that a client wants to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// At most, in kbit/s; already capped.
    pub max_kbps: u32,
    /// Frames per second.
    pub framerate: u32,
    /// Whether packets of it will be accepted.
    pub live: bool,
}

/// All video streams of a meeting.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_stream: BTreeMap<StreamId, Source>,
    last_stream: u32,
    last_group: u32,
}

impl Sources {
    /// An attendee starts to send.
    pub(super) fn start(
        &mut self,
        attendee_id: &str,
        external_user_id: &str,
        content: bool,
        wishes: &[Wish],
    ) {
        self.last_group += 1;
        for wish in wishes {
            self.last_stream += 1;
            let stream = StreamId(self.last_stream);
            self.by_stream.insert(
                stream,
                Source {
                    stream,
                    group: self.last_group,
                    attendee_id: attendee_id.to_owned(),
                    external_user_id: external_user_id.to_owned(),
                    content,
                    max_kbps: wish.max_kbps,
                    framerate: wish.framerate,
                    measured_bps: None,
                    live: wish.live,
                },
            );
        }
    }

    /// An attendee goes on with what it sends, with other figures. Tells whether anything changed.
    pub(super) fn update(&mut self, attendee_id: &str, wishes: &[Wish]) -> bool {
        let mut changed = false;
        for (source, wish) in self
            .by_stream
            .values_mut()
            .filter(|source| source.attendee_id == attendee_id)
            .zip(wishes)
        {
            let before = (source.max_kbps, source.framerate, source.live);
            (source.max_kbps, source.framerate, source.live) =
                (wish.max_kbps, wish.framerate, wish.live);
            changed |= before != (wish.max_kbps, wish.framerate, wish.live);
        }
        changed
    }

    /// An attendee stops. Tells whether it sent anything.
    pub(super) fn stop(&mut self, attendee_id: &str) -> bool {
        let before = self.by_stream.len();
        self.by_stream
            .retain(|_, source| source.attendee_id != attendee_id);
        self.by_stream.len() != before
    }

    /// The streams of an attendee, in the order of its wishes.
    pub(super) fn of(&self, attendee_id: &str) -> impl Iterator<Item = &Source> {
        self.by_stream
            .values()
            .filter(move |source| source.attendee_id == attendee_id)
    }

    pub(super) fn get(&self, stream: StreamId) -> Option<&Source> {
        self.by_stream.get(&stream)
    }

    pub(super) fn get_mut(&mut self, stream: StreamId) -> Option<&mut Source> {
        self.by_stream.get_mut(&stream)
    }

    /// Streams of which packets come, in order of their numbers.
    pub(super) fn live(&self) -> impl Iterator<Item = &Source> {
        self.by_stream.values().filter(|source| source.live)
    }
}
