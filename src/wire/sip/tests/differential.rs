//! Our reader beside the `rsip` crate's, message by message and field by field. Every difference is in a table
//! with its reason; one that is not there, and one that is no longer found, fails.

#[path = "../../../../tests/support/torture/mod.rs"]
mod torture;

use std::collections::{BTreeMap, BTreeSet};
use std::panic;

use rsip::prelude::*;

use self::torture::{Case, Place};
use crate::sip::Message;

/// What a reader says of a message: field to value; only `verdict` where it refuses.
type Reading = BTreeMap<&'static str, String>;

fn ours(bytes: &[u8]) -> Reading {
    let Ok(message) = Message::parse(bytes) else {
        return refused();
    };
    let headers = &message.headers;
    let mut reading = Reading::from([("verdict", "read".to_owned())]);
    let start = match message.status() {
        Some(status) => status.to_string(),
        None => message.method().unwrap().to_string(),
    };
    reading.insert("start", start);
    reading.insert("call-id", headers.call_id().unwrap());
    reading.insert("cseq", headers.cseq().unwrap().to_string());
    let tag = |address: Option<&str>| address.unwrap_or_default().to_owned();
    reading.insert("from-tag", tag(headers.from().unwrap().tag()));
    reading.insert("to-tag", tag(headers.to().unwrap().tag()));
    let via = headers.via().unwrap();
    reading.insert("branch", via.branch().unwrap_or_default().to_owned());
    reading.insert("sent-by", via.host.to_string());
    reading.insert("body", message.body.len().to_string());
    reading
}

/// The same by `rsip`, which reads header fields when it is asked for them: one that fails refuses the message.
fn theirs(bytes: &[u8]) -> Reading {
    let read = || -> Result<Reading, rsip::Error> {
        let message = rsip::SipMessage::try_from(bytes)?;
        let mut reading = Reading::from([("verdict", "read".to_owned())]);
        let start = match &message {
            rsip::SipMessage::Request(request) => request.method.to_string(),
            rsip::SipMessage::Response(response) => response.status_code.code().to_string(),
        };
        reading.insert("start", start);
        reading.insert("call-id", message.call_id_header()?.value().to_owned());
        reading.insert("cseq", message.cseq_header()?.typed()?.to_string());
        let from = message.from_header()?.typed()?;
        let to = message.to_header()?.typed()?;
        let tag = |tag: Option<&rsip::param::Tag>| {
            tag.map(|tag| tag.value().to_owned()).unwrap_or_default()
        };
        reading.insert("from-tag", tag(from.tag()));
        reading.insert("to-tag", tag(to.tag()));
        let via = message.via_header()?.typed()?;
        let branch = via.branch().map(|branch| branch.value().to_owned());
        reading.insert("branch", branch.unwrap_or_default());
        reading.insert("sent-by", via.uri.host_with_port.host.to_string());
        reading.insert("body", message.body().len().to_string());
        Ok(reading)
    };
    match panic::catch_unwind(read) {
        Ok(Ok(reading)) => reading,
        Ok(Err(_)) => refused(),
        Err(_) => Reading::from([("verdict", "panics".to_owned())]),
    }
}

fn refused() -> Reading {
    Reading::from([("verdict", "refused".to_owned())])
}

/// Every field in which two readings of a message differ: `field: ours / theirs`.
fn differences(bytes: &[u8]) -> Vec<String> {
    let (ours, theirs) = (ours(bytes), theirs(bytes));
    if ours["verdict"] != theirs["verdict"] {
        return vec![format!(
            "verdict: {} / {}",
            ours["verdict"], theirs["verdict"]
        )];
    }
    ours.iter()
        .filter(|(field, value)| theirs.get(*field) != Some(*value))
        .map(|(field, value)| format!("{field}: {value} / {}", theirs[field]))
        .collect()
}

fn compare(cases: &[Case], explained: &[(&str, &str, &str)]) {
    let mut found = BTreeSet::new();
    let mut unexplained = Vec::new();
    for case in cases {
        for difference in differences(&case.bytes) {
            let field = difference.split(':').next().unwrap().to_owned();
            if !explained
                .iter()
                .any(|(name, known, _)| *name == case.name && *known == field)
            {
                unexplained.push(format!(
                    "(\"{}\", \"{field}\", \"{difference}\"),",
                    case.name
                ));
            }
            found.insert((case.name.clone(), field));
        }
    }
    assert!(
        unexplained.is_empty(),
        "unexplained:\n{}",
        unexplained.join("\n")
    );
    for (name, field, _) in explained {
        let known = found.contains(&((*name).to_owned(), (*field).to_owned()));
        assert!(known, "{name}: {field} differs no longer");
    }
    println!(
        "{} messages, {} differences, all explained",
        cases.len(),
        found.len()
    );
}

const PLACE: Place<'_> = Place {
    host: "meet.example.com",
    transport: "UDP",
};

#[test]
fn every_difference_from_rsip_on_our_own_odd_messages_is_explained() {
    let mut cases = torture::own(&PLACE, "d");
    cases.extend(torture::rfc5118(&PLACE, "d"));
    compare(&cases, OWN);
}

#[test]
fn every_difference_from_rsip_on_rfc_4475_is_explained() {
    let Some(cases) = torture::rfc4475(&PLACE) else {
        println!("the 49 messages of RFC 4475 are not at hand");
        return;
    };
    compare(&cases, RFC4475);
}

