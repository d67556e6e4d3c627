//! Single messages and what they are answered.

use std::time::{Duration, Instant};

use wire::sip::{Message, Name};

use super::simulate::{Side, config, flow_of};
use super::{Config, Dialled, Input, Output, Phones};
use crate::authenticate::{Password, Secret};
use crate::note::Note;
use crate::transaction::{Flow, FlowId, Transport};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

struct Bench {
    phones: Phones,
    now: Instant,
    flow: Flow,
    sent: Vec<Message>,
    notes: Vec<Note>,
    dialled: Vec<Dialled>,
}

impl Bench {
    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant has to come from somewhere; only differences count"
    )]
    fn new(transport: Transport, config: Config) -> Self {
        Self {
            phones: Phones::new(config, [3; 32]),
            now: Instant::now(),
            flow: flow_of(Side::Phones, transport),
            sent: Vec::new(),
            notes: Vec::new(),
            dialled: Vec::new(),
        }
    }

    fn udp() -> Self {
        Self::new(Transport::Udp, config())
    }

    /// Hands in bytes and returns the last status sent for them.
    fn say(&mut self, text: &str) -> Option<u16> {
        self.sent.clear();
        let mut last = None;
        let bytes = text.as_bytes().to_vec();
        self.phones.handle(
            self.now,
            Input::Sip {
                flow: self.flow,
                message: Message::parse(&bytes),
                bytes,
            },
        );
        while let Some(output) = self.phones.poll() {
            match output {
                Output::Sip { message, to, .. } => {
                    assert_eq!(to.ip(), self.flow.peer.ip(), "never to third parties");
                    // What answers a malformed request repeats its malformed fields.
                    let text = String::from_utf8_lossy(&message).into_owned();
                    last = text.get(8..11).and_then(|status| status.parse().ok());
                    self.sent.extend(Message::parse(&message));
                }
                Output::Note(note) => self.notes.push(note),
                Output::Arrived(arrival) => self.dialled.push(arrival.dialled),
                _ => {}
            }
        }
        last
    }

    fn header(&self, name: Name<'_>) -> String {
        let value = self.sent.last().unwrap().headers.get(name);
        String::from_utf8(value.unwrap_or_default().to_vec()).unwrap()
    }
}

/// A request with `extra` header lines.
fn request(method: &str, uri: &str, extra: &str, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK{}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ann@example.com>;tag=a\r\nTo: <{uri}>\r\n\
         Call-ID: c-{}\r\nCSeq: 1 {method}\r\nContact: <sip:ann@192.0.2.1:5070>\r\n\
         {extra}{kind}Content-Length: {}\r\n\r\n{body}",
        method.len() + uri.len() + extra.len(),
        uri.len() + extra.len(),
        body.len()
    )
}

fn invite(uri: &str, extra: &str) -> String {
    request("INVITE", uri, extra, OFFER)
}

#[test]
fn the_dial_string_decides_between_prompt_meeting_and_404() {
    let id = |text: &str| Ok(Dialled::MeetingId(text.to_owned()));
    for (uri, expected) in [
        ("sip:meet.example.com", Ok(Dialled::Prompt)),
        ("sip:@meet.example.com", Ok(Dialled::Prompt)),
        ("sip:u@MEET.example.com", Ok(Dialled::Prompt)),
        ("sip:%75@meet.example.com:5070", Ok(Dialled::Prompt)),
        ("sip:192.0.2.9", Ok(Dialled::Prompt)),
        ("sip:1234567890@meet.example.com", id("1234567890")),
        (
            "sip:1234567890@192.0.2.9:5060;transport=udp",
            id("1234567890"),
        ),
        ("sip:1234567890123@meet.example.com", id("1234567890123")),
        ("sip:123456789@meet.example.com", Err(404)),
        ("sip:bob@meet.example.com", Err(404)),
        ("sip:1234567890@elsewhere.example.org", Err(404)),
        ("sip:1234567890@192.0.2.77", Err(404)),
        ("sip:1234567890@localhost", Err(404)),
        ("sips:1234567890@meet.example.com", Err(416)),
        ("tel:+15550100", Err(416)),
    ] {
        let mut bench = Bench::udp();
        let status = bench.say(&invite(uri, "")).unwrap();
        match expected {
            Ok(dialled) => assert_eq!((bench.dialled, status), (vec![dialled], 100), "{uri}"),
            Err(expected) => assert_eq!(status, expected, "{uri}"),
        }
    }
}

#[test]
fn a_sips_uri_is_taken_over_tls() {
    let mut bench = Bench::new(Transport::Tls, config());
    let status = bench.say(&invite("sips:1234567890@meet.example.com", ""));
    // The bench's offer is a plain one: it is the offer that is refused here, not the URI.
    assert_eq!(status, Some(488));
}

#[test]
fn an_id_left_in_to_counts_when_the_request_uri_has_no_user() {
    let mut bench = Bench::udp();
    let text = invite("sip:meet.example.com", "").replace(
        "To: <sip:meet.example.com>",
        "To: <sip:1234567890@meet.example.com>",
    );
    bench.say(&text);
    assert_eq!(bench.dialled, [Dialled::MeetingId("1234567890".to_owned())]);
}

