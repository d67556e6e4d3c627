//! Envelope, joining, leaving, keep-alive and notices.
//!
//! Names and numbers are the protocol's own; proto2 semantics: everything optional that is not marked.
#![allow(
    missing_docs,
    reason = "the fields are the protocol's, named as it names them; what each message is for is told on it"
)]

use prost::{Enumeration, Message};

use super::media::{
    SdkAudioControlFrame, SdkAudioMetadataFrame, SdkAudioStatusFrame, SdkAudioStreamIdInfoFrame,
    SdkBitrateFrame, SdkDataMessageFrame, SdkIndexFrame, SdkPauseResumeFrame,
    SdkRemoteVideoUpdateFrame, SdkSubscribeAckFrame, SdkSubscribeFrame,
};
use super::metric::{SdkClientMetricFrame, SdkMeetingSessionTimingFrame};

/// The envelope: every signaling message in either direction is one of these.
#[derive(Clone, PartialEq, Message)]
pub struct SdkSignalFrame {
    #[prost(uint64, required, tag = "1")]
    pub timestamp_ms: u64,
    // As a plain number, so that a frame without type reads as 0 and not as the first type.
    #[prost(int32, required, tag = "2")]
    pub kind: i32,
    #[prost(message, optional, tag = "3")]
    pub error: Option<SdkErrorFrame>,
    #[prost(message, optional, tag = "4")]
    pub join: Option<SdkJoinFrame>,
    #[prost(message, optional, tag = "5")]
    pub joinack: Option<SdkJoinAckFrame>,
    #[prost(message, optional, tag = "6")]
    pub sub: Option<SdkSubscribeFrame>,
    #[prost(message, optional, tag = "7")]
    pub suback: Option<SdkSubscribeAckFrame>,
    #[prost(message, optional, tag = "8")]
    pub index: Option<SdkIndexFrame>,
    #[prost(message, optional, tag = "10")]
    pub pause: Option<SdkPauseResumeFrame>,
    #[prost(message, optional, tag = "11")]
    pub leave: Option<SdkLeaveFrame>,
    #[prost(message, optional, tag = "12")]
    pub leave_ack: Option<SdkLeaveAckFrame>,
    #[prost(message, optional, tag = "14")]
    pub bitrates: Option<SdkBitrateFrame>,
    #[prost(message, optional, tag = "17")]
    pub audio_control: Option<SdkAudioControlFrame>,
    #[prost(message, optional, tag = "18")]
    pub audio_metadata: Option<SdkAudioMetadataFrame>,
    #[prost(message, optional, tag = "19")]
    pub audio_stream_id_info: Option<SdkAudioStreamIdInfoFrame>,
    #[prost(message, optional, tag = "20")]
    pub ping_pong: Option<SdkPingPongFrame>,
    #[prost(message, optional, tag = "21")]
    pub audio_status: Option<SdkAudioStatusFrame>,
    #[prost(message, optional, tag = "22")]
    pub client_metric: Option<SdkClientMetricFrame>,
    #[prost(message, optional, tag = "23")]
    pub data_message: Option<SdkDataMessageFrame>,
    #[prost(message, optional, tag = "25")]
    pub remote_video_update: Option<SdkRemoteVideoUpdateFrame>,
    #[prost(message, optional, tag = "26")]
    pub primary_meeting_join: Option<SdkPrimaryMeetingJoinFrame>,
    #[prost(message, optional, tag = "27")]
    pub primary_meeting_join_ack: Option<SdkPrimaryMeetingJoinAckFrame>,
    #[prost(message, optional, tag = "28")]
    pub primary_meeting_leave: Option<SdkPrimaryMeetingLeaveFrame>,
    #[prost(message, optional, tag = "35")]
    pub notification: Option<SdkNotificationFrame>,
    #[prost(message, optional, tag = "44")]
    pub meeting_session_timing: Option<SdkMeetingSessionTimingFrame>,
}

/// A refusal or an ending, with an HTTP-like status.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkErrorFrame {
    #[prost(uint32, optional, tag = "1")]
    pub status: Option<u32>,
    #[prost(string, optional, tag = "2")]
    pub description: Option<String>,
}

/// What the client says about itself; for logs only.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkClientDetails {
    #[prost(string, optional, tag = "1")]
    pub app_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub app_version: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub device_model: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub device_make: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub platform_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub platform_version: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub client_source: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub chime_sdk_version: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub client_utc_offset: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub os_name: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub os_version: Option<String>,
}

