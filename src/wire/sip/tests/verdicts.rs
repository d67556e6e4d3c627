//! Which faults are found, what answers them, and what is let through.

use super::{fault, read, refuse, request};
use crate::sip::{Fault, Message};

/// The sound request with one piece of its text replaced.
fn with(old: &str, new: &str) -> String {
    let text = request("");
    assert!(text.contains(old), "{old} is in the request");
    text.replace(old, new)
}

#[test]
fn each_mandatory_header_that_is_missing_is_named() {
    for (line, name) in [
        ("From: <sip:alice@example.org>;tag=a1\r\n", "From"),
        ("To: <sip:bob@example.com>\r\n", "To"),
        ("Call-ID: call-1@192.0.2.1\r\n", "Call-ID"),
        ("CSeq: 1 INVITE\r\n", "CSeq"),
    ] {
        let error = refuse(&with(line, ""));
        assert_eq!(error.fault, Fault::Missing(name));
        assert_eq!(error.status(), 400);
        let response = error.response().unwrap();
        assert!(response.to_bytes().starts_with(b"SIP/2.0 400 Missing "));
        assert_eq!(
            response.headers.via().unwrap().branch(),
            Some("z9hG4bKtest")
        );
    }
}

#[test]
fn a_request_without_via_cannot_be_answered() {
    let error = refuse(&with(
        "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtest;rport\r\n",
        "",
    ));
    assert_eq!(error.fault, Fault::Missing("Via"));
    assert!(error.response().is_none());
}

#[test]
fn a_faulty_ack_or_response_is_never_answered() {
    let ack = with("INVITE", "ACK").replace("CSeq: 1", "CSeq: x");
    assert!(refuse(&ack).response().is_none());
    let response = with("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK")
        .replace("CSeq: 1", "CSeq: 99999999999");
    let error = refuse(&response);
    assert_eq!(error.fault, Fault::Malformed("CSeq"));
    assert!(error.response().is_none());
}

#[test]
fn another_sip_version_is_505_whatever_else_is_wrong() {
    let error = refuse(&with("com SIP/2.0", "com SIP/3.1"));
    assert_eq!((error.fault, error.status()), (Fault::Version, 505));
    assert!(error.response().is_some());
}

#[test]
fn what_is_no_sip_is_dropped() {
    for text in [
        "GET / HTTP/1.1\r\nVia: x\r\n\r\n",
        "",
        "\0\0\0",
        "INVITE\r\n\r\n",
    ] {
        let error = refuse(text);
        assert_eq!(error.fault, Fault::NotSip, "{text:?}");
        assert!(error.response().is_none());
    }
}

#[test]
fn the_request_line_takes_one_space_each_and_none_within_the_uri() {
    for line in [
        "INVITE  sip:bob@example.com SIP/2.0",
        "INVITE sip:bob@example.com  SIP/2.0",
        "INVITE sip:bob@example.com SIP/2.0 ",
        "INVITE sip:bob@example.com; lr SIP/2.0",
        "INV(TE sip:bob@example.com SIP/2.0",
    ] {
        let text = with("INVITE sip:bob@example.com SIP/2.0", line);
        assert_eq!(fault(&text), Fault::RequestLine, "{line:?}");
    }
}

#[test]
fn a_request_uri_is_bare_and_without_a_header_part() {
    for uri in [
        "<sip:bob@example.com>",
        "sip:bob@example.com?Subject=x",
        "sip:bob@exam ple.com",
        "sip:",
        "bob",
        "sip:bob@example.com:99999",
        "sip:2001:db8::10",
    ] {
        let text = with("INVITE sip:bob@example.com", &format!("INVITE {uri}"));
        let fault = fault(&text);
        assert!(
            matches!(fault, Fault::RequestUri | Fault::RequestLine),
            "{uri}: {fault}"
        );
    }
}

#[test]
fn a_scheme_that_we_do_not_speak_is_416() {
    let error = refuse(&with(
        "INVITE sip:bob@example.com",
        "INVITE urn:service:sos",
    ));
    assert_eq!((error.fault, error.status()), (Fault::UriScheme, 416));
    read(&with(
        "INVITE sip:bob@example.com",
        "INVITE tel:+12015550123",
    ));
    read(&with(
        "INVITE sip:bob@example.com",
        "INVITE SIPS:bob@example.com",
    ));
}

#[test]
fn the_methods_of_request_line_and_cseq_agree() {
    let error = refuse(&with("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"));
    assert_eq!((error.fault, error.status()), (Fault::MethodMismatch, 400));
    let error = refuse(&with("INVITE sip", "FUTURE sip"));
    assert_eq!(error.status(), 501);
    let unknown = request("").replace("INVITE", "FUTURE");
    assert_eq!(read(&unknown).method().unwrap().as_str(), "FUTURE");
}

#[test]
fn sequence_numbers_fit_32_bits() {
    assert_eq!(
        fault(&with("CSeq: 1", "CSeq: 4294967296")),
        Fault::Malformed("CSeq")
    );
    assert_eq!(
        fault(&with("CSeq: 1", "CSeq: -1")),
        Fault::Malformed("CSeq")
    );
    let text = with("CSeq: 1", "CSeq: 0004294967295");
    assert_eq!(read(&text).headers.cseq().unwrap().number, u32::MAX);
}

#[test]
fn max_forwards_is_0_to_255_and_may_be_missing() {
    assert_eq!(
        fault(&with("Forwards: 70", "Forwards: 256")),
        Fault::Malformed("Max-Forwards")
    );
    assert_eq!(
        fault(&with("Forwards: 70", "Forwards: many")),
        Fault::Malformed("Max-Forwards")
    );
    let zero = read(&with("Forwards: 70", "Forwards: 0"));
    assert_eq!(zero.headers.max_forwards(), Ok(Some(0)));
    let none = read(&with("Max-Forwards: 70\r\n", ""));
    assert_eq!(none.headers.max_forwards(), Ok(None));
}

