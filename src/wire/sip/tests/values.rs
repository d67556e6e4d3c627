//! URIs, Vias, names and parameters.

use std::net::SocketAddr;

use crate::sip::{Host, NameAddr, Scheme, Uri, UriError, Via};

fn uri(text: &str) -> Uri {
    let uri = Uri::parse(text).unwrap();
    assert_eq!(uri.to_string(), text);
    uri
}

#[test]
fn an_empty_user_and_no_user_differ() {
    assert_eq!(uri("sip:@meet.example.org").user.as_deref(), Some(""));
    assert_eq!(uri("sip:meet.example.org").user, None);
}

#[test]
fn a_user_part_may_hold_separators() {
    let uri = uri("sip:user;par=u%40example.net@example.com");
    assert_eq!(uri.user_plain().unwrap(), "user;par=u@example.net");
    assert_eq!(uri.host, Host::Name("example.com".to_owned()));
    assert!(uri.params.is_empty());
}

#[test]
fn escapes_are_kept_and_resolved_on_demand() {
    let uri = uri("sip:sips%3Auser%40example.com@example.net");
    assert_eq!(uri.user_plain().unwrap(), "sips:user@example.com");
    assert_eq!(
        Uri::parse("sip:a%zz%00@h").unwrap().user_plain().unwrap(),
        "a%zz\0"
    );
}

#[test]
fn all_parts_of_a_uri_are_told_apart() {
    let uri = uri("sips:bob:secret@[2001:db8::10]:5061;transport=TLS;lr?subject=x&priority=urgent");
    assert_eq!(uri.scheme, Scheme::Sips);
    assert_eq!(uri.password.as_deref(), Some("secret"));
    assert_eq!(uri.host, Host::Ip("2001:db8::10".parse().unwrap()));
    assert_eq!(uri.port, Some(5061));
    assert_eq!(uri.transport().as_deref(), Some("tls"));
    assert!(uri.is_loose_router());
    assert_eq!(uri.headers.as_deref(), Some("subject=x&priority=urgent"));
}

#[test]
fn other_schemes_are_opaque() {
    let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
    assert_eq!(tel.user.as_deref(), Some("+1-201-555-0123"));
    assert_eq!(tel.params.get("phone-context"), Some("example.com"));
    assert_eq!(uri("urn:service:sos").user.as_deref(), Some("service:sos"));
}

