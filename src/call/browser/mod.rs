//! One browser's signaling session: frames in order, what it sends and what it is shown.
//!
//! The order is: JOIN (answered by JOIN_ACK and INDEX), SUBSCRIBE with a whole offer (answered by SUBSCRIBE_ACK
//! with the answer and the numbers of its streams), then whatever the user does, and LEAVE (answered by
//! LEAVE_ACK). A frame that is garbled or out of order ends this session with error 400, and no other.

mod caps;
mod frames;
mod request;
mod session;
mod stage;

pub(crate) use frames::{
    failure, join_ack, join_refused, leave_ack, pong, primary_join_refused, subscribe_ack,
    subscribe_refused, view_only,
};
pub use request::BadFrame;
pub(crate) use request::Request;
pub use session::Limits;
pub(crate) use session::{Call, Media, Phase, Session};
pub(crate) use stage::{MAY_NOT_SEND, Viewer};
