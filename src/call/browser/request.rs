//! What a browser asks with a frame, checked for content and order.

use wire::signal::{
    SdkDataMessagePayload, SdkPingPongType, SdkRemoteVideoUpdateFrame, SdkSignalFrame,
    SdkSignalFrameType, SdkSubscribeFrame,
};

use crate::negotiate::browser::OfferError;

/// What a browser asks.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Request {
    Ping {
        id: u32,
    },
    Join {
        /// Random, the same when the same client comes back.
        audio_session_id: Option<u64>,
    },
    Subscribe(Box<SdkSubscribeFrame>),
    Mute(bool),
    Pause {
        streams: Vec<u32>,
        groups: Vec<u32>,
        paused: bool,
    },
    UpdateVideo(SdkRemoteVideoUpdateFrame),
    Data(Vec<SdkDataMessagePayload>),
    PrimaryMeetingJoin,
    Leave,
    /// Metrics, timings, frames that we do not know: nothing to do.
    Nothing,
}

/// A frame that does not belong to the protocol, or not here. Each is answered with error 400 and the end of the
/// connection.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum BadFrame {
    /// Not readable at all.
    #[error("{0}")]
    Unreadable(#[from] wire::signal::SignalError),
    /// The part that its type announces is missing.
    #[error("the frame lacks its {0} part")]
    Lacks(&'static str),
    /// Something that only servers say.
    #[error("the frame is one that only a server sends")]
    ServersOnly,
    /// Anything but PING and LEAVE before JOIN.
    #[error("the frame came before JOIN")]
    BeforeJoin,
    /// JOIN twice.
    #[error("JOIN came twice")]
    JoinedTwice,
    /// A compressed offer, though JOIN_ACK declined it.
    #[error("compressed offers are not accepted")]
    CompressedOffer,
    /// The offer cannot be answered.
    #[error("{0}")]
    Offer(#[from] OfferError),
    /// More requests than any client makes.
    #[error("too many requests")]
    TooMany,
}

/// Reads a frame.
pub(crate) fn read(frame: SdkSignalFrame) -> Result<Request, BadFrame> {
    use SdkSignalFrameType as Type;
    // A later version of the client may say more than we know (the frame's type is not ours then).
    let Some(kind) = frame.known_kind() else {
        return Ok(Request::Nothing);
    };
    Ok(match kind {
        Type::PingPong => {
            let part = frame.ping_pong.ok_or(BadFrame::Lacks("ping_pong"))?;
            match SdkPingPongType::try_from(part.kind) {
                Ok(SdkPingPongType::Ping) => Request::Ping { id: part.ping_id },
                _ => Request::Nothing,
            }
        }
        Type::Join => Request::Join {
            audio_session_id: frame.join.ok_or(BadFrame::Lacks("join"))?.audio_session_id,
        },
        Type::Subscribe => {
            let part = frame.sub.ok_or(BadFrame::Lacks("sub"))?;
            let offer_is_missing = part.sdp_offer.as_deref().unwrap_or_default().is_empty();
            if offer_is_missing && part.compressed_sdp_offer.is_some() {
                return Err(BadFrame::CompressedOffer);
            }
            if offer_is_missing {
                return Err(BadFrame::Lacks("sub.sdp_offer"));
            }
            Request::Subscribe(Box::new(part))
        }
        Type::AudioControl => Request::Mute(
            frame
                .audio_control
                .ok_or(BadFrame::Lacks("audio_control"))?
                .muted
                .unwrap_or(false),
        ),
        Type::Pause | Type::Resume => {
            let part = frame.pause.ok_or(BadFrame::Lacks("pause"))?;
            Request::Pause {
                streams: part.stream_ids,
                groups: part.group_ids,
                paused: kind == Type::Pause,
            }
        }
        Type::RemoteVideoUpdate => Request::UpdateVideo(
            frame
                .remote_video_update
                .ok_or(BadFrame::Lacks("remote_video_update"))?,
        ),
        Type::DataMessage => Request::Data(
            frame
                .data_message
                .ok_or(BadFrame::Lacks("data_message"))?
                .messages,
        ),
        Type::Leave => Request::Leave,
        Type::PrimaryMeetingJoin => Request::PrimaryMeetingJoin,
        Type::ClientMetric | Type::MeetingSessionTiming | Type::PrimaryMeetingLeave => {
            Request::Nothing
        }
        Type::JoinAck
        | Type::SubscribeAck
        | Type::Index
        | Type::LeaveAck
        | Type::Bitrates
        | Type::AudioMetadata
        | Type::AudioStreamIdInfo
        | Type::AudioStatus
        | Type::PrimaryMeetingJoinAck
        | Type::Notification => return Err(BadFrame::ServersOnly),
    })
}