#[test]
fn what_is_no_uri_says_why() {
    for (text, why) in [
        ("example.com", UriError::Scheme),
        ("1sip:x", UriError::Scheme),
        ("sip:", UriError::Scheme),
        ("sip:a b@c", UriError::Character),
        ("sip:a@b\0", UriError::Character),
        ("sip:a@", UriError::Host),
        ("sip:a@[::1", UriError::Port),
        ("sip:a@[::1]x", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:h:", UriError::Port),
        ("sip:h:+80", UriError::Port),
        ("sip:h:65536", UriError::Port),
    ] {
        assert_eq!(Uri::parse(text), Err(why), "{text}");
        assert_eq!(Uri::check(text), Err(why), "{text}");
    }
}

#[test]
fn a_port_within_brackets_is_part_of_the_address() {
    let ambiguous = uri("sip:[2001:db8::10:5070]");
    assert_eq!(ambiguous.port, None);
}

#[test]
fn equivalence_follows_the_rules_of_rfc_3261_19_1_4() {
    let same = |a: &str, b: &str| {
        Uri::parse(a)
            .unwrap()
            .is_equivalent(&Uri::parse(b).unwrap())
    };
    assert!(same(
        "sip:%61lice@atlanta.com;transport=TCP",
        "sip:alice@AtLanTa.CoM;Transport=tcp"
    ));
    assert!(same(
        "sip:carol@chicago.com",
        "sip:carol@chicago.com;newparam=5"
    ));
    assert!(same(
        "sip:carol@chicago.com;security=on",
        "sip:carol@chicago.com;newparam=5"
    ));
    assert!(!same("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    assert!(!same(
        "sip:bob@biloxi.com",
        "sip:bob@biloxi.com;transport=udp"
    ));
    assert!(!same(
        "sip:carol@chicago.com;security=on",
        "sip:carol@chicago.com;security=off"
    ));
}

#[test]
fn a_uri_with_a_parameter_written_twice_is_equivalent_to_itself() {
    let twice = Uri::parse("sip:h;a=1;A=2;b;B=1").unwrap();
    assert!(twice.is_equivalent(&twice));
}

#[test]
fn a_built_uri_escapes_its_user() {
    let uri = Uri::sip(Some("a b@c"), Host::Name("example.org".to_owned()), None);
    assert_eq!(uri.to_string(), "sip:a%20b%40c@example.org");
}

#[test]
fn display_names_of_all_kinds_are_read() {
    for (text, display) in [
        ("caller<sip:a@b>", Some("caller")),
        ("A. Bell (home) <sip:a@b>", Some("A. Bell (home)")),
        ("\"\" <sip:a@b>", None),
        (
            "\"<sip:x@y>, \\\"z\\\"\" <sip:a@b>",
            Some("<sip:x@y>, \"z\""),
        ),
        ("<sip:a@b>", None),
    ] {
        let read = NameAddr::parse(text.as_bytes()).unwrap();
        assert_eq!(read.display.as_deref(), display, "{text}");
        assert_eq!(read.uri.to_string(), "sip:a@b");
        assert_eq!(NameAddr::parse(read.to_string().as_bytes()), Ok(read));
    }
}

#[test]
fn a_quoted_parameter_may_hold_anything() {
    let read = NameAddr::parse(b"sip:a@b;x=\"<;,\\\"\";tag=7").unwrap();
    assert_eq!(read.params.get_unquoted("X").unwrap(), "<;,\"");
    assert_eq!(read.tag(), Some("7"));
}

#[test]
fn rport_and_received_tell_where_the_answer_goes() {
    let source: SocketAddr = "203.0.113.5:34567".parse().unwrap();
    let mut via = Via::parse(b"SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKx").unwrap();
    assert!(via.wants_rport());
    via.note_source(source);
    assert_eq!(
        via.to_string(),
        "SIP/2.0/UDP 10.0.0.1:5070;rport=34567;branch=z9hG4bKx;received=203.0.113.5"
    );
    assert_eq!(via.reply_addr(), Some(source));
}

#[test]
fn without_rport_the_answer_goes_to_the_port_of_the_via() {
    let source: SocketAddr = "203.0.113.5:34567".parse().unwrap();
    let mut via = Via::parse(b"SIP/2.0/UDP phone.example.org;branch=z9hG4bKx").unwrap();
    assert_eq!(via.reply_addr(), None);
    via.note_source(source);
    assert_eq!(via.reply_addr(), Some("203.0.113.5:5060".parse().unwrap()));
    let mut same = Via::parse(b"SIP/2.0/TLS 203.0.113.5").unwrap();
    same.note_source(source);
    assert_eq!(same.received(), None);
    assert_eq!(same.reply_addr(), Some("203.0.113.5:5061".parse().unwrap()));
}

#[test]
fn ipv6_vias_are_read_with_and_without_brackets_in_received() {
    for received in ["[2001:db8::255]", "2001:db8::255"] {
        let text = format!("SIP/2.0/UDP [2001:db8::1]:5060;received={received}");
        let via = Via::parse(text.as_bytes()).unwrap();
        assert_eq!(via.received(), Some("2001:db8::255".parse().unwrap()));
        assert_eq!(
            via.reply_addr(),
            Some("[2001:db8::255]:5060".parse().unwrap())
        );
    }
}

#[test]
fn only_more_than_the_magic_cookie_identifies_a_transaction() {
    let branch = |b: &str| {
        Via::parse(format!("SIP/2.0/UDP h;branch={b}").as_bytes())
            .unwrap()
            .transaction_branch()
            .map(str::to_owned)
    };
    assert_eq!(branch("z9hG4bK"), None);
    assert_eq!(branch("390skdjuw"), None);
    assert_eq!(branch("Z9HG4BKx").as_deref(), Some("Z9HG4BKx"));
    assert_eq!(branch("z9hG4bé"), None);
}