#[test]
fn a_second_differing_value_of_a_single_header_is_refused() {
    for (line, name) in [
        ("To: <sip:eve@example.com>\r\n", "To"),
        ("f: <sip:eve@example.com>;tag=2\r\n", "From"),
        ("i: other\r\n", "Call-ID"),
        ("CSeq: 2 INVITE\r\n", "CSeq"),
        ("Max-Forwards: 3\r\n", "Max-Forwards"),
        ("Content-Length: 0\r\nl: 5\r\n", "Content-Length"),
    ] {
        assert_eq!(fault(&request(line)), Fault::Repeated(name), "{line:?}");
    }
}

#[test]
fn the_same_value_twice_is_harmless() {
    read(&request(
        "Max-Forwards: 70\r\nContent-Length: 0\r\nl: 0\r\n",
    ));
}

#[test]
fn content_length_beyond_the_datagram_is_400_and_below_it_cuts() {
    let error = refuse(&format!("{}short", request("Content-Length: 9999\r\n")));
    assert_eq!((error.fault, error.status()), (Fault::Truncated, 400));
    let message = read(&format!(
        "{}body and more",
        request("Content-Length: 4\r\n")
    ));
    assert_eq!(message.body, b"body");
    let message = read(&format!("{}everything", request("")));
    assert_eq!(message.body, b"everything");
}

#[test]
fn a_content_length_that_is_no_number_is_refused() {
    for value in ["-1", "+4", "four", "4 4", "18446744073709551616", ""] {
        let text = request(&format!("Content-Length: {value}\r\n"));
        assert_eq!(
            fault(&text),
            Fault::Malformed("Content-Length"),
            "{value:?}"
        );
    }
}

#[test]
fn addresses_that_cannot_be_told_apart_are_refused() {
    for to in [
        "\"Bob <sip:bob@example.com>",
        "Bell, Alexander <sip:bob@example.com>",
        "<sip:bob@example.com",
        "< sip:bob@example.com >",
        "\"Bob\" sip:bob@example.com",
        "sip:bob@example.com?Route=%3Csip:x%3E",
        "<sip:bob@example.com>;;tag=1",
        "<sip:bob@example.com> tag=1",
        "<sip:bob@example.com>;tag=\"1",
        "<>",
    ] {
        let text = with("To: <sip:bob@example.com>", &format!("To: {to}"));
        assert_eq!(fault(&text), Fault::Malformed("To"), "{to}");
    }
}

#[test]
fn malformed_vias_and_contacts_are_refused() {
    for via in [
        "SIP/2.0/UDP",
        "SIP/2.0 192.0.2.1",
        "SIP/2.0/UDP h;;x",
        "SIP/2.0/UDP h,,",
        "SIP/2.0/UDP h:70000",
    ] {
        let text = request(&format!("Via: {via}\r\n"));
        assert_eq!(fault(&text), Fault::Malformed("Via"), "{via}");
    }
    let text = request("Contact: <sip:a@b>;;;\r\n");
    assert_eq!(fault(&text), Fault::Malformed("Contact"));
}

#[test]
fn a_header_line_without_colon_or_with_a_bare_cr_is_refused() {
    for line in [
        "nonsense\r\n",
        ": no name\r\n",
        "Subject: a\rVia: b\r\n",
        "Sub ject: a\r\n",
    ] {
        assert_eq!(fault(&request(line)), Fault::HeaderLine, "{line:?}");
    }
}

#[test]
fn more_than_200_headers_and_more_than_64_kib_are_refused() {
    let many = request(&"X-Filler: x\r\n".repeat(200));
    assert_eq!(fault(&many), Fault::TooManyHeaders);
    let large = request(&format!("Subject: {}\r\n", "x".repeat(65_536)));
    let error = refuse(&large);
    assert_eq!((error.fault, error.status()), (Fault::TooLarge, 513));
    read(&request(&"X-Filler: x\r\n".repeat(194)));
}

#[test]
fn status_codes_are_three_digits_from_100_to_699() {
    for code in ["99", "700", "4294967301", "20x", ""] {
        let text = with(
            "INVITE sip:bob@example.com SIP/2.0",
            &format!("SIP/2.0 {code} OK"),
        );
        assert_eq!(fault(&text), Fault::StatusLine, "{code}");
    }
    let text = with("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 100 ");
    assert_eq!(read(&text).reason().unwrap(), "");
}

#[test]
fn old_requests_without_branch_tag_and_length_are_let_through() {
    let text = "INVITE sip:bob@example.com SIP/2.0\r\n\
                Via: SIP/2.0/UDP gateway.example.org\r\n\
                From: <sip:+13035550100@gateway.example.org;user=phone>\r\n\
                To: sip:+16505550100@example.com;user=phone\r\n\
                Call-ID: 17@gateway.example.org\r\n\
                CSeq: 56 INVITE\r\n\r\nv=0\r\n";
    let message = read(text);
    assert_eq!(message.headers.from().unwrap().tag(), None);
    assert_eq!(message.headers.via().unwrap().transaction_branch(), None);
    assert_eq!(message.body, b"v=0\r\n");
}

#[test]
fn a_datagram_that_ends_within_its_headers_is_read_as_complete() {
    let text = request("");
    let cut = text.trim_end_matches("\r\n");
    assert_eq!(Message::parse(cut.as_bytes()).unwrap().headers.len(), 6);
}
