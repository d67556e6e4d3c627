//! How a leg ended: side, cause, SIP status and Q.850 cause, in one table.

use wire::plan::{MediaLoss, Refused};

/// How a call ended. Every leg ends with exactly one; log, record, event and API show the same value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Who or what ended it.
    pub side: Side,
    /// Why.
    pub cause: Cause,
    /// The final status of the INVITE of a call that was never answered; `None` once it was, and for browsers.
    pub sip_status: Option<u16>,
    /// The Q.850 cause value, 1 to 127, by RFC 3398 §8.2.6.1 where the status decides.
    pub q850: Option<u8>,
    /// One line for people.
    pub text: String,
}

/// Whose doing an ending is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The other party of the leg.
    Them,
    /// This server, of its own accord: drain, shortage, a fault.
    Us,
    /// What lies between: nothing arrived, a connection broke.
    Network,
    /// A rule: who may call what, and how.
    Policy,
}

impl Side {
    /// The word used in logs and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Them => "them",
            Self::Us => "us",
            Self::Network => "network",
            Self::Policy => "policy",
        }
    }
}

/// Why a leg ended. The status of a [`Cause::Rejected`] is the other side's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// They hung up an answered call, or left the meeting.
    HungUp,
    /// We hung up an answered call.
    WeHungUp,
    /// The caller gave up before the answer.
    Cancelled,
    /// The meeting ended.
    MeetingEnded,
    /// A host took the party out of the meeting.
    Removed,
    /// No meeting has the id that was dialled.
    UnknownMeeting,
    /// The caller did not enter a known meeting id in the tries it has.
    NoMeetingChosen,
    /// The meeting has all the parties it can hold.
    MeetingFull,
    /// A moderator locked the meeting.
    MeetingLocked,
    /// The dialled address is none of ours.
    UnknownTarget,
    /// The request is for a host that is not ours: nothing is relayed (404, RFC 3261 §8.2.2.1).
    RelayDenied,
    /// A rule forbids it.
    Forbidden,
    /// The other side answered the INVITE with this failure status, 300 to 699.
    Rejected(u16),
    /// The other side asked who we are and did not believe the answer.
    CredentialsRefused,
    /// The other side asked who we are in a way that cannot be answered.
    Unanswerable,
    /// The message cannot be understood.
    BadRequest,
    /// The method is not served.
    MethodNotAllowed,
    /// The URI scheme is not served.
    BadScheme,
    /// An extension is required that we do not have.
    BadExtension,
    /// The body is in a format that we do not read.
    BadBody,
    /// The caller takes no body in a format that we write.
    NotAcceptable,
    /// The same request came over two ways (RFC 3261 §8.2.2.2).
    Merged,
    /// Max-Forwards reached zero.
    TooManyHops,
    /// Offer and answer found no audio format in common.
    NoCommonMedia,
    /// Media had to be protected and was not, or with nothing that we speak.
    SecurityMismatch,
    /// The offer or answer is not readable SDP, or contradicts itself.
    BadDescription,
    /// All calls that the node may hold are taken.
    Overloaded,
    /// The node is going down.
    Draining,
    /// No port, address or shard was free for media.
    NoMediaResources,
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
    NoAck,
    /// A provisional response of ours was never acknowledged (RFC 3262 §3).
    NoPrack,
    /// No refresh of the session arrived, or none of ours succeeded (RFC 4028 §10).
    SessionExpired,
    /// The session interval that was asked for is below ours (RFC 4028 §9).
    IntervalTooSmall,
    /// The other side does not know the call any more.
    DialogLost,
    /// A request of ours was never answered.
    NoResponse,
    /// The connection that the call hung on broke, and the call with it.
    TransportLost,
    /// No media packet arrived for the configured time.
    MediaSilent,
    /// No ICE check arrived for 30 s.
    PathExpired,
    /// The DTLS handshake failed or did not end in time.
    HandshakeFailed,
    /// The DTLS certificate was not the one signalled.
    WrongFingerprint,
    /// The other side closed DTLS.
    MediaClosed,
    /// The browser's signaling connection broke and it did not return.
    SignalLost,
    /// Something here went wrong.
    Internal,
}

