//! Bytes to a message: lines, folds, header fields, body. What they mean is for `check` and `typed`.

use super::error::Fault;
use super::headers::Headers;
use super::message::{Message, StartLine};
use super::method::Method;
use super::scan;

/// Octets that a message may have by default.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Header fields that a message may have by default.
pub const MAX_HEADERS: usize = 200;

/// What a reader accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of a whole message.
    pub message: usize,
    /// Header fields.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: MAX_MESSAGE,
            headers: MAX_HEADERS,
        }
    }
}

/// Reads a datagram as far as possible, and says the first fault of its form.
pub(super) fn datagram(bytes: &[u8], limits: &Limits) -> (Message, Option<Fault>) {
    // Some send blank lines before the message (RFC 3261 §7.5).
    let start = bytes
        .iter()
        .position(|b| !matches!(b, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    let end = head_end(bytes, 0).unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(end);
    let (mut message, mut fault) = self::head(head, limits);
    if bytes.len() > limits.message {
        fault = fault.or(Some(Fault::TooLarge));
    }
    let body = match message.headers.content_length() {
        Ok(Some(length)) => rest.get(..length).unwrap_or_else(|| {
            fault = fault.or(Some(Fault::Truncated));
            rest
        }),
        // A conflict or a non-number is found by the check of the whole message.
        Ok(None) | Err(_) => rest,
    };
    message.body = body.to_vec();
    (message, fault)
}

/// Where the header section ends, after its empty line; `from` is where to start looking.
pub(super) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.iter().position(|b| *b == b'\n')? + 1;
        at += line;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Reads start line and header fields; the body is left empty.
pub(super) fn head(head: &[u8], limits: &Limits) -> (Message, Option<Fault>) {
    let (first, mut rest) = split_line(head);
    let (start, mut fault) = start_line(first);
    let lines = rest.iter().filter(|b| **b == b'\n').count();
    let mut headers = Headers::with_capacity(rest.len() + 64, lines.min(limits.headers) + 4);
    while !rest.is_empty() {
        let (raw, after) = split_field(rest);
        rest = after;
        if raw.is_empty() {
            break;
        }
        if headers.len() == limits.headers {
            fault = fault.or(Some(Fault::TooManyHeaders));
            break;
        }
        if push_field(&mut headers, raw).is_none() {
            fault = fault.or(Some(Fault::HeaderLine));
        }
    }
    let message = Message {
        start,
        headers,
        body: Vec::new(),
    };
    (message, fault)
}

/// The first line without its end, and what follows.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        None => (bytes.strip_suffix(b"\r").unwrap_or(bytes), &[]),
        Some(end) => {
            let (line, rest) = bytes.split_at(end);
            (
                line.strip_suffix(b"\r").unwrap_or(line),
                rest.get(1..).unwrap_or_default(),
            )
        }
    }
}

/// The first field with its folded lines, without its last line end, and what follows.
fn split_field(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    loop {
        let rest = bytes.get(end..).unwrap_or_default();
        let (line, after) = split_line(rest);
        let line_end = end + line.len();
        end = bytes.len() - after.len();
        // A fold: the next line starts with white space and is not blank.
        let folded = !line.is_empty() && matches!(after.first(), Some(b' ' | b'\t'));
        if !folded {
            return (bytes.get(..line_end).unwrap_or_default(), after);
        }
    }
}

/// Finds name and value of a field; `None` when it is no header field.
fn push_field(headers: &mut Headers, raw: &[u8]) -> Option<()> {
    let colon = raw.iter().position(|b| *b == b':')?;
    let (name, value) = raw.split_at(colon);
    let name_end = name.len() - name.iter().rev().take_while(|b| scan::is_lws(**b)).count();
    let name = name.get(..name_end)?;
    let sound = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic());
    // A CR that ends no line could end one for somebody else.
    let bare_cr = value
        .windows(2)
        .any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'))
        || value.ends_with(b"\r");
    if !sound || bare_cr {
        return None;
    }
    let after = value.get(1..).unwrap_or_default();
    let space = after.iter().take_while(|b| scan::is_lws(**b)).count();
    headers.push_raw(raw, name_end, colon + 1 + space);
    Some(())
}

/// Reads the first line; a faulty one is kept as far as an answer needs it.
fn start_line(line: &[u8]) -> (StartLine, Option<Fault>) {
    if line
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
    {
        return status_line(line);
    }
    let method_end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (method, rest) = line.split_at(method_end);
    let trimmed = scan::trim(rest);
    let version_at = trimmed
        .iter()
        .rposition(|b| scan::is_lws(*b))
        .map_or(0, |at| at + 1);
    let (uri, version) = trimmed.split_at(version_at);
    let is_sip = version
        .get(..4)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"));
    let method_text = String::from_utf8_lossy(method);
    let uri_text = String::from_utf8_lossy(scan::trim(uri));
    let start = StartLine::Request {
        method: Method::from_token(&method_text),
        uri: uri_text.into_owned(),
    };
    let fault = if !is_sip || method.is_empty() {
        Some(Fault::NotSip)
    } else if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        Some(Fault::Version)
    } else if !method.iter().all(|b| scan::is_token(*b)) || !exactly_spaced(rest, uri, version) {
        Some(Fault::RequestLine)
    } else if std::str::from_utf8(uri).is_err() {
        Some(Fault::RequestUri)
    } else {
        None
    };
    (start, fault)
}

/// Whether the request line has one space before and after its URI, and none within or behind.
fn exactly_spaced(rest: &[u8], uri: &[u8], version: &[u8]) -> bool {
    let bare = uri.strip_suffix(b" ").unwrap_or(uri);
    !bare.is_empty()
        && !bare.iter().any(|b| scan::is_lws(*b))
        && rest.len() == 1 + bare.len() + 1 + version.len()
}

fn status_line(line: &[u8]) -> (StartLine, Option<Fault>) {
    let mut parts = line.splitn(3, |b| *b == b' ');
    let version = parts.next().unwrap_or_default();
    let code = parts.next().unwrap_or_default();
    let reason = parts.next().unwrap_or_default();
    let status = scan::number(code)
        .filter(|n| code.len() == 3 && (100..700).contains(n))
        .and_then(|n| u16::try_from(n).ok());
    let fault = if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        Some(Fault::Version)
    } else if status.is_none() || reason.contains(&b'\r') {
        Some(Fault::StatusLine)
    } else {
        None
    };
    let start = StartLine::Response {
        status: status.unwrap_or(0),
        reason: reason.to_vec(),
    };
    (start, fault)
}
