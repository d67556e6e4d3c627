//! What a SIP message is, in a line or two: its start line, and offer or answer in short.

use std::fmt::Write as _;

use wire::plan::Direction;
use wire::sdp::{Media, Section, Session};

/// The start line without its version.
pub(super) fn headline(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim_end();
    if let Some(status) = line.strip_prefix("SIP/2.0 ") {
        let method = header(message, "CSeq").and_then(|cseq| cseq.split_whitespace().nth(1));
        return match method {
            Some(method) => format!("{status} ({method})"),
            None => status.to_owned(),
        };
    }
    line.strip_suffix(" SIP/2.0").unwrap_or(line).to_owned()
}

/// The session description of a message, in short: a line per media section; none without one.
pub(super) fn description(message: &str) -> Vec<String> {
    let Some((_, body)) = message.split_once("\r\n\r\n") else {
        return Vec::new();
    };
    if !body.trim_start().starts_with("v=") {
        return Vec::new();
    }
    match Session::parse(body.as_bytes()) {
        Ok(session) => session.sections().map(section).collect(),
        Err(error) => vec![format!("unreadable: {error}")],
    }
}

/// A header's first value, by its long name.
pub(super) fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message
        .lines()
        .take_while(|line| !line.trim_end().is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn section(section: Section<'_>) -> String {
    let media = section.media;
    let kind = media.kind.to_string();
    if section.is_declined() {
        return format!("{kind}: declined");
    }
    let mut line = kind;
    match section.rtp_addr() {
        Some(address) => {
            let _ = write!(line, " {address}");
        }
        None => {
            let _ = write!(line, " port {}", media.port);
        }
    }
    let _ = write!(line, " {}: {}", media.protocol, codecs(media));
    if let Some(ptime) = media.attributes.get("ptime") {
        let _ = write!(line, ", {ptime} ms");
    }
    let _ = write!(line, "; {}", protection(section));
    let direction = match section.direction() {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    };
    let _ = write!(line, "; {direction}");
    for (has, name) in [
        (media.attributes.rtcp_mux(), "rtcp-mux"),
        (media.attributes.rtcp_rsize(), "rtcp-rsize"),
        (media.attributes.has("rtcp-xr"), "rtcp-xr"),
    ] {
        if has {
            let _ = write!(line, "; {name}");
        }
    }
    line
}

fn codecs(media: &Media) -> String {
    let mut all: Vec<String> = media
        .codecs()
        .iter()
        .map(|map| format!("{}/{} [{}]", map.encoding, map.clock_rate, map.payload_type))
        .collect();
    if all.is_empty() {
        all = media.formats.clone();
    }
    all.join(", ")
}

fn protection(section: Section<'_>) -> String {
    let suites: Vec<&str> = section
        .media
        .attributes
        .get_all("crypto")
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    if !suites.is_empty() {
        return format!("SDES {}", suites.join(" or "));
    }
    match section.fingerprint() {
        Some(fingerprint) => format!("DTLS, {} fingerprint", fingerprint.hash),
        None => "in the clear".to_owned(),
    }
}
