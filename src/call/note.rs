//! What happened, told to the record, the metrics and the events.

use std::fmt;
use std::net::SocketAddr;

use rand::RngExt;
use wire::plan::LegId;

use crate::authenticate::Denial;
use crate::ending::Ending;
use crate::transaction::{FlowId, Transport};

/// The id of one call: `call_id` in the metric log and the SIP log, `TransactionId` in the call record.
///
/// A version 4 UUID (RFC 9562 §5.4) made from the node's seeded random source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 16]);

impl TransactionId {
    /// Draws a new one.
    pub fn new(random: &mut rand::rngs::StdRng) -> Self {
        let mut bytes: [u8; 16] = random.random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who set a call up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CallDirection {
    /// They called us.
    Inbound,
    /// We called them.
    Outbound,
}

/// The other end of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Party {
    /// A SIP device.
    Sip {
        /// The `Call-ID` of the leg.
        sip_call_id: String,
        /// The user part of `From`, empty when there is none.
        from_user: String,
        /// The user part of the Request-URI (inbound) or of `To` (outbound), empty when there is none.
        to_user: String,
        /// The user whose password the caller has shown to know; `None` where none was asked for.
        auth_user: Option<String>,
        /// What signaling travels on.
        transport: Transport,
        /// Where signaling comes from.
        peer: SocketAddr,
    },
    /// A browser in a meeting.
    Browser {
        /// Its attendee id.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
        /// Where signaling comes from.
        peer: SocketAddr,
    },
}

/// The beginning of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallStart {
    /// The call.
    pub call: TransactionId,
    /// Its leg; it may end before media is reserved.
    pub leg: LegId,
    /// The other end.
    pub party: Party,
    /// Who called.
    pub direction: CallDirection,
}

/// Something that happened. Notes of one call come in order; nothing in them is masked yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A SIP message was received or sent, whole; also bytes that could not be read as one.
    SipMessage {
        /// The call it belongs to, if any.
        call: Option<TransactionId>,
        /// Whether it was received.
        incoming: bool,
        /// The connection or listener that it travelled on.
        flow: FlowId,
        /// The other side's address.
        peer: SocketAddr,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A call began: every new INVITE, also one that will be refused, and every admitted browser.
    CallStarted(CallStart),
    /// The call was answered (200), or the browser joined.
    CallAnswered {
        /// The call.
        call: TransactionId,
    },
    /// The call is in a meeting from now on.
    JoinedMeeting {
        /// The call.
        call: TransactionId,
        /// The meeting.
        meeting_id: String,
        /// The attendee it became.
        attendee_id: String,
    },
    /// The call is over and its leg, if it had one, is closed: its last sample came before. Once per call.
    CallEnded {
        /// The call.
        call: TransactionId,
        /// Its leg.
        leg: LegId,
        /// How.
        ending: Ending,
    },
    /// A message could not be delivered and is not tried again.
    GaveUp {
        /// The call it belonged to, if any.
        call: Option<TransactionId>,
        /// What was given up and why, one line.
        what: &'static str,
    },
    /// A request was not believed to be from somebody who may call: it was asked for credentials, or refused.
    Denied {
        /// Where it came from.
        peer: SocketAddr,
        /// What it came over.
        transport: Transport,
        /// Why.
        why: Denial,
    },
    /// Media packets come from an address that is not the call's, and are dropped. Told seldom.
    ForeignMedia {
        /// The call.
        call: TransactionId,
        /// Where they come from.
        source: SocketAddr,
    },
    /// A meeting began: its first party came.
    MeetingStarted {
        /// The meeting.
        meeting_id: String,
    },
    /// A meeting ended: it was deleted or its last party left.
    MeetingEnded {
        /// The meeting.
        meeting_id: String,
    },
    /// A party came into a meeting.
    AttendeeJoined {
        /// The meeting.
        meeting_id: String,
        /// The attendee.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
    },
    /// A party left by itself or was removed.
    AttendeeLeft {
        /// The meeting.
        meeting_id: String,
        /// The attendee.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
    },
    /// A party was lost.
    AttendeeDropped {
        /// The meeting.
        meeting_id: String,
        /// The attendee.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
    },
    /// A party sends video from now on.
    VideoStarted {
        /// The meeting.
        meeting_id: String,
        /// The attendee.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
    },
    /// A party sends no video any more.
    VideoStopped {
        /// The meeting.
        meeting_id: String,
        /// The attendee.
        attendee_id: String,
        /// Its owner's name for it.
        external_user_id: String,
    },
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_transaction_id_is_a_version_4_uuid_and_repeats_with_its_seed() {
        let draw = || TransactionId::new(&mut rand::rngs::StdRng::from_seed([7; 32])).to_string();
        let text = draw();
        assert_eq!(text, draw());
        assert_eq!(text.len(), 36);
        let at = |index: usize| text.as_bytes()[index];
        assert_eq!((at(8), at(13), at(18), at(23)), (b'-', b'-', b'-', b'-'));
        assert_eq!(at(14), b'4');
        assert!(b"89ab".contains(&at(19)));
    }
}
