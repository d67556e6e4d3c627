//! What clients measure and report: stream metrics and join timings.
//!
//! Names and numbers are the protocol's own; proto2 semantics: everything optional that is not marked.
#![allow(
    missing_docs,
    reason = "the fields are the protocol's, named as it names them; what each message is for is told on it"
)]

use prost::{Enumeration, Message};

use super::media::SdkStreamMediaType;

/// What the client measured since the last such frame.
#[derive(Clone, PartialEq, Message)]
pub struct SdkClientMetricFrame {
    #[prost(message, repeated, tag = "1")]
    pub global_metrics: Vec<SdkMetric>,
    #[prost(message, repeated, tag = "2")]
    pub stream_metric_frames: Vec<SdkStreamMetricFrame>,
}

/// Values of one stream.
#[derive(Clone, PartialEq, Message)]
pub struct SdkStreamMetricFrame {
    #[prost(uint32, optional, tag = "3")]
    pub stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub group_id: Option<u32>,
    #[prost(message, repeated, tag = "5")]
    pub metrics: Vec<SdkMetric>,
    #[prost(message, repeated, tag = "6")]
    pub dimensions: Vec<SdkStreamDimension>,
    #[prost(enumeration = "SdkStreamMediaType", optional, tag = "7")]
    pub media_type: Option<i32>,
}

/// One measured value.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct SdkMetric {
    #[prost(enumeration = "SdkMetricType", optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(double, optional, tag = "2")]
    pub value: Option<f64>,
}

/// A named property of a stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkStreamDimension {
    #[prost(enumeration = "SdkStreamDimensionType", optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub value: Option<SdkDimensionValue>,
}

/// Value of a [`SdkStreamDimension`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkDimensionValue {
    #[prost(string, optional, tag = "1")]
    pub string_value: Option<String>,
    #[prost(bool, optional, tag = "2")]
    pub bool_value: Option<bool>,
    #[prost(uint64, optional, tag = "3")]
    pub uint_value: Option<u64>,
}

/// How long joining took, step by step. Times are ms since the epoch.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionTimingFrame {
    #[prost(message, repeated, tag = "1")]
    pub signaling: Vec<SdkMeetingSessionSignalingTiming>,
    #[prost(message, repeated, tag = "2")]
    pub remote_audio: Vec<SdkMeetingSessionRemoteAudioTiming>,
    #[prost(message, repeated, tag = "3")]
    pub local_audio: Vec<SdkMeetingSessionLocalAudioTiming>,
    #[prost(message, repeated, tag = "4")]
    pub local_video: Vec<SdkMeetingSessionLocalVideoTiming>,
    #[prost(message, repeated, tag = "5")]
    pub remote_videos: Vec<SdkMeetingSessionRemoteVideoTiming>,
}

/// Steps of signaling and connecting. Times are ms since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionSignalingTiming {
    #[prost(int64, optional, tag = "1")]
    pub start_ms: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    pub join_sent_ms: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub join_ack_received_ms: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    pub transport_connected_ms: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    pub create_offer_ms: Option<i64>,
    #[prost(int64, optional, tag = "6")]
    pub set_local_description_ms: Option<i64>,
    #[prost(int64, optional, tag = "7")]
    pub set_remote_description_ms: Option<i64>,
    #[prost(int64, optional, tag = "8")]
    pub ice_gathering_start_ms: Option<i64>,
    #[prost(int64, optional, tag = "9")]
    pub ice_gathering_complete_ms: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    pub ice_connected_ms: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    pub subscribe_sent_ms: Option<i64>,
    #[prost(int64, optional, tag = "12")]
    pub subscribe_ack_ms: Option<i64>,
    #[prost(bool, optional, tag = "13")]
    pub timed_out: Option<bool>,
}

/// Until the first sound was heard. Times are ms since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionRemoteAudioTiming {
    #[prost(int64, optional, tag = "1")]
    pub added_ms: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    pub first_packet_received_ms: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub first_frame_rendered_ms: Option<i64>,
    #[prost(bool, optional, tag = "4")]
    pub timed_out: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub removed: Option<bool>,
}

/// Until the first sound was sent. Times are ms since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionLocalAudioTiming {
    #[prost(int64, optional, tag = "1")]
    pub added_ms: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    pub first_frame_captured_ms: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub first_packet_sent_ms: Option<i64>,
    #[prost(bool, optional, tag = "4")]
    pub timed_out: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub removed: Option<bool>,
}

/// Until the first picture was sent. Times are ms since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionLocalVideoTiming {
    #[prost(int64, optional, tag = "1")]
    pub added_ms: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    pub first_frame_captured_ms: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub first_frame_sent_ms: Option<i64>,
    #[prost(bool, optional, tag = "4")]
    pub timed_out: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub removed: Option<bool>,
}

/// Until the first picture of a source was seen. Times are ms since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SdkMeetingSessionRemoteVideoTiming {
    #[prost(uint32, optional, tag = "1")]
    pub group_id: Option<u32>,
    #[prost(int64, optional, tag = "2")]
    pub added_ms: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub first_packet_received_ms: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    pub first_frame_rendered_ms: Option<i64>,
    #[prost(bool, optional, tag = "5")]
    pub timed_out: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub removed: Option<bool>,
}