/// Message, field, and why ours is right. Sections are RFC 3261's where no other is named.
#[rustfmt::skip]
const OWN: &[(&str, &str, &str)] = &[
    ("folds-and-spaces", "verdict", "RFC 3261 §7.3.1 and §25.1: header fields may be folded, and white space stands around separators; `rsip` reads neither"),
    ("in-no-dialog", "verdict", "§25.1: SEMI and EQUAL take white space around them"),
    ("odd-method", "verdict", "§25.1: every token character may be in a method, and reason and display names hold UTF-8"),
    ("escaped-user", "verdict", "§7.3.1: a Contact may begin on a folded line"),
    ("percent-is-percent", "verdict", "§25.1: `%` is a token character, in methods and header names"),
    ("long-values", "verdict", "§7.3.3: header names have no case and may be followed by white space"),
    ("two-in-one", "body", "§18.3: what follows Content-Length in a datagram is not the body"),
    ("parameters-in-user", "verdict", "§7.3.1: Accept is folded"),
    ("only-separators", "verdict", "§25.1: a parameter has a name"),
    ("length-beyond", "verdict", "§18.3: a body cut short is a malformed request"),
    ("negative-length", "verdict", "§20.14: Content-Length is a number; `rsip` does not look at it"),
    ("length-no-number", "verdict", "§20.14: as above"),
    ("huge-max-forwards", "verdict", "§20.22: Max-Forwards is 0 to 255; `rsip` leaves that to its user"),
    ("open-quote", "verdict", "§25.1: a quoted string ends"),
    ("bracketed-uri", "verdict", "§7.1: the Request-URI has no angle brackets"),
    ("spaces-in-line", "verdict", "§7.1: one space each"),
    ("header-part", "verdict", "§19.1.1, table 1: a Request-URI has no header part"),
    ("bare-uri-with-headers", "verdict", "§20.10: a URI with `?` needs angle brackets"),
    ("spaces-in-brackets", "verdict", "§25.1: LAQUOT takes no white space within"),
    ("comma-in-display", "verdict", "§25.1: a display name with a comma needs quotes"),
    ("cut-in-headers", "verdict", "§18.3: a datagram is one message, and ends it; `rsip` wants the empty line"),
    ("old-version", "verdict", "§7.1: SIP/2.0, or 505; `rsip` reads any version"),
    ("other-method-in-cseq", "verdict", "§8.1.1.5: CSeq names the request's method"),
    ("unknown-scheme", "verdict", "§8.2.2.1: refused with 416, which is the reader's work here and the user's there"),
    ("web-scheme", "verdict", "§8.2.2.1: as above"),
    ("telephone-number", "verdict", "RFC 3966: `tel:` has no host; `rsip` reads every URI as SIP's"),
    ("two-of-one", "verdict", "§7.3.1: CSeq has one value; `rsip` takes the first"),
    ("two-lengths", "verdict", "§20.14: as above, and it says where the message ends"),
    ("bad-ack", "verdict", "§8.1.1.5: as above, of an ACK"),
    ("bare-cr", "verdict", "§25.1: CR stands before LF only; somebody else may take it for the end of a line"),
    ("bare-lf", "verdict", "read tolerantly: lines that end in LF alone mean one thing only"),
    ("not-utf8", "verdict", "§7.3.1, §25.1: quoted strings and TEXT are octets; one that is no UTF-8 must not hide the others"),
    ("v6-reference", "verdict", "RFC 5118 §4.1: IPv6 references; `rsip` reads none in a Via without a port"),
    ("v6-port-within", "verdict", "RFC 5118 §4.3: a reference without a port behind it"),
    ("v6-port-behind", "verdict", "RFC 5118 §4.4: a reference with one"),
    ("v6-received-of-their-own", "verdict", "RFC 5118 §4.5: a reference as sent-by"),
    ("v6-and-v4-in-headers", "verdict", "RFC 5118 §4.7: as above"),
    ("v4-mapped", "verdict", "RFC 5118 §4.9: IPv4 within IPv6"),
    ("two-colons", "verdict", "RFC 5118 §4.10: IPv4 at the end of IPv6"),
];

/// Sections are RFC 4475's.
#[rustfmt::skip]
const RFC4475: &[(&str, &str, &str)] = &[
    ("wsinv", "verdict", "RFC 4475 §3.1.1.1 is valid: folds, white space around separators"),
    ("intmeth", "verdict", "§3.1.1.2 is valid: every token character, UTF-8, escapes in quoted strings"),
    ("esc01", "verdict", "§3.1.1.3 is valid: a folded Contact"),
    ("esc02", "verdict", "§3.1.1.5 is valid: `%` in method and header name"),
    ("longreq", "verdict", "§3.1.1.7 is valid: names in any case, with white space behind them"),
    ("dblreq", "verdict", "§3.1.1.8: what follows the first message's Content-Length is not its body"),
    ("semiuri", "verdict", "§3.1.1.9 is valid: a folded Accept"),
    ("badinv01", "verdict", "§3.1.2.1: parameters without names"),
    ("clerr", "verdict", "§3.1.2.2: a body cut short"),
    ("ncl", "verdict", "§3.1.2.3: a negative Content-Length"),
    ("quotbal", "verdict", "§3.1.2.6: a quote that never ends"),
    ("ltgtruri", "verdict", "§3.1.2.7: angle brackets around the Request-URI"),
    ("regbadct", "verdict", "§3.1.2.13: a Contact that needs angle brackets"),
    ("mismatch01", "verdict", "§3.1.2.17: two methods"),
    ("novelsc", "verdict", "§3.3.3: refused with 416, which is the reader's work here"),
    ("unksm2", "verdict", "§3.3.4 is valid: other schemes in To, From and Contact"),
    ("multi01", "verdict", "§3.3.8: several values of header fields that have one"),
    ("mcl01", "verdict", "§3.3.9: two values of Content-Length"),
];
