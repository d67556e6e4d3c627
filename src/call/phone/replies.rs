//! Responses and the header fields that everything we send carries.

use rand::RngExt;
use rand::rngs::StdRng;
use std::net::{IpAddr, SocketAddr};

use wire::sip::{Host, Message, Name, NameAddr, Scheme, Uri, Via};

use crate::authenticate::Answerer;
use crate::dialog::reliable::RELIABLE;
use crate::dialog::session_timer::TIMER;
use crate::ending::Ending;
use crate::transaction::{Flow, Transport};

/// The methods that we serve, as `Allow` lists them.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO";

/// The extensions that we have, as `Supported` lists them.
pub(super) const EXTENSIONS: [&str; 2] = [RELIABLE, TIMER];

/// The only body that we read.
pub(super) const SDP: &str = "application/sdp";

/// Seconds after which a caller may try again when we are full or going down.
pub(super) const RETRY_AFTER: u32 = 5;

/// How we present ourselves, and where fresh tags and branches come from.
pub(super) struct Manners {
    pub(super) server_name: String,
    pub(super) contact: Option<IpAddr>,
    pub(super) domain: Option<Host>,
    /// Who we are to those who ask.
    pub(super) answerer: Option<Answerer>,
    /// Whether we offer to keep streams alive: those that we open (RFC 6223 §4.1).
    pub(super) keeps: bool,
    pub(super) random: StdRng,
}

impl Manners {
    /// A tag, branch suffix or Call-ID: 80 bits in letters and digits.
    pub(super) fn fresh(&mut self) -> String {
        const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        (0..16)
            .filter_map(|_| DIGITS.get(self.random.random_range(0..DIGITS.len())))
            .map(|&byte| char::from(byte))
            .collect()
    }

    /// Puts credentials into a request of ours, for those who have asked for them.
    pub(super) fn authorize(&mut self, request: &mut Message) {
        if self.answerer.is_none() {
            return;
        }
        let cnonce = self.fresh();
        if let Some(answerer) = &mut self.answerer {
            answerer.answer(request, &cnonce);
        }
    }

    /// A response; every final one has our tag in To (RFC 3261 §8.2.6.2).
    pub(super) fn reply(&self, request: &Message, status: u16, tag: &str) -> Message {
        let mut response = Message::response_to(request, status, phrase(status));
        if status != 100 {
            // Without a readable To there is nothing to tag; the reader refuses such requests.
            let _ = response.tag_to(tag);
        }
        response.headers.push(Name::Server, &self.server_name);
        response
    }

    /// The refusal of an INVITE that this ending stands for.
    pub(super) fn refusal(&self, request: &Message, ending: &Ending, tag: &str) -> Message {
        let status = ending.refusal_status();
        let mut response = self.reply(request, status, tag);
        if let Some(reason) = ending.reason_header() {
            response.headers.push(Name::Reason, reason);
        }
        self.complete_failure(&mut response, status);
        response
    }

    /// The header fields that a failure status asks for.
    pub(super) fn complete_failure(&self, response: &mut Message, status: u16) {
        match status {
            405 => response.headers.push(Name::Allow, ALLOW),
            406 | 415 => response.headers.push(Name::Accept, SDP),
            503 => response.headers.push(Name::RetryAfter, RETRY_AFTER),
            _ => {}
        }
    }

    /// Adds what says where we are and what we can (RFC 3261 §13.3.1.4). `secure` when the dialog is one of
    /// `sips:` URIs (§12.1.1).
    pub(super) fn add_contact(&self, message: &mut Message, flow: Flow, secure: bool) {
        message
            .headers
            .push(Name::Contact, self.contact(flow, secure));
        message.headers.push(Name::Allow, ALLOW);
        message.headers.push(Name::Supported, EXTENSIONS.join(", "));
    }

    /// Our Contact, as [`Manners::add_contact`] has it.
    pub(super) fn contact(&self, flow: Flow, secure: bool) -> NameAddr {
        let mut uri = self.contact_uri(flow);
        if secure {
            uri.scheme = Scheme::Sips;
            uri.params.remove("transport");
        }
        NameAddr::new(uri)
    }

    /// Our Contact on a flow: one that leads back to the listener.
    pub(super) fn contact_uri(&self, flow: Flow) -> Uri {
        let host = match (self.contact, &self.domain) {
            (Some(ip), _) => Host::from(ip),
            (None, Some(domain)) if flow.local.ip().is_unspecified() => domain.clone(),
            (None, _) => Host::from(flow.local.ip().to_canonical()),
        };
        let mut uri = Uri::sip(None, host, Some(flow.local.port()));
        if flow.transport != Transport::Udp {
            uri.params.set("transport", Some(flow.transport.uri_name()));
        }
        uri
    }

    /// A Via for a request of ours, with a fresh branch.
    pub(super) fn via(&mut self, flow: Flow) -> Via {
        let branch = format!("z9hG4bK{}", self.fresh());
        let ip = self.contact.unwrap_or(flow.local.ip().to_canonical());
        let sent_by = SocketAddr::new(ip, flow.local.port());
        let mut via = Via::new(flow.transport.via_name(), sent_by, &branch);
        if flow.transport == Transport::Tls {
            // Requests of the other side may come over this connection (RFC 5923 §6).
            via.params.set("alias", None);
        }
        if self.keeps && flow.transport.is_reliable() {
            via.params.set("keep", None);
        }
        via
    }
}

/// Whether a request is for a `sips:` URI.
pub(super) fn is_secure(request: &Message) -> bool {
    request.uri().is_ok_and(|uri| uri.scheme == Scheme::Sips)
}

/// Whether the sender reads session descriptions: it says nothing about that, or names them (RFC 3261 §20.1).
pub(super) fn accepts_sdp(request: &Message) -> bool {
    !request.headers.has(Name::Accept)
        || request.headers.tokens(Name::Accept).any(|range| {
            let media = range.split(';').next().unwrap_or_default().trim();
            [SDP, "application/*", "*/*"]
                .iter()
                .any(|ours| media.eq_ignore_ascii_case(ours))
        })
}

/// The default reason phrases (RFC 3261 §21) of the statuses that we send.
pub(super) fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        _ => "Failure",
    }
}
