//! Live transcription as it is carried in data messages.
//!
//! Names and numbers are the protocol's own; proto2 semantics: everything optional that is not marked.
#![allow(
    missing_docs,
    reason = "the fields are the protocol's, named as it names them; what each message is for is told on it"
)]

use prost::{Enumeration, Message};

/// Payload of the transcript data message.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptFrame {
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<SdkTranscriptEvent>,
}

/// Either a status or a transcript.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptEvent {
    #[prost(message, optional, tag = "1")]
    pub status: Option<SdkTranscriptionStatus>,
    #[prost(message, optional, tag = "2")]
    pub transcript: Option<SdkTranscript>,
}

/// A change of state of the transcription.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SdkTranscriptionStatus {
    #[prost(enumeration = "SdkTranscriptionStatusType", optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    pub event_time: Option<i64>,
    #[prost(string, optional, tag = "3")]
    pub transcription_region: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub transcription_configuration: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub message: Option<String>,
}

/// Results of transcription.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscript {
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<SdkTranscriptResult>,
}

/// One stretch of speech. Times are ms since the epoch.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptResult {
    #[prost(message, repeated, tag = "1")]
    pub alternatives: Vec<SdkTranscriptAlternative>,
    #[prost(string, optional, tag = "2")]
    pub channel_id: Option<String>,
    #[prost(int64, optional, tag = "3")]
    pub end_time: Option<i64>,
    #[prost(bool, optional, tag = "4")]
    pub is_partial: Option<bool>,
    #[prost(string, optional, tag = "5")]
    pub result_id: Option<String>,
    #[prost(int64, optional, tag = "6")]
    pub start_time: Option<i64>,
    #[prost(string, optional, tag = "7")]
    pub language_code: Option<String>,
    #[prost(message, repeated, tag = "8")]
    pub language_identification: Vec<SdkTranscriptLanguageWithScore>,
}

/// A guess at the language.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptLanguageWithScore {
    #[prost(string, optional, tag = "1")]
    pub language_code: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub score: Option<f64>,
}

/// One reading of what was said.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptAlternative {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<SdkTranscriptItem>,
    #[prost(string, optional, tag = "2")]
    pub transcript: Option<String>,
    #[prost(message, repeated, tag = "3")]
    pub entities: Vec<SdkTranscriptEntity>,
}

/// A recognised entity. Times are ms since the epoch.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptEntity {
    #[prost(string, optional, tag = "1")]
    pub category: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub confidence: Option<f64>,
    #[prost(string, optional, tag = "3")]
    pub content: Option<String>,
    #[prost(int64, optional, tag = "4")]
    pub end_time: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    pub start_time: Option<i64>,
    #[prost(string, optional, tag = "6")]
    pub kind: Option<String>,
}

/// One word or mark. Times are ms since the epoch.
#[derive(Clone, PartialEq, Message)]
pub struct SdkTranscriptItem {
    #[prost(string, optional, tag = "1")]
    pub content: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub end_time: Option<i64>,
    #[prost(string, optional, tag = "3")]
    pub speaker_attendee_id: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub speaker_external_user_id: Option<String>,
    #[prost(int64, optional, tag = "5")]
    pub start_time: Option<i64>,
    #[prost(enumeration = "SdkTranscriptItemType", optional, tag = "6")]
    pub kind: Option<i32>,
    #[prost(bool, optional, tag = "7")]
    pub vocabulary_filter_match: Option<bool>,
    #[prost(double, optional, tag = "8")]
    pub confidence: Option<f64>,
    #[prost(bool, optional, tag = "9")]
    pub stable: Option<bool>,
}

/// Kind of a transcribed item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkTranscriptItemType {
    Pronunciation = 1,
    Punctuation = 2,
}

/// State of a transcription.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Enumeration)]
#[repr(i32)]
pub enum SdkTranscriptionStatusType {
    Started = 1,
    Interrupted = 2,
    Resumed = 3,
    Stopped = 4,
    Failed = 5,
}