/// What a [`SdkStreamDimension`](super::SdkStreamDimension) names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkStreamDimensionType {
    VideoEncoderName = 1,
    VideoDecoderName = 2,
    VideoBackgroundSegmentationModelType = 3,
    VideoBackgroundSegmentationDelegateType = 4,
    VideoProcessorName = 5,
}

/// What a client metric measures; the unit is in the name (bit/s where it says bitrate).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkMetricType {
    VideoActualEncoderBitrate = 1,
    VideoAvailableSendBandwidth = 2,
    VideoRetransmitBitrate = 3,
    VideoAvailableReceiveBandwidth = 4,
    VideoTargetEncoderBitrate = 5,
    VideoBucketDelayMs = 6,
    StunRttMs = 7,
    SocketDiscardedPps = 8,
    RtcMicJitterMs = 9,
    RtcMicPps = 10,
    RtcMicFractionPacketLostPercent = 11,
    RtcMicBitrate = 12,
    RtcMicRttMs = 13,
    RtcSpkPps = 14,
    RtcSpkFractionPacketLostPercent = 15,
    RtcSpkJitterMs = 16,
    RtcSpkFractionDecoderLossPercent = 17,
    RtcSpkBitrate = 18,
    RtcSpkCurrentDelayMs = 19,
    RtcSpkJitterBufferMs = 20,
    VideoSentRttMs = 21,
    VideoEncodeUsagePercent = 22,
    VideoNacksReceived = 23,
    VideoPlisReceived = 24,
    VideoEncodeMs = 25,
    VideoInputFps = 26,
    VideoEncodeFps = 27,
    VideoSentFps = 28,
    VideoFirsReceived = 29,
    VideoSentPps = 30,
    VideoSentFractionPacketLostPercent = 31,
    VideoSentBitrate = 32,
    VideoDroppedFps = 33,
    VideoTargetDelayMs = 34,
    VideoDecodeMs = 35,
    VideoOutputFps = 36,
    VideoReceivedPps = 37,
    VideoReceivedFractionPacketLostPercent = 38,
    VideoRenderDelayMs = 39,
    VideoReceivedFps = 40,
    VideoDecodeFps = 41,
    VideoNacksSent = 42,
    VideoFirsSent = 43,
    VideoReceivedBitrate = 44,
    VideoCurrentDelayMs = 45,
    VideoJitterBufferMs = 46,
    VideoDiscardedPps = 47,
    VideoPlisSent = 48,
    VideoReceivedJitterMs = 49,
    VideoLocalRenderFps = 52,
    VideoRemoteRenderFps = 56,
    VideoInputHeight = 60,
    VideoEncodeHeight = 64,
    VideoSentQpSum = 66,
    VideoDecodeHeight = 69,
    VideoReceivedQpSum = 72,
    VideoEncodeWidth = 86,
    VideoDecodeWidth = 87,
    VideoEncoderIsHardware = 88,
    VideoDecoderIsHardware = 89,
    VideoFreezeCount = 90,
    VideoFreezeDuration = 91,
    VideoPauseCount = 92,
    VideoPauseDuration = 93,
    VideoQualityReason = 94,
    VideoProcessingTime = 95,
    RtcSpkAudioLevel = 96,
    RtcMicAudioLevel = 97,
    RtcSpkTotalLost = 98,
    RtcSpkTotalExpected = 99,
    RtcSpkTotalRecoveredRed = 100,
    RtcSpkTotalRecoveredFec = 101,
    VideoQualityLimitationDurationCpu = 102,
    VideoCodecDegradationHighEncodeCpu = 103,
    VideoCodecDegradationEncodeFailure = 104,
    VideoRenderHeight = 105,
    VideoRenderWidth = 106,
    VideoInputWidth = 107,
    VideoSentJitterMs = 108,
    AudioSentTransformPps = 109,
    AudioReceivedTransformPps = 110,
    VideoSentTransformPps = 111,
    VideoReceivedTransformPps = 112,
    CpuPressureState = 113,
    VideoBackgroundSegmentationDurationMs = 114,
    VideoBackgroundSegmentationEffectRenderDurationMs = 115,
    VideoBackgroundSegmentationFramesPerSegmentation = 116,
    VideoBackgroundSegmentationCpuUsagePercent = 117,
    VideoBackgroundSegmentationInitializationDurationMs = 118,
    VideoBackgroundSegmentationInitializationFailure = 119,
    VideoBackgroundSegmentationErrorCount = 120,
    VideoBackgroundSegmentationFramesSubmitted = 121,
    VideoBackgroundSegmentationFramesSegmented = 122,
    VideoPipelineFrameRate = 123,
    VideoProcessorLatencyMs = 124,
    VideoBackgroundSegmentationAssetLoadingFailure = 125,
    VideoBackgroundSegmentationAssetLoadingTimeMs = 126,
    VideoBackgroundSegmentationCompatibilityFailure = 127,
    VideoBackgroundSegmentationProcessorCreationFailure = 128,
}
