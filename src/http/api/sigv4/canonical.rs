//! What is signed of a request, and the signature over it: the same for who signs and who checks.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};

use super::{ALGORITHM, BadSignature, Claim, Received, SIGNATURE};

/// The signature that the claim should have over the request, with that secret.
pub(super) fn signature(
    claim: &Claim,
    received: Received<'_>,
    secret: &str,
) -> Result<String, BadSignature> {
    let to_sign = claim.string_to_sign(received)?;
    Ok(hex(&mac(&claim.key(secret), &to_sign)))
}

impl Claim {
    fn string_to_sign(&self, received: Received<'_>) -> Result<String, BadSignature> {
        let canonical = self.canonical(received, &body_hash(received.body))?;
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        );
        let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        Ok(format!("{ALGORITHM}\n{}\n{scope}\n{hashed}", self.time))
    }

    fn canonical(&self, received: Received<'_>, body: &str) -> Result<String, BadSignature> {
        let mut text = format!(
            "{}\n{}\n{}\n",
            received.method,
            canonical_path(received.path),
            canonical_query(received.query, self.expires.is_some())
        );
        for name in &self.signed_headers {
            let mut values = Vec::new();
            for value in received.headers.get_all(name.as_str()) {
                // Bytes above 127 cannot be signed reliably; no client of ours sends them.
                let value = value.to_str().map_err(|_| BadSignature::Mismatch)?;
                values.push(value.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            if values.is_empty() {
                return Err(BadSignature::Incomplete(format!(
                    "The signed header '{name}' is missing."
                )));
            }
            text.push_str(name);
            text.push(':');
            text.push_str(&values.join(","));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed_headers.join(";"));
        text.push('\n');
        text.push_str(body);
        Ok(text)
    }

    /// The key for one day, region and service.
    fn key(&self, secret: &str) -> Vec<u8> {
        let day = mac(format!("AWS4{secret}").as_bytes(), &self.date);
        let region = mac(&day, &self.region);
        let service = mac(&region, &self.service);
        mac(&service, "aws4_request")
    }
}

/// Encodes the received path once more: it was encoded to be sent, and is encoded again to be signed.
/// Empty and dot segments are dropped.
pub(super) fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut text = String::new();
    for segment in &segments {
        text.push('/');
        encode(&mut text, segment.bytes());
    }
    if text.is_empty() || path.ends_with('/') {
        text.push('/');
    }
    text
}

/// The query as it is signed; a pre-signed one without its signature.
fn canonical_query(query: &str, presigned: bool) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| !presigned || pair.split('=').next() != Some(SIGNATURE))
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let again = |text: &str| {
                let mut encoded = String::new();
                encode(&mut encoded, decode(text));
                encoded
            };
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
pub fn encode(text: &mut String, bytes: impl IntoIterator<Item = u8>) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// Undoes percent-encoding; what is no escape stays.
pub(in crate::http::api) fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

pub(super) fn body_hash(body: &[u8]) -> String {
    hex(digest(&SHA256, body).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
