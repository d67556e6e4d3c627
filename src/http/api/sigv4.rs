//! AWS Signature Version 4, in a header or in the query of a pre-signed URL: whose request is this, and is it as they
//! signed it?
//!
//! The signature covers method, path, query, the signed headers and a hash of the body, under a key
//! derived from the secret for one day, region and service.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use axum::http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// A request as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, percent-encoded as received.
    pub path: &'a str,
    /// The query, percent-encoded as received, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// What a request says about its signature. Nothing of it is proved yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Whose secret to check with.
    pub access_key_id: String,
    /// `YYYYMMDD`.
    date: String,
    /// The region signed for.
    region: String,
    /// The service signed for.
    service: String,
    /// Lower-case names in the order given.
    signed_headers: Vec<String>,
    /// 64 hexadecimal digits.
    signature: String,
    /// `YYYYMMDDTHHMMSSZ` as given.
    time: String,
    /// The same in seconds since the epoch.
    seconds: i64,
    /// Seconds that a pre-signed URL holds; `None` for a signature in a header.
    expires: Option<i64>,
    /// The session token of a pre-signed URL.
    token: Option<String>,
}

/// Why a request is not taken as signed. Every one is answered 403.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadSignature {
    /// No signature at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// A part is missing or cannot be read.
    #[error("{0}")]
    Incomplete(String),
    /// No usable access key of that id.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// It was signed for another service, day or protocol.
    #[error("Credential should be scoped to {0}.")]
    Scope(String),
    /// It was signed too long ago, or in the future.
    #[error("{0}")]
    Time(String),
    /// It does not fit the request, or was not made with the secret.
    #[error(
        "The request signature we calculated does not match the signature you provided. \
         Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

impl BadSignature {
    /// The name of the exception that clients see.
    #[must_use]
    pub fn exception(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Scope(_) | Self::Time(_) | Self::Mismatch => "InvalidSignatureException",
        }
    }
}

/// Seconds by which a client's clock may differ from ours.
pub const MAX_SKEW: i64 = 300;

/// Seconds that a pre-signed URL may hold, at most: seven days.
pub const MAX_EXPIRES: i64 = 604_800;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parameter of a pre-signed URL that is its signature.
const SIGNATURE: &str = "X-Amz-Signature";

/// Reads what a request says about its signature.
///
/// # Errors
/// No signature, or one with parts missing.
pub fn claim(headers: &HeaderMap) -> Result<Claim, BadSignature> {
    let mut authorizations = headers.get_all("authorization").iter();
    let authorization = authorizations.next().ok_or(BadSignature::Missing)?;
    if authorizations.next().is_some() {
        return Err(BadSignature::Incomplete(
            "There is more than one Authorization header.".to_owned(),
        ));
    }
    let authorization = authorization.to_str().map_err(|_| {
        BadSignature::Incomplete("The Authorization header is not text.".to_owned())
    })?;
    let Some(parameters) = authorization
        .strip_prefix(ALGORITHM)
        .filter(|rest| rest.starts_with(' '))
    else {
        return Err(BadSignature::Missing);
    };
    let parameter = |name: &str| {
        parameters
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .ok_or_else(|| {
                BadSignature::Incomplete(format!(
                    "Authorization header requires '{name}' parameter."
                ))
            })
    };
    let time = headers
        .get("x-amz-date")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| {
            BadSignature::Incomplete("The request requires an 'X-Amz-Date' header.".to_owned())
        })?;
    settle(
        parameter("Credential")?,
        parameter("SignedHeaders")?,
        parameter("Signature")?,
        time,
    )
}

/// Reads what the query of a pre-signed URL says about its signature; `None` where it says nothing.
///
/// # Errors
/// Parts missing, or a time that it must not hold for.
pub fn claim_of_query(query: &str) -> Option<Result<Claim, BadSignature>> {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let text = |text: &str| String::from_utf8_lossy(&decode(text)).into_owned();
            (text(name), text(value))
        })
        .collect();
    let find = |name: &str| {
        let found = pairs.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    find(SIGNATURE)?;
    let parameter = |name: &str| {
        find(name).ok_or_else(|| {
            BadSignature::Incomplete(format!("The query requires a '{name}' parameter."))
        })
    };
    let read = || {
        if parameter("X-Amz-Algorithm")? != ALGORITHM {
            return Err(BadSignature::Incomplete(format!(
                "X-Amz-Algorithm must be {ALGORITHM}."
            )));
        }
        let expires = parameter("X-Amz-Expires")?
            .parse::<i64>()
            .ok()
            .filter(|seconds| (1..=MAX_EXPIRES).contains(seconds))
            .ok_or_else(|| {
                BadSignature::Incomplete(format!("X-Amz-Expires must be 1 to {MAX_EXPIRES}."))
            })?;
        let mut claim = settle(
            parameter("X-Amz-Credential")?,
            parameter("X-Amz-SignedHeaders")?,
            parameter(SIGNATURE)?,
            parameter("X-Amz-Date")?,
        )?;
        claim.expires = Some(expires);
        claim.token = find("X-Amz-Security-Token").map(str::to_owned);
        Ok(claim)
    };
    Some(read())
}

