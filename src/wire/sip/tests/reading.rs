//! What the reader keeps and how it looks through peers' writing habits.

use super::{read, request};
use crate::sip::{Contacts, Message, Name};

#[test]
fn untouched_headers_are_written_back_byte_for_byte() {
    let text =
        request("sUbJeCt  :   odd \t case\r\nX-Fold: one\r\n\t two\r\nContent-Length: 0\r\n");
    assert_eq!(read(&text).to_bytes(), text.as_bytes());
}

#[test]
fn bytes_that_are_no_utf8_survive() {
    let mut bytes = request("").into_bytes();
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"Subject: J\xF6rg\xFF\r\nX-After: after\r\nContent-Length: 0\r\n\r\n");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        message.headers.get(Name::Subject),
        Some(&b"J\xF6rg\xFF"[..])
    );
    assert_eq!(
        message.headers.text(Name::Other("x-after")).unwrap(),
        "after"
    );
    assert_eq!(message.to_bytes(), bytes);
}

#[test]
fn compact_names_are_found_by_their_long_names() {
    let text = request(
        "m: <sip:a@192.0.2.9>\r\ns: hello\r\nk: timer\r\nC: application/SDP ; x=y\r\nl: 0\r\n",
    );
    let headers = read(&text).headers;
    assert_eq!(
        headers.contact().unwrap().uri.to_string(),
        "sip:a@192.0.2.9"
    );
    assert_eq!(headers.text(Name::Subject).unwrap(), "hello");
    assert!(headers.lists(Name::Supported, "TIMER"));
    assert_eq!(headers.content_type().unwrap(), "application/sdp");
    assert_eq!(headers.content_length(), Ok(Some(0)));
}

#[test]
fn names_are_found_in_any_case_and_by_text() {
    let headers = read(&request("x-custom: 1\r\n")).headers;
    assert!(headers.has(Name::Other("X-Custom")));
    assert!(headers.has(Name::Other("call-id")));
    assert!(headers.has(Name::Other("I")));
    assert!(!headers.has(Name::Other("")));
    assert_eq!(Name::from_text("VIA"), Name::Via);
}

#[test]
fn folds_read_as_one_space() {
    let headers = read(&request("Subject: one\r\n   two\r\n\tthree  \r\n")).headers;
    assert_eq!(headers.text(Name::Subject).unwrap(), "one two three");
}

#[test]
fn white_space_around_every_separator_is_looked_through() {
    let text = "OPTIONS sip:bob@example.com SIP/2.0\r\n\
         Via : SIP / 2.0\r\n / UDP\r\n  192.0.2.2 : 5070 ; branch = z9hG4bKa ,\r\n SIP/2.0/TCP first.example.org\r\n\
         TO :\r\n sip:bob@example.com ;  tag   = 19\r\n\
         from : \"A \\\"B\\\" \\\\\"   <sip:alice@example.org>\r\n  ;\r\n tag = 98\r\n\
         i: ws-1\r\n\
         cseq: 0009\r\n  OPTIONS\r\n\r\n";
    let headers = read(text).headers;
    let vias = headers.vias().unwrap();
    assert_eq!(vias.len(), 2);
    assert_eq!(
        vias[0].to_string(),
        "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKa"
    );
    assert_eq!(headers.to().unwrap().tag(), Some("19"));
    let from = headers.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("A \"B\" \\"));
    assert_eq!(from.tag(), Some("98"));
    assert_eq!(headers.cseq().unwrap().number, 9);
}

#[test]
fn commas_in_quotes_and_brackets_do_not_separate() {
    let text = request(
        "Contact: \"Bell, A\" <sip:a,b@example.org;x=1,2>;q=0.5, sip:c@example.org;expires=60\r\n",
    );
    let Contacts::List(contacts) = read(&text).headers.contacts().unwrap() else {
        panic!("not a star");
    };
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[0].display.as_deref(), Some("Bell, A"));
    assert_eq!(contacts[0].uri.user.as_deref(), Some("a,b"));
    assert_eq!(contacts[1].params.get("expires"), Some("60"));
}

#[test]
fn parameters_of_a_uri_without_brackets_belong_to_the_header() {
    let text = request("Contact: sip:+12015550123@gw.example.net;unknown\r\n");
    let contact = read(&text).headers.contact().unwrap();
    assert!(contact.params.has("unknown"));
    assert!(contact.uri.params.is_empty());
    let text = request("Contact: <sip:+12015550123@gw.example.net;unknown>\r\n");
    let contact = read(&text).headers.contact().unwrap();
    assert!(contact.uri.params.has("unknown"));
    assert!(contact.params.is_empty());
}

#[test]
fn a_star_contact_is_told() {
    let headers = read(&request("Contact: *\r\n")).headers;
    assert_eq!(headers.contacts(), Ok(Contacts::Star));
}

#[test]
fn line_feeds_alone_end_lines_too() {
    let text = request("Content-Length: 2\r\n").replace("\r\n", "\n") + "ok";
    let message = read(&text);
    assert_eq!(message.body, b"ok");
    assert_eq!(message.headers.len(), 7);
}

#[test]
fn blank_lines_before_the_message_are_skipped() {
    assert!(read(&format!("\r\n\r\n{}", request(""))).is_request());
}

#[test]
fn lists_of_several_fields_are_one_list() {
    let headers = read(&request(
        "Require: 100rel, foo\r\nRequire:bar\r\nAllow: INVITE,ACK, X\r\n",
    ))
    .headers;
    assert_eq!(headers.unsupported(&["100REL", "timer"]), ["foo", "bar"]);
    assert_eq!(headers.allowed().len(), 3);
}

#[test]
fn numbers_with_parameters_or_comments_are_read() {
    let headers = read(&request(
        "Session-Expires: 1800;refresher=uac\r\nRetry-After: 18 (busy)\r\nExpires: 99999999999999999999\r\n",
    ))
    .headers;
    assert_eq!(headers.number(Name::SessionExpires), Ok(Some(1800)));
    let params = headers.params(Name::SessionExpires).unwrap();
    assert_eq!(params.get("refresher"), Some("uac"));
    assert_eq!(headers.number(Name::RetryAfter), Ok(Some(18)));
    assert_eq!(headers.expires(), None);
}

#[test]
fn debug_output_shows_no_header_values() {
    let message = read(&request("Authorization: Digest response=\"f00d\"\r\n"));
    assert!(!format!("{message:?}").contains("f00d"));
}
