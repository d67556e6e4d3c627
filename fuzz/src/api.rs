//! Requests of the signed API: what stands in their bodies, and what they say of their signature.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use campanile::http::api::sigv4::{self, BadSignature, Received};
use campanile::http::api::{read_cbor, understand, understand_form, write_cbor};

/// `METHOD path?query`, a line end, a body: no panic, a refusal that says something, and what was understood is understood as the same when it is the body again.
pub fn api_body(data: &[u8]) {
    let Some((method, path, query, body)) = request(data) else {
        return;
    };
    let Some(understood) = understand(method, path, query, body) else {
        return;
    };
    match understood {
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
        Ok(understood) => {
            let body = understood.members.to_string();
            let again = understand(method, path, query, body.as_bytes());
            let again = again.and_then(Result::ok);
            assert_eq!(again.as_ref(), Some(&understood), "{method} {path}");
        }
    }
}

/// A body in CBOR: no panic, and what is read is the same after it was written.
pub fn cbor_body(data: &[u8]) {
    match read_cbor(data) {
        Err(error) => assert!(!error.message.is_empty()),
        Ok(value) => assert_eq!(read_cbor(&write_cbor(&value)).ok(), Some(value)),
    }
}

/// A form of the query protocol: no panic, and what is understood are members of the operation that it names.
pub fn query_form(data: &[u8]) {
    match understand_form(data) {
        Err(error) => assert!(!error.message.is_empty()),
        Ok((name, members)) => assert!(!name.is_empty() && members.is_object()),
    }
}

/// `METHOD path?query`, lines of headers, an empty line, a body: no panic, and nobody is believed who does not have
/// the secret.
pub fn sigv4(data: &[u8]) {
    let Some((method, path, query, rest)) = request(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    let mut lines = rest;
    while let Some(at) = lines.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&lines[..at], &lines[at + 1..]);
        lines = rest;
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        let (Ok(name), Ok(value)) = (name, value) else {
            return;
        };
        headers.append(name, value);
    }
    let received = Received {
        method,
        path,
        query,
        headers: &headers,
        body: lines,
    };
    let claims = [Some(sigv4::claim(&headers)), sigv4::claim_of_query(query)];
    for claim in claims.into_iter().flatten() {
        let claim = match claim {
            Ok(claim) => claim,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let verify = |secret, service, now| claim.verify(received, secret, service, now);
        for service in ["chime", "sts"] {
            assert!(verify("a secret that nobody knows", service, NOW).is_err());
            // Long ago, and in a year that no claim can name.
            for now in [i64::MIN, i64::MAX] {
                assert!(verify(SECRET, service, now).is_err());
            }
            if let Err(error) = verify(SECRET, service, NOW) {
                assert!(!error.to_string().is_empty());
                assert_ne!(error, BadSignature::Missing);
            }
        }
    }
}

/// What the seeds are signed with, and when.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW: i64 = 1_795_348_800;

/// The first line, and what follows it.
fn request(data: &[u8]) -> Option<(&str, &str, &str, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&data[..end]).ok()?;
    let (method, target) = line.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some((method, path, query, &data[end + 1..]))
}
