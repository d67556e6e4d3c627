//! The frames that a meeting tells all its browsers. Time stamps are put on when they leave.

use wire::plan::{StreamId, VideoCodec};
use wire::signal::{
    SdkAudioAttendeeState, SdkAudioMetadataFrame, SdkAudioStatusFrame, SdkAudioStreamIdInfo,
    SdkAudioStreamIdInfoFrame, SdkBitrate, SdkBitrateFrame, SdkDataMessageFrame,
    SdkDataMessagePayload, SdkErrorFrame, SdkIndexFrame, SdkNotificationFrame,
    SdkNotificationLevel, SdkSignalFrame, SdkSignalFrameType, SdkStreamDescriptor,
    SdkStreamMediaType, SdkVideoCodecCapability,
};

use super::video::Source;

/// What AUDIO_METADATA shows of somebody who is silent: anything from 42 dB on is nothing.
pub(super) const SILENT: u8 = 127;
/// Signal strength of a leg that is connected, on a scale of 0 to 2.
const GOOD_SIGNAL: u32 = 2;

/// One line of the roster: somebody is there.
pub(super) fn present(
    audio_stream: u32,
    attendee_id: &str,
    external_user_id: &str,
    muted: bool,
) -> SdkAudioStreamIdInfo {
    SdkAudioStreamIdInfo {
        audio_stream_id: Some(audio_stream),
        attendee_id: Some(attendee_id.to_owned()),
        muted: Some(muted),
        external_user_id: Some(external_user_id.to_owned()),
        dropped: None,
    }
}

/// One line of the roster: a mute state changed.
pub(super) fn muted(audio_stream: u32, muted: bool) -> SdkAudioStreamIdInfo {
    SdkAudioStreamIdInfo {
        audio_stream_id: Some(audio_stream),
        muted: Some(muted),
        ..SdkAudioStreamIdInfo::default()
    }
}

/// One line of the roster: somebody is gone.
pub(super) fn gone(audio_stream: u32, dropped: bool) -> SdkAudioStreamIdInfo {
    SdkAudioStreamIdInfo {
        audio_stream_id: Some(audio_stream),
        dropped: dropped.then_some(true),
        ..SdkAudioStreamIdInfo::default()
    }
}

/// AUDIO_STREAM_ID_INFO: the whole roster, or what changed in it.
pub(super) fn roster(streams: Vec<SdkAudioStreamIdInfo>) -> SdkSignalFrame {
    SdkSignalFrame {
        audio_stream_id_info: Some(SdkAudioStreamIdInfoFrame { streams }),
        ..SdkSignalFrame::of(SdkSignalFrameType::AudioStreamIdInfo, 0)
    }
}

/// AUDIO_METADATA: attenuation in dB of each stream; those not named are silent.
pub(super) fn loudness(levels: impl Iterator<Item = (u32, u8)>) -> SdkSignalFrame {
    let attendee_states = levels
        .map(|(audio_stream, attenuation)| SdkAudioAttendeeState {
            audio_stream_id: Some(audio_stream),
            volume: Some(attenuation.into()),
            muted: None,
            signal_strength: Some(GOOD_SIGNAL),
        })
        .collect();
    SdkSignalFrame {
        audio_metadata: Some(SdkAudioMetadataFrame { attendee_states }),
        ..SdkSignalFrame::of(SdkSignalFrameType::AudioMetadata, 0)
    }
}

/// INDEX: every video stream there is. `codecs` is told only where some browser lacks one, because a client
/// may renegotiate on it.
pub(super) fn index<'a>(
    sources: impl Iterator<Item = &'a Source>,
    at_capacity: bool,
    participants: usize,
    codecs: &[VideoCodec],
) -> SdkSignalFrame {
    let sources = sources
        .map(|source| SdkStreamDescriptor {
            stream_id: Some(source.stream.0),
            framerate: Some(source.framerate),
            max_bitrate_kbps: Some(source.max_kbps),
            group_id: Some(source.group),
            avg_bitrate_bps: source.measured_bps,
            attendee_id: Some(source.attendee_id.clone()),
            media_type: Some(SdkStreamMediaType::Video.into()),
            external_user_id: Some(source.external_user_id.clone()),
            ..SdkStreamDescriptor::default()
        })
        .collect();
    SdkSignalFrame {
        index: Some(SdkIndexFrame {
            at_capacity: Some(at_capacity),
            sources,
            paused_at_source_ids: Vec::new(),
            num_participants: Some(participants.try_into().unwrap_or(u32::MAX)),
            supported_receive_codec_intersection: codecs
                .iter()
                .map(|codec| match codec {
                    VideoCodec::Vp8 => SdkVideoCodecCapability::Vp8.into(),
                    VideoCodec::H264 => {
                        SdkVideoCodecCapability::H264ConstrainedBaselineProfile.into()
                    }
                })
                .collect(),
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::Index, 0)
    }
}

/// BITRATES: what was measured of each video stream. What the server could send is not estimated yet, so not told.
pub(super) fn bitrates(rates: impl Iterator<Item = (StreamId, u32)>) -> SdkSignalFrame {
    SdkSignalFrame {
        bitrates: Some(SdkBitrateFrame {
            bitrates: rates
                .map(|(stream, bps)| SdkBitrate {
                    source_stream_id: Some(stream.0),
                    avg_bitrate_bps: Some(bps),
                })
                .collect(),
            server_available_outgoing_bitrate: None,
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::Bitrates, 0)
    }
}

/// DATA_MESSAGE with sender and time in every message.
pub(super) fn data(messages: Vec<SdkDataMessagePayload>) -> SdkSignalFrame {
    SdkSignalFrame {
        data_message: Some(SdkDataMessageFrame { messages }),
        ..SdkSignalFrame::of(SdkSignalFrameType::DataMessage, 0)
    }
}

/// AUDIO_STATUS: how the connection ends.
pub(crate) fn audio_status(status: u32) -> SdkSignalFrame {
    SdkSignalFrame {
        audio_status: Some(SdkAudioStatusFrame {
            audio_status: Some(status),
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::AudioStatus, 0)
    }
}

/// A NOTIFICATION, which clients only log.
pub(crate) fn notice(message: &str) -> SdkSignalFrame {
    SdkSignalFrame {
        notification: Some(SdkNotificationFrame {
            level: Some(SdkNotificationLevel::Warning.into()),
            message: Some(message.to_owned()),
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::Notification, 0)
    }
}

/// The error part of any frame.
pub(crate) fn error(status: u32, description: &str) -> Option<SdkErrorFrame> {
    Some(SdkErrorFrame {
        status: Some(status),
        description: Some(description.to_owned()),
    })
}
