//! New requests and responses (RFC 3261 §8.1.1, §8.2.6, RFC 3581).

use std::fmt;
use std::net::SocketAddr;

use super::error::HeaderError;
use super::headers::Headers;
use super::message::{Message, StartLine};
use super::method::Method;
use super::name::Name;
use super::via::Via;

impl Message {
    /// A request without header fields. Characters that would end the request line are left out of the URI.
    #[must_use]
    pub fn request(method: Method, uri: impl fmt::Display) -> Self {
        let mut uri = uri.to_string();
        uri.retain(|c| !c.is_ascii_whitespace());
        Self {
            start: StartLine::Request { method, uri },
            headers: Headers::with_capacity(512, 16),
            body: Vec::new(),
        }
    }

    /// A response with the header fields that RFC 3261 §8.2.6.2 copies: every Via, From, To, Call-ID, CSeq
    /// as they arrived, and Timestamp into a 100.
    #[must_use]
    pub fn response_to(request: &Self, status: u16, reason: &str) -> Self {
        let mut headers = Headers::with_capacity(512, 16);
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            headers.copy(name, &request.headers);
        }
        if status == 100 {
            headers.copy(Name::Timestamp, &request.headers);
        }
        let reason = reason
            .bytes()
            .map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b })
            .collect();
        Self {
            start: StartLine::Response { status, reason },
            headers,
            body: Vec::new(),
        }
    }

    /// Copies every Record-Route of the request, as a response that makes a dialog must (§12.1.1).
    pub fn copy_record_routes(&mut self, request: &Self) {
        self.headers.copy(Name::RecordRoute, &request.headers);
    }

    /// Copies every Authorization and Proxy-Authorization of the INVITE, as the ACK of its 2xx must (§22.1).
    pub fn copy_credentials(&mut self, invite: &Self) {
        for name in [Name::Authorization, Name::ProxyAuthorization] {
            self.headers.copy(name, &invite.headers);
        }
    }

    /// Adds a tag to To unless it has one (§8.2.6.2).
    ///
    /// # Errors
    /// When To is missing or malformed; then nothing is changed.
    pub fn tag_to(&mut self, tag: &str) -> Result<(), HeaderError> {
        let to = self.headers.to()?;
        if to.params.has("tag") {
            return Ok(());
        }
        let mut done = false;
        self.headers.rewrite(|name, value| {
            if done || name != Name::To {
                return None;
            }
            done = true;
            // The value stays as it came: a peer may compare bytes.
            let mut tagged = value.to_vec();
            tagged.extend_from_slice(b";tag=");
            tagged.extend_from_slice(tag.as_bytes());
            Some(tagged)
        });
        Ok(())
    }

    /// Sets body and Content-Type, and Content-Length with them.
    pub fn set_body(&mut self, content_type: &str, body: Vec<u8>) {
        self.headers.replace(Name::ContentType, content_type);
        self.headers.replace(Name::ContentLength, body.len());
        self.body = body;
    }

    /// Notes in the topmost Via where a request came from ([`Via::note_source`]).
    ///
    /// # Errors
    /// When the Via is missing or malformed.
    pub fn note_source(&mut self, source: SocketAddr) -> Result<(), HeaderError> {
        let before = self.headers.via()?;
        let mut via: Via = before.clone();
        via.note_source(source);
        if via != before {
            self.headers.set_top_via(&via);
        }
        Ok(())
    }
}
