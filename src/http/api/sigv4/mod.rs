//! AWS Signature Version 4, in a header or in the query of a pre-signed URL: whose request is this, and is it as they
//! signed it?
//!
//! The signature covers method, path, query, the signed headers and a hash of the body, under a key
//! derived from the secret for one day, region and service.

mod canonical;
mod sign;

use axum::http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;
use thiserror::Error;

pub(super) use canonical::decode;
pub use canonical::encode;
use canonical::{body_hash, signature};
pub use sign::Signer;

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

/// How the names of headers begin that change what a request means.
const MEANT: [&str; 2] = ["x-amz-", "x-campanile-"];

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
        let signature = signature(self, received, secret)?;
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
            .filter(|name| MEANT.iter().any(|prefix| name.starts_with(prefix)));
        for name in std::iter::once("host").chain(needed) {
            if !self.signed_headers.iter().any(|signed| signed == name) {
                return Err(BadSignature::Incomplete(format!(
                    "'{name}' must be a signed header."
                )));
            }
        }
        Ok(())
    }
}

fn seconds(time: &str) -> Option<i64> {
    if time.len() != 16 {
        return None;
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
