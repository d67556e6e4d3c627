//! Messages out of a TCP or TLS connection (RFC 3261 §18.3, RFC 5626 §3.5.1).

use super::error::{Fault, SipError};
use super::message::{Message, StartLine};
use super::read::{self, Limits};

/// Cuts a byte stream into messages. Push what arrives, then take items until there is none.
#[derive(Debug, Default)]
pub struct StreamReader {
    limits: Limits,
    buffer: Vec<u8>,
    /// Octets at the start of `buffer` that were given out.
    taken: usize,
    /// Octets after `taken` in which no end of the header section was found.
    searched: usize,
    /// A message whose body has not all arrived, its length, and what its form was found to lack.
    waiting: Option<(Message, usize, Option<Fault>)>,
    /// The last item was one CRLF: another makes the two a ping.
    after_crlf: bool,
    closed: bool,
}

/// What a connection brought.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamItem {
    /// A message.
    Message(Message),
    /// A message that breaks a rule but whose end is known: answer it, and go on.
    Invalid(SipError),
    /// CRLF CRLF between messages: answer with one CRLF (RFC 5626 §4.4.1). When the two line ends arrive
    /// apart, the first is told as [`StreamItem::Pong`].
    Ping,
    /// One CRLF between messages.
    Pong,
}

/// Where the next message starts is unknown: the connection is to be closed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct StreamError {
    /// Why.
    pub fault: StreamFault,
    /// What can be answered before closing; see [`SipError::response`].
    pub error: Option<SipError>,
}

/// See [`StreamError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamFault {
    /// The bytes are no SIP.
    #[error("not SIP")]
    NotSip,
    /// Larger than the limit.
    #[error("message too large")]
    TooLarge,
    /// More header fields than the limit.
    #[error("too many header fields")]
    TooManyHeaders,
    /// No Content-Length, or none that is one number.
    #[error("no usable Content-Length")]
    Length,
    /// An earlier error ended the stream.
    #[error("closed after an earlier error")]
    Closed,
}

impl StreamReader {
    /// A reader for a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Adds what arrived. Take all items after each push: then no more than one message is ever held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether part of a message has arrived and the rest has not: a slow sender holds it.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        self.waiting.is_some() || self.buffer.len() > self.taken
    }

    /// The next item; `None` until more arrives.
    ///
    /// # Errors
    /// [`StreamError`] when the next message's start cannot be known; every later call fails as well.
    #[allow(clippy::should_implement_trait)] // an iterator could not fail for good
    pub fn next(&mut self) -> Result<Option<StreamItem>, StreamError> {
        if self.closed {
            return Err(StreamError {
                fault: StreamFault::Closed,
                error: None,
            });
        }
        let item = self.step();
        if item.is_err() {
            self.closed = true;
            self.buffer = Vec::new();
            self.taken = 0;
        }
        item
    }

    fn step(&mut self) -> Result<Option<StreamItem>, StreamError> {
        if self.waiting.is_none() {
            if let Some(item) = self.blank_line() {
                return Ok(Some(item));
            }
            if !self.head()? {
                return Ok(None);
            }
        }
        let available = self.buffer.len() - self.taken;
        let Some((mut message, length, fault)) = self.waiting.take() else {
            return Ok(None);
        };
        if available < length {
            self.waiting = Some((message, length, fault));
            return Ok(None);
        }
        message.body = self.rest().get(..length).unwrap_or_default().to_vec();
        self.take(length);
        Ok(Some(match fault.or_else(|| message.fault()) {
            None => StreamItem::Message(message),
            Some(fault) => StreamItem::Invalid(fault.with(message)),
        }))
    }

    fn blank_line(&mut self) -> Option<StreamItem> {
        // Left over by a sender that counted its body's last line end as one octet.
        let stray = self.rest().iter().take_while(|b| **b == b'\n').count();
        if stray > 0 {
            self.take(stray);
        }
        match self.rest() {
            [b'\r', b'\n', b'\r', b'\n', ..] if !self.after_crlf => {
                self.take(4);
                Some(StreamItem::Ping)
            }
            [b'\r', b'\n', ..] => {
                self.take(2);
                let item = if self.after_crlf {
                    StreamItem::Ping
                } else {
                    StreamItem::Pong
                };
                self.after_crlf = !self.after_crlf;
                Some(item)
            }
            _ => None,
        }
    }

    /// Reads a header section into `waiting`; false until it has all arrived.
    fn head(&mut self) -> Result<bool, StreamError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        match rest {
            [] | [b'\r'] => return Ok(false),
            [first, ..] if !first.is_ascii_graphic() => return Err(close(StreamFault::NotSip)),
            _ => self.after_crlf = false,
        }
        let Some(end) = read::head_end(rest, self.searched) else {
            if rest.len() > self.limits.message {
                let (message, _) = read::head(rest, &self.limits);
                return Err(answer(StreamFault::TooLarge, Fault::TooLarge, message));
            }
            // The section's end may be split: its last line end is looked at again.
            self.searched = rest.iter().rposition(|b| *b == b'\n').unwrap_or(rest.len());
            return Ok(false);
        };
        let head = rest.get(..end).unwrap_or_default();
        let (message, fault) = read::head(head, &self.limits);
        match fault {
            Some(Fault::NotSip) => return Err(close(StreamFault::NotSip)),
            Some(fault @ Fault::TooManyHeaders) => {
                return Err(answer(StreamFault::TooManyHeaders, fault, message));
            }
            _ => {}
        }
        let length = match message.headers.content_length() {
            Ok(Some(length)) => length,
            Ok(None) => {
                return Err(answer(StreamFault::Length, Fault::NoContentLength, message));
            }
            Err(error) => return Err(answer(StreamFault::Length, error.into(), message)),
        };
        if end.saturating_add(length) > self.limits.message {
            return Err(answer(StreamFault::TooLarge, Fault::TooLarge, message));
        }
        self.take(end);
        self.waiting = Some((message, length, fault));
        Ok(true)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn take(&mut self, octets: usize) {
        self.taken += octets;
        self.searched = 0;
    }
}

fn close(fault: StreamFault) -> StreamError {
    StreamError { fault, error: None }
}

fn answer(stream: StreamFault, fault: Fault, message: Message) -> StreamError {
    let error = match message.start {
        StartLine::Request { .. } => Some(fault.with(message)),
        StartLine::Response { .. } => None,
    };
    StreamError {
        fault: stream,
        error,
    }
}
