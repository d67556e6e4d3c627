//! Takes secrets out of SIP messages before they are written anywhere: meeting ids, credentials, keys.
//!
//! Works on bytes, so that a message that is no valid SIP is masked as well. Everything else stays
//! whole.

mod userinfo;

#[cfg(test)]
mod tests;

/// What a meeting id becomes (`spec.md` §4).
pub const MASKED_PIN: &str = "XXXXXXXXXX";

/// A SIP message as it may be kept: text, with octets that are no UTF-8 replaced by U+FFFD.
///
/// `meet_hosts` are our own names and addresses; ten or thirteen digits before one of them in a SIP
/// URI are a meeting id, however they are spelt.
#[must_use]
pub fn sip_message(bytes: &[u8], meet_hosts: &[String]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut masked = String::with_capacity(text.len());
    let mut found = Vec::new();
    let (mut credentials, mut begun, mut body, mut keys) = (false, false, false, false);
    for line in lines(&text) {
        // A folded line goes on with what the one before it said (RFC 3261 §7.3.1).
        let blank = line.trim_end_matches(['\r', '\n']).is_empty();
        if credentials && line.starts_with([' ', '\t']) {
            continue;
        }
        let lower = line.to_ascii_lowercase();
        // A body may hold another message, whose credentials are credentials too.
        credentials = carries_credentials(&lower);
        body |= begun && blank;
        begun |= !blank;
        keys |= !body && lower.contains("application/dtmf");
        if credentials {
            mask_credentials(line, &mut masked);
        } else if body && keys && reports_key(&lower) {
            mask_keys(line, &mut masked);
        } else {
            mask_line(line, &lower, meet_hosts, &mut found, &mut masked);
        }
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

/// Lines with their ends: CRLF, LF, or the lone CR with which a broken sender ends them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.find(['\r', '\n'])?;
        let end = if rest[end..].starts_with("\r\n") {
            end + 2
        } else {
            end + 1
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
    .chain(Some(last_line(text)).filter(|line| !line.is_empty()))
}

fn last_line(text: &str) -> &str {
    text.rfind(['\r', '\n'])
        .map_or(text, |end| &text[end + 1..])
}

fn carries_credentials(lower: &str) -> bool {
    let name = lower.trim_start();
    name.starts_with("authorization") || name.starts_with("proxy-authorization")
}

fn mask_line(
    line: &str,
    lower: &str,
    meet_hosts: &[String],
    found: &mut Vec<String>,
    out: &mut String,
) {
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
        return mask_inline_keys(line, lower, out);
    }
    userinfo::mask(line, lower, meet_hosts, found, out);
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

/// Whether a line of an INFO's body reports a key: `Signal=5`, or the bare key. One by one they are a meeting id.
fn reports_key(lower: &str) -> bool {
    lower.trim_start().starts_with("signal") || lower.trim().chars().count() == 1
}

fn mask_keys(line: &str, out: &mut String) {
    let (kept, value) = line.split_at(line.find(['=', ':']).map_or(0, |at| at + 1));
    out.push_str(kept);
    out.extend(value.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '*' | '#') => 'X',
        c => c,
    }));
}
