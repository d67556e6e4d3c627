//! What holds for every message: written and read again it is the same, and no input makes a reader panic.

use proptest::prelude::*;

use crate::sip::{Message, Method, Name, NameAddr, StreamItem, StreamReader, Uri, Via};

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,8}(\\.[a-z0-9-]{1,8}){0,3}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
    ]
}

fn uri() -> impl Strategy<Value = String> {
    (
        prop_oneof![Just("sip"), Just("sips")],
        prop::option::of("([A-Za-z0-9_.!~*'()&=+$,;?/-]|%[0-9A-F]{2}){0,10}"),
        host(),
        prop::option::of(any::<u16>()),
        prop::collection::vec((token(), prop::option::of("[a-z0-9:/%]{1,6}")), 0..3),
        prop::option::of("[a-z]{1,5}=[a-z%]{0,5}"),
    )
        .prop_map(|(scheme, user, host, port, params, headers)| {
            let mut text = format!("{scheme}:");
            if let Some(user) = user {
                text += &format!("{user}@");
            }
            text += &host;
            if let Some(port) = port {
                text += &format!(":{port}");
            }
            for (name, value) in params {
                text += &format!(";{name}");
                if let Some(value) = value {
                    text += &format!("={value}");
                }
            }
            if let Some(headers) = headers {
                text += &format!("?{headers}");
            }
            text
        })
}

fn address() -> impl Strategy<Value = String> {
    (
        prop::option::of("[^\\x00-\\x1F\"\\\\]{0,10}"),
        uri(),
        prop::collection::vec((token(), prop::option::of(token())), 0..3),
    )
        .prop_map(|(display, uri, params)| {
            let mut text = display.map_or_else(String::new, |d| format!("\"{d}\" "));
            text += &format!("<{uri}>");
            for (name, value) in params {
                text += &format!(";{name}");
                if let Some(value) = value {
                    text += &format!("={value}");
                }
            }
            text
        })
}

fn message() -> impl Strategy<Value = Message> {
    (
        token(),
        uri(),
        (host(), token(), address(), address()),
        any::<u32>(),
        prop::collection::vec(("X-[A-Za-z0-9-]{1,8}", "[^\r\n]{0,20}"), 0..6),
        prop::collection::vec(any::<u8>(), 0..64),
        prop::option::of((100_u16..700, "[^\r\n]{0,12}")),
    )
        .prop_filter_map(
            "a Request-URI has no header part",
            |(method, uri, (host, branch, from, to), cseq, more, body, response)| {
                if uri
                    .split_once('@')
                    .map_or(uri.as_str(), |(_, r)| r)
                    .contains('?')
                {
                    return None;
                }
                let method = Method::from_token(&method);
                let mut message = Message::request(method.clone(), &uri);
                if let Some((status, reason)) = response {
                    message.start = crate::sip::StartLine::Response {
                        status,
                        reason: reason.into_bytes(),
                    };
                }
                let headers = &mut message.headers;
                headers.push(
                    Name::Via,
                    format_args!("SIP/2.0/UDP {host};branch={branch}"),
                );
                headers.push(Name::From, from);
                headers.push(Name::To, to);
                headers.push(Name::CallId, branch);
                headers.push(Name::CSeq, format_args!("{cseq} {method}"));
                for (name, value) in more {
                    headers.push(Name::Other(&name), value);
                }
                message.set_body("application/octet-stream", body);
                Some(message)
            },
        )
}

proptest! {
    #[test]
    fn a_message_written_and_read_is_the_same(message in message()) {
        prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
    }

    #[test]
    fn a_message_comes_out_of_a_stream_as_out_of_a_datagram(
        message in message(),
        size in 1_usize..200,
    ) {
        let mut reader = StreamReader::default();
        let mut found = Vec::new();
        for piece in message.to_bytes().chunks(size) {
            reader.push(piece);
            while let Ok(Some(item)) = reader.next() {
                found.push(item);
            }
        }
        prop_assert_eq!(found, [StreamItem::Message(message)]);
    }

    #[test]
    fn a_uri_written_and_read_is_the_same(text in uri()) {
        let uri = Uri::parse(&text).unwrap();
        prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
    }

    #[test]
    fn an_address_written_and_read_is_the_same(text in address()) {
        let read = NameAddr::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(NameAddr::parse(read.to_string().as_bytes()), Ok(read));
    }

    #[test]
    fn the_answer_to_any_message_reads(message in message()) {
        let mut response = Message::response_to(&message, 486, "Busy Here");
        response.tag_to("x").unwrap();
        let read = Message::parse(&response.to_bytes()).unwrap();
        prop_assert!(read.headers.to().unwrap().params.has("tag"));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Message::parse(&bytes);
        let _ = NameAddr::parse(&bytes);
        let _ = Via::parse(&bytes);
        let _ = Uri::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_change_to_a_sound_message_makes_a_reader_panic(
        message in message(),
        at in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let mut bytes = message.to_bytes();
        let at = at.index(bytes.len());
        let end = (at + 3).min(bytes.len());
        bytes.splice(at..end, patch);
        if let Ok(message) = Message::parse(&bytes) {
            let written = message.to_bytes();
            prop_assert_eq!(Message::parse(&written).map(|m| m.to_bytes()), Ok(written));
        }
    }
}
