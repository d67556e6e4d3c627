//! What the control plane tells about a meeting and an attendee when a party comes.

use wire::plan::BridgeId;

/// One meeting, as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeetingInfo {
    /// UUID.
    pub id: String,
    /// The 10-digit number that phones dial.
    pub pin: String,
    /// Its owner's name for it.
    pub external_id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// The region that its media is in.
    pub media_region: String,
    /// Where its legs are mixed and forwarded.
    pub bridge: BridgeId,
    /// How many attendees it holds at once; content shares are not counted.
    pub max_attendees: usize,
    /// The largest camera video that it carries.
    pub video_max: VideoMax,
}

/// The largest camera video of a meeting (`MeetingFeatures.Video.MaxResolution`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum VideoMax {
    /// No camera video at all.
    None,
    /// 1280×720, the API's default.
    #[default]
    Hd,
    /// 1920×1080.
    Fhd,
}

/// One attendee, as stored: the base one, never its `#content`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttendeeInfo {
    /// UUID.
    pub attendee_id: String,
    /// Its owner's name for it.
    pub external_user_id: String,
    /// What it may do.
    pub capabilities: Capabilities,
    /// How often that was changed: of two accounts of the attendee, the one with the higher number is the newer.
    pub version: u64,
}

/// What an attendee may send and receive (`AttendeeCapabilities`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Capabilities {
    /// Voice.
    pub audio: Capability,
    /// Camera video.
    pub video: Capability,
    /// Content share.
    pub content: Capability,
}

/// One row of [`Capabilities`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Capability {
    /// Both ways, the API's default.
    #[default]
    SendReceive,
    /// Only towards the meeting.
    Send,
    /// Only from the meeting.
    Receive,
    /// Neither.
    None,
}

impl Capability {
    /// Whether the attendee may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::Send)
    }

    /// Whether the attendee may receive.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::Receive)
    }
}