impl Cause {
    /// The table: side, the status that refuses a call for this cause, Q.850 cause, text.
    ///
    /// A status of `None` means that the cause exists only after the answer.
    fn row(self) -> (Side, Option<u16>, u8, &'static str) {
        use Side::{Network, Policy, Them, Us};
        match self {
            Self::HungUp => (Them, None, 16, "hung up"),
            Self::WeHungUp => (Us, None, 16, "hung up by us"),
            Self::Cancelled => (Them, Some(487), 16, "caller gave up"),
            Self::MeetingEnded => (Policy, Some(410), 16, "the meeting ended"),
            Self::Removed => (Policy, None, 16, "removed by the host"),
            Self::UnknownMeeting => (Them, Some(404), 1, "no such meeting"),
            Self::NoMeetingChosen => (Them, None, 1, "no known meeting id was entered"),
            Self::MeetingFull => (Policy, Some(486), 17, "the meeting is full"),
            Self::MeetingLocked => (Policy, Some(403), 21, "the meeting is locked"),
            Self::UnknownTarget => (Them, Some(404), 1, "no such address"),
            Self::RelayDenied => (Policy, Some(404), 1, "not one of our hosts"),
            Self::Forbidden => (Policy, Some(403), 21, "forbidden"),
            Self::Rejected(status) => (Them, Some(status), q850_of_status(status), "rejected"),
            Self::CredentialsRefused => (Them, Some(401), 21, "the credentials were refused"),
            Self::Unanswerable => (Them, Some(401), 21, "the challenge cannot be answered"),
            Self::BadRequest => (Them, Some(400), 41, "bad request"),
            Self::MethodNotAllowed => (Them, Some(405), 63, "method not allowed"),
            Self::BadScheme => (Them, Some(416), 127, "unsupported URI scheme"),
            Self::BadExtension => (Them, Some(420), 127, "unsupported extension required"),
            Self::BadBody => (Them, Some(415), 79, "unsupported body"),
            Self::NotAcceptable => (Them, Some(406), 79, "no format of ours is accepted"),
            Self::Merged => (Them, Some(482), 25, "merged request"),
            Self::TooManyHops => (Them, Some(483), 25, "too many hops"),
            Self::NoCommonMedia => (Them, Some(488), 88, "no audio format in common"),
            Self::SecurityMismatch => (Policy, Some(488), 88, "media protection does not match"),
            Self::BadDescription => (Them, Some(400), 95, "unusable session description"),
            Self::Overloaded => (Us, Some(503), 42, "too many calls"),
            Self::Draining => (Us, Some(503), 41, "going down"),
            Self::NoMediaResources => (Us, Some(503), 47, "no media resources"),
            Self::NoAck => (Network, None, 102, "our answer was never acknowledged"),
            Self::NoPrack => (
                Network,
                Some(504),
                102,
                "our early answer was never acknowledged",
            ),
            Self::SessionExpired => (Network, None, 102, "the session was not refreshed"),
            Self::IntervalTooSmall => (Them, Some(422), 127, "session interval too small"),
            Self::DialogLost => (Them, None, 41, "the other side lost the call"),
            Self::NoResponse => (Network, Some(408), 102, "no response"),
            Self::TransportLost => (Network, Some(503), 38, "connection lost"),
            Self::MediaSilent => (Network, None, 102, "no media arrived"),
            Self::PathExpired => (Network, None, 27, "no connectivity check arrived"),
            Self::HandshakeFailed => (Them, None, 111, "the DTLS handshake failed"),
            Self::WrongFingerprint => (Them, None, 111, "the DTLS certificate did not match"),
            Self::MediaClosed => (Them, None, 16, "media was closed by the other side"),
            Self::SignalLost => (Network, None, 27, "signaling connection lost"),
            Self::Internal => (Us, Some(500), 41, "internal error"),
        }
    }

    /// The word used in logs and records.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().3
    }
}

