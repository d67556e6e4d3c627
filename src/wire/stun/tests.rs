//! The vectors of RFC 5769, and requests and answers of our own.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::answer::{self, Refusal};
use super::*;

/// The password of RFC 5769 §2.
const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 §2.1.
const REQUEST: &[u8] = &[
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];

/// RFC 5769 §2.2.
const RESPONSE_V4: &[u8] = &[
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
];

/// RFC 5769 §2.3.
const RESPONSE_V6: &[u8] = &[
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
];

#[test]
fn the_request_of_rfc_5769_is_read_and_authentic() {
    let request = BindingRequest::parse(REQUEST).unwrap();
    assert_eq!(request.username, Some("evtj:h6vY"));
    assert_eq!(request.ufrags(), Some(("evtj", "h6vY")));
    assert_eq!(request.priority, Some(0x6e00_01ff));
    assert_eq!(
        request.role,
        Some(IceRole::Controlled(0x932f_f9b1_5126_3b36))
    );
    assert!(!request.use_candidate);
    assert_eq!(request.unknown, None);
    assert!(request.is_authentic(PASSWORD));
    assert!(!request.is_authentic(b"VOkJxbRl1RmTxUk/WvJxBT"));
}

#[test]
fn the_ipv4_response_of_rfc_5769_is_read_and_authentic() {
    let message = Message::parse(RESPONSE_V4).unwrap();
    assert_eq!(message.class(), Class::Success);
    assert_eq!(
        message.mapped_address(),
        Some("192.0.2.1:32853".parse().unwrap())
    );
    assert!(message.is_authentic(PASSWORD));
}

#[test]
fn the_ipv6_response_of_rfc_5769_is_read_and_authentic() {
    let message = Message::parse(RESPONSE_V6).unwrap();
    let expected: SocketAddr = "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
        .parse()
        .unwrap();
    assert_eq!(message.mapped_address(), Some(expected));
    assert!(message.is_authentic(PASSWORD));
}

#[test]
fn a_changed_octet_breaks_the_fingerprint() {
    // But for the type of FINGERPRINT itself: changed, it is another attribute, that may be ignored.
    let kind = REQUEST.len() - 8..REQUEST.len() - 6;
    for at in (0..REQUEST.len()).filter(|at| !kind.contains(at)) {
        let mut changed = REQUEST.to_vec();
        changed[at] ^= 1;
        let read = BindingRequest::parse(&changed);
        assert!(read.is_err(), "octet {at}");
    }
}

#[test]
fn without_fingerprint_integrity_still_guards_every_octet_before_it() {
    let end = REQUEST.len() - 8;
    let mut bare = REQUEST[..end].to_vec();
    bare[3] = 0x50;
    assert!(BindingRequest::parse(&bare).unwrap().is_authentic(PASSWORD));
    for at in 0..end {
        let mut changed = bare.clone();
        changed[at] ^= 0x10;
        let accepted = BindingRequest::parse(&changed).is_ok_and(|r| r.is_authentic(PASSWORD));
        assert!(!accepted, "octet {at}");
    }
}

#[test]
fn what_follows_integrity_is_ignored() {
    let mut bytes = REQUEST[..REQUEST.len() - 8].to_vec();
    bytes.extend_from_slice(&[0, 0x25, 0, 0]);
    bytes[3] = 0x54;
    let request = BindingRequest::parse(&bytes).unwrap();
    assert!(!request.use_candidate);
    assert!(request.is_authentic(PASSWORD));
}

#[test]
fn a_written_request_is_read_back() {
    let mut out = [0u8; 256];
    let writer = RequestWriter {
        username: "theirs:ours",
        password: b"secret",
        priority: 77,
        use_candidate: true,
        role: IceRole::Controlling(5),
    };
    let len = writer.write(&mut out, &[3; 12]).unwrap();
    let request = BindingRequest::parse(&out[..len]).unwrap();
    assert_eq!(request.username, Some("theirs:ours"));
    assert_eq!(request.priority, Some(77));
    assert!(request.use_candidate);
    assert_eq!(request.role, Some(IceRole::Controlling(5)));
    assert_eq!(request.transaction(), [3; 12]);
    assert!(request.is_authentic(b"secret"));
}

#[test]
fn every_refusal_carries_its_code() {
    for (refusal, code) in [
        (Refusal::BadRequest, 400),
        (Refusal::Unauthenticated, 401),
        (Refusal::UnknownAttribute(0x7777), 420),
        (Refusal::RoleConflict, 487),
    ] {
        let mut out = [0u8; answer::MAX_ANSWER];
        let len = answer::refuse(&mut out, &[1; 12], refusal, Some(b"pwd")).unwrap();
        let message = Message::parse(&out[..len]).unwrap();
        assert_eq!(message.class(), Class::Error);
        assert_eq!(message.error_code(), Some(code));
        assert!(message.is_authentic(b"pwd"));
        let len = answer::refuse(&mut out, &[1; 12], refusal, None).unwrap();
        let message = Message::parse(&out[..len]).unwrap();
        assert!(!message.is_authentic(b"pwd"));
    }
}

#[test]
fn an_attribute_that_must_be_understood_is_named() {
    // DONT-FRAGMENT, which is no business of ICE.
    let mut bytes = vec![0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend_from_slice(&[0; 12]);
    bytes.extend_from_slice(&[0, 0x1a, 0, 0]);
    let request = BindingRequest::parse(&bytes).unwrap();
    assert_eq!(request.unknown, Some(0x1a));
    assert!(!request.has_integrity);
}

#[test]
fn other_protocols_and_classes_are_refused() {
    assert_eq!(BindingRequest::parse(&[]), Err(StunError::Length));
    assert_eq!(BindingRequest::parse(&[0x80; 20]), Err(StunError::NotStun));
    assert_eq!(
        BindingRequest::parse(RESPONSE_V4),
        Err(StunError::NotBindingRequest)
    );
    let mut long = REQUEST.to_vec();
    long.push(0);
    assert_eq!(BindingRequest::parse(&long), Err(StunError::Length));
}

proptest! {
    #[test]
    fn an_address_is_told_and_read_back(ip in any::<std::net::IpAddr>(), port in any::<u16>(), id in any::<[u8; 12]>()) {
        let mut out = [0u8; answer::MAX_ANSWER];
        let address = SocketAddr::new(ip, port);
        let len = answer::success(&mut out, &id, address, b"pwd").unwrap();
        let message = Message::parse(&out[..len]).unwrap();
        prop_assert_eq!(message.mapped_address(), Some(SocketAddr::new(ip.to_canonical(), port)));
        prop_assert!(message.is_authentic(b"pwd"));
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut stun = vec![0, 1, 0, u8::try_from(bytes.len()).unwrap(), 0x21, 0x12, 0xa4, 0x42];
        stun.extend_from_slice(&[0; 12]);
        stun.extend_from_slice(&bytes);
        for candidate in [&bytes, &stun] {
            if let Ok(request) = BindingRequest::parse(candidate) {
                prop_assert!(!request.is_authentic(b"pwd"));
            }
        }
    }
}
