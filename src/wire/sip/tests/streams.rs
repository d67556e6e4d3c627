//! Framing on connections.

use super::request;
use crate::sip::{Fault, Limits, Message, StreamError, StreamFault, StreamItem, StreamReader};

fn items(reader: &mut StreamReader, bytes: &[u8]) -> Vec<StreamItem> {
    reader.push(bytes);
    let mut items = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        items.push(item);
    }
    items
}

fn failure(bytes: &[u8]) -> StreamError {
    let mut reader = StreamReader::new(Limits::default());
    reader.push(bytes);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no failure"),
            Err(error) => return error,
        }
    }
}

#[test]
fn messages_come_out_whole_however_the_bytes_are_cut() {
    let one = request("Content-Length: 6\r\n") + "\r\n\r\n\r\n";
    let two = request("l: 0\r\n");
    let both = format!("{one}{two}").into_bytes();
    for size in 1..both.len() {
        let mut reader = StreamReader::new(Limits::default());
        let found: Vec<_> = both
            .chunks(size)
            .flat_map(|piece| items(&mut reader, piece))
            .collect();
        let expected = [one.as_str(), two.as_str()]
            .map(|text| StreamItem::Message(Message::parse(text.as_bytes()).unwrap()));
        assert_eq!(found, expected, "pieces of {size}");
        assert!(!reader.is_within_message());
    }
}

#[test]
fn a_double_line_end_is_a_ping_and_a_single_one_a_pong() {
    let mut reader = StreamReader::new(Limits::default());
    assert_eq!(items(&mut reader, b"\r\n\r\n"), [StreamItem::Ping]);
    assert_eq!(items(&mut reader, b"\r\n"), [StreamItem::Pong]);
    assert_eq!(items(&mut reader, b"\r\n"), [StreamItem::Ping]);
    assert_eq!(items(&mut reader, b"\r"), []);
    assert_eq!(items(&mut reader, b"\n"), [StreamItem::Pong]);
    let message = request("l: 0\r\n");
    assert_eq!(items(&mut reader, message.as_bytes()).len(), 1);
    assert_eq!(items(&mut reader, b"\r\n"), [StreamItem::Pong]);
}

#[test]
fn a_faulty_message_with_a_known_end_does_not_end_the_connection() {
    let mut reader = StreamReader::new(Limits::default());
    let bad = request("l: 0\r\n").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let good = request("l: 0\r\n");
    let found = items(&mut reader, format!("{bad}{good}").as_bytes());
    let [StreamItem::Invalid(error), StreamItem::Message(_)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(error.fault, Fault::MethodMismatch);
    assert!(error.response().is_some());
}

#[test]
fn a_message_without_usable_length_is_answered_and_ends_the_connection() {
    for (more, fault) in [
        ("", Fault::NoContentLength),
        ("l: -5\r\n", Fault::Malformed("Content-Length")),
        ("l: 5\r\nl: 6\r\n", Fault::Malformed("Content-Length")),
    ] {
        let error = failure(request(more).as_bytes());
        assert_eq!(error.fault, StreamFault::Length);
        let answer = error.error.unwrap();
        assert_eq!(answer.fault, fault);
        assert_eq!(answer.response().unwrap().status(), Some(400));
    }
}

#[test]
fn what_is_no_sip_ends_the_connection_at_once() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02",
        b"\0",
    ] {
        let error = failure(bytes);
        assert_eq!(error.fault, StreamFault::NotSip);
        assert!(error.error.is_none());
    }
}

#[test]
fn after_a_failure_everything_fails() {
    let mut reader = StreamReader::new(Limits::default());
    reader.push(b"\0");
    assert!(reader.next().is_err());
    reader.push(request("l: 0\r\n").as_bytes());
    assert_eq!(reader.next().unwrap_err().fault, StreamFault::Closed);
}

#[test]
fn limits_hold_before_the_message_has_arrived() {
    let endless = request(&format!("Subject: {}", "x".repeat(65_536)));
    let error = failure(endless.trim_end().as_bytes());
    assert_eq!(error.fault, StreamFault::TooLarge);
    assert_eq!(error.error.unwrap().status(), 513);
    let announced = failure(request("l: 65536\r\n").as_bytes());
    assert_eq!(announced.fault, StreamFault::TooLarge);
    let absurd = failure(request("l: 18446744073709551615\r\n").as_bytes());
    assert_eq!(absurd.fault, StreamFault::TooLarge);
    let many = failure(request(&"X: x\r\n".repeat(200)).as_bytes());
    assert_eq!(many.fault, StreamFault::TooManyHeaders);
}

#[test]
fn a_message_in_progress_is_told() {
    let mut reader = StreamReader::new(Limits::default());
    assert!(!reader.is_within_message());
    assert_eq!(items(&mut reader, b"INV"), []);
    assert!(reader.is_within_message());
    let mut reader = StreamReader::new(Limits::default());
    let head = request("l: 3\r\n");
    assert_eq!(items(&mut reader, head.as_bytes()), []);
    assert!(reader.is_within_message());
    assert_eq!(items(&mut reader, b"abc").len(), 1);
    assert!(!reader.is_within_message());
}