/// The parts of a claim, wherever they stood.
fn settle(
    credential: &str,
    signed_headers: &str,
    signature: &str,
    time: &str,
) -> Result<Claim, BadSignature> {
    let credential: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, terminator] = credential.as_slice() else {
        return Err(BadSignature::Incomplete(
            "Credential must have the form <access key id>/<date>/<region>/<service>/aws4_request."
                .to_owned(),
        ));
    };
    let seconds = seconds(time).ok_or_else(|| {
        BadSignature::Incomplete("X-Amz-Date must have the form YYYYMMDD'T'HHMMSS'Z'.".to_owned())
    })?;
    if *terminator != "aws4_request" {
        return Err(BadSignature::Scope(
            "a valid terminator: 'aws4_request'".to_owned(),
        ));
    }
    if region.is_empty() {
        return Err(BadSignature::Scope("a region".to_owned()));
    }
    if !time.starts_with(date) || date.len() != 8 {
        return Err(BadSignature::Scope("the date of X-Amz-Date".to_owned()));
    }
    Ok(Claim {
        access_key_id: (*access_key_id).to_owned(),
        date: (*date).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
        signature: signature.to_owned(),
        time: time.to_owned(),
        seconds,
        expires: None,
        token: None,
    })
}

impl Claim {
    /// The session token of a pre-signed URL.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Checks that the request is as its holder of `secret` signed it, for `service`, about `now`
    /// (seconds since the epoch).
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn verify(
        &self,
        received: Received<'_>,
        secret: &str,
        service: &str,
        now: i64,
    ) -> Result<(), BadSignature> {
        if self.service != service {
            return Err(BadSignature::Scope(format!("correct service: '{service}'")));
        }
        self.check_time(now)?;
        self.check_coverage(received.headers)?;
        // A client may name the hash that it signed; then it must be this body's.
        if let Some(named) = received.headers.get("x-amz-content-sha256")
            && named
                .as_bytes()
                .ct_ne(body_hash(received.body).as_bytes())
                .into()
        {
            return Err(BadSignature::Mismatch);
        }
        let to_sign = self.string_to_sign(received)?;
        let signature = hex(&mac(&self.key(secret), &to_sign));
        if signature.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            Ok(())
        } else {
            Err(BadSignature::Mismatch)
        }
    }

    fn check_time(&self, now: i64) -> Result<(), BadSignature> {
        let behind = now.saturating_sub(self.seconds);
        let text = |words: &str| {
            Err(BadSignature::Time(format!(
                "Signature {words}: {} is more than {} minutes from our time",
                self.time,
                MAX_SKEW / 60
            )))
        };
        match behind {
            late if self.expires.is_some_and(|expires| late > expires) => {
                Err(BadSignature::Time(format!(
                    "Signature expired: it held for {} seconds from {}",
                    self.expires.unwrap_or_default(),
                    self.time
                )))
            }
            late if self.expires.is_none() && late > MAX_SKEW => text("expired"),
            early if early < -MAX_SKEW => text("not yet current"),
            _ => Ok(()),
        }
    }

    /// Headers that change what a request means must be signed.
    fn check_coverage(&self, headers: &HeaderMap) -> Result<(), BadSignature> {
        let needed = headers
            .keys()
            .map(|name| name.as_str())
            .filter(|name| name.starts_with("x-amz-"));
        for name in std::iter::once("host").chain(needed) {
            if !self.signed_headers.iter().any(|signed| signed == name) {
                return Err(BadSignature::Incomplete(format!(
                    "'{name}' must be a signed header."
                )));
            }
        }
        Ok(())
    }

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
fn canonical_path(path: &str) -> String {
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
fn encode(text: &mut String, bytes: impl IntoIterator<Item = u8>) {
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
pub(super) fn decode(text: &str) -> Vec<u8> {
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

fn body_hash(body: &[u8]) -> String {
    hex(digest(&SHA256, body).as_ref())
}

fn seconds(time: &str) -> Option<i64> {
    if time.len() != 16 {
        return None;
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
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

#[cfg(test)]
pub(crate) mod testing {
    //! The client's side, for tests of what lies behind the signature.

    use axum::body::Body;
    use axum::http::Request;

    use super::{Claim, Received, hex, mac};
    use crate::store::AccessKey;

    /// A request as a client of `key` would send it at `now` (seconds since the epoch).
    pub(crate) fn sign(
        key: &AccessKey,
        now: i64,
        method: &str,
        path_and_query: &str,
        body: &str,
    ) -> Request<Body> {
        let time = jiff::Timestamp::from_second(now)
            .unwrap()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(path_and_query)
            .header("host", "localhost")
            .header("x-amz-date", &time)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let claim = Claim {
            access_key_id: key.access_key_id.clone(),
            date: time[..8].to_owned(),
            region: "us-east-1".to_owned(),
            service: "chime".to_owned(),
            signed_headers: vec!["host".to_owned(), "x-amz-date".to_owned()],
            signature: String::new(),
            time: time.clone(),
            seconds: now,
            expires: None,
            token: None,
        };
        let received = Received {
            method,
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            body: body.as_bytes(),
        };
        let to_sign = claim.string_to_sign(received).unwrap();
        let signature = hex(&mac(&claim.key(key.secret_access_key.expose()), &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}/us-east-1/chime/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}",
            key.access_key_id,
            &time[..8],
        );
        request
            .headers_mut()
            .insert("authorization", authorization.parse().unwrap());
        request
    }
}

#[cfg(test)]
mod tests;