impl Ending {
    /// The ending of a call that was never answered, or of a browser.
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        let (side, sip_status, q850, text) = cause.row();
        Self {
            side,
            cause,
            sip_status,
            q850: Some(q850),
            text: text.to_owned(),
        }
    }

    /// The same with words of its own.
    #[must_use]
    pub fn with_text(cause: Cause, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::new(cause)
        }
    }

    /// The ending of a call that was answered: the INVITE's status was 200, whatever came later.
    #[must_use]
    pub fn after_answer(mut self) -> Self {
        self.sip_status = None;
        self
    }

    /// The status with which a call is refused for this ending: 480 where the cause names none.
    #[must_use]
    pub fn refusal_status(&self) -> u16 {
        self.sip_status
            .or_else(|| self.cause.row().1)
            .unwrap_or(480)
    }

    /// The value of a `Reason` header (RFC 3326, RFC 6432), when there is a Q.850 cause.
    #[must_use]
    pub fn reason_header(&self) -> Option<String> {
        self.q850
            .map(|cause| format!("Q.850;cause={cause};text=\"{}\"", quotable(&self.text)))
    }

    /// The ending that this loss of media means.
    #[must_use]
    pub fn of_loss(why: MediaLoss) -> Self {
        Self::new(match why {
            MediaLoss::Silent => Cause::MediaSilent,
            MediaLoss::PathExpired => Cause::PathExpired,
            MediaLoss::HandshakeFailed => Cause::HandshakeFailed,
            MediaLoss::WrongFingerprint => Cause::WrongFingerprint,
            MediaLoss::ClosedByPeer => Cause::MediaClosed,
        })
    }

    /// The ending of a call for which no media could be reserved.
    #[must_use]
    pub fn of_refused(why: Refused) -> Self {
        Self::with_text(
            Cause::NoMediaResources,
            match why {
                Refused::NoPorts => "every media port is taken",
                Refused::Full => "no media shard takes another leg",
                Refused::NoAddress => "no local media address of that family",
            },
        )
    }
}

/// The Q.850 cause of a SIP failure status (RFC 3398 §8.2.6.1); 31 ("normal, unspecified") where it names none.
#[must_use]
pub fn q850_of_status(status: u16) -> u8 {
    match status {
        401 | 402 | 403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => 127,
        400 | 481 | 500 | 503 => 41,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        488 | 606 => 88,
        502 => 38,
        _ => 31,
    }
}

/// What may stand inside a quoted-string without escapes.
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && *c != '"' && *c != '\\')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Cause; 44] = [
        Cause::CredentialsRefused,
        Cause::Unanswerable,
        Cause::HungUp,
        Cause::WeHungUp,
        Cause::Cancelled,
        Cause::MeetingEnded,
        Cause::Removed,
        Cause::UnknownMeeting,
        Cause::NoMeetingChosen,
        Cause::MeetingFull,
        Cause::UnknownTarget,
        Cause::RelayDenied,
        Cause::Forbidden,
        Cause::Rejected(603),
        Cause::BadRequest,
        Cause::MethodNotAllowed,
        Cause::BadScheme,
        Cause::BadExtension,
        Cause::BadBody,
        Cause::NotAcceptable,
        Cause::Merged,
        Cause::TooManyHops,
        Cause::NoCommonMedia,
        Cause::SecurityMismatch,
        Cause::BadDescription,
        Cause::Overloaded,
        Cause::Draining,
        Cause::NoMediaResources,
        Cause::NoAck,
        Cause::NoPrack,
        Cause::SessionExpired,
        Cause::IntervalTooSmall,
        Cause::DialogLost,
        Cause::MeetingLocked,
        Cause::NoResponse,
        Cause::TransportLost,
        Cause::MediaSilent,
        Cause::PathExpired,
        Cause::HandshakeFailed,
        Cause::WrongFingerprint,
        Cause::MediaClosed,
        Cause::SignalLost,
        Cause::Internal,
        Cause::Rejected(486),
    ];

    #[test]
    fn every_cause_has_a_failure_status_and_a_q850_value_in_range() {
        for cause in ALL {
            let ending = Ending::new(cause);
            assert!((300..700).contains(&ending.refusal_status()), "{cause:?}");
            assert!((1..=127).contains(&ending.q850.unwrap()), "{cause:?}");
            assert!(!ending.text.is_empty());
        }
    }

    #[test]
    fn an_answered_call_ends_without_a_failure_status() {
        let ending = Ending::new(Cause::MeetingEnded).after_answer();
        assert_eq!(ending.sip_status, None);
        assert_eq!(ending.q850, Some(16));
    }

    #[test]
    fn the_reason_header_cannot_be_broken_by_its_text() {
        let ending = Ending::with_text(Cause::HungUp, "a\"b\\c\r\nEvil: 1");
        assert_eq!(
            ending.reason_header().unwrap(),
            "Q.850;cause=16;text=\"abcEvil: 1\""
        );
    }

    #[test]
    fn a_rejection_keeps_the_other_sides_status() {
        let ending = Ending::new(Cause::Rejected(486));
        assert_eq!((ending.sip_status, ending.q850), (Some(486), Some(17)));
    }
}
