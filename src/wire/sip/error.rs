//! What can be wrong with a SIP message, and which answer each fault gets.

use super::message::Message;
use super::method::Method;

/// A message that breaks a rule, with what is needed to answer it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct SipError {
    /// What is wrong.
    pub fault: Fault,
    /// The message as far as it could be read, when it is a request that may be answered: it is no ACK and
    /// has a Via. `None` for responses and for what is no SIP: to be dropped.
    pub answerable: Option<Box<Message>>,
}

impl SipError {
    /// The response to send, without a To tag of ours; `None` when the message is to be dropped.
    #[must_use]
    pub fn response(&self) -> Option<Message> {
        let request = self.answerable.as_deref()?;
        Some(Message::response_to(
            request,
            self.fault.status(),
            &self.fault.to_string(),
        ))
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.fault.status()
    }
}

/// What is wrong with a message. Its text is the reason phrase of the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The first line is neither of a SIP request nor of a SIP response. Never answered.
    #[error("Not SIP")]
    NotSip,
    /// The status line is malformed or its code is none. Never answered.
    #[error("Malformed Status-Line")]
    StatusLine,
    /// The request line has white space where none may be, or a method that is no token.
    #[error("Malformed Request-Line")]
    RequestLine,
    /// The Request-URI is no URI.
    #[error("Malformed Request-URI")]
    RequestUri,
    /// The Request-URI's scheme is none of `sip`, `sips`, `tel`.
    #[error("Unsupported URI Scheme")]
    UriScheme,
    /// A SIP version that is not 2.0.
    #[error("Version Not Supported")]
    Version,
    /// A line of the header section is no header field.
    #[error("Malformed Header Field")]
    HeaderLine,
    /// More header fields than the limit.
    #[error("Too Many Header Fields")]
    TooManyHeaders,
    /// Larger than the limit.
    #[error("Message Too Large")]
    TooLarge,
    /// A mandatory header field is missing.
    #[error("Missing {0} Header Field")]
    Missing(&'static str),
    /// A header field that has one value occurs with several.
    #[error("Conflicting {0} Header Fields")]
    Repeated(&'static str),
    /// A header field that we must understand is malformed.
    #[error("Malformed {0} Header Field")]
    Malformed(&'static str),
    /// Content-Length says more than the datagram holds.
    #[error("Content-Length Beyond Datagram")]
    Truncated,
    /// Content-Length is missing where it delimits messages (RFC 3261 §20.14).
    #[error("Missing Content-Length Header Field")]
    NoContentLength,
    /// The method of CSeq is not that of the request line.
    #[error("CSeq Method Mismatch")]
    MethodMismatch,
    /// The same with a method that nobody knows: the future-proof answer of RFC 4475 §3.1.2.18.
    #[error("Not Implemented")]
    UnknownMethodMismatch,
}

impl Fault {
    /// The status that answers it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::UriScheme => 416,
            Self::UnknownMethodMismatch => 501,
            Self::Version => 505,
            Self::TooLarge => 513,
            Self::NotSip
            | Self::StatusLine
            | Self::RequestLine
            | Self::RequestUri
            | Self::HeaderLine
            | Self::TooManyHeaders
            | Self::Missing(_)
            | Self::Repeated(_)
            | Self::Malformed(_)
            | Self::Truncated
            | Self::NoContentLength
            | Self::MethodMismatch => 400,
        }
    }

    /// Joins the fault with the message, if that can be answered.
    pub(super) fn with(self, message: Message) -> SipError {
        let may_answer = message.method().is_some_and(|m| *m != Method::Ack)
            && message.headers.has(super::name::Name::Via)
            && self != Self::NotSip;
        SipError {
            fault: self,
            answerable: may_answer.then(|| Box::new(message)),
        }
    }
}

/// A typed reader's finding about one header field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// The header field.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// See [`HeaderError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It is there and cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        match error.problem {
            Problem::Missing => Self::Missing(error.header),
            Problem::Malformed(_) => Self::Malformed(error.header),
        }
    }
}
