//! The frames that one browser is told on its own. Time stamps are put on when they leave.

use wire::signal::{
    SdkJoinAckFrame, SdkLeaveAckFrame, SdkPingPongFrame, SdkPingPongType, SdkSignalFrame,
    SdkSignalFrameType, SdkSubscribeAckFrame,
};

use crate::admit::SignalRefusal;
use crate::meeting::error;

/// Error that makes a client stop its camera and stay as a viewer.
const ERROR_VIEW_ONLY: u32 = 206;
/// Tiles that a client may subscribe to at once.
const VIDEO_SUBSCRIPTIONS: u32 = 25;

/// PONG with the number of the PING.
pub(crate) fn pong(ping_id: u32) -> SdkSignalFrame {
    SdkSignalFrame {
        ping_pong: Some(SdkPingPongFrame {
            kind: SdkPingPongType::Pong.into(),
            ping_id,
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::PingPong, 0)
    }
}

/// JOIN_ACK. No TURN: with it the client would use relayed candidates only. No compression. Adaption to the
/// network stays with the client.
pub(crate) fn join_ack() -> SdkSignalFrame {
    SdkSignalFrame {
        joinack: Some(SdkJoinAckFrame {
            turn_credentials: None,
            video_subscription_limit: Some(VIDEO_SUBSCRIPTIONS),
            wants_compressed_sdp: Some(false),
            default_server_side_network_adaption: None,
        }),
        ..SdkSignalFrame::of(SdkSignalFrameType::JoinAck, 0)
    }
}

/// JOIN_ACK that refuses.
pub(crate) fn join_refused(refusal: SignalRefusal) -> SdkSignalFrame {
    SdkSignalFrame {
        error: error(refusal.status(), &refusal.to_string()),
        ..SdkSignalFrame::of(SdkSignalFrameType::JoinAck, 0)
    }
}

/// SUBSCRIBE_ACK.
pub(crate) fn subscribe_ack(ack: SdkSubscribeAckFrame) -> SdkSignalFrame {
    SdkSignalFrame {
        suback: Some(ack),
        ..SdkSignalFrame::of(SdkSignalFrameType::SubscribeAck, 0)
    }
}

/// SUBSCRIBE_ACK that refuses.
pub(crate) fn subscribe_refused(status: u32, why: &str) -> SdkSignalFrame {
    SdkSignalFrame {
        error: error(status, why),
        ..SdkSignalFrame::of(SdkSignalFrameType::SubscribeAck, 0)
    }
}

/// LEAVE_ACK, without which the client waits.
pub(crate) fn leave_ack() -> SdkSignalFrame {
    SdkSignalFrame {
        leave_ack: Some(SdkLeaveAckFrame {}),
        ..SdkSignalFrame::of(SdkSignalFrameType::LeaveAck, 0)
    }
}

/// PRIMARY_MEETING_JOIN_ACK that refuses: there are no replica meetings.
pub(crate) fn primary_join_refused() -> SdkSignalFrame {
    SdkSignalFrame {
        error: error(400, "this meeting is not a replica"),
        ..SdkSignalFrame::of(SdkSignalFrameType::PrimaryMeetingJoinAck, 0)
    }
}

/// The client stops its camera and stays as a viewer. It reads errors of any frame but NOTIFICATION, which it only logs.
pub(crate) fn view_only(why: &str) -> SdkSignalFrame {
    SdkSignalFrame {
        error: error(ERROR_VIEW_ONLY, why),
        ..SdkSignalFrame::of(SdkSignalFrameType::AudioStatus, 0)
    }
}

/// An error that no answer frame exists for.
pub(crate) fn failure(status: u32, why: &str) -> SdkSignalFrame {
    SdkSignalFrame {
        error: error(status, why),
        ..SdkSignalFrame::of(SdkSignalFrameType::Notification, 0)
    }
}
