//! INFO with a key press in its body, as devices send it that do not tell keys by RTP.
//!
//! `application/dtmf-relay` has lines `Signal=5` and `Duration=160`, `application/dtmf` nothing but the key. Neither
//! is standardised; RFC 6086 §1 knows such uses as legacy.

use wire::sip::{Message, Name};

/// What an INFO may carry, for the `Accept` of a 415.
pub(super) const ACCEPT: &str = "application/dtmf-relay, application/dtmf";

/// What an INFO says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Info {
    /// This key was pressed.
    Digit(char),
    /// Nothing: it asks whether the call is alive, or tells of a hook flash.
    Nothing,
    /// A body of a kind that we read, but not readable.
    Malformed,
    /// A body of another kind.
    UnknownBody,
    /// A package (RFC 6086), of which we take none.
    UnknownPackage,
}

/// Reads an INFO.
pub(super) fn read(request: &Message) -> Info {
    if request.headers.has(Name::Other("Info-Package")) {
        return Info::UnknownPackage;
    }
    if request.body.is_empty() {
        return Info::Nothing;
    }
    let Ok(text) = std::str::from_utf8(&request.body) else {
        return Info::Malformed;
    };
    match request.headers.content_type().as_deref() {
        Some("application/dtmf-relay") => text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("signal"))
            .map_or(Info::Malformed, |(_, key)| key_of(key)),
        Some("application/dtmf") => key_of(text),
        _ => Info::UnknownBody,
    }
}

/// A key as written, or as the event number of RFC 4733 §3.2; 16 is a hook flash.
fn key_of(text: &str) -> Info {
    let text = text.trim();
    let mut characters = text.chars();
    if let (Some(key), None) = (characters.next(), characters.next()) {
        let key = key.to_ascii_uppercase();
        return if matches!(key, '0'..='9' | '*' | '#' | 'A'..='D') {
            Info::Digit(key)
        } else {
            Info::Malformed
        };
    }
    match text {
        "10" => Info::Digit('*'),
        "11" => Info::Digit('#'),
        "12" => Info::Digit('A'),
        "13" => Info::Digit('B'),
        "14" => Info::Digit('C'),
        "15" => Info::Digit('D'),
        "16" => Info::Nothing,
        _ => Info::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use wire::sip::Method;

    use super::*;

    fn info(kind: &str, body: &str) -> Info {
        let mut request = Message::request(Method::Info, "sip:a@b");
        request.set_body(kind, body.as_bytes().to_vec());
        read(&request)
    }

    #[test]
    fn a_key_is_read_from_both_kinds_of_body() {
        for (body, key) in [
            ("Signal=5\r\nDuration=160\r\n", '5'),
            ("Signal= *\r\nDuration= 250", '*'),
            ("duration=100\r\nSIGNAL = #\r\n", '#'),
            ("Signal=11\r\n", '#'),
            ("Signal=a\r\n", 'A'),
        ] {
            assert_eq!(info("application/dtmf-relay", body), Info::Digit(key));
        }
        assert_eq!(info("Application/DTMF", "7\r\n"), Info::Digit('7'));
        assert_eq!(
            info("application/dtmf; charset=utf-8", "10"),
            Info::Digit('*')
        );
    }

    #[test]
    fn what_is_no_key_presses_none() {
        assert_eq!(info("application/dtmf", "16"), Info::Nothing);
        assert_eq!(info("application/dtmf", "x"), Info::Malformed);
        assert_eq!(info("application/dtmf", "17"), Info::Malformed);
        assert_eq!(
            info("application/dtmf-relay", "Signal=\r\n"),
            Info::Malformed
        );
        assert_eq!(info("application/dtmf-relay", "5"), Info::Malformed);
        assert_eq!(info("text/plain", "5"), Info::UnknownBody);
        assert_eq!(
            read(&Message::request(Method::Info, "sip:a@b")),
            Info::Nothing
        );
        let mut packaged = Message::request(Method::Info, "sip:a@b");
        packaged
            .headers
            .push(Name::Other("Info-Package"), "conference");
        assert_eq!(read(&packaged), Info::UnknownPackage);
    }
}
