//! The part of a URI before its `@`: meeting ids in every spelling, and passwords.

use std::net::{IpAddr, Ipv6Addr};

use super::{MASKED_PIN, is_meeting_id};

/// Copies a line with the secrets of each `…@host` replaced. Ids found are added to `found`.
pub(super) fn mask(
    line: &str,
    lower: &str,
    meet_hosts: &[String],
    found: &mut Vec<String>,
    out: &mut String,
) {
    let mut rest = 0;
    for (at, _) in line.match_indices('@') {
        let start = rest + start_of(&lower[rest..at]);
        let (user, password) = match line[start..at].split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (&line[start..at], None),
        };
        let ours = is_ours(&line[at + 1..], meet_hosts);
        let in_uri = ["sip:", "sips:"]
            .iter()
            .any(|s| lower[..start].ends_with(s));
        out.push_str(&line[rest..start]);
        match (ours, in_uri) {
            (true, true) => mask_ids(user, found, out),
            // No URI, yet in its form: a Call-ID, a display name.
            (true, false) if is_meeting_id(&plain(user).0) => mask_ids(user, found, out),
            _ => out.push_str(user),
        }
        if let Some(password) = password {
            out.push(':');
            out.push_str(if in_uri { "XXXX" } else { password });
        }
        rest = at;
    }
    let before = out.len();
    mask_embedded_credentials(&line[rest..], &lower[rest..], out);
    if lower[rest..].contains("tel:") {
        let text = out.split_off(before);
        mask_numbers(&text, meet_hosts, found, out);
    }
}

/// Replaces ids dialled as local numbers of ours: `tel:1234567890;phone-context=meet.example.org` (RFC 3966 §5.1.5).
fn mask_numbers(text: &str, meet_hosts: &[String], found: &mut Vec<String>, out: &mut String) {
    let lower = text.to_ascii_lowercase();
    let mut rest = 0;
    while let Some(at) = lower[rest..].find("tel:") {
        let start = rest + at + "tel:".len();
        let end = text[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '"' | ','))
            .map_or(text.len(), |i| start + i);
        let context = lower[start..end]
            .find(";phone-context=")
            .map(|at| &text[start + at + ";phone-context=".len()..end]);
        out.push_str(&text[rest..start]);
        match context {
            Some(context) if is_ours(context, meet_hosts) => {
                mask_ids(&text[start..end], found, out);
            }
            _ => out.push_str(&text[start..end]),
        }
        rest = end;
    }
    out.push_str(&text[rest..]);
}

/// Where the user part begins in what stands before an `@`: after a URI's scheme, or after what ends a word.
fn start_of(before: &str) -> usize {
    let word = before
        .char_indices()
        .rfind(|(_, c)| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '@'))
        .map_or(0, |(at, c)| at + c.len_utf8());
    let scheme = ["sip:", "sips:"]
        .iter()
        .filter_map(|scheme| before[word..].find(scheme).map(|at| at + scheme.len()))
        .min();
    match scheme {
        Some(after) => word + after,
        // `Call-ID:1234567890@host`
        None => before[word..].find(':').map_or(word, |at| word + at + 1),
    }
}

/// Copies a user part, with every run of digits that has the form of a meeting id replaced: the user itself,
/// or a parameter of it such as `;phone-context=`.
fn mask_ids(user: &str, found: &mut Vec<String>, out: &mut String) {
    let (plain, raw_at) = plain(user);
    let mut rest = 0;
    let mut at = 0;
    while at < plain.len() {
        let digits = plain[at..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            at += plain[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let (before, run, after) = (&plain[..at], &plain[at..at + digits], &plain[at + digits..]);
        // `+4930123456` and `a1234567890` are no meeting ids.
        let joins = |c: char| c.is_alphanumeric() || matches!(c, '+' | '-' | '.');
        if is_meeting_id(run) && !before.ends_with(joins) && !after.starts_with(joins) {
            out.push_str(&user[rest..raw_at[at]]);
            out.push_str(MASKED_PIN);
            rest = raw_at[at + digits];
            found.push(run.to_owned());
        }
        at += digits;
    }
    out.push_str(&user[rest..]);
}

/// The text with its `%xx` of ASCII characters resolved, and where each octet of it (and its end) is in the
/// original.
fn plain(text: &str) -> (String, Vec<usize>) {
    let mut plain = String::with_capacity(text.len());
    let mut raw_at = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let escaped = text
            .get(at + 1..at + 3)
            .filter(|hex| c == '%' && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(u8::is_ascii);
        let (resolved, octets) = match escaped {
            Some(byte) => (char::from(byte), 3),
            None => (c, c.len_utf8()),
        };
        raw_at.extend(std::iter::repeat_n(at, resolved.len_utf8()));
        plain.push(resolved);
        at += octets;
    }
    raw_at.push(text.len());
    (plain, raw_at)
}

fn is_ours(after_at: &str, meet_hosts: &[String]) -> bool {
    let host = match after_at.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => after_at
            .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
            .next()
            .unwrap_or(after_at),
    };
    let host = host.trim_end_matches('.');
    let address = address(host);
    meet_hosts.iter().any(|ours| {
        ours.trim_end_matches('.').eq_ignore_ascii_case(host)
            || (address.is_some() && address == self::address(ours))
    })
}

/// The address that a text spells, IPv4 in IPv6 (`::ffff:…`) as IPv4.
fn address(text: &str) -> Option<IpAddr> {
    match text.parse::<Ipv6Addr>() {
        Ok(v6) => Some(IpAddr::from(v6).to_canonical()),
        Err(_) => text.parse().ok(),
    }
}

/// Replaces the credentials in a URI's header part: `?Authorization=…` in a Refer-To or Contact.
fn mask_embedded_credentials(text: &str, lower: &str, out: &mut String) {
    let mut rest = 0;
    while let Some(at) = lower[rest..].find("authorization=") {
        let value = rest + at + "authorization=".len();
        let end = text[value..]
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '>' | '"' | ';'))
            .map_or(text.len(), |i| value + i);
        out.push_str(&text[rest..value]);
        out.push_str("XXXX");
        rest = end;
    }
    out.push_str(&text[rest..]);
}
