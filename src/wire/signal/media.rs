//! Streams: subscribing, the index of sources, audio states, data messages.
//!
//! Names and numbers are the protocol's own; proto2 semantics: everything optional that is not marked.
#![allow(
    missing_docs,
    reason = "the fields are the protocol's, named as it names them; what each message is for is told on it"
)]

use prost::{Enumeration, Message};

/// The client's whole media wish: its SDP offer, what it sends, what it wants.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkSubscribeFrame {
    #[prost(enumeration = "SdkStreamServiceType", optional, tag = "1")]
    pub duplex: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub send_streams: Vec<SdkStreamDescriptor>,
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub receive_stream_ids: Vec<u32>,
    #[prost(string, optional, tag = "4")]
    pub sdp_offer: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub audio_host: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub audio_checkin: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub audio_muted: Option<bool>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub compressed_sdp_offer: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "9")]
    pub video_subscription_configuration: Vec<SdkVideoSubscriptionConfiguration>,
}

/// Answer to [`SdkSubscribeFrame`]: the SDP answer and the numbers given to streams.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkSubscribeAckFrame {
    #[prost(enumeration = "SdkStreamServiceType", optional, tag = "1")]
    pub duplex: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub allocations: Vec<SdkStreamAllocation>,
    #[prost(string, optional, tag = "3")]
    pub sdp_answer: Option<String>,
    #[prost(message, repeated, tag = "4")]
    pub tracks: Vec<SdkTrackMapping>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub compressed_sdp_answer: Option<Vec<u8>>,
}

/// Every video source of the meeting, for the client to choose from.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkIndexFrame {
    #[prost(bool, optional, tag = "1")]
    pub at_capacity: Option<bool>,
    #[prost(message, repeated, tag = "2")]
    pub sources: Vec<SdkStreamDescriptor>,
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub paused_at_source_ids: Vec<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub num_participants: Option<u32>,
    #[prost(
        enumeration = "SdkVideoCodecCapability",
        repeated,
        packed = "false",
        tag = "5"
    )]
    pub supported_receive_codec_intersection: Vec<i32>,
}

/// Streams that the client (or the server) pauses or resumes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkPauseResumeFrame {
    #[prost(uint32, repeated, packed = "false", tag = "1")]
    pub stream_ids: Vec<u32>,
    #[prost(uint32, repeated, packed = "false", tag = "2")]
    pub group_ids: Vec<u32>,
}

/// Measured rate of each video source, and what the server can send.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkBitrateFrame {
    #[prost(message, repeated, tag = "1")]
    pub bitrates: Vec<SdkBitrate>,
    #[prost(uint32, optional, tag = "2")]
    pub server_available_outgoing_bitrate: Option<u32>,
}

/// One stream that is sent, or that can be subscribed to.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkStreamDescriptor {
    #[prost(uint32, optional, tag = "1")]
    pub stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub framerate: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub max_bitrate_kbps: Option<u32>,
    #[prost(string, optional, tag = "4")]
    pub track_label: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    pub group_id: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub avg_bitrate_bps: Option<u32>,
    #[prost(string, optional, tag = "8")]
    pub attendee_id: Option<String>,
    #[prost(enumeration = "SdkStreamMediaType", optional, tag = "9")]
    pub media_type: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub external_user_id: Option<String>,
    #[prost(uint32, optional, tag = "11")]
    pub width: Option<u32>,
    #[prost(uint32, optional, tag = "12")]
    pub height: Option<u32>,
}

/// The number given to a stream that the client sends.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkStreamAllocation {
    #[prost(string, optional, tag = "1")]
    pub track_label: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    pub stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub group_id: Option<u32>,
}

/// Which track of the answer carries which stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkTrackMapping {
    #[prost(uint32, optional, tag = "1")]
    pub stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub ssrc: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub track_label: Option<String>,
}

/// Measured rate of one video source.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkBitrate {
    #[prost(uint32, optional, tag = "1")]
    pub source_stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub avg_bitrate_bps: Option<u32>,
}

