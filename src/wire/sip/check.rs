//! What RFC 3261 demands of every message before anybody acts on it (§8.1.1, §8.2, §16.3, §18.3).

use super::error::{Fault, HeaderError};
use super::headers::Headers;
use super::message::{Message, StartLine};
use super::name::Name;
use super::name_addr::NameAddrParts;
use super::scan;
use super::uri::Uri;
use super::via::ViaParts;

impl Message {
    /// The first thing that is wrong; `None` when the message may be acted upon.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.check().err()
    }

    fn check(&self) -> Result<(), Fault> {
        let headers = &self.headers;
        if let StartLine::Request { uri, .. } = &self.start {
            check_request_uri(uri)?;
        }
        for name in SINGLE {
            check_single(headers, *name)?;
        }
        headers.content_length()?;
        check_vias(headers)?;
        for name in [Name::From, Name::To] {
            check_address(headers, name)?;
        }
        let call_id = headers.get(Name::CallId).ok_or(Fault::Missing("Call-ID"))?;
        if call_id.is_empty() || call_id.iter().any(|b| scan::is_lws(*b)) {
            return Err(Fault::Malformed("Call-ID"));
        }
        self.check_cseq()?;
        if self.is_request() {
            headers.max_forwards()?;
        }
        for name in [Name::Contact, Name::Route, Name::RecordRoute] {
            check_addresses(headers, name)?;
        }
        Ok(())
    }

    fn check_cseq(&self) -> Result<(), Fault> {
        let (_, named) = self.headers.cseq_parts()?;
        match self.method() {
            Some(method) if method.as_str().as_bytes() != named => Err(if method.is_known() {
                Fault::MethodMismatch
            } else {
                Fault::UnknownMethodMismatch
            }),
            _ => Ok(()),
        }
    }
}

/// Header fields with one value (RFC 3261 §7.3.1) on which we act. Repeating the same value is harmless.
const SINGLE: &[Name<'static>] = &[
    Name::CallId,
    Name::CSeq,
    Name::From,
    Name::To,
    Name::MaxForwards,
    Name::ContentLength,
    Name::ContentType,
    Name::Expires,
];

fn check_request_uri(uri: &str) -> Result<(), Fault> {
    let parsed = Uri::check(uri);
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    let ours = ["sip", "sips", "tel"]
        .iter()
        .any(|s| s.eq_ignore_ascii_case(scheme));
    match parsed {
        Err(_) => Err(Fault::RequestUri),
        Ok(()) if !ours => Err(Fault::UriScheme),
        // A Request-URI has no header part (RFC 3261 §19.1.1, table 1).
        Ok(()) if !scheme.eq_ignore_ascii_case("tel") && has_headers(rest) => {
            Err(Fault::RequestUri)
        }
        Ok(()) => Ok(()),
    }
}

/// Whether there is a `?` after the user part.
fn has_headers(rest: &str) -> bool {
    rest.split_once('@').map_or(rest, |(_, r)| r).contains('?')
}

fn check_single(headers: &Headers, name: Name<'static>) -> Result<(), Fault> {
    let mut values = headers.get_all(name);
    if let Some(first) = values.next()
        && values.any(|value| value != first)
    {
        return Err(Fault::Repeated(name.as_str()));
    }
    Ok(())
}

fn check_vias(headers: &Headers) -> Result<(), Fault> {
    if !headers.has(Name::Via) {
        return Err(Fault::Missing("Via"));
    }
    for value in headers.items(Name::Via) {
        ViaParts::check(value).map_err(|_| Fault::Malformed("Via"))?;
    }
    Ok(())
}

fn check_address(headers: &Headers, name: Name<'static>) -> Result<(), Fault> {
    let value = headers.get(name).ok_or(Fault::Missing(name.as_str()))?;
    NameAddrParts::check(value).map_err(|_| Fault::Malformed(name.as_str()))
}

fn check_addresses(headers: &Headers, name: Name<'static>) -> Result<(), Fault> {
    for value in headers.items(name) {
        if name == Name::Contact && value == b"*" {
            continue;
        }
        NameAddrParts::check(value).map_err(|_| Fault::Malformed(name.as_str()))?;
    }
    Ok(())
}

impl HeaderError {
    pub(super) fn missing(name: Name<'static>) -> Self {
        Self {
            header: name.as_str(),
            problem: super::error::Problem::Missing,
        }
    }

    pub(super) fn malformed(name: Name<'static>, what: &'static str) -> Self {
        Self {
            header: name.as_str(),
            problem: super::error::Problem::Malformed(what),
        }
    }
}
