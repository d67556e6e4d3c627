//! Browser signaling frames: one type octet and a protobuf message.
//!
//! The protocol is that of the browser SDK: proto2 messages in [`SdkSignalFrame`] envelopes, each sent as
//! one binary WebSocket message that begins with a type octet. The messages are in four files by topic;
//! all of them are named here.

mod media;
mod metric;
mod session;
mod transcript;

pub use media::*;
pub use metric::*;
pub use session::*;
pub use transcript::*;

use prost::Message as _;

/// The most octets of a frame that is read, type octet included. The largest real ones are offers of a
/// client with 25 tiles, some 40 KB.
pub const MAX_FRAME: usize = 256 * 1024;

/// Type octet of a frame that we write.
const TYPE_SIGNAL: u8 = 0x05;
/// Type octet that older clients write and that is read alike.
const TYPE_SIGNAL_OLD: u8 = 0x02;

/// Why a message is not a signaling frame. All of them are the client's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignalError {
    /// Nothing in it.
    #[error("signaling frame is empty")]
    Empty,
    /// More than [`MAX_FRAME`].
    #[error("signaling frame of {0} octets is too large")]
    TooLarge(usize),
    /// The first octet is not that of a signaling frame.
    #[error("signaling frame has unknown type octet {0:#04x}")]
    TypeOctet(u8),
    /// Not a protobuf message of this shape.
    #[error("signaling frame is malformed: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The required frame type is missing.
    #[error("signaling frame does not say what it is")]
    NoType,
}

/// Reads one WebSocket message. A frame whose type is none that we know is read all the same: its
/// [`SdkSignalFrame::kind`] does not convert, and it is to be ignored.
///
/// # Errors
/// As [`SignalError`] says.
pub fn decode(message: &[u8]) -> Result<SdkSignalFrame, SignalError> {
    if message.len() > MAX_FRAME {
        return Err(SignalError::TooLarge(message.len()));
    }
    let (octet, body) = message.split_first().ok_or(SignalError::Empty)?;
    if !matches!(*octet, TYPE_SIGNAL | TYPE_SIGNAL_OLD) {
        return Err(SignalError::TypeOctet(*octet));
    }
    let frame = SdkSignalFrame::decode(body)?;
    if frame.kind == 0 {
        return Err(SignalError::NoType);
    }
    Ok(frame)
}

/// Writes one WebSocket message.
#[must_use]
pub fn encode(frame: &SdkSignalFrame) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + frame.encoded_len());
    out.push(TYPE_SIGNAL);
    out.extend_from_slice(&frame.encode_to_vec());
    out
}

impl SdkSignalFrame {
    /// An empty frame of a type, to be filled.
    #[must_use]
    pub fn of(kind: SdkSignalFrameType, timestamp_ms: u64) -> Self {
        Self {
            timestamp_ms,
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// What the frame is; `None` for a type that we do not know.
    #[must_use]
    pub fn known_kind(&self) -> Option<SdkSignalFrameType> {
        SdkSignalFrameType::try_from(self.kind).ok()
    }
}

#[cfg(test)]
mod tests;
