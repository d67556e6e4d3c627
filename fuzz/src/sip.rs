//! SIP: messages, stream framing, URIs, Via, digests.

use std::net::SocketAddr;

use wire::sip::digest::{Challenge, Credentials};
use wire::sip::{
    Limits, MAX_HEADERS, MAX_MESSAGE, Message, Name, StreamItem, StreamReader, Uri, Via,
};

/// A datagram: no panic; every typed reader is called; an accepted message written and read again is the
/// same but for its Content-Length; a refused one yields an answer that reads.
pub fn sip_message(data: &[u8]) {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => {
            if let Some(response) = error.response() {
                // What could not be read is copied as it is, so the answer may be refused as well.
                let _ = Message::parse(&response.to_bytes());
            }
            return;
        }
    };
    read_all(&message);
    let bytes = message.to_bytes();
    if message.headers.len() >= MAX_HEADERS || bytes.len() > MAX_MESSAGE {
        return;
    }
    let again = Message::parse(&bytes).unwrap_or_else(|e| panic!("refused what we wrote: {e}"));
    assert_eq!(message.start, again.start);
    assert_eq!(message.body, again.body);
    assert_eq!(bytes, again.to_bytes());
    if message.is_request() {
        let response = Message::response_to(&message, 200, "OK");
        if let Err(e) = Message::parse(&response.to_bytes()) {
            panic!("our response is refused: {e}");
        }
    }
}

fn read_all(message: &Message) {
    let headers = &message.headers;
    let _ = (message.uri(), message.reason());
    let _ = (headers.vias(), headers.from(), headers.to());
    let _ = (headers.cseq(), headers.call_id(), headers.contacts());
    let _ = (headers.routes(), headers.record_routes());
    let _ = (headers.content_type(), headers.expires());
    let _ = (headers.allowed(), headers.unsupported(&[]));
    for field in headers.iter() {
        let _ = headers.text(field.name);
        let _ = headers.params(field.name);
    }
    let mut masked = message.clone();
    masked.headers.rewrite(|_, v| Some(vec![b'*'; v.len()]));
    assert_eq!(masked.headers.len(), headers.len());
    masked.headers.remove(Name::Via);
    assert!(!masked.headers.has(Name::Via));
}

/// A connection: the first byte chooses how the rest is cut up; the same messages must come out as from
/// one piece.
pub fn sip_stream(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let whole = drain(std::iter::once(data));
    let pieces = drain(data.chunks(usize::from(*first).max(1)));
    assert_eq!(whole, pieces);
}

fn drain<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Result<Message, u16>>, bool) {
    let mut reader = StreamReader::new(Limits::default());
    let mut messages = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(StreamItem::Message(message))) => messages.push(Ok(message)),
                Ok(Some(StreamItem::Invalid(error))) => messages.push(Err(error.status())),
                Ok(Some(StreamItem::Ping | StreamItem::Pong)) => {}
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

/// A URI: what is accepted reads the same after it was written.
pub fn sip_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(uri) = Uri::parse(text) else {
        return;
    };
    let _ = (uri.user_plain(), uri.transport());
    let again = Uri::parse(&uri.to_string()).unwrap_or_else(|e| panic!("{uri}: {e}"));
    assert_eq!(uri, again);
    assert!(uri.is_equivalent(&again));
}

/// A Via value: what is accepted reads the same after it was written, and takes note of any source.
pub fn sip_via(data: &[u8]) {
    let Ok(via) = Via::parse(data) else {
        return;
    };
    let _ = (via.received(), via.rport(), via.reply_addr());
    let text = via.to_string();
    let again = Via::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(text, again.to_string());
    assert_eq!(via.transaction_branch(), again.transaction_branch());
    for source in ["192.0.2.1:5060", "[2001:db8::1]:40000"] {
        let source: SocketAddr = source.parse().unwrap_or_else(|e| panic!("{e}"));
        let mut noted = via.clone();
        noted.note_source(source);
        let text = noted.to_string();
        let read = Via::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let told = read.received().or(read.host.ip());
        assert_eq!(told.map(|ip| ip.to_canonical()), Some(source.ip()));
        if read.wants_rport() {
            assert_eq!(read.rport(), Some(source.port()));
        }
    }
}

/// A challenge or credentials: what is accepted reads the same after it was written.
pub fn sip_digest(data: &[u8]) {
    if let Ok(challenge) = Challenge::parse(data) {
        let text = challenge.to_string();
        let again = Challenge::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(text, again.to_string());
        assert_eq!(
            (challenge.algorithm, challenge.qop),
            (again.algorithm, again.qop)
        );
    }
    if let Ok(credentials) = Credentials::parse(data) {
        let text = credentials.to_string();
        let again = Credentials::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(text, again.to_string());
        assert_eq!(credentials.response, again.response);
        assert!(!format!("{credentials:?}").contains(&credentials.response));
    }
}
