//! A SIP message as a value, and its bytes.

use std::borrow::Cow;
use std::io::Write as _;

use super::error::SipError;
use super::headers::Headers;
use super::method::Method;
use super::name::Name;
use super::read::{self, Limits};
use super::uri::{Uri, UriError};

/// A request or response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The first line.
    pub start: StartLine,
    /// The header fields.
    pub headers: Headers,
    /// The body, as long as Content-Length said.
    pub body: Vec<u8>,
}

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartLine {
    /// `METHOD uri SIP/2.0`.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI, as written.
        uri: String,
    },
    /// `SIP/2.0 status reason`.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase, as written.
        reason: Vec<u8>,
    },
}

impl Message {
    /// Reads a datagram and checks what RFC 3261 demands of every message.
    ///
    /// Bytes after Content-Length are ignored (§18.3). A datagram that ends within its header section is
    /// read as if that had ended there.
    ///
    /// # Errors
    /// [`SipError`] with the first fault and, where one may be sent, what the answer needs.
    pub fn parse(datagram: &[u8]) -> Result<Self, SipError> {
        let (message, fault) = read::datagram(datagram, &Limits::default());
        match fault.or_else(|| message.fault()) {
            None => Ok(message),
            Some(fault) => Err(fault.with(message)),
        }
    }

    /// The bytes. Content-Length is corrected, or added when missing; all else is as it is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.headers.wire_len() + self.body.len() + 96);
        match &self.start {
            StartLine::Request { method, uri } => {
                for part in [method.as_str(), " ", uri, " SIP/2.0\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            StartLine::Response { status, reason } => {
                // Writing into memory does not fail.
                let _ = write!(out, "SIP/2.0 {status} ");
                out.extend_from_slice(reason);
                out.extend_from_slice(b"\r\n");
            }
        }
        if self.headers.content_length() == Ok(Some(self.body.len())) {
            self.headers.write_to(&mut out, None);
        } else {
            self.headers.write_to(&mut out, Some(Name::ContentLength));
            let _ = write!(out, "Content-Length: {}\r\n", self.body.len());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI as written; `None` for responses.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        match &self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI read.
    ///
    /// # Errors
    /// [`UriError`]; for responses [`UriError::Scheme`]. Never for a message that [`Message::parse`] returned.
    pub fn uri(&self) -> Result<Uri, UriError> {
        Uri::parse(self.request_uri().unwrap_or_default())
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { reason, .. } => Some(String::from_utf8_lossy(reason)),
        }
    }
}