#[test]
fn malformed_requests_get_their_own_status_and_are_noted_as_they_came() {
    let good = invite("sip:1234567890@meet.example.com", "");
    for (text, status) in [
        (good.replace("CSeq: 1 INVITE", "CSeq: x INVITE"), Some(400)),
        (good.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), Some(400)),
        (good.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), Some(505)),
        (
            good.replace("Contact: <sip:ann@192.0.2.1:5070>\r\n", ""),
            Some(400),
        ),
        ("\u{1}\u{2}garbage\r\n\r\n".to_owned(), None),
        ("SIP/2.0 999999 x\r\n\r\n".to_owned(), None),
    ] {
        let mut bench = Bench::udp();
        assert_eq!(bench.say(&text), status, "{text}");
        assert!(bench.notes.iter().any(|note| matches!(
            note,
            Note::SipMessage { incoming: true, bytes, .. } if bytes == text.as_bytes()
        )));
    }
}

#[test]
fn methods_that_are_not_served_get_405_with_those_that_are() {
    for method in ["REGISTER", "MESSAGE", "SUBSCRIBE", "REFER"] {
        let mut bench = Bench::udp();
        let status = bench.say(&request(method, "sip:meet.example.com", "", ""));
        assert_eq!(status, Some(405), "{method}");
        assert_eq!(
            bench.header(Name::Allow),
            "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"
        );
    }
}

#[test]
fn what_exists_only_in_a_dialog_is_481_outside() {
    for method in ["BYE", "PRACK", "UPDATE", "INFO"] {
        let mut bench = Bench::udp();
        let status = bench.say(&request(method, "sip:meet.example.com", "", ""));
        assert_eq!(status, Some(481), "{method}");
    }
}

#[test]
fn a_method_that_nobody_knows_gets_501() {
    let mut bench = Bench::udp();
    let status = bench.say(&request("NEWMETHOD", "sip:meet.example.com", "", ""));
    assert_eq!(status, Some(501));
}

#[test]
fn only_who_would_begin_a_dialog_is_asked_for_credentials() {
    let secret = Secret::Password(Password::new("zanzibar"));
    let mut config = config();
    let users = [("ann".to_owned(), secret)].into();
    config.users.insert(Transport::Udp, users);
    for (method, status) in [
        ("INVITE", Some(401)),
        ("SUBSCRIBE", Some(401)),
        ("REFER", Some(401)),
        ("OPTIONS", Some(200)),
        ("REGISTER", Some(405)),
        ("BYE", Some(481)),
        ("CANCEL", Some(481)),
        ("ACK", None),
    ] {
        let mut bench = Bench::new(Transport::Udp, config.clone());
        let said = bench.say(&request(method, "sip:meet.example.com", "", ""));
        assert_eq!(said, status, "{method}");
    }
    // Another listener has no users: everybody may call.
    let mut bench = Bench::new(Transport::Tcp, config);
    assert_eq!(bench.say(&invite("sip:meet.example.com", "")), Some(100));
}

#[test]
fn credentials_with_auth_int_or_for_others_are_refused_with_400() {
    let secret = Secret::Password(Password::new("zanzibar"));
    let mut config = config();
    let users = [("ann".to_owned(), secret)].into();
    config.users.insert(Transport::Udp, users);
    for (uri, qop) in [
        ("sip:meet.example.com", "auth-int"),
        ("sip:elsewhere.example.net", "auth"),
    ] {
        let mut bench = Bench::new(Transport::Udp, config.clone());
        let credentials = format!(
            "Authorization: Digest username=\"ann\", realm=\"campanile\", nonce=\"n\", uri=\"{uri}\", \
             qop={qop}, nc=00000001, cnonce=\"c\", response=\"{}\"\r\n",
            "0".repeat(32)
        );
        let said = bench.say(&invite("sip:meet.example.com", &credentials));
        assert_eq!(said, Some(400), "{uri} {qop}");
    }
}

#[test]
fn options_say_what_we_can() {
    let mut bench = Bench::udp();
    assert_eq!(
        bench.say(&request("OPTIONS", "sip:meet.example.com", "", "")),
        Some(200)
    );
    assert_eq!(bench.header(Name::Accept), "application/sdp");
    assert!(bench.header(Name::Allow).contains("INVITE"));
    assert!(bench.sent[0].headers.has(Name::Supported));
    assert!(bench.sent[0].headers.to().unwrap().tag().is_some());
}

#[test]
fn a_required_extension_is_named_back_with_420() {
    let mut bench = Bench::udp();
    let text = invite(
        "sip:1234567890@meet.example.com",
        "Require: 100rel, foo, timer, bar\r\n",
    );
    assert_eq!(bench.say(&text), Some(420));
    assert_eq!(bench.header(Name::Unsupported), "foo, bar");
}

#[test]
fn supported_extensions_are_tolerated() {
    let mut bench = Bench::udp();
    let extra = "Supported: timer, 100rel\r\nSession-Expires: 1800\r\n";
    let text = invite("sip:1234567890@meet.example.com", extra);
    assert_eq!(bench.say(&text), Some(100));
}