/// Changed wishes for received video, without a new offer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkRemoteVideoUpdateFrame {
    #[prost(message, repeated, tag = "1")]
    pub added_or_updated_video_subscriptions: Vec<SdkVideoSubscriptionConfiguration>,
    #[prost(string, repeated, tag = "2")]
    pub removed_video_subscription_mids: Vec<String>,
}

/// What a viewer wants of one source, and on which m-line.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkVideoSubscriptionConfiguration {
    #[prost(string, required, tag = "1")]
    pub mid: String,
    #[prost(string, optional, tag = "2")]
    pub attendee_id: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    pub stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub priority: Option<u32>,
    #[prost(uint32, optional, tag = "5")]
    pub target_bitrate_kbps: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    pub group_id: Option<u32>,
    #[prost(
        enumeration = "SdkVideoQualityAdaptationPreference",
        optional,
        tag = "7"
    )]
    pub quality_adaptation_preference: Option<i32>,
}

/// Mute or unmute.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkAudioControlFrame {
    #[prost(bool, optional, tag = "1")]
    pub muted: Option<bool>,
}

/// Volumes and mute states that changed.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkAudioMetadataFrame {
    #[prost(message, repeated, tag = "1")]
    pub attendee_states: Vec<SdkAudioAttendeeState>,
}

/// Volume (0 to 100), mute and signal strength of one audio stream.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkAudioAttendeeState {
    #[prost(uint32, optional, tag = "1")]
    pub audio_stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub volume: Option<u32>,
    #[prost(bool, optional, tag = "3")]
    pub muted: Option<bool>,
    #[prost(uint32, optional, tag = "4")]
    pub signal_strength: Option<u32>,
}

/// The roster: who is behind which audio stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkAudioStreamIdInfoFrame {
    #[prost(message, repeated, tag = "1")]
    pub streams: Vec<SdkAudioStreamIdInfo>,
}

/// One line of the roster; without an attendee it says that the stream has gone.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkAudioStreamIdInfo {
    #[prost(uint32, optional, tag = "1")]
    pub audio_stream_id: Option<u32>,
    #[prost(string, optional, tag = "2")]
    pub attendee_id: Option<String>,
    #[prost(bool, optional, tag = "3")]
    pub muted: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub external_user_id: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub dropped: Option<bool>,
}

/// State of the audio connection, as an HTTP-like status.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkAudioStatusFrame {
    #[prost(uint32, optional, tag = "1")]
    pub audio_status: Option<u32>,
}

/// Messages between attendees.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkDataMessageFrame {
    #[prost(message, repeated, tag = "1")]
    pub messages: Vec<SdkDataMessagePayload>,
}

/// One message between attendees; sender and time are filled in by the server.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkDataMessagePayload {
    #[prost(string, optional, tag = "1")]
    pub topic: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub data: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "3")]
    pub lifetime_ms: Option<u32>,
    #[prost(string, optional, tag = "4")]
    pub sender_attendee_id: Option<String>,
    #[prost(int64, optional, tag = "5")]
    pub ingest_time_ns: Option<i64>,
    #[prost(string, optional, tag = "6")]
    pub sender_external_user_id: Option<String>,
}

/// Direction of a subscription as the client sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkStreamServiceType {
    Rx = 1,
    Tx = 2,
    Duplex = 3,
}

/// What a stream carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkStreamMediaType {
    Audio = 1,
    Video = 2,
}

/// What a viewer would rather keep when bandwidth falls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkVideoQualityAdaptationPreference {
    Balanced = 1,
    MaintainFramerate = 2,
    MaintainResolution = 3,
}

/// A video codec with its profile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkVideoCodecCapability {
    Vp8 = 1,
    H264BaselineProfile = 2,
    H264ConstrainedBaselineProfile = 3,
    H264MainProfile = 4,
    H264HighProfile = 5,
    H264ConstrainedHighProfile = 6,
    Vp9Profile0 = 8,
    Av1MainProfile = 11,
}
