//! Requests and responses that we make, and changes to headers.

use super::{read, request};
use crate::sip::{Message, Method, Name, Via};

#[test]
fn a_response_copies_what_rfc_3261_8_2_6_2_demands() {
    let text = request(
        "Via: SIP/2.0/TCP first.example.org;branch=z9hG4bKf\r\nTimestamp: 54\r\nRecord-Route: <sip:p.example.org;lr>\r\n",
    );
    let invite = read(&text);
    let mut ringing = Message::response_to(&invite, 180, "Ringing");
    ringing.copy_record_routes(&invite);
    ringing.tag_to("t1").unwrap();
    assert_eq!(
        String::from_utf8(ringing.to_bytes()).unwrap(),
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtest;rport\r\n\
         Via: SIP/2.0/TCP first.example.org;branch=z9hG4bKf\r\n\
         From: <sip:alice@example.org>;tag=a1\r\n\
         To: <sip:bob@example.com>;tag=t1\r\n\
         Call-ID: call-1@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n\
         Record-Route: <sip:p.example.org;lr>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let trying = Message::response_to(&invite, 100, "Trying");
    assert!(trying.headers.has(Name::Timestamp));
}

#[test]
fn a_tag_that_is_there_is_kept() {
    let text = request("").replace(
        "To: <sip:bob@example.com>",
        "To: <sip:bob@example.com>;tag=old",
    );
    let mut response = Message::response_to(&read(&text), 200, "OK");
    response.tag_to("new").unwrap();
    assert_eq!(response.headers.to().unwrap().tag(), Some("old"));
}

#[test]
fn noting_the_source_changes_only_the_topmost_via() {
    let text = request("").replace(
        "branch=z9hG4bKtest;rport",
        "branch=z9hG4bKtest;rport , SIP/2.0/TCP  first.example.org",
    );
    let mut message = read(&text);
    message
        .note_source("203.0.113.5:999".parse().unwrap())
        .unwrap();
    assert_eq!(
        message.headers.get(Name::Via).unwrap(),
        b"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtest;rport=999;received=203.0.113.5, SIP/2.0/TCP  first.example.org"
    );
}

#[test]
fn a_new_request_is_written_in_order_and_reads_back() {
    let mut options = Message::request(Method::Options, "sip:bob@example.com");
    let via = Via::new("TLS", "[2001:db8::1]:5061".parse().unwrap(), "z9hG4bKo");
    options.headers.push(Name::Via, via);
    options.headers.push(Name::MaxForwards, 70);
    options
        .headers
        .push(Name::From, "<sip:us@example.org>;tag=1");
    options.headers.push(Name::To, "<sip:bob@example.com>");
    options.headers.push(Name::CallId, "o-1");
    options
        .headers
        .push(Name::CSeq, format_args!("{} {}", 7, Method::Options));
    options.set_body("text/plain", b"hello".to_vec());
    let again = Message::parse(&options.to_bytes()).unwrap();
    assert_eq!(again, options);
    assert_eq!(again.headers.via().unwrap().rport(), None);
    assert!(again.headers.via().unwrap().wants_rport());
}

#[test]
fn values_cannot_smuggle_headers_or_lines() {
    let mut message = Message::request(Method::Info, "sip:a@b\r\nEvil: 1 SIP/2.0");
    message.headers.push(Name::Subject, "hi\r\nEvil: 1");
    message.headers.push(Name::Other("X\r\nEvil"), "1");
    let response = Message::response_to(&message, 400, "bad\r\nEvil: 1");
    for bytes in [message.to_bytes(), response.to_bytes()] {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("\nEvil"), "{text}");
    }
}

#[test]
fn content_length_is_corrected_when_the_body_changed() {
    let mut message = read(&format!("{}abcd", request("l: 4\r\n")));
    message.body = b"longer body".to_vec();
    let again = Message::parse(&message.to_bytes()).unwrap();
    assert_eq!(again.body, b"longer body");
    assert_eq!(again.headers.count(Name::ContentLength), 1);
}

#[test]
fn headers_are_put_in_front_replaced_and_removed() {
    let mut headers = read(&request("Subject: a\r\ns: b\r\nX-Y: y\r\n")).headers;
    headers.push_front(Name::Via, "SIP/2.0/UDP new.example.org");
    assert_eq!(headers.iter().next().unwrap().name, Name::Via);
    headers.replace(Name::Subject, "c");
    let subjects: Vec<_> = headers.get_all(Name::Subject).collect();
    assert_eq!(subjects, [b"c"]);
    let order: Vec<_> = headers.iter().map(|f| f.name.as_str().to_owned()).collect();
    assert_eq!(order[order.len() - 2..], ["Subject", "X-Y"]);
    assert_eq!(headers.remove(Name::Via), 2);
    assert!(headers.via().is_err());
    headers.replace(Name::Expires, 60);
    assert_eq!(headers.expires(), Some(60));
}

#[test]
fn a_masker_can_rewrite_values_and_keeps_the_rest() {
    let mut message = read(&request("authorization :  Digest response=\"f00d\"\r\n"));
    message.headers.rewrite(|name, value| {
        assert!(!value.is_empty());
        (name == Name::Authorization).then(|| b"(hidden)".to_vec())
    });
    let text = String::from_utf8(message.to_bytes()).unwrap();
    assert!(text.contains("authorization :  (hidden)\r\n"), "{text}");
    assert!(text.contains("Call-ID: call-1@192.0.2.1\r\n"));
    message
        .headers
        .values_mut(Name::CallId, |value| value.fill(b'*'));
    assert_eq!(message.headers.call_id().unwrap(), "****************");
}