#[test]
fn a_request_within_no_dialog_gets_481() {
    for method in ["BYE", "INVITE", "OPTIONS", "INFO"] {
        let mut bench = Bench::udp();
        let text = request(method, "sip:meet.example.com", "", "")
            .replace("To: <sip:meet.example.com>", "To: <sip:x@y>;tag=gone");
        assert_eq!(bench.say(&text), Some(481), "{method}");
    }
    let mut bench = Bench::udp();
    let cancel = request("CANCEL", "sip:meet.example.com", "", "");
    assert_eq!(bench.say(&cancel), Some(481));
}

#[test]
fn an_ack_of_nothing_is_answered_with_nothing() {
    let mut bench = Bench::udp();
    assert_eq!(
        bench.say(&request("ACK", "sip:meet.example.com", "", "")),
        None
    );
    assert_eq!(bench.phones.held(), 0);
}

#[test]
fn the_same_invite_over_two_ways_is_merged_with_482() {
    let mut bench = Bench::udp();
    let text = invite("sip:1234567890@meet.example.com", "");
    assert_eq!(bench.say(&text), Some(100));
    assert_eq!(
        bench.say(&text.replace("branch=z9hG4bK", "branch=z9hG4bKother")),
        Some(482)
    );
    assert_eq!(bench.dialled.len(), 1);
}

#[test]
fn an_rfc_2543_invite_and_its_copy_make_one_call() {
    let mut bench = Bench::udp();
    let text = invite("sip:1234567890@meet.example.com", "").replace(";branch=z9hG4bK", ";old=");
    assert_eq!(bench.say(&text), Some(100));
    assert_eq!(bench.say(&text), Some(100));
    assert_eq!(bench.dialled.len(), 1);
}

#[test]
fn max_forwards_zero_matters_only_for_others() {
    let spent = |uri| invite(uri, "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    let mut bench = Bench::udp();
    assert_eq!(
        bench.say(&spent("sip:1234567890@meet.example.com")),
        Some(100)
    );
    assert_eq!(bench.say(&spent("sip:x@elsewhere.example.org")), Some(483));
}

#[test]
fn a_body_that_is_no_sdp_gets_415() {
    let mut bench = Bench::udp();
    let text = invite("sip:1234567890@meet.example.com", "")
        .replace("application/sdp", "application/isup");
    assert_eq!(bench.say(&text), Some(415));
    assert_eq!(bench.header(Name::Accept), "application/sdp");
}

#[test]
fn a_broken_description_gets_400_and_one_without_audio_488() {
    let uri = "sip:1234567890@meet.example.com";
    let mut bench = Bench::udp();
    assert_eq!(bench.say(&request("INVITE", uri, "", "no sdp")), Some(400));
    let video = OFFER.replace("m=audio", "m=video");
    let mut bench = Bench::udp();
    assert_eq!(bench.say(&request("INVITE", uri, "", &video)), Some(488));
}

#[test]
fn responses_carry_received_and_rport_and_go_where_they_say() {
    let mut bench = Bench::udp();
    let text = request("OPTIONS", "sip:meet.example.com", "", "")
        .replace("192.0.2.1:5070;branch", "10.0.0.1:9999;rport;branch");
    bench.say(&text);
    let via = bench.sent[0].headers.via().unwrap();
    assert_eq!(via.rport(), Some(5070));
    assert_eq!(via.received(), Some("192.0.2.1".parse().unwrap()));
}

#[test]
fn refused_requests_leave_nothing_but_their_transactions() {
    let mut bench = Bench::udp();
    for uri in [
        "sip:bob@meet.example.com",
        "tel:+15550100",
        "sip:x@elsewhere.example.org",
    ] {
        bench.say(&invite(uri, ""));
    }
    bench.now += Duration::from_secs(40);
    bench.phones.timeout(bench.now);
    while bench.phones.poll().is_some() {}
    bench.now += Duration::from_secs(40);
    bench.phones.timeout(bench.now);
    assert_eq!(bench.phones.held(), 0);
}

#[test]
fn a_flood_beyond_the_limit_is_answered_without_state() {
    let mut small = config();
    small.max_calls = 1;
    let mut bench = Bench::new(Transport::Udp, small);
    let mut statuses = Vec::new();
    for number in 0..1010 {
        let text = request("OPTIONS", "sip:meet.example.com", "", "")
            .replace("branch=z9hG4bK", &format!("branch=z9hG4bK{number}x"))
            .replace("Call-ID: c-", &format!("Call-ID: c{number}-"));
        statuses.push(bench.say(&text).unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 10);
    assert_eq!(bench.phones.held(), 1000);
}

#[test]
fn what_belongs_to_another_connection_is_not_touched_by_one_that_closes() {
    let mut bench = Bench::new(Transport::Tcp, config());
    bench.say(&invite("sip:1234567890@meet.example.com", ""));
    bench
        .phones
        .handle(bench.now, Input::FlowClosed { flow: FlowId(99) });
    assert_eq!(bench.phones.active(), 1);
}
