//! Takes secrets out of SIP messages before they are written anywhere: meeting ids, credentials, keys.
//!
//! Works on bytes, so that a message that is no valid SIP is masked as well. Everything else stays
//! whole.

/// What a meeting id becomes (`spec.md` §4).
pub const MASKED_PIN: &str = "XXXXXXXXXX";

/// A SIP message as it may be kept: text, with octets that are no UTF-8 replaced by U+FFFD.
///
/// `meet_hosts` are our own names and addresses; ten or thirteen digits before one of them in a SIP
/// URI are a meeting id.
#[must_use]
pub fn sip_message(bytes: &[u8], meet_hosts: &[String]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut masked = String::with_capacity(text.len());
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        mask_line(line, meet_hosts, &mut found, &mut masked);
    }
    // The same digits may stand elsewhere in the message, such as in a display name.
    for id in found {
        masked = masked.replace(&id, MASKED_PIN);
    }
    masked
}

/// A user part as it may be kept: a meeting id is masked, anything else stays.
#[must_use]
pub fn user(user: &str) -> &str {
    if is_meeting_id(user) {
        MASKED_PIN
    } else {
        user
    }
}

/// Whether it has the form of a meeting id: 10 digits, or 13 for a moderator's.
fn is_meeting_id(text: &str) -> bool {
    matches!(text.len(), 10 | 13) && text.bytes().all(|b| b.is_ascii_digit())
}

fn mask_line(line: &str, meet_hosts: &[String], found: &mut Vec<String>, out: &mut String) {
    let lower = line.to_ascii_lowercase();
    if lower.starts_with("authorization") || lower.starts_with("proxy-authorization") {
        return mask_credentials(line, out);
    }
    if lower.starts_with("a=ice-pwd:")
        || lower.starts_with("k=")
        || lower.starts_with("a=key-mgmt:")
    {
        let keep = if lower.starts_with("k=") {
            2
        } else {
            line.find(':').map_or(0, |i| i + 1)
        };
        return mask_value(line, keep, out);
    }
    if lower.starts_with("a=crypto:") {
        return mask_inline_keys(line, &lower, out);
    }
    mask_meeting_ids(line, meet_hosts, found, out);
}

/// Keeps the header's name and scheme; user name, realm, nonce and response go.
fn mask_credentials(line: &str, out: &mut String) {
    let value = line.find(':').map_or(line.len(), |i| i + 1);
    let scheme_end = line[value..]
        .trim_start()
        .find([' ', '\t', '\r', '\n'])
        .map_or(line.len(), |i| {
            value + (line[value..].len() - line[value..].trim_start().len()) + i
        });
    mask_value(line, scheme_end, out);
}

/// Keeps the first `keep` octets and the line ending.
fn mask_value(line: &str, keep: usize, out: &mut String) {
    let end = line.trim_end_matches(['\r', '\n']).len();
    out.push_str(&line[..keep.min(end)]);
    if end > keep {
        out.push_str(if line[..keep].ends_with([':', '=']) {
            "XXXX"
        } else {
            " XXXX"
        });
    }
    out.push_str(&line[end..]);
}

/// Replaces every master key of an SDES line (RFC 4568 §6.1); lifetime and MKI stay.
fn mask_inline_keys(line: &str, lower: &str, out: &mut String) {
    let mut rest = 0;
    while let Some(at) = lower[rest..].find("inline:") {
        let key = rest + at + "inline:".len();
        let end = line[key..]
            .find(['|', ' ', ';', '\t', '\r', '\n'])
            .map_or(line.len(), |i| key + i);
        out.push_str(&line[rest..key]);
        out.push_str("XXXX");
        rest = end;
    }
    out.push_str(&line[rest..]);
}

/// Replaces digits that are a meeting id: the user part of a URI whose host is ours.
fn mask_meeting_ids(line: &str, meet_hosts: &[String], found: &mut Vec<String>, out: &mut String) {
    let mut rest = 0;
    for (at, _) in line.match_indices('@') {
        let digits = line[rest..at]
            .bytes()
            .rev()
            .take_while(u8::is_ascii_digit)
            .count();
        let start = at - digits;
        let bounded = line[..start].ends_with([':', '<', ' ', '"']);
        if bounded && is_meeting_id(&line[start..at]) && is_ours(&line[at + 1..], meet_hosts) {
            out.push_str(&line[rest..start]);
            out.push_str(MASKED_PIN);
            found.push(line[start..at].to_owned());
            rest = at;
        }
    }
    out.push_str(&line[rest..]);
}

fn is_ours(after_at: &str, meet_hosts: &[String]) -> bool {
    let host = match after_at.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => after_at
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'))
            .next()
            .unwrap_or(after_at),
    };
    meet_hosts
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(text: &str) -> String {
        sip_message(
            text.as_bytes(),
            &["meet.example.org".into(), "127.0.0.1".into(), "::1".into()],
        )
    }

    #[test]
    fn meeting_ids_are_masked_wherever_they_stand_and_phone_numbers_are_not() {
        let text = "INVITE sip:1234567890@meet.example.org SIP/2.0\r\n\
                    To: <sips:1234567890123@127.0.0.1:5061>;tag=1\r\n\
                    Contact: <sip:1234567890@[::1]:5061>\r\n\
                    From: \"1234567890\" <sip:2065550100@pbx.example.com>\r\n";
        let expected = "INVITE sip:XXXXXXXXXX@meet.example.org SIP/2.0\r\n\
                        To: <sips:XXXXXXXXXX@127.0.0.1:5061>;tag=1\r\n\
                        Contact: <sip:XXXXXXXXXX@[::1]:5061>\r\n\
                        From: \"XXXXXXXXXX\" <sip:2065550100@pbx.example.com>\r\n";
        assert_eq!(mask(text), expected);
    }

    #[test]
    fn every_key_of_a_crypto_line_goes_and_lifetime_and_mki_stay() {
        let line =
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4;inline:b3RoZXI= KDR=1\r\n";
        let expected =
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:XXXX|2^20|1:4;inline:XXXX KDR=1\r\n";
        assert_eq!(mask(line), expected);
    }

    #[test]
    fn credentials_keep_their_scheme_only() {
        let line = "Authorization: Digest username=\"bob\", response=\"00ff\"\r\n";
        assert_eq!(mask(line), "Authorization: Digest XXXX\r\n");
        assert_eq!(mask("proxy-authorization:\r\n"), "proxy-authorization:\r\n");
    }

    #[test]
    fn ice_passwords_and_old_key_lines_go() {
        assert_eq!(
            mask("a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"),
            "a=ice-pwd:XXXX\r\n"
        );
        assert_eq!(mask("k=clear:secret\n"), "k=XXXX\n");
    }

    #[test]
    fn a_message_without_secrets_stays_whole_even_with_odd_octets() {
        let text = "OPTIONS sip:meet.example.org SIP/2.0\r\nSubject: a@b \"@@\r\n\r\n";
        assert_eq!(mask(text), text);
        assert_eq!(sip_message(b"\xff@\xfe", &[]), "\u{fffd}@\u{fffd}");
    }
}