/// First frame of a client.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkJoinFrame {
    #[prost(uint32, optional, tag = "1")]
    pub protocol_version: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub max_num_of_videos: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub flags: Option<u32>,
    #[prost(message, optional, tag = "4")]
    pub client_details: Option<SdkClientDetails>,
    #[prost(uint64, optional, tag = "6")]
    pub audio_session_id: Option<u64>,
    #[prost(bool, optional, tag = "7")]
    pub wants_compressed_sdp: Option<bool>,
    #[prost(enumeration = "SdkServerSideNetworkAdaption", optional, tag = "10")]
    pub server_side_network_adaption: Option<i32>,
    #[prost(
        enumeration = "SdkServerSideNetworkAdaption",
        repeated,
        packed = "false",
        tag = "11"
    )]
    pub supported_server_side_network_adaptions: Vec<i32>,
    #[prost(bool, optional, tag = "12")]
    pub wants_all_temporal_layers_in_index: Option<bool>,
    #[prost(bool, optional, tag = "13")]
    pub disable_periodic_keyframe_request_on_content_sender: Option<bool>,
}

/// Answer to [`SdkJoinFrame`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkJoinAckFrame {
    #[prost(message, optional, tag = "1")]
    pub turn_credentials: Option<SdkTurnCredentials>,
    #[prost(uint32, optional, tag = "2")]
    pub video_subscription_limit: Option<u32>,
    #[prost(bool, optional, tag = "3")]
    pub wants_compressed_sdp: Option<bool>,
    #[prost(enumeration = "SdkServerSideNetworkAdaption", optional, tag = "4")]
    pub default_server_side_network_adaption: Option<i32>,
}

/// Where and how to reach TURN.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkTurnCredentials {
    #[prost(string, optional, tag = "1")]
    pub username: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub password: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    pub ttl: Option<u32>,
    #[prost(string, repeated, tag = "4")]
    pub uris: Vec<String>,
}

/// The client leaves for good.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkLeaveFrame {}

/// Answer to [`SdkLeaveFrame`].
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkLeaveAckFrame {}

/// Keep-alive of the signaling connection.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkPingPongFrame {
    #[prost(enumeration = "SdkPingPongType", required, tag = "1")]
    pub kind: i32,
    #[prost(uint32, required, tag = "2")]
    pub ping_id: u32,
}

/// A message for the user or developer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkNotificationFrame {
    #[prost(enumeration = "SdkNotificationLevel", optional, tag = "1")]
    pub level: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub message: Option<String>,
}

/// Promotion of a replica attendee into the primary meeting.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkPrimaryMeetingJoinFrame {
    #[prost(message, optional, tag = "1")]
    pub credentials: Option<SdkMeetingSessionCredentials>,
}

/// Answer to [`SdkPrimaryMeetingJoinFrame`].
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkPrimaryMeetingJoinAckFrame {}

/// Demotion from the primary meeting.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkPrimaryMeetingLeaveFrame {}

/// Who the replica attendee is in the primary meeting.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionCredentials {
    #[prost(string, optional, tag = "1")]
    pub attendee_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub external_user_id: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub join_token: Option<String>,
}

/// What a frame is; says which of its parts to look at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkSignalFrameType {
    Join = 1,
    JoinAck = 2,
    Subscribe = 3,
    SubscribeAck = 4,
    Index = 5,
    Pause = 7,
    Resume = 8,
    Leave = 9,
    LeaveAck = 10,
    Bitrates = 13,
    AudioControl = 16,
    AudioMetadata = 17,
    AudioStreamIdInfo = 18,
    PingPong = 19,
    AudioStatus = 20,
    ClientMetric = 21,
    DataMessage = 22,
    RemoteVideoUpdate = 24,
    PrimaryMeetingJoin = 25,
    PrimaryMeetingJoinAck = 26,
    PrimaryMeetingLeave = 27,
    Notification = 34,
    MeetingSessionTiming = 43,
}

/// Bits of [`SdkJoinFrame::flags`](super::SdkJoinFrame).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkJoinFlags {
    HasStreamUpdate = 2,
    CompleteVideoSourcesList = 16,
    ExcludeSelfContentInIndex = 32,
}

/// How much of the adaptation to the network the client leaves to the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkServerSideNetworkAdaption {
    Default = 1,
    None = 2,
    BandwidthProbing = 3,
    BandwidthProbingAndVideoQualityAdaption = 4,
}

/// Question or answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkPingPongType {
    Ping = 1,
    Pong = 2,
}

/// How grave a notification is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkNotificationLevel {
    Info = 1,
    Warning = 2,
    Error = 3,
}
